"""Extending the run that is going on, as far as the platform moves its stop time, and putting back what it cost.

The update API says that a longer `duration` counts from the next start. So it is sent, the answer is looked at, and
where the stop time did not move the old duration goes back at once.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import datetime, timezone

from jupyter_autostop.deadline import NOTICEABLE, TOLERANCE, next_start
from jupyter_autostop.duration import LONGEST, format_duration
from jupyter_autostop.errors import AutostopError, ConflictError, InvalidInputError, NoAnswerError, NotAppliedError
from jupyter_autostop.memory import Owed
from jupyter_autostop.models import LONGEST_DURATION, Extend
from jupyter_autostop.policy import DEFERS, OFF, Policy
from jupyter_autostop.snapshot import setting
from jupyter_autostop.state import Outcome
from jupyter_autostop.wire import Instance, UpdateRequest
from jupyter_autostop.writing import Writer, match, not_running, outcome, triple

SETTLE_MARGIN = 900
"""Seconds that a put-back must leave the run it happens in."""
LANDS_WITHIN = 30
"""Seconds within which an unanswered write takes effect, if ever."""


def _moved(stop: int, before: int, wanted: int) -> bool:
    """Tell whether a stop time (ms) has moved because `wanted` ms more were asked for, and not by rounding."""
    return stop - before > max(TOLERANCE, min(NOTICEABLE, wanted // 2))


def extension_words(extend: Extend) -> str:
    """Say what was asked for, for the journal: `extend by 1 h`, `extend until 2026-11-24 10:40 UTC`."""
    if extend.by is not None:
        return f"extend by {format_duration(extend.by)}" if extend.by <= LONGEST else "extend by more than a year"
    try:
        until = datetime.fromtimestamp((extend.until or 0) / 1000, tz=timezone.utc)
    except (OverflowError, ValueError, OSError):
        return "extend for ever"
    return f"extend until {until:%Y-%m-%d %H:%M} UTC"


def _longer(stop: int, before: int) -> str:
    """Say by how much a stop time (ms) has moved; whole minutes are told as such, whatever the rounding of both."""
    seconds = round((stop - before) / 1000)
    minutes = round(seconds / 60)
    return format_duration(minutes * 60 if abs(seconds - minutes * 60) * 1000 <= TOLERANCE else seconds)


class Extensions:
    """The extensions of this run."""

    def __init__(self, writer: Writer, policy: Policy, log: logging.Logger) -> None:
        self._writer = writer
        self._policy = policy
        self._log = log

    async def extend(self, extend: Extend, if_match: str | None) -> Outcome:
        """Move this run's stop time if the platform does that; otherwise leave everything as it was and say so."""
        before = await self._writer.snapshot.read()
        run = self._writer.snapshot.run
        now = self._writer.platform.time.now_ms()
        if extend.until is not None and extend.until <= now:
            raise InvalidInputError(
                "That time has passed already.",
                code="until_passed",
                hint='"until" is in milliseconds since 1970, and must be later than now.',
            )
        if run.kind == "not_running":
            raise not_running(before)
        if run.kind == "off" and extend.until is not None:
            return outcome("none", OFF)
        stop = run.stop_timestamp
        if stop is None or stop <= now:
            if run.kind == "off":
                raise ConflictError(f"{OFF} There is nothing to extend.", code="no_deadline", hint="")
            raise ConflictError(
                "There is no known stop time to extend.",
                code="no_deadline",
                hint="Refresh, or look at the ModelArts console.",
            )
        match(if_match, before, auto_stop=True, description=False)
        asked = extend.until if extend.until is not None else stop + (extend.by or 0) * 1000
        known = self._writer.snapshot.memory.run
        target = min(asked, self._policy.latest(known, now))
        clamped = target < asked
        said = self._clamped_words(asked, target, stop) if clamped else ""
        if target <= stop:
            return outcome("none", f"{said}This run lasts that long already; it was not shortened.", clamped=clamped)
        # A setting that waits for the next start shows that this platform defers.
        if self._writer.snapshot.memory.defers or next_start(known, before, run) is not None:
            return outcome("next_start", f"{DEFERS} Nothing was changed.", clamped=clamped)
        prior = setting(before)["duration"]
        if prior is None:
            raise ConflictError(
                "ModelArts does not tell the run length, so it cannot be made longer.", code="no_deadline"
            )
        probe = min(prior + -(-(target - stop) // 1000), LONGEST_DURATION)
        if probe <= prior:
            return outcome("none", "ModelArts' limit of 24 h for one run is reached.", clamped=True)
        return await self._probe(before, prior, probe, target, said)

    def _clamped_words(self, asked: int, target: int, stop: int) -> str:
        """Say how much longer was asked for and how much of it can be had, in whole minutes rounded down."""

        def longer(then: int) -> str:
            minutes = min((then - stop) // 60_000, 10**6)
            return format_duration(minutes * 60) if minutes >= 1 else "nothing"

        return f"Asked for {longer(asked)} more, the limit leaves {longer(target)}. "

    async def _probe(self, before: Instance, prior: int, probe: int, target: int, said: str) -> Outcome:
        """Send the longer duration and look whether the stop time moved; put it back where it did not help."""
        snapshot = self._writer.snapshot
        memory = snapshot.memory
        stop = snapshot.run.stop_timestamp or target
        request = UpdateRequest(spec=triple(before, duration=probe))
        owed_before = memory.owed
        # Kept before the write: whatever becomes of us, the run length that people chose is known.
        if owed_before and owed_before.probe != prior:
            owed_before = None  # somebody has chosen another run length since; theirs counts
        chosen = owed_before.prior if owed_before else prior
        owed = Owed(chosen, probe, memory.serial, stop, self._writer.platform.time.now_ms())
        await snapshot.remember(replace(memory, owed=owed))
        try:
            confirmed = await self._writer.put(request, before)
        except AutostopError as error:
            if not isinstance(error, (NoAnswerError, NotAppliedError)):
                # Turned away. Anything else may still arrive, and settling will know it as ours.
                await snapshot.remember(replace(snapshot.memory, owed=owed_before))
            raise
        run = snapshot.run
        if not confirmed or run.kind != "deadline" or run.stop_timestamp is None:
            return outcome("unconfirmed", "The extension was sent, but ModelArts does not tell what became of it.")
        if _moved(run.stop_timestamp, stop, target - stop):
            short = target - run.stop_timestamp > NOTICEABLE
            if short:
                said = f"ModelArts moved the stop time by less than was asked for. {said}"
            later = _longer(run.stop_timestamp, stop)
            return outcome("now", f"{said}This run now stops later, by {later}.", clamped=bool(said))
        await snapshot.remember(replace(snapshot.memory, defers=True))
        left = f"The run length at each start is {format_duration(prior)}, as before."
        if await self._put_back(replace(owed, prior=prior), owed_before):
            left = f"The run length could not be put back to {format_duration(prior)} yet; it will be tried again."
        return outcome("next_start", f"{DEFERS} {left}", clamped=bool(said))

    async def _put_back(self, owed: Owed, then: Owed | None = None) -> str:
        """Set the run length back to `owed.prior`, after which `then` is owed; return why that failed, if it did.

        A failure leaves it owed as it was.
        """
        snapshot = self._writer.snapshot
        try:
            instance = snapshot.instance
            if instance is not None and setting(instance)["duration"] == owed.probe:
                back = UpdateRequest(spec=triple(instance, duration=owed.prior))
                if not await self._writer.put(back, instance):
                    return "ModelArts does not tell what became of it."
        except AutostopError as error:
            self._log.warning("jupyter_autostop: the run length could not be put back: %s", error.message)
            return error.message
        await snapshot.remember(replace(snapshot.memory, owed=then))
        return ""

    async def settle(self) -> Outcome:
        """Put back a run length that is owed, once the run that needed the longer one is over."""
        snapshot = self._writer.snapshot
        memory, instance, run = snapshot.memory, snapshot.instance, snapshot.run
        owed = memory.owed
        if owed is None or instance is None:
            return outcome("none", "Nothing is owed.")
        if run.kind != "deadline" or run.stop_timestamp is None:
            # Between two runs, or nobody can tell: what a run needs is decided when it is seen.
            return outcome("none", "No run is seen that it could be settled in.")
        if setting(instance)["duration"] != owed.probe:
            if self._writer.platform.time.now_ms() < owed.sent + LANDS_WITHIN * 1000:
                return outcome("none", "The longer run length may yet arrive.")
            # Somebody has chosen another run length since; theirs counts.
            await snapshot.remember(replace(memory, owed=None))
            return outcome("none", "The run length was changed elsewhere.")
        same_run = memory.serial == owed.serial
        if same_run and _moved(run.stop_timestamp, owed.stop_before, (owed.probe - owed.prior) * 1000):
            return outcome("none", "The longer run is still going on.")
        start = memory.run.start if memory.run else None
        ends = None if start is None else start + owed.prior * 1000
        too_late = ends is None or ends < self._writer.platform.time.now_ms() + SETTLE_MARGIN * 1000
        if not same_run and not memory.defers and too_late:
            return outcome("none", "Putting it back now would stop this run; it waits for the next start.")
        length = format_duration(owed.prior)
        if why := await self._put_back(owed):
            return outcome("unconfirmed", f"The run length could not be put back to {length} yet. {why}")
        return outcome("now", f"The run length at each start is {length} again, as people chose it.")
