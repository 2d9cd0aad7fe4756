"""What an open page costs and how fast it follows: rows of `make bench` from a real JupyterLab in Chromium."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from bench_kernel import message_rows
from bench_peers import PEERS
from bench_table import Table
from bench_traffic import as_at_a_cloud, percentile
from browser import Tab, running_browser
from panels import IS_IDLE
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter
from test_browser import Platform
from untrusted import trust

IDLE = 600
"""Seconds that idle pages are counted for; given by the first argument, where this is run by itself."""
CHANGES = 20
PANELS = 50
TICKING = 60
"""Seconds that notebooks with panels are watched for, in which each shows another second."""
EXPOSED = "--LabApp.expose_app_in_browser=True"
HOUR = 3600
USAGE = next(peer for peer in PEERS if peer.package == "jupyter-resource-usage")
# The same page without us: our part is taken out of what the page is told to load.
WITHOUT = """(() => {
  const parse = JSON.parse;
  JSON.parse = (text, ...more) => {
    const value = parse(text, ...more);
    if (value && value.federated_extensions) {
      value.federated_extensions = value.federated_extensions.filter(({ name }) => name !== 'jupyter-autostop');
    }
    return value;
  };
})();"""
# Notes when the countdown shows another text (epoch ms), next to the drawing of it.
WATCH = """() => {
  const countdown = document.querySelector('.jp-AutostopStatus .jp-AutostopCountdown');
  window.autostopAt = {};
  new MutationObserver(() => {
    window.autostopAt[countdown.textContent] = performance.timeOrigin + performance.now();
  }).observe(countdown, { childList: true, characterData: true, subtree: true });
}"""


PANEL = {"application/vnd.jupyter-autostop.panel+json": {"version": 1, "model_id": None}, "text/plain": "A panel."}


@contextmanager
def lab(folder: Path, name: str, endpoint: str, python: str = sys.executable) -> Iterator[JupyterServer]:
    """Run JupyterLab in a folder of its own."""
    place = folder / f"pages-{name}"
    place.mkdir()
    options = (EXPOSED, *as_at_a_cloud(python))
    with running_jupyter(place, *options, module="jupyterlab", settings=emulated(endpoint), python=python) as server:
        yield server


def worked(tab: Tab) -> Callable[[], float]:
    """Return what tells the seconds that the page's main thread has worked in scripts, styles and layout since now."""
    session = tab.context.new_cdp_session(tab.page)
    # By the thread's own time: what else the machine does meanwhile is not the page's work.
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def seconds() -> float:
        metrics = {metric["name"]: metric["value"] for metric in session.send("Performance.getMetrics")["metrics"]}
        return float(metrics["ScriptDuration"] + metrics["LayoutDuration"] + metrics["RecalcStyleDuration"])

    before = seconds()
    return lambda: seconds() - before


def idle_rows(table: Table, browser: Browser, ours: JupyterServer, peers: JupyterServer, seconds: int) -> None:
    """Count the requests of idle visible pages and the work of their main threads, all at the same time."""
    tab, bare = Tab(browser, ours), Tab(browser, ours, script=WITHOUT)
    theirs = Tab(browser, peers)
    asked: list[str] = []
    theirs.page.on("request", lambda request: asked.append(request.url) if "api/metrics" in request.url else None)
    for each in (tab, bare, theirs):
        each.open()
    expect(tab.item).to_be_visible()
    expect(bare.item).to_have_count(0)
    theirs.page.wait_for_timeout(5000)
    before = len(tab.asked), len(asked)
    mine, plain = worked(tab), worked(bare)
    begun = time.monotonic()
    theirs.page.wait_for_timeout(seconds * 1000)
    length = time.monotonic() - begun
    own, peer = ((now - then) / length * HOUR for now, then in zip((len(tab.asked), len(asked)), before, strict=True))
    table.row("requests of an idle page, an hour", own, peer=(USAGE.package, peer), most=12)
    thousand = 1000 / length
    table.row("main thread of an idle page, ms/s", mine() * thousand, peer=("the page without us", plain() * thousand))
    for each in (tab, bare, theirs):
        each.close()


def follow_rows(table: Table, browser: Browser, server: JupyterServer) -> None:
    """Measure the time from a change by one page to its showing in another."""
    one, other = Tab(browser, server), Tab(browser, server)
    for tab in (one, other):
        tab.open()
        expect(tab.item).to_be_visible()
        tab.page.evaluate(WATCH)
    taken: list[float] = []
    for number in range(CHANGES):
        change: dict[str, Any] = {"auto_stop": {"enable": number % 2 == 1}}
        kind = "running" if number % 2 else "off"
        assert one.fetch("PATCH", "jupyter-autostop/instance", change) == 200
        answered = one.page.evaluate("performance.timeOrigin + performance.now()")
        other.shows(kind)
        text = other.countdown.inner_text()
        taken.append(max(0.0, other.page.evaluate("text => window.autostopAt[text]", text) - answered))
    table.row("from a page's answer to the other page showing it, p95, ms", percentile(taken, 95), most=300)
    for tab in (one, other):
        tab.close()


def with_panels(count: int) -> dict[str, Any]:
    """Return a notebook in which a cell has shown the panel so many times: all are there, whatever is in sight."""
    output = {"output_type": "display_data", "data": PANEL, "metadata": {}}
    cell = {"cell_type": "code", "source": "%autostop", "metadata": {}, "execution_count": 1, "id": "panels"}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [{**cell, "outputs": [output] * count}]
    return {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}


def panel_rows(table: Table, browser: Browser, server: JupyterServer, platform: Platform, seconds: int) -> None:
    """Measure what many panels on a page cost more than one, at the same time, while each second is another text."""
    tabs: list[Tab] = []
    for count in (1, PANELS):
        (server.folder / "work" / f"{count}.ipynb").write_text(json.dumps(with_panels(count)), encoding="utf-8")
        tab = Tab(browser, server).open(f"lab/workspaces/panels-{count}/tree/{count}.ipynb")
        # An untrusted notebook would show pictures, which cost less.
        tab.page.wait_for_function(IS_IDLE)
        trust(tab)
        expect(tab.page.locator(".jp-AutostopOutput").get_by_role("button", name="Extend 1 h")).to_have_count(count)
        tabs.append(tab)
    platform.edit(remaining=seconds + 60)
    platform.state(refresh=True)
    for tab in tabs:
        expect(tab.page.locator(".jp-AutostopOutput .jp-AutostopCountdown").first).to_have_text(re.compile("^[0-9]:"))
        tab.page.wait_for_timeout(5000)
    works = [worked(tab) for tab in tabs]
    begun = time.monotonic()
    tabs[0].page.wait_for_timeout(seconds * 1000)
    one, many = (work() * 1000 / (time.monotonic() - begun) for work in works)
    peer = ("one panel", one)
    table.row(f"main thread with {PANELS} panels at 1 Hz, ms/s", many, peer=peer)
    table.row("the same, more than with one panel, ms/s", many - one, most=1)
    for tab in tabs:
        tab.close()


def browser_rows(table: Table, folder: Path, seconds: int = IDLE) -> None:
    """Print every row that needs a browser."""
    with (
        running_emulator() as endpoint,
        lab(folder, "ours", endpoint) as ours,
        lab(folder, "usage", endpoint, USAGE.python) as peers,
        running_browser() as browser,
        closing(Platform(endpoint, ours)) as platform,
    ):
        follow_rows(table, browser, ours)
        panel_rows(table, browser, ours, platform, min(seconds, TICKING))
        message_rows(table, browser, ours, endpoint)
        idle_rows(table, browser, ours, peers, seconds)


if __name__ == "__main__":
    import tempfile

    from bench_peers import install_peers

    with tempfile.TemporaryDirectory() as name:
        install_peers(Path(name))
        figures = Table()
        browser_rows(figures, Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else IDLE)
        figures.end()
