"""The figures, each beside its peer in the same run: `make bench`. Prints numbers and judges nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import secrets
import signal
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

HERE = Path(__file__).parent
ENDPOINT = "export JUPYTER_AUTOSTOP_ENDPOINT="
SECONDS = 3.0

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
async def emulator() -> AsyncIterator[str]:
    """Run an emulator and yield its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyter_autostop", "emulator", "--port", "0"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield next(line.strip().removeprefix(ENDPOINT) for line in process.stdout if ENDPOINT in line)
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@asynccontextmanager
async def jupyter(endpoint: str) -> AsyncIterator[httpx.AsyncClient]:
    """Run a Jupyter server that speaks to the emulator and yield a client of it."""
    token = secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "JUPYTER_AUTOSTOP_PLATFORM": "emulator",
            "JUPYTER_AUTOSTOP_ENDPOINT": endpoint,
            "JUPYTER_AUTOSTOP_STATE_DIR": folder,
            "JUPYTER_RUNTIME_DIR": folder,
        }
        command = [
            *(sys.executable, "-m", "jupyter_server", "--no-browser", "--allow-root", "--ServerApp.log_level=ERROR"),
            *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}", "--ServerApp.port=0"),
        ]
        process = subprocess.Popen(command, env=environment)
        try:
            file = Path(folder) / f"jpserver-{process.pid}.json"
            while not file.exists() or not file.read_text(encoding="utf-8").strip():
                await asyncio.sleep(0.1)
            url = json.loads(file.read_text(encoding="utf-8"))["url"]
            headers = {"Authorization": f"token {token}"}
            limits = httpx.Limits(max_connections=400, max_keepalive_connections=400)
            async with httpx.AsyncClient(
                base_url=url, headers=headers, trust_env=False, timeout=60, limits=limits
            ) as client:
                yield client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


async def rate(client: httpx.AsyncClient, path: str, clients: int) -> tuple[float, list[float]]:
    """Return requests per second of so many clients at once, and each request's time in ms."""
    taken: list[float] = []
    end = time.perf_counter() + SECONDS

    async def one() -> None:
        while (begun := time.perf_counter()) < end:
            (await client.get(path)).raise_for_status()
            taken.append((time.perf_counter() - begun) * 1000)

    await asyncio.gather(*(one() for _ in range(clients)))
    return len(taken) / SECONDS, taken


def p99(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]


async def calls(control: httpx.AsyncClient) -> int:
    return len((await control.get("/_emulator/requests")).json()["requests"])


async def server_rows() -> None:
    """Measure a real server against a real emulator."""
    async with emulator() as endpoint, httpx.AsyncClient(base_url=endpoint, trust_env=False) as control:
        async with jupyter(endpoint) as client:
            await asyncio.gather(*(client.get("jupyter-autostop/instance") for _ in range(200)))
            row("200 simultaneous requests on a cold cache, calls", str(await calls(control)))
            for clients in (1, 16):
                # In turns, so that a machine whose speed drifts does not favour one of them.
                turns = [
                    (await rate(client, "jupyter-autostop/instance", clients), await rate(client, "api/status", clients))
                    for _ in range(3)
                ]
                ours = statistics.median(turn[0][0] for turn in turns)
                peer = statistics.median(turn[1][0] for turn in turns)
                ratio = statistics.median(turn[0][0] / turn[1][0] for turn in turns)
                row(f"cached GET instance, {clients} client(s), requests/s", f"{ours:.0f}", f"/api/status {peer:.0f}, ratio {ratio:.2f}")
            await control.post("/_emulator/faults", json={"kind": "hang", "times": 0})
            hanging = asyncio.ensure_future(client.get("jupyter-autostop/instance?refresh=1"))
            _, ours_taken = await rate(client, "jupyter-autostop/instance", 16)
            _, peer_taken = await rate(client, "api/status", 16)
            row("p99 while the platform hangs, 16 clients, ms", f"{p99(ours_taken):.1f}", f"/api/status {p99(peer_taken):.1f}")
            await control.request("DELETE", "/_emulator/faults")
            await hanging
            await client.get("jupyter-autostop/instance?refresh=1")
            extra = []
            for number in range(20):
                begun = time.perf_counter()
                (await client.patch("jupyter-autostop/instance", json={"description": f"n {number}"})).raise_for_status()
                whole = time.perf_counter() - begun
                extra.append(whole * 1000)
            begun = time.perf_counter()
            for _ in range(60):
                await control.get("/_emulator")
            call = (time.perf_counter() - begun) / 60 * 1000
            row("a write, whole (three calls to the platform), ms", f"{statistics.median(extra):.1f}")
            row("  of it on top of the platform's three calls, ms", f"{statistics.median(extra) - 3 * call:.1f}", f"one call {call:.1f}")
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
    loads = [json.loads(subprocess.check_output([sys.executable, "-c", LOAD], stderr=subprocess.DEVNULL)) for _ in range(5)]
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
