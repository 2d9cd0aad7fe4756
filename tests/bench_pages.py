"""What an open page costs and how fast it follows: rows of `make bench` from a real JupyterLab in Chromium."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench_kernel import panel_rows
from bench_peers import PEERS
from bench_table import Table
from bench_traffic import percentile
from browser import Tab, running_browser
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter

IDLE = 600
"""Seconds that idle pages are counted for; given by the first argument, where this is run by itself."""
CHANGES = 20
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


@contextmanager
def lab(folder: Path, name: str, endpoint: str, python: str = sys.executable) -> Iterator[JupyterServer]:
    """Run JupyterLab in a folder of its own."""
    place = folder / f"pages-{name}"
    place.mkdir()
    with running_jupyter(place, EXPOSED, module="jupyterlab", settings=emulated(endpoint), python=python) as server:
        yield server


def worked(tab: Tab) -> Callable[[], float]:
    """Return what tells the seconds that the page's main thread has worked in scripts, styles and layout since now."""
    session = tab.context.new_cdp_session(tab.page)
    session.send("Performance.enable")

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


def browser_rows(table: Table, folder: Path, seconds: int = IDLE) -> None:
    """Print every row that needs a browser."""
    with (
        running_emulator() as endpoint,
        lab(folder, "ours", endpoint) as ours,
        lab(folder, "usage", endpoint, USAGE.python) as peers,
        running_browser() as browser,
    ):
        follow_rows(table, browser, ours)
        panel_rows(table, browser, ours, endpoint)
        idle_rows(table, browser, ours, peers, seconds)


if __name__ == "__main__":
    import tempfile

    from bench_peers import install_peers

    with tempfile.TemporaryDirectory() as name:
        install_peers(Path(name))
        figures = Table()
        browser_rows(figures, Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else IDLE)
        figures.end()
