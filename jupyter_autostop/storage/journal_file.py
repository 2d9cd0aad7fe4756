"""The journal on disk: one line of JSON for each change, added at the end, cut from time to time.

Several servers may share the file. A line is one write at its end (`O_APPEND`), so two never mix, and it begins with
the line break, so that one which a crash or a full disk left half written spoils no other. A cut replaces the file:
it reads the file anew and takes a lock, as every addition does, so that no line of another server is lost. The lock
lies in the runtime directory, since `state_dir` may be on storage without locks; servers of two machines on one
volume have no common lock, and there a line written in the very moment of a cut may be lost.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TypedDict

from jupyter_autostop.disk import make_folder
from jupyter_autostop.foreign_text import one_line
from jupyter_autostop.storage.files import NotOursError, atomic_write, opened, put_aside, read_end

KEPT = 500
"""Entries that a cut leaves, and that are shown at most."""
LARGEST = 256 * 1024
"""Bytes; a longer file is cut, and no more of one is read."""
LOCK_PATIENCE = 1.0
"""Seconds to wait for a server that holds the lock; one that was stopped in the middle may hold it for ever."""
LONGEST = {"who": 80, "what": 160, "result": 400}
"""Characters of an entry's texts."""
_NEWEST = 10**14


class Entry(TypedDict):
    """One change; `at` in epoch ms on the platform's clock."""

    at: int
    who: str
    what: str
    result: str


def make_entry(at: int, who: str, what: str, result: str) -> Entry:
    """Return an entry fit to be shown anywhere."""
    return {
        "at": at,
        "who": one_line(who, LONGEST["who"]),
        "what": one_line(what, LONGEST["what"]),
        "result": one_line(result, LONGEST["result"]),
    }


def _parse(line: bytes) -> Entry | None:
    """Return the entry of a line, `None` for one that was left half written or is not ours."""
    try:
        data: Any = json.loads(line.decode("utf-8"))
        at, texts = data["at"], [data[key] for key in LONGEST]
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    if type(at) is not int or not 0 < at < _NEWEST or not all(isinstance(text, str) for text in texts):
        return None
    entry = make_entry(at, *texts)
    return entry if all(entry.values()) else None


def _line(entry: Entry) -> bytes:
    return b"\n" + json.dumps(entry, ensure_ascii=False).encode()


class JournalFile:
    """The journal of one instance; `lock` is a file of this machine's, `None` where no other server writes."""

    def __init__(self, path: Path, lock: Path | None) -> None:
        self.path = path
        self._lock = lock
        self.aside: Path | None = None
        """Where what lay in the journal's place and was no journal of ours has been moved to."""

    def read(self) -> list[Entry]:
        """Return the newest entries, oldest first; raise `OSError` where the file is there and cannot be read."""
        try:
            _, raw = read_end(self.path, LARGEST, own=True)
        except FileNotFoundError:
            return []
        return [entry for entry in map(_parse, raw.split(b"\n")) if entry][-KEPT:]

    def append(self, entries: Sequence[Entry]) -> tuple[int, OSError | None]:
        """Add entries; return how many of them are in the file now, and why the others are not."""
        try:
            make_folder(self.path.parent)
            return self._append(entries)
        except NotOursError:
            pass
        except OSError as error:
            return 0, error
        try:
            self.aside = put_aside(self.path)
            return self._append(entries)
        except OSError as error:
            return 0, error

    def _append(self, entries: Sequence[Entry]) -> tuple[int, OSError | None]:
        """Do what `append` does; raise `NotOursError` where something else lies in the journal's place."""
        added = 0
        try:
            with ExitStack() as opening:
                with self._locked() as locked:
                    if self._to_be_cut(locked=locked):
                        self._replace([*self.read(), *entries])
                        return len(entries), None
                    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
                    file = opening.enter_context(opened(self.path, flags, own=True))
                    for entry in entries:
                        line = _line(entry)
                        if os.write(file, line) < len(line):
                            raise OSError(None, "the disk is full")  # noqa: TRY301 - told like any other
                        added += 1
                # The slow part keeps nobody else waiting.
                os.fsync(file)
        except NotOursError:
            raise
        except OSError as error:
            return added, error
        return added, None

    def _to_be_cut(self, *, locked: bool) -> bool:
        try:
            size = self.path.lstat().st_size
        except FileNotFoundError:
            return False
        if size <= LARGEST:
            return False
        if not self.read():
            raise NotOursError(None, "it is large, and no journal")
        # Rather a line of another server lost than a disk filled.
        return locked or size > 4 * LARGEST

    def _replace(self, entries: Sequence[Entry]) -> None:
        """Put the newest of `entries` in the file's place, in one step."""
        lines: list[bytes] = []
        left = LARGEST // 2
        for entry in reversed(entries[-KEPT:]):
            line = _line(entry)
            left -= len(line)
            if left < 0:
                break
            lines.append(line)
        atomic_write(self.path, b"".join(reversed(lines)))

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the lock, if it can be had in time; yield whether it is held."""
        with ExitStack() as stack:
            yield self._lock is None or _take(self._lock, stack)


def _take(lock: Path, stack: ExitStack) -> bool:
    """Take the lock until `stack` is left; tell whether it could be had."""
    end = time.monotonic() + LOCK_PATIENCE
    try:
        file = stack.enter_context(opened(lock, os.O_RDWR | os.O_CREAT, own=True))
        while not (held := _try_lock(file)) and time.monotonic() < end:
            time.sleep(0.002)
    except OSError:
        # A folder without locks, or none at all: a line is still one write, and a cut reads the file first.
        return False
    return held


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
