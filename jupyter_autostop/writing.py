"""Writing as the platform allows it: send once, read back, and believe only what is read.

There is no ETag, a part of the setting may or may not be merged, and an answer may be lost after the change was made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from jupyter_autostop.clock import Clock
from jupyter_autostop.errors import AutostopError, ConflictError, NoAnswerError, NotAppliedError
from jupyter_autostop.platforms.codes import MEANINGS
from jupyter_autostop.platforms.port import Platform
from jupyter_autostop.snapshot import Snapshot, part_version, setting
from jupyter_autostop.state import Effect, Outcome
from jupyter_autostop.wire import Instance, UpdateAutoStop, UpdateRequest, UpdateSpec

LOOK_AGAIN = (0.5, 1.5)
"""Seconds before a read-back that shows the old values is repeated: a write may take a moment to show."""
_NOT_RUNNING = {"STOPPED": "ModelArts.6307", "STOPPING": "ModelArts.6308", "STARTING": "ModelArts.6306"}


def outcome(effect: Effect, message: str, *, clamped: bool = False) -> Outcome:
    """Return the State's word on a write."""
    return {"effect": effect, "message": message, "clamped": clamped}


def triple(instance: Instance, **changed: object) -> UpdateSpec:
    """Return the whole auto_stop setting with some keys changed: whether a part is merged, nobody promises."""
    return UpdateSpec(auto_stop=UpdateAutoStop.model_validate({**setting(instance), **changed}))


def shows(instance: Instance, request: UpdateRequest) -> bool:
    """Tell whether an answer shows everything that was sent."""
    # The platform may trim or fold white space; the words are what was asked for.
    if request.description is not None and (instance.description or "").split() != request.description.split():
        return False
    if request.spec and request.spec.auto_stop:
        now = setting(instance)
        return all(now[key] == value for key, value in request.spec.auto_stop.model_dump(exclude_none=True).items())
    return True


def not_running(instance: Instance) -> ConflictError:
    """Return the error of asking for something that only a running instance can do, in the platform's own code."""
    code = _NOT_RUNNING.get(instance.status)
    if code:
        _, sentence, hint = MEANINGS[code]
        return ConflictError(sentence, code=code, hint=hint)
    return ConflictError(
        f"The instance is not running (status {instance.status[:40]}).",
        code="not_running",
        hint="Start it in the ModelArts console.",
    )


def match(if_match: str | None, instance: Instance, *, auto_stop: bool, description: bool) -> None:
    """Raise `ConflictError` if somebody else has changed a part that is about to be written."""
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


class Writer:
    """Sends a change and finds out what became of it. Assumes that no other write is under way."""

    def __init__(self, platform: Platform, snapshot: Snapshot, clock: Clock) -> None:
        self.platform = platform
        self.snapshot = snapshot
        self._clock = clock

    async def send(self, act: Callable[[], Awaitable[None]], shown_by: Callable[[Instance], bool]) -> bool:
        """Send once and read back; return whether the read-back was possible and shows it, or raise what it shows.

        A lost answer is followed by a read, never by a second write.
        """
        lost: AutostopError | None = None
        try:
            await act()
        except AutostopError as error:
            if not error.maybe_applied:
                raise
            lost = error
        for wait in (0.0, *LOOK_AGAIN):
            if wait:
                await self._clock.sleep(wait)
            if not await self.snapshot.refresh():
                return False
            instance = self.snapshot.instance
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

    async def put(self, request: UpdateRequest) -> bool:
        """Send a change of settings; otherwise like `send`."""
        return await self.send(lambda: self.platform.update(request), lambda instance: shows(instance, request))
