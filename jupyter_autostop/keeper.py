"""The keeper: what is held is kept over every crash, ends when it should, and leaves the settings as they were.

Each operation loads the record, looks at the platform, acts and saves, alone on this machine. A write to the platform
is in the record before it is sent. `step` is what time and a start of the server call for; done twice it does no harm.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Protocol

from jupyter_autostop.deadline import ENDED, RUNNING, TOLERANCE
from jupyter_autostop.duration import MINUTE, format_duration
from jupyter_autostop.errors import AutostopError, ConflictError, InvalidInputError, UnavailableError
from jupyter_autostop.keeping import (
    adopted,
    another,
    ended_early,
    expired,
    moved,
    over,
    people_chose,
    rolled_back,
    settled,
)
from jupyter_autostop.locks import Locks
from jupyter_autostop.policy import Policy
from jupyter_autostop.record import EMPTY, EXTENSION, LANDS_WITHIN, Hold, Off, Owner, Pending, Record, Setting, Write
from jupyter_autostop.record_file import DamagedRecordError, Records
from jupyter_autostop.snapshot import setting
from jupyter_autostop.wire import Instance, UpdateAutoStop, UpdateRequest, UpdateSpec
from jupyter_autostop.writing import Comparison, Writer

SETTLE_MARGIN = 900
"""Seconds that putting a shorter run length back must leave the run it happens in."""
HAND_BACK = 60
"""Seconds that the platform's own stop time must leave, so that giving the run back is not as good as stopping it."""
_STOPPING = {"STOPPING", "STOPPED", "DELETED"}


class Life(Protocol):
    """The life of the container this server runs in."""

    marker: str

    def age(self) -> float | None:
        """Return for how many seconds it has lasted, `None` where that is not known."""


class HoldOwners(Protocol):
    """Who owns holds, and who of them has ended."""

    async def make(self, kernel_id: str | None, pid: int | None) -> Owner:
        """Return the owner that a wish names."""

    async def gone(self, holds: tuple[Hold, ...]) -> list[str]:
        """Return the ids of the holds whose owner has ended."""


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


class Keeper:
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
        self.writer = writer
        self.snapshot = writer.snapshot
        self.owners = owners
        self.life = life
        self.notes: list[tuple[str, str]] = []
        """What was done of our own accord, and what came of it, for the journal."""
        self._policy = policy
        self._records = records
        self._locks = locks
        self._log = log
        self._saved = EMPTY
        self._unsaved: Record | None = None
        """What counts in the place of `_saved`, where the disk refuses to take it."""

    # The record

    @property
    def record(self) -> Record:
        """The record as it was when it was last looked at."""
        return self.snapshot.record

    @property
    def grace(self) -> int:
        """Seconds between an early end and a stop that would follow at once."""
        return self._policy.grace

    @property
    def waits(self) -> bool:
        """Whether all that is left waits for the next run: this one was seen running, with nothing to watch in it."""
        record, instance = self.record, self.snapshot.instance
        own = record.run == self.life.marker and not record.over and not record.asks
        return own and record.rests and instance is not None and instance.status == RUNNING

    def now(self) -> int:
        """Return the platform's time (ms)."""
        return self.writer.platform.time.now_ms()

    def note(self, what: str, result: str) -> None:
        """Keep something for the journal."""
        self.notes.append((what, result))

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        """Act alone; what was noted in the record and not saved on the way is saved at the end."""
        async with self._locks.operation():
            await self.load()
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

    async def mend(self) -> None:
        """Take in what others have noted, and write again what is gone from the disk; the platform is not asked."""
        async with self.operation():
            pass

    async def load(self) -> None:
        """Read the record; where it is lost, what this server knows counts, or auto-stop goes on the safe side."""
        try:
            record = await self._stored()
        except DamagedRecordError as error:
            record = await self._damaged(str(error))
        except OSError as error:
            if not self._knows:
                raise UnavailableError(
                    f"What this server keeps of the instance cannot be read ({error.strerror or error}).",
                    code="record_unreadable",
                    hint="See `jupyter autostop doctor`.",
                ) from None
            self._disk_refuses("read", error)
            record = self._saved
        else:
            self.snapshot.unkept = self.snapshot.unkept if self._unsaved else ""
        newest = self._newest(record)
        self.snapshot.record, self._saved = newest, record
        self._unsaved = newest if newest is not record else None

    @property
    def _knows(self) -> bool:
        """Whether this server knows of something held or owed, whatever the disk says."""
        return self._unsaved is not None or not self._saved.idle

    async def _stored(self) -> Record:
        """Return what is on disk; where a record has gone from there, what was in it is still to be written."""
        record = await self._records.load()
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
        aside = await self._records.put_aside()
        if self._knows:
            self._lost(f"It was damaged ({why}); what was found now lies in {aside}")
            return EMPTY
        self._log.error("jupyter_autostop: the keeper's record was damaged (%s); it now lies in %s", why, aside)
        self.note("keeper's record", f"It was damaged ({why}); what was found now lies in {aside}.")
        self.snapshot.damage = f"{why}; it now lies in {aside}"
        record = replace(EMPTY, asks=True, run=self.life.marker)
        await self._records.save(record)
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

    # Looking

    async def begin(self) -> Instance:
        """Ask the platform, and take in what has happened meanwhile: to the run, and by others."""
        instance = await self.snapshot.read()
        record = settled(self.record, self.now())
        if not record.idle:
            record = self._arrived(self._run_is_over(record, instance), instance)
            if not record.pending and record.run == self.life.marker and not record.over:
                record = self._seen(record, instance)
        self.snapshot.record = record
        return instance

    def calls_for_step(self) -> bool:
        """Tell whether the last look shows something that a step would change."""
        instance = self.snapshot.instance
        if self.record.idle or instance is None:
            return False
        record = self._arrived(self.record, instance)
        if record.pending:
            return False
        if instance.status in ENDED:
            return not record.over or instance.status == "STOPPED"
        if instance.status != RUNNING or self.is_another(record) or record.off == "intent":
            return instance.status == RUNNING
        shown, run = setting(instance), self.snapshot.run
        if record.off == "no":
            stop, prior = run.stop_timestamp, record.prior
            if prior is None or record.probe is None or shown["duration"] != record.probe:
                return record.probe is not None
            if record.t0 is None or stop is None:
                return not self._too_late(record, prior)
            return not moved(stop, record.t0, (record.probe - prior.duration) * 1000)
        return bool(shown["enable"]) or shown["duration"] != record.seen or self.snapshot.stop_of(record) is None

    def _arrived(self, record: Record, instance: Instance) -> Record:
        """A probe that is seen has arrived: nobody else's run length is taken for it."""
        if record.probe is None or setting(instance)["duration"] != record.probe:
            return record
        return replace(record, pending=tuple(write for write in record.pending if write.kind != "probe"))

    def may_land(self) -> bool:
        """Whether a write of ours may still take effect that nobody has seen."""
        return bool(self.record.pending)

    def refuse_while_open(self) -> None:
        """Raise while a write may still take effect: what would begin now could be undone by it."""
        if self.may_land():
            left = max(write.at + LANDS_WITHIN - self.now() for write in self.record.pending)
            raise UnavailableError(
                "An earlier change may still take effect, unanswered as it was.",
                code="unsettled",
                retry_after=left / 1000,
                hint="Try again in half a minute; then it is known what became of it.",
            )

    def _run_is_over(self, record: Record, instance: Instance) -> Record:
        if instance.status in ENDED:
            return record if record.over else over(record)
        if instance.status != RUNNING or not self.is_another(record):
            return record
        age = self.life.age() if record.run != self.life.marker else None
        started = self.now() - (0 if age is None else round(age * 1000))
        left = another(record, self.life.marker, started)
        if record.holds:
            self.note("hold", "The run that was held is over.")
        return left

    def claim(self) -> Record:
        """Let this run keep a longer run length that it has inherited: somebody counts on it now."""
        record, known = self.record, self.snapshot.memory.run
        inherited = record.off == "no" and record.probe is not None and record.t0 is None
        if inherited and record.prior is not None and known is not None and self.snapshot.run.kind == "deadline":
            start = known.start or known.stop_timestamp - (record.probe or 0) * 1000
            self.snapshot.record = replace(record, start=start, t0=start + record.prior.duration * 1000)
        return self.record

    def is_another(self, record: Record) -> bool:
        """Tell whether the run that is going on is another one than the record's."""
        if record.over or record.run != self.life.marker:
            return True
        known = self.snapshot.memory.run
        if record.off != "no" or record.t0 is None or known is None or known.start is None:
            return False
        return self.snapshot.run.kind == "deadline" and known.start > record.t0 + TOLERANCE

    def _seen(self, record: Record, instance: Instance) -> Record:
        """Return the record after a look at its own, running run."""
        shown = setting(instance)
        if instance.status != RUNNING or shown["enable"] is None:
            return record
        if record.asks:
            record = self._on_the_safe_side(record, instance)
        if record.off == "intent":
            # On, and without a stop time, is what only a run that was off can be.
            record = rolled_back(record, off=not shown["enable"] or self.snapshot.run.kind != "deadline")
            if record.ours:
                self.note("hold", "A hold that was begun and never confirmed is undone.")
        if not record.ours or (shown["enable"] and record.sent is not None):
            return record
        return self.switched_on(record, instance) if shown["enable"] else self.adopt(record, instance)

    def _on_the_safe_side(self, record: Record, instance: Instance) -> Record:
        """What was kept is lost: auto-stop goes on where that stops nothing at once; else a person is asked."""
        shown, known = setting(instance), self.snapshot.memory.run
        if shown["enable"]:
            return EMPTY
        if record.ours or known is None or known.stop_timestamp <= self.now() + self.grace * 1000:
            return record
        duration = known.duration or shown["duration"]
        if duration is None:
            return record
        prior = Setting(True, duration, shown["prompt"] is not False)
        self.note("keeper's record", "Since it was lost, auto-stop is put back on.")
        return replace(
            record, off="ending", prior=prior, seen=shown["duration"], t0=known.stop_timestamp, start=known.start
        )

    def adopt(self, record: Record, instance: Instance) -> Record:
        """Take what somebody else has set meanwhile for what people chose."""
        then = adopted(record, instance)
        if then.prior != record.prior and then.prior:
            length = format_duration(then.prior.duration)
            self.note("console", f"The run length was set to {length} elsewhere; the hold goes on, and leaves it so.")
        return then

    def switched_on(self, record: Record, instance: Instance) -> Record:
        """Auto-stop is on, by somebody's wish or by ours: the holds are over, and the platform keeps the run again."""
        if record.off == "yes":
            self.note("console", "Auto-stop was switched on elsewhere, so what was held is not held any more.")
        if self.snapshot.run.kind == "deadline":
            owed = setting(instance)["duration"] == record.probe
            return Record(prior=record.prior, probe=record.probe, run=record.run) if owed else EMPTY
        chosen = people_chose(instance)
        prior = record.prior if chosen is None or chosen.duration == record.probe else chosen
        seen = prior.duration if prior else None
        floor = 0 if record.off == "yes" else record.floor  # what was told of our own putting back stays true
        ended = replace(record, prior=prior, seen=seen, off="ending", holds=(), floor=floor)
        if self.snapshot.run.kind == "unknown" and record.stop_at is None:
            # On, and without a stop time: nothing would ever stop this run.
            return self.stop_after_grace(ended)
        return ended

    def stop_after_grace(self, record: Record) -> Record:
        """Return the record of a run that only this server can stop any more: not at once."""
        if record.stop_at is not None:
            return record
        at = self.now() + self.grace * 1000
        self.note("auto-stop", f"{self.why_here(record)}, so this server stops the instance, in {self.left(at)}.")
        return replace(record, stop_at=at, off="ending")

    def why_here(self, record: Record) -> str:
        """Say why this server stops a run, and not the platform at its own stop time."""
        own, now = record.t0, self.now()
        if own is None:
            return "ModelArts' own stop time of this run is not known"
        if own <= now:
            return "ModelArts' own stop time has passed"
        if own <= now + self.grace * 1000:
            return f"ModelArts' own stop time is less than {format_duration(self.grace)} away"
        if record.prior is not None and not self.in_time(replace(record, floor=0)):
            return f"A run length of {format_duration(record.prior.duration)} might end this run at once"
        return "ModelArts does not take this run back"

    def left(self, at: int) -> str:
        """Return the time until a moment (ms) in words, in whole minutes where it is one at least, rounded down."""
        seconds = max(0, (at - self.now()) // 1000)
        return format_duration(seconds if seconds < MINUTE else seconds // MINUTE * MINUTE)

    # Writing

    async def put(
        self, record: Record, kind: Write, before: Instance, wanted: Setting, *, must: bool = False
    ) -> tuple[Record, bool]:
        """Send a whole setting; return the record, and whether a look has shown the setting since.

        A refusal is raised. In every case the record holds what may still take effect. `must`: as for `keep`.
        """
        spec = UpdateSpec(auto_stop=UpdateAutoStop(**vars(wanted)))
        record = await self._noted(record, kind, must=must)
        try:
            shown = await self.writer.put(UpdateRequest(spec=spec), before)
        except AutostopError:
            await self.keep(await self._answered(record))
            raise
        return await self._answered(record), shown

    async def sent(self, request: UpdateRequest, before: Instance) -> bool:
        """Send what a person has asked for, and tell whether a look has shown it since."""
        auto_stop = request.spec and request.spec.auto_stop
        if not auto_stop:
            return await self.writer.put(request, before)
        record = await self._noted(self.record, "on" if auto_stop.enable else "off")
        try:
            return await self.writer.put(request, before)
        finally:
            await self.keep(await self._answered(record))

    async def _noted(self, record: Record, kind: Write, *, must: bool = False) -> Record:
        """Return the record once it says that a write is under way."""
        return await self.keep(replace(record, pending=(*record.pending, Pending(kind, self.now()))), must=must)

    async def _answered(self, record: Record) -> Record:
        """Return the record without the write just sent, if nothing can come of it any more: it settles no other."""
        if not self.writer.open:
            record = replace(record, pending=record.pending[:-1])
        self.snapshot.record = record
        return record

    # Time and starts

    async def step(self) -> None:
        """Do what is due. Done again it does no harm; an error leaves the rest to the next step."""
        async with self.operation():
            if self.record.idle:
                return
            instance = await self.begin()
            await self.go_on(instance)

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
        if ended := await self.owners.gone(record.holds):
            record = self.end(record, ended, by_person=False)
            self.note("hold", "The kernel or command that held this run has ended.")
        elsewhere = not record.ours and self.snapshot.run.kind == "deadline"
        defers = self.snapshot.memory.defers
        left = expired(record, self.now(), self.grace, defers=defers, deadline_elsewhere=elsewhere)
        if gone := [hold for hold in record.holds if hold.id != EXTENSION and left.hold(hold.id) is None]:
            self.note("hold", self._ended_words(gone, left, elsewhere=elsewhere))
        return left

    def _ended_words(self, gone: list[Hold], left: Record, *, elsewhere: bool) -> str:
        """Say that holds have ended at their time, and what follows."""
        reason = f" (“{gone[0].reason}”)" if gone[0].reason else ""
        said = f"{len(gone)} holds have ended at their time." if gone[1:] else f"A hold{reason} has ended at its time."
        if left.holds:
            return f"{said} This run is held by others still."
        if elsewhere:
            return f"{said} ModelArts stops this run at its own time."
        if left.stop_at is None or left.stop_at <= self.now():
            return said
        return f"{said} {self.why_here(left)}, so this server stops the instance, in {self.left(left.stop_at)}."

    def end(self, record: Record, ids: list[str], *, by_person: bool) -> Record:
        """Return the record after holds were ended before their time."""
        now = self.now()
        defers = self.snapshot.memory.defers
        left = ended_early(record, ids, now, self.grace, defers=defers, by_person=by_person)
        own = self.snapshot.run.stop_timestamp
        if not record.ours and left.stop_at is not None and own is not None and own <= left.stop_at:
            return replace(left, stop_at=None)  # the platform is no later
        return left

    def due(self, record: Record) -> bool:
        """Tell whether the instance is to be stopped now; never before the time that was shown."""
        if record.sent is not None:
            return True
        stop = self.snapshot.stop_of(record)
        return not record.holds and stop is not None and stop <= self.surely()

    def surely(self) -> int:
        """Return a time (ms) that the platform's clock has reached."""
        return self.writer.platform.time.surely_ms()

    async def _settle(self, record: Record, instance: Instance) -> Record:
        """Put back what is owed in a run that goes on."""
        if record.off == "ending" and record.stop_at is None:
            return await self.restore(record, instance)
        if record.off == "no" and record.probe is not None:
            return await self._settle_probe(record, instance)
        return record

    async def restore(self, record: Record, instance: Instance) -> Record:
        """Put auto-stop back on as people chose it, or where that would not do, stop the instance after the grace."""
        prior = record.prior
        if record.asks and not self.in_time(record):
            return await self.keep(replace(EMPTY, asks=True, run=record.run))
        if not self.in_time(record) or prior is None:
            return await self.keep(self.stop_after_grace(record))
        try:
            ending = replace(record, off="ending")
            record, shown = await self.put(ending, "on", instance, replace(prior, enable=True))
        except InvalidInputError:
            return await self.keep(self.stop_after_grace(self.record))
        if shown and self.snapshot.instance is not None:
            if self.snapshot.instance.status == RUNNING:
                record = self.switched_on(record, self.snapshot.instance)
            self.note("auto-stop", "It is on again at ModelArts, as people chose it.")
        return await self.keep(record)

    def in_time(self, record: Record) -> bool:
        """Tell whether the platform's own stop time leaves the grace, so that putting it back stops nothing at once."""
        return record.back_in_time(self.now(), self.grace, defers=self.snapshot.memory.defers) is not None

    async def _settle_probe(self, record: Record, instance: Instance) -> Record:
        """Put back a run length that was made longer for this run or an earlier one."""
        prior, shown = record.prior, setting(instance)
        run = self.snapshot.run
        if prior is None or run.kind not in ("deadline", "off") or shown["enable"] is None:
            return record
        if shown["duration"] != record.probe:
            return await self.keep(self.not_the_probe(record, instance))
        stop = run.stop_timestamp
        longer = ((record.probe or 0) - prior.duration) * 1000
        if record.t0 is not None and stop is not None and moved(stop, record.t0, longer):
            return await self.keep(replace(record, old=None))  # the run that needed it goes on
        return record if self._too_late(record, prior) else await self._put_back_unasked(record, instance)

    def _too_late(self, record: Record, prior: Setting) -> bool:
        """Tell whether an inherited run length waits for the next start: putting it back would stop this run."""
        known = self.snapshot.memory.run
        if record.t0 is not None or self.snapshot.memory.defers or self.snapshot.run.kind != "deadline":
            return False
        ends = None if known is None or known.start is None else known.start + prior.duration * 1000
        return ends is None or ends < self.now() + SETTLE_MARGIN * 1000

    def not_the_probe(self, record: Record, instance: Instance) -> Record:
        """Another run length stands than the one we set last: the one before it, or somebody's, which then counts."""
        old = record.old
        if old is not None and old.probe is not None and setting(instance)["duration"] == old.probe:
            return replace(record, probe=old.probe, t0=None if record.t0 is None else old.t0, old=None)
        return replace(record, prior=None, probe=None, t0=None, old=None)

    async def _put_back_unasked(self, record: Record, instance: Instance) -> Record:
        """Set the run length that people chose, and note what came of it."""
        length = format_duration(record.prior.duration if record.prior else 0)
        what = f"run length back to {length}"
        try:
            then = await self.put_back(record, instance)
        except AutostopError as error:
            self.note(what, f"The run length could not be put back to {length} yet. {error.message}")
            raise
        if then.probe is None:
            self.note(what, f"The run length at each start is {length} again, as people chose it.")
        return then

    async def put_back(self, record: Record, instance: Instance | None = None) -> Record:
        """Set the run length that people chose."""
        instance = instance or self.snapshot.instance
        shown, prior = setting(instance), record.prior
        if instance is None or prior is None or shown["enable"] is None:
            return record
        old = record.old
        if record.t0 is not None and old is not None and old.probe is not None:
            # This run needs the longer length that it had before.
            wanted = Setting(shown["enable"], old.probe, shown["prompt"] is not False)
            record, done = await self.put(record, "on", instance, wanted)
            return await self.keep(replace(record, probe=old.probe, old=None) if done else record)
        wanted = Setting(shown["enable"], prior.duration, shown["prompt"] is not False)
        record, done = await self.put(record, "on", instance, wanted)
        if done:
            record = replace(record, prior=None, probe=None, t0=None, old=None)
        return await self.keep(record)

    async def _settle_at_rest(self, record: Record, instance: Instance) -> None:
        """Put the settings back between two runs, so that the next one has them from its start."""
        if record.prior is None:
            await self.keep(EMPTY)
        elif record.off == "no" and setting(instance)["duration"] != record.probe:
            await self.keep(self.not_the_probe(record, instance))
        elif record.off == "no":
            await self._put_back_unasked(record, instance)
        elif self._is_back(record, instance):
            await self.keep(EMPTY)
        else:
            wanted = replace(record.prior, enable=True)
            record, shown = await self.put(record, "on", instance, wanted)
            await self.keep(EMPTY if shown else record)

    def _is_back(self, record: Record, instance: Instance) -> bool:
        """Tell whether auto-stop is on with a run length that people chose, and not with a longer one of ours."""
        shown = setting(instance)
        return bool(shown["enable"]) and (record.probe is None or shown["duration"] != record.probe)

    # The stop

    async def stop(self, record: Record) -> Record:
        """Stop the instance whatever comes of the settings, which are put back before it, or after, or later."""
        if record.sent is None:
            record = await self.decided(record)
        record = await self._try_to_restore(record)
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

    def ends(self) -> bool:
        """Tell whether the instance was seen to end its run."""
        return self.snapshot.instance is not None and self.snapshot.instance.status in ENDED

    async def _try_to_restore(self, record: Record) -> Record:
        """Put the settings back in one attempt, of which nothing depends."""
        instance, prior = self.snapshot.instance, record.prior
        if instance is None or prior is None or record.off == "no" or self._is_back(record, instance):
            return record
        try:
            record, shown = await self.put(record, "on", instance, replace(prior, enable=True))
        except AutostopError as error:
            self._log.info("jupyter_autostop: the settings are not put back yet: %s", error.message)
            return self.record
        if shown and record.over:
            return replace(EMPTY, pending=record.pending)
        return replace(record, off="no", prior=None, probe=None) if shown else record

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
                return
            if record.off == "no":
                await self.keep(replace(record, holds=()))
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

    async def peek(self) -> None:
        """Look at what other servers have noted, without acting on it; `step` deals with what cannot be read."""
        try:
            record = await self._stored()
        except (DamagedRecordError, OSError):
            record = self._saved if self._knows else replace(EMPTY, asks=True, run=self.life.marker)
        self.snapshot.record = self._newest(record)
