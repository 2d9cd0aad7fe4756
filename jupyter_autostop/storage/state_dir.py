"""Which folder what is kept goes to. Blocking: to be called beside the event loop."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path

from jupyter_core.paths import jupyter_data_dir

from jupyter_autostop.disk import PATIENCE_S, is_there, make_folder, no_odd_names, shown, within
from jupyter_autostop.storage.files import may_be_moved, why_not_ours
from jupyter_autostop.storage.slots import RECORD_SIZE, something_kept

WORK = Path("/home/ma-user/work")
"""The only folder of a ModelArts instance that survives a stop."""
_START_PATIENCE_S = 2.0
"""How long the start of the Jupyter server may wait for that folder."""
_TRIAL = b"jupyter_autostop was here"


def default_state_dir(
    work: Path,
    data: Path,
    look: Callable[[Path], os.stat_result] = os.stat,
    patience_s: float = _START_PATIENCE_S,
) -> Path:
    """Return the folder for what must outlive a restart: below `work`, which survives a stop, where that exists.

    Where it exists and cannot be looked at, it is meant all the same: `choose_place` tells why, and takes another.
    """
    own = data / "autostop"
    try:
        found = within(patience_s, work, lambda: look(work))
    except (FileNotFoundError, NotADirectoryError):
        return own
    except OSError:
        return work / ".jupyter_autostop"
    return work / ".jupyter_autostop" if stat.S_ISDIR(found.st_mode) else own


def try_folder(folder: Path, room: int = 0, patience_s: float = PATIENCE_S) -> str:
    """Return why what must outlive a restart cannot be kept in `folder`; empty if it can.

    Tried: making it, writing through to the disk, writing in place, replacing a file in one step, and whether there is
    room for a file of `room` bytes. Object storage that looks like a folder often fails one of these.
    """
    try:
        return within(patience_s, folder, lambda: _try_folder(folder, room))
    except OSError as error:
        return f"cannot be used ({error.strerror or error})"


def _try_folder(folder: Path, room: int) -> str:
    make_folder(folder)
    with no_odd_names():
        descriptor, name = tempfile.mkstemp(prefix=".autostop-trial-", dir=folder)
    try:
        with os.fdopen(descriptor, "r+b") as file:
            os.posix_fallocate(descriptor, 0, max(room, len(_TRIAL)))
            file.write(b"\0" * len(_TRIAL))
            file.flush()
            os.fsync(descriptor)
            file.seek(0)
            file.write(_TRIAL)
            file.flush()
            os.fsync(descriptor)
        Path(name).replace(f"{name}.moved")
        name = f"{name}.moved"
        with open(name, "rb") as file:  # noqa: PTH123 - a name with an ending is not worth a path
            return "" if file.read(len(_TRIAL)) == _TRIAL else "does not give back what was written there"
    finally:
        Path(name).unlink(missing_ok=True)


def record_places(state_dir: str) -> list[Path]:
    """Return the folders that may hold the keeper's record, the best first."""
    own = Path(jupyter_data_dir()) / "autostop"
    named = [Path(state_dir)] if state_dir else []
    return [*named, *(place for place in [own] if place not in named)]


def is_something_kept(state_dir: str) -> bool:
    """Tell whether a record in one of the folders says that something is held or owed, or cannot be read."""
    return any(_keeps(place) for place in record_places(state_dir))


def _keeps(place: Path) -> bool:
    try:
        return within(PATIENCE_S, place, lambda: something_kept(place))
    except OSError:
        return False


def try_place(place: Path, file_name: str) -> str:
    """Return why the keeper's record cannot be kept in the folder `place`; empty if it can.

    One that has a record of this user's already is taken, whatever can be said of it: what is held must be found.
    """
    record = place / file_name
    try:
        there = within(PATIENCE_S, place, lambda: is_there(record))
    except OSError as error:
        return f"cannot be used ({error.strerror})"
    foreign = why_not_ours(record) if there else ""
    if there and not foreign:
        return ""
    if why := try_folder(place, RECORD_SIZE):
        return why
    if foreign and not may_be_moved(record):
        return f"cannot be used ({file_name}: {foreign})"
    return ""


def choose_place(
    state_dir: str, file_name: str, try_: Callable[[Path, str], str] = try_place
) -> tuple[Path | None, str]:
    """Return the folder for what is kept of an instance, and why it is not the best one; none where none will do."""
    reasons: list[str] = []
    for place in record_places(state_dir):
        why = try_(place, file_name)
        if not why:
            return place, "; ".join(reasons)
        reasons.append(f"{shown(place)} {why}")
    return None, "; ".join(reasons)
