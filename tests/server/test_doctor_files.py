"""What lies in the place of the record, and the doctor's look at it: whatever it is, it is told, and holds go on."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Ask, ManualClock

from jupyter_autostop.domain.record import EMPTY, Hold, Owner, Pending, Record
from jupyter_autostop.emulator import defaults
from jupyter_autostop.server.doctor_files import FileChecks
from jupyter_autostop.state import Check
from jupyter_autostop.storage.journal_file import LARGEST, JournalFile
from jupyter_autostop.storage.slots import RecordFile, pack

NAME = f"{defaults.INSTANCE_ID}.keeper"
OTHER = 65534
AS_ROOT = os.geteuid() == 0


def pipe(path: Path) -> None:
    os.mkfifo(path)


def folder(path: Path) -> None:
    (path / "with something").mkdir(parents=True)


def link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def link_to_another(path: Path) -> None:
    RecordFile(path.parent, "other").save(replace(EMPTY, stop_at=1))
    path.symlink_to("other.keeper")


def bound_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # an address is short
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


def another_users(path: Path) -> None:
    RecordFile(path.parent, defaults.INSTANCE_ID).save(replace(EMPTY, stop_at=1, sent=1))
    os.chown(path, OTHER, OTHER)


def open_in_another_users_folder(path: Path) -> None:
    RecordFile(path.parent, defaults.INSTANCE_ID).save(replace(EMPTY, stop_at=1, sent=1))
    path.chmod(0o666)
    os.chown(path.parent, OTHER, OTHER)


def of_the_future(path: Path) -> None:
    record = replace(EMPTY, off="yes", pending=(Pending("off", 4_000_000_000_000),))
    RecordFile(path.parent, defaults.INSTANCE_ID).save(record)


def held_by_no_name(path: Path) -> None:
    hold = Hold("a", 4_000_000_000_000, "restore", Owner("kernel", "1-a\0b", "k"), 1)
    save(path, replace(EMPTY, holds=(hold,)))


def held_from_elsewhere(path: Path) -> None:
    hold = Hold("a", 4_000_000_000_000, "restore", Owner("kernel", "../../x", "k"), 1)
    save(path, replace(EMPTY, holds=(hold,)))


def held_for_ever(path: Path) -> None:
    save(path, replace(EMPTY, holds=(Hold("a", 10**30, "restore", Owner("person"), 1),)))


def no_text(path: Path) -> None:
    save(path, replace(EMPTY, run="a\0b", stop_at=1))


def save(path: Path, record: Record) -> None:
    path.write_bytes(pack(1, record, defaults.INSTANCE_ID))


OBSTACLES = [
    *(pipe, folder, link_to_nowhere, link_to_another, bound_socket, of_the_future),
    *(held_by_no_name, held_from_elsewhere, held_for_ever, no_text),
    *((another_users, open_in_another_users_folder) if AS_ROOT else ()),
]


class TestTheRecordsPlace:
    """A server that finds something else, or nonsense, where its record should be."""

    @pytest.fixture(params=OBSTACLES)
    def autostop_config(
        self, autostop_config: dict[str, Any], request: pytest.FixtureRequest, tmp_path: Path
    ) -> dict[str, Any]:
        (tmp_path / "state").mkdir()
        request.param(tmp_path / "state" / NAME)
        return autostop_config

    async def test_is_cleared_and_told(
        self, ask: Ask, tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is moved aside and told, the instance is not stopped by it, and a hold is kept."""
        state = (await ask("GET", "instance", params={"refresh": "1"})).json
        reply = await ask("POST", "holds", {"until": state["server_time"] + 7_200_000})
        assert reply.status == 201, reply.json
        assert (tmp_path / "state" / f"{NAME}.damaged-1").is_symlink() or (
            tmp_path / "state" / f"{NAME}.damaged-1"
        ).exists()
        entries = (await ask("GET", "journal")).json["entries"]
        assert any("It was damaged" in entry["result"] for entry in entries)
        state = (await ask("GET", "instance")).json
        assert state["instance"]["status"] == "RUNNING"
        assert [hold["id"] for hold in state["holds"]] == [reply.json["id"]]
        checks = {check["name"]: check for check in (await ask("GET", "doctor")).json["checks"]}
        assert (checks["record"]["ok"], "1 hold." in checks["record"]["message"]) == (True, True)
        assert "Traceback" not in caplog.text


def look(tmp_path: Path, **changes: Any) -> FileChecks:
    """Return the checks of a server whose files lie in `tmp_path`."""
    given: dict[str, Any] = {
        "state_dir": str(tmp_path),
        "instance_id": defaults.INSTANCE_ID,
        "place": tmp_path,
        "runtime": tmp_path / "runtime",
        "work": tmp_path / "absent",
        **changes,
    }
    return FileChecks(**given)


def fails(check: Check | None, message: str = "", hint: str = "") -> None:
    """Expect that a check fails, and what it says."""
    assert check is not None
    assert not check["ok"]
    assert message in check["message"]
    assert hint in check["hint"]


@pytest.mark.parametrize("make", [one for one in OBSTACLES if one is not of_the_future])
def test_the_record_is_opened(make: Callable[[Path], None], tmp_path: Path) -> None:
    """What is no record of this user's fails the check, which says what it is and what becomes of it."""
    make(tmp_path / NAME)
    check = look(tmp_path).record()
    assert not check["ok"]
    assert NAME in check["message"]
    assert "moved aside" in check["hint"]


def test_a_record_without_a_fault(tmp_path: Path) -> None:
    """None yet, none held, and no folder for one: each is said."""
    assert "Nothing is held" in look(tmp_path).record()["message"]
    RecordFile(tmp_path, defaults.INSTANCE_ID).save(EMPTY)
    assert "nothing is held" in look(tmp_path).record()["message"]
    assert not look(tmp_path, place=None).record()["ok"]
    assert look(tmp_path, instance_id="").record()["message"].startswith("Not tried")


def test_the_journal_is_opened(tmp_path: Path) -> None:
    """A large file that is no journal, a pipe and a place that is none fail; a journal does not."""
    file = JournalFile(tmp_path / "journal", None)
    assert look(tmp_path).journal(file)["ok"]
    file.path.write_bytes(b"x" * (LARGEST + 1))
    fails(look(tmp_path).journal(file), "no journal")
    file.path.unlink()
    os.mkfifo(file.path)
    fails(look(tmp_path).journal(file), "it is a pipe", "moved aside")
    assert not look(tmp_path).journal(None)["ok"]


def test_the_runtime_folder_is_looked_at(tmp_path: Path) -> None:
    """One that others can write, or that is a file, fails; so does a lock that is none."""
    checks = look(tmp_path)
    assert checks.runtime_dir()["ok"]
    (tmp_path / "runtime").chmod(0o777)
    fails(checks.runtime_dir(), hint="chmod 700")
    (tmp_path / "runtime").chmod(0o700)
    assert checks.foreign_locks() is None
    (tmp_path / "runtime" / f"jupyter_autostop-{defaults.INSTANCE_ID}.keeper.lock").symlink_to("nowhere")
    fails(checks.foreign_locks(), "it is a link")
    (tmp_path / "file").touch()
    assert not look(tmp_path, runtime=tmp_path / "file").runtime_dir()["ok"]
    if AS_ROOT:
        os.chown(tmp_path / "runtime", OTHER, OTHER)
        fails(checks.runtime_dir(), "another user")


def test_the_capability_is_looked_at(tmp_path: Path) -> None:
    """One that is gone, open to others, a link or was never written fails."""
    path = tmp_path / "jpautostop-1.json"
    checks = look(tmp_path)
    fails(checks.capability(path), "No such file")
    path.touch(0o644)
    fails(checks.capability(path), hint="chmod 600")
    path.chmod(0o600)
    assert checks.capability(path)["ok"]
    link = tmp_path / "jpautostop-2.json"
    link.symlink_to(path)
    fails(checks.capability(link), "it is a link")
    assert not checks.capability(None)["ok"]


def test_a_folder_that_failed_at_the_start(tmp_path: Path) -> None:
    """Where what is kept lies elsewhere, the check says so, also once the folder is there again."""
    (tmp_path / "other").mkdir()
    check = look(tmp_path, place=tmp_path / "other").state_dir()
    assert (check["ok"], str(tmp_path / "other") in check["message"]) == (False, True)
    assert look(tmp_path).state_dir()["ok"]
