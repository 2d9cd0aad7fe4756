"""Opening a file that may by now be something else: a pipe would keep us waiting, a device would never end."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def opened(path: Path, flags: int) -> Iterator[int]:
    """Open a regular file and yield its descriptor, or raise `OSError`; one that is made is its owner's alone."""
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "it is no regular file")
        yield descriptor
    finally:
        os.close(descriptor)


def read_end(path: Path, most: int) -> tuple[int, bytes]:
    """Return a file's size and its last `most` bytes, or raise `OSError`."""
    with opened(path, os.O_RDONLY) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - most))
        return size, file.read(most)
