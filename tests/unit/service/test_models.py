"""What a client may ask for: each limit at its edge, each refusal with its reason."""

from __future__ import annotations

import json
import re
import string
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_autostop.domain.limits import DESCRIPTION_FORBIDDEN, DESCRIPTION_MAX
from jupyter_autostop.errors import InvalidInputError
from jupyter_autostop.service.requests import (
    Change,
    Extend,
    check_description,
    check_duration,
    parse_change,
    parse_extend,
    parse_hold,
    parse_nothing,
)

FORBIDDEN = str.maketrans("", "", "&<>\"'/")


def refused(parse: Any, body: Any) -> InvalidInputError:
    """Return the refusal of a body, complete as the error contract wants it."""
    with pytest.raises(InvalidInputError) as caught:
        parse(body)
    error = caught.value
    assert error.status == 400
    assert error.message.encode()
    for sentence in (error.message, error.hint):
        assert sentence[0].isupper() or sentence[0] in '“"'
        assert sentence.endswith(".")
    assert error.code
    assert json.dumps(error.payload())
    return error


@pytest.mark.parametrize("seconds", [3600, 3601, 86399, 86400])
def test_a_running_duration_within_the_limits(seconds: int) -> None:
    """One hour and one day are in."""
    check_duration(seconds)
    change = parse_change({"auto_stop": {"duration": seconds}})
    assert change.auto_stop is not None
    assert change.auto_stop.duration == seconds


@pytest.mark.parametrize("seconds", [3599, 86401, 0, -3600, 10**9, 10**11, 10**400])
def test_a_running_duration_outside_the_limits(seconds: int) -> None:
    """A second too few or too many is refused, with both limits, and without a thousand digits."""
    error = refused(parse_change, {"auto_stop": {"duration": seconds}})
    assert error.code == "duration_range"
    assert "3600 to 86400 s" in error.hint
    assert len(error.message) < 200
    limit, wrong = ("least 1 h", "shorter") if seconds < 3600 else ("most 24 h", "longer")
    shown = {3599: "59 min 59 s", 86401: "24 h 1 s", 0: "0 s", -3600: "-3600 s", 10**9: "277777 h 46 min 40 s"}
    given = shown.get(seconds, "that number" if seconds == 10**400 else "27777777 h 46 min 40 s")
    assert error.message == f"A running duration is at {limit}; {given} is {wrong}."
    assert "from 1 h to 24 h" in error.hint


@pytest.mark.parametrize(
    "text", ["", string.printable.translate(FORBIDDEN), "x" * 512, "ä" * 512, "😀" * 512, "two\nlines", "100 % done"]
)
def test_a_description_within_the_limits(text: str) -> None:
    """512 characters, of any script, and the empty text are in."""
    check_description(text)
    assert parse_change({"description": text}).description == text


def test_a_description_one_too_long() -> None:
    """A 513th character is refused, with both numbers."""
    error = refused(parse_change, {"description": "x" * 513})
    assert error.code == "description_length"
    assert "513" in error.message
    assert "512" in error.message
    assert "Leave out 1 character;" in error.hint


@pytest.mark.parametrize("char", "&<>\"'/")
def test_each_forbidden_character_is_named(char: str) -> None:
    """The character that ModelArts refuses is named, and only that one."""
    error = refused(parse_change, {"description": f"a {char} b"})
    assert error.code == "description_characters"
    assert re.findall("“(.)”", error.message) == [char]
    assert f"Leave out {' '.join(DESCRIPTION_FORBIDDEN)} " in error.hint


def test_all_forbidden_characters_at_once() -> None:
    """Several wrong characters are named in one go."""
    error = refused(parse_change, {"description": "a > b & c < d"})
    assert error.message.endswith(" “&”, “<”, “>”.")


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc00\ud800"])
def test_half_a_character_is_refused(text: str) -> None:
    """A lone surrogate, which JSON can carry and UTF-8 cannot, never reaches the platform."""
    refused(parse_change, {"description": text})
    refused(parse_change, {text: 1})
    with pytest.raises(InvalidInputError) as caught:
        check_description(text)
    assert caught.value.code == "description_characters"


WRONG_CHANGES: list[tuple[Any, str]] = [
    (None, "The body"),
    ([], "The body"),
    ([{"description": "x"}], "The body"),
    ("description", "The body"),
    (5, "The body"),
    (True, "The body"),
    ({}, "asks for no change"),
    ({"auto_stop": {}}, "asks for no change"),
    ({"description": None}, "null"),
    ({"auto_stop": None}, "null"),
    ({"auto_stop": {"duration": None}}, "null"),
    ({"auto_stop": {"enable": None, "prompt": True}}, "null"),
    ({"description": 5}, "“description”"),
    ({"description": ["x"]}, "“description”"),
    ({"description": True}, "“description”"),
    ({"auto_stop": []}, "“auto_stop”"),
    ({"auto_stop": "off"}, "“auto_stop”"),
    ({"auto_stop": False}, "“auto_stop”"),
    ({"auto_stop": {"enable": 1}}, "“auto_stop.enable”"),
    ({"auto_stop": {"enable": "true"}}, "“auto_stop.enable”"),
    ({"auto_stop": {"prompt": 0}}, "“auto_stop.prompt”"),
    ({"auto_stop": {"duration": True}}, "“auto_stop.duration”"),
    ({"auto_stop": {"duration": 7200.0}}, "“auto_stop.duration”"),
    ({"auto_stop": {"duration": 7200.5}}, "“auto_stop.duration”"),
    ({"auto_stop": {"duration": float("nan")}}, "“auto_stop.duration”"),
    ({"auto_stop": {"duration": float("inf")}}, "“auto_stop.duration”"),
    ({"auto_stop": {"duration": "7200"}}, "“auto_stop.duration”"),
    ({"auto_stop": {"duration": [7200]}}, "“auto_stop.duration”"),
    ({"description": "x", "name": "y"}, "Unknown key “name”"),
    ({"auto_stop": {"duration": 7200, "stop_timestamp": 1}}, "Unknown key “auto_stop.stop_timestamp”"),
    ({"instance_id": "DE-2", "description": "x"}, "Unknown key “instance_id”"),
    ({"Description": "x"}, "Unknown key “Description”"),
    ({"x" * 10_000: 1}, "Unknown key “xxx"),
]


@pytest.mark.parametrize(("body", "words"), WRONG_CHANGES, ids=lambda value: str(value)[:60])
def test_a_wrong_change_says_what_is_wrong(body: Any, words: str) -> None:
    """Wrong types, nulls, unknown keys and no change at all are refused, naming the place."""
    error = refused(parse_change, body)
    assert words in error.message
    assert error.code == "invalid_body"
    assert len(error.message) < 300


def test_what_may_be_said_is_named() -> None:
    """A refusal lists the keys that there are, in words for people, and says that nothing has come of the rest."""
    refusal = refused(parse_change, {"description": None})
    assert refusal.hint == "Known keys: description, auto_stop. Nothing was changed."
    assert "error" not in refusal.message
    assert refused(parse_nothing, {"x": 1}).hint == "Known keys: none. Nothing was changed."


def test_keys_left_out_are_left_alone() -> None:
    """A change asks only for what is in it: nothing is filled in."""
    change = parse_change({"auto_stop": {"enable": False}})
    assert change.model_dump(exclude_none=True) == {"auto_stop": {"enable": False}}
    assert parse_change({"description": ""}).model_dump(exclude_none=True) == {"description": ""}


@pytest.mark.parametrize("body", [{"by": 1}, {"by": 7200}, {"until": 1795000000000}, {"until": 0}])
def test_an_extension(body: dict[str, int]) -> None:
    """Seconds beyond the deadline, or an absolute time whose sense the service judges."""
    assert parse_extend(body).model_dump(exclude_none=True) == body


@pytest.mark.parametrize(
    "body",
    [
        *(None, [], "2h", 7200, {}, {"by": None}, {"until": None}, {"by": 60, "until": 1795000000000}),
        *({"by": wrong} for wrong in (0, -1, True, 1.0, float("nan"), "2h", [], {})),
        *({"until": wrong} for wrong in (True, 1795000000000.0, float("inf"), "18:00", [], {})),
        *({"by": 60, "kernel_id": "x"}, {"duration": 7200}, {"by": 60, "until": None}),
    ],
    ids=str,
)
def test_a_wrong_extension(body: Any) -> None:
    """Neither, both, none of a whole number, or a length of nothing is refused."""
    error = refused(parse_extend, body)
    nothing = isinstance(body, dict) and body in ({"by": 0}, {"by": -1}) and not isinstance(body["by"], bool)
    assert error.code == ("duration_range" if nothing else "invalid_body")
    assert not nothing or "at least 1 s" in error.message


HOLD = {"until": 1795000000000}


@pytest.mark.parametrize(
    "more",
    [
        *(
            {},
            {"then": "stop"},
            {"then": "restore"},
            {"reason": ""},
            {"reason": "lr sweep, 学习率"},
            {"reason": "x" * 200},
        ),
        *({"id": "a"}, {"id": "Z.9_-" + "x" * 59}, {"kernel_id": "0f-_Z" + "x" * 59}, {"kernel_id": "k"}),
        *({"pid": 1}, {"pid": 2**31 - 1}, {"until": 0}, {"reason": "x" * 200}),
        {"pid": 1, "pid_space": "boot pid:[1]", "pid_started": "12", "lock": "0123456789abcdef" * 2},
    ],
    ids=str,
)
def test_a_hold(more: dict[str, Any]) -> None:
    """A time and what else is said of it; the service judges the time."""
    wish = parse_hold({**HOLD, **more})
    assert wish.model_dump(exclude_unset=True) == {**HOLD, **more}
    assert (parse_hold(HOLD).then, parse_hold(HOLD).id, parse_hold(HOLD).reason) == ("restore", "", "")
    assert (parse_hold(HOLD).kernel_id, parse_hold(HOLD).pid) == (None, None)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        *[({"until": wrong}, "“until” must be a whole number") for wrong in (True, 1.5, "18:00", [])],
        *[({"until": None}, "null is no value")],
        *[({"id": wrong}, "“id” is of letters") for wrong in ("", ".a", "-a", "a/b", "é", "a\n", "x" * 65, "a b")],
        *[({"kernel_id": wrong}, "“kernel_id” is no kernel's id") for wrong in ("", "../x", "x" * 65, "a\n", "é")],
        *[({"reason": wrong}, "“reason” is one line of 200") for wrong in ("x" * 201, "a\nb", "\x1b[2J", "\u202e")],
        *[({"pid": wrong}, "“pid” is no process id") for wrong in (0, -1, 2**31)],
        *[({key: "1"}, "so give its “pid” too") for key in ("pid_space", "pid_started", "lock")],
        *[({"pid": 1, "pid_space": wrong}, "“pid_space” is of") for wrong in ("", "é", "a\nb", "x" * 201)],
        *[({"pid": 1, "pid_started": wrong}, "“pid_started” is a number") for wrong in ("", "-1", "x", "1" * 21)],
        *[({"pid": 1, "lock": wrong}, "“lock” is a name") for wrong in ("", "../x", "A" * 32, "a" * 33)],
        *[({"then": wrong}, "“then” must be one of 'restore' or 'stop'") for wrong in ("", "STOP", 1)],
        *[({"pid": True}, "“pid” must be a whole number"), ({"instance_id": "x"}, "Unknown key “instance_id”")],
    ],
    ids=str,
)
def test_a_wrong_hold(more: dict[str, Any], words: str) -> None:
    """Each part has its limits, and the one that is wrong is named with them."""
    error = refused(parse_hold, {**HOLD, **more})
    assert error.code == "invalid_body"
    assert words.replace("” must", "”: must") in error.message
    assert error.message.endswith(".")
    refused(parse_hold, more if "until" not in more else {})


def test_a_body_that_must_be_empty() -> None:
    """No body and `{}` are nothing; anything else is refused."""
    parse_nothing(None)
    parse_nothing({})
    for body in ({"force": True}, {"x": None}, [], [1], "", "stop", 0, False):
        refused(parse_nothing, body)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from([3599, 3600, 86400, 86401, "x" * 512, "x" * 513, "&", "\ud800"])
)  # fmt: skip
KEYS = st.sampled_from(["description", "auto_stop", "enable", "duration", "prompt", "by", "until"]) | st.text()
BODIES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
)
LIKELY = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(max_size=600) | SCALARS,
        "auto_stop": st.fixed_dictionaries(
            {},
            optional={"enable": st.booleans(), "duration": st.integers(3000, 90000) | SCALARS, "prompt": SCALARS},
        )
        | BODIES,
    },
)


@settings(deadline=None, max_examples=300)
@given(BODIES | LIKELY)
def test_any_body_is_within_the_limits_or_refused(body: Any) -> None:
    """Whatever JSON comes, it parses to something the platform takes or is refused with words."""
    try:
        change: Change = parse_change(body)
    except InvalidInputError:
        refused(parse_change, body)
    else:
        assert change.model_dump(exclude_none=True) == body
        text, auto_stop = change.description, change.auto_stop
        assert text is None or (len(text) <= DESCRIPTION_MAX and not set(text) & set(DESCRIPTION_FORBIDDEN))
        assert auto_stop is None or auto_stop.duration is None or 3600 <= auto_stop.duration <= 86400
    try:
        extend: Extend = parse_extend(body)
    except InvalidInputError:
        refused(parse_extend, body)
    else:
        assert extend.model_dump(exclude_none=True) == body
        assert (extend.by is None) != (extend.until is None)
