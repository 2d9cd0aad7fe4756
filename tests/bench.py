"""The figures, each beside its peer in the same run: `make bench`. Prints numbers and judges nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from processes import emulated, running_emulator, running_jupyter

HERE = Path(__file__).parent
SECONDS = 2.0

LOAD = """
import json, os, sys, time
from jupyter_server.serverapp import ServerApp
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
app = ServerApp()
app.initialize(argv=["--allow-root", "--no-browser", "--port=0"], find_extensions=False)
manager = app.extension_manager
def load(name):
    memory, begun = rss(), time.perf_counter()
    manager.add_extension(name, enabled=True)
    manager.link_extension(name)
    manager.load_extension(name)
    return (time.perf_counter() - begun) * 1000, rss() - memory
peer = load("jupyter_server_terminals")
ours = load("jupyter_autostop")
print(json.dumps([ours, peer]))
"""
IMPORT = "import time; t = time.perf_counter(); import {}; print((time.perf_counter() - t) * 1000)"


def row(what: str, ours: str, peer: str = "") -> None:
    print(f"{what:<58} {ours:>18}   {peer}", flush=True)  # noqa: T201 - printing is its purpose


@asynccontextmanager
async def jupyter(endpoint: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run a Jupyter server that speaks to the emulator and yield a client of it."""
    with (
        tempfile.TemporaryDirectory() as folder,
        running_jupyter(Path(folder), "--ServerApp.log_level=ERROR", settings=emulated(endpoint)) as server,
    ):
        limits = httpx.Limits(max_connections=400, max_keepalive_connections=400)
        async with httpx.AsyncClient(
            base_url=server.url,
            headers={"Authorization": f"token {server.token}"},
            trust_env=False,
            timeout=60,
            limits=limits,
        ) as client:
            yield client


async def rate(client: httpx.AsyncClient, path: str, clients: int) -> tuple[float, list[float]]:
    """Return requests per second of so many clients at once, and each request's time in ms.

    Over bare sockets: on the same two cores, a full HTTP client would take more time than the server.
    """
    url = client.base_url.join(path)
    request = (
        f"GET {url.raw_path.decode()} HTTP/1.1\r\nHost: {url.netloc.decode()}\r\n"
        f"Authorization: {client.headers['Authorization']}\r\n\r\n"
    ).encode()
    taken: list[float] = []
    end = time.perf_counter() + SECONDS

    async def one() -> None:
        reader, writer = await asyncio.open_connection(url.host, url.port)
        while (begun := time.perf_counter()) < end:
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert head.startswith("http/1.1 200"), head
            await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))
            taken.append((time.perf_counter() - begun) * 1000)
        writer.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return len(taken) / SECONDS, taken


def p99(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]


async def calls(control: httpx.AsyncClient) -> int:
    return len((await control.get("/_emulator/requests")).json()["requests"])


async def server_rows() -> None:
    """Measure a real server against a real emulator."""
    with running_emulator() as endpoint:
        async with httpx.AsyncClient(base_url=endpoint, trust_env=False) as control:
            await measure_server(endpoint, control)


async def measure_server(endpoint: str, control: httpx.AsyncClient) -> None:
    """Print what a server does with an emulator behind it."""
    async with jupyter(endpoint) as client:
        await asyncio.gather(*(client.get("jupyter-autostop/instance") for _ in range(200)))
        row("200 simultaneous requests on a cold cache, calls", str(await calls(control)))
        for clients in (1, 16):
            # In turns, so that a machine whose speed drifts does not favour one of them.
            turns = [
                (await rate(client, "jupyter-autostop/instance", clients), await rate(client, "api/status", clients))
                for _ in range(5)
            ]
            ours = statistics.median(turn[0][0] for turn in turns)
            peer = statistics.median(turn[1][0] for turn in turns)
            ratio = statistics.median(turn[0][0] / turn[1][0] for turn in turns)
            against = f"/api/status {peer:.0f}, ratio {ratio:.2f}"
            row(f"cached GET instance, {clients} client(s), requests/s", f"{ours:.0f}", against)
        await control.post("/_emulator/faults", json={"kind": "hang", "times": 0})
        hanging = asyncio.ensure_future(client.get("jupyter-autostop/instance?refresh=1"))
        _, ours_taken = await rate(client, "jupyter-autostop/instance", 16)
        _, peer_taken = await rate(client, "api/status", 16)
        against = f"/api/status {p99(peer_taken):.1f}"
        row("p99 while the platform hangs, 16 clients, ms", f"{p99(ours_taken):.1f}", against)
        await control.request("DELETE", "/_emulator/faults")
        await hanging
        await client.get("jupyter-autostop/instance?refresh=1")
        extra = []
        for number in range(20):
            begun = time.perf_counter()
            (await client.patch("jupyter-autostop/instance", json={"description": f"n {number}"})).raise_for_status()
            extra.append((time.perf_counter() - begun) * 1000)
        begun = time.perf_counter()
        for _ in range(60):
            await control.get("/_emulator")
        call = (time.perf_counter() - begun) / 60 * 1000
        whole = statistics.median(extra)
        row("a write, whole (three calls to the platform), ms", f"{whole:.1f}")
        row("  of it on top of the platform's three calls, ms", f"{whole - 3 * call:.1f}", f"one call {call:.1f}")
    for pages in (1, 20, 200):
        await control.request("DELETE", "/_emulator/requests")
        async with jupyter(endpoint) as client:
            end = time.perf_counter() + 5
            while time.perf_counter() < end:
                await asyncio.gather(*(client.get("jupyter-autostop/instance") for _ in range(pages)))
                await asyncio.sleep(0.25)
            row(f"calls to the platform in 5 s for {pages} page(s)", str(await calls(control)))


def load_rows() -> None:
    """Measure loading and importing, each in a process of its own, five times."""
    command = [sys.executable, "-c", LOAD]
    loads = [json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL)) for _ in range(5)]
    ours, memory = (statistics.median(load[0][part] for load in loads) for part in (0, 1))
    peer, peer_memory = (statistics.median(load[1][part] for load in loads) for part in (0, 1))
    row("extension load in the server, ms", f"{ours:.0f}", f"jupyter_server_terminals {peer:.0f}")
    row("extension load in the server, MB", f"{memory:.1f}", f"jupyter_server_terminals {peer_memory:.1f}")

    def imported(module: str) -> float:
        runs = [float(subprocess.check_output([sys.executable, "-c", IMPORT.format(module)])) for _ in range(5)]
        return statistics.median(runs)

    row("import jupyter_autostop, ms", f"{imported('jupyter_autostop'):.1f}", f"json {imported('json'):.1f}")


def bundle_row() -> None:
    """Measure the built front end."""
    scripts = list((HERE.parent / "jupyter_autostop" / "labextension" / "static").glob("*.js"))
    raw = [script.read_bytes() for script in scripts]
    packed = sum(len(gzip.compress(script)) for script in raw)
    row("labextension JavaScript, KB", f"{sum(map(len, raw)) / 1000:.1f}", f"gzip {packed / 1000:.1f}")


def main() -> Any:
    """Print every row."""
    row("what", "ours", "peer")
    load_rows()
    bundle_row()
    asyncio.run(server_rows())


if __name__ == "__main__":
    main()
