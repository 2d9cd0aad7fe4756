"""How time passes, on request: the clock's moves and rate, the `Date` of the answers, the length of transitions."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from typing import Any

from jupyter_autostop.emulator.clock import MovableClock, RatedClock
from jupyter_autostop.emulator.message import ControlError, SettingError
from jupyter_autostop.emulator.state import Emulator

DECADE = 10 * 365 * 86400
_DAY = 86400
_FASTEST = 100_000


def number(body: Any, key: str, low: float, high: float, of: str = " of seconds") -> float:
    """Return a number within its limits, or raise `SettingError`."""
    value = body[key]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise SettingError(f"{key} is a number{of}.")
    if not low <= value <= high:
        raise SettingError(f"{key} is a number{of} from {low:.0f} to {high:.0f}.")
    return float(value)


def clock(emulator: Emulator) -> dict[str, Any]:
    """Show the clock: `now` (epoch ms), whether it can be moved, and its `rate`, null where that cannot be set."""
    return {
        "now": emulator.now(),
        "date_offset": emulator.date_offset,
        "movable": isinstance(emulator.clock, MovableClock),
        "rate": emulator.clock.rate if isinstance(emulator.clock, RatedClock) else None,
    }


def move_clock(emulator: Emulator, body: Any) -> dict[str, Any]:
    """Move the clock (`advance`, s), or only the `Date` of the answers (`date_offset`, s)."""
    if not isinstance(body, dict) or not body or not set(body) <= {"advance", "date_offset"}:
        raise SettingError('The body must be a JSON object with "advance" or "date_offset", in seconds.')
    advance = number(body, "advance", 0, DECADE) if "advance" in body else None
    date_offset = number(body, "date_offset", -DECADE, DECADE) if "date_offset" in body else None
    if advance is not None:
        if not isinstance(emulator.clock, MovableClock):
            raise ControlError(409, "This emulator runs by a clock that it cannot move.")
        emulator.clock.advance(advance)
    if date_offset is not None:
        emulator.date_offset = date_offset
    emulator.settle()
    return clock(emulator)


def set_rate(emulator: Emulator, body: Any) -> dict[str, Any]:
    """Let the clock run at `rate` seconds a second from now on; at 0 it stands still."""
    if not isinstance(body, dict) or set(body) != {"rate"}:
        raise SettingError('The body must be a JSON object like {"rate": 60}, in seconds a second.')
    rate = number(body, "rate", 0, _FASTEST, " of seconds a second")
    if not isinstance(emulator.clock, RatedClock):
        raise ControlError(409, "This emulator runs by a clock whose rate it cannot set.")
    emulator.clock.set_rate(rate)
    return clock(emulator)


def set_times(emulator: Emulator, body: Any) -> dict[str, float]:
    """Set how long (s) every transition that begins from now on takes."""
    known = asdict(emulator.times)
    if not isinstance(body, dict) or not body or not set(body) <= set(known):
        raise SettingError(f"The body must be a JSON object with any of {', '.join(known)}, in seconds.")
    times = replace(emulator.times, **{key: number(body, key, 0, _DAY) for key in body})
    # What has been due until now took as long as it did.
    emulator.settle()
    emulator.set_times(times)
    return asdict(times)
