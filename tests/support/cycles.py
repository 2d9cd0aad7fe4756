"""A program: starts and ends Jupyter servers with this extension in one process, and prints what that process holds.

In a process of its own, since whoever tests keeps things too. What it does itself leaves nothing: its HTTP client
forgets cookies, its threads are all there from the start, and what nobody holds is collected now and then (how much
Python lets lie before it does so itself is a matter of its collector, and not of ours). With a fourth argument,
`bare`, the servers have no extension, for comparison.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import httpx
from fakes import until
from footprint import Footprint
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config

from jupyter_autostop.emulator.faults import Fault
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.emulator.state import Emulator
from jupyter_autostop.times.clock import SystemClock

THREADS = 4
"""Of the event loop, for what would block it."""
COLLECT = 5
"""Servers after which what nobody holds is collected: doing it each time would take longer than all the rest."""
HANG = 10
"""Of so many servers one ends in the middle of a request."""


def threads() -> ThreadPoolExecutor:
    """Return a pool whose threads all run: otherwise one more starts whenever none is idle, which may be any time."""
    pool, together = ThreadPoolExecutor(THREADS), threading.Barrier(THREADS)
    list(pool.map(lambda _: together.wait(), range(THREADS)))
    return pool


def open_files() -> int:
    """Return how many files, sockets included, this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


class Server(ServerApp):
    """A Jupyter server that leaves the signals of this process alone."""

    def init_signal(self) -> None:
        """Set no handlers."""


async def started(emulator: EmulatorServer, folder: Path, *, bare: bool) -> Server:
    """Return a new server, which answers."""
    extensions = {} if bare else {"jupyter_autostop": True}
    config = Config(
        {
            "ServerApp": {"jpserver_extensions": extensions, "root_dir": str(folder)},
            "AutostopApp": {"platform": "emulator", "endpoint": emulator.url, "state_dir": str(folder / "state")},
            "IdentityProvider": {"token": "cycles"},
            "NotebookNotary": {"db_file": ":memory:"},
        }
    )
    server = Server.instance(config=config, port=0, ip="127.0.0.1", open_browser=False, allow_root=True, log_level=50)
    server.initialize(argv=[], find_extensions=False)
    server.start_app()
    await server._post_start()
    return server


async def used(number: int, url: str, client: httpx.AsyncClient, emulator: Emulator) -> asyncio.Task[None] | None:
    """Look and write as people do; now and then leave a look behind that waits for a platform which hangs."""
    record = emulator.record
    record.clear()
    instance = f"{url}/jupyter-autostop/instance"
    (await client.get(instance)).raise_for_status()
    (await client.patch(instance, json={"description": f"cycle {number}"})).raise_for_status()
    assert emulator.instance.description == f"cycle {number}"
    assert [seen["method"] for seen in record.shown()] == ["GET", "GET", "PUT", "GET"]
    if number % HANG != HANG // 2:  # never the last one before a look at the footprint
        return None

    async def refused() -> None:
        assert (await client.get(instance, params={"refresh": "1"})).status_code == 503
        emulator.faults.clear()

    emulator.faults.add(Fault("hang", times=0))
    asked = asyncio.create_task(refused())
    await until(lambda: record.shown()[-1]["fault"] == "hang")
    return asked


async def cycle(number: int, client: httpx.AsyncClient, emulator: EmulatorServer, folder: Path, *, bare: bool) -> None:
    """Start a server, use it, and end it; what it had opened is closed then, without the collector's help."""
    before = open_files()
    server = await started(emulator, folder, bare=bare)
    url, asked = f"http://127.0.0.1:{server.port}", None
    if bare:
        (await client.get(f"{url}/api/status")).raise_for_status()
    else:
        asked = await used(number, url, client, emulator.emulator)
    await server._cleanup()
    if asked:
        await asked
    server.http_server.stop()
    await server.http_server.close_all_connections()
    Server.clear_instance()
    await until(lambda: open_files() <= before)  # the other ends notice in their own time
    client.cookies.clear()  # each port gives one of its own
    if number % COLLECT == 0:
        del server
        gc.collect()


async def run(cycles: int, warm_up: int, folder: Path, *, bare: bool) -> None:
    """Print the footprint after so many cycles, and after all."""
    gc.disable()
    asyncio.get_running_loop().set_default_executor(threads())
    emulator = EmulatorServer(Emulator(SystemClock()))
    await emulator.start()
    headers, limits = {"Authorization": "token cycles"}, httpx.Limits(max_keepalive_connections=0)
    found = []
    async with httpx.AsyncClient(trust_env=False, headers=headers, limits=limits, timeout=60) as client:
        for number in range(1, cycles + 1):
            await cycle(number, client, emulator, folder, bare=bare)
            if number in (warm_up, cycles):
                await asyncio.sleep(0.2)  # for what closes connections in its own time
                Footprint.now()  # looking takes memory the first time
                found.append(asdict(Footprint.now()))
    await emulator.stop()
    print(json.dumps(found))  # noqa: T201 - whoever runs this reads it


if __name__ == "__main__":
    asyncio.run(run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]), bare=sys.argv[4:] == ["bare"]))
