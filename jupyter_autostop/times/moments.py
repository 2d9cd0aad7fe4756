"""Moments as people write them, to epoch time: `18:00`, `6pm`, `tomorrow 9:00`, `2026-11-24T09:00+08:00`.

`tests/data/durations.json` is the table of cases that this module and its TypeScript twin (`until.ts`) both pass.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from jupyter_autostop.times.duration import DurationError, plain, shortened
from jupyter_autostop.times.zones import (
    DAY_S,
    HOUR_S,
    MINUTE_S,
    Zone,
    ZoneError,
    first_after_gap,
    fixed_zone,
    machine_zone,
    named_zone,
    own_abbreviation,
    readings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = "write 18:00, 6pm, tomorrow 9:00 or 2026-11-24T09:00"
_LONGEST_TEXT = 64
_LAST_YEAR = 9998
"""Calendars end a year later, and a zone may still be asked for the days around."""
_MOMENT = re.compile(
    r"(?:(?P<day>today|tomorrow|[0-9]{4}-[0-9]{2}-[0-9]{2})(?:(?<=[0-9])t| at | |$))?"
    r"(?:(?P<hour>[0-9]{1,2})(?::(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?)?"
    r"(?: ?(?P<half>[ap])\.?m\b\.?)?)?"
    r"(?: (?P<later>today|tomorrow)\b)?"
    r"(?: ?(?P<zone>(?:z|[+-][0-9]|[a-z]{2})[a-z0-9_+/:-]*))?",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True)
class Moment:
    """A moment (epoch ms) that a text names, and what its reader should know of it."""

    ms: int
    names_zone: bool = False
    """Whether the text says in which zone it is meant."""
    remark: str = ""
    """That the clocks skip the time, or show it twice."""


def read_moment(text: str, now_ms: int, zone: Zone) -> Moment:
    """Return the moment that a text names, seen from `now_ms`: the earliest one ahead that it can mean.

    A time without a zone is one of `zone`'s; a time that its clocks skip is the first moment after. Raises
    `DurationError` for what is no time, names no zone, or has passed.
    """
    text = plain(text)
    shown = shortened(text)
    if not text:
        raise DurationError(f"No time was given; {EXAMPLES}.", "empty")
    if re.fullmatch(r"[01]?[0-9]|2[0-3]", text, re.ASCII):
        raise DurationError(f"“{shown}” could be an hour or a length of time; write {text}:00.", "ambiguous")
    match = _MOMENT.fullmatch(text) if len(text) <= _LONGEST_TEXT else None
    clock_ms = _clock_ms(match) if match else None
    if match is None or clock_ms is None or (match["day"] and match["later"]):
        raise DurationError(f"“{shown}” is not a time; {EXAMPLES}.", "syntax")
    now_s = now_ms // 1000
    meant = zone
    if match["zone"]:
        try:
            meant = own_abbreviation(match["zone"], zone, now_s) or named_zone(match["zone"])
        except ZoneError as error:
            raise DurationError(str(error), "zone") from None
    try:
        found = list(_candidates(match["day"] or match["later"], clock_ms // 1000, now_s, meant))
    except (ValueError, OverflowError, OSError):
        raise DurationError(f"“{shown}” is not a time; {EXAMPLES}.", "syntax") from None
    ahead = [(at_s * 1000 + clock_ms % 1000, remark) for at_s, remark in found]
    ahead = [(at_ms, remark) for at_ms, remark in ahead if at_ms > now_ms]
    if not ahead:
        raise DurationError(f"“{shown}” has passed already; give a time still to come.", "range")
    at_ms, remark = min(ahead)
    return Moment(at_ms, bool(match["zone"]), remark)


def _clock_ms(match: re.Match[str]) -> int | None:
    """Return the time of day (ms since midnight) that a text names, `None` for none; a day alone begins at 0."""
    if match["hour"] is None:
        return 0 if match["day"] else None
    hour, minute, second = (int(match[part] or 0) for part in ("hour", "minute", "second"))
    half = (match["half"] or "").lower()
    if half and 1 <= hour <= 12:  # noqa: PLR2004 - the hours of half a day
        hour = hour % 12 + (12 if half == "p" else 0)
    elif half or not match["minute"]:
        return None
    if hour > 23 or minute > 59 or second > 59:  # noqa: PLR2004 - as clocks have them
        return None
    return 1000 * (hour * HOUR_S + minute * MINUTE_S + second) + int((match["fraction"] or "").ljust(3, "0")[:3])


def _candidates(day: str | None, clock_s: int, now_s: int, zone: Zone) -> Iterator[tuple[int, str]]:
    """Yield each moment that a text can mean, near now where it names no date, with what is to be said of it."""
    today_s = (now_s + zone.offset(now_s)) // DAY_S * DAY_S
    if day is None:
        # The day before as well: clocks that go back at midnight show its last hour again. A day may be left out.
        for days in (-1, 0, 1, 2):
            yield from _of_day(today_s + days * DAY_S + clock_s, zone, skip_days=True)
    elif day.lower() in ("today", "tomorrow"):
        yield from _of_day(today_s + DAY_S * (day.lower() == "tomorrow") + clock_s, zone)
    else:
        named = date.fromisoformat(day)
        wall_s = calendar.timegm(named.timetuple()) + clock_s
        # What is far off is not worth a zone's history; the year 1 has none.
        if wall_s < now_s - 2 * DAY_S:
            yield wall_s, ""
        elif named.year > _LAST_YEAR:
            raise OverflowError
        else:
            yield from _of_day(wall_s, zone)


def _of_day(wall_s: int, zone: Zone, *, skip_days: bool = False) -> Iterator[tuple[int, str]]:
    """Yield the moments at which a zone's clocks show a time; where they skip it, the first one after."""
    found = readings(wall_s, zone)
    for at_s in found:
        yield (
            at_s,
            f"That time comes twice, as the clocks go back; {_told(at_s, zone)} is meant." if len(found) > 1 else "",
        )
    if found:
        return
    at_s = first_after_gap(wall_s, zone)
    if skip_days and zone.offset(at_s) - zone.offset(at_s - 1) >= DAY_S:
        return  # a zone that crosses the date line has no such day
    yield at_s, f"That time is skipped, as the clocks go forward; the first moment after it is {_told(at_s, zone)}."


def _told(at_s: int, zone: Zone) -> str:
    return f"{zone.local(at_s):%H:%M} {zone.label(at_s)}"


def clock_time(ms: int, now: int, zone: Zone | None = None) -> str:
    """Write a moment (epoch ms) as people near `now` say it: `18:40 CST`, on another day `Tue 24 Nov 09:00 CST`.

    The zone is this machine's, unless another one is given.
    """
    zone = zone or machine_zone()
    then = zone.local(ms / 1000)
    day = "" if then.date() == zone.local(now / 1000).date() else f"{then:%a} {then.day} {then:%b} "
    return f"{day}{then:%H:%M} {zone.label(ms // 1000)}"


def utc_time(ms: int, now: int) -> str:
    """Write a moment (epoch ms) in UTC, as the server names it in a message and in the journal."""
    return clock_time(ms, now, fixed_zone(0))
