"""Durations as people write them, to and from seconds: pure functions. Times of day: `moments.py`.

`tests/data/durations.json` is the table of cases that this module and its TypeScript twin both pass.
"""

from __future__ import annotations

import re
from decimal import Decimal

MINUTE = 60
HOUR = 3600
DAY = 86400
LONGEST = 365 * DAY
"""Nothing longer is taken for a duration that somebody meant."""

_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": 1}
"""By their first letter, which is all that tells the ways to write them apart."""
_EXAMPLES = "write 2h, 90m, 1h30m, 1:30 or 1.5h"
_LONGEST_TEXT = 40
"""No duration takes more, it is enough to recognise a text by, and the digits stay few."""
_UNIT = r"days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s"
_TOKEN = re.compile(rf"([0-9]+(?:\.[0-9]+)?) ?({_UNIT})(?![a-z]) ?", re.IGNORECASE | re.ASCII)
_MINUTES = re.compile(r"[0-5][0-9]", re.ASCII)
"""What may stand behind hours without a unit: `1h30`."""
_COLON = re.compile(r"([0-9]{1,6}):([0-9]{2})(?::([0-9]{2}))?", re.ASCII)
_BARE = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_BLANKS = re.compile("[ \t\u00a0\u2009\u202f\u3000]+")
"""Those that keyboards and pages write inside a line."""
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
"""What a Chinese or Japanese keyboard writes for ASCII."""


class DurationError(ValueError):
    """A text that is no duration or time; `kind` is `empty`, `ambiguous`, `syntax`, `range` or `zone`."""

    def __init__(self, message: str, kind: str) -> None:
        super().__init__(message)
        self.kind = kind

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows of it: the sentence, without the frames of the parser."""
        return [f"{type(self).__name__}: {self}"]


def plain(text: str) -> str:
    """Return a text in ASCII's forms of its characters, with one blank where there are several, and none around it."""
    return _BLANKS.sub(" ", text.translate(_FULL_WIDTH)).strip(" ")


def shortened(text: str) -> str:
    """Return as much of a text as a sentence about it needs."""
    return text if len(text) <= _LONGEST_TEXT else text[: _LONGEST_TEXT - 1] + "…"


def _colon_seconds(hours: str, minutes: str, seconds: str | None, text: str) -> int:
    if int(minutes) >= MINUTE or int(seconds or 0) >= MINUTE:
        raise DurationError(f"“{text}” has more than 59 after a colon; {_EXAMPLES}.", "syntax")
    return int(hours) * HOUR + int(minutes) * MINUTE + int(seconds or 0)


def _unit_seconds(text: str) -> int:
    """Add up `1h30m`: units from large to small, a decimal only where it stands alone; `1h30` is the same."""
    parts: list[tuple[str, int]] = []
    at = 0
    while match := _TOKEN.match(text, at):
        parts.append((match[1], _UNITS[match[2][0].lower()]))
        at = match.end()
    if parts and parts[-1][1] == HOUR and _MINUTES.fullmatch(text, at):
        parts.append((text[at:], MINUTE))
        at = len(text)
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
    """Return the whole seconds, at least 1, that `text` means: `2h`, `90 minutes`, `1h30`, `1:30` (1 h 30 min), `1.5h`.

    Raises `DurationError` for anything else; a bare number is refused because it could be minutes or hours. `likely`
    are the shortest and the longest (s) that are worth offering to whoever wrote one; others are returned as well.
    """
    text = plain(text)
    shown = shortened(text)
    # More of what there is already: a plus says no more than that.
    text = re.sub(r"^\+ ?(?=[0-9])", "", text)
    if not text:
        raise DurationError(f"No duration was given; {_EXAMPLES}.", "empty")
    if _BARE.fullmatch(text):
        raise _ambiguous(text, shown.lstrip("+ "), likely)
    if len(text) > _LONGEST_TEXT:
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
