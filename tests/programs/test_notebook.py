"""The magic and the functions in real notebooks: nbclient, a real kernel, a real server, the emulator behind it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbconvert import HTMLExporter
from paths import ROOT
from processes import JupyterServer, emulated, running_emulator, running_jupyter

EXAMPLE = ROOT / "jupyter_autostop" / "example.ipynb"
LOAD = "%load_ext jupyter_autostop\nimport jupyter_autostop as autostop"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "50m") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def server(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with running_jupyter(tmp_path_factory.mktemp("jupyter"), settings=emulated(endpoint)) as server:
        yield server


def executed(server: JupyterServer, *cells: str, **more: Any) -> Any:
    """Run a notebook of these cells, the extension loaded by the first, and return it as it would be saved."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in (LOAD, *cells)])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", **more)
    client.execute(env=server.environment)
    nbformat.validate(notebook)
    return notebook


def outputs(notebook: Any, number: int) -> Any:
    return notebook["cells"][number]["outputs"]


def test_every_command(server: JupyterServer) -> None:
    """Each does at the platform what it says, in the words of the terminal."""
    notebook = executed(
        server,
        "%autostop status",
        "%autostop describe Tuning run 7, lr sweep",
        "%autostop off",
        "%autostop on 4h",
        "%autostop doctor",
        "%autostop",
    )
    status, described, off, on, doctor, panel = (outputs(notebook, number)[0]["data"] for number in range(1, 7))
    assert re.fullmatch(r"\[emulator\] Stops at .*\(in \d\d min\), kept by ModelArts", status["text/plain"])
    assert "Tuning run 7, lr sweep" in described["text/html"]
    assert "until you stop it" in off["text/plain"]
    assert "From the next start a run lasts 4 h." in on["text/plain"]
    assert doctor["text/plain"].startswith("ok  ")
    assert set(panel) == {"application/vnd.jupyter-autostop.panel+json", "text/html", "text/plain"}
    assert "this picture does not move" in panel["text/html"]


def test_the_functions_in_a_running_event_loop(server: JupyterServer) -> None:
    """Called at the top, in a coroutine and in threads, each blocks and answers."""
    notebook = executed(
        server,
        "state = autostop.status()\nprint(state['emulated'], state.deadline['kept_by'])",
        "async def later():\n    return autostop.describe('in a coroutine')['instance']['description']\n"
        "print(await later())",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    print({future.result()['emulated'] for future in [pool.submit(autostop.status) for _ in range(8)]})",
        "autostop.status()",
    )
    printed = ["".join(output.get("text", "") for output in outputs(notebook, number)) for number in (1, 2, 3)]
    assert printed == ["True platform\n", "in a coroutine\n", "{True}\n"]
    [shown] = outputs(notebook, 4)
    assert shown["output_type"] == "execute_result"
    assert "As of " in shown["data"]["text/html"]


def test_as_a_page(server: JupyterServer) -> None:
    """What nbconvert makes of a notebook has the panel's picture: the state, its date, and what to write instead."""
    page, _ = HTMLExporter().from_notebook_node(executed(server, "%autostop"))
    assert re.search(r"<strong>\[emulator\] [^<]*(Stops at|Auto-stop is off)", page)
    assert re.search(r"As of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+; this picture does not move\.", page)
    assert "%autostop extend 2h" in page


def test_misuse_stops_a_notebook(server: JupyterServer) -> None:
    """One sentence and no traceback, and what runs notebooks stops there as at any error."""
    with pytest.raises(CellExecutionError, match=r"NotDoneError: “90” has no unit; write 90m\."):
        executed(server, "%autostop extend 90")
    notebook = executed(server, "%autostop extend 90", "%autostop describe R&D", allow_errors=True)
    for number, words in ((1, "“90” has no unit; write 90m."), (2, "The description cannot contain “&”.")):
        [output] = outputs(notebook, number)
        assert output["output_type"] == "error"
        assert output["traceback"] == [f"NotDoneError: {output['evalue']}"]
        assert words in output["evalue"]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ('extend("banana")', "DurationError: “banana” is not a duration"),
        ("extend(seconds=1.5)", "DurationError: seconds=1.5 is no whole number"),
        ('until("25:00")', "DurationError: “25:00” is not a time"),
        ('describe("R&D")', "RefusedError: The description cannot contain “&”."),
    ],
)
def test_misuse_of_a_function_is_one_sentence(server: JupyterServer, call: str, words: str) -> None:
    """A person who mistypes a length is shown what is wrong with it, not the parser."""
    [output] = outputs(executed(server, f"autostop.{call}", allow_errors=True), 1)
    [line] = output["traceback"]
    assert line.startswith(words)


def test_on_stop_soon_tells_in_the_notebook(server: JupyterServer) -> None:
    """It runs while the main thread is busy, and its own words and ours stand below a cell."""
    notebook = executed(
        server,
        "import threading\ndone = threading.Event()\n"
        "def save():\n    print('saved', threading.current_thread() is threading.main_thread())\n    done.set()\n"
        "handle = autostop.on_stop_soon(save, before='23h')\nwhile not done.is_set():\n    sum(range(1000))",
        "handle.cancel(); handle._thread.join(); handle",
    )
    said = json.dumps(notebook["cells"])
    assert "saved False" in said
    assert "[autostop emulator] on_stop_soon: save has run in 0 s, since the instance stops at" in said
    assert "<on_stop_soon: save, 23 h before each stop; cancelled>" in said


def test_no_secret_is_in_a_notebook(server: JupyterServer) -> None:
    """Neither the server's token nor the capability's secret, also where things go wrong."""
    capability = next((server.folder / "runtime").glob("jpautostop-*.json"))
    secrets = {json.loads(capability.read_text(encoding="utf-8"))["secret"], server.token}
    notebook = executed(
        server,
        "%autostop",
        "autostop.status()",
        "from jupyter_autostop.kernel.context import open_client\nclient = open_client()\nclient, vars(client)",
        "client._server = __import__('dataclasses').replace(client._server, port=9)\nclient.instance()",
        "import ipywidgets\nipywidgets.Widget.get_manager_state()",
        "handle = autostop.hold()\nhandle, vars(handle)",
        allow_errors=True,
    )
    saved = nbformat.writes(notebook)
    assert "cannot be reached" in saved
    assert not [secret for secret in secrets if secret in saved]


def test_the_example(endpoint: str, tmp_path: Path) -> None:
    """Every cell of the notebook that the demo opens does what stands above it, without an error but the one meant."""
    notebook = nbformat.read(EXAMPLE, as_version=4)
    assert [cell for cell in notebook["cells"] if cell.get("outputs")] == []
    with running_jupyter(tmp_path, settings=emulated(endpoint)) as server:
        NotebookClient(notebook, timeout=60).execute(env=server.environment)
    said = {"".join(cell["source"]): json.dumps(cell.get("outputs"), ensure_ascii=False) for cell in notebook["cells"]}
    assert "application/vnd.jupyter-autostop.panel+json" in said["%autostop"]
    assert "Kept by this server; ModelArts' own auto-stop is off until then." in said["%autostop extend 2h"]
    assert "cannot contain" in said["%autostop describe R&D"]
    [held] = (output for source, output in said.items() if source.startswith("%%autostop hold"))
    assert "Held while this cell runs" in held
    assert "The hold has ended." in held
    # In words, and marked as the emulator's, each line once.
    [block] = (output for source, output in said.items() if "with autostop.hold" in source)
    assert ": a block of code" in block
    for source, output in said.items():
        assert "{'id'" not in output, source
        assert "] [emulator]" not in output, source
    assert "[emulator] Held while this cell runs" in held
    assert "[emulator] The hold has ended." in held
    assert "[autostop emulator] Held while sleep runs" in said["!jupyter autostop hold --max 1h -- sleep 1"]


def test_exported_html_asks_for_no_package_of_ours(server: JupyterServer) -> None:
    """The saved widgets are all ipywidgets' own, whose HTML widget shows the picture, also in containers."""
    notebook = executed(
        server,
        "%autostop",
        "import ipywidgets as w\nw.VBox([autostop.panel(), w.Label('beside')])",
        "t = w.Tab([w.HBox([autostop.panel()])])\nt",
    )
    page, _ = HTMLExporter().from_notebook_node(notebook)
    [saved] = re.findall(r'<script type="application/vnd\.jupyter\.widget-state\+json">(.*?)</script>', page, re.DOTALL)
    models = json.loads(saved)["state"].values()
    own = {"@jupyter-widgets/base", "@jupyter-widgets/controls"}
    assert {model["model_module"] for model in models} == own
    assert {value for model in models for key, value in model["state"].items() if key == "_view_module"} <= own
    panels = [model["state"] for model in models if "auto_stop" in model["state"]]
    assert len(panels) == 3
    for panel in panels:
        assert "Stops at" in panel["value"]
        assert "this picture does not move" in panel["value"]
