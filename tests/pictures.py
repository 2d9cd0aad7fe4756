"""The README's pictures, of a real JupyterLab with an emulated instance: `python tests/pictures.py`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from browser import Tab, running_browser
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter

from jupyter_autostop.demo import EXAMPLE

FOLDER = Path(__file__).parents[1] / "labextension" / "pictures"
REMAINING = "2h13m50s"
"""Long enough to show hours and minutes, and not to show less before the last picture is taken."""
THEMES = {"light": "JupyterLab Light", "dark": "JupyterLab Dark"}
WIDTH, HEIGHT = 960, 440
MARGIN = 12
"""CSS pixels of the status bar that are shown to the left of our item."""
LARGEST = 60_000
"""Bytes of a picture."""


def notebook(browser: Browser, server: JupyterServer, theme: str, scale: int) -> Tab:
    """Open the example notebook in a theme and wait until nothing in the window moves any more."""
    size = {"width": WIDTH, "height": HEIGHT}
    tab = Tab(browser, server, viewport=size, device_scale_factor=scale).open(f"lab/tree/{EXAMPLE.name}")
    tab.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    tab.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=theme)
    tab.shows("running", "2 h 13 min")
    expect(tab.page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible()
    for command in ("application:toggle-left-area", "docmanager:save"):
        tab.page.evaluate("command => jupyterapp.commands.execute(command)", command)
    # Said beside the kernel's state for a moment, which moves everything else.
    saved = tab.page.locator("#jp-main-statusbar").get_by_text("Saving completed")
    expect(saved).to_be_visible()
    expect(saved).to_be_hidden()
    tab.page.wait_for_load_state("networkidle")
    return tab


def keep(name: str, picture: bytes) -> None:
    """Write a picture, unless it is too heavy for a README."""
    if len(picture) > LARGEST:
        sys.exit(f"{name} has {len(picture)} bytes; the limit is {LARGEST}.")
    (FOLDER / name).write_bytes(picture)
    sys.stdout.write(f"{name}: {len(picture)} bytes\n")


def draw(browser: Browser, server: JupyterServer) -> None:
    """Take all pictures."""
    for name, theme in THEMES.items():
        tab = notebook(browser, server, theme, scale=2)
        bar, item = tab.page.locator("#jp-main-statusbar").bounding_box(), tab.item.bounding_box()
        if bar is None or item is None:
            sys.exit("There is no status bar, or nothing of ours in it.")
        left = item["x"] - MARGIN
        keep(f"status-{name}.png", tab.page.screenshot(clip={**bar, "x": left, "width": WIDTH - left}))
        tab.close()
    tab = notebook(browser, server, THEMES["light"], scale=1)
    keep("window.png", tab.page.screenshot())
    tab.close()


def main() -> None:
    """Start everything, take the pictures, end everything."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, running_emulator("--remaining", REMAINING) as endpoint:
        folder = Path(name)
        (folder / "work").mkdir()
        shutil.copy(EXAMPLE, folder / "work")
        exposed = "--LabApp.expose_app_in_browser=True"
        settings = emulated(endpoint)
        with (
            running_jupyter(folder, exposed, module="jupyterlab", settings=settings) as server,
            running_browser() as browser,
        ):
            draw(browser, server)


if __name__ == "__main__":
    main()
