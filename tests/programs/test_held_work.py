"""Holds for work on a real server with real kernels and programs: whatever ends the work, ends its hold."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from jupyter_client import BlockingKernelClient
from processes import JupyterServer, emulated, is_ready, running_emulator, running_jupyter, wait_for

from jupyter_autostop.emulator import defaults

LOAD = "%load_ext jupyter_autostop\nimport jupyter_autostop as autostop, os, time"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "50m") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def server(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with running_jupyter(tmp_path_factory.mktemp("jupyter"), settings=emulated(endpoint)) as server:
        yield server


@pytest.fixture
def client(server: JupyterServer) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client
        wait_for(lambda: state(client)["holds"] == [])


def state(client: httpx.Client) -> Any:
    return client.get("jupyter-autostop/instance").raise_for_status().json()


def enabled(endpoint: str) -> bool:
    """Return whether auto-stop is on at the platform."""
    with httpx.Client(base_url=endpoint, trust_env=False, headers={"X-Auth-Token": defaults.TOKEN}) as client:
        told = client.get(f"/v1/{defaults.PROJECT_ID}/demanager/instances/{defaults.INSTANCE_ID}").json()
    return bool(told["spec"]["auto_stop"]["enable"])


class Kernel:
    """A kernel that the server has started, as a page would use it."""

    def __init__(self, kernel_id: str, client: httpx.Client, channels: BlockingKernelClient) -> None:
        self.id, self._client, self._channels = kernel_id, client, channels
        self.run(LOAD)
        self.pid = int(self.run("print(os.getpid())"))

    def start(self, code: str) -> str:
        return str(self._channels.execute(code))

    def run(self, code: str) -> str:
        """Run a cell and return what it said."""
        said: list[str] = []

        def hear(message: Any) -> None:
            content = message["content"]
            data = content.get("data", {}).get("text/plain", "")
            said.append(content.get("text", "") or data or "\n".join(content.get("traceback", [])))

        self._channels.execute_interactive(code, output_hook=hear, timeout=60)
        return "".join(said)

    def run_cell(self, cell: str, code: str) -> None:
        """Run the code of a cell, whose id is told as JupyterLab tells it."""
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        request = self._channels.session.msg("execute_request", content, metadata={"cellId": cell})
        self._channels.shell_channel.send(request)
        while self._channels.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != request["header"]["msg_id"]:
            pass

    def hold(self, body: str = "time.sleep(600)", options: str = "--max 8h") -> Any:
        """Start a held cell and return its hold."""
        self.start(f"%%autostop hold {options}\n{body}")
        wait_for(lambda: state(self._client)["holds"])
        [hold] = state(self._client)["holds"]
        return hold

    def ask(self, what: str) -> None:
        self._client.post(f"api/kernels/{self.id}/{what}").raise_for_status()


@contextmanager
def running(server: JupyterServer, client: httpx.Client) -> Iterator[Kernel]:
    body = {"path": "train.ipynb", "name": "train.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    session = client.post("api/sessions", json=body).raise_for_status().json()
    kernel = session["kernel"]["id"]
    channels = BlockingKernelClient(connection_file=str(server.folder / "runtime" / f"kernel-{kernel}.json"))
    channels.load_connection_file()
    channels.start_channels()
    try:
        wait_for(lambda: is_ready(channels))
        yield Kernel(kernel, client, channels)
    finally:
        channels.stop_channels()
        client.delete(f"api/sessions/{session['id']}")


@pytest.fixture
def kernel(server: JupyterServer, client: httpx.Client) -> Iterator[Kernel]:
    with running(server, client) as kernel:
        yield kernel


def test_a_held_cell(kernel: Kernel, client: httpx.Client, endpoint: str) -> None:
    """While it runs, everybody sees who holds, why and until when; afterwards all is as before."""
    said = kernel.run("%%autostop hold --max 8h\nautostop.status()['holds'], autostop.status()['deadline']['kept_by']")
    assert "Held while this cell runs, until " in said
    assert f"'kernel_id': '{kernel.id}'" in said
    assert "'reason': 'a cell of train.ipynb'" in said
    assert "'server')" in said
    assert "The hold has ended." in said
    assert (state(client)["holds"], enabled(endpoint)) == ([], True)
    assert state(client)["deadline"]["kept_by"] == "platform"


@pytest.mark.parametrize(
    ("options", "reason"), [("", "a cell of final.ipynb"), ("--reason train.ipynb", "train.ipynb")]
)
def test_a_notebook_is_called_what_it_is_called_now(
    kernel: Kernel, client: httpx.Client, options: str, reason: str
) -> None:
    """The kernel knows the name of its start alone; what a person has written as the reason is left as it is."""
    [session] = [one for one in client.get("api/sessions").json() if one["kernel"]["id"] == kernel.id]
    client.patch(f"api/sessions/{session['id']}", json={"path": "runs/final.ipynb"}).raise_for_status()
    said = kernel.run(f"%%autostop hold --max 8h {options}\nautostop.status()['holds'][0]['reason']")
    assert f"'{reason}'" in said


ENDS: dict[str, Callable[[Kernel], None]] = {
    "interrupted": lambda kernel: kernel.ask("interrupt"),
    "restarted": lambda kernel: kernel.ask("restart"),
    "killed": lambda kernel: os.kill(kernel.pid, signal.SIGKILL),
    "shut down": lambda kernel: kernel._client.delete(f"api/kernels/{kernel.id}") and None,
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
def test_what_ends_a_cell_ends_its_hold(
    end: Callable[[Kernel], None], kernel: Kernel, client: httpx.Client, endpoint: str
) -> None:
    """Whether the cell notices or not."""
    hold = kernel.hold()
    assert hold["owner"] == {"kind": "kernel", "kernel_id": kernel.id}
    assert not enabled(endpoint)
    end(kernel)
    wait_for(lambda: state(client)["holds"] == [])
    wait_for(lambda: enabled(endpoint))


def test_an_error_ends_it(kernel: Kernel, client: httpx.Client) -> None:
    """And stays the cell's own."""
    said = kernel.run("%%autostop hold\n1 / 0")
    assert "ZeroDivisionError" in said
    assert state(client)["holds"] == []
    said = kernel.run(
        "with autostop.hold(max='2h', reason='a block'):\n    print(autostop.status()['holds'][0]['reason'])\n    1 / 0"
    )
    assert "a block" in said
    assert "ZeroDivisionError" in said
    assert state(client)["holds"] == []


def test_a_busy_cell_and_a_closed_page(kernel: Kernel, client: httpx.Client) -> None:
    """A hold stays as long as its cell runs, whoever looks; nobody needs to be connected."""
    kernel.hold("end = time.monotonic() + 6\nwhile time.monotonic() < end: pass", "--then restore")
    kernel._channels.stop_channels()
    seen = 0
    while state(client)["holds"]:
        seen += 1
    assert seen > 1


def run(server: JupyterServer, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "jupyter_autostop", "hold", *words]
    return subprocess.Popen(command, env=server.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_held_command(server: JupyterServer, client: httpx.Client, endpoint: str) -> None:
    """The same for a command in a terminal, also where both programs are killed."""
    program = run(server, "--max", "8h", "--reason", "lr sweep", "--", "sleep", "600")
    wait_for(lambda: state(client)["holds"])
    [hold] = state(client)["holds"]
    assert (hold["owner"], hold["reason"]) == ({"kind": "command"}, "lr sweep")
    assert not enabled(endpoint)
    program.terminate()
    said = program.communicate(timeout=30)[1]
    assert program.returncode == 128 + signal.SIGTERM
    assert "The hold has ended." in said
    assert (state(client)["holds"], enabled(endpoint)) == ([], True)

    program = run(server, "--", "sh", "-c", "echo $$; exec sleep 600")
    assert program.stdout is not None
    command = int(program.stdout.readline())
    program.kill()
    program.wait()
    for stream in (program.stdout, program.stderr):
        assert stream is not None
        stream.close()
    assert state(client)["holds"] != []
    os.kill(command, signal.SIGKILL)
    wait_for(lambda: state(client)["holds"] == [])


def test_then_stop(tmp_path: Path) -> None:
    """After the work the instance stops, and that is said."""
    with (
        running_emulator("--remaining", "50m") as endpoint,
        running_jupyter(tmp_path, "--AutostopApp.grace=1", settings=emulated(endpoint)) as server,
        server.client() as client,
    ):
        program = run(server, "--then", "stop", "--", "true")
        said = program.communicate(timeout=60)[1]
        assert program.returncode == 0
        assert "Then the instance stops; if that ends sooner, after this site's grace." in said.splitlines()[0]
        wait_for(lambda: state(client)["instance"]["status"] in ("STOPPING", "STOPPED"))


def test_a_cell_that_runs_again_replaces_all_it_has_given(kernel: Kernel) -> None:
    """What has no name of its own as well, also where it was edited meanwhile; what other cells gave stays."""
    registered = "print([handle.given.name for handle in autostop.on_stop_soon.all()])"
    twice = "for name in 'ab': autostop.on_stop_soon(lambda name=name: None)"
    kernel.run_cell("other", "autostop.on_stop_soon(lambda: 0)")
    kernel.run_cell("mine", f"{twice}\nautostop.on_stop_soon([].clear)")
    assert kernel.run(registered) == "['<lambda>', '<lambda>', '<lambda>', 'list.clear']\n"
    kernel.run_cell("mine", "autostop.on_stop_soon([].copy)")
    assert kernel.run(registered) == "['<lambda>', 'list.copy']\n"
    kernel.run_cell("mine", twice)
    assert kernel.run(registered) == "['<lambda>', '<lambda>', '<lambda>']\n"
    kernel.run("autostop.on_stop_soon.cancel_all()")
