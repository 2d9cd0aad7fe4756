"""What it costs in a kernel: importing it, loading the magic, what a person waits for, and what an open panel says."""

from __future__ import annotations

import json
import statistics

from bench_table import Table
from browser import Tab
from panels import LOAD, Cloud, Notebook
from playwright.sync_api import Browser, expect
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

MINUTE = 60_000
"""ms that the messages of an open panel are counted for."""
STOCK = """
import ipywidgets, threading, time
label = ipywidgets.Label()
def count():
    for left in range(3600, 0, -1):
        label.value = f"{left // 60}:{left % 60:02d}"
        time.sleep(1)
threading.Thread(target=count, daemon=True).start()
label
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


def message_rows(table: Table, browser: Browser, server: JupyterServer, endpoint: str) -> None:
    """Count what goes over the kernel's channels while a panel ticks, and a stock widget beside it."""
    cloud = Cloud(endpoint)
    with server.client() as client:
        cloud.new_run(client)
        cloud.ask("PATCH", "/instance", {"remaining": 550})
        client.get("jupyter-autostop/instance", params={"refresh": 1}).raise_for_status()
    cloud.close()
    tabs = Tab(browser, server), Tab(browser, server)
    panel = Notebook(tabs[0], server, "panel.ipynb", [LOAD]).open()
    stock = Notebook(tabs[1], server, "stock.ipynb", [STOCK]).open()
    for notebook in (panel, stock):
        notebook.run(0)
    label = stock.cell(0).locator(".widget-label")
    shown = [panel.countdown(0).inner_text(), label.inner_text()]
    tabs[0].page.wait_for_timeout(10_000)  # until what running a cell has to say has been said
    before = len(panel.frames), len(stock.frames)
    tabs[0].page.wait_for_timeout(MINUTE)
    ours, peer = len(panel.frames) - before[0], len(stock.frames) - before[1]
    # Both have ticked, or their silence would say nothing.
    expect(panel.countdown(0)).not_to_have_text(shown[0])
    expect(label).not_to_have_text(shown[1])
    table.row("kernel messages of an open, ticking panel, a minute", ours, peer=("a Label set at 1 Hz", peer), most=0)
    for tab in tabs:
        tab.close()
