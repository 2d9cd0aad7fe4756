"""A server that finds a record sees to it, where nobody looks; one that finds none asks and loads nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
from processes import emulated, running_emulator, running_jupyter, wait_for

from jupyter_autostop.storage.slots import RecordFile, something_kept
from jupyter_autostop.storage.state_dir import choose_place


def state(control: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = control.get("/_emulator/instance").json()["state"]
    return found


def test_a_killed_servers_hold_is_kept_by_the_next(tmp_path: Path) -> None:
    """After SIGKILL the record stands; the next server finds the dead kernel's hold and gives the run back, unasked."""
    folder = tmp_path / "state"
    options = (f"--AutostopApp.state_dir={folder}", "--AutostopApp.grace=60")
    with (
        running_emulator() as endpoint,
        httpx.Client(base_url=endpoint, trust_env=False) as control,
    ):
        first = tmp_path / "first"
        first.mkdir()
        with running_jupyter(first, *options, settings=emulated(endpoint)) as server, server.client() as client:
            kernel = client.post("api/kernels", json={}).json()["id"]
            now = client.get("jupyter-autostop/instance").json()["server_time"]
            wish = {"until": now + 7_200_000, "kernel_id": kernel}
            assert client.post("jupyter-autostop/holds", json=wish).status_code == 201
            assert state(control)["run"]["stop_at"] is None
            os.kill(server.pid, signal.SIGKILL)
        assert something_kept(folder)
        assert state(control)["run"]["stop_at"] is None
        second = tmp_path / "second"
        second.mkdir()
        with running_jupyter(second, *options, settings=emulated(endpoint)):
            wait_for(lambda: state(control)["run"]["stop_at"] is not None)
            wait_for(lambda: not something_kept(folder))
        assert state(control)["auto_stop"] == {"enable": True, "duration": 3600, "prompt": True}


def test_without_a_record_nothing_is_asked(tmp_path: Path) -> None:
    """A server that nobody looks at makes no call, and a server that ends cleanly leaves nothing held."""
    with (
        running_emulator() as endpoint,
        httpx.Client(base_url=endpoint, trust_env=False) as control,
        running_jupyter(tmp_path, settings=emulated(endpoint)) as server,
        server.client() as client,
    ):
        client.get("api/status").raise_for_status()
        end = time.monotonic() + 1
        while time.monotonic() < end:
            assert control.get("/_emulator/requests").json()["requests"] == []
        now = client.get("jupyter-autostop/instance").json()["server_time"]
        held = client.post("jupyter-autostop/holds", json={"until": now + 7_200_000})
        assert held.status_code == 201
        os.kill(server.pid, signal.SIGTERM)
        wait_for(lambda: state(control)["run"]["stop_at"] is not None)


def test_a_place_that_cannot_serve_is_replaced(tmp_path: Path, monkeypatch: Any) -> None:
    """The next best folder is taken, with the reason; one that has a record already is taken whatever it is like."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    bad = tmp_path / "file"
    bad.write_text("somebody's", encoding="utf-8")
    place, why = choose_place(str(bad), "DE-1.keeper")
    assert place == tmp_path / "data" / "autostop"
    assert str(bad) in why
    good = tmp_path / "good"
    assert choose_place(str(good), "DE-1.keeper") == (good, "")
    assert choose_place("", "DE-1.keeper") == (tmp_path / "data" / "autostop", "")
    assert RecordFile(good, "DE-1").load() is None
