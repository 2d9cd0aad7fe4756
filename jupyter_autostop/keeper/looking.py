"""What a look at the platform means for the record at hand: another run, somebody's wish, our own write arrived.

Nothing is sent here, and next to nothing saved.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.domain.record import EMPTY, ROUNDING, Record, Setting
from jupyter_autostop.domain.rules import (
    adopted,
    another,
    moved,
    over,
    people_chose,
    rolled_back,
    settled,
    standing_before,
    threatened,
)
from jupyter_autostop.domain.run import ENDED, RUNNING, setting
from jupyter_autostop.keeper.store import Custody, Life
from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.writer import Writer
from jupyter_autostop.storage.locks import Locks
from jupyter_autostop.storage.slots import Records
from jupyter_autostop.times.duration import MINUTE, format_duration
from jupyter_autostop.times.moments import utc_time

SETTLE_MARGIN = 900
"""Seconds that putting a shorter run length back must leave the run it happens in."""


class Looking(Custody):
    """Asks the platform, and takes in what has happened meanwhile: to the run, and by others."""

    def __init__(
        self, writer: Writer, policy: Policy, records: Records, locks: Locks, life: Life, log: logging.Logger
    ) -> None:
        super().__init__(writer, records, locks, life, log)
        self._policy = policy

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

    async def begin(self) -> Instance:
        """Ask the platform, and take in what has happened meanwhile: to the run, and by others."""
        instance = await self.snapshot.read()
        record = settled(self.record, self.now())
        if not record.idle:
            record = self._arrived(self._run_is_over(record, instance), instance)
            if (owed := threatened(record, instance, self.snapshot.memory.run)) is not record:
                record = await self.keep(owed)  # whatever comes of this operation
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
            return threatened(record, instance, None) is not record
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

    def _run_is_over(self, record: Record, instance: Instance) -> Record:
        if instance.status in ENDED:
            self._stop_has_come(record)
            return record if record.over else over(record)
        if instance.status != RUNNING or not self.is_another(record):
            return record
        age = self.life.age() if record.run != self.life.marker else None
        started = self.now() - (0 if age is None else round(age * 1000))
        self._stop_has_come(record)
        left = another(record, self.life.marker, started)
        if record.holds:
            self.note("hold", "The run that was held is over.")
        return left

    def _stop_has_come(self, record: Record) -> None:
        """Note for the journal a stop that was sent, where nobody was there any more to note that it came."""
        if record.sent is not None and not record.over:
            self.note("stop", "The run that this server had decided to stop is over.")

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
        return self.snapshot.run.kind == "deadline" and known.start > record.t0 + ROUNDING

    def _seen(self, record: Record, instance: Instance) -> Record:
        """Return the record after a look at its own, running run."""
        shown = setting(instance)
        if instance.status != RUNNING or shown["enable"] is None:
            return record
        if record.asks:
            record = self._on_the_safe_side(record, instance)
        if record.off == "intent":
            held = record.holds
            # On, and without a stop time, is what only a run that was off can be.
            record = rolled_back(record, off=not shown["enable"] or self.snapshot.run.kind != "deadline")
            if record.ours and held:
                self.note("hold", "A hold that was begun and never confirmed is undone.")
            elif record.ours:
                self.note("auto-stop", "A change of ours that came late has switched it off, so it is put back on.")
        if record.off == "no" and shown["duration"] != record.probe:
            # The longer run length that was under way may have come to nothing.
            record = standing_before(record, instance) or record
        if not record.ours or (shown["enable"] and record.sent is not None):
            return record
        if not shown["enable"]:
            return self.adopt(record, instance)
        if record.off == "ending" and self.snapshot.run.kind == "deadline":
            self.note("auto-stop", "It is on again at ModelArts.")
        return self.switched_on(record, instance)

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

    # What a run comes to

    def stop_after_grace(self, record: Record) -> Record:
        """Return the record of a run that only this server can stop any more: not at once."""
        if record.stop_at is not None:
            return record
        at = self.now() + self.grace * 1000
        then = replace(record, stop_at=at, off="ending")
        self.note("auto-stop", self.stop_words(then, at, wished=False))
        return then

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

    def stop_words(self, record: Record, at: int, *, wished: bool) -> str:
        """Say that this server stops the instance, when (ms), and why: `wished`, or for want of ModelArts."""
        why = "As was wished for, this" if wished or not record.ours else f"{self.why_here(record)}, so this"
        return f"{why} server stops the instance at {self.moment(at)}."

    def moment(self, at: int, before_left: str = "in ") -> str:
        """Name a moment (ms) for good, in UTC, and how far away it is: `18:40 UTC (in 2 h 13 min)`."""
        return f"{utc_time(at, self.now())} ({before_left}{self.left(at)})"

    def left(self, at: int) -> str:
        """Return the time until a moment (ms) in words, in whole minutes where it is one at least, rounded down."""
        seconds = max(0, (at - self.now()) // 1000)
        return format_duration(seconds if seconds < MINUTE else seconds // MINUTE * MINUTE)

    def in_time(self, record: Record) -> bool:
        """Tell whether the platform's own stop time leaves the grace, so that putting it back stops nothing at once."""
        return record.back_in_time(self.now(), self.grace, defers=self.snapshot.memory.defers) is not None

    def _too_late(self, record: Record, prior: Setting) -> bool:
        """Tell whether an inherited run length waits for the next start: putting it back would stop this run."""
        known = self.snapshot.memory.run
        if record.t0 is not None or self.snapshot.memory.defers or self.snapshot.run.kind != "deadline":
            return False
        ends = None if known is None or known.start is None else known.start + prior.duration * 1000
        return ends is None or ends < self.now() + SETTLE_MARGIN * 1000
