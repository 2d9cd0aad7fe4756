"""No secret gets out: canaries through whole sessions, most of which fail, with everything that is written read."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket
from echoing_cloud import MODES, EchoingCloud, echoing_cloud
from processes import JupyterServer, running_jupyter, running_kernel, wait_for

# Everything that the HTTP library has to say, in the server's own log.
TALKATIVE = """
c.ServerApp.log_level = "DEBUG"
c.ServerApp.logging_config = {
    "loggers": {
        name: {"level": "DEBUG", "handlers": ["console"]}
        for name in ("httpx", "httpcore", "httpcore.http11", "httpcore.connection", "asyncio")
    }
}
"""
KEY = {
    "HUAWEICLOUD_SDK_AK": "canary-access-key",
    "HUAWEICLOUD_SDK_SK": "canary-secret-key",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN": "canary-security-token",
}
LOGIN = {
    "JUPYTER_AUTOSTOP_IAM_USER": "lin",
    "JUPYTER_AUTOSTOP_IAM_PASSWORD": 'canary-"pä\\ss/wörd',
    "JUPYTER_AUTOSTOP_IAM_DOMAIN": "a-company",
}
PROFILE = "[basic]\nak = canary-access-key\nsk = canary-secret-key\nsecurity_token = canary-security-token\n"
NOTEBOOK = (
    "[default]\naccess_key_id = canary-access-key\nsecret_access_key = canary-secret-key\n"
    "security_token = canary-security-token\nuser_id = u1\n"
)
PROOFS = {
    "key": "Access=canary-access-key",
    "token": "canary-ready-token",
    "login": "canary-iam-token",
    "profile": "Access=canary-access-key",
    "notebook": "Access=canary-access-key",
}
REQUESTS: tuple[tuple[str, str, Any], ...] = (
    ("GET", "instance?refresh=1", None),
    ("PATCH", "instance", {"description": "tuning"}),
    ("PATCH", "instance", {"auto_stop": {"prompt": False}}),
    ("POST", "extend", {"by": 3600}),
    ("POST", "holds", {"until": int(time.time() * 1000) + 7_200_000, "id": "one", "reason": "training"}),
    ("DELETE", "holds/one", None),
    ("POST", "stop", None),
    ("GET", "journal", None),
    ("GET", "doctor", None),
)
CAUGHT = """
import traceback
try:
    autostop.describe("x")
    raise RuntimeError("It was taken.")
except Exception as error:
    traceback.print_exc()
    print(repr(error), vars(error))
"""
# Each look is tried three times there, so a part of the session has to do.
SLOW, SLOW_ONES = ("broken", "reset"), 2
TOLD = ("fine", "unauthorized")


def settings(way: str, folder: Path) -> dict[str, str]:
    """Return the environment that gives the credentials in one of the ways."""
    if way == "profile":
        (folder / "profile").write_text(PROFILE, encoding="utf-8")
        (folder / "profile").chmod(0o600)
        return {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(folder / "profile")}
    if way == "notebook":
        (folder / "notebook").write_text(NOTEBOOK, encoding="utf-8")
        return {"AWS_CREDENTIAL_PROFILES_FILE": str(folder / "notebook")}
    return {"key": KEY, "token": {"JUPYTER_AUTOSTOP_TOKEN": "canary-ready-token"}, "login": LOGIN}[way]


@pytest.fixture(params=PROOFS)
def way(request: pytest.FixtureRequest) -> str:
    """One of the ways to give credentials."""
    return str(request.param)


@pytest.fixture
def cloud() -> Iterator[EchoingCloud]:
    with echoing_cloud() as cloud:
        yield cloud


@pytest.fixture
def server(way: str, cloud: EchoingCloud, tmp_path: Path) -> Iterator[JupyterServer]:
    folder = tmp_path / "jupyter"
    (folder / "config").mkdir(parents=True)
    (folder / "config" / "jupyter_server_config.py").write_text(TALKATIVE, encoding="utf-8")
    where = {
        "JUPYTER_AUTOSTOP_ENDPOINT": cloud.url,
        "JUPYTER_AUTOSTOP_IAM_ENDPOINT": cloud.url,
        "JUPYTER_AUTOSTOP_REGION": "cn-north-4",
        "JUPYTER_AUTOSTOP_PROJECT_ID": "p1",
        "JUPYTER_AUTOSTOP_INSTANCE_ID": "DE-1",
    }
    module = "jupyterlab" if way == "key" else "jupyter_server"
    with running_jupyter(folder, module=module, settings=where | settings(way, tmp_path)) as server:
        yield server


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()]


def environments_of_children(server: JupyterServer) -> list[str]:
    """Start a kernel and a terminal and return the environments that they were given."""
    with server.client() as client:
        client.post("api/kernels", json={}).raise_for_status()
        client.post("api/terminals", json={}).raise_for_status()
    wait_for(lambda: len(children(server.pid)) >= 2)
    return [Path(f"/proc/{pid}/environ").read_text(encoding="utf-8") for pid in children(server.pid)]


def commands(server: JupyterServer) -> Iterator[str]:
    """Yield what the terminal command prints."""
    for command in (["status"], ["status", "-o", "json"], ["extend", "1h"], ["journal"], ["doctor"]):
        ran = subprocess.run(
            [sys.executable, "-m", "jupyter_autostop", *command],
            env=server.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ran.returncode in (0, 1)
        assert "Traceback" not in ran.stderr
        yield ran.stdout + ran.stderr


def cells(run: Callable[[str], str]) -> Iterator[str]:
    """Yield what a notebook shows: the magic's words, a panel's picture, and all there is to an exception."""
    for line in ("%autostop status", "%autostop", "%autostop doctor", "%autostop journal", "%autostop extend 1h"):
        yield run(line)
    yield run(CAUGHT)


def session(server: JupyterServer, cloud: EchoingCloud, modes: tuple[str, ...]) -> Iterator[str]:
    """Do everything there is to do while the cloud fails in every way, and yield whatever is shown."""
    address = f"{server.url.replace('http', 'ws', 1)}api/events/subscribe"
    with ExitStack() as stack:
        client = stack.enter_context(server.client())
        wait_for(lambda: listening(client))
        run = stack.enter_context(running_kernel(server, client))
        run("%load_ext jupyter_autostop\nimport jupyter_autostop as autostop")
        events = websocket.create_connection(address, header=[f"Authorization: token {server.token}"], timeout=30)
        for mode in (*modes, "fine"):
            cloud.mode = mode
            for verb, route, body in REQUESTS[:SLOW_ONES] if mode in SLOW else REQUESTS:
                reply = client.request(verb, f"jupyter-autostop/{route}", json=body)
                assert reply.status_code < 500 or reply.status_code in (502, 503, 504), reply.text
                yield f"{reply.headers} {reply.text}"
            if mode in TOLD:
                yield from commands(server)
                yield from cells(run)
        yield client.get("lab").text
        yield events.recv()
        events.close()


def listening(client: httpx.Client) -> bool:
    """Tell whether a server that has said where it is going to listen does so."""
    try:
        return client.get("api/status").is_success
    except httpx.ConnectError:
        return False


def everything_written(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield what stands in each file below a folder, the server's log included."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path, path.read_bytes().decode("utf-8", "replace")


@pytest.mark.timeout(400)  # a whole session with a kernel, on a busy machine
def test_no_secret_gets_out(way: str, server: JupyterServer, cloud: EchoingCloud) -> None:
    """Answers, errors, events, commands, journal, log at DEBUG, kernels, files: a canary sings in none of them."""
    shown = list(session(server, cloud, MODES if way in ("key", "login") else TOLD))
    assert PROOFS[way] in "".join(cloud.seen)
    assert "canary-the-instances-own" in json.dumps(cloud.instance())
    assert any("RefusedError" in text for text in shown)
    for text in shown:
        assert "canary" not in text
    for environment in environments_of_children(server):
        given = environment.replace(str(server.folder), "")
        assert "canary" not in given
    log = (server.folder / "server.log").read_text(encoding="utf-8")
    assert "send_request_headers" in log
    assert "jupyter-autostop" in log
    written = dict(everything_written(server.folder))
    assert any("journal" in path.name for path in written)
    for path, text in written.items():
        assert "canary" not in text, path
