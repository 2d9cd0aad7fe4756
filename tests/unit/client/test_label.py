"""Texts that are made from names of files and functions are short, printable, and taken by the route they are for."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_autostop import FakeAutostop, running_fake
from hold_program import PYTHON, Program
from hypothesis import given
from hypothesis import strategies as st
from processes import own_environment

from jupyter_autostop.kernel.context import notebook_name
from jupyter_autostop.label import LONGEST, label
from jupyter_autostop.service.requests import REASON_MAX, parse_hold

LONG = "exp_" + 8 * "lr0.001_bs64_wd0.05_seed42_" + "train.ipynb"


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("train.ipynb", "train.ipynb"),
        ("/home/ma-user/work/a b/train.ipynb", "train.ipynb"),
        (r"c:\Users\ann\Documents\client-acme\train.ipynb", "train.ipynb"),
        (r"\\server\share\lr sweep.ipynb", "lr sweep.ipynb"),
        (r"mixed/of\both.py", "both.py"),
        ("folder/", "folder"),
        ("folder\\\\//", "folder"),
        *[(nothing, "") for nothing in ("", "/", "///", "\\", "\\/\\", "\n", " / ", "\ud800", "/\x00/")],
        ("two\nlines\x1b[31m.py", "two lines [31m.py"),
        ("half \ud83d a \udc80character.py", "half a character.py"),
        ("evil\u202etxt.exe", "evil txt.exe"),
        ("训练 第7次.ipynb", "训练 第7次.ipynb"),
        ("🚀 run.ipynb", "🚀 run.ipynb"),
    ],
)
def test_a_label_is_the_last_part(path: str, shown: str) -> None:
    """Of a path of any system, on one line, and nothing where there is none."""
    assert label(path) == shown


def test_a_long_name_keeps_its_beginning_and_its_end() -> None:
    """Which tell one run from the next, and what kind of file it is."""
    shown = label(f"/work/{LONG}")
    assert len(LONG) == 231
    assert len(shown) == LONGEST
    assert shown.startswith("exp_lr0.001")
    assert shown.endswith("seed42_train.ipynb")
    assert "…" in shown


@given(st.text(st.characters(), max_size=400))
def test_the_route_takes_every_label(path: str) -> None:
    """Two of them with the words around them, whatever the names are."""
    reason = f"a cell of {label(path)} {label(path)}"
    assert len(reason) <= REASON_MAX
    assert parse_hold({"until": 0, "reason": reason}).reason == reason


@pytest.mark.parametrize(
    ("session", "name"),
    [
        (f"work/{LONG}", label(LONG)),
        (r"c:\Users\ann\client-acme\train.ipynb", "train.ipynb"),
        ("two\nlines.ipynb", "two lines.ipynb"),
        ("console-1", None),
        ("///", None),
        ("", None),
    ],
)
def test_a_notebook_is_named_shortly(monkeypatch: pytest.MonkeyPatch, session: str, name: str | None) -> None:
    """By what the server or the front end has called it, and not where it lies."""
    monkeypatch.setenv("JPY_SESSION_NAME", session)
    assert notebook_name() == name


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("label")
    fake = FakeAutostop()
    with running_fake(folder / "runtime", fake) as environment:
        yield Program(folder, {**own_environment(folder), **environment}, fake)


@pytest.mark.parametrize(
    "name", ["run_" + "x" * 224 + ".py", "two\nlines.py", "\u202eevil.py", "half\udc80.py", "🚀.py"]
)
def test_no_name_of_a_script_stops_the_work(program: Program, name: str) -> None:
    """It is run and held, by a reason that the route takes."""
    program.fake.__init__()  # type: ignore[misc]  # as new, at its old address
    (program.folder / name).write_text("print('ran')", encoding="utf-8")
    result = program.run(PYTHON, name)
    assert (result.stdout, result.returncode) == ("ran\n", 0)
    assert parse_hold(program.wish).reason == f"{Path(PYTHON).name} {label(name)}"


@pytest.mark.parametrize("word", ["x" * 300, "a/" * 2500, "\udc80", "\n", ""])
def test_no_word_of_a_command_stops_the_work(program: Program, word: str) -> None:
    """What cannot be the name of a file is an argument like any other."""
    program.fake.__init__()  # type: ignore[misc]  # as new, at its old address
    result = subprocess.run(
        program.command("true", word), env=program.environment, cwd=program.folder, capture_output=True, check=False
    )
    assert (result.returncode, program.wish["reason"]) == (0, "true")
