"""`jupyter autostop watch`: in a terminal and in a pipe, over restarts of the server, to the end of the run."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from processes import emulated, ended, own_environment, running_emulator, running_jupyter, wait_for

from jupyter_autostop.cli.watch import JsonLines, Line, Lines, as_of, fitted, timeless
from jupyter_autostop.state import State

NOW = 1_795_507_200_000


@pytest.fixture
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "50m") as endpoint:
        yield endpoint


class Watching:
    """A running watch and what it has printed."""

    def __init__(self, process: subprocess.Popen[bytes], reader: int) -> None:
        self.process = process
        self._reader = reader
        self._raw = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._reader, 65536)
            except OSError:  # the other end of a terminal is gone
                return
            if not chunk:
                return
            self._raw += chunk

    @property
    def text(self) -> str:
        return self._raw.decode(errors="replace")

    @property
    def told(self) -> list[str]:
        """The lines about the instance, without what a server that is slow for a moment leads to."""
        told: list[str] = []
        again = False
        for line in self.text.splitlines():
            if "Jupyter server" in line:
                again = True
                continue
            if not (again and told and told[-1].partition("(")[0] == line.partition("(")[0]):
                told.append(line)
            again = False
        return told

    def wait_for(self, words: str) -> None:
        wait_for(lambda: words in self.text)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.end()

    def end(self) -> int:
        status = self.process.wait(60)
        self._thread.join(5)
        return status


@contextmanager
def watching(environment: dict[str, str], *arguments: str, terminal: bool = False) -> Iterator[Watching]:
    reader, writer = pty.openpty() if terminal else os.pipe()
    command = [sys.executable, "-m", "jupyter_autostop", *arguments]
    process = subprocess.Popen(command, env=environment, stdin=writer, stdout=writer, stderr=writer)
    os.close(writer)
    with ended(process):
        yield Watching(process, reader)
    os.close(reader)


def describe(server: Any, **change: Any) -> None:
    with server.client() as client:
        client.patch("jupyter-autostop/instance", json=change).raise_for_status()


def test_in_a_pipe_a_line_for_each_change(endpoint: str, tmp_path: Path) -> None:
    """The status line comes at once and whenever it says something else than time; Ctrl-C ends it with 0."""
    with (
        running_jupyter(tmp_path, settings=emulated(endpoint)) as server,
        watching(server.environment, "watch", "--every", "1s") as watch,
    ):
        watch.wait_for("kept by ModelArts\n")
        describe(server, description="not in this line")
        describe(server, auto_stop={"enable": False})
        watch.wait_for("until you stop it.\n")
        describe(server, auto_stop={"enable": True})
        wait_for(lambda: sum("kept by ModelArts" in line for line in watch.told) == 2)
        assert watch.interrupt() == 0
        assert len(watch.told) == 3
        assert "Traceback" not in watch.text


def test_in_a_terminal_one_line_that_counts(endpoint: str, tmp_path: Path) -> None:
    """In a terminal the line is written anew in its place, between two looks at the server too, and cut to fit."""
    with running_jupyter(tmp_path, settings=emulated(endpoint)) as server:
        with server.client() as client:
            client.get("jupyter-autostop/instance").raise_for_status()
            httpx.post(f"{endpoint}/_emulator/clock", json={"advance": 41 * 60}, trust_env=False).raise_for_status()
            assert client.get("jupyter-autostop/instance?refresh=1").json()["deadline"]
        environment = {**server.environment, "COLUMNS": "48", "TERM": "xterm"}
        with watching(environment, "watch", "--every", "1h", terminal=True) as watch:
            wait_for(lambda: watch.text.count("\r\x1b[K") >= 4)
            assert watch.interrupt() == 0
    lines = watch.text.rstrip("\r\n").split("\r\x1b[K")[1:]
    assert "\n" not in "".join(lines)
    assert all(len(line) <= 47 for line in lines)
    assert {line[:20] for line in lines} == {"[emulator] Stops at "}
    assert len(set(lines)) >= 4
    assert watch.text.endswith("\n")
    assert "Traceback" not in watch.text


def test_it_survives_the_servers_restart(endpoint: str, tmp_path: Path) -> None:
    """Without the server it counts on and says so once; with another one in its place it goes on, and says so."""
    with ExitStack() as stack:
        with running_jupyter(tmp_path, settings=emulated(endpoint)) as server:
            watch = stack.enter_context(watching(server.environment, "watch", "--every", "1s"))
            watch.wait_for("kept by ModelArts\n")
        watch.wait_for("Counting on from what it said last.\n")
        with running_jupyter(tmp_path, settings=emulated(endpoint)) as server:
            watch.wait_for("The Jupyter server answers again.\n")
            describe(server, auto_stop={"enable": False})
            watch.wait_for("until you stop it.\n")
            assert watch.interrupt() == 0
    assert watch.text.count("Counting on") == watch.text.count("answers again")
    assert "Traceback" not in watch.text


def test_it_ends_when_the_instance_has_stopped(endpoint: str, tmp_path: Path) -> None:
    """When the instance has stopped it says so and ends with 0."""
    with (
        running_jupyter(tmp_path, settings=emulated(endpoint)) as server,
        watching(server.environment, "watch", "--every", "1s") as watch,
    ):
        watch.wait_for("kept by ModelArts\n")
        with server.client() as client:
            client.post("jupyter-autostop/stop").raise_for_status()
            watch.wait_for("The instance is stopping.\n")
            httpx.post(f"{endpoint}/_emulator/clock", json={"advance": 600}, trust_env=False).raise_for_status()
            client.get("jupyter-autostop/instance?refresh=1")
        assert watch.end() == 0
        assert watch.text.endswith("The instance is stopped.\n")


def test_states_for_scripts(endpoint: str, tmp_path: Path) -> None:
    """With `-o json` each change of the State is the State, on a line of its own."""
    with (
        running_jupyter(tmp_path, settings=emulated(endpoint)) as server,
        watching(server.environment, "-o", "json", "watch", "--every", "1s") as watch,
    ):
        watch.wait_for("\n")
        describe(server, description="second")
        watch.wait_for('"second"')
        wait_for(lambda: watch.text.endswith("\n"))
        assert watch.interrupt() == 0
    states = [json.loads(line) for line in watch.text.splitlines()]
    assert [state["instance"]["description"] for state in states][1:] == ["second"]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["watch"], 1, "No Jupyter server"),
        (["watch", "--every", "2h"], 2, "once an hour"),
        (["watch", "--every", "5"], 2, "write 5m."),
    ],
)
def test_a_watch_that_cannot_begin(tmp_path: Path, arguments: list[str], status: int, words: str) -> None:
    """Without a server, or with a pause that makes no sense, it says so and does not go on."""
    command = [sys.executable, "-m", "jupyter_autostop", *arguments]
    environment = own_environment(tmp_path)
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == status
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def state(stop: int | None = NOW + 3_600_000, **more: Any) -> State:
    given = {
        "instance": {"id": "DE-1", "status": "RUNNING"},
        "auto_stop": {"enable": True, "remain_time": 3600},
        "deadline": None if stop is None else {"stop_timestamp": stop, "kept_by": "platform"},
        "next_start": None,
        "holds": [],
        "limits": {"until": [NOW, NOW], "can_extend": True},
        "server_time": NOW,
        "confirmed_at": NOW,
        "stale": False,
        "problem": None,
        "emulated": False,
        **more,
    }
    return cast("State", given)


def test_time_is_the_servers() -> None:
    """What is left is measured from the server's own time; once nothing is left nobody claims a deadline."""
    assert as_of(state(), 1.5)["server_time"] == NOW + 1500
    assert as_of(state(), 1.5)["deadline"] == state()["deadline"]
    passed = as_of(state(), 3600.0)
    assert passed["deadline"] is None
    assert passed["problem"] is not None
    assert passed["problem"]["code"] == "overdue"
    assert as_of(state(None), 10_000)["problem"] is None


def test_passing_time_is_no_change() -> None:
    """Two States that differ in time alone are the same, and in anything else not."""
    later = state(server_time=NOW + 5, confirmed_at=NOW + 5, limits={"until": [NOW + 5, NOW], "can_extend": True})
    assert timeless(later) == timeless(state())
    assert timeless(state(stale=True)) != timeless(state())
    assert timeless(state(NOW + 1)) != timeless(state())


def test_lines_tell_the_moments_before_the_stop() -> None:
    """A pipe gets a line for each whole hour, then at 30, 10, 5 and 1 min, and sleeps until the next of them."""
    out = io.StringIO()
    lines = Lines(out)
    given = state(NOW + 3 * 3_600_000 - 60_000)
    second = 0.0
    while second < 3 * 3600:
        at = as_of(given, second)
        lines.show(at)
        assert lines.pause(at) > 0
        second += lines.pause(at)
    left = [line.partition("(in ")[2].partition(")")[0] for line in out.getvalue().splitlines()]
    assert left == ["2 h 59 min", "2 h", "1 h", "30 min", "10 min", "5 min", "1 min", ""]


def test_a_line_that_has_no_room_loses_whole_clauses() -> None:
    """From its end; only where the first one is too long, it is cut."""
    line = "Stops at 18:40 CST (in 2 h), kept by this server; ModelArts' own auto-stop is off; from the next start 4 h"
    assert fitted(line, 200) == line
    assert fitted(line, 100) == "Stops at 18:40 CST (in 2 h), kept by this server; ModelArts' own auto-stop is off …"
    assert fitted(line, 80) == "Stops at 18:40 CST (in 2 h), kept by this server …"
    assert fitted(line, 20) == "Stops at 18:40 CST …"
    for width in range(1, 120):
        assert len(fitted(line, width)) <= width


def test_lines_tell_the_passing_of_the_deadline_once() -> None:
    """A pipe gets one line when the stop time has passed, and no more."""
    out = io.StringIO()
    lines = Lines(out)
    for seconds in (0, 1, 700, 3599, 3600, 3601):
        lines.show(as_of(state(), seconds))
    first, *_, soon, passed = out.getvalue().splitlines()
    assert "(in 1 h)" in first
    assert "(in 1 s)" in soon
    assert passed.startswith("The stop time has passed.")


def test_what_is_said_beside_the_states_is_not_among_them() -> None:
    """A script reads States only; sentences go elsewhere."""
    out, aside = io.StringIO(), io.StringIO()
    lines = JsonLines(out, aside)
    lines.show(state())
    lines.say("The Jupyter server cannot be reached.")
    lines.show(state(server_time=NOW + 1000))
    assert out.getvalue().count("\n") == 1
    assert aside.getvalue() == "The Jupyter server cannot be reached.\n"


def test_the_countdown_changes_with_the_second() -> None:
    """The line waits for the moment at which another whole second is gone."""
    line = Line(io.StringIO())
    assert 0.3 <= line.pause(state(NOW + 60_300)) < 0.4
    assert line.pause(state(None)) == 1.0
