"""What happened on the emulated platform, so that a test can tell afterwards when an instance stopped, and why."""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

from jupyter_autostop.emulator.instance import Instance

LONGEST = 10_000
"""Events kept; the oldest go first."""


@dataclass(frozen=True)
class Event:
    """A change `at` (epoch ms), in a sentence, and what was true of the instance right after it.

    `stop_at` (ms) is when its run ends by itself; all from `instance` on are null where no instance changed.
    """

    at: int
    what: str
    instance: str | None = None
    status: str | None = None
    enable: bool | None = None
    duration: int | None = None
    prompt: bool | None = None
    stop_at: int | None = None


class History:
    """Events in the order they happened."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=LONGEST)

    def add(self, at: int, what: str, instance: Instance | None = None) -> None:
        """Note an event."""
        event = Event(at, what)
        if instance:
            stop_at = instance.run.stop_at if instance.run else None
            shown = (instance.id, instance.status, instance.enable, instance.duration, instance.prompt, stop_at)
            event = Event(at, what, *shown)
        self._events.append(event)

    def clear(self) -> None:
        """Forget all."""
        self._events.clear()

    def shown(self) -> list[dict[str, Any]]:
        """Return all as JSON, oldest first."""
        return [asdict(event) for event in self._events]
