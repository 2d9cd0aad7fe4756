"""Extending the run that is going on, and holding it: by the platform where it moves the stop time, else by us.

The update API says that a longer `duration` counts from the next start. So it is sent, the answer is looked at, and
where the stop time did not move auto-stop goes off for this run and this server keeps the new deadline.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from jupyter_autostop.deadline import NOTICEABLE, TOLERANCE, next_start
from jupyter_autostop.duration import LONGEST, format_duration
from jupyter_autostop.errors import (
    AutostopError,
    ConflictError,
    InvalidInputError,
    NotAppliedError,
    NotFoundError,
)
from jupyter_autostop.keeper import Keeper, stop_sent
from jupyter_autostop.keeping import moved, people_chose
from jupyter_autostop.models import LONGEST_DURATION, Extend, HoldWish
from jupyter_autostop.policy import BEING_PUT_BACK, DEFERS, HOLDING, OFF, Policy
from jupyter_autostop.record import EXTENSION, MOST_HOLDS, Hold, Owner, Record, Setting
from jupyter_autostop.snapshot import setting
from jupyter_autostop.state import Outcome
from jupyter_autostop.wire import Instance
from jupyter_autostop.writing import match, not_running, outcome

UNCONFIRMED = "The {what} was sent, but ModelArts does not tell what became of it; it will be put in order."
_STILL_STOPS = "ModelArts still stops this run at its old time, auto-stop off or not, so it cannot be held."


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


def hold_words(wish: HoldWish) -> str:
    """Say what is to be held, for the journal: `hold until 2026-11-24 10:40 UTC, then stop (“training”)`."""
    reason = f" (“{wish.reason}”)" if wish.reason else ""
    return f"hold {moment_words(wish.until)}, then {wish.then}{reason}"


def _longer(stop: int, before: int) -> str:
    """Say by how much a stop time (ms) has moved; whole minutes are told as such, whatever the rounding of both."""
    seconds = round((stop - before) / 1000)
    minutes = round(seconds / 60)
    return format_duration(minutes * 60 if abs(seconds - minutes * 60) * 1000 <= TOLERANCE else seconds)


def _extension(until: int, now: int) -> Hold:
    """Return the hold that an extension is, where this server keeps the stop time."""
    return Hold(EXTENSION, until, "stop", Owner("person"), now)


@dataclass(frozen=True)
class _Aim:
    """What is to be reached: a stop no sooner than `target` (ms), where `stop` is the platform's; or else a hold."""

    target: int
    stop: int
    wish: Hold
    said: str = ""

    @property
    def clamped(self) -> bool:
        return bool(self.said)

    @property
    def what(self) -> str:
        return "extension" if self.wish.id == EXTENSION else "hold"


class Extensions:
    """The extensions and holds of this run."""

    def __init__(self, keeper: Keeper, policy: Policy) -> None:
        self._keeper = keeper
        self._snapshot = keeper.snapshot
        self._policy = policy

    async def extend(self, extend: Extend, if_match: str | None) -> Outcome:
        """Move this run's stop time later, by whoever can; never nearer."""
        async with self._keeper.operation():
            before = await self._keeper.begin()
            done = await self._extend(extend, if_match, before)
            self._person_has_acted(done)
            return done

    def _about_to_stop(self, record: Record, extend: Extend, now: int) -> int | None:
        """Return when a run without auto-stop will be stopped once ours is put back, `None` if nothing will stop it."""
        self._keeper.refuse_while_open()
        if record.ours and extend.until is not None:
            return max(now + 1, record.back_at(defers=self._snapshot.memory.defers) or 0)
        if record.ours:
            raise ConflictError(
                BEING_PUT_BACK,
                code="no_deadline",
                hint="Look again in half a minute, or say until when.",
            )
        if extend.until is not None:
            return None
        raise ConflictError(f"{OFF} There is nothing to extend.", code="no_deadline", hint="")

    async def _outlive_others(self, record: Record, target: int, now: int) -> None:
        """Note down an extension that others' holds outlast for now: they may end sooner."""
        mine = record.hold(EXTENSION)
        by_others = record.ours and record.holds and target > max(now, record.t0 or 0)
        if self._policy.allow_hold and by_others and (mine is None or mine.until < target):
            await self._keep_longer(record, _extension(target, now))

    def _person_has_acted(self, done: Outcome) -> None:
        if done["effect"] in ("now", "held"):
            self._snapshot.damage = ""

    async def _extend(self, extend: Extend, if_match: str | None, before: Instance) -> Outcome:
        record, run, now = self._keeper.claim(), self._snapshot.run, self._keeper.now()
        if extend.until is not None:
            self._check_future(extend.until, now)
        self._check_running(record, before)
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
            if run.kind == "off":
                await self._outlive_others(record, target, now)
            return outcome("none", f"{said}{words}", clamped=bool(said))
        aim = _Aim(target, stop, _extension(target, now), said)
        if run.kind != "deadline":
            return await self._extend_held(record, before, aim)
        self._keeper.refuse_while_open()
        own = run.stop_timestamp or stop
        if own >= target:
            # Only what this server had decided stood before the platform's own stop time.
            await self._keeper.keep(replace(record, stop_at=None), must=True)
            return outcome("now", f"{said}This run goes on until its own stop time.", clamped=bool(said))
        return await self._reach(record, before, replace(aim, stop=own))

    async def _extend_held(self, record: Record, before: Instance, aim: _Aim) -> Outcome:
        """Keep a run longer that the platform does not stop any more."""
        # It may have been held before this site came to forbid it: what was promised stands, and no more.
        self._policy.require(self._policy.allow_hold, f"{HOLDING} any longer; it stops as shown", "allow_hold")
        if self._snapshot.run.kind == "off":
            await self._keep_longer(record, aim.wish)
            return self._held(aim.said)
        self._keeper.refuse_while_open()
        return await self._hold(record, aim, self._prior_of_ours(record, before))

    def _check_future(self, until: int, now: int) -> None:
        if until <= now:
            raise InvalidInputError(
                "That time has passed already.",
                code="until_passed",
                hint='"until" is in milliseconds since 1970, and must be later than now.',
            )

    def _check_running(self, record: Record, before: Instance) -> None:
        if self._snapshot.run.kind == "not_running":
            raise not_running(before)
        if record.sent is not None:
            raise stop_sent()

    def _clamped_words(self, asked: int, target: int, stop: int) -> str:
        """Say how much longer was asked for and how much of it can be had, in whole minutes rounded down."""

        def longer(then: int) -> str:
            minutes = min((then - stop) // 60_000, 10**6)
            return format_duration(minutes * 60) if minutes >= 1 else "nothing"

        return f"Asked for {longer(asked)} more, the limit leaves {longer(target)}. "

    def _held(self, said: str) -> Outcome:
        until = self._snapshot.stop_of(self._keeper.record) or 0
        left = self._keeper.left(until)
        words = f"This run now stops in {left}, by this server; ModelArts' own auto-stop is off until then."
        return outcome("held", f"{said}{words}", clamped=bool(said))

    async def _keep_longer(self, record: Record, wish: Hold) -> None:
        """Add a hold to a run that the platform does not stop anyway."""
        off = "yes" if record.ours else record.off
        record = self.confirmed(record)
        record = replace(record.with_hold(wish), off=off, stop_at=None, asks=False, run=self._keeper.life.marker)
        await self._keeper.keep(self.confirmed(record), must=True)

    def confirmed(self, record: Record) -> Record:
        """Return the record with its deadline as one that was told to somebody."""
        stop = self._snapshot.stop_of(record)
        return record if stop is None else replace(record, floor=max(record.floor, stop))

    async def _reach(self, record: Record, before: Instance, aim: _Aim) -> Outcome:
        """Have the platform move its stop time, or hold the run where it does not."""
        memory, run = self._snapshot.memory, self._snapshot.run
        seen = people_chose(before)
        if seen is None:
            raise ConflictError(
                "ModelArts does not tell the run length, so it cannot be made longer.", code="no_deadline"
            )
        prior = self.prior(record, seen)
        # A setting that waits for the next start shows that this platform defers.
        deferring = memory.defers or (record.probe is None and next_start(memory.run, before, run) is not None)
        probe = self.probe(seen.duration, aim)
        # Where the start is not known, nobody can tell which stop time a run length would bring.
        told = memory.run is not None and memory.run.start is not None
        if not deferring and probe > seen.duration and (told or not self._policy.allow_hold):
            record, done = await self._probe(record, before, aim, prior, replace(seen, duration=probe))
            if done is not None:
                return done
        elif not self._policy.allow_hold:
            if deferring:
                return outcome("next_start", f"{DEFERS} Nothing was changed.", clamped=aim.clamped)
            return outcome("none", "ModelArts' limit of 24 h for one run is reached.", clamped=True)
        if not self._policy.allow_hold:
            return await self._leave(record, aim, prior)
        if not seen.enable:
            return outcome("next_start", _STILL_STOPS, clamped=aim.clamped)
        return await self._hold(record, aim, prior)

    def prior(self, record: Record, seen: Setting) -> Setting:
        """Return the setting that people chose, which is not what we have set ourselves."""
        return record.prior if record.prior is not None and record.probe == seen.duration else seen

    def probe(self, duration: int, aim: _Aim) -> int:
        """Return a run length (s) that would do: of odd seconds, so that nobody else's is mistaken for it."""
        longer = duration + -(-(aim.target - aim.stop) // 1000)
        return min(longer | 1, LONGEST_DURATION - 1)

    async def _probe(
        self, record: Record, before: Instance, aim: _Aim, prior: Setting, wanted: Setting
    ) -> tuple[Record, Outcome | None]:
        """Send the longer duration and look whether the stop time moved; no outcome yet if it did not."""
        keeper, known = self._keeper, self._snapshot.memory.run
        first = record
        again = first.prior is not None and first.probe == setting(before)["duration"]
        record = replace(
            first,
            prior=prior,
            probe=wanted.duration,
            t0=first.t0 if again and first.t0 is not None else aim.stop,
            start=known.start if known else None,
            run=keeper.life.marker,
            old=replace(first, old=None) if again else None,
        )
        try:
            record, shown = await keeper.put(record, "probe", before, wanted, must=True)
        except AutostopError:
            if not keeper.writer.open:
                await keeper.keep(first)
            raise
        stop = self._snapshot.run.stop_timestamp
        if not shown or self._snapshot.run.kind != "deadline" or stop is None:
            return record, outcome("unconfirmed", UNCONFIRMED.format(what=aim.what))
        if not moved(stop, aim.stop, aim.target - aim.stop):
            await self._snapshot.remember(replace(self._snapshot.memory, defers=True))
            return record, None
        record = replace(record, old=None, stop_at=None)
        said = aim.said
        if aim.target - stop > NOTICEABLE:
            if aim.wish.id != EXTENSION:
                return await keeper.keep(record), None
            said = f"ModelArts moved the stop time by less than was asked for. {said}"
        if aim.wish.id != EXTENSION:
            record = record.with_hold(aim.wish)
        record = await keeper.keep(record)
        words = f"{said}This run now stops later, by {_longer(stop, aim.stop)}."
        return record, outcome("now", words, clamped=bool(said))

    async def _leave(self, record: Record, aim: _Aim, prior: Setting) -> Outcome:
        """Put the old duration back: this site forbids holding the run."""
        keeper, length = self._keeper, format_duration(prior.duration)
        left = f"The run length at each start is {length}, as before."
        try:
            await keeper.put_back(record)
        except AutostopError as error:
            left = f"The run length could not be put back to {length} yet; it will be tried again. {error.message}"
        else:
            if keeper.record.probe is not None:
                left = f"The run length could not be put back to {length} yet; it will be tried again."
        return outcome("next_start", f"{DEFERS} {left}", clamped=aim.clamped)

    async def _hold(self, record: Record, aim: _Aim, prior: Setting) -> Outcome:
        """Switch auto-stop off for this run, see it off, and only then say that it is held."""
        keeper, known = self._keeper, self._snapshot.memory.run
        own = self._snapshot.run.stop_timestamp
        intent = replace(
            record,
            off="intent",
            prior=prior,
            seen=prior.duration,
            t0=own,
            start=known.start if known else None,
            run=keeper.life.marker,
            floor=max(record.floor, own or self._snapshot.stop_of(record) or 0),
            stop_at=None,
            old=record,
        )
        before = self._snapshot.instance
        if before is None:
            return outcome("unconfirmed", UNCONFIRMED.format(what=aim.what))
        try:
            intent, shown = await keeper.put(intent, "off", before, replace(prior, enable=False), must=True)
        except AutostopError:
            if not keeper.writer.open:
                await self._undo(record)
            raise
        if self.is_off(shown=shown):
            held = replace(intent, off="yes", probe=None, old=None).with_hold(aim.wish)
            await keeper.keep(self.confirmed(held), must=True)
            return self._held(aim.said)
        if not shown or self._snapshot.run.kind != "deadline":
            return outcome("unconfirmed", UNCONFIRMED.format(what=aim.what))
        await self._switch_on_again(intent, record)
        return outcome("next_start", f"{_STILL_STOPS} It is on again.", clamped=aim.clamped)

    def is_off(self, *, shown: bool) -> bool:
        """Tell whether the platform shows that nothing of its own stops this run."""
        return shown and self._snapshot.run.kind == "off"

    def _prior_of_ours(self, record: Record, before: Instance) -> Setting:
        """Return what people chose for a run that has no stop time any more, though auto-stop is on."""
        if record.prior is None or not record.ours or people_chose(before) is None:
            raise ConflictError(
                "The stop time of this run is not known, so it cannot be held.",
                code="no_deadline",
                hint="Refresh, or look at the ModelArts console.",
            )
        return record.prior

    async def _undo(self, record: Record) -> None:
        """The off was refused: put back what the probe before it has changed; later, if not now."""
        record = await self._keeper.keep(record)
        if record.probe is not None and record.old is None and record.t0 is not None:
            try:
                await self._keeper.put_back(record)
            except AutostopError as error:
                self._keeper.note("run length", f"It could not be put back yet. {error.message}")

    async def _switch_on_again(self, intent: Record, before: Record) -> None:
        """The off has not helped this run, so it must not be left for the next one."""
        keeper, instance = self._keeper, self._snapshot.instance
        if instance is None or intent.prior is None:
            return
        wanted, left = replace(intent.prior, enable=True), replace(before, probe=None, prior=None, old=None)
        old = before.old
        if old is not None and old.probe is not None and old.t0 is not None:
            # This run goes on by the longer run length that it had before, which its end still owes a return.
            wanted, left = replace(wanted, duration=old.probe), replace(before, probe=old.probe, t0=old.t0, old=None)
        record, shown = await keeper.put(intent, "on", instance, wanted)
        await keeper.keep(replace(left, pending=record.pending) if shown else record)

    # Holds

    async def hold(self, wish: HoldWish) -> tuple[Hold, Outcome]:
        """Hold the run until a time, or until its owner ends; the same wish again changes nothing."""
        self._policy.require(self._policy.allow_hold, HOLDING, "allow_hold")
        # What an extension ends in is this server's own stop, without which the run would go on for ever.
        stops = wish.then == "stop" and not self._policy.allow_stop
        self._policy.require(not stops, "stopping the instance from here, so no hold may end so", "allow_stop")
        async with self._keeper.operation():
            before = await self._keeper.begin()
            hold, done = await self._hold_wish(wish, before)
            self._person_has_acted(done)
            return hold, done

    async def _hold_wish(self, wish: HoldWish, before: Instance) -> tuple[Hold, Outcome]:
        keeper, run, now = self._keeper, self._snapshot.run, self._keeper.now()
        record = keeper.claim()
        open_already = record.hold(wish.id) if wish.id else None
        if open_already is not None:
            return self._same(open_already, wish), outcome("none", "It is held so already.")
        self._check_hold(wish, record, before, now)
        owner = await keeper.owners.make(wish.kernel_id, wish.pid)
        keeper.refuse_while_open()
        hold = Hold(wish.id or secrets.token_hex(8), wish.until, wish.then, owner, now, wish.reason)
        stop = run.stop_timestamp
        if run.kind == "deadline" and stop is not None and stop >= wish.until:
            await keeper.keep(replace(record.with_hold(hold), stop_at=None, run=keeper.life.marker), must=True)
            return hold, outcome("now", "ModelArts itself lets this run last that long; nothing was switched off.")
        if run.kind == "off":
            await self._keep_longer(record, hold)
            if keeper.record.ours:
                return hold, self._held("")
            return hold, outcome("now", "Auto-stop is off anyway; the hold says what follows it.")
        if run.kind == "deadline" and stop is not None:
            done = await self._reach(record, before, _Aim(wish.until, stop, hold))
        else:
            prior = self._prior_of_ours(record, before)
            done = await self._hold(record, _Aim(wish.until, now, hold), prior)
        if keeper.record.hold(hold.id) is None:
            raise self._not_held(done)
        return hold, done

    def _same(self, hold: Hold, wish: HoldWish) -> Hold:
        same = (hold.until, hold.then, hold.reason, hold.owner.kernel_id) == (
            *(wish.until, wish.then, wish.reason, wish.kernel_id),
        )
        if not same or hold.id == EXTENSION:
            raise ConflictError(
                "There is another hold of that id.", code="hold_exists", hint="Choose another `id`, or end that one."
            )
        return hold

    def _check_hold(self, wish: HoldWish, record: Record, before: Instance, now: int) -> None:
        self._check_future(wish.until, now)
        self._check_running(record, before)
        if wish.id == EXTENSION:
            raise InvalidInputError(f"The id “{EXTENSION}” is that of extensions.", code="invalid_body")
        latest = now + self._policy.max_extension * 1000
        if wish.until > latest:
            raise InvalidInputError(
                f"This site lets a hold last {format_duration(self._policy.max_extension)} from now at most.",
                code="until_range",
                hint=f'Give an "until" of {latest} or less; the setting is `max_extension`.',
            )
        if len(record.holds) >= MOST_HOLDS:
            raise ConflictError(
                f"There are {MOST_HOLDS} holds already, and there can be no more.",
                code="too_many_holds",
                hint="End one that is not needed any more.",
            )

    def _not_held(self, done: Outcome) -> AutostopError:
        if done["effect"] == "unconfirmed":
            return NotAppliedError(
                done["message"], code="unconfirmed", hint="It is not held. Look at what is shown in half a minute."
            )
        return ConflictError(done["message"], code="not_held", hint="This run stops as shown.")

    async def release(self, hold_id: str, *, by_person: bool) -> Outcome:
        """End a hold before its time."""
        async with self._keeper.operation():
            instance = await self._keeper.begin()
            keeper, record = self._keeper, self._keeper.record
            hold = record.hold(hold_id)
            if hold is None:
                raise NotFoundError(
                    "There is no such hold.", code="hold_not_found", hint="It may have ended; see `holds`."
                )
            if record.sent is not None:
                raise stop_sent()
            by_person = by_person or hold.owner.kind == "person"
            self._snapshot.record = keeper.end(record, [hold_id], by_person=by_person)
            try:
                await keeper.go_on(instance)
            except AutostopError as error:
                return outcome("unconfirmed", f"The hold has ended. {error.message} What follows is tried again.")
            return self.ended("The hold has ended.")

    def ended(self, said: str) -> Outcome:
        """Say what is so once a hold has ended."""
        record, run = self._keeper.record, self._snapshot.run
        if record.pending or record.off == "intent":
            return outcome("unconfirmed", f"{said} ModelArts does not tell yet what follows; it is looked at again.")
        if run.kind == "deadline":
            if record.stop_at is not None:
                return outcome("now", f"{said} This server stops the instance at the time shown.")
            return outcome("now", f"{said} ModelArts stops this run at its own time.")
        if record.holds:
            return outcome("now", f"{said} This run is held by others still.")
        if record.stop_at is not None:
            why = f"{self._keeper.why_here(record)}, so this" if record.ours else "As was wished for, this"
            return outcome("now", f"{said} {why} server stops the instance, in {self._keeper.left(record.stop_at)}.")
        return outcome("now", f"{said} {OFF}" if run.kind == "off" else said)
