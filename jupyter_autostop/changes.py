"""What a write means: look first, send the whole triple, look again, and say what the platform really did."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from jupyter_autostop.clock import Clock
from jupyter_autostop.deadline import RUNNING, TOLERANCE, next_start
from jupyter_autostop.duration import format_duration
from jupyter_autostop.errors import AutostopError, ConflictError, InvalidInputError, NoAnswerError, NotAppliedError
from jupyter_autostop.memory import Owed
from jupyter_autostop.models import LONGEST_DURATION, Change, Extend
from jupyter_autostop.platforms.codes import MEANINGS
from jupyter_autostop.platforms.port import Platform
from jupyter_autostop.policy import DEFERS, Policy
from jupyter_autostop.snapshot import Snapshot, part_version, setting
from jupyter_autostop.state import Effect, Outcome
from jupyter_autostop.wire import Instance, UpdateAutoStop, UpdateRequest, UpdateSpec

LOOK_AGAIN = (0.5, 1.5)
"""Seconds before a read-back that shows the old values is repeated: a write may take a moment to show."""
SETTLE_MARGIN = 900
"""Seconds that a put-back must leave the run it happens in."""
LANDS_WITHIN = 30
"""Seconds within which an unanswered write takes effect, if ever."""
_NOT_RUNNING = {"STOPPED": "ModelArts.6307", "STOPPING": "ModelArts.6308", "STARTING": "ModelArts.6306"}


def outcome(effect: Effect, message: str, *, clamped: bool = False) -> Outcome:
    """Return the State's word on a write."""
    return {"effect": effect, "message": message, "clamped": clamped}


@dataclass(frozen=True)
class Goal:
    """What a write is to reach: the full request, and how an answer shows it."""

    request: UpdateRequest

    def shown_by(self, instance: Instance) -> bool:
        """Tell whether the platform shows everything that was sent."""
        request = self.request
        # The platform may trim or fold white space; the words are what was asked for.
        if request.description is not None and (instance.description or "").split() != request.description.split():
            return False
        if request.spec and request.spec.auto_stop:
            now = setting(instance)
            return all(now[key] == value for key, value in request.spec.auto_stop.model_dump(exclude_none=True).items())
        return True


def triple(instance: Instance, **changed: object) -> UpdateSpec:
    """Return the whole auto_stop setting with some keys changed: whether a part is merged, nobody promises."""
    return UpdateSpec(auto_stop=UpdateAutoStop.model_validate({**setting(instance), **changed}))


class Changes:
    """The writes. Each assumes that no other is under way."""

    def __init__(
        self,
        platform: Platform,
        snapshot: Snapshot,
        clock: Clock,
        policy: Policy,
        log: logging.Logger,
    ) -> None:
        self._platform = platform
        self._snapshot = snapshot
        self._clock = clock
        self._policy = policy
        self._log = log

    async def _write(self, send: Callable[[], Awaitable[None]], shown_by: Callable[[Instance], bool]) -> bool:
        """Send once and read back; return whether the read-back was possible and shows it, or raise what it shows.

        A lost answer is followed by a read, never by a second write.
        """
        lost: AutostopError | None = None
        try:
            await send()
        except AutostopError as error:
            if not error.maybe_applied:
                raise
            lost = error
        for wait in (0.0, *LOOK_AGAIN):
            if wait:
                await self._clock.sleep(wait)
            if not await self._snapshot.refresh():
                return False
            instance = self._snapshot.instance
            if instance is not None and shown_by(instance):
                return True
        if isinstance(lost, NoAnswerError):
            raise NoAnswerError(
                f"{lost.message} Looked at again, the instance is as it was.",
                code=lost.code,
                hint="Try again in a minute: a change that was merely slow would show by then.",
                request_id=lost.request_id,
            )
        raise NotAppliedError(
            f"{lost.message if lost else 'ModelArts accepted the change.'} Looked at again, the instance is as it was.",
            code=lost.code if lost else None,
            request_id=lost.request_id if lost else None,
        )

    async def _put(self, request: UpdateRequest) -> bool:
        return await self._write(lambda: self._platform.update(request), Goal(request).shown_by)

    def _match(self, if_match: str | None, instance: Instance, *, auto_stop: bool, description: bool) -> None:
        """Raise `ConflictError` if somebody else has changed the part that is about to be written."""
        if if_match is None:
            return
        seen_setting, _, seen_description = if_match.partition(".")
        changed = []
        if auto_stop and seen_setting != part_version(setting(instance)):
            changed.append("the auto-stop setting")
        if description and seen_description != part_version(instance.description):
            changed.append("the description")
        if changed:
            raise ConflictError(
                f"Meanwhile somebody else has changed {' and '.join(changed)}; nothing was overwritten.",
                code="changed_elsewhere",
            )

    # Settings

    async def change(self, change: Change, if_match: str | None) -> Outcome:
        """Write description, auto-stop or both in one request."""
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
        before = await self._snapshot.read()
        current = setting(before)
        differs = {key: value for key, value in asked.items() if current[key] != value}
        described = change.description is not None and change.description != (before.description or "")
        if not differs and not described:
            return outcome("none", "It is so already; nothing was sent.")
        self._match(if_match, before, auto_stop=bool(differs), description=described)
        request = UpdateRequest(description=change.description if described else None)
        if differs:
            wanted = {**current, **differs}
            if wanted["enable"] and wanted["duration"] is None:
                raise InvalidInputError(
                    "ModelArts wants a running time when auto-stop is switched on, and none is set yet.",
                    code="duration_required",
                    hint='Give "duration" too, 3600 to 86400 s.',
                )
            request.spec = triple(before, **differs)
        stop_before = self._snapshot.run.stop_timestamp
        if not await self._put(request):
            return outcome("unconfirmed", "The change was sent, but ModelArts could not be read afterwards.")
        if not differs:
            return outcome("now", "The description is saved.")
        return self._auto_stop_outcome(differs, stop_before)

    def _auto_stop_outcome(self, differs: dict[str, object], stop_before: int | None) -> Outcome:
        run = self._snapshot.run
        if differs.keys() == {"prompt"}:
            return outcome("now", "Reminders are on." if differs["prompt"] else "Reminders are off.")
        if run.kind == "not_running":
            return outcome("next_start", "The instance is not running; the setting counts from its next start.")
        if differs.get("enable") is False:
            if run.kind == "off":
                return outcome("now", "Auto-stop is off: the instance runs, and bills, until you stop it.")
            return outcome("next_start", "Auto-stop is off from the next start; this run still stops as shown.")
        if differs.get("enable") is True:
            if run.kind == "deadline":
                return outcome("now", "Auto-stop is on.")
            return outcome("next_start", "Auto-stop is on, but ModelArts gives this run no stop time.")
        moved = run.stop_timestamp is not None and abs(run.stop_timestamp - (stop_before or 0)) > TOLERANCE
        self._snapshot.remember(replace(self._snapshot.memory, defers=not moved))
        if moved:
            return outcome("now", "The run length is saved, and the stop time of this run moved with it.")
        return outcome("next_start", "The run length is saved; it counts from the next start.")

    # Extending

    async def extend(self, extend: Extend, if_match: str | None) -> Outcome:
        """Move this run's stop time if the platform does that; otherwise leave everything as it was and say so."""
        before = await self._snapshot.read()
        run = self._snapshot.run
        now = self._platform.time.now_ms()
        if extend.until is not None and extend.until <= now:
            raise InvalidInputError(
                "That time has passed already.",
                code="until_passed",
                hint='"until" is in milliseconds since 1970, and must be later than now.',
            )
        if run.kind == "not_running":
            raise self._not_running(before)
        if run.kind == "off" and extend.until is not None:
            return outcome("none", "Auto-stop is off: nothing will stop this run.")
        stop = run.stop_timestamp
        if stop is None or stop <= now:
            raise ConflictError(
                "There is no known stop time to extend.",
                code="no_deadline",
                hint="Switch auto-stop on first."
                if run.kind == "off"
                else "Refresh, or look at the ModelArts console.",
            )
        self._match(if_match, before, auto_stop=True, description=False)
        asked = extend.until if extend.until is not None else stop + (extend.by or 0) * 1000
        known = self._snapshot.memory.run
        target = min(asked, self._policy.latest(known, now))
        clamped = target < asked
        said = self._clamped_words(asked, target, now) if clamped else ""
        if target <= stop:
            return outcome("none", f"{said}This run lasts that long already; it was not shortened.", clamped=clamped)
        # A setting that waits for the next start shows that this platform defers.
        if self._snapshot.memory.defers or next_start(known, before, run) is not None:
            return outcome("next_start", f"{said}{DEFERS} Nothing was changed.", clamped=clamped)
        prior = setting(before)["duration"]
        if prior is None:
            raise ConflictError(
                "ModelArts does not tell the run length, so it cannot be made longer.", code="no_deadline"
            )
        probe = min(prior + -(-(target - stop) // 1000), LONGEST_DURATION)
        if probe <= prior:
            return outcome("none", "ModelArts' limit of 24 h for one run is reached.", clamped=True)
        return await self._probe(before, prior, probe, stop, said)

    def _clamped_words(self, asked: int, target: int, now: int) -> str:
        def from_now(then: int) -> str:
            minutes = min((then - now) // 60_000, 10**6)
            return format_duration(max(minutes, 1) * 60)

        return f"Asked for {from_now(asked)} from now, the limit is {from_now(target)}. "

    async def _probe(self, before: Instance, prior: int, probe: int, stop: int, said: str) -> Outcome:
        """Send the longer duration and look whether the stop time moved; put it back where it did not help."""
        snapshot = self._snapshot
        memory = snapshot.memory
        owed_before = memory.owed
        # Kept before the write: whatever becomes of us, the run length that people chose is known.
        chosen = owed_before.prior if owed_before and owed_before.probe == prior else prior
        owed = Owed(chosen, probe, memory.serial, stop, self._platform.time.now_ms())
        snapshot.remember(replace(memory, owed=owed))
        try:
            confirmed = await self._put(UpdateRequest(spec=triple(before, duration=probe)))
        except AutostopError as error:
            if not error.maybe_applied and not isinstance(error, NoAnswerError):
                snapshot.remember(replace(snapshot.memory, owed=owed_before))
            raise
        if not confirmed:
            return outcome("unconfirmed", "The extension was sent, but ModelArts could not be read afterwards.")
        run = snapshot.run
        if run.stop_timestamp is not None and run.stop_timestamp > stop + TOLERANCE:
            return outcome("now", f"{said}This run now stops later, as shown.", clamped=bool(said))
        snapshot.remember(replace(snapshot.memory, defers=True))
        if await self._put_back(replace(owed, prior=prior)):
            left = f"The run length at each start is {format_duration(prior)}, as before."
            return outcome("next_start", f"{said}{DEFERS} {left}", clamped=bool(said))
        return outcome(
            "unconfirmed",
            f"{said}{DEFERS} The run length at each start could not be put back to {format_duration(prior)} yet; "
            "it will be tried again.",
            clamped=bool(said),
        )

    async def _put_back(self, owed: Owed) -> bool:
        """Set the run length back to what people chose; a failure leaves it owed."""
        snapshot = self._snapshot
        try:
            if snapshot.instance is not None and setting(snapshot.instance)["duration"] == owed.probe:
                if not await self._put(UpdateRequest(spec=triple(snapshot.instance, duration=owed.prior))):
                    return False
        except AutostopError as error:
            self._log.warning("jupyter_autostop: the run length could not be put back: %s", error.message)
            return False
        snapshot.remember(replace(snapshot.memory, owed=None))
        return True

    async def settle(self) -> Outcome:
        """Put back a run length that is owed, once the run that needed the longer one is over."""
        snapshot = self._snapshot
        memory, instance, run = snapshot.memory, snapshot.instance, snapshot.run
        owed = memory.owed
        if owed is None or instance is None:
            return outcome("none", "Nothing is owed.")
        if setting(instance)["duration"] != owed.probe:
            if self._platform.time.now_ms() < owed.sent + LANDS_WITHIN * 1000:
                return outcome("none", "The longer run length may yet arrive.")
            # Somebody has chosen another run length since; theirs counts.
            snapshot.remember(replace(memory, owed=None))
            return outcome("none", "The run length was changed elsewhere.")
        same_run = memory.serial == owed.serial and run.kind == "deadline"
        moved = run.stop_timestamp is not None and run.stop_timestamp > owed.stop_before + TOLERANCE
        if same_run and moved:
            return outcome("none", "The longer run is still going on.")
        start = memory.run.start if memory.run else None
        ends = None if start is None else start + owed.prior * 1000
        too_late = ends is None or ends < self._platform.time.now_ms() + SETTLE_MARGIN * 1000
        if not same_run and instance.status == RUNNING and run.kind == "deadline" and not memory.defers and too_late:
            return outcome("none", "Putting it back now would stop this run; it waits for the next start.")
        put = await self._put_back(owed)
        return outcome("now" if put else "unconfirmed", "The run length is as people chose it.")

    # Stopping

    async def stop(self) -> Outcome:
        """Ask the platform to stop the instance and see it stopping."""
        self._policy.require(self._policy.allow_stop, "stopping the instance from here", "allow_stop")
        before = await self._snapshot.read()
        if before.status != RUNNING:
            raise self._not_running(before)
        if not await self._write(self._platform.stop, lambda instance: instance.status != RUNNING):
            return outcome("unconfirmed", "The stop was sent, but ModelArts could not be read afterwards.")
        return outcome("now", "ModelArts is stopping this instance.")

    def _not_running(self, instance: Instance) -> ConflictError:
        code = _NOT_RUNNING.get(instance.status)
        if code:
            return ConflictError(MEANINGS[code][1], code=code, hint=MEANINGS[code][2])
        return ConflictError(
            f"The instance is not running (status {instance.status[:40]}).",
            code="not_running",
            hint="Start it in the ModelArts console.",
        )
