"""The card as people use it: a real JupyterLab in Chromium, an emulated instance, axe, and the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser import Tab, faults
from card_states import AGAIN, BEGUN, HOSTILE, REACHED, TOLD, Reached, told
from playwright.sync_api import Browser, Locator, Route, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter, wait_for
from test_browser import EXPOSED, OPTIONS, Platform

from jupyter_autostop.domain.record import LANDS_WITHIN

pytestmark = pytest.mark.browser

THEMES = {
    "light": "JupyterLab Light",
    "dark": "JupyterLab Dark",
    "contrast": "JupyterLab Dark High Contrast",
}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def server(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("card")
    with running_jupyter(folder, *OPTIONS, module="jupyterlab", settings=emulated(endpoint)) as server:
        yield server


@pytest.fixture
def platform(endpoint: str, server: JupyterServer) -> Iterator[Platform]:
    platform = Platform(endpoint, server)
    heal(platform)
    yield platform
    platform.close()


def heal(platform: Platform) -> None:
    """Have a healthy instance; a question from before may still hang, and another be answered by it."""
    platform.heal()
    platform.behave(duration_applies="next_start", disable_applies="now")
    for _ in range(10):
        if not platform.state(refresh=True)["stale"]:
            break
    platform.reset()


class Card:
    """The card in the side panel of a tab."""

    def __init__(self, tab: Tab) -> None:
        self.tab = tab
        self.page = tab.page
        self.page.wait_for_function("() => jupyterapp.commands.hasCommand('jupyter-autostop:show-panel')")
        self.page.evaluate("jupyterapp.commands.execute('jupyter-autostop:show-panel')")
        self.node = self.page.locator("#jupyter-autostop-panel .jp-AutostopCard")
        expect(self.node).to_be_visible()

    @property
    def countdown(self) -> Locator:
        return self.node.locator(".jp-AutostopCountdown")

    @property
    def amount(self) -> Locator:
        return self.node.get_by_label("By how long, or until when")

    def button(self, name: str) -> Locator:
        return self.node.get_by_role("button", name=name, exact=True)

    def shows(self, state: Reached) -> None:
        expect(self.node).to_have_attribute("data-kind", state.kind)
        expect(self.node).to_have_attribute("data-level", state.level)
        expect(self.node).to_contain_text(state.words)

    def described(self, control: Locator) -> str:
        """Return what a screen reader says after the name of a control."""
        return control.evaluate(
            "node => (node.getAttribute('aria-describedby') ?? '').split(' ')"
            ".map(id => document.getElementById(id)?.textContent ?? '').join(' ').trim()"
        )

    def said(self, words: str | re.Pattern[str]) -> Locator:
        """Return what was said once, to eyes and to screen readers, of a control's own doing."""
        return self.node.get_by_role("status").filter(has_text=words)

    @contextmanager
    def behind(self, platform: Platform, **changes: Any) -> Iterator[None]:
        """Let the page hear of changes, and then of nothing any more but what its own writes are answered."""
        platform.edit(description="Seen", **changes)
        platform.state(refresh=True)
        expect(self.node.get_by_label("Description")).to_have_value("Seen")

        def unanswered(route: Route) -> None:
            if route.request.method != "GET":
                route.continue_()

        self.page.route("**/jupyter-autostop/instance*", unanswered)
        try:
            yield
        finally:
            self.page.unroute("**/jupyter-autostop/instance*")
            self.page.evaluate(AGAIN)

    def theme(self, name: str) -> None:
        self.page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", THEMES[name])
        self.page.wait_for_function("theme => document.body.dataset.jpThemeName === theme", arg=THEMES[name])
        # It lies over the page while a theme is loaded, and fades.
        expect(self.page.locator("#jupyterlab-splash")).to_have_count(0)

    def faults(self) -> list[str]:
        """Return what axe finds wrong in the card."""
        return faults(self.page, ".jp-AutostopPanel")


@contextmanager
def card_in(browser: Browser, server: JupyterServer, **options: Any) -> Iterator[Card]:
    tab = Tab(browser, server, viewport={"width": 1200, "height": 1100}, **options)
    try:
        yield Card(tab.open())
        # A refusal is the browser's to note; what is thrown or warned of would be ours.
        said = [line for line in tab.ours() if "Failed to load resource" not in line]
        assert said == [], said
    finally:
        tab.close()


@pytest.fixture(scope="module")
def shared(browser: Browser, server: JupyterServer) -> Iterator[Card]:
    with card_in(browser, server) as card:
        yield card


@pytest.fixture
def card(shared: Card, platform: Platform) -> Card:
    expect(shared.node).to_have_attribute("data-kind", "running")
    expect(shared.countdown).to_have_text("49 min")
    return shared


@pytest.mark.parametrize("theme", THEMES)
def test_every_state_has_words_and_no_barrier(shared: Card, platform: Platform, theme: str) -> None:
    """Each state has a look and words of its own, none is blank, and axe finds nothing, in every theme."""
    shared.theme(theme)
    looks = set()
    for name, state in REACHED.items():
        heal(platform)
        state.reach(platform)
        platform.state(refresh=True)
        shared.shows(state)
        # The server's own sentence may come a moment later; one look at a settled card is enough.
        assert shared.faults() == [], name
        looks.add((shared.countdown.inner_text(), shared.node.locator("path").get_attribute("d"), name))
    assert len(looks) == len(REACHED)
    shared.theme("light")


@pytest.mark.parametrize("name", BEGUN)
def test_what_is_missing_is_said(browser: Browser, tmp_path: Path, name: str) -> None:
    """Without settings or credentials the card says what is missing, and offers nothing that cannot work."""
    begun = BEGUN[name]
    with (
        running_jupyter(tmp_path, EXPOSED, module="jupyterlab", settings=begun.settings) as server,
        card_in(browser, server) as card,
    ):
        expect(card.node).to_contain_text(begun.words)
        expect(card.node).to_have_attribute("data-kind", begun.kind)
        expect(card.node.get_by_role("button")).to_have_text(["Refresh"])
        expect(card.countdown).not_to_have_text(re.compile("[0-9]"))
        assert card.faults() == []


def test_unknown_and_then_held(browser: Browser, tmp_path: Path) -> None:
    """A platform that never answered is an unknown stop time; a run that it does not extend is ours to stop."""
    with (
        running_emulator("--remaining", "50m") as endpoint,
        running_jupyter(tmp_path, *OPTIONS, module="jupyterlab", settings=emulated(endpoint)) as server,
        closing(Platform(endpoint, server)) as platform,
    ):
        platform.fail("status", status=500)
        with card_in(browser, server) as card:
            expect(card.node).to_have_attribute("data-kind", "unknown")
            expect(card.node).to_contain_text("Whether and when this instance stops is not known.")
            expect(card.node.get_by_role("button")).to_have_text(["Refresh"])
            assert card.faults() == []
            platform.heal()
            card.button("Refresh").click()
            expect(card.node).to_have_attribute("data-kind", "running")
            card.button("Extend 1 h").click()
            expect(card.node).to_have_attribute("data-kind", "held")
            expect(card.countdown).to_have_text("1 h 49 min")
            switch = card.node.get_by_role("switch", name="Auto-stop")
            expect(switch).to_be_checked()
            expect(card.node).to_contain_text("on, by this server; off at ModelArts")
            expect(card.node).to_contain_text("ModelArts' own auto-stop is off until then.")
            assert platform.state()["auto_stop"]["enable"] is False
            for theme in THEMES:
                card.theme(theme)
                assert card.faults() == []
            # The menu follows the switch, and an end that may bring the stop nearer is asked about.
            enabled = "name => jupyterapp.commands.isEnabled('jupyter-autostop:' + name)"
            assert [card.page.evaluate(enabled, name) for name in ("turn-off", "turn-on")] == [True, False]
            dialog = card.page.locator(".jp-Dialog")
            card.node.get_by_role("button", name="End: Extended until").click()
            expect(dialog).to_contain_text("The instance then stops today at")
            dialog.get_by_role("button", name="Cancel").click()
            expect(card.node).to_have_attribute("data-kind", "held")
            # Off by hand ends what is held, and then nothing stops the run.
            switch.click()
            expect(dialog).to_contain_text("All holds and extensions of this run end.")
            dialog.get_by_role("button", name="Turn Off").click()
            expect(card.node).to_have_attribute("data-kind", "off")
            expect(card.node).not_to_contain_text("by this server")


@pytest.mark.parametrize("name", TOLD)
def test_what_other_servers_tell(card: Card, name: str) -> None:
    """A State that the emulated generation of the API has no words for has a look and words, and no barrier."""
    parts, state = TOLD[name]
    with told(card.page, parts):
        card.shows(state)
        expect(card.countdown).not_to_have_text(re.compile("[0-9]"))
        assert card.faults() == []


def test_a_lost_server(card: Card) -> None:
    """A page without its server says so once; every control knows it, and works again when the server is back."""
    card.page.route("**/jupyter-autostop/**", lambda route: route.abort())
    card.button("Refresh").click()
    expect(card.node).to_have_attribute("data-kind", "stale")
    expect(card.node.get_by_text("The connection to the Jupyter server is lost.")).to_have_count(2)
    for name in ("Extend 1 h", "Stop now"):
        expect(card.button(name)).to_be_disabled()
        assert "connection to the Jupyter server is lost" in card.described(card.button(name))
    assert card.faults() == []
    card.page.unroute("**/jupyter-autostop/**")
    card.button("Refresh").click()
    expect(card.button("Extend 1 h")).to_be_enabled()


def test_more_time(card: Card, platform: Platform) -> None:
    """Two quick clicks are one request; the new time shows at once as not confirmed, and then as what now holds."""
    platform.behave(duration_applies="now")
    before = platform.left()
    platform.fail("slow", seconds=1, method="PUT")
    card.button("Extend 1 h").click()
    card.button("Extend 1 h").click()
    expect(card.countdown).to_have_text("2 h 49 min")
    expect(card.node).to_contain_text("not confirmed yet")
    expect(
        card.node.get_by_role("status").filter(has_text=re.compile("^Now stops (today|tomorrow) at "))
    ).to_be_visible()
    expect(card.node).not_to_contain_text("not confirmed yet")
    expect(card.countdown).to_have_text("2 h 49 min")
    assert platform.left() - before == pytest.approx(7200, abs=60)
    assert card.faults() == []


def test_more_time_that_is_refused(card: Card, platform: Platform) -> None:
    """A refusal stands beside the control that caused it, and the confirmed time is shown again."""
    platform.fail("status", status=400, method="PUT", body={"error_code": "ModelArts.6357", "error_msg": HOSTILE})
    card.button("Extend 4 h").click()
    expect(card.node).to_contain_text("It still stops ")
    expect(card.countdown).to_have_text(re.compile("^4[89] min$"))
    assert card.page.evaluate("window.hacked") is None
    assert card.faults() == []


def test_more_time_that_the_platform_gives_nobody(card: Card, platform: Platform) -> None:
    """A platform that neither moves this run's stop nor lifts it is told as such: the stop time stays in sight."""
    platform.behave(disable_applies="next_start")
    before = platform.left()
    card.button("Extend 1 h").click()
    expect(card.node).to_contain_text("not confirmed yet")
    expect(card.said("so it cannot be held.")).to_be_visible()
    expect(card.said("It is on again.")).to_be_visible()
    expect(card.said(re.compile("It still stops (today|tomorrow) at "))).to_be_visible()
    expect(card.countdown).to_have_text(re.compile("^4[89] min$"))
    expect(card.node).to_have_attribute("data-kind", "running")
    expect(card.node).not_to_contain_text("Now stops")
    assert platform.left() <= before
    assert platform.state()["auto_stop"]["enable"] is True
    assert card.faults() == []


def test_more_time_that_changes_nothing(card: Card, platform: Platform) -> None:
    """A run that others have moved or set free meanwhile is left as it is, and the card says so in place of "done"."""
    with card.behind(platform):
        platform.edit(remaining=3500)
        card.amount.fill("5m")
        card.button("Extend").click()
        expect(card.said("This run lasts that long already; it was not shortened. It still stops ")).to_be_visible()
        expect(card.countdown).to_have_text("58 min")
        assert platform.left() == pytest.approx(3500, abs=60)
        assert card.faults() == []
    with card.behind(platform):
        platform.edit(auto_stop={"enable": False})
        card.button("Extend 1 h").click()
        expect(card.node).to_have_attribute("data-kind", "off")
        # There is no stop time left that could be named.
        expect(card.said("Auto-stop is off: nothing will stop this run.")).to_be_visible()
        expect(card.node).not_to_contain_text("It still stops")
        assert platform.state()["auto_stop"]["enable"] is False


def test_more_time_of_which_nobody_can_tell(card: Card, platform: Platform) -> None:
    """Where the platform does not say what became of an extension, nothing is claimed and no stop time is shown."""
    length = card.node.get_by_label("Run length at each start")
    length.fill("2h")
    length.press("Enter")
    # Which tells the server that this platform moves no stop time: an extension is a hold from now on.
    expect(card.said("it counts from the next start")).to_be_visible()
    # The words go with the next State, in which the server has put in order what it can: here there comes none.
    with card.behind(platform, remove=["spec.auto_stop.prompt"]):
        card.button("Extend 1 h").click()
        expect(card.countdown).to_have_text("1 h 49 min")
        expect(card.said("The extension was sent, but ModelArts does not tell what became of it")).to_be_visible()
        expect(card.countdown).to_have_text("Stop time unknown")
        expect(card.node).to_contain_text("Auto-stop is off at ModelArts, and this server is putting it back on.")
        expect(card.node).not_to_contain_text("Now stops")
        assert card.faults() == []
    # What became of the write is known by then, so that it stands in nobody's way any more.
    platform.advance(LANDS_WITHIN / 1000 + 1)
    platform.state(refresh=True)


def test_what_is_typed(card: Card) -> None:
    """Amounts and clock times say while they are typed what they would mean; what means nothing says why."""
    card.amount.fill("2h30m")
    assert re.fullmatch(r"Stops (today|tomorrow) at [0-2][0-9]:[0-5][0-9]\.", card.described(card.amount))
    card.amount.fill("30h")
    assert re.search(r"Asked for 30 h, the limit is [0-9 hmin]+ from now\.$", card.described(card.amount))
    card.amount.fill("90")
    assert "write 90m or 90h" in card.described(card.amount)
    expect(card.button("Extend")).to_be_disabled()
    assert card.faults() == []
    card.amount.fill("")


def test_auto_stop_off_and_on(card: Card, platform: Platform) -> None:
    """Off asks once and names the cost; on offers lengths."""
    switch = card.node.get_by_role("switch", name="Auto-stop")
    switch.click()
    dialog = card.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("bills")
    dialog.get_by_role("button", name="Cancel").click()
    expect(switch).to_be_checked()
    switch.click()
    dialog.get_by_role("button", name="Turn Off").click()
    expect(card.node).to_have_attribute("data-kind", "off")
    expect(switch).not_to_be_checked()
    assert platform.state()["auto_stop"]["enable"] is False
    switch.click()
    expect(card.node).to_contain_text("This counts from the start of the run, not from now.")
    assert card.faults() == []
    card.button("4 h").click()
    expect(switch).to_be_checked()


def test_auto_stop_that_somebody_else_changed_first(card: Card, platform: Platform) -> None:
    """Why each control did nothing stays beside it when the page knows what the others did, and goes with new words."""
    node, refused = card.node, re.compile("changed .*elsewhere|somebody else", re.IGNORECASE)
    length = node.get_by_label("Run length at each start")
    with card.behind(platform):
        platform.edit(auto_stop={"duration": 2 * 3600}, description="Theirs")
        platform.state(refresh=True)
        length.fill("20h")
        card.button("Set").click()
        node.get_by_role("checkbox").click()
        node.get_by_role("switch", name="Auto-stop").click()
        card.page.locator(".jp-Dialog").get_by_role("button", name="Turn Off").click()
        card.button("Extend 1 h").click()
        expect(card.said(refused)).to_have_count(4)
    expect(node.get_by_label("Description")).to_have_value("Theirs")
    expect(card.said(refused)).to_have_count(4)
    expect(node).not_to_contain_text("From the next start: auto-stop after 20 h.")
    assert card.faults() == []
    length.fill("21h")
    expect(node).to_contain_text("From the next start: auto-stop after 21 h.")
    expect(card.said(refused)).to_have_count(3)
    card.button("Extend 1 h").click()
    expect(card.said(refused)).to_have_count(2)


def test_the_description_is_guarded(card: Card, platform: Platform) -> None:
    """What is being typed is never overwritten; both texts are shown, and one of them is chosen."""
    text = card.node.get_by_label("Description")
    expect(text).to_have_value("An example")
    text.fill("a < b")
    assert "<" in card.described(text)
    expect(card.button("Save")).to_be_disabled()
    text.fill("Mine")
    platform.edit(description="Theirs")
    platform.state(refresh=True)
    expect(card.node).to_contain_text("Changed elsewhere meanwhile, to:")
    expect(text).to_have_value("Mine")
    expect(card.node.locator("blockquote")).to_have_text("Theirs")
    assert card.faults() == []
    card.button("Save mine").click()
    expect(card.node).to_contain_text("The description is saved.")
    assert platform.state()["instance"]["description"] == "Mine"


def test_what_somebody_else_saved_first(card: Card, platform: Platform) -> None:
    """Where others have saved what this page does not know yet, nothing is overwritten: both texts are shown."""
    text = card.node.get_by_label("Description")
    with card.behind(platform):
        text.fill("Mine")
        platform.edit(description="Theirs")
        card.button("Save").click()
        expect(card.node).to_contain_text("Changed elsewhere meanwhile, to:")
        expect(card.node.locator("blockquote")).to_have_text("Theirs")
        expect(text).to_have_value("Mine")
        assert platform.state(refresh=True)["instance"]["description"] == "Theirs"
        assert card.faults() == []
    card.button("Take theirs").click()
    card.button("Refresh").click()
    expect(text).to_have_value("Theirs")


def test_leaving_with_something_unsaved(card: Card) -> None:
    """A page with a description that is not saved is not left without a question; another one is."""
    text = card.node.get_by_label("Description")
    text.focus()
    card.page.keyboard.type("Mine. ")
    with card.page.expect_event("dialog") as asked:
        card.page.evaluate("void window.setTimeout(() => window.location.reload())")
    assert asked.value.type == "beforeunload"
    asked.value.dismiss()
    expect(text).to_have_value(re.compile("Mine"))
    card.button("Discard").click()
    expect(text).to_have_value("An example")
    assert card.page.evaluate("window.dispatchEvent(new Event('beforeunload', { cancelable: true }))") is True


def test_the_journal_and_long_names(card: Card, platform: Platform) -> None:
    """The last changes can be read; a long or hostile name breaks neither the page nor a narrow side panel."""
    card.node.get_by_label("Description").fill("Run 8")
    card.button("Save").click()
    expect(card.node).to_contain_text("The description is saved.")
    platform.edit(name="a-name-without-blanks-" * 5, description="A text " * 40, set={"name": HOSTILE * 3})
    platform.state(refresh=True)
    expect(card.node).to_contain_text(HOSTILE)
    card.node.get_by_text("Last changes").click()
    expect(card.node.locator("details")).to_contain_text("description “Run 8”")
    card.node.get_by_text("Last changes").click()
    card.node.evaluate("node => { node.style.width = '180px'; }")
    assert card.node.evaluate("node => node.scrollWidth <= node.clientWidth")
    assert card.page.evaluate("window.hacked") is None
    assert card.faults() == []
    card.node.evaluate("node => { node.style.width = ''; }")


def test_all_by_keyboard(card: Card, platform: Platform) -> None:
    """Every control comes in the order of reading, shows that it has the focus, and does its work by a key."""
    platform.behave(duration_applies="now")
    card.button("Extend 4 h").focus()
    card.page.keyboard.press("Shift+Tab")
    order = []
    for _ in range(14):
        order.append(card.page.evaluate("document.activeElement.textContent || document.activeElement.type"))
        outline = card.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", order[-1]
        card.page.keyboard.press("Tab")
        if not card.page.evaluate("document.activeElement.closest('.jp-AutostopCard') !== null"):
            break
    # A text area is known by its text.
    settings = ["Auto-stop", "checkbox", "text", "Set", "An example"]
    ends = ["Last changes", "Refresh", "Stop now"]
    assert order == ["Extend 1 h", "Extend 4 h", "text", "Extend", *settings, *ends]
    card.amount.focus()
    card.page.keyboard.type("1h")
    card.page.keyboard.press("Enter")
    expect(card.countdown).to_have_text("1 h 49 min")
    card.button("Extend 1 h").press("Space")
    expect(card.node).to_contain_text("Now stops ")
    expect(card.countdown).to_have_text("2 h 49 min")


def tab_to(card: Card, control: Locator) -> None:
    """Go on by the Tab key to a control."""
    for _ in range(20):
        card.page.keyboard.press("Tab")
        if control.evaluate("node => node === document.activeElement"):
            return
    raise AssertionError(control)


def test_auto_stop_by_keyboard(card: Card, platform: Platform) -> None:
    """Off and on, reminders and run length need no mouse; Enter alone turns nothing off."""
    keyboard, node = card.page.keyboard, card.node
    switch, reminders = node.get_by_role("switch", name="Auto-stop"), node.get_by_role("checkbox")
    card.button("Extend 1 h").focus()
    tab_to(card, switch)
    keyboard.press("Space")
    expect(card.page.locator(".jp-Dialog").get_by_role("button", name="Cancel")).to_be_focused()
    keyboard.press("Tab")
    keyboard.press("Enter")
    expect(node).to_have_attribute("data-kind", "off")
    switch.focus()
    keyboard.press("Enter")
    tab_to(card, card.button("4 h"))
    keyboard.press("Enter")
    expect(node).to_have_attribute("data-kind", "running")
    # The button that was pressed is gone.
    expect(switch).to_be_focused()
    tab_to(card, reminders)
    keyboard.press("Space")
    expect(node).to_contain_text("Reminders are off")
    expect(reminders).to_be_focused()
    tab_to(card, node.get_by_label("Run length at each start"))
    keyboard.press("Control+A")
    keyboard.type("6h")
    expect(node).to_contain_text("From the next start: auto-stop after 6 h.")
    keyboard.press("Enter")
    expect(node).to_contain_text("it counts from the next start")

    def said() -> tuple[bool, int, bool]:
        auto_stop = platform.state()["auto_stop"]
        return auto_stop["enable"], auto_stop["duration"], auto_stop["prompt"]

    # The same was said of the run length that auto-stop was switched on with.
    wait_for(lambda: said() == (True, 6 * 3600, False))


def test_the_rest_by_keyboard(card: Card, platform: Platform) -> None:
    """Description, journal, a fresh look and the stop need no mouse."""
    keyboard, node = card.page.keyboard, card.node
    text, journal = node.get_by_label("Description"), node.locator("summary")
    node.get_by_role("checkbox").focus()
    tab_to(card, text)
    keyboard.press("Control+A")
    keyboard.type("Run 9")
    tab_to(card, card.button("Save"))
    keyboard.press("Enter")
    # The journal says so too, of every time.
    expect(node.get_by_role("status").filter(has_text="The description is saved.")).to_be_visible()
    assert platform.state()["instance"]["description"] == "Run 9"
    expect(text).to_be_focused()
    tab_to(card, journal)
    keyboard.press("Enter")
    expect(node.locator("details")).to_contain_text("description “Run 9”")
    keyboard.press("Enter")
    expect(node.locator("details p").first).to_be_hidden()
    tab_to(card, card.button("Refresh"))
    keyboard.press("Enter")
    expect(node).to_contain_text("Confirmed just now.")
    tab_to(card, card.button("Stop now"))
    keyboard.press("Enter")
    expect(card.page.locator(".jp-Dialog")).to_contain_text("Stop the instance now?")
    keyboard.press("Escape")
    expect(card.page.locator(".jp-Dialog")).to_be_hidden()


def test_nothing_moves_for_those_who_want_that(card: Card) -> None:
    """With reduced motion the switch jumps; otherwise it slides."""
    slides = "node => getComputedStyle(node, '::before').transitionDuration"
    switch = card.node.get_by_role("switch", name="Auto-stop")
    assert switch.evaluate(slides) == "0.15s"
    card.page.emulate_media(reduced_motion="reduce")
    assert switch.evaluate(slides) == "0s"
    moving = "node => node.getAnimations({ subtree: true }).length"
    assert card.node.evaluate(moving) == 0
    card.page.emulate_media(reduced_motion="no-preference")


def test_with_colours_of_the_readers_own_choice(card: Card) -> None:
    """In forced colours, as of Windows' contrast themes, every state of a control and every level looks different."""
    page = card.page
    page.emulate_media(forced_colors="active")
    item, switch = page.locator(".jp-AutostopStatus"), card.node.get_by_role("switch", name="Auto-stop")
    extend, head = card.button("Extend 1 h"), card.node.locator(".jp-AutostopCard-head")
    levels = ("normal", "warning", "urgent")

    def looks(of: Locator, at: Locator, attribute: str, *values: str) -> int:
        """Return how many pictures of a part there are with each value of an attribute, and nothing else changed."""
        was, pictures = at.get_attribute(attribute), set()
        for value in values:
            at.evaluate("(node, [name, value]) => node.setAttribute(name, value)", [attribute, value])
            pictures.add(of.screenshot(animations="disabled"))
        at.evaluate("(node, [name, value]) => node.setAttribute(name, value)", [attribute, was])
        return len(pictures)

    assert page.evaluate("matchMedia('(forced-colors: active)').matches")
    assert looks(switch, switch, "aria-checked", "true", "false") == 2
    assert looks(extend, extend, "aria-disabled", "true", "false") == 2
    assert looks(item, item, "data-level", *levels) == 3
    assert looks(head, card.node, "data-level", *levels) == 3
    resting = item.screenshot()
    page.keyboard.press("Shift")
    item.get_by_role("button").focus()
    assert item.screenshot() != resting
    page.keyboard.press("Enter")
    popover = page.locator(".jp-AutostopPopover")
    expect(popover).to_be_visible()
    assert popover.evaluate("node => getComputedStyle(node).borderTopStyle") == "solid"
    assert card.faults() == []
    page.keyboard.press("Escape")
    page.emulate_media(forced_colors="none")


def test_only_the_countdown_is_written_each_second(card: Card, platform: Platform) -> None:
    """In a whole minute below ten, nothing in the card changes but the figures and their label."""
    platform.edit(remaining=590)
    platform.state(refresh=True)
    expect(card.countdown).to_have_text(re.compile("^9:"))
    counted = card.page.evaluate(
        """async () => {
          const card = document.querySelector('#jupyter-autostop-panel .jp-AutostopCard');
          const timer = card.querySelector('.jp-AutostopCountdown');
          const elsewhere = new Set();
          let written = 0;
          const observer = new MutationObserver(records => records.forEach(({ target }) => {
            if (target === timer || timer.contains(target)) { written += 1; } else { elsewhere.add(target.className); }
          }));
          observer.observe(card, { subtree: true, childList: true, characterData: true, attributes: true });
          await new Promise(resolve => {
            const done = new MutationObserver(() => written >= 6 && resolve());
            done.observe(timer, { subtree: true, childList: true, characterData: true, attributes: true });
          });
          return [...elsewhere];
        }"""
    )
    assert counted == []
