"""Writing as the platform allows it: send once, read back, and believe only what is read.

There is no ETag, a part of the setting may or may not be merged, and an answer may be lost after the change was made.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from jupyter_autostop.domain.run import setting
from jupyter_autostop.errors import AutostopError, ConflictError, NoAnswerError, NotAppliedError, UnavailableError
from jupyter_autostop.platforms.base import Platform
from jupyter_autostop.platforms.cache import Snapshot, part_version
from jupyter_autostop.platforms.modelarts.errors import MEANINGS, START
from jupyter_autostop.platforms.modelarts.models import Instance, UpdateAutoStop, UpdateRequest, UpdateSpec
from jupyter_autostop.state import Effect, Outcome
from jupyter_autostop.times.clock import Clock

LOOK_AGAIN = (0.5, 1.5)
"""Seconds before a read-back that shows the old values is repeated: a write may take a moment to show."""
FRESH = 60.0
"""Seconds after a look within which a change that is based on it may be sent; a server may be suspended in between."""
_NOT_RUNNING = {"STOPPED": "ModelArts.6307", "STOPPING": "ModelArts.6308", "STARTING": "ModelArts.6306"}


def outcome(effect: Effect, message: str, *, clamped: bool = False) -> Outcome:
    """Return the State's word on a write."""
    return {"effect": effect, "message": message, "clamped": clamped}


def triple(instance: Instance, **changed: object) -> UpdateSpec:
    """Return the whole auto_stop setting with some keys changed: whether a part is merged, nobody promises.

    Raises `ConflictError` where `enable` is neither asked for nor told: leaving it out would switch auto-stop off.
    """
    wanted = {**setting(instance), **changed}
    if wanted["enable"] is None:
        raise ConflictError(
            "ModelArts does not tell whether auto-stop is on, so no other part of it can be sent safely.",
            code="setting_unknown",
            hint="Switch auto-stop on or off in the same change.",
        )
    if wanted["prompt"] is None:
        wanted["prompt"] = True  # what leaving it out means (update API, Table 4)
    return UpdateSpec(auto_stop=UpdateAutoStop.model_validate(wanted))


Comparison = Literal["shown", "as_before", "mixed", "untold"]


def compare(request: UpdateRequest, before: Instance, after: Instance) -> Comparison:
    """Tell what a read-back says of a change: all of it, nothing of it, something else, or that it does not tell."""
    # Each: sent, before, after. The platform may trim or fold white space; the words are what was asked for.
    parts: list[tuple[object, object, object]] = []
    if request.description is not None:
        texts = (request.description, before.description or "", after.description or "")
        parts.append((texts[0].split(), texts[1].split(), texts[2].split()))
    if request.spec and request.spec.auto_stop:
        was, now = setting(before), setting(after)
        sent = request.spec.auto_stop.model_dump(exclude_none=True)
        if any(now[key] is None and was[key] != value for key, value in sent.items()):
            return "untold"
        parts += [(value, was[key], now[key]) for key, value in sent.items() if now[key] is not None]
    if all(sent == now for sent, _, now in parts):
        return "shown"
    return "as_before" if all(was == now for _, was, now in parts) else "mixed"


def not_running(instance: Instance) -> ConflictError:
    """Return the error of asking for something that only a running instance can do, in the platform's own code."""
    code = _NOT_RUNNING.get(instance.status)
    if code:
        _, sentence, hint = MEANINGS[code]
        return ConflictError(sentence, code=code, hint=hint)
    return ConflictError(
        f"The instance is not running (status {instance.status[:40]}).",
        code="not_running",
        hint=START,
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

    def __init__(
        self, platform: Platform, snapshot: Snapshot, clock: Clock, second_looks: tuple[float, ...] = LOOK_AGAIN
    ) -> None:
        self.platform = platform
        self.snapshot = snapshot
        self._clock = clock
        self._second_looks = second_looks
        self.sent = 0
        """How many changes have been handed to the platform."""
        self.open = False
        """Whether the last one was neither refused nor seen, so that it may still take effect."""

    @property
    def fresh(self) -> bool:
        """Whether the platform was seen recently enough to base a change on that look."""
        return self._clock.monotonic() - self.snapshot.received <= FRESH

    async def send(self, act: Callable[[], Awaitable[None]], comparison: Callable[[Instance], Comparison]) -> bool:
        """Send once and read back; return whether the read-back shows it, or raise what it shows instead.

        A lost answer is followed by a read, never by a second write. False: the read-back failed, or told nothing.
        """
        lost: AutostopError | None = None
        self.sent += 1
        self.open = True
        try:
            await act()
        except AutostopError as error:
            if not error.maybe_applied:
                self.open = False
                raise
            lost = error
        shown: Comparison = "untold"
        for wait in (0.0, *LOOK_AGAIN):
            if wait:
                await self._clock.sleep(wait)
            if not await self.snapshot.refresh() or self.snapshot.instance is None:
                return False
            shown = comparison(self.snapshot.instance)
            if shown == "shown":
                self.open = False
                return True
        if shown == "untold":
            return False
        code = lost.code if lost else None
        request_id = lost.request_id if lost else None
        if shown == "mixed":
            raise NotAppliedError(
                "Looked at again, the instance is neither as it was nor as it was to be.",
                code="partly_applied",
                hint="Look at what is shown now, and decide again.",
                request_id=request_id,
            )
        if isinstance(lost, NoAnswerError):
            raise NoAnswerError(
                f"{lost.message} Looked at again, the instance is as it was.",
                code=code,
                hint="Try again in a minute: a change that was merely slow would show by then.",
                request_id=request_id,
            )
        raise NotAppliedError(
            f"{lost.message} Looked at again, the instance is as it was."
            if lost
            else "ModelArts has accepted the change, but does not show it: looked at again, the instance is as it was.",
            code=code,
            request_id=request_id,
        )

    async def comes(self, so: Callable[[], bool]) -> bool | None:
        """Look again for a while, until something is so: what follows from a setting may show later than the setting.

        Returns whether it is so in the end, `None` where a look failed and nobody can tell.
        """
        for wait in self._second_looks:
            if so():
                return True
            await self._clock.sleep(wait)
            if not await self.snapshot.refresh():
                return None
        return so()

    async def put(self, request: UpdateRequest, before: Instance) -> bool:
        """Send a change of settings, unless the look that it is based on is old; otherwise like `send`."""
        if not self.fresh:
            self.open = False
            raise UnavailableError(
                "This server was suspended in the middle of a change, so the change was not sent.",
                code="suspended",
                retry_after=1,
                hint="Look at what is shown now, and try again.",
            )
        return await self.send(lambda: self.platform.update(request), lambda after: compare(request, before, after))
