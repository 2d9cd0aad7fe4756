"""A held cell and the tab it was started from: the cell goes on without its page, and its hold with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import Tab
from panels import LOAD, OPTIONS, SLEEPING, Cloud, Notebook
from playwright.sync_api import Browser, expect
from processes import JupyterServer, emulated, ended, running_emulator, running_jupyter, wait_for

pytestmark = pytest.mark.browser


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with running_emulator("--remaining", "50m") as endpoint, closing(Cloud(endpoint)) as cloud:
        yield cloud


@pytest.fixture
def server(cloud: Cloud, tmp_path: Path) -> Iterator[JupyterServer]:
    with running_jupyter(tmp_path, *OPTIONS, module="jupyterlab", settings=emulated(cloud.endpoint)) as server:
        yield server


def holds(client: httpx.Client) -> list[Any]:
    found: list[Any] = client.get("jupyter-autostop/instance").raise_for_status().json()["holds"]
    return found


def is_on(cloud: Cloud) -> bool:
    """Return whether auto-stop is on at the platform."""
    return bool(cloud.ask("GET", "/instance")["state"]["auto_stop"]["enable"])


def see_an_owner_gone(server: JupyterServer, client: httpx.Client) -> None:
    """Have the server find the owner of another hold gone: it has looked for all of them since this began."""
    command = [sys.executable, "-m", "jupyter_autostop", "hold", "--", "sh", "-c", "echo $$; exec sleep 600"]
    before = len(holds(client))
    program = subprocess.Popen(command, env=server.environment, stdout=subprocess.PIPE, text=True)
    with ended(program):
        assert program.stdout is not None
        held = int(program.stdout.readline())
        # First the one that would end the hold itself.
        program.kill()
        program.wait()
        os.kill(held, signal.SIGKILL)
    wait_for(lambda: len(holds(client)) == before)


def test_a_closed_tab(browser: Browser, server: JupyterServer, cloud: Cloud) -> None:
    """Held until the cell ends, as if somebody looked, and not a moment longer."""
    tab = Tab(browser, server)
    with closing(tab), server.client() as client:
        notebook = Notebook(tab, server, "held.ipynb", [LOAD, f"%%autostop hold --max 8h\n{SLEEPING}"]).open()
        notebook.run(0)
        notebook.start_long(1)
        expect(notebook.card(0)).to_contain_text("a cell of held.ipynb")
        [hold] = holds(client)
        tab.page.close()
        wait_for(lambda: [kernel["connections"] for kernel in client.get("api/kernels").json()] == [0])
        see_an_owner_gone(server, client)
        assert (holds(client), is_on(cloud)) == ([hold], False)
        notebook.go.touch()
        wait_for(lambda: not holds(client))
        wait_for(lambda: is_on(cloud))
        # By the cell, at its end, and not by a server that found something gone.
        entries = client.get("jupyter-autostop/journal").json()["entries"]
        assert [
            entry["who"].split()[0] for entry in entries if entry["what"] == "end the hold “a cell of held.ipynb”"
        ] == ["kernel"]
