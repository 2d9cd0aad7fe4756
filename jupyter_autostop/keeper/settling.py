"""Putting the settings back as people chose them, each write noted in the record before it is sent."""

from __future__ import annotations

from dataclasses import replace

from jupyter_autostop.domain.record import EMPTY, LANDS_WITHIN, Pending, Record, Setting, Write
from jupyter_autostop.domain.rules import fallen_back, moved, paid_back, standing_before
from jupyter_autostop.domain.run import RUNNING, setting
from jupyter_autostop.errors import AutostopError, InvalidInputError, UnavailableError
from jupyter_autostop.keeper.looking import Looking
from jupyter_autostop.platforms.modelarts.models import Instance, UpdateAutoStop, UpdateRequest, UpdateSpec
from jupyter_autostop.times.duration import format_duration


class Settling(Looking):
    """Sends settings, and those that are owed: in the run that goes on, between two runs, beside a stop."""

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
        off: Write = "rest" if setting(before)["enable"] is False else "off"
        record = await self._noted(self.record, "on" if auto_stop.enable else off)
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

    def refuse_while_open(self) -> None:
        """Raise while a write may still take effect: what would begin now could be undone by it."""
        if self.record.pending:
            left = max(write.at + LANDS_WITHIN - self.now() for write in self.record.pending)
            raise UnavailableError(
                "An earlier change may still take effect: ModelArts has not shown yet what came of it.",
                code="unsettled",
                retry_after=left / 1000,
                hint="Try again in half a minute; then it is known what became of it.",
            )

    # What is owed

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

    def not_the_probe(self, record: Record, instance: Instance) -> Record:
        """Another run length stands than the one we set last: the one before it, or somebody's, which then counts."""
        return standing_before(record, instance) or paid_back(record)

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
        before = fallen_back(record) if record.t0 is not None else None  # no later run needs what this one does
        length = prior.duration if before is None or before.probe is None else before.probe
        wanted = Setting(shown["enable"], length, shown["prompt"] is not False)
        record, done = await self.put(record, "on" if wanted.enable else "rest", instance, wanted)
        if done:
            record = replace(before or paid_back(record), pending=record.pending)
        return await self.keep(record)

    async def _settle_at_rest(self, record: Record, instance: Instance) -> None:
        """Put the settings back between two runs, so that the next one has them from its start."""
        prior = record.prior
        if prior is None:
            await self.keep(EMPTY)
        elif record.off == "no" and setting(instance)["duration"] != record.probe:
            await self.keep(self.not_the_probe(record, instance))
        elif record.off == "no":
            await self._put_back_unasked(record, instance)
        elif self._is_back(record, instance):
            await self.keep(EMPTY)
        else:
            record = self.adopt(record, instance)  # set elsewhere after the last look at the run
            wanted = replace(record.prior or prior, enable=True)
            record, shown = await self.put(record, "on", instance, wanted)
            await self.keep(EMPTY if shown else record)

    def _is_back(self, record: Record, instance: Instance) -> bool:
        """Tell whether auto-stop is on with a run length that people chose, and not with a longer one of ours."""
        shown = setting(instance)
        return bool(shown["enable"]) and (record.probe is None or shown["duration"] != record.probe)

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
