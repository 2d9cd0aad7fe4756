"""Panels in notebooks: a page with one, what is seen of it, and what reaches the cloud."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

import httpx
import nbformat
from browser import Tab
from playwright.sync_api import Locator, WebSocket, expect
from processes import JupyterServer, wait_for

OPTIONS = (
    "--LabApp.expose_app_in_browser=True",
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--AutostopApp.request_timeout=10",
)
LOAD = "%load_ext jupyter_autostop\n%autostop"
PANEL = "import jupyter_autostop as autostop\np = autostop.panel()"
SLEEPING = "import os, time\nprint('started', flush=True)\nwhile not os.path.exists('go'):\n    time.sleep(0.05)"
COMPUTING = "import os\nprint('started', flush=True)\nwhile not os.path.exists('go'):\n    sum(range(10_000))"
"""Cells that end when a test says so: whatever happens before that happened while they ran."""
OBSERVED = (
    "import ipywidgets as w\nimport jupyter_autostop as autostop\np = autostop.panel()\n"
    "p.observe(lambda change: open('seen', 'a').write('x'), 'deadline')\nw.VBox([w.Label('above'), p])"
)

RUN = """index => {
  const notebook = window.jupyterapp.shell.currentWidget.content;
  notebook.activeCellIndex = index;
  // Not waited for: a cell may run for long.
  void window.jupyterapp.commands.execute('notebook:run-cell');
}"""
IS_IDLE = "() => window.jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"


@final
class Cloud:
    """The emulator, by its control routes."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self._control = httpx.Client(base_url=f"{endpoint}/_emulator", trust_env=False, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._control.request(method, path, json=body).raise_for_status().json()

    def close(self) -> None:
        self._control.close()

    def new_run(self, client: httpx.Client) -> None:
        """Begin a run with fifty minutes left, which a longer duration makes longer, and let a server see it.

        The one before is over first, as on any platform: a stop time that moves back within a run is what a platform
        that defers looks like, and the server, which remembers that, would hold this run and not ask again.
        """
        for instance in (
            {"status": "STOPPED"},
            {"auto_stop": {"enable": True, "duration": 3600}, "status": "RUNNING", "remaining": 3000},
        ):
            self.ask("PATCH", "/instance", instance)
            self.ask("PATCH", "/behaviour", {"duration_applies": "now"})
            client.get("jupyter-autostop/instance", params={"refresh": 1}).raise_for_status()

    def writes(self) -> int:
        """Return how many changes have arrived."""
        return sum(seen["method"] == "PUT" for seen in self.ask("GET", "/requests")["requests"])


@final
class Notebook:
    """A notebook in a tab, and what is in its outputs."""

    def __init__(self, tab: Tab, server: JupyterServer, name: str, cells: Sequence[str]) -> None:
        self.tab, self.server, self.name = tab, server, name
        self.folder = server.folder / "work"
        self.go = self.folder / "go"
        self.go.unlink(missing_ok=True)
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(book, self.folder / name)
        self.frames: list[dict[str, Any]] = []
        tab.page.on("websocket", self._on_websocket)

    def open(self, module: str = "jupyterlab") -> Notebook:
        """Open it in JupyterLab or in Notebook 7, and wait for its kernel."""
        # A workspace of its own: the other notebooks of these tests are not opened along.
        lab = f"lab/workspaces/{Path(self.name).stem}/tree/{self.name}"
        self.tab.open(lab if module == "jupyterlab" else f"notebooks/{self.name}")
        expect(self.cell(0)).to_be_visible()
        self.tab.settled()
        return self

    def cell(self, index: int) -> Locator:
        return self.tab.page.locator(".jp-Notebook .jp-Cell").nth(index)

    def prompt(self, index: int) -> Locator:
        return self.cell(index).locator(".jp-InputPrompt")

    def card(self, index: int, nth: int = 0) -> Locator:
        """The card that can be seen in a cell's output."""
        return self.cell(index).locator(".jp-AutostopCard:visible").nth(nth)

    def countdown(self, index: int) -> Locator:
        return self.card(index).locator(".jp-AutostopCountdown")

    def start(self, index: int) -> None:
        self.tab.page.evaluate(RUN, index)

    def run(self, index: int) -> None:
        """Run a cell to its end."""
        self.start(index)
        expect(self.prompt(index)).to_have_text(_number())

    def start_long(self, index: int) -> None:
        """Run a cell that ends when it is told to, and wait until it runs."""
        self.start(index)
        expect(self.cell(index).locator(".jp-OutputArea-output").get_by_text("started")).to_be_visible()

    def let_go(self, index: int) -> None:
        """End it; it has run until now."""
        expect(self.prompt(index)).to_have_text("[*]:")
        self.go.touch()
        expect(self.prompt(index)).to_have_text(_number())

    def save(self) -> None:
        self.tab.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")

    def text(self, index: int) -> Locator:
        return self.cell(index).locator(".jp-OutputArea-output")

    def _on_websocket(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framesent", lambda frame: self.frames.append({"sent": frame}))
            socket.on("framereceived", lambda frame: self.frames.append({"received": frame}))


def _number() -> Any:
    return re.compile(r"^\[\d+\]:$")


def extend(cloud: Cloud, card: Locator) -> None:
    """Click for an hour more, and wait until that has arrived in the cloud."""
    before = cloud.writes()
    card.get_by_role("button", name="Extend 1 h").click()
    try:
        wait_for(lambda: cloud.writes() > before)
    except AssertionError:
        raise AssertionError(f"The click did not arrive; the card says: {card.inner_text()}") from None


def check_panel(notebook: Notebook, cloud: Cloud) -> None:
    """Check that a panel ticks and works while a cell runs, after a reload too, and in a container of ipywidgets.

    The notebook's cells are `LOAD`, `SLEEPING` and `OBSERVED`.
    """
    seen = notebook.folder / "seen"
    seen.unlink(missing_ok=True)
    notebook.run(0)
    cloud.ask("PATCH", "/instance", {"remaining": 500})
    notebook.card(0).get_by_role("button", name="Refresh").click()
    notebook.start_long(1)
    expect(notebook.countdown(0)).to_have_text(re.compile(r"^\d:\d\d$"))
    first = notebook.countdown(0).inner_text()
    expect(notebook.countdown(0)).not_to_have_text(first)
    extend(cloud, notebook.card(0))
    expect(notebook.countdown(0)).to_have_text(re.compile(r"^1 h \d+ min$"))
    notebook.save()
    notebook.tab.page.reload()
    extend(cloud, notebook.card(0))
    expect(notebook.countdown(0)).to_have_text(re.compile(r"^2 h \d+ min$"))
    with notebook.server.client() as client:
        # The cell has been running all the while; its end is ours to give.
        assert [kernel["execution_state"] for kernel in client.get("api/kernels").json()] == ["busy"]
    notebook.go.touch()
    notebook.tab.page.wait_for_function(IS_IDLE)
    notebook.run(2)
    # Drawn by ipywidgets, with the page's side of the widget telling the kernel's.
    box = notebook.cell(2).locator(".widget-vbox")
    expect(box.get_by_text("above")).to_be_visible()
    expect(box.locator(".jp-AutostopCard:visible")).to_have_count(1)
    extend(cloud, box.locator(".jp-AutostopCard:visible"))
    wait_for(seen.exists)
    expect(notebook.cell(2).locator(".jp-AutostopCard:visible")).to_have_count(1)
