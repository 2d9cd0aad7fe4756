"""What a command prints, whatever stands at the other end of its output: an encoding, a full disk, nothing at all."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_autostop import FakeAutostop, running_fake
from processes import own_environment

NAME = "训练 第7次 é"
OUTCOME = {"effect": "now", "message": f"Told of “{NAME}”.", "clamped": False}
PLAIN_C = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
ENCODINGS = [{"PYTHONIOENCODING": name} for name in ("ascii", "latin-1", "utf-16", "utf-8:strict", "cp1252")] + [
    PLAIN_C
]


class Told(FakeAutostop):
    """A server whose texts are those of the wide world."""

    def answer(self, method: str, route: str, body: object) -> tuple[int, object]:
        if route == "journal":
            entry = {"at": 1_796_000_000_000, "who": NAME, "what": "describe", "result": f"“{NAME}”"}
            return 200, {"entries": [entry]}
        return super().answer(method, route, body)


@pytest.fixture(scope="module")
def fake() -> FakeAutostop:
    fake = Told()
    fake.outcome = OUTCOME
    fake.more["instance"] = {"id": "DE-1", "status": "STOPPED", "name": NAME, "description": "half \ud800, \x7f"}
    return fake


@pytest.fixture(scope="module")
def environment(fake: FakeAutostop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("home")
    with running_fake(folder / "runtime", fake) as found:
        yield {**own_environment(folder), **found}


def shell(environment: dict[str, str], line: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line in which `autostop` is our command."""
    line = f'autostop() {{ "{sys.executable}" -m jupyter_autostop "$@"; }}; {line}'
    return subprocess.run(
        ["bash", "-c", line], env={**environment, **more}, capture_output=True, timeout=60, check=False
    )


@pytest.mark.parametrize("encoding", ENCODINGS, ids=str)
@pytest.mark.parametrize("command", ["extend 5m", "journal"])
def test_any_encoding_takes_what_is_told(environment: dict[str, str], encoding: dict[str, str], command: str) -> None:
    """What an encoding has no sign for is escaped; the rest of the line is there, and the status is the command's."""
    result = shell(environment, f"autostop {command}", **encoding)
    assert (result.returncode, result.stderr) == (0, b"")
    text = result.stdout.decode(encoding.get("PYTHONIOENCODING", "ascii").partition(":")[0])
    assert NAME in text or r"\u8bad\u7ec3 \u7b2c7\u6b21" in text


@pytest.mark.parametrize("command", ["status", "extend 5m", "journal", "watch"])
@pytest.mark.parametrize("encoding", [ENCODINGS[0], ENCODINGS[3]], ids=str)
def test_json_is_ascii(environment: dict[str, str], encoding: dict[str, str], command: str) -> None:
    """No terminal and no file stumbles over it, and it reads back as what it is."""
    result = shell(environment, f"autostop -o json {command}", **encoding)
    assert (result.returncode, result.stderr) == (0, b"")
    assert result.stdout.isascii()
    assert b"\x7f" not in result.stdout
    assert NAME in json.dumps(json.loads(result.stdout), ensure_ascii=False)


@pytest.mark.parametrize("command", ["status", "-o json status", "watch", "--help", "extend --help"])
@pytest.mark.parametrize(("redirection", "why"), [(">/dev/full", b"No space left"), (">&-", b"Bad file descriptor")])
def test_an_output_that_takes_nothing(environment: dict[str, str], command: str, redirection: str, why: bytes) -> None:
    """One sentence says why, and the status says that it was not told."""
    result = shell(environment, f"autostop {command} {redirection}")
    assert result.returncode == 1
    assert result.stderr.startswith(b"Cannot write the output: " + why)
    assert result.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["status", "-o json journal", "watch"])
def test_a_reader_that_has_gone(environment: dict[str, str], command: str) -> None:
    """It says nothing, and its status is that of any program in such a pipe."""
    result = shell(environment, f"autostop {command} | sleep 0; echo ${{PIPESTATUS[0]}}")
    assert (result.stdout, result.stderr) == (b"141\n", b"")


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full", ">&- 2>&-", "2> >(exit)"])
def test_remarks_without_a_place_stop_no_work(environment: dict[str, str], tmp_path: Path, redirection: str) -> None:
    """What a hold says beside its command is never the reason why the command does not run."""
    ran = tmp_path / "ran"
    result = shell(environment, f"autostop hold -- sh -c 'touch {ran}; exit 3' {redirection}")
    assert result.returncode == 3
    assert ran.exists()
    assert result.stdout == b"", "standard output is the command's"


def test_a_misuse_without_a_place_to_say_so(environment: dict[str, str]) -> None:
    """The status says it."""
    assert shell(environment, "autostop fly 2>&-").returncode == 2


def test_what_is_typed_where_the_locale_has_no_letters(environment: dict[str, str], fake: FakeAutostop) -> None:
    """The bytes of the terminal are the letters that they are in UTF-8."""
    result = shell(environment, f"autostop describe {NAME}", **PLAIN_C)
    assert result.returncode == 0
    assert fake.wishes[-1] == ("PATCH", "instance", {"description": NAME})


def test_a_server_of_others_moves_no_cursor(environment: dict[str, str], fake: FakeAutostop) -> None:
    """What any server answers that can be named with --server: its State and its refusals are text."""
    hostile = "\x1b[2J\x1b]52;c;b3duZWQ=\x07\x9b2J\u202e"
    before, fake.more = fake.more, {"instance": {"id": "DE-1", "status": f"ODD{hostile}"}, "deadline": None}
    try:
        told = shell(environment, "autostop status").stdout.decode()
    finally:
        fake.more = before
    assert told.startswith("The instance is not running (status ODD")
    assert told.rstrip("\n").isprintable()
