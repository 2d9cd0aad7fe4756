"""The keeper without one of its safeguards at a time: the trial must find what each of them is for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from jupyter_autostop.domain.record import EMPTY, Hold, Record
from jupyter_autostop.domain.rules import over, people_chose
from jupyter_autostop.domain.run import setting
from jupyter_autostop.keeper.extender import Reach
from jupyter_autostop.keeper.reconciler import Keeper


class NoPending(Keeper):
    """Does not note a write before it is sent."""

    async def _noted(self, record: Record, kind: Any, *, must: bool = False) -> Record:
        return await self.keep(record, must=must)

    async def _answered(self, record: Record) -> Record:
        return record


class NoIntent(Keeper):
    """Notes nothing at all before the off is sent."""

    async def _noted(self, record: Record, kind: Any, *, must: bool = False) -> Record:
        if kind == "off" and record.off == "intent":
            self.snapshot.record = record
            return record
        return await super()._noted(record, kind, must=must)


class NoWaiting(Keeper):
    """Lets something begin while a write may still land."""

    def refuse_while_open(self) -> None:
        pass

    async def begin(self) -> Any:
        self.snapshot.record = replace(self.record, pending=())
        return await super().begin()


class NoFloor(Keeper):
    """Forgets the deadline it has confirmed."""

    async def keep(self, record: Record, *, must: bool = False) -> Record:
        return await super().keep(replace(record, floor=0), must=must)


class NoGrace(Keeper):
    """Stops at once when a hold ends early."""

    @property
    def grace(self) -> int:
        return 0


class NoRunMarker(Keeper):
    """Takes every run for the one that was held."""

    def is_another(self, record: Record) -> bool:
        return False

    def _run_is_over(self, record: Record, instance: Any) -> Record:
        return record


class RestoresTooLate(Keeper):
    """Puts auto-stop back on whatever the time."""

    def in_time(self, record: Record) -> bool:
        return True


class GivesUp(Keeper):
    """Where auto-stop cannot be put back on, leaves it at that: the first design's mistake."""

    def stop_after_grace(self, record: Record) -> Record:
        return record


class TrustsOn(Keeper):
    """Takes an auto-stop that is on for one that stops the run."""

    def switched_on(self, record: Record, instance: Any) -> Record:
        return EMPTY


class UndoesOn(Keeper):
    """Holds on against the console's wish."""

    def switched_on(self, record: Record, instance: Any) -> Record:
        return record

    async def go_on(self, instance: Any) -> None:
        record = self.record
        if record.off == "yes" and record.holds and setting(instance)["enable"] and record.prior and not record.pending:
            await self.put(record, "off", instance, replace(record.prior, enable=False))
            return
        await super().go_on(instance)


class AdoptsNothing(Keeper):
    """Puts back what was set before the console changed it."""

    def adopt(self, record: Record, instance: Any) -> Record:
        return record


class StopsOnlyRestored(Keeper):
    """Stops only once the settings are back."""

    async def stop(self, record: Record) -> Record:
        if record.off != "no":
            record = await self._try_to_restore(await self.decided(record))
            if record.off != "no":
                return record
        return await super().stop(record)


class StopsUnsaid(Keeper):
    """Does not note that it stops, so goes on as if nothing had been sent."""

    async def decided(self, record: Record) -> Record:
        return await self.keep(replace(record, holds=(), old=None))


class ForgetsPrior(Keeper):
    """Forgets the settings with the run."""

    def _run_is_over(self, record: Record, instance: Any) -> Record:
        then = super()._run_is_over(record, instance)
        return EMPTY if then.over or then.run != record.run else then


class NoRollback(Keeper):
    """Leaves a hold that was begun as it is."""

    def _seen(self, record: Record, instance: Any) -> Record:
        return record if record.off == "intent" else super()._seen(record, instance)


class LosesRecord(Keeper):
    """Takes a record that is gone from the disk for one that says nothing."""

    def _lost(self, how: str) -> None:
        self._saved, self._unsaved = EMPTY, None


class NoLock(Keeper):
    """Acts while another server does."""

    @asynccontextmanager
    async def operation(self) -> AsyncIterator[None]:
        await self._take_in(self._read())
        yield
        await self.keep(self.record)


class StopsAnyRun(Keeper):
    """Lets a hold stop a later run."""

    def _run_is_over(self, record: Record, instance: Any) -> Record:
        then = super()._run_is_over(record, instance)
        if then.run != record.run:
            return replace(then, stop_at=record.stop_at or self.now())
        return then if then.over == record.over else replace(over(record), stop_at=self.snapshot.stop_of(record))


class LeavesTheStop(Keeper):
    """Leaves a run whose hold was to end in a stop to the platform, where that stops it later."""

    async def _expired(self, record: Record) -> Record:
        left = await super()._expired(record)
        elsewhere = not record.ours and self.snapshot.run.kind == "deadline"
        return replace(left, stop_at=None) if elsewhere and record.holds and not left.holds else left


class PriorPerHold(Reach):
    """Takes its own longer run length for what people chose."""

    def prior(self, record: Record, seen: Any) -> Any:
        return seen


class EvenProbe(Reach):
    """Asks for a run length that anybody may have chosen."""

    def probe(self, duration: int, aim: Any) -> int:
        return 7200 if duration < 7200 else 10800


class SaysHeldUnseen(Reach):
    """Says "held" without having seen auto-stop off."""

    def is_off(self, *, shown: bool) -> bool:
        return True


class NeverShown(Reach):
    """Does not remember the deadline that it tells."""

    def confirmed(self, record: Record) -> Record:
        return record


class NeverTheStop(Reach):
    """Takes a hold that is to end in a stop, while the platform would stop the run later, for one that restores."""

    async def keep_longer(self, record: Record, wish: Hold) -> None:
        elsewhere = self._snapshot.run.kind == "deadline"
        await super().keep_longer(record, replace(wish, then="restore") if elsewhere else wish)


KEEPERS: list[type[Keeper]] = [
    *(NoPending, NoIntent, NoWaiting, NoFloor, NoGrace, NoRunMarker, RestoresTooLate, GivesUp, TrustsOn, UndoesOn),
    *(AdoptsNothing, StopsOnlyRestored, StopsUnsaid, ForgetsPrior, NoRollback, NoLock, StopsAnyRun, LosesRecord),
    LeavesTheStop,
]
REACHES: list[type[Reach]] = [PriorPerHold, EvenProbe, SaysHeldUnseen, NeverShown, NeverTheStop]
ABLATIONS: list[tuple[type[Keeper], type[Reach]]] = [
    *((keeper, Reach) for keeper in KEEPERS),
    *((Keeper, reach) for reach in REACHES),
]
__all__ = ["ABLATIONS", "people_chose"]
