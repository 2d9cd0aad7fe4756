"""A real JupyterHub for tests: hub, proxy and single-user servers as processes, in one folder and on this machine."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from processes import JupyterServer, ended, own_environment, wait_for

from jupyter_autostop.client.server_info import CAPABILITY_FILE

PROXY = Path(sys.prefix) / "hub" / "node_modules" / ".bin" / "configurable-http-proxy"
"""Where the Makefile puts the hub's proxy."""
MARK = "AUTOSTOP_TEST_HUB"
"""A variable that each process of a hub inherits: what is left of it can be told by that."""
PORTS = range(20000, 30000)
"""Below those that systems give to outgoing connections, so that a free one stays free."""


@dataclass(frozen=True)
class Hub:
    """A running JupyterHub. Its users' names and its password open it to browsers, `token` to administration."""

    url: str
    password: str
    token: str
    folder: Path
    pid: int = 0

    def admin(self) -> httpx.Client:
        """Return an HTTP client for the hub's own API."""
        return token_client(f"{self.url}/hub/api/", self.token)

    def new_token(self, user: str, *scopes: str) -> str:
        """Return a token as a user makes one for a script."""
        with self.admin() as admin:
            made = admin.post(f"users/{user}/tokens", json={"scopes": scopes})
        return str(made.raise_for_status().json()["token"])

    def home(self, user: str) -> Path:
        """Return a user's home folder, which is where the servers run."""
        return self.folder / "home" / user

    def start(self, user: str, name: str = "") -> JupyterServer:
        """Start a user's server, wait for it, and return it with a token of the user's."""
        with self.admin() as admin:
            started = admin.post(f"users/{user}/servers/{quote(name)}" if name else f"users/{user}/server")
            assert started.is_success, self.log()

            def look() -> Any:
                found = admin.get(f"users/{user}", params={"include_stopped_servers": ""}).raise_for_status().json()
                assert not found["servers"][name]["stopped"], self.log()
                return found["servers"][name]

            wait_for(lambda: look()["ready"])
            server = look()
        token = self.new_token(user, f"access:servers!server={user}/{name}")
        return JupyterServer(f"{self.url}{server['url']}", token, server["state"]["pid"], self.home(user), {})

    def cookies(self, user: str, path: str) -> CookieJar:
        """Return the cookies of a browser in which a user has logged in and opened a page."""
        with httpx.Client(base_url=self.url, trust_env=False, timeout=60, follow_redirects=True) as page:
            form = page.get("/hub/login", params={"next": path})
            data = {"username": user, "password": self.password, "_xsrf": form.cookies["_xsrf"]}
            page.post("/hub/login", params={"next": path}, data=data).raise_for_status()
            return page.cookies.jar

    def log(self) -> str:
        """Return what hub, proxy and servers have told."""
        return (self.folder / "hub.log").read_text(encoding="utf-8")


def token_client(url: str, token: str) -> httpx.Client:
    """Return an HTTP client that shows a token, as scripts do."""
    return httpx.Client(base_url=url, headers={"Authorization": f"token {token}"}, trust_env=False, timeout=60)


def free_ports(count: int) -> list[int]:
    """Return ports on which nothing listens now."""
    with ExitStack() as held:
        ports: list[int] = []
        while len(ports) < count:
            door = held.enter_context(socket.socket())
            with suppress(OSError):
                door.bind(("127.0.0.1", secrets.choice(PORTS)))
                ports.append(door.getsockname()[1])
        return ports


def _settings(
    folder: Path, users: tuple[str, ...], hub: Hub, environment: dict[str, str], options: tuple[str, ...]
) -> dict[str, Any]:
    port, hub_port, proxy_port = hub.url.rpartition(":")[2], *free_ports(2)
    # A server's own start takes a second or two, on a busy machine many.
    patience = 120
    return {
        "JupyterHub": {
            "bind_url": f"http://127.0.0.1:{port}/",
            "hub_bind_url": f"http://127.0.0.1:{hub_port}",
            "db_url": f"sqlite:///{folder}/hub.sqlite",
            "cookie_secret_file": f"{folder}/cookie_secret",
            "authenticator_class": "shared-password",
            "spawner_class": "simple",
            "allow_named_servers": True,
            "services": [{"name": "tests", "api_token": hub.token}],
            "load_roles": [
                {
                    "name": "tests",
                    "services": ["tests"],
                    "scopes": ["admin:users", "admin:servers", "tokens", "access:servers"],
                }
            ],
        },
        "ConfigurableHTTPProxy": {
            "api_url": f"http://127.0.0.1:{proxy_port}",
            "command": str(PROXY),
            "pid_file": f"{folder}/proxy.pid",
        },
        "Authenticator": {"allowed_users": users},
        "SharedPasswordAuthenticator": {"user_password": hub.password},
        "SimpleLocalProcessSpawner": {"home_dir_template": f"{folder}/home/{{username}}"},
        "Spawner": {
            "cmd": [sys.executable, "-m", "jupyterhub.singleuser"],
            "args": ["--allow-root", *options],
            "environment": environment,
            "start_timeout": patience,
            "http_timeout": patience,
        },
    }


def _marked(mark: str) -> list[int]:
    """Return the processes that carry the mark."""
    found = []
    for folder in Path("/proc").glob("[1-9]*"):
        with suppress(OSError):  # somebody else's, or gone meanwhile
            if f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


@contextmanager
def _nothing_left(hub: Hub, mark: str) -> Iterator[None]:
    """See to it that a hub leaves neither processes nor capabilities of its servers."""
    try:
        yield
        # A kernel notices within a second or so that its server has gone.
        wait_for(lambda: not _marked(mark))
    finally:
        for pid in _marked(mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    opened = [str(file) for file in hub.folder.rglob(CAPABILITY_FILE.format("*"))]
    assert opened == [], "a capability outlives its server"


@contextmanager
def running_hub(folder: Path, *users: str, environment: dict[str, str], options: tuple[str, ...] = ()) -> Iterator[Hub]:
    """Run a JupyterHub; its servers get `environment` and `options` (of their command line)."""
    assert PROXY.exists(), "The hub's proxy is missing; `make test` installs it."
    assert shutil.which("node"), "The hub's proxy needs node."
    mark = secrets.token_hex(8)
    hub = Hub(f"http://127.0.0.1:{free_ports(1)[0]}", secrets.token_hex(8), secrets.token_hex(16), folder)
    for user in users:
        hub.home(user).mkdir(parents=True)
    settings = _settings(folder, users, hub, {**environment, MARK: mark}, options)
    config = folder / "jupyterhub_config.json"
    config.write_text(json.dumps(settings), encoding="utf-8")
    command = [sys.executable, "-m", "jupyterhub", f"--config={config}"]
    with (folder / "hub.log").open("ab") as log, _nothing_left(hub, mark):
        process = subprocess.Popen(
            command, cwd=folder, env={**own_environment(folder), MARK: mark}, stdout=log, stderr=subprocess.STDOUT
        )
        with ended(process), hub.admin() as admin:

            def answers() -> bool:
                assert process.poll() is None, hub.log()
                try:
                    return admin.get("users").is_success
                except httpx.TransportError:
                    return False

            wait_for(answers)
            yield replace(hub, pid=process.pid)
