"""A notebook that is opened, and not trusted, runs nothing and has nothing to press."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Tab
from panels import IS_IDLE, OPTIONS
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter
from untrusted import TRUST_HINT, check_captured, check_untrusted, without_widgets, write_captured

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "3000s") as endpoint:
        yield endpoint


@pytest.mark.parametrize("widgets", [True, False], ids=["ipywidgets", "bare"])
@pytest.mark.parametrize("module", ["jupyterlab", "notebook"])
def test_it_gets_a_picture(
    browser: Browser, endpoint: str, tmp_path_factory: pytest.TempPathFactory, module: str, *, widgets: bool
) -> None:
    """Opening a hostile notebook writes no file and stops no instance; its trusted twin is drawn."""
    folder = tmp_path_factory.mktemp("untrusted")
    settings = {**emulated(endpoint), **({} if widgets else without_widgets(folder))}
    with running_jupyter(folder, *OPTIONS, module=module, settings=settings) as server:
        tab = Tab(browser, server)
        try:
            check_untrusted(tab, server, module, widgets=widgets)
        finally:
            tab.close()


@pytest.fixture(scope="module")
def server(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("ways")
    with running_jupyter(folder, *OPTIONS, module="jupyterlab", settings=emulated(endpoint)) as server:
        yield server


@pytest.fixture
def tab(browser: Browser, server: JupyterServer) -> Iterator[Tab]:
    tab = Tab(browser, server)
    yield tab
    tab.close()


def test_an_output_widget_gives_no_more(tab: Tab, server: JupyterServer) -> None:
    """A saved `ipywidgets.Output`, which trusts all that it holds, is drawn in a trusted notebook alone."""
    write_captured(server.folder / "work", "captured.ipynb")
    check_captured(tab)


def test_in_a_code_console(tab: Tab, server: JupyterServer) -> None:
    """What a user runs in a console is trusted, as JupyterLab has it: the card with its controls."""
    tab.open("lab/workspaces/console")
    tab.page.evaluate(
        "() => window.jupyterapp.commands.execute('console:create', { kernelPreference: { name: 'python3' } })"
    )
    tab.page.locator(".jp-CodeConsole-input .cm-content").click()
    tab.page.wait_for_function(IS_IDLE)
    tab.page.keyboard.type("%load_ext jupyter_autostop")
    tab.page.keyboard.press("Shift+Enter")
    tab.page.keyboard.type("%autostop")
    tab.page.keyboard.press("Shift+Enter")
    card = tab.page.locator(".jp-CodeConsole-content .jp-AutostopCard:visible")
    expect(card.get_by_role("button", name="Extend 1 h")).to_be_enabled()
    expect(card.get_by_text(TRUST_HINT)).to_have_count(0)
