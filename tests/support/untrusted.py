"""Notebooks of an unknown author: what opening one may do, and what it takes to trust it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import nbformat
from browser import Tab
from panels import IS_IDLE, RUN
from playwright.sync_api import Locator, expect
from processes import JupyterServer, wait_for

from jupyter_autostop.kernel.panel import MIME_TYPE

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
TRUST_HINT = "Trust this notebook to use the controls."
WRITES = """<b>drawn</b><img src="missing" onerror="(async () => {
  const { baseUrl } = JSON.parse(document.getElementById('jupyter-config-data').textContent);
  const headers = { 'Content-Type': 'application/json', 'X-XSRFToken': document.cookie.match('_xsrf=([^;]*)')[1] };
  const body = JSON.stringify({ type: 'file', format: 'text', content: '' });
  await fetch(baseUrl + 'api/contents/FILE', { method: 'PUT', headers, body });
  AND_STOPS
})()">"""
"""What a widget's state may hold: it writes a file, as the user who looks at it."""
STOPS = "await fetch(baseUrl + 'jupyter-autostop/stop', { method: 'POST', headers });"


def html_widget(name: str, value: str) -> dict[str, Any]:
    """Return the saved state of an `ipywidgets.HTML`, by the ids of its models."""

    def model(kind: str, module: str, version: str, **state: Any) -> dict[str, Any]:
        return {"model_name": kind, "model_module": module, "model_module_version": version, "state": state}

    parts = {"layout": f"IPY_MODEL_{name}-layout", "style": f"IPY_MODEL_{name}-style"}
    return {
        name: model("HTMLModel", "@jupyter-widgets/controls", "2.0.0", value=value, **parts),
        f"{name}-layout": model("LayoutModel", "@jupyter-widgets/base", "2.0.0"),
        f"{name}-style": model("HTMLStyleModel", "@jupyter-widgets/controls", "2.0.0"),
    }


def shown(panel: dict[str, Any], widget: str = "") -> Any:
    """Return an output of a panel; with a widget, as a container's."""
    view = {WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": widget}} if widget else {}
    bundle = {"text/plain": "x", "text/html": "<p>x</p>", **view, MIME_TYPE: panel}
    return nbformat.v4.new_output("display_data", bundle)


def write_untrusted(folder: Path, name: str, value: str, *, source: str = "", **states: str) -> None:
    """Write a notebook whose first cell shows a widget in four ways; `states` are further widgets' values."""
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    saved = html_widget("first", value)
    for widget, more in states.items():
        saved |= html_widget(widget, more)
    state = {"version_major": 2, "version_minor": 0, "state": saved}
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    outputs = [
        shown({"version": 1, "model_id": "x"}, "first"),
        shown({"version": 1, "model_id": None, "container": "first"}, "first"),
        shown({"version": 1, "model_id": "first"}, "first"),
        shown({"version": 1, "model_id": None}),
    ]
    book.cells = [nbformat.v4.new_code_cell("name", outputs=outputs), nbformat.v4.new_code_cell(source)]
    (folder / name).write_text(nbformat.writes(book), encoding="utf-8")


def write_captured(folder: Path, name: str) -> None:
    """Write a notebook whose cell shows an `ipywidgets.Output` that holds a panel."""
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    saved = html_widget("first", "")
    held = {"output_type": "display_data", "metadata": {}, "data": dict(shown({"version": 1, "model_id": None}).data)}
    saved["captured"] = {
        "model_name": "OutputModel",
        "model_module": "@jupyter-widgets/output",
        "model_module_version": "1.0.0",
        "state": {"outputs": [held], "layout": "IPY_MODEL_first-layout"},
    }
    state = {"version_major": 2, "version_minor": 0, "state": saved}
    book.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": state}
    outputs = [shown({"version": 1, "model_id": None, "container": "captured"}, "captured")]
    book.cells = [nbformat.v4.new_code_cell("name", outputs=outputs)]
    (folder / name).write_text(nbformat.writes(book), encoding="utf-8")


def check_captured(tab: Tab) -> None:
    """Check that it is a picture until the notebook is trusted, and the card in the widget from then on."""
    output = _open(tab, "jupyterlab", "captured.ipynb").first
    _expect_picture(output)
    expect(output.locator(".jupyter-widgets, .widget-output")).to_have_count(0)
    trust(tab)
    inside = output.locator(".widget-output, .jupyter-widget-output")
    expect(inside.get_by_role("button", name="Extend 1 h")).to_be_enabled()
    expect(output.locator(".jp-AutostopCard:visible")).to_have_count(1)


def check_untrusted(tab: Tab, server: JupyterServer, module: str, *, widgets: bool) -> None:
    """Check that a hostile notebook gets pictures alone, and its trusted twin the controls and its own widgets."""
    _check_hostile(tab, server, module, widgets=widgets)
    _check_twin(tab, server, module, widgets=widgets)


def trust(tab: Tab) -> None:
    """Trust the notebook in front, as its user."""
    tab.page.evaluate("() => { void window.jupyterapp.commands.execute('notebook:trust') }")
    tab.page.get_by_role("dialog").get_by_role("button", name="Trust").click()


def _open(tab: Tab, module: str, name: str) -> Locator:
    """Open a notebook, wait for its kernel, and return the outputs of its first cell."""
    lab = f"lab/workspaces/{Path(name).stem}/tree/{name}"
    tab.open(lab if module == "jupyterlab" else f"notebooks/{name}")
    tab.page.wait_for_function(IS_IDLE)
    return tab.page.locator(".jp-Notebook .jp-Cell").first.locator(".jp-OutputArea-child")


def _expect_picture(output: Locator) -> None:
    expect(output.locator(".jp-AutostopCard:visible")).to_contain_text(TRUST_HINT)
    expect(output.locator(".jp-AutostopCountdown")).to_have_text(re.compile(r"^\d+ (h \d+ )?min$"))
    expect(output.locator("button, input, textarea")).to_have_count(0)
    expect(output.get_by_text("drawn")).to_have_count(0)


def _check_hostile(tab: Tab, server: JupyterServer, module: str, *, widgets: bool) -> None:
    work = server.folder / "work"
    hostile = WRITES.replace("AND_STOPS", STOPS).replace("FILE", "owned.py")
    witness = WRITES.replace("AND_STOPS", "").replace("FILE", "witness.py")
    bundle = {WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": "witness"}}
    source = f"from IPython.display import display\ndisplay({bundle!r}, raw=True)"
    write_untrusted(work, "hostile.ipynb", hostile, source=source, witness=witness)
    outputs = _open(tab, module, "hostile.ipynb")
    for index in range(4):
        _expect_picture(outputs.nth(index))
    if module == "jupyterlab":
        # The same outputs in a view of their own.
        tab.page.evaluate(
            """async () => {
              window.jupyterapp.shell.currentWidget.content.activeCellIndex = 0;
              await window.jupyterapp.commands.execute('notebook:create-output-view');
            }"""
        )
        view = tab.page.locator(".jp-LinkedOutputView .jp-OutputArea-child")
        for index in range(4):
            _expect_picture(view.nth(index))
        tab.page.evaluate("() => window.jupyterapp.shell.currentWidget.close()")
    if widgets:
        # What the user runs is trusted, so the same kind of script does run from there, after all that came before it.
        tab.page.evaluate(RUN, 1)
        wait_for((work / "witness.py").exists)
    assert not (work / "owned.py").exists()
    with server.client() as client:
        state = client.get("jupyter-autostop/instance", params={"refresh": 1}).raise_for_status().json()
    assert state["instance"]["status"] == "RUNNING"


def _check_twin(tab: Tab, server: JupyterServer, module: str, *, widgets: bool) -> None:
    """Check a notebook of harmless content, before and after the user trusts it."""
    write_untrusted(server.folder / "work", "twin.ipynb", "<b>drawn</b>")
    outputs = _open(tab, module, "twin.ipynb")
    for index in range(4):
        _expect_picture(outputs.nth(index))
    trust(tab)
    expect(outputs.nth(3).get_by_role("button", name="Extend 1 h")).to_be_visible()
    for index in range(3):
        drawn, card = outputs.nth(index).get_by_text("drawn"), outputs.nth(index).locator(".jp-AutostopCard:visible")
        expect(drawn).to_have_count(1 if widgets else 0)
        expect(card).to_have_count(0 if widgets else 1)
    expect(tab.page.get_by_text(TRUST_HINT)).to_have_count(0)


def without_widgets(folder: Path) -> dict[str, str]:
    """Return the settings of a server whose pages have no ipywidgets."""
    config = folder / "bare" / "labconfig"
    config.mkdir(parents=True)
    off = {"disabledExtensions": {"@jupyter-widgets/jupyterlab-manager": True}}
    (config / "page_config.json").write_text(json.dumps(off), encoding="utf-8")
    return {"JUPYTER_CONFIG_PATH": str(folder / "bare")}
