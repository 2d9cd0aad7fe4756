"""What it costs in a kernel: importing it, loading the magic, and what a person waits for."""

from __future__ import annotations

import json
import statistics

from bench_table import Table
from processes import JupyterServer, running_kernel

TIMES = 5
FIRST = """
import json, time
def taken(act):
    begun = time.perf_counter()
    act()
    return (time.perf_counter() - begun) * 1000
shell = get_ipython()
def status():
    shell.run_line_magic("autostop", "status")
imported = taken(lambda: __import__("jupyter_autostop"))
loaded = taken(lambda: shell.run_line_magic("load_ext", "jupyter_autostop"))
first = taken(status)
"""
WARM = """
import io, contextlib, statistics, urllib.request
from IPython.utils.capture import capture_output
url = urllib.request.Request({url!r} + "api/status", headers={{"Authorization": "token {token}"}})
opener = urllib.request.build_opener(urllib.request.ProxyHandler({{}}))
with capture_output():
    ours = statistics.median(taken(status) for _ in range(20))
    peer = statistics.median(taken(lambda: opener.open(url).read()) for _ in range(20))
print("@" + json.dumps([imported, loaded, first, ours, peer]))
"""


def kernel_rows(table: Table, server: JupyterServer) -> None:
    """Measure in kernels of a server, each figure the median of new ones."""
    runs = []
    for _ in range(TIMES):
        with server.client() as client, running_kernel(server, client) as run:
            run(FIRST)
            told = run(WARM.format(url=server.url, token=server.token))
            runs.append(json.loads(told.rpartition("@")[2]))
    imported, loaded, first, ours, peer = (statistics.median(values) for values in zip(*runs, strict=True))
    table.row("import jupyter_autostop in a running kernel, ms", imported, most=25)
    table.row("  %load_ext jupyter_autostop after that, ms", loaded)
    table.row("  the first %autostop status, ms", first)
    table.row("warm %autostop status, ms", ours, peer=("/api/status by urllib", peer), most=50)
