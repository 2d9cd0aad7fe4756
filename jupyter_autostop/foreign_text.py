"""Text that others wrote, made fit to be shown in a terminal, a page, a log and a journal: once, where it comes in.

What a terminal obeys, what breaks a line and what turns the reading direction goes, in every field. What a script needs
in order to be written (joiners, combining marks) and, in a description or a hint, its line breaks and tabs stay.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_BREAKS = {"Cc", "Zl", "Zp"}
_UNSEEN = {"Cf", "Cs", "Co"}
_JOINERS = "\u200c\u200d"
"""Persian and the languages of India are not written without them, nor is many a picture made of several signs."""
_LINE_BREAKS = str.maketrans(dict.fromkeys("\r\v\f\x1c\x1d\x1e\x85\u2028\u2029", "\n"))
_SHOWS_NOTHING = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
"""Fillers and blanks that count as letters, signs or marks."""
_VARIATIONS = range(0xFE00, 0xFE10)
_SEVERAL_LINES = {"description", "hint"}
_DEEPEST = 32
"""Levels of a JSON document; an instance has six."""


def _seen(char: str) -> str:
    if char in _JOINERS:
        return char
    category = unicodedata.category(char)
    if category in _BREAKS:
        return " "
    return "" if category in _UNSEEN else char


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def clean(text: str, longest: int, *, several_lines: bool = False) -> str:
    """Return `text` without what nobody should be shown, cut to `longest` characters; done twice it changes nothing."""
    if not text.isprintable():  # as nearly all are
        kept = "\n\t" if several_lines else ""
        # Several times as long, since much of it may go.
        text = text[: 8 * longest]
        if several_lines:
            text = text.replace("\r\n", "\n").translate(_LINE_BREAKS)
        text = "".join(char if char in kept else _seen(char) for char in text)
    return _cut(text, longest)


def one_line(text: str, longest: int) -> str:
    """Return `text` as one line of words, cut to `longest` characters."""
    return _cut(" ".join(clean(text[: 8 * longest], 8 * longest).split()), longest)


def printable(text: str) -> str:
    """Return a text of somebody else's on one line, in which nothing can move a terminal's cursor."""
    return "".join(char if char.isprintable() else " " for char in text)


def shows_nothing(text: str) -> bool:
    """Tell whether no sign of a text can be seen."""
    return all(
        char.isspace()
        or char in _SHOWS_NOTHING
        or ord(char) in _VARIATIONS
        or unicodedata.category(char) in _BREAKS | _UNSEEN
        for char in text
    )


def clean_json(value: Any, longest: Mapping[str, int], *, most: int | None = None) -> Any:
    """Return a JSON document with every text in it cleaned.

    `longest` has the characters of a text by the key it stands under, and under "" those of all others; `most` is how
    many items of a list are kept.
    """
    return _clean_json(value, longest, most, "", _DEEPEST)


def _clean_json(value: Any, longest: Mapping[str, int], most: int | None, key: str, depth: int) -> Any:
    if isinstance(value, str):
        return clean(value, longest.get(key, longest[""]), several_lines=key in _SEVERAL_LINES)
    if depth == 0 and isinstance(value, (dict, list)):
        return None
    if isinstance(value, dict):
        return {name: _clean_json(inner, longest, most, name, depth - 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [_clean_json(inner, longest, most, key, depth - 1) for inner in value[:most]]
    return value
