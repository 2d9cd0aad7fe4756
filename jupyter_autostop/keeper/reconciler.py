"""The keeper: what is held is kept over every crash, ends when it should, and leaves the settings as they were.

Each operation loads the record, looks at the platform, acts and saves, alone on this machine. A write to the platform
is in the record before it is sent. `step` is what time and a start of the server call for; done twice it does no harm.

In layers, each of which stands on those before it: custody of the record, looking, settling, and here time and ends.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Protocol

from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.domain.record import Hold, Off, Owner, Record
from jupyter_autostop.domain.rules import ended_early, expired, over, settled
from jupyter_autostop.domain.run import ENDED, RUNNING
from jupyter_autostop.errors import ConflictError
from jupyter_autostop.keeper.settling import Settling
from jupyter_autostop.keeper.store import Life
from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.writer import Comparison, Writer
from jupyter_autostop.service.requests import HoldWish
from jupyter_autostop.state import EXTENSION
from jupyter_autostop.storage.lock_holder import StuckError
from jupyter_autostop.storage.locks import Locks
from jupyter_autostop.storage.slots import Records

HAND_BACK = 60
"""Seconds that the platform's own stop time must leave, so that giving the run back is not as good as stopping it."""
STILL_HELD = "Another hold or an extension still keeps this run going; the last to end decides what follows."
_STOPPING = {"STOPPING", "STOPPED", "DELETED"}


class HoldOwners(Protocol):
    """Who owns holds, and who of them has ended."""

    async def make(self, wish: HoldWish) -> Owner:
        """Return the owner that a wish names."""

    async def gone(self, holds: tuple[Hold, ...]) -> list[str]:
        """Return the ids of the holds whose owner has ended."""

    def ended_with_owner(self, hold_id: str) -> bool:
        """Tell whether a hold was seen to end with its owner, not long ago."""


def stop_shown(instance: Instance) -> Comparison:
    """Tell whether an instance stops, or has stopped."""
    if instance.status in _STOPPING:
        return "shown"
    return "as_before" if instance.status == RUNNING else "untold"


def stop_sent() -> ConflictError:
    """Return the error of asking for anything once a stop has been decided."""
    return ConflictError(
        "This server is stopping the instance.", code="stop_sent", hint="Save your work now; nothing can hold it back."
    )


class Keeper(Settling):
    """Keeps the record of one instance. Of two operations of one server, the caller sees to it that one waits."""

    def __init__(
        self,
        writer: Writer,
        policy: Policy,
        records: Records,
        locks: Locks,
        owners: HoldOwners,
        life: Life,
        log: logging.Logger,
    ) -> None:
        super().__init__(writer, policy, records, locks, life, log)
        self.owners = owners
        self._stuck_since: int | None = None
        """When a server that is suspended or hangs was first found to hold the lock (ms), since the last operation."""

    # Time and starts

    async def step(self) -> None:
        """Do what is due. Done again it does no harm; an error leaves the rest to the next step."""
        try:
            async with self.operation():
                self._stuck_since = None
                if self.record.idle:
                    return
                instance = await self.begin()
                await self.go_on(instance)
        except StuckError:
            self._stuck_since = self._stuck_since or self.surely()
            if not await self._stop_past_stuck():
                raise

    async def _stop_past_stuck(self) -> bool:
        """Stop a run whose time has come though a server that is suspended or hangs holds the lock; tell if so.

        Nothing else is done, and nothing noted: the record stays that server's, which finds the run over when it goes
        on, and settings that are owed are put back in the next run.
        """
        await self.peek()
        instance = await self.snapshot.read()
        record = settled(self.record, self.surely())
        if record.idle or record.pending or record.over or record.run != self.life.marker:
            return False
        if instance.status != RUNNING or not self._is_past(record):
            return False
        if await self.writer.send(self.writer.platform.stop, stop_shown):
            self.note(
                "stop", "Its time has come, and another server does not let go: ModelArts is stopping this instance."
            )
        return True

    def _is_past(self, record: Record) -> bool:
        """Tell whether a run is to be stopped by a record that cannot be brought up to date."""
        run, defers = self.snapshot.run, self.snapshot.memory.defers
        if record.ours and run.kind == "deadline":
            return False  # it was switched on elsewhere, and no hold outlives that
        # Each time as it was when the last hold ended, or when this was first found: the grace counts from there.
        ended = max((hold.until for hold in record.holds), default=0)
        then = min(self.surely(), max(ended, self._stuck_since or 0))
        left = expired(record, then, self.grace, defers=defers)
        if left.holds or left.stop_at is not None or left.sent is not None:
            return self.due(left)
        # Auto-stop is off by us, and cannot be put back: what was confirmed has passed, and the grace with it.
        own = max(left.floor, left.t0 or 0)
        return left.off != "no" and own > 0 and run.kind == "off" and own + self.grace * 1000 <= self.surely()

    async def go_on(self, instance: Instance) -> None:
        """Do what is due of the record at hand, seen with this answer."""
        record = self.record
        running = instance.status == RUNNING and record.run == self.life.marker and not record.over
        if running or record.holds:
            record = await self._expired(record)
        # Saved with the write that follows from it, or at the end of the operation.
        self.snapshot.record = record
        if record.pending:
            return
        if running:
            record = await self._settle(record, instance)
            if self.due(record):
                await self.stop(record)
                if self.ends():
                    self.note("stop", "Its time has come: ModelArts is stopping this instance.")
        elif record.over and instance.status == "STOPPED":
            await self._settle_at_rest(record, instance)

    async def _expired(self, record: Record) -> Record:
        # Until the time is sure, no grace could be reckoned from it.
        if self.writer.platform.time.sure and (ended := await self.owners.gone(record.holds)):
            record = self.end(record, ended, by_person=False)
            self.note("hold", "The kernel or command that held this run has ended.")
        left = expired(record, self.surely(), self.grace, defers=self.snapshot.memory.defers)
        if gone := [hold for hold in record.holds if hold.id != EXTENSION and left.hold(hold.id) is None]:
            self.note("hold", self._ended_words(gone, left))
        return left

    def _ended_words(self, gone: list[Hold], left: Record) -> str:
        """Say that holds have ended at their time, and what follows."""
        reason = f" (“{gone[0].reason}”)" if gone[0].reason else ""
        said = f"{len(gone)} holds have ended at their time." if gone[1:] else f"A hold{reason} has ended at its time."
        if left.holds:
            return f"{said} {STILL_HELD}"
        stop = self.snapshot.next_stop(left)
        if stop is not None and stop.kept_by == "platform":
            return f"{said} ModelArts stops this run at its own time."
        if stop is None or stop.at <= self.now():
            return said
        last = max(gone, key=lambda hold: hold.until)
        return f"{said} {self.stop_words(left, stop.at, wished=last.then == 'stop')}"

    def end(self, record: Record, ids: list[str], *, by_person: bool) -> Record:
        """Return the record after holds were ended before their time."""
        stop, defers = self.snapshot.next_stop(record), self.snapshot.memory.defers
        shown = None if stop is None else stop.at
        return ended_early(record, ids, self.now(), self.grace, shown=shown, defers=defers, by_person=by_person)

    def due(self, record: Record) -> bool:
        """Tell whether the instance is to be stopped now; never before the time that was shown."""
        if record.sent is not None:
            return True
        stop = self.snapshot.stop_of(record)
        return not record.holds and stop is not None and stop <= self.surely()

    def surely(self) -> int:
        """Return a time (ms) that the platform's clock has reached."""
        return self.writer.platform.time.surely_ms()

    # The stop

    async def stop(self, record: Record) -> Record:
        """Stop the instance whatever comes of the settings, which are put back before it, or after, or later."""
        if record.sent is None:
            record = await self.decided(record)
        record = await self._try_to_restore(record)
        if not self.writer.fresh and await self.snapshot.refresh() and not self._runs_still():
            return record  # this server was suspended meanwhile, and the run is over
        record = await self._noted(record, "stop")
        try:
            shown = await self.writer.send(self.writer.platform.stop, stop_shown)
        except ConflictError:
            shown = await self.snapshot.refresh() and self.ends()
            if not shown:
                raise
        finally:
            record = await self._answered(record)
            await self.keep(record)
        if shown:
            # While it stops the settings may be taken once more.
            record = await self._try_to_restore(over(record))
            await self.keep(record)
        return record

    async def decided(self, record: Record) -> Record:
        """Return the record once it says that the instance is being stopped."""
        off: Off = "ending" if record.off != "no" else "no"
        old = record.old if record.off == "no" else None
        return await self.keep(replace(record, sent=self.now(), holds=(), off=off, old=old))

    def _runs_still(self) -> bool:
        return self.snapshot.instance is not None and self.snapshot.instance.status == RUNNING

    def ends(self) -> bool:
        """Tell whether the instance was seen to end its run."""
        return self.snapshot.instance is not None and self.snapshot.instance.status in ENDED

    # Ends

    async def hand_back(self) -> None:
        """Let the platform keep the run again, if this is the last server and it still can; else leave the record."""
        async with self.operation():
            # Gone before it looks who is left, which nobody else does meanwhile: of several that end, one is the last.
            await self._locks.close()
            nothing_held = self.record.off == "no" and not self.record.holds
            if nothing_held or not await self._locks.alone():
                return
            instance = await self.begin()
            record = self.record
            back = record.back_at(defers=self.snapshot.memory.defers)
            if record.pending or record.sent is not None or record.off not in ("no", "yes", "ending"):
                # A write that lands later would undo what is handed back.
                self._log.warning("jupyter_autostop: a change may still take effect; the next server goes on with it")
                return
            if record.off == "no":
                await self.keep(replace(record, holds=(), floor=0))
            elif back is not None and back > self.now() + HAND_BACK * 1000:
                await self._hand_over(replace(record, holds=(), off="ending"), instance)

    async def _hand_over(self, record: Record, instance: Instance) -> None:
        if record.prior is None:
            return
        record, shown = await self.put(record, "on", instance, replace(record.prior, enable=True))
        if shown:
            record = self.switched_on(record, instance)
            if self.snapshot.run.kind == "deadline":
                self.note("shutdown", "This server ends, so ModelArts keeps the stop time again.")
        await self.keep(record)
