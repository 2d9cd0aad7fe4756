"""Voila, a front end that shares fewer packages than JupyterLab: a notebook as a page, with no cell to write in."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import pytest
from browser import Tab
from environments import Environment
from hub import free_ports
from panels import Cloud
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, ended, running_emulator, running_jupyter, wait_for

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


@contextmanager
def running_voila(environment: Environment, server: JupyterServer) -> Iterator[str]:
    """Run Voila as a server of its own with the notebook, beside a Jupyter server; gives its address."""
    url = f"http://127.0.0.1:{free_ports(1)[0]}/"
    options = ("--no-browser", "--Voila.ip=127.0.0.1", f"--port={urlsplit(url).port}")
    command = [environment.python, "-m", "voila", *options, str(server.folder / "work" / "page.ipynb")]
    with (server.folder / "voila.log").open("ab") as log:
        process = subprocess.Popen(command, env=server.environment, stdout=log, stderr=subprocess.STDOUT)
    with ended(process):
        wait_for(lambda: process.poll() is not None or answers(url))
        assert process.poll() is None, (server.folder / "voila.log").read_text(encoding="utf-8")
        yield url


def answers(url: str) -> bool:
    """Tell whether a server listens at this address; asking for its page would start a kernel."""
    parts = urlsplit(url)
    with socket.socket() as client:
        return client.connect_ex((parts.hostname, parts.port)) == 0


@contextmanager
def running_server(folder: Path, environment: Environment, cloud: Cloud) -> Iterator[JupyterServer]:
    """Run a Jupyter server with Voila and the notebook."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    with running_jupyter(folder, settings=emulated(cloud.endpoint), python=environment.python) as server:
        nbformat.write(book, server.folder / "work" / "page.ipynb")
        yield server


def open_page(browser: Browser, server: JupyterServer, alone: str = "") -> Tab:
    """Open the notebook as Voila's page, and wait until it is drawn; `alone` is where Voila runs without `server`."""
    tab = Tab(browser, server)
    # Voila's own page wants fonts and the like from elsewhere.
    elsewhere = re.compile(f"^(?!{re.escape(alone or server.url)}|data:|blob:|ws:)")
    tab.context.route(elsewhere, lambda route: route.abort())
    tab.page.goto(alone or f"{server.url}voila/render/page.ipynb?token={server.token}")
    expect(tab.page.get_by_text("beside")).to_be_visible()
    return tab


def test_the_panel_is_live(browser: Browser, environment: Environment, cloud: Cloud, tmp_path: Path) -> None:
    """By itself and in a box the panel is the card, which follows the server and extends the run; no script fails."""
    with running_server(tmp_path, environment, cloud) as server:
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


def test_auto_stop_is_switched_off(browser: Browser, environment: Environment, cloud: Cloud, tmp_path: Path) -> None:
    """The switch asks, and then auto-stop is off at the platform too: a page's first write has its XSRF token."""
    with running_server(tmp_path, environment, cloud) as server:
        tab = open_page(browser, server)
        card = tab.page.locator(".jp-AutostopCard:visible").last
        card.get_by_role("switch").click()
        tab.page.locator(".jp-Dialog").get_by_role("button", name="Turn Off").click()
        expect(card).to_have_attribute("data-kind", "off")
        expect(card.get_by_role("switch")).not_to_be_checked()
        expect(card.get_by_text("XSRF")).to_have_count(0)
        assert cloud.ask("GET", "/instance")["state"]["auto_stop"]["enable"] is False
        tab.close()


def test_voila_alone(browser: Browser, environment: Environment, cloud: Cloud, tmp_path: Path) -> None:
    """As a server of its own Voila has no routes of ours: the panel says so and names a way out, and offers nothing."""
    with running_server(tmp_path, environment, cloud) as server, running_voila(environment, server) as url:
        tab = open_page(browser, server, url)
        cards = tab.page.locator(".jp-AutostopCard:visible")
        expect(cards).to_have_count(2)
        for card in cards.all():
            expect(card).to_contain_text("Voila runs as a server of its own here, where the controls cannot work.")
            expect(card).to_contain_text("jupyter autostop extend 1h")
            expect(card).not_to_contain_text("Log in")
            expect(card.get_by_role("button", name="Extend")).to_have_count(0)
        tab.close()


def test_without_our_front_end(browser: Browser, environment: Environment, cloud: Cloud, tmp_path: Path) -> None:
    """By itself and in a box the panel is a picture, and no package of ours is asked for anywhere."""
    with environment.without(FRONT_END), running_server(tmp_path, environment, cloud) as server:
        asked: list[str] = []
        browser_tab = open_page(browser, server)
        browser_tab.page.on("request", lambda request: asked.append(request.url))
        browser_tab.page.reload()
        expect(browser_tab.page.get_by_text("beside")).to_be_visible()
        expect(browser_tab.page.get_by_text("this picture does not move")).to_have_count(2)
        expect(browser_tab.page.get_by_text("javascript error")).to_have_count(0)
        assert [url for url in asked if "autostop" in url] == []
        browser_tab.close()
