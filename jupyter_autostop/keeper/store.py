"""The keeper's record in one server's custody: read, written, found lost or damaged, refused by the disk.

What this server knows is never less than what the disk gives back; what the disk lacks of it is written again.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from jupyter_autostop.domain.record import EMPTY, Record
from jupyter_autostop.errors import ConflictError, UnavailableError
from jupyter_autostop.platforms.writer import Writer
from jupyter_autostop.storage.locks import Locks
from jupyter_autostop.storage.slots import DamagedRecordError, Records

CLOCK_TOLERANCE_MS = 60_000
"""ms by which a write may be dated later than the platform's clock, whose answers come in whole seconds, and late."""


class Life(Protocol):
    """The life of the container this server runs in."""

    marker: str

    def age(self) -> float | None:
        """Return for how many seconds it has lasted, `None` where that is not known."""


class Custody:
    """Loads the record and keeps it, alone on this machine meanwhile."""

    def __init__(self, writer: Writer, records: Records, locks: Locks, life: Life, log: logging.Logger) -> None:
        self.writer = writer
        self.snapshot = writer.snapshot
        self.life = life
        self.notes: list[tuple[str, str]] = []
        """What was done of our own accord, and what came of it, for the journal."""
        self._records = records
        self._locks = locks
        self._log = log
        self._saved = EMPTY
        self._unsaved: Record | None = None
        """What counts in the place of `_saved`, where the disk refuses to take it."""

    @property
    def record(self) -> Record:
        """The record as it was when it was last looked at."""
        return self.snapshot.record

    def now(self) -> int:
        """Return the platform's time (ms)."""
        return self.writer.platform.time.now_ms()

    def note(self, what: str, result: str) -> None:
        """Keep something for the journal."""
        self.notes.append((what, result))

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Act alone; what was noted in the record and not saved on the way is saved at the end."""
        async with self._locks.operation(self._read) as found:
            await self._take_in(found)
            if self.unwritten:
                await self.keep(self.record)  # before anybody is asked who may not answer
            yield
            await self.keep(self.record)

    @property
    def unwritten(self) -> bool:
        """Whether the disk lacks what this server knows."""
        return self._unsaved is not None

    async def disturbed(self) -> bool:
        """Tell whether others have written or removed the record since this server did, or read it."""
        return await self._records.changed()

    async def stay(self) -> None:
        """Let this server be seen here by the others, also where its files have been removed meanwhile."""
        await self._locks.stay()

    async def mend(self) -> None:
        """Take in what others have noted, and write again what is gone from the disk; the platform is not asked."""
        async with self.operation():
            pass

    def _read(self) -> Record | DamagedRecordError | OSError | None:
        """Return what is on disk, `None` for nothing, or why that cannot be told."""
        try:
            return self._records.read()
        except (DamagedRecordError, OSError) as error:
            return error.with_traceback(None)

    async def _take_in(self, found: Record | DamagedRecordError | OSError | None) -> None:
        """Go by what was read; where it is lost, what this server knows counts, or auto-stop goes on the safe side."""
        if isinstance(found, DamagedRecordError):
            record = await self._damaged(str(found))
        elif isinstance(found, OSError):
            record = self._unreadable(found)
        elif found is not None and self._is_from_the_future(found):
            record = await self._damaged("a write in it is dated in the future")
        else:
            record = self._stored(found)
            self.snapshot.unkept = self.snapshot.unkept if self._unsaved else ""
        newest = self._newest(record)
        self.snapshot.record, self._saved = newest, record
        self._unsaved = newest if newest is not record else None

    def _unreadable(self, error: OSError) -> Record:
        """Return what this server knows, where the disk does not tell; `UnavailableError` where it knows nothing."""
        if not self._knows:
            raise UnavailableError(
                f"What this server keeps of the instance cannot be read ({error.strerror or error}).",
                code="record_unreadable",
                hint="See `jupyter autostop doctor`.",
            )
        self._disk_refuses("read", error)
        return self._saved

    def _is_from_the_future(self, record: Record) -> bool:
        """Tell whether a write is dated later than the platform's clock can be; it would be waited for until then."""
        latest = self.now() + CLOCK_TOLERANCE_MS
        return self.writer.platform.time.known and any(write.at > latest for write in record.pending)

    @property
    def _knows(self) -> bool:
        """Whether this server knows of something held or owed, whatever the disk says."""
        return self._unsaved is not None or not self._saved.idle

    def _stored(self, record: Record | None) -> Record:
        """Return what was read; where a record has gone from the disk, what was in it is still to be written."""
        if record is None and self._knows:
            self._lost("It was gone from the disk")
        return EMPTY if record is None else record

    def _lost(self, how: str) -> None:
        """Go on from what was read or written last, until the disk has it again."""
        self._log.error("jupyter_autostop: the keeper's record: %s; it is written again", how)
        self.note("keeper's record", f"{how}, so it is written again, as this server knew it.")
        self._saved, self._unsaved = EMPTY, self._unsaved or self._saved

    def _newest(self, record: Record) -> Record:
        """Return what counts: what the disk has refused since, unless somebody else has written meanwhile."""
        return self._unsaved if self._unsaved is not None and record == self._saved else record

    async def _damaged(self, why: str) -> Record:
        try:
            aside = await self._records.put_aside()
        except OSError as error:
            raise_as = OSError(error.errno, f"{why}, and it cannot be moved away: {error.strerror or error}")
            return self._unreadable(raise_as)
        if self._knows:
            self._lost(f"It was damaged ({why}); what was found now lies in {aside}")
            return EMPTY
        self._log.error("jupyter_autostop: the keeper's record was damaged (%s); it now lies in %s", why, aside)
        self.note("keeper's record", f"It was damaged ({why}); what was found now lies in {aside}.")
        self.snapshot.damage = f"{why}; it now lies in {aside}"
        record = replace(EMPTY, asks=True, run=self.life.marker)
        try:
            await self._records.save(record)
        except OSError as error:
            self._disk_refuses("written", error)
        return record

    def _disk_refuses(self, what: str, error: OSError | ValueError) -> str:
        """Say that the record cannot be written or read; return why."""
        why = str(getattr(error, "strerror", None) or error)
        self._log.error("jupyter_autostop: the keeper's record cannot be %s (%s)", what, why)
        self.snapshot.unkept = f"{what} ({why})"
        return why

    async def keep(self, record: Record, *, must: bool = False) -> Record:
        """Make `record` the one that counts, and return it once it is durable.

        Where the disk refuses, that is an error if it `must` be; otherwise the stop goes on from memory.
        """
        self.snapshot.record = record
        if record == self._saved:
            self._unsaved = None
        else:
            try:
                await self._records.save(record)
                self._saved, self._unsaved = record, None
                self.snapshot.unkept = ""
            except (OSError, ValueError) as error:
                unkept = self.snapshot.unkept
                why = self._disk_refuses("written", error)
                if not must:
                    self._unsaved = record
                else:
                    self.snapshot.unkept = unkept  # nothing has changed that would be kept
                    self.snapshot.record = self._newest(self._saved)
                    if isinstance(error, ValueError):
                        raise ConflictError(
                            "There are too many holds, or too many words in them, to note down another one.",
                            code="too_many_holds",
                            hint="End one that is not needed any more, or give a shorter `reason`.",
                        ) from None
                    raise UnavailableError(
                        f"This server cannot note down that it keeps this run ({why}), so it does not begin to.",
                        code="record_unwritable",
                        hint="See `jupyter autostop doctor`; the stop time is as it was.",
                    ) from None
        return record

    async def peek(self) -> None:
        """Look at what other servers have noted, without acting on it; `step` deals with what cannot be read."""
        try:
            record = self._stored(await self._records.load())
        except (DamagedRecordError, OSError):
            record = self._saved if self._knows else replace(EMPTY, asks=True, run=self.life.marker)
        self.snapshot.record = self._newest(record)
