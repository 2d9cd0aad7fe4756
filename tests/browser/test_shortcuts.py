"""The keyboard shortcuts of ours, which take no key away where text is typed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Tab, write_notebook
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter
from test_browser import EXPOSED

pytestmark = pytest.mark.browser

MAC = "Object.defineProperty(navigator, 'platform', { get: () => 'MacIntel' })"
KEYS = ("Alt+Shift+S", "Alt+Shift+C", "Alt+Shift+E", "Alt+Shift+A")
"""The last two are ours."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("keys")
    write_notebook(folder)
    with (
        running_emulator("--remaining", "50m") as endpoint,
        running_jupyter(folder, EXPOSED, module="jupyterlab", settings=emulated(endpoint)) as server,
    ):
        yield server


@pytest.mark.parametrize(("script", "asks"), [("", 1), (MAC, 0)], ids=["linux", "macos"])
def test_letters_are_typed(browser: Browser, server: JupyterServer, script: str, asks: int) -> None:
    """They work in a notebook's command mode, never in an editor or a field, and not at all on macOS.

    There Option makes letters of many languages, which no shortcut may take.
    """
    tab = Tab(browser, server, script=script)
    try:
        page = tab.open("lab/tree/first.ipynb").settled().page
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:insert-cell-below')")
        panel = page.locator("#jupyter-autostop-panel:visible")
        editor = page.locator(".jp-Notebook .jp-Cell .cm-content").first
        editor.click()
        for key in (*KEYS, "x"):
            page.keyboard.press(key)
        expect(editor).to_contain_text("x")
        # A question of ours would lie over it.
        tab.item.locator(".jp-AutostopCountdown").click()
        field = page.locator(".jp-AutostopPopover").get_by_label("By how long, or until when")
        for key in KEYS:
            field.press(key)
        field.fill("7")
        expect(panel).to_have_count(0)
        page.keyboard.press("Escape")
        page.locator(".jp-Notebook .jp-InputPrompt").first.click()
        page.keyboard.press("Alt+Shift+E")
        if not asks:
            tab.item.locator(".jp-AutostopCountdown").click()
            expect(field).to_be_visible()
        expect(page.locator(".jp-Dialog")).to_have_count(asks)
    finally:
        tab.close()
