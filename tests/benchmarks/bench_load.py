"""What it costs to load and to import us, each in a process of its own; and how large the front end is."""

from __future__ import annotations

import gzip
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench_peers import OURS, PEERS
from bench_table import Table
from paths import ROOT, SUPPORT
from processes import own_environment

TIMES = 5

LOAD = """
import json, os, sys, time
from jupyter_server.serverapp import ServerApp
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
app = ServerApp()
app.initialize(argv=["--allow-root", "--no-browser", "--port=0"], find_extensions=False)
manager, name = app.extension_manager, sys.argv[1]
memory, begun = rss(), time.perf_counter()
manager.add_extension(name, enabled=True)
manager.link_extension(name)
manager.load_extension(name)
assert manager.extensions[name].extension_points
print(json.dumps([(time.perf_counter() - begun) * 1000, rss() - memory]))
"""
# In a kernel, IPython has loaded much of the standard library before.
IMPORT = """
import sys, time
import ipykernel.ipkernel
begun = time.perf_counter()
__import__(sys.argv[1])
print((time.perf_counter() - begun) * 1000)
"""


def loaded(python: str, module: str) -> tuple[float, float]:
    """Return milliseconds and megabytes that a Jupyter server takes to load an extension."""
    command = [python, "-c", LOAD, module]
    runs = [json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL)) for _ in range(TIMES)]
    return statistics.median(run[0] for run in runs), statistics.median(run[1] for run in runs)


def imported(module: str) -> float:
    """Return milliseconds that a kernel takes to import a module."""
    command = [sys.executable, "-c", IMPORT, module]
    return statistics.median(float(subprocess.check_output(command)) for _ in range(TIMES))


def load_rows(table: Table) -> None:
    """Print what loading costs, beside the extension that every Jupyter server has and the two peers."""
    milliseconds, megabytes = loaded(sys.executable, OURS[0])
    others = [("jupyter_server_terminals", loaded(sys.executable, "jupyter_server_terminals"))]
    others += [(peer.package, loaded(peer.python, peer.module)) for peer in PEERS]
    for name, (time, _) in others:
        table.row("extension load in the server, ms", milliseconds, peer=(name, time), most=60)
    for name, (_, memory) in others:
        table.row("extension load in the server, MB", megabytes, peer=(name, memory), most=10)


def import_rows(table: Table) -> None:
    """Print what importing costs in a kernel."""
    peer = ("import sqlite3", imported("sqlite3"))
    table.row("import jupyter_autostop in a kernel, ms", imported(OURS[0]), peer=peer, most=25)
    table.row("import the local client in a kernel, ms", imported("jupyter_autostop.client.client"), peer=peer)


def cycle_rows(table: Table) -> None:
    """Print what a process holds on to when servers start and end in it again and again."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(SUPPORT / "cycles.py"), "100", "40", folder]
        environment = own_environment(Path(folder))
        ours, bare = (
            json.loads(subprocess.check_output([*command, *more], env=environment, text=True).splitlines()[-1])
            for more in ([], ["bare"])
        )
    grown, peer = ((late["memory"] - early["memory"]) / 1e6 for early, late in (ours, bare))
    name = "without the extension"
    table.row("memory held from the 40th to the 100th server in a process, MB", grown, peer=(name, peer), most=5)
    for what in ("files", "tasks"):
        grown, peer = (late[what] - early[what] for early, late in (ours, bare))
        table.row(f"  {what} meanwhile", grown, peer=(name, peer), most=0)


def size(folder: Path) -> tuple[float, float]:
    """Return the KiB of JavaScript in a folder, raw and each file packed."""
    scripts = [script.read_bytes() for script in folder.rglob("*.js")]
    return sum(map(len, scripts)) / 1024, sum(len(gzip.compress(script)) for script in scripts) / 1024


def bundle_rows(table: Table) -> None:
    """Print the size of the built front end."""
    ours = size(ROOT / "jupyter_autostop" / "labextension" / "static")
    shared = "share/jupyter/labextensions"
    others = [(peer.package, size(peer.folder / shared / peer.labextension / "static")) for peer in PEERS]
    for part, what, most in ((0, "raw", 120), (1, "gzip", 45)):
        for name, sizes in others:
            table.row(f"labextension JavaScript, KiB {what}", ours[part], peer=(name, sizes[part]), most=most)
