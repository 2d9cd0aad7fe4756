"""Changes of the settings and the stop, each checked against the site's policy and told as what really happened."""

from __future__ import annotations

from dataclasses import replace

from jupyter_autostop.deadline import NOTICEABLE, RUNNING
from jupyter_autostop.duration import format_duration
from jupyter_autostop.errors import InvalidInputError
from jupyter_autostop.journal_file import one_line
from jupyter_autostop.models import Change
from jupyter_autostop.policy import Policy
from jupyter_autostop.snapshot import setting
from jupyter_autostop.state import Outcome
from jupyter_autostop.wire import Instance, UpdateRequest
from jupyter_autostop.writing import Comparison, Writer, match, not_running, outcome, triple

STILL_STOPS = "Auto-stop is off from the next start; this run still stops as shown."
SHOWN_DESCRIPTION = 60
"""Characters of a description that the journal keeps, to know it by."""
_STOPPING = {"STOPPING", "STOPPED", "DELETED"}


def change_words(change: Change) -> str:
    """Say what was asked for, for the journal: `auto-stop on, run length 4 h`, `description “run 7”`."""
    words = []
    if change.auto_stop:
        enable, duration, prompt = change.auto_stop.enable, change.auto_stop.duration, change.auto_stop.prompt
        words += [] if enable is None else [f"auto-stop {'on' if enable else 'off'}"]
        words += [] if duration is None else [f"run length {format_duration(duration)}"]
        words += [] if prompt is None else [f"reminders {'on' if prompt else 'off'}"]
    if change.description is not None:
        text = one_line(change.description, SHOWN_DESCRIPTION)
        words.append(f"description “{text}”" if text else "description cleared")
    return ", ".join(words)


def _stop_shown(instance: Instance) -> Comparison:
    if instance.status in _STOPPING:
        return "shown"
    return "as_before" if instance.status == RUNNING else "untold"


class Changes:
    """What people change at once, and the end of the run."""

    def __init__(self, writer: Writer, policy: Policy) -> None:
        self._writer = writer
        self._policy = policy

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
        before = await self._writer.snapshot.read()
        current = setting(before)
        differs = {key: value for key, value in asked.items() if current[key] != value}
        described = change.description is not None and change.description != (before.description or "")
        if not differs and not described:
            if asked.get("enable") is False and self._writer.snapshot.run.kind == "deadline":
                return outcome("next_start", STILL_STOPS)
            return outcome("none", "It is so already; nothing was sent.")
        match(if_match, before, auto_stop=bool(differs), description=described)
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
        stop_before = self._writer.snapshot.run.stop_timestamp
        if not await self._writer.put(request, before):
            return outcome("unconfirmed", "The change was sent, but ModelArts does not tell what became of it.")
        if not differs:
            return outcome("now", "The description is saved.")
        return await self._auto_stop_outcome(differs, stop_before)

    async def _auto_stop_outcome(self, differs: dict[str, object], stop_before: int | None) -> Outcome:
        run = self._writer.snapshot.run
        if differs.keys() == {"prompt"}:
            return outcome("now", "Reminders are on." if differs["prompt"] else "Reminders are off.")
        if run.kind == "not_running":
            return outcome("next_start", "The instance is not running; the setting counts from its next start.")
        if differs.get("enable") is False:
            if run.kind == "off":
                return outcome("now", "Auto-stop is off: the instance runs, and bills, until you stop it.")
            return outcome("next_start", STILL_STOPS)
        if differs.get("enable") is True:
            if run.kind == "deadline":
                return outcome("now", "Auto-stop is on.")
            return outcome("next_start", "Auto-stop is on, but ModelArts gives this run no stop time.")
        if run.stop_timestamp is None or stop_before is None:
            return outcome("next_start", "The run length is saved; this run has no stop time that it could move.")
        moved = abs(run.stop_timestamp - stop_before) > NOTICEABLE
        await self._writer.snapshot.remember(replace(self._writer.snapshot.memory, defers=not moved))
        if moved:
            return outcome("now", "The run length is saved, and the stop time of this run moved with it.")
        return outcome("next_start", "The run length is saved; it counts from the next start.")

    async def stop(self) -> Outcome:
        """Ask the platform to stop the instance and see it stopping."""
        self._policy.require(self._policy.allow_stop, "stopping the instance from here", "allow_stop")
        before = await self._writer.snapshot.read()
        if self._writer.snapshot.run.kind == "not_running":
            raise not_running(before)
        if not await self._writer.send(self._writer.platform.stop, _stop_shown):
            return outcome("unconfirmed", "The stop was sent, but ModelArts does not tell what became of it.")
        return outcome("now", "ModelArts is stopping this instance.")
