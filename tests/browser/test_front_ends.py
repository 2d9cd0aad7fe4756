"""One build in the oldest and the newest front ends, each installed from PyPI into an environment of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest
from browser import Tab, write_notebook
from environments import Environment
from panels import LOAD, OBSERVED, OPTIONS, SLEEPING, Cloud, Notebook, check_panel
from playwright.sync_api import Browser, expect
from processes import emulated, running_emulator, running_jupyter
from test_browser import EXPOSED
from untrusted import check_untrusted

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(900)]

AGES = {
    "oldest": ("jupyterlab==4.0.*", "notebook==7.0.*", "ipywidgets==8.0.*"),
    "middle": ("jupyterlab==4.2.*", "notebook==7.2.*", "ipywidgets==8.1.2"),
    "newest": ("jupyterlab>=4.6,<5", "notebook>=7.5,<8", "ipywidgets>=8.1.9,<9"),
}
"""With ipywidgets of the same time, each with its own jupyterlab_widgets."""
PAGES = {
    "jupyterlab": ("lab/tree/first.ipynb", ".jp-AutostopStatus"),
    "notebook": ("notebooks/first.ipynb", ".jp-AutostopChip"),
}
"""Of each front end: a page with a notebook, and the countdown in it that is always in sight."""


@pytest.fixture(scope="module", params=list(AGES))
def environment(request: pytest.FixtureRequest, wheel: Path) -> Environment:
    """Front ends of one age; made once, and given the present wheel each time."""
    environment = Environment(Path(sys.prefix) / f"front-ends-{request.param}")
    environment.prepare(wheel, *AGES[request.param])
    return environment


@pytest.mark.parametrize("module", list(PAGES))
def test_it_works_there(browser: Browser, environment: Environment, module: str, tmp_path: Path) -> None:
    """The countdown, the card in a popover and in the side panel and a command work, and the console stays empty."""
    write_notebook(tmp_path)
    options = (EXPOSED, "--JupyterNotebookApp.expose_app_in_browser=True")
    with running_emulator("--remaining", "2h13m50s") as endpoint:
        switch = {"duration_applies": "now"}
        httpx.patch(f"{endpoint}/_emulator/behaviour", json=switch, trust_env=False).raise_for_status()
        settings = emulated(endpoint)
        with running_jupyter(tmp_path, *options, module=module, settings=settings, python=environment.python) as server:
            tab = Tab(browser, server)
            path, selector = PAGES[module]
            tab.open(path).settled()
            page, item = tab.page, tab.page.locator(selector)
            expect(item.locator('.jp-AutostopCountdown[role="timer"]')).to_have_text("2 h 13 min")
            expect(item.locator(".jp-AutostopBadge")).to_have_text("emulated")
            item.locator(".jp-AutostopCountdown").click()
            card = page.locator(".jp-AutostopPopover .jp-AutostopCard")
            card.get_by_role("button", name="Extend 1 h").click()
            expect(item.locator(".jp-AutostopCountdown")).to_have_text("3 h 13 min")
            expect(item).not_to_have_attribute("data-pending", "")
            page.keyboard.press("Escape")
            expect(card).to_be_hidden()
            page.keyboard.press("Alt+Shift+A")
            panel = page.locator("#jupyter-autostop-panel")
            expect(panel.locator(".jp-AutostopCountdown")).to_have_text("3 h 13 min")
            page.evaluate("() => { void jupyterapp.commands.execute('jupyter-autostop:turn-off') }")
            page.locator(".jp-Dialog").get_by_role("button", name="Turn Off").click()
            expect(item.locator(".jp-AutostopCountdown")).to_have_text("Auto-stop off")
            said = ours(tab)
            tab.close()
            assert said == []


def ours(tab: Tab) -> list[str]:
    """Return what was said of us; what Notebook 7.0 says of JupyterLab 4.0's later corrections is between those two."""
    return [line for line in tab.ours() if "@jupyter-notebook/lab-extension" not in line]


@pytest.mark.parametrize("module", list(PAGES))
def test_the_panel_works_there(browser: Browser, environment: Environment, module: str, tmp_path: Path) -> None:
    """A panel of a real kernel ticks and its clicks arrive while a cell runs, after a reload and in a VBox as well."""
    with running_emulator() as endpoint:
        cloud = Cloud(endpoint)
        settings = emulated(endpoint)
        with running_jupyter(tmp_path, *OPTIONS, module=module, settings=settings, python=environment.python) as server:
            with server.client() as client:
                cloud.new_run(client)
            tab = Tab(browser, server)
            check_panel(Notebook(tab, server, "panel.ipynb", [LOAD, SLEEPING, OBSERVED]).open(module), cloud)
            said = ours(tab)
            tab.close()
        cloud.close()
    assert said == []


@pytest.mark.parametrize("module", list(PAGES))
def test_an_untrusted_notebook_runs_nothing_there(
    browser: Browser, environment: Environment, module: str, tmp_path: Path
) -> None:
    """A hostile notebook gets a picture of the state, and its trusted twin the controls and its own widgets."""
    with running_emulator("--remaining", "3000s") as endpoint:
        settings = emulated(endpoint)
        with running_jupyter(tmp_path, *OPTIONS, module=module, settings=settings, python=environment.python) as server:
            tab = Tab(browser, server)
            check_untrusted(tab, server, module, widgets=True)
            tab.close()
