"""What the tests share: a clock to turn, a running emulator, Jupyter servers and their kind."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from blocking import BlockingCalls
from tornado.httpclient import HTTPClientError

from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.emulator.state import Emulator

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Tests in the background of a shell, or under `nohup`, are started with these ignored, and would hand that on.
for _number, _usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)

pytest_plugins = ["pytest_jupyter.jupyter_server", "keeper_rig"]


class ManualClock:
    """A clock that stands still until it is turned; whoever sleeps by it wakes in order."""

    def __init__(self, epoch: float = 1_795_000_000.0) -> None:
        self._epoch = epoch
        self._now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = itertools.count()
        self.wall_error = 0.0

    def time(self) -> float:
        """Return the wall clock, wrong by `wall_error`."""
        return self._epoch + self._now + self.wall_error

    def monotonic(self) -> float:
        """Return the steady clock."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been turned that far."""
        event = asyncio.Event()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._count), event))
        await event.wait()

    def turn(self, seconds: float) -> None:
        """Let time pass without letting anybody act."""
        self._now += seconds

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, waking each sleeper at its moment and letting it act."""
        end = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            moment, _, event = heapq.heappop(self._sleepers)
            self._now = max(self._now, moment)
            event.set()
            await settle()
        self._now = end


async def settle() -> None:
    """Let every task that can run do so until all of them wait for something else."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture(scope="session")
def blocking_calls() -> Iterator[BlockingCalls]:
    with BlockingCalls().active() as calls:
        yield calls


@pytest.fixture(autouse=True)
def nothing_blocks(blocking_calls: BlockingCalls) -> Iterator[None]:
    """No test passes in which the product blocks an event loop, whatever became of the error."""
    blocking_calls.seen.clear()
    yield
    assert blocking_calls.seen == []


@pytest.fixture(autouse=True)
def jp_asyncio_loop(request: pytest.FixtureRequest) -> Any:
    """No loop of pytest-jupyter's in a browser's tests: it would take Playwright's in this thread for its own."""
    return None if _drives_chromium(request) else request.getfixturevalue("jp_asyncio_loop")


@pytest.fixture(autouse=True)
def jp_server_cleanup(request: pytest.FixtureRequest) -> Any:
    """No server of pytest-jupyter's there either, to be cleaned up on that loop."""
    return None if _drives_chromium(request) else request.getfixturevalue("jp_server_cleanup")


def _drives_chromium(request: pytest.FixtureRequest) -> bool:
    return request.node.get_closest_marker("browser") is not None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium, the same for all tests of a file."""
    from browser import running_browser  # noqa: PLC0415 - Playwright is for those who ask for it

    with running_browser() as browser:
        yield browser


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of these sources, with the front end as it is built."""
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    root = Path(__file__).parents[1]
    subprocess.run([*command, "--wheel-dir", out, root], check=True, capture_output=True, timeout=600)
    return next(out.glob("*.whl"))


@pytest.fixture
def clock() -> ManualClock:
    # Near the machine's own time, since a signature's date is checked against it.
    return ManualClock(float(int(time.time()) - 1000))


@pytest.fixture
def emulator(jp_asyncio_loop: asyncio.AbstractEventLoop, clock: ManualClock) -> Iterator[EmulatorServer]:
    """A running emulator whose clock is turned by hand, spoken to over real HTTP."""
    server = EmulatorServer(Emulator(clock))
    jp_asyncio_loop.run_until_complete(server.start())
    yield server
    jp_asyncio_loop.run_until_complete(server.stop())


async def control(emulator: EmulatorServer, fault: dict[str, Any]) -> None:
    """Ask the emulator for a fault, as somebody outside would."""
    async with httpx.AsyncClient(trust_env=False) as client:
        (await client.post(f"{emulator.url}/_emulator/faults", json=fault)).raise_for_status()


@pytest.fixture
def autostop_config(emulator: EmulatorServer) -> dict[str, Any]:
    """The settings of AutostopApp; a test may replace this fixture."""
    return {"platform": "emulator", "endpoint": emulator.url, "request_timeout": 2.0}


@pytest.fixture
def jp_server_config(autostop_config: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A Jupyter server with nothing but this extension."""
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_autostop": True}},
        "AutostopApp": {"state_dir": str(tmp_path / "state"), **autostop_config},
    }


@dataclass
class Reply:
    """An HTTP answer: status, headers, parsed JSON."""

    status: int
    headers: Any
    json: Any


Ask = Callable[..., Awaitable[Reply]]


@pytest.fixture
def ask(jp_fetch: Callable[..., Awaitable[Any]]) -> Ask:
    """Send a request to an autostop route with the server's token; an error is an answer too."""

    async def send(method: str, route: str, body: Any = None, **options: Any) -> Reply:
        if body is not None and not isinstance(body, (str, bytes)):
            body = json.dumps(body)
        try:
            response = await jp_fetch(
                "jupyter-autostop",
                route,
                method=method,
                body=body,
                allow_nonstandard_methods=True,
                **options,
            )
        except HTTPClientError as error:
            response = error.response
        return Reply(response.code, response.headers, json.loads(response.body or "null"))

    return send
