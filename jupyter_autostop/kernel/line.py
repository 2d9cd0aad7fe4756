"""A magic's line in words: blanks part them, quotes group them and go, and what stands behind ` #` is a comment."""

from __future__ import annotations

from typing import NamedTuple

_QUOTES = "\"'"
_OPTION = "--"
_END = ";"


class LineError(ValueError):
    """A line that cannot be divided into words."""


class Line(NamedTuple):
    """The words of a line; `comment` keeps its `#`, and `silent` is a `;` at the end, which shows nothing."""

    words: list[str]
    comment: str
    silent: bool


def parse_line(text: str) -> Line:
    """Divide a line into words, or raise `LineError` for a quotation mark that is never closed.

    A quotation mark groups where a word or the value of an `--option=` begins; elsewhere, as in `Ada's`, it is a
    character. Any blank of Unicode parts two words. A `#` begins a comment where a word could begin.
    """
    words: list[str] = []
    at, silent = 0, False
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] == "#":
            break
        word, at, silent = _word(text, at)
        if word is not None:
            words.append(word)
    return Line(words, text[at:].rstrip(), silent)


def _word(text: str, at: int) -> tuple[str | None, int, bool]:
    """Return the word at a place, where it ends, and whether a `;` ends the line there; `None`: a `;` and no more."""
    word, grouped, first = "", False, at
    while at < len(text) and not text[at].isspace():
        begins = at == first or (text[at - 1] == "=" and word.startswith(_OPTION) and word.count("=") == 1)
        if begins and text[at] in _QUOTES:
            end = text.find(text[at], at + 1)
            if end < 0:
                raise LineError("There is a quotation mark without its partner.")
            word, at, grouped = word + text[at + 1 : end], end + 1, True
            continue
        word, at = word + text[at], at + 1
    rest = text[at:].lstrip()
    if text[at - 1] != _END or (rest and not rest.startswith("#")):
        return word, at, False
    word = word.rstrip(_END)
    return (word if word or grouped else None), at, True
