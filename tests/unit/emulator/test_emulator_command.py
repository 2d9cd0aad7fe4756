"""`jupyter autostop emulator` in the foreground, as a terminal or another program meets it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest
from emulator_support import BY_TOKEN, INSTANCE

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.command import run

PROGRAM = (
    "import sys; from jupyter_autostop.emulator.command import run; sys.exit(run(int(sys.argv[1]), int(sys.argv[2])))"
)


@contextmanager
def running(remaining: int) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """Start the command on a free port; yields the process, its address and the lines up to it."""
    command = [sys.executable, "-c", PROGRAM, "0", str(remaining)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            lines: list[str] = []
            while not lines or "JUPYTER_AUTOSTOP_ENDPOINT" not in lines[-1]:
                assert process.stdout
                line = process.stdout.readline()
                assert line, process.communicate()[1]
                lines.append(line.rstrip("\n"))
            yield process, lines[-1].partition("=")[2], lines
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_use_it_tells_what_happens_and_ends_cleanly(number: signal.Signals) -> None:
    """URL, ids and the two exports; a line for each change, safe for a terminal; status 0 and no word on stderr."""
    with running(360) as (process, url, lines), httpx.Client(base_url=url, headers=BY_TOKEN, trust_env=False) as client:
        text = "\n".join(lines)
        assert f"A ModelArts emulator runs at {url} (Ctrl-C ends it)." in text
        assert defaults.PROJECT_ID in text
        assert defaults.INSTANCE_ID in text
        assert re.search(r"It stops by itself at \d\d:\d\d:\d\d \S+, in 6 min\.", text)
        assert "  export JUPYTER_AUTOSTOP_PLATFORM=emulator" in lines
        auto_stop = client.get(INSTANCE).json()["spec"]["auto_stop"]
        assert auto_stop["duration"] == 3600
        assert auto_stop["remain_time"] <= 360
        client.put(INSTANCE, json={"description": "\x1b[2Jgone"})
        client.post("/_emulator/clock", json={"advance": 400})
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err == ""
    assert re.findall(r"^\d\d:\d\d:\d\d [A-Z]\S+  (.*)$", out, re.MULTILINE) == [
        "The description was set: ?[2Jgone",
        "Its time is up: the instance is stopping. (by the emulator's own clock)",
        "The instance is stopped. (by the emulator's own clock)",
    ]
    assert out.splitlines()[-1] == "The emulator has ended."


def test_the_stop_is_told_without_anybody_asking() -> None:
    """The foreground looks at the clock itself."""
    with running(1) as (process, _, _lines):
        assert process.stdout
        assert any("Its time is up" in line for line in iter(process.stdout.readline, ""))


def test_a_taken_port_is_one_sentence() -> None:
    """And exit status 1; no traceback."""
    said: list[str] = []
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        assert run(port, None, said.append) == 1
    assert len(said) == 1
    assert said[0].startswith(f"Port {port} of this machine cannot be used (address already in use)")


def test_a_number_that_is_no_port_is_one_sentence() -> None:
    """As above."""
    said: list[str] = []
    assert run(70000, 60, said.append) == 1
    assert said == ["70000 is no port; choose one from 0 (any free one) to 65535."]


@pytest.mark.parametrize("remaining", [0, 86401])
def test_a_remaining_time_out_of_range_is_refused_with_the_limit(remaining: int) -> None:
    """Before anything listens."""
    said: list[str] = []
    assert run(0, remaining, said.append) == 1
    assert said == [f"An instance stops 1 s to 24 h (86400 s) from now, not {remaining} s."]
