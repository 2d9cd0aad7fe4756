"""Front ends without ours, VS Code above all: its kernels are driven as it drives them, and nothing answers a widget.

VS Code starts a kernel of its own machine itself, with no Jupyter server above it; of another machine's, it asks a
Jupyter server for a session. Either way the magic must work, and what is shown must be true where there are no buttons.
"""

from __future__ import annotations

import os
import re
import secrets
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from jupyter_client import BlockingKernelClient
from jupyter_client.connect import write_connection_file
from processes import (
    JupyterServer,
    emulated,
    ended,
    is_ready,
    own_environment,
    running_emulator,
    running_jupyter,
    wait_for,
)

from jupyter_autostop.kernel.panel import MIME_TYPE

LOAD = "%load_ext jupyter_autostop\nimport jupyter_autostop as autostop, os, time"
DATE = re.compile(r"^As of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \S+; this picture does not move\.$", re.MULTILINE)
HOW = "write in a cell: %load_ext jupyter_autostop and then %autostop extend 2h, %autostop until 18:00"


class Cell(NamedTuple):
    """What a cell showed: each output's bundle, what it printed to standard error or raised, its error, its comms."""

    shown: list[dict[str, Any]]
    stderr: str
    error: str
    comms: list[str]


class Kernel:
    """A kernel at the other end of its channels, where nobody answers when it opens a comm."""

    def __init__(self, file: Path) -> None:
        self._channels = BlockingKernelClient(connection_file=str(file))
        self._channels.load_connection_file()
        self._channels.start_channels()

    def get_ready(self, notebook: str) -> None:
        """Wait for it, and tell it what VS Code tells a kernel."""
        wait_for(lambda: is_ready(self._channels))
        self.run(f"__vsc_ipynb_file__ = {notebook!r}", silent=True)
        assert self.run(LOAD) == Cell([], "", "", [])

    def start(self, code: str) -> None:
        self._channels.execute(code)

    def run(self, code: str, *, silent: bool = False) -> Cell:
        cell = Cell([], "", "", [])

        def hear(message: Any) -> None:
            nonlocal cell
            kind, content = message["msg_type"], message["content"]
            if kind in ("display_data", "execute_result"):
                cell.shown.append(content["data"])
            elif kind == "stream" and content["name"] == "stderr":
                cell = cell._replace(stderr=cell.stderr + content["text"])
            elif kind == "error":
                cell = cell._replace(stderr=cell.stderr + "".join(f"{line}\n" for line in content["traceback"]))
            elif kind == "comm_open":
                cell.comms.append(content["target_name"])

        reply = self._channels.execute_interactive(
            code, silent=silent, allow_stdin=False, output_hook=hear, timeout=60, stop_on_error=False
        )
        return cell._replace(error=reply["content"].get("ename", ""))

    def close(self) -> None:
        self._channels.stop_channels()


def without_widgets(folder: Path) -> str:
    """Make an environment that has all of this one but ipywidgets, and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    own = next((folder / "lib").glob("python*")) / "site-packages"
    for entry in Path(sysconfig.get_path("purelib")).iterdir():
        if not entry.name.startswith(("ipywidgets", "jupyterlab_widgets", "widgetsnbextension")):
            (own / entry.name).symlink_to(entry)
    return str(folder / "bin" / "python")


@contextmanager
def of_vscode(environment: dict[str, str], folder: Path, python: str = sys.executable) -> Iterator[Kernel]:
    """Start a kernel as VS Code does on its own machine."""
    file = Path(environment["JUPYTER_RUNTIME_DIR"]) / f"kernel-v3{secrets.token_hex(20)}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_connection_file(str(file), key=secrets.token_hex(16).encode())
    told = {"VSCODE_PID": str(os.getpid()), "VSCODE_CWD": str(folder), "VSCODE_IPC_HOOK": str(folder / "main.sock")}
    command = [python, "-m", "ipykernel_launcher", f"--f={file}"]
    process = subprocess.Popen(command, env={**environment, **told}, cwd=folder, stderr=subprocess.DEVNULL)
    with ended(process):
        kernel = Kernel(file)
        try:
            kernel.get_ready(str(folder / "train.ipynb"))
            yield kernel
        finally:
            kernel.close()


@contextmanager
def of_server(server: JupyterServer, folder: Path) -> Iterator[Kernel]:
    """Have a Jupyter server start a kernel, in a session of the kind of name that VS Code gives it."""
    name = f"train-jvsc-{secrets.token_hex(8)}.ipynb"
    wish = {"path": name, "name": name, "type": "notebook", "kernel": {"name": "python3"}}
    with server.client() as client:
        session = client.post("api/sessions", json=wish).raise_for_status().json()
        kernel = Kernel(server.folder / "runtime" / f"kernel-{session['kernel']['id']}.json")
        try:
            kernel.get_ready(str(folder / "train.ipynb"))
            yield kernel
        finally:
            kernel.close()
            client.delete(f"api/sessions/{session['id']}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("jupyter")
    with (
        running_emulator("--remaining", "50m") as endpoint,
        running_jupyter(folder, settings=emulated(endpoint)) as one,
    ):
        yield one


@pytest.fixture(scope="module", params=["beside a server", "of a server"])
def kernel(request: pytest.FixtureRequest, server: JupyterServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("notebooks")
    local = request.param == "beside a server"
    with of_vscode(server.environment, folder) if local else of_server(server, folder) as kernel:
        yield kernel


def state(client: httpx.Client) -> Any:
    return client.get("jupyter-autostop/instance").raise_for_status().json()


def only(cell: Cell) -> dict[str, Any]:
    """Return the one thing that a cell without an error shows."""
    assert (cell.stderr, cell.error) == ("", "")
    [bundle] = cell.shown
    return bundle


def test_the_panel_is_a_picture(kernel: Kernel) -> None:
    """The State, with its date and what to write instead of clicking, as text and as HTML; no widget to wait for."""
    for code in ("%autostop", "autostop.panel()"):
        cell = kernel.run(code)
        bundle = only(cell)
        assert set(bundle) == {MIME_TYPE, "text/html", "text/plain"}
        assert "jupyter.widget" in cell.comms
        [line] = only(kernel.run("%autostop status"))["text/plain"].splitlines()
        told = bundle["text/plain"]
        assert told.splitlines()[0].partition(" (in ")[0] == line.partition(" (in ")[0]
        assert told.startswith("[emulator] Stops at ")
        assert DATE.search(told)
        assert HOW in told
        for part in told.splitlines():
            assert part in bundle["text/html"]


def test_the_magic_works(kernel: Kernel, server: JupyterServer) -> None:
    """What it does is so at the server, and is told as text and as HTML."""
    with server.client() as client:
        before = state(client)["deadline"]["stop_timestamp"]
        bundle = only(kernel.run("%autostop extend 1h"))
        after = state(client)["deadline"]
        assert (after["stop_timestamp"] - before, after["kept_by"]) == (3_600_000, "server")
        assert "Kept by this server; " in bundle["text/plain"]
        assert re.search(r"As of \d{4}-\d\d-\d\d", bundle["text/html"])
        assert "This run stops at " in only(kernel.run("%autostop on"))["text/plain"]
        assert state(client)["deadline"]["kept_by"] == "platform"


def test_a_held_cell(kernel: Kernel, server: JupyterServer) -> None:
    """It is known as a kernel's, by the notebook's own name, and ends with its cell."""
    cell = kernel.run(
        "%%autostop hold --max 2h\nheld = autostop.status()['holds']\nheld[0]['owner']['kind'], held[0]['reason']"
    )
    begun, ended_, value = (bundle["text/plain"] for bundle in cell.shown)
    assert begun.startswith("[emulator] Held while this cell runs, until ")
    assert ended_.startswith("[emulator] The hold has ended.")
    assert value == "('kernel', 'a cell of train.ipynb')"
    with server.client() as client:
        assert state(client)["holds"] == []


def test_a_kernel_without_ipywidgets(server: JupyterServer, tmp_path: Path) -> None:
    """Shows the panel by its MIME type beside its picture, opens no comm, and says in one line what is missing."""
    with of_vscode(server.environment, tmp_path, without_widgets(tmp_path / "venv")) as kernel:
        assert kernel.run("import ipywidgets").error == "ModuleNotFoundError"
        for code in ("%autostop", "autostop.panel()"):
            cell = kernel.run(code)
            bundle = only(cell)
            assert bundle[MIME_TYPE] == {"version": 1, "model_id": None, "widget": False}
            assert set(bundle) == {MIME_TYPE, "text/html", "text/plain"}
            assert bundle["text/plain"].startswith("[emulator] Stops at ")
            assert DATE.search(bundle["text/plain"])
            assert bundle["text/plain"].splitlines()[-1].startswith("With ipywidgets 8 in this kernel's environment")
            assert cell.comms == []


def test_a_kernel_that_vscode_kills(server: JupyterServer, tmp_path: Path) -> None:
    """Its hold ends with it, though no server has started it."""
    with server.client() as client, of_vscode(server.environment, tmp_path) as kernel:
        pid = int(only(kernel.run("os.getpid()"))["text/plain"])
        kernel.start("%%autostop hold\ntime.sleep(600)")
        wait_for(lambda: state(client)["holds"])
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not state(client)["holds"])


def test_without_a_server(tmp_path: Path) -> None:
    """Each command is one sentence, which says what to do; the panel says that nothing is known, and when that was."""
    # As of a server that has ended since.
    environment = {**own_environment(tmp_path), "JPY_PARENT_PID": str(os.getpid())}
    with of_vscode(environment, tmp_path) as kernel:
        missing = "No Jupyter server of yours is running on this machine. Start JupyterLab or `jupyter autostop serve`."
        for line in ("%autostop status", "%autostop extend 1h", "%autostop off", "%%autostop hold\nx = 1"):
            assert kernel.run(line) == Cell([], f"NotDoneError: {missing}\n", "NotDoneError", [])
        assert kernel.run("x").error == "NameError"
        assert kernel.run("autostop.status()").error == "ClientError"
        bundle = only(kernel.run("%autostop"))
        first, date, how = bundle["text/plain"].splitlines()
        assert first == f"It is not known when this instance stops. {missing}"
        assert DATE.fullmatch(date)
        assert HOW in how
        for part in (first, date, how):
            assert part in bundle["text/html"]
