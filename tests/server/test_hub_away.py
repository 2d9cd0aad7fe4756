"""While JupyterHub is away: its users' servers go on, and so does whoever runs in them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from channels import running_kernel
from hub import Hub, running_hub
from processes import JupyterServer, emulated, running_emulator, wait_for

from jupyter_autostop.client.client import LocalClient, RefusedError
from jupyter_autostop.client.server_info import running_servers

REMEMBERED = 1
"""Seconds for which the servers remember what the hub has told them of a token; as delivered, 300."""
RUNTIME = ".local/share/jupyter/runtime"
ROUTES = [
    ("GET", "instance", None),
    ("GET", "journal", None),
    ("GET", "doctor", None),
    ("PATCH", "instance", {"description": "while the hub is away"}),
    ("POST", "extend", {"by": 600}),
    ("POST", "stop", None),
]
ERROR = yaml.safe_load((files("jupyter_autostop.server") / "openapi.yaml").read_text(encoding="utf-8"))
ASK = """
import json, os, subprocess
from jupyter_autostop.client.client import connect
done = subprocess.run(["jupyter", "autostop", "status", "-o", "json"], capture_output=True, text=True)
changed = connect(os.environ, means="kernel").change({"description": "by a kernel"})
print(json.dumps([done.returncode, done.stdout + done.stderr, changed["instance"]["description"]]))
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "3000s") as endpoint:
        yield endpoint


@contextmanager
def away(hub: Hub, server: JupyterServer, how: signal.Signals) -> Iterator[None]:
    """Let the hub crash (SIGKILL), or take calls and never answer (SIGSTOP); see to what it leaves behind."""
    os.kill(hub.pid, how)
    try:
        yield
    finally:
        os.kill(hub.pid, signal.SIGCONT)
        if how is signal.SIGKILL:
            proxy = int((hub.folder / "proxy.pid").read_text(encoding="ascii"))
            for pid in (server.pid, proxy):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)


def check_error(answer: httpx.Response) -> None:
    """Assert that an answer says by the contract that nobody can tell who asks."""
    error = answer.json()
    assert (answer.status_code, error["code"]) == (503, "login_unavailable"), answer.text
    assert int(answer.headers["Retry-After"]) >= 1
    schema = {**ERROR, "$ref": "#/components/schemas/Error"}
    jsonschema.validate(error, schema, cls=jsonschema.Draft202012Validator)
    assert "JupyterHub" in error["message"]
    assert error["hint"]


def asked(endpoint: str) -> list[Any]:
    """Return what the platform was asked."""
    found = httpx.get(f"{endpoint}/_emulator/requests", trust_env=False).raise_for_status().json()["requests"]
    assert isinstance(found, list)
    return found


LONG = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGSTOP, marks=LONG)])
def test_while_the_hub_is_away(endpoint: str, tmp_path: Path, how: signal.Signals) -> None:
    """Who comes by the hub's tokens is told why not, nothing is done, and the server's own processes get in."""
    environment = {**emulated(endpoint), "JUPYTER_AUTOSTOP_STATE_DIR": str(tmp_path / "state")}
    options = (f"--HubOAuth.cache_max_age={REMEMBERED}", "--AutostopApp.refresh_interval=600")
    with running_hub(tmp_path, "ada", environment=environment, options=options) as hub:
        server = hub.start("ada")
        with running_kernel(server) as kernel, server.client() as script:
            script.get("jupyter-autostop/instance").raise_for_status()
            with away(hub, server, how):
                wait_for(lambda: script.get("jupyter-autostop/instance").status_code != 200)
                httpx.delete(f"{endpoint}/_emulator/requests", trust_env=False).raise_for_status()
                for verb, route, body in ROUTES[: 1 if how is signal.SIGSTOP else None]:
                    check_error(script.request(verb, f"jupyter-autostop/{route}", json=body))
                with httpx.Client(base_url=server.url, trust_env=False) as stranger:
                    assert stranger.get("jupyter-autostop/instance").status_code == 403
                found = [one for one in running_servers(hub.home("ada") / RUNTIME) if one.pid == server.pid]
                with pytest.raises(RefusedError) as caught:
                    LocalClient(replace(found[0], secret="")).instance()
                assert caught.value.code == "login_unavailable"
                assert asked(endpoint) == []

                status, said, description = json.loads(kernel.run(ASK))
                assert status == 0, said
                assert json.loads(said)["problem"] is None
                assert description == "by a kernel"
                assert [call["method"] for call in asked(endpoint)] == ["GET", "PUT", "GET"]
