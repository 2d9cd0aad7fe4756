"""Durations, by the table that the browser's parser passes too, and by properties."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import DATA

from jupyter_autostop.times.duration import (
    DAY,
    HOUR,
    LONGEST,
    MINUTE,
    DurationError,
    format_countdown,
    format_duration,
    parse_duration,
    plain,
)

TABLE = json.loads((DATA / "durations.json").read_text(encoding="utf-8"))


def check_words(error: DurationError, text: str) -> None:
    """Check that a refusal is a sentence that repeats the text, or its beginning, and shows a right way to write it."""
    words = str(error)
    assert words.endswith(".")
    quoted = re.search("“(.*)”", words, re.DOTALL)
    assert (quoted is None) == (error.kind == "empty")
    if quoted:
        assert len(quoted[1]) <= 40
        assert plain(text).removeprefix("+").startswith(quoted[1].removeprefix("+").removesuffix("…"))
    if error.kind in ("empty", "syntax"):
        for example in re.split(", | or ", re.search(r"write (.*)\.", words)[1]):
            assert parse_duration(example)


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


@given(
    st.integers(0, 300),
    st.integers(0, 200),
    st.sampled_from(["h", " h", " hours", "HRS"]),
    st.sampled_from(["m", " min", " minutes"]),
)
def test_a_duration_may_be_written_in_many_ways(hours: int, minutes: int, hour: str, minute: str) -> None:
    """Short or long, apart or together, with a plus, from a wide keyboard: it means the same."""
    seconds = 3600 * hours + 60 * minutes
    text = f"{hours}{hour} {minutes}{minute}"
    wide = "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)
    ways = [text, text.replace(" ", ""), f"+{text}", text.upper(), wide, text.replace(" ", "\u00a0")]
    if seconds:
        assert {parse_duration(way) for way in ways} == {seconds}
        if minutes < 60:
            assert parse_duration(f"{hours}{hour}{minutes:02d}") == seconds
            assert parse_duration(f"{hours}:{minutes:02d}") == seconds
