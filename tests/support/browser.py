"""Chromium for the tests and the pictures: a tab with JupyterLab, and what can be seen of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final
from urllib.parse import urlsplit

from paths import ROOT
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    Request,
    WebSocket,
    expect,
    sync_playwright,
)
from processes import JupyterServer

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 40_000
"""Ms that something may take which is only waited for; never what a test is about."""
CHANGED_EVENT = "https://events.jupyter.org/jupyter_autostop/changed/v1"
LOOKED_EVENT = "https://events.jupyter.org/jupyter_autostop/looked/v1"
PUSH, ASK, LOOK = "push", "ask", "look"
AXE = ROOT / "labextension" / "node_modules" / "axe-core" / "axe.min.js"


@dataclass(frozen=True)
class FrontEnd:
    """A front end: the module that starts it, a page in it to open, and the countdown that is always in sight there."""

    module: str
    path: str
    item: str


LAB = FrontEnd("jupyterlab", "lab", ".jp-AutostopStatus")
NOTEBOOK = FrontEnd("notebook", "notebooks/first.ipynb", ".jp-AutostopChip")
"""Notebook 7, where the chip in the notebook's toolbar is the countdown."""
# With a kernel to start, or a front end would ask for one before it lets us ask anything.
_KERNEL = {"name": "python3", "display_name": "Python 3"}
_FIRST = {"cells": [], "metadata": {"kernelspec": _KERNEL}, "nbformat": 4, "nbformat_minor": 5}

# The indicator in its toolbar does not tell whether the kernel is there: before that it shows "idle" as well.
_KERNEL_IS_IDLE = "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"

# A front end gives the notebook the focus once it is loaded, but only where its spinner had it until then. Asked for
# anew, it comes by messages, all of which have been delivered before a timer fires.
_FOCUS_NOTEBOOK = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.revealed;
  panel.activate();
  await new Promise(resolve => setTimeout(resolve));
  return panel.content.node.contains(document.activeElement);
}"""

# Keeps each thing the status item has shown, and when (epoch ms, by the clock that no test turns).
_RECORD = """selector => {
  const item = document.querySelector(selector);
  window.autostopShown = [];
  const note = () => {
    const text = item.querySelector('.jp-AutostopCountdown').textContent;
    if (text !== window.autostopShown.at(-1)?.text) {
      window.autostopShown.push({ text, at: performance.timeOrigin + performance.now() });
    }
  };
  note();
  new MutationObserver(note).observe(item, { childList: true, characterData: true, subtree: true });
}"""


def faults(page: Page, selector: str) -> list[str]:
    """Return what axe finds wrong in a part of a page."""
    expect(page.locator(selector).first).to_be_visible()
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("async selector => (await axe.run(selector)).violations", selector)
    return [f"{fault['id']}: {node['html']}: {node['failureSummary']}" for fault in found for node in fault["nodes"]]


def write_notebook(folder: Path) -> None:
    """Write the notebook that `NOTEBOOK` opens, below the folder of a server that is yet to start."""
    (folder / "work").mkdir(exist_ok=True)
    (folder / "work" / "first.ipynb").write_text(json.dumps(_FIRST), encoding="utf-8")


def chromium() -> str:
    """Return the path of the Chromium that is there."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    raise AssertionError('The browser tests need Chromium: install the package "chromium".')


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run a headless Chromium."""
    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(FLAGS))
        yield browser
        browser.close()


@final
class Tab:
    """A browser of its own with JupyterLab, or another front end, in it.

    `seen` holds in their order what was pushed (changes and looks) and the requests that went; `said` the warnings
    and errors on the console and what was thrown, each with where it came from. Further options are the context's.
    """

    def __init__(
        self,
        browser: Browser,
        server: JupyterServer,
        *,
        front_end: FrontEnd = LAB,
        script: str = "",
        **options: Any,
    ) -> None:
        self.context = browser.new_context(**{"timezone_id": "Asia/Shanghai", "locale": "en-US", **options})
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.seen: list[str] = []
        self.asked: list[str] = []
        self.said: list[str] = []
        self._server = server
        self._front_end = front_end
        self._routes = f"{urlsplit(server.url).path}jupyter-autostop/"
        self.page.on("request", self._on_request)
        self.page.on("websocket", self._on_websocket)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", self._on_error)
        if script:
            self.page.add_init_script(script)

    def open(self, path: str = "") -> Tab:
        """Load a page of the front end and wait until every plugin has started.

        A notebook that is named is not restored from an earlier page: it would take the focus once more, some time
        after that, when JupyterLab follows the path.
        """
        path = path or self._front_end.path
        reset = "reset&" if path.startswith("lab/tree/") else ""
        self.page.goto(f"{self._server.url}{path}?{reset}token={self._server.token}")
        self.page.wait_for_function("() => window.jupyterapp?.restored.then(() => true)")
        return self

    def start(self) -> Tab:
        """Load the front end, wait for the countdown, and keep what it shows."""
        self.open()
        expect(self.item).to_be_visible()
        self.page.evaluate(_RECORD, self._front_end.item)
        return self

    def settled(self) -> Tab:
        """Wait until the kernel of the notebook that was opened is there, and give the notebook the focus.

        A front end takes the focus once, as the last thing that it does of itself, from whatever a test has focused.
        """
        self.page.wait_for_function(_KERNEL_IS_IDLE)
        assert self.page.evaluate(_FOCUS_NOTEBOOK), "The notebook did not take the focus."
        return self

    def close(self) -> None:
        """Close it."""
        self.context.close()

    @property
    def item(self) -> Locator:
        """Our part of the status bar, or of a notebook's toolbar."""
        return self.page.locator(self._front_end.item)

    @property
    def countdown(self) -> Locator:
        """The countdown in it; the card has another."""
        return self.item.locator(".jp-AutostopCountdown")

    @property
    def note(self) -> Locator:
        """What must be known beside the countdown."""
        return self.item.locator(".jp-AutostopStatus-note")

    @property
    def badge(self) -> Locator:
        """The emulator's badge."""
        return self.item.locator(".jp-AutostopBadge")

    @property
    def title(self) -> list[str]:
        """The lines that stand there on hover."""
        return (self.item.get_attribute("title") or "").split("\n")

    def shows(self, kind: str, text: str | None = None) -> None:
        """Wait until it shows a state, by its name and its words."""
        expect(self.item).to_have_attribute("data-kind", kind)
        if text is not None:
            expect(self.countdown).to_have_text(text)

    def shown(self) -> list[str]:
        """Return every text it has shown since it was opened, each as often as it came anew."""
        return [entry["text"] for entry in self.page.evaluate("window.autostopShown")]

    def shown_at(self, text: str) -> float:
        """Return when (epoch ms) a text came up last."""
        shown = self.page.evaluate("window.autostopShown")
        return max(float(entry["at"]) for entry in shown if entry["text"] == text)

    def fetch(self, method: str, path: str, body: Any = None) -> int:
        """Send a request as this page, with its cookies; returns the status."""
        script = """async ([method, url, body]) => {
          const xsrf = document.cookie.match('_xsrf=([^;]*)')?.[1] ?? '';
          const headers = { 'Content-Type': 'application/json', 'X-XSRFToken': xsrf };
          return (await fetch(url, { method, body, headers })).status;
        }"""
        sent = None if body is None else json.dumps(body)
        return int(self.page.evaluate(script, [method, f"{urlsplit(self._server.url).path}{path}", sent]))

    def ours(self) -> list[str]:
        """Return what was said on the console that has to do with us; a failed request is the browser's say."""
        theirs = ("net::ERR_", "Failed to load resource")
        return [line for line in self.said if "autostop" in line.lower() and not any(word in line for word in theirs)]

    def _on_request(self, request: Request) -> None:
        if urlsplit(request.url).path.startswith(self._routes):
            self.seen.append(ASK)
            self.asked.append(request.url)

    def _on_websocket(self, socket: WebSocket) -> None:
        if urlsplit(socket.url).path.endswith("/api/events/subscribe"):
            socket.on("framereceived", self._on_frame)

    def _on_frame(self, frame: str | bytes) -> None:
        event = json.loads(frame).get("schema_id")
        if event in (CHANGED_EVENT, LOOKED_EVENT):
            self.seen.append(PUSH if event == CHANGED_EVENT else LOOK)

    def _on_console(self, line: ConsoleMessage) -> None:
        # How long its plugins took to start is what JupyterLab says on a busy machine.
        if line.type in ("warning", "error") and "to activate" not in line.text:
            self.said.append(f"{line.type}: {line.text} ({line.location.get('url', '')})")

    def _on_error(self, error: Error) -> None:
        self.said.append(f"thrown: {error.stack or error}")
