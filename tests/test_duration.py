"""Durations and clock times, by the table that the browser's parser passes too, and by properties."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_autostop.duration import (
    DAY,
    HOUR,
    LONGEST,
    MINUTE,
    DurationError,
    format_countdown,
    format_duration,
    parse_duration,
    parse_until,
)

TABLE = json.loads((Path(__file__).parent / "data" / "durations.json").read_text(encoding="utf-8"))
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=timezone.utc)


def check_words(error: DurationError, text: str) -> None:
    """Check that a refusal is a sentence that repeats the text, or its beginning, and shows a right way to write it."""
    words = str(error)
    assert words.endswith(".")
    quoted = re.search("“(.*)”", words, re.DOTALL)
    assert (quoted is None) == (error.kind == "empty")
    if quoted:
        assert len(quoted[1]) <= 40
        assert text.strip(" \t").startswith(quoted[1].removesuffix("…"))
        assert len(quoted[1]) == min(len(text.strip(" \t")), 40)
    if error.kind in ("empty", "syntax"):
        for example in re.split(", | or ", re.search(r"write (.*)\.", words)[1]):
            assert parse_until(example, NOON) if "T" in example else parse_duration(example)


@pytest.mark.parametrize("case", TABLE["durations"], ids=lambda case: repr(case["text"]))
def test_every_row_of_the_shared_table(case: dict) -> None:
    """A text means its seconds, or is refused for its reason with a way out."""
    if "error" in case:
        with pytest.raises(DurationError) as caught:
            parse_duration(case["text"])
        assert caught.value.kind == case["error"]
        check_words(caught.value, case["text"])
    else:
        assert parse_duration(case["text"]) == case["seconds"]


@pytest.mark.parametrize("case", TABLE["formats"], ids=lambda case: case["text"])
def test_formats(case: dict) -> None:
    """Seconds are written exactly; 26 h is 26 h, not a day and 2 h."""
    assert format_duration(case["seconds"]) == case["text"]


@pytest.mark.parametrize("case", TABLE["countdowns"], ids=lambda case: str(case["seconds"]))
def test_countdowns(case: dict) -> None:
    """Time left is rounded down and never negative."""
    assert format_countdown(case["seconds"]) == case["text"]


@given(st.integers(0, 100_000), st.sampled_from([(1, DAY), (HOUR, DAY), (1, HOUR)]))
def test_only_what_can_be_meant_is_offered(number: int, likely: tuple[int, int]) -> None:
    """Whoever forgot the unit is offered nothing that would be refused next."""
    with pytest.raises(DurationError) as caught:
        parse_duration(str(number), likely)
    offered = re.findall(rf"\b{number}[mh]\b", str(caught.value))
    assert all(likely[0] <= parse_duration(text) <= likely[1] for text in offered)
    assert len(offered) == sum(likely[0] <= number * unit <= likely[1] for unit in (MINUTE, HOUR))


@given(st.integers(1, LONGEST))
def test_what_is_written_can_be_read_back(seconds: int) -> None:
    """parse(format(x)) is x for every whole second up to the limit."""
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.floats(0, LONGEST), st.floats(0, LONGEST))
def test_a_countdown_never_promises_more_than_is_left(one: float, other: float) -> None:
    """More time left never reads as less, and what is read never exceeds what is left."""

    def read(text: str) -> int:
        if ":" in text:
            minutes, seconds = text.split(":")
            return int(minutes) * 60 + int(seconds)
        return parse_duration(text)

    less, more = sorted((one, other))
    assert read(format_countdown(less)) <= less
    assert read(format_countdown(less)) <= read(format_countdown(more))


@given(st.text(max_size=60))
def test_any_text_is_a_duration_or_a_clear_refusal(text: str) -> None:
    """No text crashes the parser, and what it accepts is within the limits."""
    try:
        seconds = parse_duration(text)
    except DurationError as error:
        assert error.kind in {"empty", "ambiguous", "syntax", "range"}  # noqa: PT017 - both outcomes are right
    else:
        assert 1 <= seconds <= LONGEST


def test_no_time_left_is_still_a_number() -> None:
    """Zero is written too."""
    assert format_duration(0) == "0 s"


def test_until_is_the_next_such_time() -> None:
    """18:00 is today's if it is still to come, else tomorrow's; to the second, whatever fraction of one it is now."""
    assert parse_until("18:00", NOON) == NOON.replace(hour=18)
    assert parse_until(" \t18:00 ", NOON.replace(second=7, microsecond=8)) == NOON.replace(hour=18)
    assert parse_until("18:00:09", NOON.replace(second=7)) == NOON.replace(hour=18, second=9)
    assert parse_until("9:30", NOON) == NOON.replace(day=24, hour=9, minute=30)
    assert parse_until("12:00", NOON) == NOON + timedelta(days=1)


def test_until_takes_a_date() -> None:
    """An ISO moment counts in the zone it names, else in the local one."""
    assert parse_until("2026-11-24T09:00", NOON) == datetime(2026, 11, 24, 9, tzinfo=timezone.utc)
    assert parse_until("2026-11-24T09:00Z", NOON) == datetime(2026, 11, 24, 9, tzinfo=timezone.utc)
    assert parse_until("2026-11-24T09:00z", NOON) == datetime(2026, 11, 24, 9, tzinfo=timezone.utc)
    assert parse_until("2026-11-24T09:00+08:00", NOON) == datetime(2026, 11, 24, 1, tzinfo=timezone.utc)
    shanghai = NOON.astimezone(ZoneInfo("Asia/Shanghai"))
    assert parse_until("21:00", shanghai) == datetime(2026, 11, 23, 13, tzinfo=timezone.utc)


def test_until_over_a_change_of_clocks() -> None:
    """The next 9:00 after the clocks went back is 9:00 by the new offset."""
    evening = datetime(2026, 10, 24, 20, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    assert parse_until("9:00", evening).astimezone(timezone.utc).hour == 8


def test_until_over_a_change_of_this_machines_clocks(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """So it is in the machine's own zone, of which a moment knows today's offset only."""
    request.addfinalizer(time.tzset)
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        evening = datetime(2026, 10, 24, 18, 0, tzinfo=timezone.utc).astimezone()
        assert parse_until("9:00", evening).astimezone(timezone.utc) == datetime(2026, 10, 25, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        (" \t", "empty"),
        ("18:00\n", "syntax"),
        ("X18:00X", "syntax"),
        ("soon " * 20, "syntax"),
        (f"2020-01-01T00:00:00.{'0' * 6}+00:00:00.{'0' * 6}", "range"),
        ("25:00", "syntax"),
        ("18:60", "syntax"),
        ("soon", "syntax"),
        ("18", "syntax"),
        ("2020-01-01T00:00", "range"),
        ("2026-11-23T12:00Z", "range"),
        ("2026-13-01T00:00", "syntax"),
        ("0001-01-02T00:00", "range"),
        ("0001-01-01T00:00+14:00", "range"),
    ],
)
def test_until_refuses(text: str, kind: str) -> None:
    """What is no time, or has passed, is refused with its reason."""
    with pytest.raises(DurationError) as caught:
        parse_until(text, NOON)
    assert caught.value.kind == kind
    check_words(caught.value, text)


@given(st.text(max_size=40))
def test_any_text_is_a_time_to_come_or_a_clear_refusal(text: str) -> None:
    """No text crashes the clock-time parser."""
    try:
        then = parse_until(text, NOON)
    except DurationError as error:
        assert error.kind in {"empty", "syntax", "range"}  # noqa: PT017 - both outcomes are right
    else:
        assert then > NOON
