"""An emulated platform and real servers on one record, which a test kills and starts again."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from nursery import Nursery
from nursery import nursery as running_nursery
from processes import PATIENCE, own_environment, wait_for

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.clock import OffsetClock
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.emulator.state import Emulator

HOUR = 3600
PRIOR = (True, HOUR, True)
"""The setting that a rig's instance has in the beginning."""
ONLY_OURS = {
    name: name == "jupyter_autostop"
    for name in ("jupyter_autostop", "jupyterlab", "jupyter_lsp", "notebook_shim", "jupyter_server_terminals")
}


@contextmanager
def emulator_in_a_thread(**options: Any) -> Iterator[str]:
    """Run an emulator by a loop of its own and yield its address."""
    loop = asyncio.new_event_loop()
    server = EmulatorServer(Emulator(OffsetClock(), **options))
    loop.run_until_complete(server.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield server.url
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class Cloud:
    """The platform, looked at and turned through its control routes only."""

    def __init__(self, url: str, client: httpx.Client) -> None:
        self.url = url
        self._client = client

    def control(self, method: str, route: str, body: Any = None) -> Any:
        answer = self._client.request(method, f"{self.url}/_emulator/{route}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def turn(self, **switches: Any) -> None:
        """Turn switches of its behaviour."""
        self.control("PATCH", "behaviour", switches)

    def console(self, **changes: Any) -> None:
        """Change the instance as somebody at the console does."""
        self.control("PATCH", "instance", changes)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.control("POST", "clock", {"advance": seconds})

    def now(self) -> int:
        """Return its time in ms."""
        return int(self.control("GET", "clock")["now"])

    def fault(self, kind: str, **fault: Any) -> None:
        self.control("POST", "faults", {"kind": kind, **fault})

    def heal(self) -> None:
        """Have no more faults."""
        self.control("DELETE", "faults")

    @property
    def state(self) -> dict[str, Any]:
        """What is true of the instance."""
        return self.control("GET", "instance")["state"]

    @property
    def setting(self) -> tuple[bool, int, bool]:
        """Whether auto-stop is on, its duration, its prompt."""
        auto_stop = self.state["auto_stop"]
        return auto_stop["enable"], auto_stop["duration"], auto_stop["prompt"]

    @property
    def stop_at(self) -> int | None:
        """When the platform ends the run by itself; `None`: never, or there is no run."""
        run = self.state["run"]
        return run["stop_at"] if run else None

    @property
    def requests(self) -> list[dict[str, Any]]:
        return self.control("GET", "requests")["requests"]

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.control("GET", "history")["events"]

    @property
    def stopped_at(self) -> int | None:
        """When the instance began to stop for the first time; `None`: not yet."""
        return next((event["at"] for event in self.events if event["status"] == "STOPPING"), None)

    @property
    def held_up(self) -> bool:
        """Whether a request hangs, or has been hanging until its client died."""
        return any(seen["fault"] == "hang" for seen in self.requests)

    def act(self, action: str) -> None:
        """Act as somebody at the console does."""
        path = f"/v1/{defaults.PROJECT_ID}/demanager/instances/{defaults.INSTANCE_ID}/action"
        headers = {"X-Auth-Token": defaults.TOKEN}
        self._client.post(self.url + path, json={"action": action}, headers=headers).raise_for_status()


class Server:
    """One server process."""

    def __init__(self, nursery: Nursery, pid: int, url: str, token: str, log: Path) -> None:
        self._nursery = nursery
        self.pid = pid
        self.url = url
        self.log = log
        self.client = httpx.Client(
            base_url=f"{url}jupyter-autostop/",
            headers={"Authorization": f"token {token}"},
            trust_env=False,
            timeout=60,
        )
        self._ended = False

    def look(self) -> dict[str, Any]:
        """Return the State, the platform asked first."""
        return self.client.get("instance", params={"refresh": "1"}).raise_for_status().json()

    def ask(self, method: str, route: str, body: Any = None) -> httpx.Response:
        return self.client.request(method, route, json=body)

    def begin(self, method: str, route: str, body: Any = None) -> threading.Thread:
        """Send a request whose answer may never come."""

        def send() -> None:
            try:
                self.ask(method, route, body)
            except httpx.TransportError:
                return

        thread = threading.Thread(target=send)
        thread.start()
        return thread

    def end(self, number: int = signal.SIGKILL) -> int:
        """Send it a signal and wait for its end; returns its wait status."""
        self._ended = True
        return self._nursery.end(self.pid, number)

    def wait(self) -> int:
        """Wait until it has ended by itself."""
        return self.end(0)

    @property
    def ended(self) -> bool:
        return self._ended or self._nursery.ended(self.pid)

    def close(self) -> None:
        if not self._ended:
            self.end()
        self.client.close()


class Rig:
    """A platform with one instance that has an hour left of its hour, and a folder that servers share."""

    def __init__(self, stack: ExitStack, nursery: Nursery, folder: Path, **options: Any) -> None:
        self._stack = stack
        self._nursery = nursery
        self.folder = folder
        url = stack.enter_context(emulator_in_a_thread(**options))
        self.cloud = Cloud(url, stack.enter_context(httpx.Client(trust_env=False, timeout=60)))

    def settings(self) -> dict[str, str]:
        """Return the environment variables that point a server here, with a token: a signature has a date.

        The platform's clock leaps, and a signature after each leap would be refused and sent a second time.
        """
        return {
            "JUPYTER_AUTOSTOP_PLATFORM": "demanager",
            "JUPYTER_AUTOSTOP_ENDPOINT": self.cloud.url,
            "JUPYTER_AUTOSTOP_PROJECT_ID": defaults.PROJECT_ID,
            "JUPYTER_AUTOSTOP_INSTANCE_ID": defaults.INSTANCE_ID,
            "JUPYTER_AUTOSTOP_TOKEN": defaults.TOKEN,
        }

    def server(self, *options: str, folder: str = "", settings: dict[str, str] | None = None, **steps: Any) -> Server:
        """Start a server; `steps` as for `FileSteps`. `folder`: not on the common record, but on one of that name."""
        place = self.folder / folder
        place.mkdir(exist_ok=True)
        environment = {**own_environment(place), **self.settings(), **(settings or {})}
        token = secrets.token_hex(8)
        (place / "work").mkdir(exist_ok=True)
        argv = [
            *("--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1", "--ServerApp.port=0"),
            *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={place / 'work'}"),
            f"--ServerApp.jpserver_extensions={ONLY_OURS}",
            *options,
        ]
        if steps:
            steps = {"folder": environment["JUPYTER_AUTOSTOP_STATE_DIR"], **steps}
        log = place / "server.log"
        pid = self._nursery.start(argv, environment, log, **steps)
        file = place / "runtime" / f"jpserver-{pid}.json"
        url = ""

        def serves() -> bool:
            nonlocal url
            assert not self._nursery.ended(pid), log.read_text(encoding="utf-8")
            try:
                info = json.loads(file.read_text(encoding="utf-8"))
                # It is written before anybody listens.
                socket.create_connection(("127.0.0.1", info["port"]), timeout=5).close()
            except (OSError, ValueError):
                return False
            url = info["url"]
            return True

        pause = threading.Event()
        for _ in range(PATIENCE * 10):
            if serves():
                break
            pause.wait(0.01)
        else:
            raise AssertionError(log.read_text(encoding="utf-8"))
        server = Server(self._nursery, pid, url, token, log)
        self._stack.callback(server.close)
        return server

    def arm(self, *, armed: bool = True) -> None:
        """Let servers count their file steps from now on, or no more."""
        flag = self.folder / "state.armed"
        flag.touch() if armed else flag.unlink(missing_ok=True)

    def wake(self) -> None:
        """Let the server go on that hangs at one of its file steps."""
        os.close(os.open(self.folder / "state.hangs", os.O_WRONLY | os.O_NONBLOCK))

    @property
    def steps(self) -> list[str]:
        """The file steps of all servers that counted them."""
        log = self.folder / "state.steps"
        return log.read_text(encoding="ascii").split() if log.exists() else []

    def until(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        wait_for(condition)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with running_nursery() as nursery:
        yield nursery


@pytest.fixture
def rig(nursery: Nursery, tmp_path: Path) -> Iterator[Rig]:
    """A platform, and servers that a test may start on it; none of them outlives it."""
    with ExitStack() as stack:
        yield Rig(stack, nursery, tmp_path)
