"""What keeping stop times costs: a hold's own time on top of the platform's calls, and a hundred holds at rest."""

from __future__ import annotations

import asyncio
import os
import statistics
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from bench_traffic import Ask, Site, timed

from jupyter_autostop.emulator import defaults

if TYPE_CHECKING:
    from bench_table import Table
    from processes import JupyterServer

INSTANCE = "jupyter-autostop/instance"
HOLDS = "jupyter-autostop/holds"
PLATFORM = f"v1/{defaults.PROJECT_ID}/demanager/instances/{defaults.INSTANCE_ID}"
ROUNDS = 20
REST = 20.0
"""Seconds that a server at rest is watched for."""


class Platform(Protocol):
    """The emulator, as `bench.py` looks at it."""

    site: Site

    async def calls(self) -> Counter[str]: ...

    async def forget(self) -> None: ...


class Running(Protocol):
    """Servers in front of an emulator, as `bench.py` runs them."""

    platform: Any

    def jupyter(self, name: str, *options: str) -> JupyterServer: ...


async def _platform_times(platform: Platform) -> dict[str, float]:
    """Return the ms of a read and of a write of the same setting, as the platform itself answers them."""
    bodies = {"GET": None, "PUT": {"description": "run"}}
    taken = {}
    for method, body in bodies.items():
        async with platform.site.connection(PLATFORM, method) as ask:
            taken[method] = statistics.median([await timed(ask, body) for _ in range(50)])
    return taken


async def _own_time(table: Table, platform: Platform, what: str, acts: list[Callable[[], Awaitable[float]]]) -> None:
    """Measure acts in turn, and print the ms of the first that the platform's calls do not account for."""
    spent = await _platform_times(platform)
    own, theirs = [], []
    for _ in range(ROUNDS):
        for number, act in enumerate(acts):
            await platform.forget()
            whole = await act()
            if not number:
                called = sum(count * spent[method] for method, count in (await platform.calls()).items())
                own.append(whole - called)
                theirs.append(called)
    peer = ("the platform's own calls", statistics.median(theirs))
    table.row(f"own time of {what}, ms", statistics.median(own), peer=peer, most=10)


class Spent:
    """What a process has used since: CPU seconds, and how often its main thread has gone to sleep."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = self._now()

    def _now(self) -> tuple[float, int]:
        ticks = Path(f"/proc/{self._pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
        status = Path(f"/proc/{self._pid}/status").read_text(encoding="ascii").splitlines()
        slept = next(line.split()[1] for line in status if line.startswith("voluntary_ctxt_switches"))
        return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK"), int(slept)

    def since(self) -> tuple[float, int]:
        """Return CPU seconds and sleeps."""
        now = self._now()
        return now[0] - self._before[0], now[1] - self._before[1]


async def keeper_rows(table: Table, running: Running) -> None:
    """Measure a hold and its end, the second hold beside a first, and servers at rest with and without holds."""
    server, idle = running.jupyter("keeper"), running.jupyter("idle")
    site, platform = Site.of(server), running.platform
    await Site.of(idle).ask(INSTANCE)
    stop = (await site.ask(INSTANCE))["deadline"]["stop_timestamp"]

    # Connections that stay, as a page's do: to accept one is no part of a write.
    async with AsyncExitStack() as stack:
        hold = await stack.enter_async_context(site.connection(HOLDS, "POST"))
        names = ("first", "one", "two")
        ends = {name: await stack.enter_async_context(site.connection(f"{HOLDS}/{name}", "DELETE")) for name in names}
        await _hold_rows(table, platform, stop, hold, ends)

    # Nobody looks any more: what goes on is the keeper's alone.
    await asyncio.sleep(2)
    await platform.forget()
    ours, peer = Spent(server.pid), Spent(idle.pid)
    await asyncio.sleep(REST)
    (cpu, wakes), (idle_cpu, idle_wakes) = ours.since(), peer.since()
    calls = (await platform.calls()).total()
    none = "a server without holds"
    more = max(0.0, (wakes - idle_wakes) / REST)
    table.row("100 holds at rest, times a second that the server wakes", more, peer=(none, idle_wakes / REST), most=1)
    table.row("  CPU, ms a second", 1000 * cpu / REST, peer=(none, 1000 * idle_cpu / REST), most=5)
    table.row(f"  calls to the platform in {REST:.0f} s", calls, most=1 + REST / 10)


async def _hold_rows(table: Table, platform: Platform, stop: int, hold: Ask, ends: dict[str, Ask]) -> None:
    """Measure a hold, another beside it, and the end of each; leave a hundred of them."""

    async def opened(name: str, minutes: int = 60) -> float:
        return await timed(hold, {"until": stop + minutes * 60_000, "id": name})

    async def ended(name: str) -> float:
        return await timed(ends[name])

    await opened("first")  # learns that the platform defers
    await ended("first")
    await _own_time(table, platform, "a hold", [lambda: opened("one"), lambda: ended("one")])
    await opened("one")
    await _own_time(table, platform, "a hold beside another", [lambda: opened("two"), lambda: ended("two")])
    await opened("two")
    await _own_time(table, platform, "the end of one of two holds", [lambda: ended("two"), lambda: opened("two")])
    await ended("two")
    await _own_time(table, platform, "the end of a hold", [lambda: ended("one"), lambda: opened("one")])
    for number in range(100):
        await opened(f"hold-{number}", 60 + number % 7)
    await ended("one")
