"""Changes of the settings and the stop, each checked against the site's policy and told as what really happened."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from jupyter_autostop.domain.messages import OFF
from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.domain.record import EMPTY, Record, Setting
from jupyter_autostop.domain.rules import moved
from jupyter_autostop.domain.run import NOTICEABLE, setting
from jupyter_autostop.errors import AutostopError, ConflictError, InvalidInputError
from jupyter_autostop.foreign_text import clean, one_line, shows_nothing
from jupyter_autostop.keeper.reconciler import HAND_BACK, Keeper, stop_sent
from jupyter_autostop.platforms.modelarts.models import Instance, UpdateRequest
from jupyter_autostop.platforms.writer import match, not_running, outcome, triple
from jupyter_autostop.service.requests import Change
from jupyter_autostop.state import Outcome
from jupyter_autostop.times.duration import format_duration

ENDED = "What was held has ended."
CALLED_OFF = "The stop that this server was to make is called off."
STILL_STOPS = "Auto-stop is off from the next start; this run still stops as shown."
SOON = 1800
"""Seconds to a stop that people are warned of."""
SHOWN_DESCRIPTION = 60
"""Characters of a description that the journal keeps, to know it by."""


def sent_description(text: str) -> str:
    """Return a description as it is sent, which is how it will be read back."""
    return clean(text, len(text), several_lines=True)


def change_words(change: Change) -> str:
    """Say what was asked for, for the journal: `auto-stop on, run length 4 h`, `description “run 7”`."""
    words = []
    if change.auto_stop:
        enable, duration, prompt = change.auto_stop.enable, change.auto_stop.duration, change.auto_stop.prompt
        words += [] if enable is None else [f"auto-stop {'on' if enable else 'off'}"]
        words += [] if duration is None else [f"run length {format_duration(duration)}"]
        words += [] if prompt is None else [f"reminders {'on' if prompt else 'off'}"]
    if change.description is not None:
        told = f"description “{one_line(change.description, SHOWN_DESCRIPTION)}”"
        if not sent_description(change.description):
            told = "description cleared"
        elif shows_nothing(change.description):
            told = "description of signs that cannot be seen"
        words.append(told)
    return ", ".join(words)


class Changes:
    """What people change at once, and the end of the run."""

    def __init__(self, keeper: Keeper, policy: Policy) -> None:
        self._keeper = keeper
        self._writer = keeper.writer
        self._policy = policy

    async def change(self, change: Change, if_match: str | None) -> Outcome:
        """Write description, auto-stop or both in one request; what is held ends with a change of `enable`."""
        asked = change.auto_stop.model_dump(exclude_none=True) if change.auto_stop else {}
        self._policy.require(
            asked.get("enable") is not False or self._policy.allow_disable,
            "switching auto-stop off",
            "allow_disable",
        )
        self._policy.require(
            change.description is None or self._policy.allow_describe,
            "editing the description from here",
            "allow_describe",
        )
        async with self._keeper.operation():
            before = await self._keeper.begin()
            held = self._keeper.record
            if "enable" in asked:
                done = await self._switched(change, asked, if_match, before)
                if done is not None:
                    return done
            elif asked:
                self._keeper.refuse_while_open()  # what lands late brings the setting of its own time with it
            done = await self._change(change, asked, if_match, before)
            record = self._keeper.record
            if "enable" in asked:
                self._writer.snapshot.damage = ""
                if not record.ours and (record.holds or record.stop_at is not None or record.asks):
                    # Only now: a change that was refused ends nothing.
                    self._keeper.note("hold", "What was held has ended, since auto-stop was switched by hand.")
                    record = await self._keeper.keep(replace(record, holds=(), stop_at=None, floor=0, asks=False))
            decided = "enable" in asked and done["effect"] != "unconfirmed"
            if decided and record.ours and (record.over or not asked["enable"]):
                # What was owed is what was asked for now.
                await self._keeper.keep(EMPTY)
            elif record.prior is not None and asked and done["effect"] != "unconfirmed":
                # What people choose while the run is held, or a run length of ours stands, is what it goes back to.
                chosen = {key: value for key, value in asked.items() if key != "enable"}
                prior = replace(record.prior, **chosen)
                await self._keeper.keep(replace(record, prior=prior, seen=chosen.get("duration", record.seen)))
            return self._with_what_ended(held, done) if "enable" in asked else done

    def _with_what_ended(self, held: Record, done: Outcome) -> Outcome:
        """Say first what has ended of that which was `held` until now, and when the run stops without it."""
        record = self._keeper.record
        if held.holds and not record.holds:
            said = ENDED
        elif held.stop_at is not None and record.stop_at is None:
            said = CALLED_OFF
        else:
            return done
        if done["effect"] == "unconfirmed":
            return outcome("unconfirmed", f"{said} {done['message']}")
        if done["effect"] != "none":
            said = f"{said} {done['message']}"
        follows = OFF if self._writer.snapshot.run.kind == "off" else self._stops_in()
        if follows not in said:
            said = f"{said} {follows}"
        return outcome("now" if done["effect"] == "none" else done["effect"], said)

    async def _switched(
        self, change: Change, asked: dict[str, Any], if_match: str | None, before: Instance
    ) -> Outcome | None:
        """End what is held, since a person decides about auto-stop; return what came of it, if that was all."""
        keeper, snapshot = self._keeper, self._writer.snapshot
        record = keeper.record
        if record.sent is not None:
            raise stop_sent()
        keeper.refuse_while_open()
        if asked["enable"] and self._would_stop_soon(record):
            match(if_match, before, auto_stop=True, description=False)
            return await self._on_with_grace(change, asked, before)
        if not record.ours or record.over or setting(before)["enable"]:
            if record.over and record.ours and record.prior is not None:
                asked.setdefault("duration", record.prior.duration)
            return None
        match(if_match, before, auto_stop=True, description=False)
        snapshot.damage = ""
        if not asked["enable"]:
            if record.prior is not None:
                asked.setdefault("duration", record.prior.duration)
            more = {key: value for key, value in asked.items() if value != setting(before)[key]}
            if more:
                return None
            await keeper.keep(EMPTY)
            ended = f"{ENDED} " if record.holds else ""
            return None if change.description is not None else outcome("now", f"{ended}{OFF}")
        prior = record.prior and replace(record.prior, **asked)
        record = await keeper.keep(replace(record, prior=prior, holds=(), stop_at=None, floor=0, off="ending"))
        await keeper.restore(record, before)
        return await self._and_described(self._on_again(), change, before)

    async def _and_described(self, done: Outcome, change: Change, before: Instance) -> Outcome:
        """Save the description that was to be changed along with auto-stop."""
        if change.description is None:
            return done
        described = Change(description=change.description)
        rest = await self._change(described, {}, None, self._writer.snapshot.instance or before)
        return outcome(done["effect"], f"{done['message']} {rest['message']}")

    def _would_stop_soon(self, record: Record) -> bool:
        """Tell whether switching on a run that others have left without a stop might stop it as good as at once."""
        memory, now = self._writer.snapshot.memory, self._keeper.now()
        if self._writer.snapshot.run.kind != "off" or record.ours or record.over or memory.run is None or memory.ended:
            return False
        return memory.run.stop_timestamp <= now + HAND_BACK * 1000

    async def _on_with_grace(self, change: Change, asked: dict[str, Any], before: Instance) -> Outcome:
        """Take what was asked for as owed: this run gets the grace, and its stop from us, the next one the setting."""
        keeper, known = self._keeper, self._writer.snapshot.memory.run
        record, shown = keeper.record, setting(before)
        if record.prior is not None and record.probe == shown["duration"]:
            asked.setdefault("duration", record.prior.duration)
        wanted = {**shown, **asked}
        if not self._policy.allow_hold or known is None or wanted["duration"] is None:
            raise ConflictError(
                "Switched on now, auto-stop might stop this run at once: its own stop time has come, or is near.",
                code="stop_near",
                hint="Save your work and stop the instance, or leave auto-stop off in this run.",
            )
        prior = Setting(True, wanted["duration"], wanted["prompt"] is not False)
        owed = Record(
            off="ending",
            prior=prior,
            probe=record.probe,
            seen=shown["duration"],
            t0=known.stop_timestamp,
            start=known.start,
            run=keeper.life.marker,
        )
        record = await keeper.keep(keeper.stop_after_grace(owed), must=True)
        self._writer.snapshot.damage = ""
        words = f"{keeper.why_here(record)}, so auto-stop stays off in this run and this server stops it instead."
        words = f"{words} {self._stops_in()}"
        if change.auto_stop and change.auto_stop.duration is not None:
            words = f"{words} From the next start a run lasts {format_duration(prior.duration)}."
        return await self._and_described(outcome("held", words), change, before)

    def _on_again(self) -> Outcome:
        record, run = self._keeper.record, self._writer.snapshot.run
        if record.pending or (run.kind != "deadline" and record.stop_at is None):
            return outcome("unconfirmed", f"{ENDED} ModelArts does not tell yet if auto-stop is on.")
        if run.kind == "deadline":
            return outcome("now", f"Auto-stop is on; what was held has ended. {self._stops_in()}")
        why = self._keeper.why_here(record)
        return outcome("now", f"{ENDED} {why}, so this server stops the instance. {self._stops_in()}")

    def _stops_in(self, at: int | None = None) -> str:
        """Say when this run stops, at the deadline if not at `at` (ms), and that it can be moved if it comes soon."""
        at = at or self._writer.snapshot.stops_at(self._keeper.now())
        if at is None:
            return ""
        said = f"This run stops at {self._keeper.moment(at)}"
        soon = at <= self._keeper.now() + SOON * 1000
        return f"{said}: extend it if that is too soon." if soon else f"{said}."

    async def _change(self, change: Change, asked: dict[str, Any], if_match: str | None, before: Instance) -> Outcome:
        current = setting(before)
        differs = {key: value for key, value in asked.items() if current[key] != value}
        description = None if change.description is None else sent_description(change.description)
        described = description is not None and description != (before.description or "")
        if not differs and not described:
            if asked.get("enable") is False and self._writer.snapshot.run.kind == "deadline":
                return outcome("next_start", STILL_STOPS)
            return outcome("none", "It is so already; nothing was sent.")
        match(if_match, before, auto_stop=bool(differs), description=described)
        request = UpdateRequest(description=description if described else None)
        if differs:
            wanted = {**current, **differs}
            if wanted["enable"] and wanted["duration"] is None:
                raise InvalidInputError(
                    "ModelArts wants a running time when auto-stop is switched on, and none is set yet.",
                    code="duration_required",
                    hint='Give "duration" too, 3600 to 86400 s.',
                )
            request.spec = triple(before, **differs)
        stop_before = self._writer.snapshot.run.stop_timestamp
        if not await self._keeper.sent(request, before):
            return outcome("unconfirmed", "The change was sent, but ModelArts does not tell what became of it.")
        if not differs:
            return outcome("now", "The description is saved.")
        longer = (differs.get("duration") or 0) - (current["duration"] or 0)
        return await self._auto_stop_outcome(asked, differs, stop_before, longer)

    async def _auto_stop_outcome(
        self, asked: dict[str, Any], differs: dict[str, object], stop_before: int | None, run_length_change: int
    ) -> Outcome:
        run = self._writer.snapshot.run
        if differs.keys() == {"prompt"}:
            return outcome("now", "Reminders are on." if differs["prompt"] else "Reminders are off.")
        if run.kind == "not_running":
            return outcome("next_start", "The instance is not running; the setting counts from its next start.")
        if asked.get("enable") is False:
            if run.kind == "off":
                return outcome("now", OFF)
            return outcome("next_start", STILL_STOPS)
        if differs.get("enable") is True:
            if run.kind == "deadline":
                # What was held ends with it.
                return outcome("now", f"Auto-stop is on. {self._stops_in(run.stop_timestamp)}")
            return outcome("next_start", "Auto-stop is on, but ModelArts gives this run no stop time.")
        if run.stop_timestamp is None or stop_before is None:
            return outcome("next_start", "The run length is saved; this run has no stop time that it could move.")
        return await self._length_outcome(stop_before, abs(run_length_change) * 1000)

    async def _length_outcome(self, stop_before: int, wanted: int) -> Outcome:
        """Say whether the stop time (ms) has moved with the run length, which was changed by `wanted` ms."""
        snapshot = self._writer.snapshot

        def has_moved() -> bool:
            stop = snapshot.run.stop_timestamp
            return stop is not None and moved(abs(stop - stop_before), 0, wanted)

        tells = wanted > NOTICEABLE
        moves = has_moved() if snapshot.memory.defers or not tells else await self._writer.comes(has_moved)
        if snapshot.run.kind != "deadline":
            moves = None  # the run has come to its end meanwhile, or it is not told what stops it
        if moves or (tells and moves is False):
            await snapshot.remember(replace(snapshot.memory, defers=not moves))
        if moves is None:
            words = "The run length is saved; ModelArts does not tell whether the stop time of this run moves with it."
            return outcome("unconfirmed", words)
        if moves:
            return outcome("now", "The run length is saved, and the stop time of this run moved with it.")
        return outcome("next_start", "The run length is saved; it counts from the next start.")

    async def stop(self) -> Outcome:
        """Ask the platform to stop the instance and see it stopping; what is held ends with it."""
        self._policy.require(self._policy.allow_stop, "stopping the instance from here", "allow_stop")
        async with self._keeper.operation():
            before = await self._keeper.begin()
            keeper, record = self._keeper, self._keeper.record
            if self._writer.snapshot.run.kind == "not_running":
                raise not_running(before)
            if record.sent is not None:
                raise stop_sent()
            try:
                await keeper.stop(replace(record, run=keeper.life.marker))
            except AutostopError as error:
                # A person's stop is not tried again without that person.
                if await self._not_stopped(record):
                    error.hint = "Auto-stop was put back on for it, so what was held has ended: look at the stop time."
                raise
            if not keeper.ends():
                await self._not_stopped(record)
                return outcome("unconfirmed", "The stop was sent, but ModelArts does not tell what became of it.")
            return outcome("now", "ModelArts is stopping this instance.")

    async def _not_stopped(self, record: Record) -> bool:
        """Go back to the record before the stop, but for auto-stop that was put back on the way: tell if it was."""
        keeper, instance = self._keeper, self._writer.snapshot.instance
        pending = keeper.record.pending
        back_on = record.ours and keeper.record.off == "no"
        if back_on and instance is not None:
            keeper.note("hold", "Auto-stop was put back on for a stop that failed, so what was held has ended.")
            record = keeper.switched_on(replace(record, off="ending", holds=(), stop_at=None, floor=0), instance)
        await keeper.keep(replace(record, pending=pending))
        return back_on
