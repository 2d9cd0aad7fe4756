"""A lock that lasts as long as the work: how a server sees the end of a process that it cannot see.

The process ids of a container mean nothing outside it, while a folder can be shared. The operating system lets go of
the lock when the last process that has the file open ends, however it ends. Standard library only.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_autostop.storage.runtime_dir import runtime_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

_FILE = "jupyter_autostop-work-{}.lock"


class WorkLock:
    """A lock of this process, and of those forked from it while it is held."""

    def __init__(self, name: str, path: Path, descriptor: int) -> None:
        self.name = name
        self._path = path
        self._descriptor: int | None = descriptor

    @classmethod
    def take(cls, environ: Mapping[str, str]) -> WorkLock | None:
        """Return a new lock in Jupyter's runtime folder, `None` where there can be none."""
        name = uuid.uuid4().hex
        try:
            path = runtime_folder(environ) / _FILE.format(name)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except (OSError, RuntimeError):  # no home, no folder
            return None
        lock = cls(name, path, descriptor)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.remove()
            return None
        return lock

    def pass_on(self) -> None:
        """Let the program that this process becomes hold it."""
        if self._descriptor is not None:
            os.set_inheritable(self._descriptor, True)

    def let_go(self) -> None:
        """Let go of it, so that a server can see that."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Let go of it, and leave nothing behind."""
        if self._descriptor is not None:
            with suppress(OSError):  # the folder may be gone
                self._path.unlink()
            self.let_go()


def is_held(folder: Path, name: str) -> bool | None:
    """Tell whether a process holds a lock, `None` where that cannot be found out.

    A free one stays where it is, since it is the evidence until the end of the hold is on the disk.
    """
    try:
        descriptor = os.open(folder / _FILE.format(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        # Shared, since two servers may look at the same time.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    else:
        return False
    finally:
        os.close(descriptor)
