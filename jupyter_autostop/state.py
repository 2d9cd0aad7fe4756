"""The State that every client reads, typed without importing anything heavy.

Every time is epoch **ms** UTC on the platform's clock, every length is in **s**.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Effect = Literal["now", "held", "next_start", "none", "unconfirmed"]
EXTENSION = "extension"
"""The id of the hold that an extension is: one, moved later by the next extension."""
ENDED_WITH_OWNER = "hold_ended_with_owner"
"""The code of an error: the hold to be ended has ended already, since its kernel or command has."""


class AutoStopState(TypedDict):
    """What the platform last said of auto-stop."""

    enable: bool | None
    duration: int | None
    prompt: bool | None
    stop_timestamp: int | None
    remain_time: int | None


class Deadline(TypedDict):
    """When this run will be stopped, and who sees to it."""

    stop_timestamp: int
    kept_by: Literal["platform", "server"]


class NextStart(TypedDict):
    """The setting that waits for the next start."""

    enable: bool | None
    duration: int | None


class HoldOwner(TypedDict, total=False):
    """Whose end ends a hold; a kernel is named.

    `seen` stands where the server cannot see its process: it watches a lock of it, or nothing (`no`).
    """

    kind: Literal["person", "kernel", "command"]
    kernel_id: str
    seen: Literal["lock", "no"]


class Hold(TypedDict):
    """A wish that the run lasts until `until` (ms), and what follows it."""

    id: str
    until: int
    then: Literal["restore", "stop"]
    reason: str
    owner: HoldOwner
    created_at: int


class Outcome(TypedDict):
    """What became of the write just made."""

    effect: Effect
    message: str
    clamped: bool


class RunTimes(TypedDict):
    """The moments of the run that goes on (ms), each `None` where it is not known.

    `platform_stop`: when the platform stops this run, or would once auto-stop is back as people set it; `hard_stop`: a
    limit that nothing can move.
    """

    started_at: int | None
    platform_stop: int | None
    hard_stop: int | None


class Limits(TypedDict):
    """What can be asked for, so that a client refuses before the server does; `until` in ms, `duration` in s.

    `grace`: the seconds that at least pass between the early end of a hold and a stop.
    """

    duration: list[int]
    until: list[int]
    description_max: int
    description_forbidden: str
    can_extend: bool
    can_disable: bool
    can_stop: bool
    grace: int
    why_not: dict[str, str]


class Problem(TypedDict):
    """Why the State is stale or unknown, and what to do."""

    code: str
    message: str
    hint: str


class Check(TypedDict):
    """One finding of the doctor; where `ok` is false, `hint` says what to do."""

    name: str
    ok: bool
    message: str
    hint: str


class ReaderState(TypedDict, total=False):
    """What is in the State of a kernel alone."""

    zone: str | None
    """The time zone of the page that shows its notebook; `None`: no page tells it."""


class State(ReaderState):
    """The whole State; a null `deadline` with a `problem` means unknown, not off."""

    instance: dict[str, Any] | None
    auto_stop: AutoStopState | None
    deadline: Deadline | None
    next_start: NextStart | None
    run: RunTimes | None
    holds: list[dict[str, Any]]
    outcome: Outcome | None
    limits: Limits
    version: str
    server_time: int
    confirmed_at: int | None
    stale: bool
    problem: Problem | None
    platform: Literal["demanager", "notebooks"]
    emulated: bool
