"""Time zones: which offset holds when, and which moments a clock on the wall can mean. Standard library only.

A zone is the machine's own (by `TZ` or its setting), a named one such as Asia/Shanghai, or a fixed offset.
"""

from __future__ import annotations

import os
import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_autostop.disk import is_file

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
_STEP_S = 6 * HOUR_S
"""No zone has ever kept an offset for a shorter time."""
_ABBREVIATION = re.compile(r"[A-Z]{2,5}")
_OFFSET = re.compile(r"(?:UTC|GMT)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?", re.ASCII | re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+){1,2}", re.ASCII)
_POSIX_NAME = r"(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)"
_POSIX_OFFSET = r"[+-]?[0-9]{1,3}(?::[0-9]{1,2}){0,2}"
_POSIX = re.compile(rf"{_POSIX_NAME}{_POSIX_OFFSET}(?:{_POSIX_NAME}(?:{_POSIX_OFFSET})?(?:,.+)?)?", re.ASCII)
_DATA = ("/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo")
"""Where systems keep their zones, as Python's own list has it."""


class ZoneError(ValueError):
    """A text names no time zone that can be used here; the message says what to write instead."""


@dataclass(frozen=True)
class Zone:
    """A time zone: its name, its offset (s east of UTC) at an epoch time (s), and what that is called."""

    name: str
    offset: Callable[[int], int]
    abbreviation: Callable[[int], str]

    def label(self, epoch_s: int) -> str:
        """Return what stands behind a clock time: `CST`; where the zone has an offset only, `UTC+8`."""
        short = self.abbreviation(epoch_s)
        return short if _ABBREVIATION.fullmatch(short) else offset_name(self.offset(epoch_s))

    def local(self, epoch_s: float) -> datetime:
        """Return what the clocks of the zone show, without a zone of its own."""
        shown_s = epoch_s + self.offset(int(epoch_s // 1))
        return datetime.fromtimestamp(shown_s, timezone.utc).replace(tzinfo=None)


def offset_name(offset_s: int) -> str:
    """Write an offset: `UTC`, `UTC+8`, `UTC-3:30`."""
    hours, minutes = divmod(abs(offset_s) // MINUTE_S, 60)
    if not (hours or minutes):
        return "UTC"
    return f"UTC{'-' if offset_s < 0 else '+'}{hours}{f':{minutes:02d}' if minutes else ''}"


def fixed_zone(offset_s: int) -> Zone:
    """Return the zone that is always so far east of UTC."""
    name = offset_name(offset_s)
    return Zone(name, lambda _: offset_s, lambda _: name)


def machine_zone(environ: Mapping[str, str] = os.environ) -> Zone:
    """Return the zone of this machine's clock; a `TZ` that is none makes the system use UTC."""
    if unknown_tz(environ):
        return fixed_zone(0)
    return Zone("", lambda epoch_s: time.localtime(epoch_s).tm_gmtoff, lambda epoch_s: time.localtime(epoch_s).tm_zone)


def unknown_tz(environ: Mapping[str, str] = os.environ) -> str:
    """Return the `TZ` that is no zone to this system, empty where it is one; Windows has rules of its own."""
    value = environ.get("TZ", "")
    named = value.removeprefix(":")
    if not named or named.upper() in ("UTC", "GMT") or _POSIX.fullmatch(named) or os.name == "nt":
        return ""
    folders = [environ["TZDIR"]] if environ.get("TZDIR") else _DATA
    return "" if any(is_file(Path(folder) / named) for folder in folders) else value


def named_zone(text: str) -> Zone:
    """Return the zone that a text names: `UTC`, `Z`, `+08:00`, `UTC+8`, `Asia/Shanghai`, in any case of letters.

    Raises `ZoneError` for what is no zone, and where this machine has no data on zones.
    """
    if text.upper() in ("Z", "UTC", "GMT"):
        return fixed_zone(0)
    if match := _OFFSET.fullmatch(text):
        hours, minutes = int(match[2]), int(match[3] or 0)
        if hours > 15 or minutes > 59:  # noqa: PLR2004 - the farthest zones there have been
            raise ZoneError(f"“{text}” is no offset that a zone has; write one such as +08:00.")
        return fixed_zone((-1 if match[1] == "-" else 1) * (hours * HOUR_S + minutes * MINUTE_S))
    if not _NAME.fullmatch(text):
        raise ZoneError(f"“{text[:40]}” does not name one time zone; write one such as Asia/Shanghai or +08:00.")
    return _from_data(text)


def _from_data(name: str) -> Zone:
    import zoneinfo  # noqa: PLC0415 - takes a while to load, and few times name a zone

    try:
        zone = zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        known = zoneinfo.available_timezones()
        if not known:
            raise ZoneError(
                f"“{name}” cannot be looked up: this machine has no time zone data; write an offset such as +08:00."
            ) from None
        same = next((other for other in known if other.casefold() == name.casefold()), None)
        if same is None:
            raise ZoneError(f"“{name[:40]}” is no time zone; write one such as Asia/Shanghai or +08:00.") from None
        zone = zoneinfo.ZoneInfo(same)

    def at(epoch_s: int) -> datetime:
        return datetime.fromtimestamp(epoch_s, zone)

    def offset(epoch_s: int) -> int:
        away = at(epoch_s).utcoffset()
        return 0 if away is None else int(away.total_seconds())

    return Zone(str(zone.key), offset, lambda epoch_s: at(epoch_s).tzname() or "")


def own_abbreviation(text: str, zone: Zone, epoch_s: int) -> Zone | None:
    """Return the fixed zone that a zone itself calls so in the year around a moment: `CEST` of Europe/Berlin."""
    for step in range(-6, 7):
        near_s = epoch_s + step * 30 * DAY_S
        if zone.label(near_s) == text.upper():
            return fixed_zone(zone.offset(near_s))
    return None


def readings(wall_s: int, zone: Zone) -> list[int]:
    """Return the epoch times (s) at which a zone's clocks show a time, in order: one, or none, or two.

    `wall_s` is that time as if it were UTC's.
    """
    offsets = {zone.offset(wall_s + step) for step in range(-DAY_S, DAY_S + 1, _STEP_S)}
    return sorted(wall_s - offset for offset in offsets if zone.offset(wall_s - offset) == offset)


def first_after_gap(wall_s: int, zone: Zone) -> int:
    """Return the first epoch time (s) at which a zone's clocks are past a time that they skip."""
    before, after = wall_s - 2 * DAY_S, wall_s + 2 * DAY_S
    while after - before > 1:
        middle = (before + after) // 2
        if middle + zone.offset(middle) < wall_s:
            before = middle
        else:
            after = middle
    return after
