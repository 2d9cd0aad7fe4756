"""A magic's line in words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_autostop.kernel.line import Line, LineError, parse_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", Line([], "", silent=False)),
        ("   ", Line([], "", silent=False)),
        ("status   # Stops at 18:40", Line(["status"], "# Stops at 18:40", silent=False)),
        ("# all of it", Line([], "# all of it", silent=False)),
        ("a#b c# #d # e", Line(["a#b", "c#"], "#d # e", silent=False)),
        ("until\u00a018:00\u2003now", Line(["until", "18:00", "now"], "", silent=False)),
        ("""describe "two  words" 'a "b"' """, Line(["describe", "two  words", 'a "b"'], "", silent=False)),
        ("describe ''", Line(["describe", ""], "", silent=False)),
        ("Ada's 5\" disk", Line(["Ada's", '5"', "disk"], "", silent=False)),
        ("--reason='lr sweep' --max=1h", Line(["--reason=lr sweep", "--max=1h"], "", silent=False)),
        ("a=b='c'", Line(["a=b='c'"], "", silent=False)),
        ('"# no comment"# text', Line(["# no comment#", "text"], "", silent=False)),
        ("status;", Line(["status"], "", silent=True)),
        ("status ;; # x", Line(["status"], "# x", silent=True)),
        ("a; b", Line(["a;", "b"], "", silent=False)),
        ('"a;"', Line(["a;"], "", silent=False)),
        ('"";', Line([""], "", silent=True)),
        ("\\ C:\\new", Line(["\\", "C:\\new"], "", silent=False)),
    ],
)
def test_a_line(text: str, line: Line) -> None:
    """Blanks part, quotes group where a word or a value begins, and a `#` where a word could begin is a comment."""
    assert parse_line(text) == line


@pytest.mark.parametrize("text", ['"', "describe 'x", '--reason="a b', 'a "b" "'])
def test_a_quotation_mark_without_its_partner(text: str) -> None:
    """It is refused: nobody can tell where the text was to end."""
    with pytest.raises(LineError, match="without its partner"):
        parse_line(text)


@given(st.lists(st.text(min_size=1).filter(lambda word: '"' not in word), max_size=5), st.text())
def test_whatever_stands_in_quotes_comes_out_as_it_is(words: list[str], comment: str) -> None:
    """Each word whole, and of a comment nothing among them."""
    line = parse_line("\u3000".join(f'"{word}"' for word in words) + f" #{comment}")
    assert (line.words, line.silent) == (words, False)
    assert line.comment == f"#{comment}".rstrip()


@given(st.text())
def test_no_line_is_a_fault(text: str) -> None:
    """Any text is divided or refused."""
    try:
        line = parse_line(text)
    except LineError:
        return
    assert all(isinstance(word, str) for word in line.words)
