"""What was changed, when, by which means and with what result: for people, and never in the way of a change.

What cannot be written is kept in memory, said once in the log, and written when the disk takes it again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from jupyter_autostop.disk import shown
from jupyter_autostop.storage.journal_file import KEPT, Entry, JournalFile, make_entry

PATIENCE = 1.0
"""Seconds that anybody waits for a disk that hangs; it goes on behind."""
AGAIN = 60.0
"""Seconds after which a disk that has refused entries is tried again."""


def journal_file(directory: str | None, instance_id: str, lock_dir: str | None) -> JournalFile | None:
    """Return the file of one instance, so that instances which share a volume do not mix; `None` without a place."""
    if not directory or not instance_id:
        return None
    lock = Path(lock_dir) / f"jupyter_autostop-{instance_id}.lock" if lock_dir else None
    return JournalFile(Path(directory) / f"{instance_id}.journal.jsonl", lock)


class Journal:
    """The journal of one instance; without a file it lives as long as the server."""

    def __init__(self, file: JournalFile | None, log: logging.Logger) -> None:
        self._file = file
        self._log = log
        self._told = False
        self._stored: Sequence[Entry] = ()
        """What was in the file when it was last read."""
        self._waiting: deque[Entry] = deque(maxlen=KEPT)
        """What is not in the file yet."""
        self._disk = asyncio.Lock()
        self._saving: asyncio.Task[None] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._closing = False

    def note(self, at: int, who: str, what: str, result: str) -> None:
        """Enter a change (`at` in epoch ms): shown from now on, and in a moment on disk."""
        self._waiting.append(make_entry(at, who, what, result))
        self._start_saving()

    def _start_saving(self) -> None:
        if self._file is not None and self._waiting and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(self._save(self._file))

    async def secure(self) -> None:
        """Return once what was entered is on disk, as a rule: nobody waits for a disk that hangs."""
        if self._saving is not None and not self._saving.done():
            await asyncio.wait({self._saving}, timeout=PATIENCE)

    async def entries(self) -> list[Entry]:
        """Return the newest entries, newest first, those of other servers of this instance among them."""
        if self._file is not None:
            if self._reading is None or self._reading.done():
                self._reading = asyncio.create_task(self._read(self._file))
            await asyncio.wait({self._reading}, timeout=PATIENCE)
        return [*reversed(self._waiting), *reversed(self._stored)][:KEPT]

    async def close(self) -> None:
        """Give what is under way a moment, and what the disk has refused so far a last chance."""
        self._closing = True
        if self._again:
            self._again.cancel()
        self._start_saving()
        tasks = [task for task in (self._saving, self._reading) if task and not task.done()]
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE)

    async def _save(self, file: JournalFile) -> None:
        """Write what waits, in order, one call of the disk at a time."""
        while self._waiting:
            async with self._disk:
                batch = list(self._waiting)
                added, error = await asyncio.to_thread(file.append, batch)
                # What came meanwhile may have pushed the oldest out.
                for entry in batch[:added]:
                    if self._waiting and self._waiting[0] is entry:
                        self._waiting.popleft()
                self._stored = [*self._stored, *batch[:added]][-KEPT:]
                if file.aside is not None:
                    self._log.warning("jupyter_autostop: what lay in the journal's place is now %s", shown(file.aside))
                    file.aside = None
            if error is not None:
                self._tell("written", error)
                if self._again is not None:
                    self._again.cancel()
                if not self._closing:
                    self._again = asyncio.get_running_loop().call_later(AGAIN, self._start_saving)
                return
            self._told = False

    async def _read(self, file: JournalFile) -> None:
        async with self._disk:
            try:
                self._stored = await asyncio.to_thread(file.read)
            except OSError as error:
                self._tell("read", error)

    def _tell(self, what: str, error: OSError) -> None:
        if not self._told and self._file is not None:
            self._told = True
            self._log.warning(
                "jupyter_autostop: the journal %s cannot be %s (%s); it is kept in memory meanwhile",
                self._file.path,
                what,
                error.strerror or error,
            )
