"""The README's pictures, of a real JupyterLab with an emulated instance: `make pictures`."""

from __future__ import annotations

import shutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from browser import Tab, running_browser
from card_states import BEGUN, REACHED, TOLD, told
from paths import ROOT
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter
from test_browser import EXPOSED, Platform
from test_card_browser import Card, card_in, heal

from jupyter_autostop.cli.demo import EXAMPLE

FOLDER = ROOT / "labextension" / "pictures"
REMAINING = 2 * 3600 + 13 * 60 + 50
"""Seconds: long enough to show hours and minutes, and not to show less before a window is drawn."""
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


def draw(browser: Browser, server: JupyterServer, platform: Platform) -> None:
    """Take the status bar and a whole window."""
    for name, theme in THEMES.items():
        heal(platform)
        platform.edit(remaining=REMAINING)
        platform.state(refresh=True)
        tab = notebook(browser, server, theme, scale=2)
        bar, item = tab.page.locator("#jp-main-statusbar").bounding_box(), tab.item.bounding_box()
        if bar is None or item is None:
            sys.exit("There is no status bar, or nothing of ours in it.")
        left = item["x"] - MARGIN
        keep(f"status-{name}.png", tab.page.screenshot(clip={**bar, "x": left, "width": WIDTH - left}))
        tab.close()
    platform.edit(remaining=REMAINING)
    platform.state(refresh=True)
    tab = notebook(browser, server, THEMES["light"], scale=1)
    keep("window.png", tab.page.screenshot())
    tab.close()


def draw_card(browser: Browser, server: JupyterServer, platform: Platform) -> None:
    """Take the card in every state and theme, and one with long texts in a narrow side panel."""
    with card_in(browser, server) as card:
        for theme in THEMES:
            card.theme(theme)
            for name, state in REACHED.items():
                heal(platform)
                state.reach(platform)
                platform.state(refresh=True)
                card.shows(state)
                keep(f"card-{name}-{theme}.png", card.node.screenshot())
            heal(platform)
            for name, (parts, state) in TOLD.items():
                with told(card.page, parts):
                    card.shows(state)
                    keep(f"card-{name}-{theme}.png", card.node.screenshot())
            expect(card.node).to_have_attribute("data-kind", "running")
            draw_write(card, platform, theme)
        card.theme("light")
        platform.edit(name="tuning-of-a-model-with-a-name-without-end-" * 3, description="A long description. " * 20)
        platform.state(refresh=True)
        expect(card.node).to_contain_text("without-end")
        card.node.evaluate("node => { node.style.width = '180px'; }")
        keep("card-narrow-light.png", card.node.screenshot())


def draw_begun(browser: Browser, folder: Path) -> None:
    """Take the card of servers that start without what they need, of one without an answer, and of a held run."""
    with running_emulator("--remaining", f"{REMAINING}s") as endpoint:
        settings = {**{name: begun.settings for name, begun in BEGUN.items()}, "unknown": emulated(endpoint)}
        for name, environment in settings.items():
            place = folder / name
            place.mkdir()
            with (
                running_jupyter(place, EXPOSED, module="jupyterlab", settings=environment) as server,
                closing(Platform(endpoint, server)) as platform,
            ):
                platform.fail("status", status=500)
                with card_in(browser, server) as card:
                    expect(card.node).to_contain_text("not known" if name == "unknown" else BEGUN[name].words)
                    in_themes(card, name)
                    platform.heal()
                    if name == "unknown":
                        card.button("Refresh").click()
                        card.button("Extend 1 h").click()
                        expect(card.node).to_contain_text("Now stops ")
                        in_themes(card, "held")


def in_themes(card: Card, name: str) -> None:
    """Take the card as it is, in each theme."""
    for theme in THEMES:
        card.theme(theme)
        keep(f"card-{name}-{theme}.png", card.node.screenshot())


def draw_write(card: Card, platform: Platform, theme: str) -> None:
    """Take a write under way, a refused one, and a text that means something while it is typed."""
    platform.behave(duration_applies="now")
    card.amount.fill("2h30m")
    expect(card.node).to_contain_text("Stops ")
    keep(f"card-typed-{theme}.png", card.node.screenshot())
    card.amount.fill("")
    platform.fail("slow", seconds=2, method="PUT")
    card.button("Extend 1 h").click()
    expect(card.node).to_contain_text("not confirmed yet")
    keep(f"card-pending-{theme}.png", card.node.screenshot())
    expect(card.node).to_contain_text("Now stops ")
    keep(f"card-extended-{theme}.png", card.node.screenshot())
    platform.heal()
    platform.fail("status", status=400, method="PUT", body={"error_code": "ModelArts.6357", "error_msg": "Busy."})
    card.button("Extend 1 h").click()
    expect(card.node).to_contain_text("It still stops ")
    keep(f"card-refused-{theme}.png", card.node.screenshot())
    platform.heal()
    # What was said of the last extension goes with what is typed next.
    card.amount.fill("1h")
    card.amount.fill("")
    card.page.route("**/jupyter-autostop/**", lambda route: route.abort())
    card.button("Refresh").click()
    expect(card.button("Extend 1 h")).to_be_disabled()
    keep(f"card-lost-{theme}.png", card.node.screenshot())
    card.page.unroute("**/jupyter-autostop/**")
    card.button("Refresh").click()
    expect(card.button("Extend 1 h")).to_be_enabled()


def main() -> None:
    """Start everything, take the pictures, end everything."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name, running_emulator() as endpoint:
        folder = Path(name)
        (folder / "work").mkdir()
        shutil.copy(EXAMPLE, folder / "work")
        settings = emulated(endpoint)
        with (
            running_jupyter(folder, EXPOSED, module="jupyterlab", settings=settings) as server,
            running_browser() as browser,
            closing(Platform(endpoint, server)) as platform,
        ):
            draw(browser, server, platform)
            # Last, since JupyterLab remembers that the side panel was open.
            draw_card(browser, server, platform)
            draw_begun(browser, folder)


if __name__ == "__main__":
    main()
