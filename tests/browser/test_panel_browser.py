"""The panel in a notebook: it ticks and its buttons work while a cell runs, after a reload, and without a kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from browser import Tab
from panels import (
    COMPUTING,
    IS_IDLE,
    LOAD,
    OBSERVED,
    OPTIONS,
    PANEL,
    SLEEPING,
    Cloud,
    Notebook,
    check_panel,
    extend,
)
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, running_emulator, running_jupyter, wait_for
from untrusted import trust, without_widgets

from jupyter_autostop.kernel.panel import MIME_TYPE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "3000s") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def server(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("lab")
    with running_jupyter(folder, *OPTIONS, module="jupyterlab", settings=emulated(endpoint)) as server:
        yield server


@pytest.fixture
def cloud(endpoint: str, server: JupyterServer) -> Iterator[Cloud]:
    """A fresh run, which the server has seen; the kernels of a test end with it."""
    cloud = Cloud(endpoint)
    with server.client() as client:
        cloud.new_run(client)
        yield cloud
        for kernel in client.get("api/kernels").json():
            client.delete(f"api/kernels/{kernel['id']}")
    cloud.close()


@pytest.fixture
def open_notebook(browser: Browser, server: JupyterServer, cloud: Cloud) -> Iterator[Any]:
    """Opens notebooks of a test's own, each in a browser of its own; what they say of us on the console is an error."""
    tabs: list[Tab] = []

    def open_one(name: str, *cells: str, of: JupyterServer = server) -> Notebook:
        tabs.append(Tab(browser, of))
        return Notebook(tabs[-1], of, f"{name}.ipynb", cells).open()

    yield open_one
    try:
        assert [line for tab in tabs for line in tab.ours()] == []
    finally:
        for tab in tabs:
            tab.close()


@pytest.mark.parametrize("busy", [SLEEPING, COMPUTING], ids=["asleep", "computing"])
def test_a_click_while_a_cell_runs(open_notebook: Any, cloud: Cloud, busy: str) -> None:
    """The countdown ticks and a click arrives in the cloud before the running cell ends, also after a reload."""
    notebook = open_notebook("busy", LOAD, busy)
    notebook.run(0)
    expect(notebook.card(0)).to_be_visible()
    notebook.start_long(1)
    countdown = notebook.card(0).locator(".jp-AutostopCountdown")
    expect(countdown).to_have_text("49 min")
    extend(cloud, notebook.card(0))
    expect(countdown).to_have_text("1 h 49 min")
    notebook.save()
    notebook.tab.page.reload()
    expect(notebook.card(0).locator(".jp-AutostopCountdown")).to_have_text("1 h 49 min")
    extend(cloud, notebook.card(0))
    expect(notebook.card(0).locator(".jp-AutostopCountdown")).to_have_text("2 h 49 min")
    # It has been running all the while: its end is ours to give.
    assert not notebook.go.exists()
    notebook.go.touch()


def test_no_kernel_is_asked_for_a_tick(open_notebook: Any, cloud: Cloud) -> None:
    """While a panel ticks nothing is said on the kernel's channels, and the kernel's activity stands still."""
    notebook = open_notebook("quiet", LOAD)
    notebook.run(0)
    cloud.ask("PATCH", "/instance", {"remaining": 500})
    countdown = notebook.card(0).locator(".jp-AutostopCountdown")
    notebook.card(0).get_by_role("button", name="Refresh").click()
    with notebook.server.client() as client:
        wait_for(lambda: countdown.inner_text().startswith("8:"))
        # What the change itself had to say has been said once the kernel knows of it.
        before, active = _settled(notebook, client)
        first = countdown.inner_text()
        for _ in range(8):
            expect(countdown).not_to_have_text(first)
            first = countdown.inner_text()
        assert len(notebook.frames) == before
        assert _activity(client) == active


def _activity(client: httpx.Client) -> list[str]:
    return [kernel["last_activity"] for kernel in client.get("api/kernels").json()]


def _settled(notebook: Notebook, client: httpx.Client) -> tuple[int, list[str]]:
    """Return the number of frames and the activity once two looks in a row say the same."""
    seen: list[tuple[int, list[str]]] = []

    def same() -> bool:
        notebook.tab.page.wait_for_timeout(500)
        seen.append((len(notebook.frames), _activity(client)))
        return len(seen) > 1 and seen[-1] == seen[-2]

    wait_for(same)
    return seen[-1]


def check_keys(notebook: Notebook, cloud: Cloud, length: str) -> None:
    """Enter does in the panel's fields what it does elsewhere."""
    card, keyboard = notebook.card(0), notebook.tab.page.keyboard
    amount = card.get_by_label("By how long, or until when")
    description = card.get_by_label("Description")
    amount.click()
    keyboard.type("45m")
    before = cloud.writes()
    keyboard.press("Enter")
    wait_for(lambda: cloud.writes() > before)
    expect(amount).to_have_value("")
    card.get_by_label("Run length at each start").click()
    keyboard.press("Control+A")
    keyboard.type(length)
    before = cloud.writes()
    keyboard.press("Enter")
    wait_for(lambda: cloud.writes() > before)
    description.click()
    keyboard.press("Control+A")
    keyboard.type("one")
    keyboard.press("Enter")
    keyboard.type("two")
    expect(description).to_have_value("one\ntwo")
    card.get_by_role("button", name="Discard").click()


def check_undoing(notebook: Notebook) -> None:
    """A line is broken, and that taken back, without the notebook's doing anything of the kind."""
    card, keyboard = notebook.card(0), notebook.tab.page.keyboard
    description = card.get_by_label("Description")
    description.fill("one")
    cells = notebook.tab.page.locator(".jp-Notebook .jp-Cell")
    count = cells.count()
    keyboard.press("Shift+Enter")
    expect(description).to_have_value("one\n")
    keyboard.press("Control+Z")
    expect(description).not_to_have_value("one\n")
    expect(description).to_be_focused()
    expect(cells).to_have_count(count)
    card.get_by_role("button", name="Discard").click()


@pytest.mark.parametrize("source", [LOAD, OBSERVED], ids=["panel", "in a box"])
def test_enter_in_a_field(open_notebook: Any, cloud: Cloud, source: str) -> None:
    """What is typed in the panel is taken by Enter, whether a cell runs or not."""
    notebook = open_notebook("keys", source, SLEEPING)
    notebook.run(0)
    check_keys(notebook, cloud, "3h")
    check_undoing(notebook)
    notebook.start_long(1)
    check_keys(notebook, cloud, "4h")
    notebook.go.touch()


CONTAINERS = (
    "import ipywidgets as w\nimport jupyter_autostop as autostop\np = autostop.panel()\nw.VBox([w.Label('above'), p])"
)
TABS = "t = w.Tab([autostop.panel(), w.Label('other')])\nt"


def test_in_containers(open_notebook: Any, cloud: Cloud) -> None:
    """A panel in a VBox and in a Tab is the card among its neighbours, works, and comes back after a reload."""
    notebook = open_notebook("containers", CONTAINERS, TABS, SLEEPING)
    notebook.run(0)
    expect(notebook.text(0).get_by_text("above")).to_be_visible()
    expect(notebook.cell(0).locator(".jp-AutostopCard:visible")).to_have_count(1)
    notebook.run(1)
    expect(notebook.cell(1).locator(".jp-AutostopCard:visible")).to_have_count(1)
    notebook.start_long(2)
    extend(cloud, notebook.card(1))
    expect(notebook.card(0).locator(".jp-AutostopCountdown")).to_have_text("1 h 49 min")
    notebook.save()
    notebook.tab.page.reload()
    # The kernel is busy, so ipywidgets cannot draw the box yet; the card is there.
    extend(cloud, notebook.card(0))
    notebook.go.touch()
    expect(notebook.text(0).get_by_text("above")).to_be_visible()
    expect(notebook.cell(0).locator(".jp-AutostopCard:visible")).to_have_count(1)


def test_traits_follow_an_idle_kernel_only(open_notebook: Any, cloud: Cloud) -> None:
    """A change reaches an observer in the kernel once no cell runs, and not before."""
    watch = f"{PANEL}\np.observe(lambda change: open('seen', 'a').write('x'), 'deadline')\np"
    told = "print(p.deadline['stop_timestamp'], p.state['version'] == p.version)"
    notebook = open_notebook("traits", watch, SLEEPING, told)
    seen = notebook.folder / "seen"
    notebook.run(0)
    notebook.start_long(1)
    before = _sent(notebook)
    seen.unlink(missing_ok=True)  # what the page knew better when the panel was made
    extend(cloud, notebook.card(0))
    expect(notebook.card(0).locator(".jp-AutostopCountdown")).to_have_text("1 h 49 min")
    assert _sent(notebook) == before
    assert not seen.exists()
    notebook.let_go(1)
    wait_for(seen.exists)
    notebook.run(2)
    with notebook.server.client() as client:
        stop = client.get("jupyter-autostop/instance").json()["deadline"]["stop_timestamp"]
    expect(notebook.text(2)).to_have_text(f"{stop} True")


def test_closed_by_its_kernel(open_notebook: Any) -> None:
    """`close()` takes the panel out of the notebook, and no other one with it."""
    notebook = open_notebook("closing", f"{PANEL}\np", "q = autostop.panel()\nq", "p.close()")
    for index in (0, 1):
        notebook.run(index)
        expect(notebook.card(index)).to_be_visible()
    notebook.run(2)
    expect(notebook.cell(0).locator(".jp-AutostopCard:visible")).to_have_count(0)
    expect(notebook.card(1)).to_be_visible()


def test_after_a_restart_of_the_kernel(open_notebook: Any, cloud: Cloud) -> None:
    """A restarted kernel knows nothing of the panel; its card goes on working."""
    notebook = open_notebook("restart", LOAD)
    notebook.run(0)
    notebook.tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()")
    expect(notebook.tab.page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible()
    extend(cloud, notebook.card(0))
    expect(notebook.card(0).locator(".jp-AutostopCountdown")).to_have_text("1 h 49 min")


def test_without_a_kernel(open_notebook: Any, browser: Browser, server: JupyterServer, cloud: Cloud) -> None:
    """A saved notebook whose kernel is nowhere to be had shows the card, and it works."""
    notebook = open_notebook("alone", LOAD)
    notebook.run(0)
    notebook.save()
    expect(notebook.tab.page.locator("#jp-main-statusbar").get_by_text("Saving completed")).to_be_visible()
    notebook.tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    book = json.loads((notebook.folder / notebook.name).read_text(encoding="utf-8"))
    book["metadata"]["kernelspec"] = {"name": "cobol-1", "display_name": "None", "language": "cobol"}
    book["metadata"].pop("language_info", None)
    (notebook.folder / "foreign.ipynb").write_text(json.dumps(book), encoding="utf-8")
    tab = Tab(browser, server)
    try:
        tab.open("lab/workspaces/foreign/tree/foreign.ipynb")
        card = tab.page.locator(".jp-Notebook .jp-AutostopCard:visible")
        expect(card).to_have_count(1)
        tab.page.get_by_role("dialog").get_by_role("button", name="No Kernel").click()
        trust(tab)
        extend(cloud, card)
    finally:
        tab.close()


def test_in_notebook_7(browser: Browser, endpoint: str, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The same panel, in the newest Notebook 7; the older ones and older JupyterLabs are `test_front_ends`' matter."""
    folder = tmp_path_factory.mktemp("notebook-7")
    with running_jupyter(folder, *OPTIONS, module="notebook", settings=emulated(endpoint)) as server:
        tab = Tab(browser, server)
        try:
            notebook = Notebook(tab, server, "seven.ipynb", [LOAD, SLEEPING, OBSERVED]).open("notebook")
            check_panel(notebook, cloud)
            check_keys(notebook, cloud, "3h")
            assert tab.ours() == []
        finally:
            tab.close()


def test_inserted_while_a_cell_runs(open_notebook: Any, cloud: Cloud) -> None:
    """The command adds a cell whose panel is there and works although another cell is running."""
    notebook = open_notebook("insert", SLEEPING)
    notebook.start_long(0)
    notebook.tab.page.evaluate("() => window.jupyterapp.commands.execute('jupyter-autostop:insert-panel')")
    extend(cloud, notebook.card(1))
    expect(notebook.cell(1).locator(".cm-content")).to_contain_text("%autostop")
    notebook.let_go(0)


def test_without_ipywidgets_in_the_page(
    browser: Browser, endpoint: str, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Where JupyterLab has no ipywidgets, the rest of ours loads and the panel is the card all the same."""
    folder = tmp_path_factory.mktemp("bare")
    settings = {**emulated(endpoint), **without_widgets(folder)}
    with running_jupyter(folder, *OPTIONS, module="jupyterlab", settings=settings) as server:
        tab = Tab(browser, server)
        try:
            notebook = Notebook(tab, server, "bare.ipynb", [LOAD]).open()
            notebook.run(0)
            extend(cloud, notebook.card(0))
            assert tab.ours() == []
        finally:
            tab.close()


CULL = ("--MappingKernelManager.cull_idle_timeout=8", "--MappingKernelManager.cull_interval=1")
ANSWERING = (
    f"{PANEL}\ndef answer(change):\n    p.tooltip = p.version\n    open('seen', 'w').write(p.model_id)\n"
    "p.observe(answer, 'version')\np"
)
"""A panel that answers what a page tells it; from its first answer on ipykernel takes such messages beside a cell."""
TELL = """id => {
  const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
  kernel._comms.get(id).send({ method: 'custom', content: {} });
}"""


def test_what_ends_idle_kernels_spares_the_busy_one(
    browser: Browser, endpoint: str, cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A running cell outlives a culler of idle kernels, although the page has changes to tell its kernel."""
    options = (*OPTIONS, *CULL, "--MappingKernelManager.cull_connected=True")
    folder = tmp_path_factory.mktemp("culled")
    with running_jupyter(folder, *options, module="jupyterlab", settings=emulated(endpoint)) as server:
        tab = Tab(browser, server)
        try:
            notebook = Notebook(tab, server, "culled.ipynb", [ANSWERING, SLEEPING, "print(p.version)"]).open()
            notebook.run(0)
            with server.client() as client:
                _change(client, notebook, "the first")
                wait_for((notebook.folder / "seen").exists)
                notebook.start_long(1)
                [busy] = _kernels(client)
                before = _sent(notebook)
                _change(client, notebook, "the second")
                _change(client, notebook, "the third")
                # Once a kernel started later is ended as idle, one whose cell is taken for idle has been.
                idle = client.post("api/kernels", json={"name": "python3"}).raise_for_status().json()["id"]
                wait_for(lambda: idle not in _kernels(client))
                assert _kernels(client) == {busy: "busy"}
                assert _sent(notebook) == before
                # A message as the page has kept to itself: had it sent that, the running cell would have been ended.
                tab.page.evaluate(TELL, (notebook.folder / "seen").read_text(encoding="utf-8"))
                wait_for(lambda: _kernels(client) == {busy: "idle"})
                # Nor does the page take such a report for the end of the cell.
                tab.page.wait_for_function(IS_IDLE)
                tab.page.wait_for_timeout(500)
                assert _sent(notebook) == before + 1
                notebook.let_go(1)
                version = client.get("jupyter-autostop/instance").json()["version"]
            notebook.run(2)
            expect(notebook.text(2)).to_have_text(version)
        finally:
            tab.close()


def _change(client: httpx.Client, notebook: Notebook, description: str) -> None:
    """Change something, and wait until the page shows it."""
    changed = client.patch("jupyter-autostop/instance", json={"description": description}).raise_for_status().json()
    assert changed["outcome"]["effect"] == "now"
    expect(notebook.card(0)).to_contain_text(description)


def _kernels(client: httpx.Client) -> dict[str, str]:
    """Return the kernels there are, and what the server takes each to be doing."""
    return {kernel["id"]: kernel["execution_state"] for kernel in client.get("api/kernels").json()}


def _sent(notebook: Notebook) -> int:
    """Return how many messages the page has sent; JupyterLab's debugger asks a new kernel whenever it gets to it."""
    frames = [frame["sent"] for frame in notebook.frames if "sent" in frame]
    return sum(b"debug_request" not in (frame if isinstance(frame, bytes) else frame.encode()) for frame in frames)


def test_a_kernel_without_ipywidgets(open_notebook: Any, cloud: Cloud) -> None:
    """Its panel is the live card, with one line that says what ipywidgets would add."""
    bundle = {MIME_TYPE: {"version": 1, "model_id": None, "widget": False}, "text/plain": "A panel."}
    notebook = open_notebook("plain", f"from IPython.display import display\ndisplay({bundle!r}, raw=True)", LOAD)
    notebook.run(0)
    expect(notebook.card(0)).to_contain_text("With ipywidgets 8 in this kernel's environment the panel is a widget")
    extend(cloud, notebook.card(0))
    expect(notebook.card(0).locator(".jp-AutostopCountdown")).to_have_text("1 h 49 min")
    notebook.run(1)
    expect(notebook.card(1)).not_to_contain_text("With ipywidgets")
