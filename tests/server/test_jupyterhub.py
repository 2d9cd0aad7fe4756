"""Under a real JupyterHub: a page, a script, a kernel and a terminal of a user's server, and everybody else."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from browser import Tab, running_browser
from channels import Kernel, Terminal, running_kernel, running_terminal
from hub import Hub, running_hub, token_client
from processes import JupyterServer, emulated, running_emulator, wait_for

from jupyter_autostop.client.server_info import CAPABILITY_FILE, CAPABILITY_HEADER
from jupyter_autostop.times.duration import format_duration

LEFT = 3000
"""Seconds left at the start of the first test."""
SECRETS = {
    "HUAWEICLOUD_SDK_AK": "CANARY-access-key",
    "HUAWEICLOUD_SDK_SK": "CANARY-secret-key",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN": "CANARY-security-token",
}
RUNTIME = ".local/share/jupyter/runtime"
NAMED = "gpu-2"
UPDATE = "modelarts:notebook:update"
DEAD = "http://127.0.0.1:9"
PROXIES = dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"), DEAD)
"""A proxy of the cluster for the world outside, which nothing on this machine may be asked through."""
DOCUMENT = yaml.safe_load((files("jupyter_autostop.server") / "openapi.yaml").read_text(encoding="utf-8"))
ROUTES = [
    (verb.upper(), f"jupyter-autostop{path}")
    for path, verbs in DOCUMENT["paths"].items()
    for verb in verbs
    if verb in ("get", "post", "patch", "put", "delete")
]
ASK = """
import json, os, subprocess
from jupyter_autostop.client.client import connect
from jupyter_autostop.client.discovery import find_server
done = subprocess.run(["jupyter", "autostop", "status", "-o", "json"], capture_output=True, text=True)
print(json.dumps({
    "exit": done.returncode,
    "command": done.stdout + done.stderr,
    "state": connect(os.environ, means="kernel").instance(),
    "base_url": find_server(os.environ).base_url,
    "environment": dict(os.environ),
}))
"""
EXTEND = """
import os
from jupyter_autostop.client.client import connect
print(connect(os.environ, means="kernel").extend(by=3600)["outcome"]["effect"])
"""


class Platform:
    """The emulator's control routes."""

    def __init__(self, endpoint: str) -> None:
        self._control = httpx.Client(base_url=f"{endpoint}/_emulator", trust_env=False, timeout=60)

    def close(self) -> None:
        self._control.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._control.request(method, path, json=body).raise_for_status().json()

    def stops(self) -> int:
        """Return when the run really stops, in epoch ms."""
        return int(self.ask("GET", "/instance")["state"]["run"]["stop_at"])

    def left(self) -> str:
        """Return what is left of the run, in whole minutes and in words."""
        minutes = (self.stops() - self.ask("GET", "/clock")["now"]) // 60_000
        return format_duration(minutes * 60)

    def written(self) -> list[str]:
        """Return what it was asked for but looks: servers look of their own accord too."""
        return [seen["method"] for seen in self.ask("GET", "/requests")["requests"] if seen["method"] != "GET"]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", f"{LEFT}s") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def hub(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    folder = tmp_path_factory.mktemp("hub")
    environment = {**emulated(endpoint), **SECRETS, **PROXIES, "JUPYTER_AUTOSTOP_STATE_DIR": str(folder / "state")}
    # What is news to one of them is told by the server, not found by a look that happens to fall due.
    options = ("--LabApp.expose_app_in_browser=True", "--AutostopApp.refresh_interval=600")
    with running_hub(folder, "ada", "bob", environment=environment, options=options) as hub:
        yield hub


@pytest.fixture(scope="module")
def servers(hub: Hub) -> list[JupyterServer]:
    """Two servers of one user, started at the same time."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda name: hub.start("ada", name), ("", NAMED)))


@pytest.fixture(scope="module")
def server(servers: list[JupyterServer]) -> JupyterServer:
    return servers[0]


@pytest.fixture(scope="module")
def running_platform(endpoint: str) -> Iterator[Platform]:
    with closing(Platform(endpoint)) as platform:
        platform.ask("PATCH", "/behaviour", {"duration_applies": "now"})
        yield platform


@pytest.fixture
def script(server: JupyterServer) -> Iterator[httpx.Client]:
    with server.client() as script:
        yield script


@pytest.fixture
def platform(running_platform: Platform, script: httpx.Client) -> Platform:
    """The instance runs, the user's server knows it, and nobody has written to it yet.

    The run goes on from test to test. One that is put back by hand, against the platform's own rules, has no start
    that a server could tell, so what the longer run length would bring is not tried: that run would be held.
    """
    state = script.get("jupyter-autostop/instance?refresh=1").json()
    assert (state["problem"], state["deadline"]["kept_by"]) == (None, "platform")
    running_platform.ask("DELETE", "/requests")
    return running_platform


@pytest.fixture(scope="module")
def kernel(server: JupyterServer) -> Iterator[Kernel]:
    with running_kernel(server) as kernel:
        yield kernel


@pytest.fixture(scope="module")
def terminal(server: JupyterServer) -> Iterator[Terminal]:
    with running_terminal(server) as terminal:
        yield terminal


def test_a_script(script: httpx.Client, platform: Platform) -> None:
    """A token of the user's opens the routes through the hub's proxy, below the server's own base URL."""
    state = script.get("jupyter-autostop/instance")
    assert state.status_code == 200
    assert state.json()["deadline"]["stop_timestamp"] // 1000 == platform.stops() // 1000

    described = script.patch("jupyter-autostop/instance", json={"description": "Tuning run 7"})
    assert (described.status_code, described.json()["instance"]["description"]) == (200, "Tuning run 7")

    before = platform.stops()
    extended = script.post("jupyter-autostop/extend", json={"by": 3600})
    assert (extended.status_code, extended.json()["outcome"]["effect"]) == (200, "now")
    assert platform.stops() - before == pytest.approx(3_600_000, abs=1000)


def test_a_browser_and_its_cookies(hub: Hub, server: JupyterServer, platform: Platform) -> None:
    """Who is logged in by the hub's cookies reads, and writes with the XSRF token of this server and no other."""
    cookies = hub.cookies("ada", "/user/ada/lab")
    tokens = {cookie.path: cookie.value for cookie in cookies if cookie.name == "_xsrf"}
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60, cookies=cookies) as page:
        assert page.get("jupyter-autostop/instance").status_code == 200
        for wrong in ({}, {"X-XSRFToken": tokens["/hub/"] or ""}):
            refused = page.patch("jupyter-autostop/instance", json={"description": "x"}, headers=wrong)
            assert (refused.status_code, refused.json()["code"] in ("forbidden", "xsrf")) == (403, True)
        assert platform.written() == []
        right = {"X-XSRFToken": tokens["/user/ada/"] or ""}
        done = page.patch("jupyter-autostop/instance", json={"description": "lr sweep"}, headers=right)
        assert (done.status_code, done.json()["instance"]["description"]) == (200, "lr sweep")


@pytest.fixture(scope="module")
def strangers(hub: Hub, server: JupyterServer) -> Iterator[dict[str, httpx.Client]]:
    """Everybody who has no business at this server."""
    plain: dict[str, Any] = {"base_url": server.url, "trust_env": False, "timeout": 60}
    clients = {
        "another user's token": token_client(server.url, hub.new_token("bob", "access:servers!user=bob")),
        "another user's cookies": httpx.Client(cookies=hub.cookies("bob", "/hub/home"), **plain),
        "a token for other things": token_client(server.url, hub.new_token("ada", "read:users!user=ada")),
        "a made-up token": token_client(server.url, "0" * 32),
        "nothing": httpx.Client(**plain),
    }
    with ExitStack() as stack:
        yield {name: stack.enter_context(client) for name, client in clients.items()}


@pytest.mark.parametrize(
    "who",
    ["another user's token", "another user's cookies", "a token for other things", "a made-up token", "nothing"],
)
def test_everybody_else(strangers: dict[str, httpx.Client], platform: Platform, who: str) -> None:
    """Who may not use this server gets 403 in JSON and no login page, on every route, and changes nothing."""
    assert ROUTES
    for verb, path in ROUTES:
        answer = strangers[who].request(verb, path, json={"description": "x"} if verb == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"], answer.headers.get("location")) == (403, "forbidden", None)
    assert platform.written() == []


def test_a_kernel(kernel: Kernel, server: JupyterServer, platform: Platform) -> None:
    """A kernel's command and client find the server that started it and get in, past the cluster's proxy."""
    seen = json.loads(kernel.run(ASK))
    assert seen["exit"] == 0, seen["command"]
    assert seen["environment"]["JPY_PARENT_PID"] == str(server.pid)
    assert seen["environment"]["https_proxy"] == DEAD
    assert seen["base_url"] == "/user/ada/"
    before = platform.stops()
    assert kernel.run(EXTEND) == "now\n"
    assert platform.stops() - before == pytest.approx(3_600_000, abs=1000)


def test_the_capability(hub: Hub, server: JupyterServer, platform: Platform) -> None:
    """Where the hub's tokens do not open the server, its capability file does, for our routes only."""
    folder = hub.home("ada") / RUNTIME
    shown = {CAPABILITY_HEADER: json.loads((folder / CAPABILITY_FILE.format(server.pid)).read_text())["secret"]}
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60, headers=shown) as process:
        assert process.get("jupyter-autostop/instance").status_code == 200
        written = process.patch("jupyter-autostop/instance", json={"description": "by its capability"})
        assert written.status_code == 200, written.text
        assert process.get("api/kernels").status_code == 403


def typed(terminal: Terminal, hub: Hub, *arguments: str) -> tuple[int, Any]:
    """Type a command of ours into a terminal of ada's; returns its exit status and the JSON it printed."""
    answer = hub.home("ada") / "answer.json"
    # By its path, since a login shell may have set a PATH of its own.
    command = [str(Path(sys.executable).with_name("jupyter")), "autostop", *arguments, "-o", "json"]
    status = terminal.run(f"{shlex.join(command)} >{shlex.quote(str(answer))}")
    return status, json.loads(answer.read_text(encoding="utf-8"))


def test_a_terminal(terminal: Terminal, hub: Hub, platform: Platform) -> None:
    """A command in a terminal moves the stop time and exits 0, or says why not and exits 1."""
    before = platform.stops()
    status, state = typed(terminal, hub, "extend", "1h")
    assert (status, state["outcome"]["effect"]) == (0, "now")
    assert platform.stops() - before == pytest.approx(3_600_000, abs=1000)
    platform.ask("PATCH", "/permissions", {UPDATE: False})
    try:
        status, error = typed(terminal, hub, "extend", "1h")
    finally:
        platform.ask("PATCH", "/permissions", {UPDATE: True})
    assert (status, error["code"], UPDATE in error["hint"]) == (1, "ModelArts.6407", True)


def test_one_state(kernel: Kernel, terminal: Terminal, hub: Hub, script: httpx.Client, platform: Platform) -> None:
    """What one of them changed, all of them see, and the journal names the hub's user and the means."""
    assert script.patch("jupyter-autostop/instance", json={"description": "by a script"}).status_code == 200
    assert kernel.run(EXTEND) == "now\n"
    assert typed(terminal, hub, "describe", "by a terminal")[0] == 0

    states = [json.loads(kernel.run(ASK))["state"], typed(terminal, hub, "status")[1]]
    states.append(script.get("jupyter-autostop/instance").json())
    for state in states:
        # Where a client's clock starts from, and where an extension may begin.
        del state["server_time"], state["limits"]["until"]
    assert states[0] == states[1] == states[2]
    assert states[0]["instance"]["description"] == "by a terminal"
    assert states[0]["deadline"]["stop_timestamp"] // 1000 == platform.stops() // 1000

    entries = script.get("jupyter-autostop/journal").json()["entries"]
    assert [entry["who"] for entry in entries[:3]] == ["terminal (ada)", "kernel (ada)", "script (ada)"]


def test_the_secrets(kernel: Kernel, terminal: Terminal, hub: Hub, server: JupyterServer) -> None:
    """What the spawner gave to the server for the cloud, its kernels and terminals do not inherit."""
    given = Path(f"/proc/{server.pid}/environ").read_text(encoding="utf-8")
    assert all(secret in given for secret in SECRETS.values())
    file = hub.home("ada") / "environment"
    assert terminal.run(f"env >{shlex.quote(str(file))}") == 0
    inherited = {"kernel": json.dumps(json.loads(kernel.run(ASK))["environment"]), "terminal": file.read_text()}
    for place, environment in inherited.items():
        assert "JUPYTERHUB_API_TOKEN" in environment, place
        assert "CANARY" not in environment, place


def test_a_named_server(hub: Hub, servers: list[JupyterServer]) -> None:
    """Of two servers of one user, whose runtime files lie side by side, each kernel finds its own."""
    _, named = servers
    runtime = {file.name for file in (hub.home("ada") / RUNTIME).iterdir()}
    for server in servers:
        assert {f"jpserver-{server.pid}.json", CAPABILITY_FILE.format(server.pid)} <= runtime
    with running_kernel(named) as kernel:
        seen = json.loads(kernel.run(ASK))
    assert seen["exit"] == 0, seen["command"]
    assert seen["base_url"] == "/user/ada/gpu-2/"


@pytest.mark.browser
def test_a_page(hub: Hub, server: JupyterServer, script: httpx.Client, platform: Platform) -> None:
    """JupyterLab of a person who logged in at the hub counts down, hears of changes and may write."""
    with running_browser() as browser:
        tab = Tab(browser, replace(server, token=""))
        tab.page.goto(f"{hub.url}/hub/login?next=/user/ada/lab")
        tab.page.fill("input[name=username]", "ada")
        tab.page.fill("input[name=password]", hub.password)
        tab.page.click("input[type=submit]")
        tab.page.wait_for_url("**/user/ada/lab**")
        tab.start()
        tab.shows("running")
        wait_for(lambda: tab.countdown.text_content() == platform.left())
        before = platform.stops()
        assert script.post("jupyter-autostop/extend", json={"by": 3600}).status_code == 200
        assert platform.stops() > before
        wait_for(lambda: tab.countdown.text_content() == platform.left())
        tab.shows("running")
        assert tab.fetch("PATCH", "jupyter-autostop/instance", {"description": "by a page"}) == 200
        assert tab.ours() == []
        tab.close()
    entries = script.get("jupyter-autostop/journal").json()["entries"]
    assert entries[0]["who"] == "page (ada)"
    assert "by a page" in entries[0]["what"]
