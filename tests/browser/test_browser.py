"""The countdown as people see it: a real JupyterLab in Chromium, an emulated instance, a real terminal command."""

from __future__ import annotations

import json
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest
from browser import ASK, CHANGED_EVENT, LAB, LOOK, PUSH, FrontEnd, Tab, write_notebook
from paths import ROOT
from playwright.sync_api import Browser, WebSocketRoute, expect
from processes import JupyterServer, emulated, ended, running_emulator, running_jupyter, wait_for

pytestmark = pytest.mark.browser

BASE = "/user/ada/"
HOSTILE = "<img src=x onerror=window.hacked=1>"
EXPOSED = "--LabApp.expose_app_in_browser=True"
"""Lets a test ask the page whether it has started."""
OPTIONS = (
    EXPOSED,
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--AutostopApp.request_timeout=2",
    "--AutostopApp.refresh_interval=1",
)
BELOW = 3000
"""Seconds left at the start of each test: between the half hour of the first warning and the whole hour."""
RESYNC = 330
"""Seconds after which a page asks of its own accord."""
HOUR = 3_600_000
Open = Callable[..., Tab]

# Turns the page's clocks: `jump` only the one that anybody may set, `pass` both, as real time would.
CLOCKS = """(() => {
  const RealDate = Date;
  const realNow = performance.now.bind(performance);
  let wall = 0;
  let steady = 0;
  window.jump = ms => { wall += ms; };
  window.pass = ms => { wall += ms; steady += ms; };
  performance.now = () => realNow() + steady;
  window.Date = new Proxy(RealDate, {
    construct: (target, given) => given.length ? new target(...given) : new target(target.now() + wall),
    apply: target => new target(target.now() + wall).toString(),
    get: (target, key) => key === 'now' ? () => target.now() + wall : Reflect.get(target, key)
  });
})();"""
HIDE = """hidden => {
  Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => hidden ? 'hidden' : 'visible' });
  document.dispatchEvent(new Event('visibilitychange'));
}"""


@final
class Platform:
    """The emulator's control routes, and what the Jupyter server makes of them."""

    def __init__(self, endpoint: str, server: JupyterServer) -> None:
        self._control = httpx.Client(base_url=f"{endpoint}/_emulator", trust_env=False, timeout=60)
        self._server = server.client()

    def close(self) -> None:
        self._control.close()
        self._server.close()

    def reset(self) -> None:
        """Have a healthy instance in a run of its own for `BELOW` seconds more, and the Jupyter server know it.

        A run whose stop time was moved against the platform's rules has no known start; extended it is held.
        """
        self._ask("DELETE", "/faults")
        self.edit(reset=True, status="STOPPED")
        self.state(refresh=True)
        instance = {"name": "example-notebook", "description": "An example", "auto_stop": {"prompt": True}}
        self.edit(reset=True, status="RUNNING", remaining=BELOW)
        self.edit(**instance)
        assert self.state(refresh=True)["problem"] is None

    def edit(self, **changes: Any) -> None:
        """Change the instance as somebody else would by the console."""
        self._ask("PATCH", "/instance", changes)

    def fail(self, kind: str, **more: Any) -> None:
        """Have every answer fail from now on."""
        self._ask("POST", "/faults", {"kind": kind, "times": 0, **more})

    def heal(self) -> None:
        self._ask("DELETE", "/faults")

    def behave(self, **switches: Any) -> None:
        """Have the platform read what its documents leave open in another way."""
        self._ask("PATCH", "/behaviour", switches)

    def advance(self, seconds: float) -> None:
        """Let time pass on the platform."""
        self._ask("POST", "/clock", {"advance": seconds})

    def left(self) -> float:
        """Return the seconds that the run really has left."""
        now = self._ask("GET", "/clock")["now"]
        return float(self._ask("GET", "/instance")["state"]["run"]["stop_at"] - now) / 1000

    def stops(self) -> int:
        """Return when the run really stops, in epoch ms."""
        return int(self._ask("GET", "/instance")["state"]["run"]["stop_at"])

    def writes(self) -> list[Any]:
        """Return the changes that have reached the platform."""
        return [seen for seen in self._ask("GET", "/requests")["requests"] if seen["body"]]

    def last_write(self) -> int:
        """Return when (epoch ms) the last change reached the platform."""
        return int(self.writes()[-1]["at"])

    def state(self, *, refresh: bool = False) -> Any:
        """Return the State that the Jupyter server serves."""
        answer = self._server.get("jupyter-autostop/instance", params={"refresh": int(refresh)})
        return answer.raise_for_status().json()

    def journal(self) -> list[Any]:
        """Return what was changed through the Jupyter server, newest first; each when all was done for it."""
        return list(self._server.get("jupyter-autostop/journal").raise_for_status().json()["entries"])

    def post_event(self, data: dict[str, Any]) -> int:
        """Post an event of ours as any logged-in client can; returns the status."""
        event = {"schema_id": CHANGED_EVENT, "version": "1", "data": data}
        return self._server.post("api/events", json=event).status_code

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        return self._control.request(method, path, json=body).raise_for_status().json()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", f"{BELOW}s") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    """Where the tests of a file are at home; those of Notebook 7 share some of these."""
    return LAB


@pytest.fixture(scope="module")
def server(front_end: FrontEnd, endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A front end below a base URL, as hubs and clouds run it."""
    folder = tmp_path_factory.mktemp("lab")
    write_notebook(folder)
    options = (*OPTIONS, f"--ServerApp.base_url={BASE}")
    with running_jupyter(folder, *options, module=front_end.module, settings=emulated(endpoint)) as server:
        yield server


@pytest.fixture
def platform(endpoint: str, server: JupyterServer) -> Iterator[Platform]:
    platform = Platform(endpoint, server)
    platform.reset()
    yield platform
    platform.close()


@contextmanager
def opened(*tabs: Tab) -> Iterator[None]:
    """Close tabs when leaving; by then our code must have said nothing on the console of any."""
    try:
        yield
        assert [line for tab in tabs for line in tab.ours()] == []
    finally:
        for tab in tabs:
            tab.close()


@pytest.fixture(scope="module")
def shared(browser: Browser, server: JupyterServer, front_end: FrontEnd) -> Iterator[Tab]:
    tab = Tab(browser, server, front_end=front_end)
    with opened(tab):
        yield tab.start()


@pytest.fixture
def tab(shared: Tab, platform: Platform) -> Tab:
    """A tab that shows a healthy instance; the same for all tests that leave no trace in it."""
    shared.shows("running", "49 min")
    return shared


@pytest.fixture
def open_tab(browser: Browser, server: JupyterServer, front_end: FrontEnd, platform: Platform) -> Iterator[Open]:
    """Opens tabs of a test's own."""
    tabs: list[Tab] = []

    def open_one(of: JupyterServer = server, **options: Any) -> Tab:
        tabs.append(Tab(browser, of, front_end=front_end, **options))
        return tabs[-1]

    yield open_one
    with opened(*tabs):
        pass


def run(server: JupyterServer, *arguments: str) -> None:
    """Run `jupyter autostop …` as in a terminal of this server."""
    command = [str(Path(sys.executable).with_name("jupyter")), "autostop", *arguments]
    done = subprocess.run(command, env=server.environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def seconds(text: str) -> int:
    """Return the seconds that a countdown below ten minutes shows."""
    match = re.fullmatch(r"([0-9]):([0-5][0-9])", text)
    assert match, text
    return 60 * int(match[1]) + int(match[2])


def assert_right(tab: Tab, platform: Platform) -> None:
    """What is shown is the time left, within two seconds, whatever the clocks say."""
    before = platform.left()
    shown = seconds(tab.countdown.inner_text())
    assert platform.left() - 2 <= shown <= before + 2


def until_right(tab: Tab, platform: Platform) -> None:
    """Wait until the countdown shows the time left."""
    low = int(platform.left())
    near = "|".join(f"{left // 60}:{left % 60:02}" for left in range(max(0, low - 60), low + 2))
    expect(tab.countdown).to_have_text(re.compile(f"^({near})$"))
    assert_right(tab, platform)


def test_the_countdown_is_in_the_status_bar(tab: Tab, server: JupyterServer) -> None:
    """The front end built from these sources shows the time left as a timer, with the emulator's badge beside it."""
    expect(tab.page.locator("#jp-main-statusbar .jp-AutostopCountdown")).to_have_attribute("role", "timer")
    expect(tab.item.get_by_role("timer", name="The instance stops in 49 min")).to_be_visible()
    expect(tab.badge).to_have_text("emulated")
    expect(tab.note).to_be_hidden()
    expect(tab.item).to_have_attribute("data-level", "normal")
    # The time zone is told, and told again when the page has its kernels.
    routes = {f"{BASE}jupyter-autostop/instance", f"{BASE}jupyter-autostop/zone"}
    assert {urlsplit(url).path for url in tab.asked} == routes
    built = json.loads((ROOT / "jupyter_autostop/labextension/package.json").read_text())
    entry = built["jupyterlab"]["_build"]["load"]
    expect(tab.page.locator(f'script[src*="jupyter-autostop/{entry}"]')).to_have_count(1)


def test_it_ticks_without_asking(tab: Tab, platform: Platform) -> None:
    """Each second is shown once and in order, and the server is not asked for any of them."""
    platform.edit(remaining=560)
    until_right(tab, platform)
    before = len(tab.shown())
    asked = len(tab.asked)
    tab.page.wait_for_function("count => window.autostopShown.length >= count", arg=before + 4)
    left = [seconds(text) for text in tab.shown()[before - 1 :]]
    assert left == list(range(left[0], left[0] - len(left), -1))
    assert len(tab.asked) == asked
    assert_right(tab, platform)


def test_it_follows_the_terminal(
    tab: Tab, server: JupyterServer, platform: Platform, capsys: pytest.CaptureFixture[str]
) -> None:
    """A change by the terminal command is shown because of the push, long before the page would look by itself."""
    latencies = []
    for command, kind, text in [("off", "off", "Auto-stop off"), ("on", "running", "49 min")] * 4:
        mark, began = len(tab.seen), time.monotonic()
        run(server, command)
        tab.shows(kind, text)
        seen = tab.seen[mark:]
        assert PUSH in seen
        assert ASK in seen[seen.index(PUSH) :]
        assert time.monotonic() - began < RESYNC
        latencies.append(tab.shown_at(text) - platform.last_write())
    with capsys.disabled():
        middle, worst = statistics.median(latencies), max(latencies)
        sys.stdout.write(f"\n  from the platform's change to the page: median {middle:.0f} ms, worst {worst:.0f} ms\n")


def test_two_tabs_follow_each_other(tab: Tab, open_tab: Open, server: JupyterServer) -> None:
    """What one page changes is shown in the other, and in itself, by a push to each."""
    other = open_tab().start()
    other.shows("running", "49 min")
    for one, enable, kind in ((tab, False, "off"), (other, True, "running")):
        marks = len(tab.seen), len(other.seen)
        assert one.fetch("PATCH", "jupyter-autostop/instance", {"auto_stop": {"enable": enable}}) == 200
        for each, mark in zip((tab, other), marks, strict=True):
            each.shows(kind)
            assert PUSH in each.seen[mark:]


def test_the_title_tells_the_rest(tab: Tab, server: JupyterServer, platform: Platform) -> None:
    """Hover and focus give the stop time with day and zone, who keeps it, when it was confirmed and what comes next."""
    stops = datetime.fromtimestamp(platform.stops() / 1000, ZoneInfo("Asia/Shanghai"))
    assert tab.title == [
        f"Stops {stops:%A}, {stops:%B} {stops.day} at {stops:%H:%M} GMT+8.",
        "Kept by ModelArts.",
        "Instance: example-notebook, RUNNING.",
        "Confirmed just now.",
        "Emulated: no real instance is looked at or stopped.",
    ]
    run(server, "on", "4h")
    expect(tab.item).to_have_attribute("title", re.compile("From the next start: auto-stop after 4 h"))
    tab.item.get_by_role("button").focus()
    expect(tab.item.get_by_role("button")).to_be_focused()


def test_off_is_said_with_what_it_costs(tab: Tab, server: JupyterServer) -> None:
    """Auto-stop that is off is no countdown but the plain fact, and that the instance bills on."""
    run(server, "off")
    tab.shows("off", "Auto-stop off")
    assert tab.title[0] == "Auto-stop is off: the instance runs, and bills, until you stop it."


@pytest.mark.parametrize(
    ("fault", "note"),
    [
        ({"kind": "hang"}, "last confirmed just now"),
        ({"kind": "html"}, "last confirmed just now"),
        ({"kind": "status", "status": 503}, "last confirmed just now"),
        ({"kind": "status", "status": 404, "body": {"error_code": "ModelArts.6309"}}, "instance not found"),
    ],
    ids=["hangs", "nonsense", "down", "not found"],
)
def test_a_platform_that_fails(tab: Tab, platform: Platform, fault: dict[str, Any], note: str) -> None:
    """The last confirmed stop time counts on, marked as old with the reason, and recovers with the platform."""
    platform.edit(remaining=560)
    until_right(tab, platform)
    platform.fail(**fault)
    tab.shows("stale")
    expect(tab.note).to_have_text(note)
    expect(tab.note).to_be_visible()
    before = tab.countdown.inner_text()
    expect(tab.countdown).not_to_have_text(before)
    assert_right(tab, platform)
    assert "Last confirmed just now." in tab.title
    assert len(tab.title) > 5
    platform.heal()
    platform.state(refresh=True)
    tab.shows("running")
    expect(tab.note).to_be_hidden()


def test_no_stop_time_is_invented(tab: Tab, platform: Platform) -> None:
    """An answer without auto_stop is said to be one; no countdown is shown for it."""
    platform.edit(remove=["spec.auto_stop"])
    tab.shows("no-stop-time", "Stop time not given")
    assert tab.title[0] == "Whether and when this instance stops is not known."


def test_unknown_then_known(open_tab: Open, tmp_path: Path) -> None:
    """A platform that has never answered is an unknown stop time; what it says then is shown by itself."""
    with (
        running_emulator("--remaining", f"{BELOW}s") as endpoint,
        running_jupyter(tmp_path, *OPTIONS, module="jupyterlab", settings=emulated(endpoint)) as server,
        closing(Platform(endpoint, server)) as platform,
    ):
        platform.fail("status", status=500)
        tab = open_tab(server).start()
        tab.shows("unknown", "Stop time unknown")
        assert tab.title[0] == "Whether and when this instance stops is not known."
        platform.heal()
        tab.shows("running", "49 min")
        routes = {"/jupyter-autostop/instance", "/jupyter-autostop/zone"}
        assert {urlsplit(url).path for url in tab.asked} <= routes
        platform.fail("status", status=401, body={"error_code": "APIGW.0301"})
        tab.shows("stale", "49 min")
        expect(tab.note).to_have_text("credentials refused")
        tab.close()


def test_not_configured(open_tab: Open, tmp_path: Path) -> None:
    """Without settings the page says so and what is missing; it invents no stop time and no emulator."""
    with running_jupyter(tmp_path, EXPOSED, module="jupyterlab") as server:
        tab = open_tab(server).start()
        tab.shows("unconfigured", "Auto-stop not set up")
        expect(tab.badge).to_be_hidden()
        expect(tab.item).to_have_attribute("data-level", "normal")
        assert "region (or endpoint), project_id, instance_id, credentials not set" in tab.title[0]
        assert any(line.startswith("- JUPYTER_AUTOSTOP_REGION (or c.AutostopApp.region)") for line in tab.title)
        tab.close()


def test_text_from_the_cloud_stays_text(tab: Tab, platform: Platform) -> None:
    """A name, description, status or error in HTML is shown letter by letter; nothing of it runs."""
    platform.fail("status", status=400, body={"error_code": HOSTILE, "error_msg": HOSTILE, "error_message": HOSTILE})
    expect(tab.item).to_have_attribute("title", re.compile(re.escape(f"(It says: {HOSTILE}: {HOSTILE})")))
    platform.heal()
    platform.edit(set={"name": HOSTILE, "description": HOSTILE, "status": HOSTILE})
    expect(tab.item).to_have_attribute("title", re.compile(re.escape(f"Instance: {HOSTILE}, {HOSTILE}.")))
    expect(tab.item.locator("img")).to_have_count(0)
    expect(tab.page.locator('img[src$="x"]')).to_have_count(0)
    assert tab.page.evaluate("window.hacked") is None


def test_warnings_come_near_the_stop(tab: Tab, platform: Platform) -> None:
    """From 30 and from 5 minutes on the countdown looks different, and not by its colour alone."""
    shapes = set()
    for remaining, level in ((1900, "normal"), (1700, "warning"), (200, "urgent")):
        platform.edit(remaining=remaining)
        expect(tab.item).to_have_attribute("data-level", level)
        shadow = tab.item.evaluate("item => getComputedStyle(item).boxShadow.replace(/rgba?[(][^)]*[)]/, '')")
        shapes.add((shadow, tab.item.locator("path").get_attribute("d")))
    assert len(shapes) == 3


def test_the_time_runs_out(tab: Tab, platform: Platform) -> None:
    """The countdown ends at 0:00, is never below, and then what the platform says of the instance is shown."""
    platform.edit(remaining=5)
    tab.shows("stopped", "Instance stopped")
    shown = tab.shown()
    shown = shown[len(shown) - 1 - shown[::-1].index("49 min") + 1 :]
    counted = [seconds(text) for text in shown if ":" in text]
    assert counted == sorted(counted, reverse=True)
    words = [text for text in shown if ":" not in text]
    assert set(words) <= {"Stop time passed", "Instance stopping", "Instance stopped"}
    assert words[-1] == "Instance stopped"
    assert shown == [text for text in shown if ":" in text] + words
    assert not any("-" in text for text in shown)
    assert not any(line.startswith("Stops ") for line in tab.title)


@pytest.mark.parametrize("wrong", [-HOUR, HOUR], ids=["slow", "fast"])
def test_a_wrong_clock_does_not_matter(open_tab: Open, platform: Platform, wrong: int) -> None:
    """A computer whose clock is an hour off shows the right time left and the right stop time."""
    platform.edit(remaining=560)
    platform.state(refresh=True)
    tab = open_tab(script=f"{CLOCKS} window.jump({wrong});").start()
    assert abs(tab.page.evaluate("Date.now()") / 1000 - time.time() - wrong / 1000) < 60
    until_right(tab, platform)
    stops = datetime.fromtimestamp(platform.stops() / 1000, ZoneInfo("Asia/Shanghai"))
    assert f" at {stops:%H:%M} GMT+8." in tab.title[0]


def test_right_at_once_when_it_comes_back(open_tab: Open, platform: Platform) -> None:
    """After a hidden tab, another window, a lost network and sleep the page asks by itself, and waits for no push."""
    platform.edit(remaining=590)
    platform.state(refresh=True)
    tab = open_tab(script=CLOCKS)
    # A connection that stays open and brings nothing, as one does that died while nobody looked.
    tab.page.route_web_socket("**/api/events/subscribe", lambda _: None)
    tab.start()
    until_right(tab, platform)

    def hidden() -> Iterator[None]:
        tab.page.evaluate(HIDE, True)
        yield
        tab.page.evaluate("window.pass(60000)")
        tab.page.evaluate(HIDE, False)

    def elsewhere() -> Iterator[None]:
        yield
        tab.page.evaluate("window.pass(60000)")
        tab.page.evaluate("window.dispatchEvent(new Event('focus'))")

    def offline() -> Iterator[None]:
        tab.context.set_offline(True)
        yield
        tab.context.set_offline(False)

    def asleep() -> Iterator[None]:
        yield
        tab.page.evaluate("window.jump(60000)")

    for remaining, away in ((400, hidden), (300, elsewhere), (200, offline), (100, asleep)):
        coming_back = away()
        next(coming_back)
        platform.edit(remaining=remaining)
        assert platform.state(refresh=True)["auto_stop"]["remain_time"] <= remaining
        asked = len(tab.asked)
        next(coming_back, None)
        until_right(tab, platform)
        assert len(tab.asked) > asked
    assert PUSH not in tab.seen


def test_what_was_announced_while_cut_off(open_tab: Open, platform: Platform) -> None:
    """After the connection for events was cut, as proxies do, the page looks for what it has missed."""
    tab = open_tab()
    sockets: list[WebSocketRoute] = []
    cut = False

    def connect(socket: WebSocketRoute) -> None:
        if cut:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    tab.page.route_web_socket("**/api/events/subscribe", connect)
    tab.start()
    tab.shows("running", "49 min")
    cut = True
    for socket in sockets:
        socket.close()
    platform.edit(auto_stop={"enable": False})
    assert platform.state(refresh=True)["deadline"] is None
    cut = False
    tab.shows("off", "Auto-stop off")


def test_a_frozen_tab_thaws_right(open_tab: Open, platform: Platform) -> None:
    """A tab that the browser had put to rest is right again as soon as it runs."""
    platform.edit(remaining=560)
    platform.state(refresh=True)
    tab = open_tab().start()
    until_right(tab, platform)
    browser = tab.context.new_cdp_session(tab.page)
    browser.send("Page.setWebLifecycleState", {"state": "frozen"})
    platform.edit(remaining=300)
    platform.state(refresh=True)
    browser.send("Page.setWebLifecycleState", {"state": "active"})
    until_right(tab, platform)


def test_forged_events_change_nothing(tab: Tab, platform: Platform) -> None:
    """Events that any client can post make the page look at the server, ever less often, and believe nothing."""
    shown, title, mark = tab.item.inner_text(), tab.title, len(tab.seen)
    assert platform.post_event({"state_version": "0.0", "deadline": None}) == 400
    for number in range(1, 61):
        assert platform.post_event({"state_version": f"{number}.0"}) == 204
        while tab.seen[mark:].count(PUSH) < number:
            tab.page.evaluate("new Promise(done => requestAnimationFrame(done))")
    asked = tab.seen[mark:].count(ASK)
    assert 1 <= asked <= 12
    assert (tab.item.inner_text(), tab.title) == (shown, title)
    platform.edit(auto_stop={"enable": False})
    tab.shows("off")


def test_the_server_restarts(open_tab: Open, front_end: FrontEnd, endpoint: str, tmp_path: Path) -> None:
    """While the Jupyter server is away the page says so and counts on; when it is back the page finds it by itself."""
    write_notebook(tmp_path)
    with running_jupyter(tmp_path, *OPTIONS, module=front_end.module, settings=emulated(endpoint)) as server:
        tab = open_tab(server).start()
        tab.shows("running", "49 min")
    # What JupyterLab itself does then must not cover ours: its dialog is left where it is, and so is the page.
    tab.shows("stale", "49 min")
    expect(tab.note).to_have_text("no connection")
    assert "The connection to the Jupyter server is lost." in tab.title
    command = [
        *(sys.executable, "-m", front_end.module, "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *(f"--IdentityProvider.token={server.token}", f"--ServerApp.root_dir={tmp_path / 'work'}", *OPTIONS),
        *(f"--ServerApp.port={urlsplit(server.url).port}", "--ServerApp.port_retries=0"),
    ]
    with (tmp_path / "server.log").open("ab") as log:
        environment = {**server.environment, **emulated(endpoint)}
        again = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    with ended(again):
        tab.shows("running")
        expect(tab.note).to_be_hidden()
        run(server, "off")
        tab.shows("off", "Auto-stop off")
        tab.close()


def test_the_server_ends_with_its_instance(open_tab: Open, front_end: FrontEnd, tmp_path: Path) -> None:
    """Past the stop time a server that is gone is the end of the instance: what is kept is said, and no network."""
    write_notebook(tmp_path)
    with running_emulator("--remaining", "30s") as endpoint:
        with running_jupyter(tmp_path, *OPTIONS, module=front_end.module, settings=emulated(endpoint)) as server:
            tab = open_tab(server).start()
            expect(tab.item).to_have_attribute("data-kind", re.compile("stopping|stopped"))
        tab.shows("gone", "Stopped, it seems")
        assert any("Files below /home/ma-user/work are kept" in line for line in tab.title)
        assert not any("console" in line for line in tab.title)  # it is emulated
        if front_end is LAB:
            dialog = tab.page.locator(".jp-Dialog")
            expect(dialog).to_contain_text("The instance has stopped")
            expect(dialog).to_contain_text("Files below /home/ma-user/work are kept")
            expect(dialog).not_to_contain_text("network")
        tab.close()


def test_a_look_that_confirms_costs_no_request(tab: Tab) -> None:
    """The server tells of each of its looks, and an idle page asks for none of them."""
    mark = len(tab.seen)
    wait_for(lambda: tab.page.evaluate("1") == 1 and tab.seen[mark:].count(LOOK) >= 3)
    assert tab.seen[mark:].count(ASK) == 0


@pytest.mark.parametrize(
    ("plugin", "selector"),
    [
        ("status", ".jp-AutostopStatus"),
        ("toolbar", ".jp-AutostopChip"),
        ("panel", "#jupyter-autostop-panel"),
        ("commands", ""),
        ("notebook-widget", ""),
        ("connection-lost", ""),
        ("model", ".jp-AutostopItem, .jp-AutostopCard"),
    ],
)
def test_each_plugin_can_be_disabled(open_tab: Open, server: JupyterServer, plugin: str, selector: str) -> None:
    """Without one of our plugins JupyterLab starts as ever and lacks just that; without the model nobody asks."""
    config = Path(server.environment["JUPYTER_CONFIG_DIR"]) / "labconfig" / "page_config.json"
    before = config.read_text(encoding="utf-8")
    disabled = {**json.loads(before)["disabledExtensions"], f"jupyter-autostop:{plugin}": True}
    config.write_text(json.dumps({"disabledExtensions": disabled}), encoding="utf-8")
    try:
        tab = open_tab().open()
    finally:
        config.write_text(before, encoding="utf-8")
    expect(tab.page.locator("#jp-main-statusbar")).to_be_visible()
    expect(tab.page.locator(".jp-LauncherCard").first).to_be_visible()
    assert tab.page.evaluate(f"window.jupyterapp.hasPlugin('jupyter-autostop:{plugin}')") is False
    if selector:
        expect(tab.page.locator(selector)).to_have_count(0)
    known = tab.page.evaluate(
        "jupyterapp.commands.listCommands().filter(id => id.startsWith('jupyter-autostop:')).length"
    )
    # Seven of one plugin, and the one that inserts a panel of another.
    assert known == {"commands": 1, "notebook-widget": 7, "model": 0}.get(plugin, 8)
    assert (tab.asked == []) is (plugin == "model")
    assert tab.said == []


def test_the_setting_that_hides_it(open_tab: Open, server: JupyterServer) -> None:
    """Unticked in the settings the countdown is not in the status bar, also in a page that is loaded later."""
    with server.client() as client:
        setting = "lab/api/settings/jupyter-autostop:status"
        client.put(setting, json={"raw": '{"visible": false}'}).raise_for_status()
        try:
            tab = open_tab().open()
            expect(tab.page.locator(".jp-LauncherCard").first).to_be_visible()
            expect(tab.item).to_be_hidden()
            # The bar is drawn anew.
            tab.page.set_viewport_size({"width": 900, "height": 700})
            tab.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            expect(tab.item).to_be_hidden()
        finally:
            client.put(setting, json={"raw": "{}"}).raise_for_status()
    expect(open_tab().open().item).to_be_visible()


def test_a_reload_in_the_middle_of_an_extension(browser: Browser, tmp_path: Path) -> None:
    """The new page shows the old stop time while the platform takes its time, and the new one once it has answered."""
    patient = "--AutostopApp.request_timeout=60"
    with (
        running_emulator("--remaining", f"{BELOW}s") as endpoint,
        running_jupyter(tmp_path, EXPOSED, patient, module="jupyterlab", settings=emulated(endpoint)) as server,
        closing(Platform(endpoint, server)) as platform,
        opened(tab := Tab(browser, server)),
    ):
        tab.start().item.get_by_role("button", name="Auto-stop").click()
        platform.fail("slow", method="PUT", seconds=300, times=1)
        tab.page.locator(".jp-AutostopPopover").get_by_role("button", name="Extend 1 h").click()
        wait_for(platform.writes)
        tab.page.reload()
        expect(tab.countdown).to_have_text(re.compile(r"^4\d min$"))
        platform.advance(300)
        expect(tab.countdown).to_have_text(re.compile(r"^1 h 4\d min$"))
        assert platform.state()["deadline"]["kept_by"] == "server"
        assert len(platform.writes()) == 2


def test_the_console_stays_empty(open_tab: Open, server: JupyterServer, platform: Platform) -> None:
    """Through a day's states nobody finds a warning, an error or anything thrown on the console."""
    tab = open_tab().start()
    tab.shows("running")
    run(server, "off")
    tab.shows("off")
    run(server, "on")
    platform.fail("reset")
    tab.shows("stale")
    platform.heal()
    tab.shows("running")
    platform.edit(status="STOPPED")
    tab.shows("stopped")
    assert tab.said == []
