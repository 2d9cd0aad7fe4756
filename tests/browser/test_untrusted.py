"""A notebook that is opened, and not trusted, runs nothing and has nothing to press."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Tab
from panels import OPTIONS
from playwright.sync_api import Browser
from processes import emulated, running_emulator, running_jupyter
from untrusted import check_untrusted, without_widgets

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
