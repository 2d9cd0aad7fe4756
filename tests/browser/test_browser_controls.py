"""The controls as people use them: the card in its popover and side panel, the commands, by mouse and by keyboard."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from browser import Tab, faults, write_notebook
from playwright.sync_api import Browser, Locator, Route, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter, wait_for
from test_browser import BELOW, OPTIONS, Platform, opened

pytestmark = pytest.mark.browser

HOUR = 3600
FRONT_ENDS = {
    "jupyterlab": ("jupyterlab", "lab/tree/first.ipynb", "#jp-main-statusbar .jp-AutostopItem"),
    "notebook": ("notebook", "notebooks/first.ipynb", ".jp-NotebookPanel-toolbar .jp-AutostopItem"),
}
"""Each: the module that starts it, a page with a notebook, and the countdown in it."""
STOP_GATHERING = """(() => {
  const real = window.setTimeout.bind(window);
  window.setTimeout = (done, ms, ...more) => (ms === 500 ? 0 : real(done, ms, ...more));
})()"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An emulator that moves the stop time of a run, as the documents do not promise."""
    with running_emulator("--remaining", f"{BELOW}s") as endpoint:
        switch = {"duration_applies": "now"}
        httpx.patch(f"{endpoint}/_emulator/behaviour", json=switch, trust_env=False).raise_for_status()
        yield endpoint


@pytest.fixture(scope="module", params=list(FRONT_ENDS))
def front_end(request: pytest.FixtureRequest) -> str:
    """JupyterLab, and Notebook 7, where the chip in the toolbar is the countdown."""
    return str(request.param)


@pytest.fixture(scope="module")
def server(front_end: str, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp(front_end)
    write_notebook(folder)
    module = FRONT_ENDS[front_end][0]
    with running_jupyter(folder, *OPTIONS, module=module, settings=emulated(endpoint)) as server:
        yield server


@pytest.fixture
def platform(endpoint: str, server: JupyterServer) -> Iterator[Platform]:
    platform = Platform(endpoint, server)
    platform.reset()
    yield platform
    platform.close()


class Page:
    """A tab with a notebook and our controls in it; `sent` are the bodies of our writes to the instance, in order."""

    def __init__(self, browser: Browser, server: JupyterServer, front_end: str, **options: Any) -> None:
        self.tab = Tab(browser, server, **options)
        self.sent: list[Any] = []
        self.tab.page.on("request", self._on_request)
        path, self._item = FRONT_ENDS[front_end][1:]
        self.tab.open(path).settled()
        expect(self.item).to_be_visible()

    def _on_request(self, request: Any) -> None:
        route = urlsplit(request.url).path.partition("/jupyter-autostop/")[2]
        if route and route != "zone" and request.method != "GET":
            self.sent.append(json.loads(request.post_data or "null"))

    @property
    def item(self) -> Locator:
        return self.tab.page.locator(self._item)

    @property
    def popover(self) -> Locator:
        return self.tab.page.locator(".jp-AutostopPopover .jp-AutostopCard")

    @property
    def dialog(self) -> Locator:
        return self.tab.page.locator(".jp-Dialog")

    def shows(self, text: str) -> None:
        """Wait until the countdown shows a text, confirmed."""
        expect(self.item.locator(".jp-AutostopCountdown")).to_have_text(text)
        expect(self.item).not_to_have_attribute("data-pending", "")

    def open_card(self) -> Locator:
        self.item.locator(".jp-AutostopCountdown").click()
        expect(self.popover).to_be_visible()
        return self.popover

    def command(self, name: str, **args: Any) -> None:
        """Start a command, as a link in a notebook can."""
        script = "([id, args]) => { void jupyterapp.commands.execute(id, args); }"
        self.tab.page.evaluate(script, [f"jupyter-autostop:{name}", args])

    def answer(self, button: str, *words: str) -> None:
        """Read a dialog, press one of its buttons, and see it go; another may have come by then."""
        for word in words:
            expect(self.dialog).to_contain_text(word)
        read = self.dialog.element_handle()
        self.dialog.get_by_role("button", name=button, exact=True).click()
        read.wait_for_element_state("hidden")


@pytest.fixture
def page(browser: Browser, server: JupyterServer, front_end: str, platform: Platform) -> Iterator[Page]:
    page = Page(browser, server, front_end)
    with opened(page.tab):
        page.shows("49 min")
        yield page


def test_quick_clicks_are_one_extension(
    page: Page, browser: Browser, server: JupyterServer, front_end: str, platform: Platform
) -> None:
    """Two clicks show at once, are one request with an absolute time, and the other page follows."""
    other = Page(browser, server, front_end)
    with opened(other.tab):
        stops = platform.stops()
        button = page.open_card().get_by_role("button", name="Extend 1 h")
        # Both in the half second in which clicks are gathered, however slow this machine is.
        button.evaluate("button => { button.click(); button.click(); }")
        expect(page.item).to_have_attribute("data-pending", "")
        expect(page.item.locator(".jp-AutostopCountdown")).to_have_text("2 h 49 min")
        for each in (page, other):
            each.shows("2 h 49 min")
        assert page.sent == [{"until": page.sent[0]["until"]}]
        assert abs(page.sent[0]["until"] - stops - 2 * HOUR * 1000) < 2000
        assert abs(platform.stops() - page.sent[0]["until"]) < 2000


def test_a_click_is_not_lost_with_the_page(page: Page, platform: Platform) -> None:
    """What was clicked a moment before the page is left is carried out, though no click gathered with it any more."""
    stops, before = platform.stops(), platform.journal()[:1]
    # However slow this machine is, the page is left before the half second is over in which clicks are gathered.
    page.tab.page.evaluate(STOP_GATHERING)
    page.open_card().get_by_role("button", name="Extend 4 h").click()
    expect(page.item).to_have_attribute("data-pending", "")
    assert page.sent == []
    page.tab.page.goto("about:blank")
    # Not before the server has looked at what came of it: another test's changes would lie in between.
    wait_for(lambda: platform.journal()[:1] != before)
    assert abs(platform.stops() - stops - 4 * HOUR * 1000) < 2000


def test_a_click_that_waits_is_not_lost_with_the_page(page: Page, platform: Platform) -> None:
    """What waits for the answer to an earlier click when the page is left is carried out, and no conflict with it."""
    stops = platform.stops()
    card = page.open_card()
    held: list[Route] = []
    page.tab.page.route("**/jupyter-autostop/extend*", lambda route: held.append(route), times=1)  # noqa: PLW0108 - it is marked
    with page.tab.page.expect_request("**/jupyter-autostop/extend*"):
        card.get_by_role("button", name="Extend 1 h").click()
    page.tab.page.evaluate(STOP_GATHERING)
    card.get_by_role("button", name="Extend 4 h").click()
    expect(page.item.locator(".jp-AutostopCountdown")).to_have_text("5 h 49 min")
    # The server does it and the setting has another version, of which the page never hears in an answer.
    held[0].fetch()
    assert abs(platform.stops() - stops - HOUR * 1000) < 2000
    assert len(page.sent) == 1
    page.tab.page.goto("about:blank")
    wait_for(lambda: abs(platform.stops() - stops - 5 * HOUR * 1000) < 2000)


def test_the_button_is_what_is_pressed(page: Page) -> None:
    """Whoever presses the button by its name, as a screen reader or a program does, opens the card, and closes it."""
    button = page.item.get_by_role("button", name="Auto-stop")
    button.click()
    expect(page.popover).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    button.click()
    expect(page.popover).to_be_hidden()
    # Wherever the item is clicked, it is the button that hears of it.
    page.tab.page.evaluate("window.pressed = 0")
    button.evaluate("button => button.addEventListener('click', () => { window.pressed += 1; })")
    for part in (".jp-AutostopCountdown", ".jp-AutostopBadge"):
        page.item.locator(part).click()
    assert page.tab.page.evaluate("window.pressed") == 2
    expect(page.popover).to_be_hidden()


def test_no_barrier_on_the_way_to_the_card(page: Page) -> None:
    """Axe finds nothing in the countdown, what focus tells and the card beside it."""
    assert faults(page.tab.page, ".jp-AutostopItem") == []
    page.open_card()
    assert faults(page.tab.page, ".jp-AutostopPopover") == []


def test_what_is_refused_goes_back(page: Page, platform: Platform) -> None:
    """A refused extension shows the sentence beside the button, and the confirmed stop time again."""
    card = page.open_card()
    platform.fail("status", status=403, method="PUT", body={"error_code": "ModelArts.6407", "error_msg": "No."})
    card.get_by_role("button", name="Extend 4 h").click()
    expect(page.item.locator(".jp-AutostopCountdown")).to_have_text("4 h 49 min")
    page.shows("49 min")
    expect(card.get_by_text(re.compile("may not|permission|not allowed", re.IGNORECASE)).first).to_be_visible()


def test_a_click_without_a_network(page: Page, platform: Platform) -> None:
    """What the server never heard is not claimed: the stop time goes back, and the page says that nobody knows."""
    card = page.open_card()
    # What JupyterLab itself still asks as it starts would end in a dialog of its own, over the card.
    page.tab.page.wait_for_load_state("networkidle")
    page.tab.context.set_offline(True)
    card.get_by_role("button", name="Extend 1 h").click()
    expect(card.get_by_text(re.compile("whether this was done is not known")).first).to_be_visible()
    expect(page.item.locator(".jp-AutostopCountdown")).to_have_text("49 min")
    page.tab.context.set_offline(False)
    page.shows("49 min")
    expect(page.item).to_have_attribute("data-kind", "running")


def test_a_click_after_logging_out(page: Page) -> None:
    """A server that no longer knows the browser is said to be so, and nothing is claimed."""
    card = page.open_card()
    for route in ("**/jupyter-autostop/**", "**/api/me**"):
        page.tab.page.route(route, lambda route: route.fulfill(status=403, body='{"message": "Forbidden"}'))
    card.get_by_role("button", name="Extend 1 h").click()
    expect(card.get_by_text(re.compile("no longer knows this browser")).first).to_be_visible()
    expect(page.item).to_have_attribute("data-kind", "stale")
    expect(page.item).to_contain_text("logged out")


def test_by_keyboard_alone(page: Page) -> None:
    """Focus tells what hovering does, Enter opens the card, Tab finds its controls, Escape closes and gives back."""
    keyboard = page.tab.page.keyboard
    button = page.item.get_by_role("button")
    page.tab.page.evaluate("document.activeElement.blur()")
    keyboard.press("Shift")
    button.focus()
    expect(page.tab.page.locator(".jp-AutostopTip")).to_contain_text("GMT+8")
    keyboard.press("Enter")
    expect(page.popover).to_be_visible()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.tab.page.locator(".jp-AutostopTip")).to_have_count(0)
    extend = page.popover.get_by_role("button", name="Extend 1 h")
    for _ in range(5):
        keyboard.press("Tab")
        if extend.evaluate("button => button === document.activeElement"):
            break
    expect(extend).to_be_focused()
    keyboard.press("Space")
    page.shows("1 h 49 min")
    keyboard.press("Escape")
    expect(page.popover).to_be_hidden()
    expect(button).to_be_focused()


def test_within_a_narrow_window(page: Page) -> None:
    """The countdown stays in sight and the card inside the window, in half of a small screen."""
    page.tab.page.set_viewport_size({"width": 600, "height": 480})
    page.shows("49 min")
    page.open_card()
    box = page.popover.locator("xpath=ancestor::*[contains(@class, 'jp-AutostopPopover')]").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["y"] >= 0
    assert box["x"] + box["width"] <= 600
    assert box["y"] + box["height"] <= 480


def test_commands_ask_first(page: Page, platform: Platform) -> None:
    """A command says what it will do and does nothing without a yes; with one it does just that, and tells."""
    stops = platform.stops()
    page.command("extend", by=1800)
    page.answer("Cancel", "Extend this run?", "30 min later")
    page.command("turn-off")
    page.answer("Cancel", "runs, and bills, until you stop it")
    page.command("describe", description="<b>mine")
    page.answer("OK", "must not contain <")
    page.command("extend", by="soon")
    page.answer("OK", "whole number of seconds")
    page.command("stop")
    page.answer("Cancel", "Stop the instance now?")
    assert page.sent == []
    assert platform.stops() == stops
    page.command("extend", until=stops + HOUR * 1000)
    page.answer("Extend", "1 h later")
    page.shows("1 h 49 min")
    page.command("turn-off")
    page.answer("Turn Off")
    page.shows("Auto-stop off")
    page.command("turn-on", duration=4 * HOUR)
    page.answer("Turn On", "after running for 4 h")
    expect(page.item).to_have_attribute("data-kind", "running")
    page.command("describe")
    page.dialog.locator("input").fill("a/b")
    page.answer("Change")
    expect(page.dialog).to_contain_text("must not contain /")
    expect(page.dialog.locator("input")).to_have_value("a/b")
    page.dialog.locator("input").fill("Tuning run 7")
    page.answer("Change")
    expect(page.tab.page.get_by_text("The description is saved.").first).to_be_visible()
    assert platform.state()["instance"]["description"] == "Tuning run 7"
    page.command("stop")
    page.answer("Stop Now")
    expect(page.item).to_have_attribute("data-kind", re.compile("^stopp(ing|ed)$"))


def test_the_next_command_asks_at_once(page: Page) -> None:
    """While the answer to one question is carried out, which may take seconds, another command asks its own."""
    held: list[Route] = []
    page.tab.page.route(
        "**/jupyter-autostop/instance*",
        lambda route: held.append(route) if route.request.method == "PATCH" else route.continue_(),
    )
    page.command("turn-off")
    with page.tab.page.expect_request(lambda request: request.method == "PATCH"):
        page.answer("Turn Off")
    page.command("describe")
    expect(page.dialog.locator("input")).to_have_value("An example")
    page.answer("Cancel")
    held[0].continue_()
    page.shows("Auto-stop off")


def test_the_side_panel(page: Page) -> None:
    """The panel opens by its shortcut and takes the focus, with the same card; the one for more time asks first."""
    page.item.get_by_role("button").focus()
    page.tab.page.keyboard.press("Enter")
    page.tab.page.keyboard.press("Escape")
    expect(page.item.get_by_role("button")).to_be_focused()
    page.tab.page.keyboard.press("Alt+Shift+A")
    panel = page.tab.page.locator("#jupyter-autostop-panel")
    expect(panel).to_be_focused()
    expect(page.tab.page.locator(".jp-AutostopTip")).to_have_count(0)
    expect(panel.locator('.jp-AutostopCountdown[role="timer"]')).to_have_text("49 min")
    expect(panel.locator(".jp-AutostopBadge")).to_have_text("emulated")
    page.tab.page.keyboard.press("Alt+Shift+E")
    page.answer("Cancel", "1 h later")


def test_the_menu(page: Page) -> None:
    """The File menu leads to every command."""
    page.tab.page.get_by_role("menuitem", name="File", exact=True).click()
    page.tab.page.locator('.lm-Menu-item[data-type="submenu"]').filter(has_text="Auto-Stop").click()
    expect(page.tab.page.locator(".lm-Menu-item").filter(has_text="Extend by 4 h…")).to_be_visible()
    page.tab.page.locator(".lm-Menu-item").filter(has_text="Extend by 1 h…").click()
    page.answer("Cancel", "Extend this run?")
