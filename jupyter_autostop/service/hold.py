"""Holding the run that is going on, until a time or until a kernel or command ends, and ending that early."""

from __future__ import annotations

import secrets

from jupyter_autostop.domain.policy import HOLDING, OFF, Policy
from jupyter_autostop.domain.record import MOST_HOLDS, Hold, Record
from jupyter_autostop.errors import AutostopError, ConflictError, InvalidInputError, NotAppliedError, NotFoundError
from jupyter_autostop.keeper.extender import Aim, Reach
from jupyter_autostop.keeper.reconciler import STILL_HELD, Keeper, stop_sent
from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.writer import match, outcome
from jupyter_autostop.service.extend import moment_words
from jupyter_autostop.service.requests import HoldWish
from jupyter_autostop.state import ENDED_WITH_OWNER, EXTENSION, Outcome
from jupyter_autostop.times.duration import format_duration

LASTS = "ModelArts itself lets this run last that long; nothing was switched off."
NOTHING_STOPS = "Auto-stop is off anyway; the hold says what follows it."
OUTLASTED = "Another hold or an extension lasts longer, and decides what follows."
CALLED_OFF = "The stop that was to come is called off; the end of this hold decides what follows."


def hold_words(wish: HoldWish) -> str:
    """Say what is to be held, for the journal: `hold until 2026-11-24 10:40 UTC, then stop (“training”)`."""
    reason = f" (“{wish.reason}”)" if wish.reason else ""
    return f"hold {moment_words(wish.until)}, then {wish.then}{reason}"


def release_words(hold_id: str, hold: Hold | None) -> str:
    """Say what is to be ended, for the journal, as the hold's begin was said; by its id only where nothing is known."""
    if hold is None:
        return f"end the hold {hold_id}"
    return f"end the hold “{hold.reason}”" if hold.reason else f"end the hold {moment_words(hold.until)}"


class Holds:
    """The holds of this run."""

    def __init__(self, keeper: Keeper, policy: Policy, reach: Reach) -> None:
        self._keeper = keeper
        self._snapshot = keeper.snapshot
        self._policy = policy
        self._reach = reach

    async def hold(self, wish: HoldWish, if_match: str | None = None) -> tuple[Hold, Outcome]:
        """Hold the run until a time, or until its owner ends; the same wish again changes nothing."""
        self._policy.require(self._policy.allow_hold, HOLDING, "allow_hold")
        # What an extension ends in is this server's own stop, without which the run would go on for ever.
        stops = wish.then == "stop" and not self._policy.allow_stop
        self._policy.require(not stops, "stopping the instance from here, so no hold may end so", "allow_stop")
        async with self._keeper.operation():
            before = await self._keeper.begin()
            decided = self._keeper.record.stop_at is not None
            hold, done = await self._hold_wish(wish, if_match, before)
            self._reach.person_has_acted(done)
            if decided and done["effect"] != "none":
                done = outcome(done["effect"], f"{done['message']} {CALLED_OFF}", clamped=done["clamped"])
            return hold, done

    async def _hold_wish(self, wish: HoldWish, if_match: str | None, before: Instance) -> tuple[Hold, Outcome]:
        keeper, run, now = self._keeper, self._snapshot.run, self._keeper.now()
        record = keeper.claim()
        open_already = record.hold(wish.id) if wish.id else None
        if open_already is not None:
            return self._same(open_already, wish), outcome("none", "It is held so already.")
        self._check_hold(wish, record, before, now)
        match(if_match, before, auto_stop=True, description=False)
        owner = await keeper.owners.make(wish)
        keeper.refuse_while_open()
        hold = Hold(wish.id or secrets.token_hex(8), wish.until, wish.then, owner, now, wish.reason)
        stop = run.stop_timestamp
        lasts = run.kind == "deadline" and stop is not None and stop >= wish.until
        if lasts or run.kind == "off":
            await self._reach.keep_longer(record, hold)
            return hold, self._without_a_write(hold)
        if run.kind == "deadline" and stop is not None:
            done = await self._reach.reach(record, before, Aim(wish.until, stop, hold))
        else:
            prior = self._reach.prior_of_ours(record, before)
            done = await self._reach.hold(record, Aim(wish.until, now, hold), prior)
        if keeper.record.hold(hold.id) is None:
            raise self._not_held(done)
        return hold, done

    def _without_a_write(self, hold: Hold) -> Outcome:
        """Say what is so once a hold has begun for which nothing was sent."""
        record, run = self._keeper.record, self._snapshot.run
        if record.ours:
            return self._reach.held("", "hold")
        decides = record.last == hold
        if hold.then == "stop" and decides:
            return self._reach.kept("")
        words = LASTS if run.kind == "deadline" else NOTHING_STOPS
        return outcome("now", words if decides else f"{words} {OUTLASTED}")

    def _same(self, hold: Hold, wish: HoldWish) -> Hold:
        # A notebook may have been renamed between two tries.
        reason = hold.reason if wish.notebook else wish.reason
        same = (hold.until, hold.then, hold.reason, hold.owner.kernel_id) == (
            *(wish.until, wish.then, reason, wish.kernel_id),
        )
        if not same or hold.id == EXTENSION:
            raise ConflictError(
                "There is another hold of that id.", code="hold_exists", hint="Choose another `id`, or end that one."
            )
        return hold

    def _check_hold(self, wish: HoldWish, record: Record, before: Instance, now: int) -> None:
        self._reach.check_future(wish.until, now)
        self._reach.check_running(record, before)
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
            if hold is None and keeper.owners.ended_with_owner(hold_id):
                raise NotFoundError("The hold has ended, as its kernel or command has.", code=ENDED_WITH_OWNER)
            if hold is None:
                raise NotFoundError(
                    "There is no such hold.", code="hold_not_found", hint="It may have ended; see `holds`."
                )
            if record.sent is not None:
                raise stop_sent()
            by_person = by_person or hold.owner.kind == "person"
            wished = hold.then == "stop" and not by_person
            self._snapshot.record = keeper.end(record, [hold_id], by_person=by_person)
            try:
                await keeper.go_on(instance)
            except AutostopError as error:
                return outcome("unconfirmed", f"The hold has ended. {error.message} What follows is tried again.")
            return self.ended("The hold has ended.", wished=wished)

    def ended(self, said: str, *, wished: bool) -> Outcome:
        """Say what is so once a hold has ended; `wished`: it was to end in a stop."""
        record, stop = self._keeper.record, self._snapshot.next_stop(self._keeper.record)
        if record.pending or record.off == "intent":
            return outcome("unconfirmed", f"{said} ModelArts does not tell yet what follows; it is looked at again.")
        if stop is not None and stop.kept_by == "platform":
            return outcome("now", f"{said} ModelArts stops this run at its own time.")
        if record.holds:
            return outcome("now", f"{said} {STILL_HELD}")
        if stop is not None:
            return outcome("now", f"{said} {self._keeper.stop_words(record, stop.at, wished=wished)}")
        return outcome("now", f"{said} {OFF}" if self._snapshot.run.kind == "off" else said)
