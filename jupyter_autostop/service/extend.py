"""Extending the run that is going on, by whoever can; never to a stop time that is nearer."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

from jupyter_autostop.domain.policy import BEING_PUT_BACK, HOLDING, OFF, Policy
from jupyter_autostop.domain.record import Hold, Owner, Record
from jupyter_autostop.domain.run import NOTICEABLE
from jupyter_autostop.errors import ConflictError
from jupyter_autostop.keeper.extender import Aim, Reach
from jupyter_autostop.keeper.reconciler import Keeper
from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.writer import match, outcome
from jupyter_autostop.service.requests import Extend
from jupyter_autostop.state import EXTENSION, Outcome
from jupyter_autostop.times.duration import LONGEST, format_duration

NOTED = "This run lasts that long already; the extension is noted, and counts if another hold ends sooner."


def moment_words(until: int) -> str:
    """Write a moment for the journal: `until 2026-11-24 10:40 UTC`."""
    try:
        return f"until {datetime.fromtimestamp(until / 1000, tz=timezone.utc):%Y-%m-%d %H:%M} UTC"
    except (OverflowError, ValueError, OSError):
        return "for ever"


def extension_words(extend: Extend) -> str:
    """Say what was asked for, for the journal: `extend by 1 h`, `extend until 2026-11-24 10:40 UTC`."""
    if extend.by is not None:
        return f"extend by {format_duration(extend.by)}" if extend.by <= LONGEST else "extend by more than a year"
    return f"extend {moment_words(extend.until or 0)}"


def _extension(until: int, now: int) -> Hold:
    """Return the hold that an extension is, where this server keeps the stop time."""
    return Hold(EXTENSION, until, "stop", Owner("person"), now)


class Extensions:
    """The extensions of this run."""

    def __init__(self, keeper: Keeper, policy: Policy, reach: Reach) -> None:
        self._keeper = keeper
        self._snapshot = keeper.snapshot
        self._policy = policy
        self._reach = reach

    async def extend(self, extend: Extend, if_match: str | None) -> Outcome:
        """Move this run's stop time later, by whoever can; never nearer."""
        async with self._keeper.operation():
            before = await self._keeper.begin()
            done = await self._extend(extend, if_match, before)
            self._reach.person_has_acted(done)
            return done

    async def _extend(self, extend: Extend, if_match: str | None, before: Instance) -> Outcome:
        record, run, now = self._keeper.claim(), self._snapshot.run, self._keeper.now()
        if extend.until is not None:
            self._reach.check_future(extend.until, now)
        self._reach.check_running(record, before)
        if record.off == "intent":
            self._keeper.refuse_while_open()  # what comes of it decides what there is to extend
        stop = self._snapshot.stops_at(now)
        if run.kind == "off" and stop is None:
            stop = self._about_to_stop(record, extend, now)
            if stop is None:
                return outcome("none", OFF)
        if stop is None or stop <= now:
            raise ConflictError(
                "There is no known stop time to extend.",
                code="no_deadline",
                hint="Refresh, or look at the ModelArts console.",
            )
        match(if_match, before, auto_stop=True, description=False)
        asked = extend.until if extend.until is not None else stop + (extend.by or 0) * 1000
        by_us = self._policy.allow_hold and (run.kind != "deadline" or self._snapshot.memory.defers)
        target = min(asked, self._policy.latest(self._snapshot.memory.run, now, by_us=by_us))
        said = self._clamped_words(asked, target, stop) if target < asked else ""
        if target <= stop or (target < asked and target - stop < NOTICEABLE):
            words = "Nothing was changed." if said else "This run lasts that long already; it was not shortened."
            if await self._outlive_others(record, target, now):
                words = NOTED
            return outcome("none", f"{said}{words}", clamped=bool(said))
        aim = Aim(target, stop, _extension(target, now), said)
        if run.kind != "deadline":
            return await self._extend_held(record, before, aim)
        self._keeper.refuse_while_open()
        own = run.stop_timestamp or stop
        if own >= target:
            # It is this server's stop that comes first.
            self._may_hold()
            await self._reach.keep_longer(record, aim.wish)
            return self._reach.kept(said)
        return await self._reach.reach(record, before, replace(aim, stop=own))

    def _about_to_stop(self, record: Record, extend: Extend, now: int) -> int | None:
        """Return when a run without auto-stop will be stopped once ours is put back, `None` if nothing will stop it."""
        self._keeper.refuse_while_open()
        if record.ours and extend.until is not None:
            grace, defers = self._policy.grace, self._snapshot.memory.defers
            return record.back_in_time(now, grace, defers=defers) or max(now + grace * 1000, record.floor)
        if record.ours:
            raise ConflictError(
                BEING_PUT_BACK,
                code="no_deadline",
                hint="Look again in half a minute, or say until when.",
            )
        if extend.until is not None:
            return None
        raise ConflictError(f"{OFF} There is nothing to extend.", code="no_deadline", hint="")

    async def _outlive_others(self, record: Record, target: int, now: int) -> bool:
        """Note down an extension that other holds outlast for now: they may end sooner. Tell whether it was."""
        mine, others = record.hold(EXTENSION), record.without(EXTENSION)
        if not others.holds or (record.ours and self._snapshot.run.kind != "off"):
            return False
        # Whether the run would stop sooner, were they to end at once.
        sooner = target > (record.t0 or 0) if record.ours else others.last.then == "stop"
        new = mine is None or mine.until < target
        if not (self._policy.allow_hold and sooner and new and target > now):
            return False
        await self._reach.keep_longer(record, _extension(target, now))
        return True

    async def _extend_held(self, record: Record, before: Instance, aim: Aim) -> Outcome:
        """Keep a run longer that the platform does not stop any more."""
        self._may_hold()
        if self._snapshot.run.kind == "off":
            await self._reach.keep_longer(record, aim.wish)
            return self._reach.held(aim.said)
        self._keeper.refuse_while_open()
        return await self._reach.hold(record, aim, self._reach.prior_of_ours(record, before))

    def _may_hold(self) -> None:
        """Raise where this site forbids holds: one may stand from before it did, as promised, and no longer."""
        self._policy.require(self._policy.allow_hold, f"{HOLDING} any longer; it stops as shown", "allow_hold")

    def _clamped_words(self, asked: int, target: int, stop: int) -> str:
        """Say how much longer was asked for and how much of it can be had, in whole minutes rounded down."""

        def longer(then: int) -> str:
            minutes = min((then - stop) // 60_000, 10**6)
            return format_duration(minutes * 60) if minutes >= 1 else "nothing"

        return f"Asked for {longer(asked)} more, the limit leaves {longer(target)}. "
