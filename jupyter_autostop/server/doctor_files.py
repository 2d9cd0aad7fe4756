"""The doctor's checks of files and folders: it opens what the server reports on, and looks at who owns it.

Blocking: to be called beside the event loop. Nothing is changed, and no file is left behind.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from jupyter_autostop.disk import PATIENCE_S, is_there, names_in, shown, within
from jupyter_autostop.state import Check
from jupyter_autostop.storage.files import opened, why_not_ours
from jupyter_autostop.storage.journal_file import LARGEST, JournalFile
from jupyter_autostop.storage.slots import ENDING, RECORD_SIZE, DamagedRecordError, RecordFile
from jupyter_autostop.storage.state_dir import try_folder

_OTHERS = stat.S_IWGRP | stat.S_IWOTH
_ANOTHER_FOLDER = "Set `state_dir` to a folder of yours, on a disk that is not full, and restart the Jupyter server."
_ANOTHER_RUNTIME = (
    "Set JUPYTER_RUNTIME_DIR to a folder of yours that only you can write, and restart the Jupyter server."
)
_PUT_ASIDE = "It is moved aside before the next change is written, as …damaged-1; nothing in it counts."


def check(name: str, ok: bool, message: str, hint: str = "") -> Check:
    """Return one finding; `hint` says what to do where it is not good."""
    return {"name": name, "ok": ok, "message": message, "hint": hint}


def patiently(name: str, place: Path, look: Callable[[], Check]) -> Check:
    """Return what `look` finds, or that the disk does not answer."""
    try:
        return within(PATIENCE_S, place, look)
    except OSError as error:
        return check(name, False, f"{shown(place)} cannot be looked at: {error.strerror or error}.", _ANOTHER_FOLDER)


class FileChecks:
    """Looks at what one server keeps; `place` is where its files lie, `None` where no folder will do."""

    def __init__(self, state_dir: str, instance_id: str, place: Path | None, runtime: Path, work: Path) -> None:
        self._state_dir = Path(state_dir)
        self._instance_id = instance_id
        self._place = place
        self._runtime = runtime
        self._work = work

    def state_dir(self) -> Check:
        """Return whether the folder that was asked for keeps what is written there."""
        folder = self._state_dir
        has_record = bool(self._instance_id) and is_there(folder / f"{self._instance_id}{ENDING}")
        why = try_folder(folder, 0 if has_record else RECORD_SIZE)
        elsewhere = self._place if self._place != folder else None
        if not why and elsewhere and self._instance_id:
            why = "could not be used when this server started"
        if why:
            instead = f"; what is kept lies in {shown(elsewhere)} meanwhile" if elsewhere else ""
            return check("state_dir", False, f"{shown(folder)} {why}{instead}.", _ANOTHER_FOLDER)
        if self._work not in (folder, *folder.parents) and is_there(self._work):
            hint = f"Set `state_dir` to a folder below {self._work}."
            return check("state_dir", False, f"{shown(folder)} is wiped when the instance stops.", hint)
        return check("state_dir", True, f"{shown(folder)} can be written, and keeps what was written.")

    def record(self) -> Check:
        """Return whether the record of holds can be read and written."""
        if not self._instance_id:
            return check("record", False, "Not tried: the instance is not known.", NOT_TRIED)
        if self._place is None:
            return check("record", False, "There is no folder for the record of holds.", _ANOTHER_FOLDER)
        file = RecordFile(self._place, self._instance_id)
        return patiently("record", self._place, lambda: self._open_record(file))

    def _open_record(self, file: RecordFile) -> Check:
        where = shown(file.path)
        try:
            record = file.load()
            if record is None:
                why = try_folder(file.path.parent, RECORD_SIZE)
                hint = _ANOTHER_FOLDER if why else ""
                said = f"{shown(file.path.parent)} {why}." if why else f"Nothing is held; it will be made at {where}."
                return check("record", not why, said, hint)
            with opened(file.path, os.O_RDWR, own=True):
                pass
        except DamagedRecordError as error:
            return check("record", False, f"{where} is no record of this server: {error}.", _PUT_ASIDE)
        except OSError as error:
            hint = f"Make it yours to read and write, or move it away: {where}"
            return check("record", False, f"{where} cannot be opened: {error.strerror or error}.", hint)
        holds = len(record.holds)
        said = f"{holds} hold{'' if holds == 1 else 's'}" if holds else "nothing is held"
        return check("record", True, f"{where} can be read and written: {said}.")

    def journal(self, file: JournalFile | None) -> Check:
        """Return whether the journal can be read and written."""
        if file is None:
            if not self._instance_id:
                return check("journal", False, "Not tried: the instance is not known.", NOT_TRIED)
            return check("journal", False, "The journal is kept in memory only.", _ANOTHER_FOLDER)
        return patiently("journal", file.path.parent, lambda: self._open_journal(file))

    def _open_journal(self, file: JournalFile) -> Check:
        where = shown(file.path)
        try:
            if not is_there(file.path):
                return check("journal", True, f"Nothing was changed yet; it will be made at {where}.")
            entries = file.read()
            with opened(file.path, os.O_WRONLY | os.O_APPEND, own=True) as descriptor:
                size = os.fstat(descriptor).st_size
        except OSError as error:
            hint = _PUT_ASIDE if why_not_ours(file.path) else f"Make it yours to write, or move it away: {where}"
            return check("journal", False, f"{where} cannot be opened: {error.strerror or error}.", hint)
        if size > LARGEST and not entries:
            return check("journal", False, f"{where} is large, and no journal.", _PUT_ASIDE)
        return check("journal", True, f"{where} can be read and written.")

    def runtime_dir(self) -> Check:
        """Return whether Jupyter's runtime folder is this user's alone."""
        folder = self._runtime
        if why := try_folder(folder):
            return check("runtime_dir", False, f"{shown(folder)} {why}.", _ANOTHER_RUNTIME)
        return patiently("runtime_dir", folder, lambda: self._look_at_runtime(folder))

    def _look_at_runtime(self, folder: Path) -> Check:
        status = folder.stat()
        where = shown(folder)
        if status.st_uid not in (os.geteuid(), 0):
            message = f"{where} belongs to another user ({status.st_uid})."
            return check("runtime_dir", False, message, _ANOTHER_RUNTIME)
        if status.st_mode & _OTHERS and not status.st_mode & stat.S_ISVTX:
            message = f"Others can write in {where} (mode {stat.S_IMODE(status.st_mode):04o})."
            return check("runtime_dir", False, message, f"Close it with: chmod 700 {where}")
        return check("runtime_dir", True, f"{where} can be written, and is yours.")

    def foreign_locks(self) -> Check | None:
        """Return the finding about lock files that are not this user's; `None` where there are none."""
        stem = f"jupyter_autostop-{self._instance_id}."
        for name in names_in(self._runtime) if self._instance_id else []:
            path = self._runtime / name
            if name.startswith(stem) and name.endswith(".lock") and (why := why_not_ours(path)):
                return check("locks", False, f"{shown(path)} is no lock of yours: {why}.", "Remove it.")
        return None

    def capability(self, path: Path | None) -> Check:
        """Return whether the file is there by which kernels and terminals get in."""
        without = "Kernels and terminals need this server's token meanwhile."
        if path is None:
            message = f"The file could not be written when this server started. {without}"
            return check("capability", False, message, _ANOTHER_RUNTIME)
        return patiently("capability", path.parent, lambda: self._look_at_capability(path, without))

    def _look_at_capability(self, path: Path, without: str) -> Check:
        where = shown(path)
        try:
            with opened(path, os.O_RDONLY, own=True) as descriptor:
                mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
        except OSError as error:
            why = error.strerror or str(error)
            return check("capability", False, f"{where}: {why}. {without}", "Restart the Jupyter server.")
        if mode & ~0o700:
            hint = f"Close it with: chmod 600 {where}"
            return check("capability", False, f"Others can open {where} (mode {mode:04o}).", hint)
        return check("capability", True, f"{where} lets your kernels and terminals in.")


NOT_TRIED = "Correct first what is marked above."
"""The hint of a check that needs another one to be good."""
