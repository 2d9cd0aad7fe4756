"""Voila, a front end that shares fewer packages than JupyterLab: a notebook as a page, with no cell to write in."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from browser import Tab
from environments import Environment
from panels import Cloud
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(900)]

PACKAGES = ("voila>=0.5,<0.6", "ipywidgets>=8.1,<9")
CELLS = (
    "%load_ext jupyter_autostop\n%autostop status",
    "%autostop",
    "import ipywidgets as w, jupyter_autostop as autostop\nw.VBox([autostop.panel(), w.Label('beside')])",
)
FRONT_END = "share/jupyter/labextensions/jupyter-autostop"


@pytest.fixture(scope="module")
def environment(wheel: Path) -> Environment:
    environment = Environment(Path(sys.prefix) / "front-ends-voila")
    environment.prepare(wheel, *PACKAGES)
    return environment


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_emulator("--remaining", "50m") as endpoint:
        cloud = Cloud(endpoint)
        yield cloud
        cloud.close()


def open_page(browser: Browser, server: JupyterServer) -> Tab:
    """Open the notebook as Voila's page, and wait until it is drawn."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, server.folder / "work" / "page.ipynb")
    tab = Tab(browser, server)
    # Voila's own page wants fonts and the like from elsewhere.
    elsewhere = re.compile(f"^(?!{re.escape(server.url)}|data:|blob:|ws:)")
    tab.context.route(elsewhere, lambda route: route.abort())
    tab.page.goto(f"{server.url}voila/render/page.ipynb?token={server.token}")
    expect(tab.page.get_by_text("beside")).to_be_visible()
    return tab


def test_the_panel_is_live(browser: Browser, environment: Environment, cloud: Cloud, tmp_path: Path) -> None:
    """By itself and in a box the panel is the card, which follows the server and extends the run; no script fails."""
    with running_jupyter(tmp_path, settings=emulated(cloud.endpoint), python=environment.python) as server:
        tab = open_page(browser, server)
        cards = tab.page.locator(".jp-AutostopCard:visible")
        expect(cards).to_have_count(2)
        expect(tab.page.locator(".widget-vbox .jp-AutostopCard:visible")).to_have_count(1)
        cloud.ask("PATCH", "/instance", {"remaining": 500})
        cards.last.get_by_role("button", name="Refresh").click()
        for card in cards.all():
            expect(card.locator(".jp-AutostopCountdown")).to_have_text(re.compile(r"^\d:\d\d$"))
        cards.last.get_by_role("button", name="Extend 1 h").click()
        for card in cards.all():
            expect(card.locator(".jp-AutostopCountdown")).to_have_text(re.compile(r"^1 h \d+ min$"))
        expect(cards.last.get_by_text("Now stops")).to_be_visible()
        expect(tab.page.get_by_text("javascript error")).to_have_count(0)
        tab.close()


def test_without_our_front_end(browser: Browser, environment: Environment, cloud: Cloud, tmp_path: Path) -> None:
    """By itself and in a box the panel is a picture, and no package of ours is asked for anywhere."""
    with environment.without(FRONT_END):
        settings = emulated(cloud.endpoint)
        with running_jupyter(tmp_path, settings=settings, python=environment.python) as server:
            asked: list[str] = []
            browser_tab = open_page(browser, server)
            browser_tab.page.on("request", lambda request: asked.append(request.url))
            browser_tab.page.reload()
            expect(browser_tab.page.get_by_text("beside")).to_be_visible()
            expect(browser_tab.page.get_by_text("this picture does not move")).to_have_count(2)
            expect(browser_tab.page.get_by_text("javascript error")).to_have_count(0)
            assert [url for url in asked if "autostop" in url] == []
            browser_tab.close()
