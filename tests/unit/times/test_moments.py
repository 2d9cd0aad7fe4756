"""Times of day and dates, by the table that the browser's parser passes too, and by properties around clock changes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from functools import cache
from zoneinfo import available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from paths import DATA

from jupyter_autostop.times.duration import DurationError, plain
from jupyter_autostop.times.moments import EXAMPLES, read_moment
from jupyter_autostop.times.zones import Zone, machine_zone, named_zone, unknown_tz

TABLE = json.loads((DATA / "durations.json").read_text(encoding="utf-8"))["moments"]
NOON = int(datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc).timestamp() * 1000)
UTC = named_zone("UTC")
DAY_S = 86400


def epoch_ms(text: str) -> int:
    return int(datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


@contextmanager
def machine_in(tz: str) -> Iterator[None]:
    """Let this process live in another zone, as a `TZ` in its environment does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", tz)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("case", TABLE, ids=lambda case: f"{case['text']!r} {case['zone']} {case['now']}")
def test_every_row_of_the_shared_table(case: dict) -> None:
    """A text means its moment, or is refused for its reason; a time that is skipped or comes twice is said to be so."""
    now, zone = epoch_ms(case["now"]), named_zone(case["zone"])
    if "error" in case:
        with pytest.raises(DurationError) as caught:
            read_moment(case["text"], now, zone)
        assert caught.value.kind == case["error"]
        assert str(caught.value).endswith(".")
        assert case["error"] == "empty" or "“" in str(caught.value)
    else:
        moment = read_moment(case["text"], now, zone)
        assert moment.ms == epoch_ms(case["at"])
        assert bool(moment.remark) == ("told" in case)
        assert case.get("told", "") in moment.remark


def test_what_is_offered_is_taken() -> None:
    """The examples in a refusal are right."""
    for text in EXAMPLES.removeprefix("write ").replace(" or ", ", ").split(", "):
        assert read_moment(text, NOON, UTC).ms > NOON


def test_whether_a_text_names_its_zone() -> None:
    """What is read in the reader's zone can be told from what is not."""
    for text in ("18:00", "6pm", "tomorrow", "2027-01-01T10:00"):
        assert not read_moment(text, NOON, UTC).names_zone
    for text in ("18:00+08:00", "18:00 UTC", "6pm Asia/Shanghai", "tomorrow Z", "2027-01-01T10:00Z"):
        assert read_moment(text, NOON, UTC).names_zone


def test_a_zone_is_known_by_its_own_abbreviations() -> None:
    """What is printed can be typed: the reader's zone tells which CST is meant; of two readings it names one."""
    shanghai, berlin = named_zone("Asia/Shanghai"), named_zone("Europe/Berlin")
    assert read_moment("20:30 CST", NOON, shanghai).ms == NOON + 30 * 60_000
    evening = epoch_ms("2026-10-24T20:00:00Z")
    assert read_moment("2:30 CEST", evening, berlin).ms == epoch_ms("2026-10-25T00:30:00Z")
    assert read_moment("2:30 cet", evening, berlin).ms == epoch_ms("2026-10-25T01:30:00Z")
    with pytest.raises(DurationError, match="“CST” does not name one time zone"):
        read_moment("20:30 CST", NOON, berlin)


@given(st.text(max_size=70))
def test_any_text_is_a_time_to_come_or_a_clear_refusal(text: str) -> None:
    """No text crashes the parser."""
    try:
        moment = read_moment(text, NOON, named_zone("Europe/Berlin"))
    except DurationError as error:
        assert error.kind in {"empty", "ambiguous", "syntax", "range", "zone"}  # noqa: PT017 - both outcomes are right
    else:
        assert moment.ms > NOON


@given(
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from(["", " Asia/Shanghai", "+08:00", " UTC+8"]),
    st.integers(0, 10**9),
)
def test_a_time_may_be_written_in_many_ways(hour: int, minute: int, zone: str, later: int) -> None:
    """By 24 or by 12 hours, from a wide keyboard, with the day before or behind: it means the same."""
    now, shanghai = NOON + later, named_zone("Asia/Shanghai")
    text = f"{hour}:{minute:02d}"
    half = f"{hour % 12 or 12}:{minute:02d} {'pm' if hour >= 12 else 'AM'}"
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)
    assert plain(wide) == text
    found = {read_moment(f"{way}{zone}", now, shanghai).ms for way in (text, half, wide, f"  {half} ")}
    assert len(found) == 1
    local = datetime.fromtimestamp(found.pop() / 1000, timezone(timedelta(hours=8)))
    assert (local.hour, local.minute) == (hour, minute)
    days = {read_moment(way, now, shanghai).ms for way in (f"tomorrow {text}{zone}", f"{half} tomorrow{zone}")}
    assert len(days) == 1


# Around changes of the clocks


@cache
def changes(name: str) -> tuple[int, ...]:
    """Return when (epoch s) a zone changes its offset, in the two years after noon."""
    zone = named_zone(name)
    found = []
    for begin in range(NOON // 1000, NOON // 1000 + 2 * 365 * DAY_S, DAY_S):
        before, after = begin, begin + DAY_S
        if zone.offset(before) == zone.offset(after):
            continue
        while after - before > 1:
            middle = (before + after) // 2
            before, after = (middle, after) if zone.offset(middle) == zone.offset(begin) else (before, middle)
        found.append(after)
    return tuple(found)


class Night:
    """The minutes around a change of the clocks, one after the other: what the clocks show, and what they skip."""

    def __init__(self, zone: Zone, change: int) -> None:
        self.shows: dict[int, list[int]] = {}
        before = change - 1 + zone.offset(change - 1) + 1
        for at in range(change - DAY_S, change + 2 * DAY_S, 60):
            self.shows.setdefault((at + zone.offset(at)) % DAY_S, []).append(at)
        for skipped in range(before, change + zone.offset(change), 60):
            self.shows[skipped % DAY_S] = sorted([*self.shows[skipped % DAY_S], change])

    def next(self, clock: int, now: int) -> int:
        """Return the first minute after `now` at which the clocks show a time of day, or are just past it."""
        found = self.shows[clock]
        return found[bisect_right(found, now)]


@cache
def night(name: str, change: int) -> Night:
    return Night(named_zone(name), change)


def check(name: str, change: int, now: int, clock: int) -> None:
    """Check one text, seen at one moment (epoch s), in one zone."""
    zone = named_zone(name)
    text = f"{clock // 3600}:{clock // 60 % 60:02d}"
    moment = read_moment(text, now * 1000, zone)
    assert moment.ms > now * 1000
    assert moment.ms == night(name, change).next(clock, now) * 1000, (name, text, now)
    shown = f"{zone.local(moment.ms // 1000):%-H:%M}"
    assert (shown != text) == ("skipped" in moment.remark)


SAMPLE = (
    *("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "America/Santiago", "Asia/Beirut"),
    *("Africa/Casablanca", "America/Nuuk", "Antarctica/Troll", "Pacific/Chatham", "America/Havana", "Asia/Gaza"),
)


@given(st.sampled_from(SAMPLE), st.integers(0, 3), st.integers(-300, 300), st.integers(-300, 300))
@example("Europe/Berlin", 0, -18, 30)
@settings(max_examples=300)
def test_a_time_around_a_change_of_the_clocks(name: str, which: int, now: int, wanted: int) -> None:
    """It is the earliest one ahead that the text can mean: the first after a gap, either one of a repeated hour."""
    change = changes(name)[which % len(changes(name))]
    clock = (change + named_zone(name).offset(change - 1) + 60 * wanted) // 60 * 60 % DAY_S
    check(name, change, change + 60 * now, clock)


@pytest.mark.long
@pytest.mark.parametrize("part", range(8))
def test_every_minute_of_every_zones_change_nights(part: int) -> None:
    """The same in each zone that still changes its clocks, for every minute that can be asked for."""
    for name in sorted(zone for zone in available_timezones() if "/" in zone)[part::8]:
        zone = named_zone(name)
        for change in changes(name)[:2]:
            begins = (change + zone.offset(change - 1)) // 60 * 60
            for now in (-181, -91, -61, -31, -16, -1, 0, 1, 29, 44, 59, 60, 121):
                for wanted in range(-240, 241):
                    check(name, change, change + 60 * now, (begins + 60 * wanted) % DAY_S)


# Zones


def test_this_machines_zone_may_be_one_that_has_no_name() -> None:
    """A POSIX rule works as a name does, around its changes too; its names are told."""
    with machine_in("XST0XDT-1,M12.1.2/2,M3.5.0/3"):
        now = epoch_ms("2026-12-01T00:42:00Z")
        moment = read_moment("02:30", now, machine_zone())
        assert moment.ms == epoch_ms("2026-12-01T02:00:00Z")
        assert moment.remark == (
            "That time is skipped, as the clocks go forward; the first moment after it is 03:00 XDT."
        )
        again = read_moment("2:30", epoch_ms("2027-03-28T01:45:00Z"), machine_zone())
        assert again.ms == epoch_ms("2027-03-28T02:30:00Z")
        assert again.remark == "That time comes twice, as the clocks go back; 02:30 XST is meant."


@pytest.mark.parametrize("name", ["Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Asia/Shanghai", "UTC"])
def test_this_machines_zone_is_the_named_one(name: str) -> None:
    """The machine's zone and the zone of that name agree, day after day."""
    with machine_in(name):
        own, named = machine_zone(), named_zone(name)
        for at in range(NOON // 1000, NOON // 1000 + 400 * DAY_S, DAY_S):
            assert (own.offset(at), own.label(at)) == (named.offset(at), named.label(at))


@pytest.mark.parametrize(
    ("tz", "unknown"),
    [
        ("Asia/Beijing", True),
        (":Asia/Beijing", True),
        ("Europe", True),
        ("CST", True),
        ("\0", True),
        ("x" * 5000, True),
        ("Asia/Shanghai", False),
        (":Asia/Shanghai", False),
        ("/usr/share/zoneinfo/Asia/Shanghai", False),
        ("CST-8", False),
        ("<+08>-8", False),
        ("EST5EDT,M3.2.0,M11.1.0", False),
        ("XST0XDT-1,M12.1.2/2,M3.5.0/3", False),
        ("UTC", False),
        ("", False),
    ],
)
def test_a_tz_that_is_no_zone_is_seen(tz: str, unknown: bool) -> None:
    """The system then uses UTC without a word, and calls it by the wrong name."""
    assert unknown_tz({"TZ": tz}) == (tz if unknown else "")
    zone = machine_zone({"TZ": tz})
    if unknown:
        assert (zone.offset(NOON // 1000), zone.label(NOON // 1000)) == (0, "UTC")
    assert not unknown_tz({})


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Asia/Shanghai", "CST"),
        ("Europe/London", "GMT"),
        ("America/Sao_Paulo", "UTC-3"),
        ("Asia/Singapore", "UTC+8"),
        ("Asia/Kathmandu", "UTC+5:45"),
        ("America/St_Johns", "NST"),
        ("Pacific/Marquesas", "UTC-9:30"),
        ("Etc/GMT+8", "UTC-8"),
        ("+00:00", "UTC"),
        ("-0330", "UTC-3:30"),
    ],
)
def test_how_a_zone_is_told(name: str, label: str) -> None:
    """By its abbreviation; one that is only an offset is written so that it reads as a zone, and can be typed again."""
    zone = named_zone(name)
    assert zone.label(NOON // 1000) == label
    if label.startswith("UTC"):
        assert named_zone(label).offset(0) == zone.offset(NOON // 1000)


def test_a_machine_without_zone_data_says_so() -> None:
    """A name cannot be looked up there; offsets go on working."""
    script = (
        "import sys, zoneinfo; sys.modules['tzdata'] = None; zoneinfo.reset_tzpath([])\n"
        "from jupyter_autostop.times.zones import named_zone, ZoneError\n"
        "print(named_zone('+08:00').offset(0))\n"
        "try:\n    named_zone('Asia/Shanghai')\nexcept ZoneError as error:\n    print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [
        "28800",
        "“Asia/Shanghai” cannot be looked up: this machine has no time zone data; write an offset such as +08:00.",
    ]
