"""The keeper in real servers that live: two on one record, kernels, a full disk, a polite end."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from keeper_rig import HOUR, PRIOR, Rig, Server

from jupyter_autostop.emulator import defaults
from jupyter_autostop.storage.locks import FileLocks

GRACE = 900


def hold(rig: Rig, server: Server, minutes: int = 60, **body: Any) -> dict[str, Any]:
    """Hold until so many minutes after the platform's own stop time, if there is one left, or after now."""
    until = (rig.cloud.stop_at or rig.cloud.now()) + minutes * 60_000
    answer = server.ask("POST", "holds", {"until": until, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def stops_in_time(rig: Rig, server: Server, until: int) -> None:
    """Let a deadline come: not before it the instance stops, and soon after it."""
    rig.cloud.advance((until - rig.cloud.now()) / 1000 - 10)
    server.look()
    assert rig.cloud.stopped_at is None
    rig.cloud.advance(10)
    rig.until(lambda: server.look() and rig.cloud.stopped_at)
    assert rig.cloud.stopped_at >= until
    rig.until(lambda: server.look() and rig.cloud.setting == PRIOR)


def test_a_hold_outlives_an_emptied_folder_and_its_server(rig: Rig) -> None:
    """Somebody empties the folder, and soon after the server is killed: the next one knows the hold all the same."""
    server = rig.server("--AutostopApp.refresh_interval=3600")
    until = hold(rig, server, then="stop")["until"]
    rig.until(lambda: server.client.get("instance").json()["deadline"])
    record = rig.folder / "state" / f"{defaults.INSTANCE_ID}.keeper"
    rig.cloud.control("DELETE", "requests")
    shutil.rmtree(rig.folder / "state")
    rig.until(record.exists)
    assert rig.cloud.requests == []
    server.end()
    stops_in_time(rig, rig.server(), until)


# Two servers


def test_the_other_server_takes_over(rig: Rig) -> None:
    """One is killed; the other knows the hold, and stops the run in time."""
    first, second = rig.server(), rig.server()
    until = hold(rig, first, then="stop")["until"]
    assert [known["until"] for known in second.look()["holds"]] == [until]
    first.end()
    stops_in_time(rig, second, until)


def test_both_keep_one_deadline_and_stop_once(rig: Rig) -> None:
    """Two live servers at the deadline: one stop is sent that counts, and the settings come back once."""
    first, second = rig.server(), rig.server()
    until = hold(rig, first, then="stop")["until"]
    second.look()
    rig.cloud.advance((until - rig.cloud.now()) / 1000)
    rig.until(lambda: first.look() and second.look() and rig.cloud.stopped_at)
    rig.until(lambda: first.look() and second.look() and rig.cloud.setting == PRIOR)
    stops = [seen for seen in rig.cloud.requests if seen["method"] == "POST" and seen["status"] == 200]
    assert len(stops) == 1


def test_a_hold_is_ended_at_another_server(rig: Rig) -> None:
    """And the run is the platform's again, for both."""
    first, second = rig.server(), rig.server()
    own = rig.cloud.stop_at
    made = hold(rig, first)
    assert second.ask("DELETE", f"holds/{made['id']}").status_code == 200
    for server in (first, second):
        state = server.look()
        assert state["holds"] == []
        assert state["deadline"] == {"stop_timestamp": own, "kept_by": "platform"}
    assert rig.cloud.setting == PRIOR


def test_holds_of_two_servers_at_once(rig: Rig) -> None:
    """Both are there, the later one counts, and nothing is owed after their end."""
    first, second = rig.server(), rig.server()
    early, late = hold(rig, first, 30), hold(rig, second, 60)
    state = first.look()
    assert {known["id"] for known in state["holds"]} == {early["id"], late["id"]}
    assert state["deadline"]["stop_timestamp"] == max(early["until"], late["until"])
    assert first.ask("DELETE", f"holds/{late['id']}").status_code == 200
    assert second.ask("DELETE", f"holds/{early['id']}").status_code == 200
    assert rig.cloud.setting == PRIOR


def test_a_server_is_seen_from_its_first_moment(tmp_path: Path) -> None:
    """Another server looks who is there all the time, and clears away what dead ones left."""
    looker = FileLocks(tmp_path, "DE-1")
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            looker._is_alone()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(2000):
            locks = FileLocks(tmp_path, "DE-1")
            assert looker._is_held(locks._file(locks.me))
            locks._close()
    finally:
        ended.set()
        thread.join()
        looker._close()


# Kernels


def new_kernel(server: Server) -> str:
    answer = server.client.post(f"{server.url}api/kernels", json={"name": "python3"})
    return str(answer.raise_for_status().json()["id"])


def test_a_kernels_hold_ends_with_the_kernel(rig: Rig) -> None:
    """Shut down or restarted: the platform's own stop time counts again."""
    server = rig.server()
    own = rig.cloud.stop_at
    for end in ("DELETE", "restart"):
        kernel = new_kernel(server)
        made = hold(rig, server, kernel_id=kernel)
        assert made["owner"] == {"kind": "kernel", "kernel_id": kernel}
        rig.until(lambda: server.look()["deadline"]["kept_by"] == "server")
        route = f"{server.url}api/kernels/{kernel}"
        answer = server.client.delete(route) if end == "DELETE" else server.client.post(f"{route}/restart")
        answer.raise_for_status()
        rig.until(lambda: server.look()["deadline"] == {"stop_timestamp": own, "kept_by": "platform"})
        assert server.look()["holds"] == []


def test_a_kernels_hold_ends_when_the_kernel_dies(rig: Rig) -> None:
    """By itself, as by running out of memory; the server restarts it, and that is another one."""
    server = rig.server()
    kernel = new_kernel(server)
    hold(rig, server, kernel_id=kernel)
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text(encoding="ascii").split()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGKILL)
    rig.until(lambda: not server.look()["holds"] and rig.cloud.setting == PRIOR)


def test_a_kernel_is_judged_by_its_own_server(rig: Rig) -> None:
    """The other server knows no such kernel and leaves its hold alone, until the kernel's server is gone."""
    first, second = rig.server(), rig.server()
    made = hold(rig, first, kernel_id=new_kernel(first))
    for _ in range(3):
        rig.cloud.advance(60)
        assert [known["id"] for known in second.look()["holds"]] == [made["id"]]
    first.end()
    rig.until(lambda: not second.look()["holds"] and rig.cloud.setting == PRIOR)


def test_an_unknown_kernel_holds_nothing(rig: Rig) -> None:
    """The contract's error, and auto-stop stays on."""
    server = rig.server()
    until = (rig.cloud.stop_at or 0) + 60_000
    answer = server.ask("POST", "holds", {"until": until, "kernel_id": "00000000-0000-4000-8000-000000000000"})
    assert answer.status_code in (400, 404)
    assert set(answer.json()) >= {"message", "code", "hint", "request_id"}
    assert rig.cloud.setting == PRIOR


def test_a_commands_hold_ends_with_its_process(rig: Rig) -> None:
    """`pid`: a process of this machine."""
    server = rig.server()
    with subprocess.Popen(["sleep", "3600"]) as command:
        made = hold(rig, server, pid=command.pid)
        assert made["owner"]["kind"] == "command"
        assert [known["id"] for known in server.look()["holds"]] == [made["id"]]
        command.kill()
    rig.until(lambda: not server.look()["holds"] and rig.cloud.setting == PRIOR)


# A full disk


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Make a folder a file system of its own; who is not root goes without."""
    folder.mkdir(exist_ok=True)
    mounted = os.geteuid() == 0 and not subprocess.call(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        if mounted:
            subprocess.check_call(["umount", "--lazy", str(folder)])


def fill(folder: Path, server: Server) -> None:
    """Leave no byte on the disk; where it is not small, forbid a server to let any file grow."""
    if folder.is_mount():
        with (folder / "filling").open("wb", buffering=0) as file, suppress(OSError):
            while file.write(bytes(64)):
                pass
        return
    largest = max((path.stat().st_size for path in folder.rglob("*") if path.is_file()), default=0)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (largest, largest))


def test_a_hold_ends_on_a_full_disk(rig: Rig) -> None:
    """By hand: what was promised and what is owed can still be written."""
    with small_disk(rig.folder / "state"):
        server = rig.server()
        own = rig.cloud.stop_at
        made = hold(rig, server)
        fill(rig.folder / "state", server)
        answer = server.ask("DELETE", f"holds/{made['id']}")
        assert answer.status_code == 200, answer.text
        assert server.look()["deadline"] == {"stop_timestamp": own, "kept_by": "platform"}
        assert rig.cloud.setting == PRIOR
        server.end()


def test_a_run_is_stopped_on_a_full_disk(rig: Rig) -> None:
    """In time, by a server that was killed and started again too."""
    with small_disk(rig.folder / "state"):
        server = rig.server()
        until = hold(rig, server, then="stop")["until"]
        fill(rig.folder / "state", server)
        server.end()
        server = rig.server()
        fill(rig.folder / "state", server)
        stops_in_time(rig, server, until)
        server.end()


def test_a_hold_on_a_full_disk_is_refused_or_kept(rig: Rig) -> None:
    """Where nothing can be promised, nothing is: the run keeps its stop, and the answer says why."""
    with small_disk(rig.folder / "state"):
        server = rig.server()
        fill(rig.folder / "state", server)
        until = (rig.cloud.stop_at or 0) + 60_000
        answer = server.ask("POST", "holds", {"until": until})
        if answer.status_code == 201:
            server.end()
            server = rig.server()
            assert server.look()["deadline"] == {"stop_timestamp": until, "kept_by": "server"}
        else:
            assert set(answer.json()) >= {"message", "code", "hint", "request_id"}
            assert rig.cloud.setting == PRIOR
            assert rig.cloud.stop_at == until - 60_000
        server.end()


# A polite end


def test_a_shutdown_hands_the_run_back(rig: Rig) -> None:
    """SIGTERM, the platform's own stop time still to come: that one counts again, and the holds are over."""
    server = rig.server()
    own = rig.cloud.stop_at
    hold(rig, server)
    begun = time.monotonic()
    assert os.waitstatus_to_exitcode(server.end(signal.SIGTERM)) == 0
    assert time.monotonic() - begun < 20
    assert (rig.cloud.stop_at, rig.cloud.setting) == (own, PRIOR)
    state = rig.server().look()
    assert (state["holds"], state["deadline"]) == ([], {"stop_timestamp": own, "kept_by": "platform"})


@pytest.mark.parametrize("left", [30, -600])
def test_a_shutdown_too_late_leaves_the_hold_to_the_next_server(rig: Rig, left: int) -> None:
    """SIGTERM near or after the platform's own stop time: nothing is given back that would end the run at once."""
    server = rig.server()
    until = hold(rig, server, then="stop")["until"]
    rig.cloud.advance(HOUR - left)
    server.look()
    assert os.waitstatus_to_exitcode(server.end(signal.SIGTERM)) == 0
    rig.cloud.advance(60)
    assert rig.cloud.state["status"] == "RUNNING"
    server = rig.server()
    assert server.look()["deadline"] == {"stop_timestamp": until, "kept_by": "server"}
    stops_in_time(rig, server, until)


def test_the_next_server_stops_a_run_whose_time_has_passed(rig: Rig) -> None:
    """Without being asked: nobody was there at the deadline."""
    server = rig.server()
    until = hold(rig, server, then="stop")["until"]
    server.end()
    rig.cloud.advance((until - rig.cloud.now()) / 1000 + HOUR)
    assert rig.cloud.state["status"] == "RUNNING"
    server = rig.server()
    rig.until(lambda: rig.cloud.stopped_at)
    rig.until(lambda: server.look() and rig.cloud.setting == PRIOR)


def test_only_the_last_server_hands_the_run_back(rig: Rig) -> None:
    """The first of two ends, and the run stays held."""
    first, second = rig.server(), rig.server()
    own = rig.cloud.stop_at
    until = hold(rig, first)["until"]
    second.look()
    first.end(signal.SIGTERM)
    assert second.look()["deadline"] == {"stop_timestamp": until, "kept_by": "server"}
    second.end(signal.SIGTERM)
    assert (rig.cloud.stop_at, rig.cloud.setting) == (own, PRIOR)


def test_a_shutdown_is_not_held_up_by_the_platform(rig: Rig) -> None:
    """It hangs: the server ends all the same, and the record says what is owed."""
    server = rig.server()
    until = hold(rig, server)["until"]
    rig.cloud.fault("hang", times=0)
    assert os.waitstatus_to_exitcode(server.end(signal.SIGTERM)) == 0
    rig.cloud.heal()
    server = rig.server()
    rig.until(lambda: server.look()["deadline"])
    deadline = server.look()["deadline"]
    assert deadline["stop_timestamp"] in (until, until - HOUR * 1000)
    assert (deadline["kept_by"] == "platform") == (rig.cloud.stop_at is not None)
