"""The kind of setting that is a length of time: `900`, `15m`, a `timedelta`; others are refused in our own words."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from traitlets import TraitError, TraitType

from jupyter_autostop.times.duration import DurationError, format_duration, parse_duration, plain, shortened

_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?", re.ASCII)
_MANY = 15
"""No limit has more digits, and Python may refuse to read thousands."""


class Seconds(TraitType[Any, Any]):
    """A length of time in seconds, from `least` to `most`; a bare number is seconds, here and nowhere else."""

    info_text = "a length of time, in seconds or as 15m"

    def __init__(self, default: float, *, least: float, most: float, whole: bool = False, **more: Any) -> None:
        self._least, self._most, self._whole = least, most, whole
        super().__init__(default, **more)

    def from_string(self, s: str) -> Any:
        """Read what stands on a command line."""
        return self.validate(None, s)

    def validate(self, _obj: Any, value: Any) -> Any:
        """Return the seconds, or raise a `TraitError` that names the limits and a right way to write it."""
        seconds = self._read(value)
        # A number that is none (nan) is within no limits.
        if not self._least <= seconds <= self._most:
            raise TraitError(f"“{_shown(value)}” is beyond its limits; {self._way_out()}")
        if self._whole and not float(seconds).is_integer():
            raise TraitError(f"“{_shown(value)}” is no whole number of seconds; {self._way_out()}")
        return int(seconds) if self._whole else float(seconds)

    def _read(self, value: Any) -> float:
        if isinstance(value, timedelta):
            return value.total_seconds()
        if isinstance(value, str):
            return self._read_text(value)
        # True is a number to Python.
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return value
        raise TraitError(f"“{_shown(value)}” is no length of time; {self._way_out()}")

    def _read_text(self, text: str) -> float:
        text = plain(text)
        if _NUMBER.fullmatch(text) and len(text) <= _MANY:
            return float(text)
        try:
            return parse_duration(text)
        except DurationError:
            raise TraitError(f"“{_shown(text)}” is no length of time; {self._way_out()}") from None

    def _way_out(self) -> str:
        example = max(self._least, min(900, self._most))
        return (
            f"write seconds, such as {example:g}, or a length, such as {_length(example).replace(' ', '')}, "
            f"from {_length(self._least)} to {_length(self._most)}."
        )


def _length(seconds: float) -> str:
    return format_duration(int(seconds)) if float(seconds).is_integer() else f"{seconds:g} s"


def _shown(value: Any) -> str:
    return shortened("".join(char if char.isprintable() else "?" for char in str(value)))
