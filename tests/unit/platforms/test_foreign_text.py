"""Text that others wrote: what of it is shown, and that it is cleaned where it comes in, in every field."""

from __future__ import annotations

import copy
import json
import unicodedata
from typing import Any

import pytest
from fake_cloud import Cloud
from hypothesis import given
from hypothesis import strategies as st
from test_secrets import FULL

from jupyter_autostop.domain.run import read_run
from jupyter_autostop.errors import InvalidInputError
from jupyter_autostop.foreign_text import clean, clean_json, one_line, shows_nothing
from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.modelarts.public_fields import shown_instance
from jupyter_autostop.platforms.writer import not_running
from jupyter_autostop.service.requests import parse_hold
from jupyter_autostop.service.update import sent_description

HOSTILE = {
    "escape": "\x1b[2J\x1b]52;c;b3duZWQ=\x07",
    "title": "\x1b]0;owned\x1b\\",
    "C1": "\x9b2J\x9d0;x\x9c\x85\x90q",
    "line breaks": "a\r\nb\x0b\x0c\x1c\u2028\u2029",
    "NUL, BS, DEL": "\0\b\b\x7f\x0e",
    "directions": "\u202e\u202d\u202a\u202b\u202c\u2066\u2067\u2068\u2069\u200e\u200f\u061c",
    "surrogates": "\ud800 \udfff",
    "unseen": "\ufeff\u00ad\u200b\u2060\u206a\ufff9\U000e0041\ue000",
}
ALL = "".join(HOSTILE.values())
LEGITIMATE = [
    "训练 第7次 é",
    "کتاب\u200cها",  # noqa: RUF001 - no Latin
    "क्\u200dष",
    "👩\u200d💻 ❤\ufe0f",
    "e\u0301",
    "שלום",
    "a\u00a0b\u3000c",
    "🜁 ½ ∑",
]
NEVER = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}


def is_clean(text: str, *, kept: str = "") -> bool:
    return not [char for char in text if unicodedata.category(char) in NEVER and char not in "\u200c\u200d" + kept]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_nothing_that_is_obeyed_stays(text: str) -> None:
    """Between two words that stay, whatever stands there."""
    for cleaned in (clean(f"one{text}two", 200), one_line(f"one{text}two", 200)):
        assert is_clean(cleaned)
        assert (cleaned[:3], cleaned[-3:]) == ("one", "two")


@pytest.mark.parametrize("text", LEGITIMATE)
def test_what_people_write_stays(text: str) -> None:
    """In any script, with the joiners that it needs."""
    assert clean(text, 100) == text
    assert clean(text, 100, several_lines=True) == text


def test_a_description_keeps_its_lines() -> None:
    """Those of every system, and tabs; one that is asked to be one line does not."""
    text = "one\ttwo\r\nthree\rfour\u2028five\nsix"
    assert clean(text, 100, several_lines=True) == "one\ttwo\nthree\nfour\nfive\nsix"
    assert clean(text, 100) == "one two  three four five six"
    assert one_line(text, 100) == "one two three four five six"


@given(st.text(max_size=60), st.integers(1, 40), st.booleans())
def test_cleaning_twice_is_cleaning_once(text: str, longest: int, several_lines: bool) -> None:
    """So that what was sent is what is read back, and no text is longer than it may be."""
    once = clean(text, longest, several_lines=several_lines)
    assert clean(once, longest, several_lines=several_lines) == once
    assert len(once) <= longest
    assert is_clean(once, kept="\n\t" if several_lines else "")


@pytest.mark.parametrize(
    ("text", "nothing"),
    [("", True), (" \n\u3000", True), (ALL.translate({ord(c): "" for c in "[]2J52;cb3duZWQ=0;ownedxq\\a"}), True),
     ("\u200d\u3164\u2800\ufe0f", True), (".", False), ("\u202ex", False), ("\u0301", False)],
)  # fmt: skip
def test_what_shows_nothing(text: str, nothing: bool) -> None:
    """Blanks, fillers and what is never drawn."""
    assert shows_nothing(text) is nothing


def test_a_document_of_any_depth_and_length() -> None:
    """Lists have an end, and what is nested deeper than any answer is left out."""
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    cleaned = clean_json({"deep": deep, "list": ["\x1b"] * 100, "n": 10**30, "": None}, {"": 5}, most=3)
    assert cleaned["list"] == [" "] * 3
    assert (cleaned["n"], cleaned[""]) == (10**30, None)
    assert "x" not in json.dumps(cleaned["deep"])


def poisoned(value: Any) -> Any:
    """Return a document with every text in it poisoned, ids and the status too."""
    if isinstance(value, dict):
        return {key: poisoned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [poisoned(inner) for inner in value]
    return f"{value}{ALL}" if isinstance(value, str) else value


def texts(value: Any, key: str = "") -> list[tuple[str, str]]:
    if isinstance(value, dict):
        return [found for name, inner in value.items() for found in texts(inner, name)]
    if isinstance(value, list):
        return [found for inner in value for found in texts(inner, key)]
    return [(key, value)] if isinstance(value, str) else []


def test_every_field_of_an_instance() -> None:
    """What is shown of it, and what is said about it, holds nothing that a terminal or a page would obey."""
    instance = Instance.model_validate(poisoned(copy.deepcopy(FULL)))
    shown = shown_instance(instance)
    assert len(texts(shown)) > 20
    problem = read_run(instance, 0, now_is_platforms=True).problem
    said = [("", str(problem)), ("", not_running(instance).message)]
    for key, text in texts(shown) + said:
        assert is_clean(text, kept="\n\t" if key == "description" else ""), key


def test_no_field_is_endless() -> None:
    """2 MB of a name or a description do not go to every page."""
    long = "x" * 2_000_000
    document = copy.deepcopy(FULL) | {"name": long, "description": f"\ud800{long}", "error_code": long}
    document["flavor_details"]["storage_list"] = ["evs"] * 100_000
    shown = json.dumps(shown_instance(Instance.model_validate(document)))
    assert len(shown) < 10_000
    assert "xx…" in json.loads(shown)["name"]


@pytest.mark.parametrize("body", [
    {"error_code": f"ModelArts.6309{ALL}", "error_msg": ALL, "request_id": ALL},
    {"error": {"code": ALL, "message": f"no{ALL}"}},
    {"error_code": "ModelArts.6309", "error_msg": "x" * 100_000, "request_id": "y" * 100_000},
])  # fmt: skip
async def test_every_field_of_an_error(body: dict[str, Any]) -> None:
    """Words, code and request id of a refusal are of one line each."""
    error = await Cloud((400, body)).error()
    for text in (error.message, error.code, error.request_id or ""):
        assert is_clean(text)
        assert len(text) < 500


async def test_a_request_id_in_a_header() -> None:
    """It is cleaned as well, and a good one is passed on as it is."""
    raw = b"abc\x9b2J\xc2\x85" + b"9" * 500
    error = await Cloud((400, {}, [(b"X-Request-Id", raw)])).error()
    assert is_clean(error.request_id)
    assert len(error.request_id) <= 64
    assert (await Cloud((400, {"request_id": "ab-12"})).error()).request_id == "ab-12"


def test_what_our_own_clients_send() -> None:
    """A description is cleaned, as it will be read back; a reason that would have to be is refused."""
    assert sent_description(f"one{HOSTILE['escape']}\u202etwo\r\n") == "one [2J ]52;c;b3duZWQ= two\n"
    for text in LEGITIMATE:
        assert sent_description(text) == text
        assert parse_hold({"until": 1, "reason": text}).reason == text
    for name, text in HOSTILE.items():
        with pytest.raises(InvalidInputError, match="reason"):
            parse_hold({"until": 1, "reason": f"a{text}b"})
        assert name
