"""Durations and clock times as people write them, to and from seconds: pure functions, the clock passed in.

`tests/data/durations.json` is the table of cases that this module and its TypeScript twin both pass.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal

MINUTE = 60
HOUR = 3600
DAY = 86400
LONGEST = 365 * DAY
"""Nothing longer is taken for a duration that somebody meant."""

_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "min": MINUTE, "s": 1}
_EXAMPLES = "write 2h, 90m, 1h30m, 1:30 or 1.5h"
_TOKEN = re.compile(r"([0-9]+(?:\.[0-9]+)?)[ \t]*(min|[dhms])[ \t]*", re.IGNORECASE | re.ASCII)
_COLON = re.compile(r"([0-9]{1,6}):([0-9]{2})(?::([0-9]{2}))?")
_BARE = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_TIME_OF_DAY = re.compile(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?")


class DurationError(ValueError):
    """A text that is no duration or clock time; `kind` is `empty`, `ambiguous`, `syntax` or `range`."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind


def _colon_seconds(hours: str, minutes: str, seconds: str | None, text: str) -> int:
    if int(minutes) >= MINUTE or int(seconds or 0) >= MINUTE:
        raise DurationError(f"“{text}” has more than 59 after a colon; {_EXAMPLES}.", "syntax")
    return int(hours) * HOUR + int(minutes) * MINUTE + int(seconds or 0)


def _unit_seconds(text: str) -> int:
    """Add up `1h30m`: units from large to small, each once, a decimal only where it stands alone."""
    parts: list[tuple[str, int]] = []
    at = 0
    while match := _TOKEN.match(text, at):
        parts.append((match[1], _UNITS[match[2].lower()]))
        at = match.end()
    sizes = [size for _, size in parts]
    if at != len(text) or not parts or sizes != sorted(set(sizes), reverse=True):
        raise DurationError(f"“{text}” is not a duration; {_EXAMPLES}.", "syntax")
    if len(parts) > 1 and any("." in number for number, _ in parts):
        raise DurationError(f"“{text}” mixes a decimal with other parts; {_EXAMPLES}.", "syntax")
    return int(sum(Decimal(number) * size for number, size in parts))


def _ambiguous(number: str, shown: str, likely: tuple[int, int]) -> DurationError:
    """Return what to say of a number without a unit: only what can be meant is offered."""
    shortest, longest = likely
    units = [unit for unit in ("m", "h") if shortest <= Decimal(number) * _UNITS[unit] <= longest]
    if len(units) > 1:
        return DurationError(f"“{shown}” could be minutes or hours; write {shown}m or {shown}h.", "ambiguous")
    way_out = f"write {shown}{units[0]}" if units else _EXAMPLES
    return DurationError(f"“{shown}” has no unit; {way_out}.", "ambiguous")


def parse_duration(text: str, likely: tuple[int, int] = (1, DAY)) -> int:
    """Return the whole seconds, at least 1, that `text` means: `2h`, `90m`, `1h30m`, `1:30` (1 h 30 min), `1.5h`, `2d`.

    Raises `DurationError` for anything else; a bare number is refused because it could be minutes or hours. `likely`
    are the shortest and the longest (s) that are worth offering to whoever wrote one; others are returned as well.
    """
    text = text.strip(" \t")
    shown = text if len(text) <= 40 else text[:39] + "…"  # noqa: PLR2004 - enough to recognise it by
    if not text:
        raise DurationError(f"No duration was given; {_EXAMPLES}.", "empty")
    if _BARE.fullmatch(text):
        raise _ambiguous(text, shown, likely)
    if len(text) > 40:  # noqa: PLR2004 - no duration takes more, and the digits stay few
        raise DurationError(f"“{shown}” is not a duration; {_EXAMPLES}.", "syntax")
    colon = _COLON.fullmatch(text)
    seconds = _colon_seconds(colon[1], colon[2], colon[3], shown) if colon else _unit_seconds(text)
    if seconds < 1:
        raise DurationError(f"“{shown}” is no time at all; the shortest duration is 1 s.", "range")
    if seconds > LONGEST:
        raise DurationError(f"“{shown}” is longer than a year (365d).", "range")
    return seconds


def format_duration(seconds: int) -> str:
    """Write whole seconds as people read them, exactly: `26 h`, `1 h 30 min`, `45 min`, `30 s`."""
    minutes, rest = divmod(seconds, MINUTE)
    hours, minutes = divmod(minutes, MINUTE)
    parts = [f"{n} {unit}" for n, unit in ((hours, "h"), (minutes, "min"), (rest, "s")) if n]
    return " ".join(parts) or "0 s"


def format_countdown(seconds: float) -> str:
    """Write time left, rounded down: `2 h 13 min`, from 10 min `47 min`, below that `9:42`; never negative."""
    whole = max(0, int(seconds // 1))
    if whole < 10 * MINUTE:
        return f"{whole // MINUTE}:{whole % MINUTE:02d}"
    return format_duration(whole - whole % MINUTE)


def parse_until(text: str, now: datetime) -> datetime:
    """Return the moment that `text` names, seen from `now` (which must know its zone).

    `18:00` is the next 18:00 in the zone of `now`; `2026-11-24T09:00` (also with seconds, an offset or `Z`)
    is that moment. Raises `DurationError` for anything else and for a moment that has passed.
    """
    text = text.strip(" \t")
    if not text:
        raise DurationError("No time was given; write 18:00 or 2026-11-24T09:00.", "empty")
    clock = _TIME_OF_DAY.fullmatch(text)
    try:
        if clock:
            hour, minute, second = (int(part or 0) for part in clock.groups())
            wall = now.replace(tzinfo=None, hour=hour, minute=minute, second=second, microsecond=0)
            then = _in_zone_of(now, wall)
            return then if then > now else _in_zone_of(now, wall + timedelta(days=1))
        # fromisoformat of Python 3.10 and older does not know the Z that everybody writes.
        then = datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
        if then.tzinfo is None:
            then = _in_zone_of(now, then)
        passed = then <= now
    except (ValueError, OverflowError) as error:
        raise DurationError(f"“{text[:40]}” is not a time; write 18:00 or 2026-11-24T09:00.", "syntax") from error
    if passed:
        raise DurationError(f"“{text[:40]}” has passed already; give a time still to come.", "range")
    return then


def _in_zone_of(now: datetime, wall: datetime) -> datetime:
    """Read a wall-clock time in the local zone, whose offset may differ from today's (daylight saving)."""
    if now.utcoffset() == now.replace(tzinfo=None).astimezone().utcoffset():
        return wall.astimezone()
    return wall.replace(tzinfo=now.tzinfo)
