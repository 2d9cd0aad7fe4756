"""`AutostopPanel` in a real IPython with real ipywidgets: what it shows, where, and how its traits follow."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from fake_autostop import HOUR
from ipython import Notebook, running_ipython
from processes import own_environment

import jupyter_autostop as autostop
from jupyter_autostop.kernel.api import MissingWidgetsError
from jupyter_autostop.kernel.panel import MIME_TYPE, AutostopPanel

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def ipython(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notebook]:
    with pytest.MonkeyPatch.context() as patch, running_ipython(tmp_path_factory.mktemp("ipython"), patch) as notebook:
        yield notebook


@pytest.fixture
def notebook(ipython: Notebook, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    ipython.renew(monkeypatch)
    yield ipython
    ipywidgets.Widget.close_all()


def shown(notebook: Notebook, thing: Any) -> dict[str, Any]:
    """Return what a cell that ends in a thing shows of it."""
    notebook.shell.user_ns["thing"] = thing
    [output] = notebook.run("thing").outputs
    return output.data


def from_the_page(panel: AutostopPanel, **traits: Any) -> None:
    """Let a page write traits, as its widget manager does."""
    panel._handle_msg({"content": {"data": {"method": "update", "state": traits}}, "buffers": []})


def sent(panel: AutostopPanel) -> list[Any]:
    """Collect what is sent to pages from now on."""
    messages: list[Any] = []
    panel.comm.publish_msg = lambda _kind, **message: messages.append(message["data"])  # type: ignore[method-assign]
    return messages


def test_what_a_panel_is(notebook: Notebook) -> None:
    """A widget whose view is the front end's, with the State read when it was made."""
    panel = autostop.panel()
    assert isinstance(panel, autostop.AutostopPanel)
    assert isinstance(panel, ipywidgets.DOMWidget)
    state = panel.get_state()
    assert (state["_model_module"], state["_view_module"]) == ("@jupyter-widgets/controls", "@jupyter-widgets/controls")
    assert (state["_model_name"], state["_view_name"]) == ("HTMLModel", "HTMLView")
    assert state["_model_module_version"] == state["_view_module_version"] == "^2.0.0 || 2.999.0-autostop.1"
    assert state["value"].startswith("<p><strong>Stops at ")
    assert "server_time" not in panel.state
    assert panel.deadline == panel.state["deadline"] == {"stop_timestamp": notebook.fake.stop, "kept_by": "platform"}
    assert (panel.version, panel.holds, panel.problem) == ("a.b", [], None)
    assert panel.auto_stop["duration"] == 3600
    assert repr(panel) == f"AutostopPanel(stop_timestamp={notebook.fake.stop})"


def test_at_top_level(notebook: Notebook) -> None:
    """Our own type, which needs no kernel, beside a picture; never a widget-view, which would wait for one."""
    data = shown(notebook, autostop.panel())
    assert set(data) == {MIME_TYPE, "text/html", "text/plain"}
    assert data[MIME_TYPE] == {"version": 1, "model_id": notebook.shell.user_ns["thing"].model_id}
    lines = data["text/plain"].splitlines()
    assert re.fullmatch(r"Stops at .* \(in 1 h 59 min\), kept by ModelArts", lines[0])
    assert lines[1] == "lab: first"
    assert re.fullmatch(r"As of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+; this picture does not move\.", lines[2])
    assert "%load_ext jupyter_autostop and then %autostop extend 2h" in lines[3]
    for line in lines:
        assert line in data["text/html"]


def test_the_picture_is_of_now(notebook: Notebook) -> None:
    """Displayed later it is another one, and where nobody answers it says so and invents nothing."""
    panel = autostop.panel()
    notebook.fake.stop = None
    assert "Auto-stop is off" in shown(notebook, panel)["text/plain"]
    notebook.fake.faults = [("GET", 503)] * 9
    data = shown(notebook, panel)
    assert data["text/plain"].startswith("It is not known when this instance stops. It cannot be. Leave it.\n")
    assert "%autostop" in data["text/html"]
    unknown = autostop.panel()
    assert (unknown.state, unknown.deadline, unknown.problem["message"]) == ({}, None, "It cannot be.")


@pytest.mark.parametrize("kind", [ipywidgets.VBox, ipywidgets.HBox, ipywidgets.Tab, ipywidgets.Accordion])
def test_in_a_container(notebook: Notebook, kind: type[ipywidgets.Box]) -> None:
    """The container says so beside its own view; one without a panel is as ever."""
    panel = autostop.panel()
    box = kind([ipywidgets.Label("x"), ipywidgets.VBox([ipywidgets.HBox([panel])])])
    data = shown(notebook, box)
    assert set(data) == {MIME_TYPE, VIEW, "text/html", "text/plain"}
    assert data[MIME_TYPE] == {"version": 1, "model_id": panel.model_id, "container": box.model_id}
    assert data[VIEW]["model_id"] == box.model_id
    assert "\nStops at " in data["text/plain"]
    assert set(shown(notebook, kind([ipywidgets.Label("x")]))) == {VIEW, "text/plain"}


def test_two_panels(notebook: Notebook) -> None:
    """Each has its own model; in one container the first one stands for both."""
    first, second = autostop.panel(), autostop.panel()
    assert first.model_id != second.model_id
    box = ipywidgets.VBox([second, first])
    assert shown(notebook, box)[MIME_TYPE]["model_id"] == second.model_id


def test_closed(notebook: Notebook) -> None:
    """A closed panel shows nothing but that, by itself and in a container."""
    panel = autostop.panel()
    box = ipywidgets.VBox([panel])
    panel.close()
    assert shown(notebook, panel) == {"text/plain": "AutostopPanel(closed)"}
    assert set(shown(notebook, box)) == {VIEW, "text/plain"}
    box.close()
    assert set(shown(notebook, box)) == {"text/plain"}


def test_traits_follow_the_page(notebook: Notebook) -> None:
    """One message from the page changes all of them, observers hear of it, and nothing is sent in return."""
    panel = autostop.panel()
    heard: list[Any] = []
    panel.observe(lambda change: heard.append(change["new"]), "deadline")
    messages = sent(panel)
    later = {"stop_timestamp": notebook.fake.state()["server_time"] + 3 * HOUR, "kept_by": "server"}
    state = {**panel.state, "version": "c.d", "deadline": later, "holds": [{"id": "h"}]}
    from_the_page(panel, state=state, version="c.d", deadline=later, holds=[{"id": "h"}], auto_stop=state["auto_stop"])
    assert heard == [later]
    assert (panel.version, panel.holds) == ("c.d", [{"id": "h"}])
    assert messages == []


def test_the_parts_are_the_states(notebook: Notebook) -> None:
    """A page that writes the State alone gets the parts from the kernel; there are no two truths."""
    panel = autostop.panel()
    messages = sent(panel)
    from_the_page(panel, state={**panel.state, "deadline": None, "problem": {"code": "x", "message": "y", "hint": ""}})
    assert (panel.deadline, panel.problem["code"]) == (None, "x")
    assert {name for message in messages for name in message["state"]} == {"deadline", "problem"}


@pytest.mark.parametrize("found", [None, "7.8.5"])
def test_without_ipywidgets(notebook: Notebook, found: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is missing or too old the panel shows by its MIME type, and one line says what the widget adds."""
    if found is None:
        monkeypatch.setitem(sys.modules, "ipywidgets", None)
    else:
        monkeypatch.setattr(ipywidgets, "__version__", found)
    with pytest.raises(MissingWidgetsError, match="needs ipywidgets 8 or newer in this kernel's environment"):
        _ = autostop.AutostopPanel
    for text in ("%autostop", "import jupyter_autostop as autostop\nautostop.panel()"):
        cell = notebook.run(text)
        assert (cell.error, cell.stderr) == (None, "")
        [output] = cell.outputs
        assert set(output.data) == {MIME_TYPE, "text/html", "text/plain"}
        assert output.data[MIME_TYPE] == {"version": 1, "model_id": None, "widget": False}
        for shown_as in ("text/plain", "text/html"):
            assert "kept by ModelArts" in output.data[shown_as]
            assert output.data[shown_as].count("pip install ipywidgets") == 1
    assert notebook.run("%autostop status").error is None


def test_with_ipywidgets_nothing_is_missed(notebook: Notebook) -> None:
    """The line about the widget is not said where there is one."""
    assert "pip install" not in shown(notebook, autostop.panel())["text/plain"]


def test_nothing_is_loaded_before_a_panel_is_made(tmp_path: Path) -> None:
    """The magic and the functions load no widgets, and no comm is opened before there is a panel."""
    code = """
from IPython.core.interactiveshell import InteractiveShell
import sys
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_autostop")
shell.run_cell("import jupyter_autostop as autostop\\nautostop.status, autostop.hold, autostop.on_stop_soon")
shell.run_cell("%autostop status")
print(sorted({"ipywidgets", "comm", "jupyter_server", "httpx", "pydantic", "jsonschema"} & set(sys.modules)))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], env=own_environment(tmp_path), capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"
