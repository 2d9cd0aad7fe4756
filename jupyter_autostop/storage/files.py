"""Opening a file that may by now be something else: a pipe would keep us waiting, a device would never end.

What this server keeps counts only if this user has put it there: in a folder that others can write, whoever made a
file there could end holds or stop the instance.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_autostop.disk import is_there, no_odd_names

_KINDS: tuple[tuple[Callable[[int], bool], str], ...] = (
    (stat.S_ISLNK, "it is a link"),
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe"),
    (stat.S_ISSOCK, "it is a socket"),
    (lambda mode: not stat.S_ISREG(mode), "it is no regular file"),
)
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class NotOursError(OSError):
    """What lies in a file's place is no regular file of this user's; `strerror` says what it is instead."""


@contextmanager
def opened(path: Path, flags: int, *, own: bool = False) -> Iterator[int]:
    """Open a regular file and yield its descriptor, or raise `OSError`; one that is made is its owner's alone.

    `own`: it has to be this user's, which raises `NotOursError`; no link is followed to it.
    """
    follow = os.O_NOFOLLOW if own else 0
    with no_odd_names():
        try:
            descriptor = os.open(path, flags | follow | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        except OSError:
            if own and (why := why_not_ours(path)):
                raise NotOursError(None, why) from None
            raise
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise NotOursError(None, _kind(status.st_mode))
        if own and (why := _whose(path, status)):
            raise NotOursError(None, why)
        yield descriptor
    finally:
        os.close(descriptor)


def why_not_ours(path: Path) -> str:
    """Return why what lies at `path` is no regular file of this user's; empty where it is one, or nothing is seen."""
    try:
        status = os.lstat(path)
        return _kind(status.st_mode) or _whose(path, status)
    except (OSError, ValueError):
        return ""


def _kind(mode: int) -> str:
    return next((said for is_one, said in _KINDS if is_one(mode)), "")


def _whose(path: Path, status: os.stat_result) -> str:
    """Return why a file counts as other people's; empty for one of this user's or of root's."""
    trusted = {os.geteuid(), 0}
    if status.st_uid not in trusted:
        # Some storage shows everything as one user's, what is made here included.
        made_here = _owner_of_what_is_made(path.parent)
        if status.st_uid != made_here:
            return f"it belongs to another user ({status.st_uid})"
        trusted.add(made_here)
    others_folder = path.parent.stat().st_uid not in trusted
    if others_folder and status.st_mode & _WRITABLE_BY_OTHERS:
        return f"others can write it (mode {stat.S_IMODE(status.st_mode):04o}), in a folder of another user"
    return ""


def _owner_of_what_is_made(folder: Path) -> int | None:
    try:
        with tempfile.TemporaryFile(prefix=".autostop-trial-", dir=folder) as file:
            return os.fstat(file.fileno()).st_uid
    except OSError:
        return None


def may_be_moved(path: Path) -> bool:
    """Tell whether this user may rename what lies at `path`, where the folder can be written at all."""
    try:
        folder, status = path.parent.stat(), path.lstat()
    except (OSError, ValueError):
        return False
    return not folder.st_mode & stat.S_ISVTX or os.geteuid() in (0, folder.st_uid, status.st_uid)


def put_aside(path: Path) -> Path:
    """Move what lies at `path` out of the way, whatever it is, and return where it is now; may raise `OSError`."""
    number = 1
    while is_there(aside := path.with_name(f"{path.name}.damaged-{number}")):
        number += 1
    path.rename(aside)
    return aside


def atomic_write(path: Path, content: bytes) -> None:
    """Replace a file, its owner's alone, in one step: a crash leaves the old one or the new one. May raise `OSError`.

    A link in its place is replaced, not followed. A draft that a killed process leaves begins with the file's name.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f"{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)  # whatever the umask
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read_end(path: Path, most: int, *, own: bool = False) -> tuple[int, bytes]:
    """Return a file's size and its last `most` bytes, or raise `OSError`."""
    with opened(path, os.O_RDONLY, own=own) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return size, file.read(most)
