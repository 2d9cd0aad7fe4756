"""The figures, each beside its peer in the same run: `make bench`. Prints them, and whether a promise was missed."""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from bench_keeper import keeper_rows
from bench_kernel import kernel_rows
from bench_load import bundle_rows, cycle_rows, import_rows, load_rows
from bench_pages import browser_rows
from bench_peers import OURS, PEERS, install_peers
from bench_table import Table, say
from bench_traffic import Site, as_at_a_cloud, flat_out, open_pages, percentile, timed
from processes import JupyterServer, emulated, running_emulator, running_jupyter

from jupyter_autostop.emulator import defaults

INSTANCE = OURS[1]
STATUS = "api/status"
TURNS = 5
PLATFORM = f"v1/{defaults.PROJECT_ID}/demanager/instances/{defaults.INSTANCE_ID}"


class Platform:
    """The emulator, looked at and spoiled through its control routes."""

    def __init__(self, endpoint: str) -> None:
        self.site = Site(f"{endpoint}/", {"X-Auth-Token": defaults.TOKEN})

    async def calls(self) -> Counter[str]:
        """Return how often each method was called since the last `forget`."""
        seen = (await self.site.ask("_emulator/requests"))["requests"]
        return Counter(request["method"] for request in seen)

    async def forget(self) -> None:
        await self.site.ask("_emulator/requests", "DELETE")

    @asynccontextmanager
    async def hanging(self, site: Site) -> AsyncIterator[None]:
        """Let a call of the server's to the platform hang, and go on once the server has given it up."""
        await self.site.ask("_emulator/faults", "POST", {"kind": "hang", "times": 0})
        await self.forget()
        waiting = asyncio.ensure_future(site.ask(f"{INSTANCE}?refresh=1"))
        while not await self.calls():  # noqa: ASYNC110 - it tells only when asked
            await asyncio.sleep(0.01)
        yield
        assert not waiting.done(), "the platform did not hang long enough"
        await waiting
        await self.site.ask("_emulator/faults", "DELETE")
        await site.ask(f"{INSTANCE}?refresh=1")


class Running:
    """An emulator, and Jupyter servers that speak to it, until the stack is closed."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._folder = folder
        self._endpoint = stack.enter_context(running_emulator())
        self.platform = Platform(self._endpoint)

    def jupyter(self, name: str, *options: str, python: str = sys.executable) -> JupyterServer:
        """Run a Jupyter server with all the extensions of an environment."""
        folder = self._folder / name
        folder.mkdir()
        if not any("refresh_interval" in option for option in options):
            options = (*options, *as_at_a_cloud(python))
        options = ("--ServerApp.log_level=ERROR", *options)
        return self._stack.enter_context(
            running_jupyter(folder, *options, settings=emulated(self._endpoint), python=python)
        )


async def rate_rows(table: Table, ours: Site, peers: list[Site]) -> None:
    """Measure all in turns, so that a machine whose speed drifts favours none of them."""
    targets = [(ours, INSTANCE), (ours, STATUS)]
    targets += [(site, peer.route) for site, peer in zip(peers, PEERS, strict=True)]
    names = [f"/{STATUS}", *(f"{peer.package}" for peer in PEERS)]
    for clients in (1, 16):
        turns = [[len(await flat_out(*target, clients, 1.0)) for target in targets] for _ in range(TURNS)]
        for number, name in enumerate(names, 1):
            table.row(
                f"cached GET instance, {clients} client{'s' if clients > 1 else ''}, requests/s",
                statistics.median(turn[0] for turn in turns),
                peer=(name, statistics.median(turn[number] for turn in turns)),
                ratio=statistics.median(turn[0] / turn[number] for turn in turns),
                # Promised beside the server's own status; the others stand there for comparison.
                share=0.9 if number == 1 else None,
            )


async def hang_rows(table: Table, site: Site, platform: Platform) -> None:
    """Measure what readers notice of a platform that does not answer."""
    async with platform.hanging(site):
        # In turns: a machine that is taken away for a moment spoils one of them, not the row.
        turns = [
            [percentile(await flat_out(site, route, 16, 1.0), 99) for route in (INSTANCE, STATUS)] for _ in range(TURNS)
        ]
        calls = (await platform.calls()).total()
    what = "p99 while the platform hangs, 16 clients, ms"
    ours, peer = (statistics.median(times) for times in zip(*turns, strict=True))
    table.row(what, ours, peer=(f"/{STATUS}", peer), most=25)
    table.row("  calls to the platform meanwhile", calls, most=1)
    async with platform.hanging(site):
        pages = await open_pages(site, 100, 4.0, INSTANCE, STATUS)
        calls = (await platform.calls()).total()
    what = "p99 while the platform hangs, 100 pages, ms"
    ours, peer = (percentile(taken, 99) for taken in pages)
    table.row(what, ours, peer=(f"/{STATUS}", peer), most=25)
    table.row("  calls to the platform meanwhile", calls, most=1)


async def write_rows(table: Table, site: Site, platform: Platform) -> None:
    """Measure a change: what it takes of our own, and when others see it."""
    await platform.forget()
    async with site.connection(INSTANCE, "PATCH") as ask:
        whole = statistics.median([await timed(ask, {"description": f"run {number}"}) for number in range(20)])
    calls = await platform.calls()
    spent = 0.0
    for method, count in calls.items():
        body = {"description": "run"} if method == "PUT" else None
        async with platform.site.connection(PLATFORM, method) as ask:
            spent += count / 20 * statistics.median([await timed(ask, body) for _ in range(50)])
    table.row("own time of a write, ms", whole - spent, peer=("the platform's own calls", spent), most=10)

    listeners = [await site.events() for _ in range(20)]
    shown: list[float] = []

    async def follow(listener: object, begun: float) -> None:
        await listener.read_message()
        await site.ask(INSTANCE)
        shown.append((time.perf_counter() - begun) * 1000)

    for number in range(10):
        begun = time.perf_counter()
        following = [asyncio.ensure_future(follow(listener, begun)) for listener in listeners]
        await site.ask(INSTANCE, "PATCH", {"description": f"told {number}"})
        await asyncio.gather(*following)
    for listener in listeners:
        listener.close()
    table.row("from a change to its State in 20 other pages, p95, ms", percentile(shown, 95), most=300)


async def shared_rows(table: Table, running: Running) -> None:
    """Measure a server with the peers' servers beside it."""
    server = running.jupyter("ours", "--AutostopApp.request_timeout=15")
    site, platform = Site.of(server), running.platform
    await asyncio.gather(*(site.ask(INSTANCE) for _ in range(200)))
    calls = (await platform.calls()).total()
    table.row("200 simultaneous requests on a cold cache, calls to the platform", calls, most=1)
    await rate_rows(table, site, [Site.of(running.jupyter(peer.package, python=peer.python)) for peer in PEERS])
    await hang_rows(table, site, platform)
    await write_rows(table, site, platform)
    await asyncio.to_thread(kernel_rows, table, server)


async def page_rows(table: Table, running: Running) -> None:
    """Count what open pages cost the platform."""
    site = Site.of(running.jupyter("pages", "--AutostopApp.refresh_interval=1"))
    for count in (1, 20, 100, 200):
        await running.platform.forget()
        begun = time.perf_counter()
        await open_pages(site, count, 5.0, INSTANCE)
        calls = (await running.platform.calls()).total()
        # On a busy machine the pages take longer than they should.
        most = int(time.perf_counter() - begun) + 1
        table.row(f"calls to the platform in 5 s or so, one a second allowed, {count} page(s)", calls, most=most)


def main() -> None:
    """Print every row."""
    with tempfile.TemporaryDirectory() as folder:
        install_peers(Path(folder))
        busy = os.getloadavg()[0]
        say(f"{os.cpu_count()} cores; load before: {busy:.1f}. What else runs here spoils the times below.")
        table = Table()
        load_rows(table)
        import_rows(table)
        bundle_rows(table)
        cycle_rows(table)
        for rows in (shared_rows, page_rows, keeper_rows):
            with ExitStack() as stack:
                asyncio.run(rows(table, Running(stack, Path(folder))))
        browser_rows(table, Path(folder))
    table.end()


if __name__ == "__main__":
    main()
