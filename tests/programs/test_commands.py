"""`jupyter autostop journal`, `doctor`, `until` and `-o json`, as people and scripts run them on a real server."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
from processes import JupyterServer, emulated, own_environment, running_emulator, running_jupyter


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "50m") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def server(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    with running_jupyter(tmp_path_factory.mktemp("jupyter"), settings=emulated(endpoint)) as server:
        yield server


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter_autostop", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_the_journal(server: JupyterServer) -> None:
    """Before anything was changed it says so; then one line each, newest last, in the reader's zone, by terminal."""
    empty = run(server.environment, "journal")
    assert (empty.returncode, empty.stdout) == (0, "Nothing has been changed from here yet.\n")
    run(server.environment, "off")
    run(server.environment, "on")
    answer = json.loads(run(server.environment, "journal", "-o", "json").stdout)
    with server.client() as client:
        assert client.get("jupyter-autostop/journal").json() == answer
    oldest, newest = run({**server.environment, "TZ": "Asia/Shanghai"}, "journal").stdout.splitlines()
    at = datetime.fromtimestamp(answer["entries"][0]["at"] / 1000, timezone(timedelta(hours=8)))
    who = answer["entries"][0]["who"]
    assert who.split()[0] == "terminal"
    assert newest.startswith(f"{at:%Y-%m-%d %H:%M:%S} CST  {who}  auto-stop on: Auto-stop is on. This run stops at ")
    assert "  auto-stop off: Auto-stop is off:" in oldest
    [only] = run({**server.environment, "TZ": "Asia/Shanghai"}, "journal", "-n", "1").stdout.splitlines()
    assert only == newest
    assert json.loads(run(server.environment, "-o", "json", "journal", "-n", "1").stdout)["entries"] == [
        answer["entries"][0]
    ]
    assert run(server.environment, "journal", "-n", "few").returncode == 2


def test_what_was_begun_can_be_ended(server: JupyterServer) -> None:
    """`holds` names what `end` ends: an extension goes back, and of several holds one is to be named."""
    environment = server.environment
    assert run(environment, "holds").stdout == "[emulator] Nothing is held.\n"
    nothing = run(environment, "end")
    assert (nothing.returncode, nothing.stdout) == (1, "")
    assert nothing.stderr.startswith("Cannot end a hold: nothing is held")
    with server.client() as client:
        before = client.get("jupyter-autostop/instance").json()
        assert run(environment, "extend", "2h").returncode == 0
        wish = {"until": before["server_time"] + 9_000_000, "then": "stop", "id": "training", "reason": "lr sweep"}
        client.post("jupyter-autostop/holds", json=wish).raise_for_status()
        extension, training = run(environment, "holds").stdout.splitlines()
        assert extension.startswith("[emulator] extension until ")
        assert training.startswith("[emulator] training held until ")
        assert training.endswith(", then it stops: lr sweep")
        assert [hold["id"] for hold in json.loads(run(environment, "-o", "json", "holds").stdout)["holds"]] == [
            "extension",
            "training",
        ]
        several = run(environment, "-o", "json", "end")
        assert (several.returncode, json.loads(several.stdout)["code"]) == (1, "several_holds")
        # By a person: the stop that was to follow the work does not.
        assert run(environment, "end", "train").returncode == 0
        back = run(environment, "end")
        assert (back.returncode, back.stderr) == (0, "")
        state = client.get("jupyter-autostop/instance").json()
    assert state["holds"] == []
    assert state["deadline"] == before["deadline"]


@pytest.mark.parametrize(("by", "kept_by"), [("?by=person", "platform"), ("", "server")])
def test_a_person_ends_a_hold_without_the_stop_after_it(server: JupyterServer, by: str, kept_by: str) -> None:
    """A stop that was to follow the work follows its end, and not a person's wish."""
    with server.client() as client:
        now = client.get("jupyter-autostop/instance").json()["server_time"]
        wish = {"until": now + 9_000_000, "then": "stop", "id": "work", "pid": os.getpid()}
        client.post("jupyter-autostop/holds", json=wish).raise_for_status()
        assert client.delete("jupyter-autostop/holds/work?by=me").status_code == 400
        state = client.delete(f"jupyter-autostop/holds/work{by}").raise_for_status().json()
        assert state["deadline"]["kept_by"] == kept_by
        client.patch("jupyter-autostop/instance", json={"auto_stop": {"enable": True}}).raise_for_status()


def in_a_terminal(environment: dict[str, str], answer: str, *arguments: str) -> tuple[int, str]:
    """Run a command in a terminal in which a person answers its question; return its status and what it showed."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "jupyter_autostop", *arguments]
    with subprocess.Popen(command, env=environment, stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        shown, answered = "", False
        while True:
            try:
                shown += os.read(controller, 65536).decode()
            except OSError:  # its end of the terminal is closed
                break
            if "[y/N] " in shown and not answered:
                answered = True
                os.write(controller, answer.encode())
    os.close(controller)
    return process.returncode, shown


def test_stop_asks_first(tmp_path: Path) -> None:
    """A person at a terminal; without one it wants --yes. Only a yes stops the instance."""
    with (
        running_emulator("--remaining", "50m") as endpoint,
        running_jupyter(tmp_path, settings=emulated(endpoint)) as server,
        server.client() as client,
    ):

        def status() -> Any:
            return client.get("jupyter-autostop/instance?refresh=1").json()["instance"]["status"]

        unasked = run(server.environment, "stop")
        assert (unasked.returncode, unasked.stdout) == (1, "")
        assert "no person can answer here. Give --yes" in unasked.stderr
        for answer in ("n\n", "\n", "\x04"):
            code, shown = in_a_terminal(server.environment, answer, "stop")
            assert code == 1
            assert "Stop the instance example-notebook now? What is not saved is lost. [y/N] " in shown
            assert "Nothing was stopped." in shown
        assert status() == "RUNNING"
        code, shown = in_a_terminal(server.environment, "yes\n", "stop")
        assert code == 0
        assert "ModelArts is stopping this instance." in shown
        assert status() in ("STOPPING", "STOPPED")


def test_the_version(tmp_path: Path) -> None:
    """Told without any server."""
    result = run(own_environment(tmp_path), "--version")
    assert (result.returncode, result.stdout) == (0, f"jupyter_autostop {version('jupyter_autostop')}\n")


def test_a_reader_that_goes_away_is_no_fault(server: JupyterServer) -> None:
    """`| head` that has seen enough leaves no traceback behind."""
    command = (
        f"{sys.executable} -m jupyter_autostop -o json journal | {sys.executable} -c 'import sys; sys.stdin.close()'"
    )
    result = subprocess.run(
        ["sh", "-c", command], env=server.environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.stderr == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["-o", "json", "status"],
        ["status", "-o", "json"],
        ["--output=json", "status"],
        ["-o", "text", "status", "-ojson"],
    ],
)
def test_json_wherever_it_is_asked_for(server: JupyterServer, arguments: list[str]) -> None:
    """`-o json` counts before and behind the command; the one behind it, if there are two."""
    assert json.loads(run(server.environment, *arguments).stdout)["emulated"] is True


@pytest.mark.parametrize(
    ("arguments", "code", "status"),
    [
        (["-o", "json", "extend", "90"], "usage", 2),
        (["extend", "90", "--output", "json"], "usage", 2),
        (["-o", "json", "until", "2020-01-01T00:00"], "usage", 2),
        (["-o", "json", "fly"], "usage", 2),
        (["-ojson"], "usage", 2),
        (["-o", "json", "demo"], "usage", 2),
        (["-o", "json", "describe", "R&D"], "description_characters", 1),
    ],
)
def test_errors_are_json_too(server: JupyterServer, arguments: list[str], code: str, status: int) -> None:
    """Where JSON is asked for, whatever goes wrong is an error object on standard output, with the same exit status."""
    result = run(server.environment, *arguments)
    assert (result.returncode, result.stderr) == (status, "")
    error = json.loads(result.stdout)
    assert (set(error), error["code"]) == ({"message", "code", "hint", "request_id"}, code)


def test_no_server_is_json_too(tmp_path: Path) -> None:
    """Also where there is nobody to ask."""
    result = run(own_environment(tmp_path), "-o", "json", "journal")
    assert (result.returncode, result.stderr) == (1, "")
    assert "No Jupyter server" in json.loads(result.stdout)["message"]


def test_the_next_18_00_is_the_platforms(tmp_path: Path) -> None:
    """A time of day is the next one on the platform's clock, whatever this machine's says, in the reader's zone."""
    ahead = timedelta(hours=3)
    with running_emulator("--remaining", "8h") as endpoint:
        moved = httpx.post(f"{endpoint}/_emulator/clock", json={"advance": ahead.total_seconds()}, trust_env=False)
        platforms_now = datetime.fromtimestamp(moved.json()["now"] / 1000, timezone.utc)
        with running_jupyter(tmp_path, settings=emulated(endpoint)) as server:
            shanghai = {**server.environment, "TZ": "Asia/Shanghai"}
            # An hour from now by this machine, two hours ago at the platform.
            text = (platforms_now - timedelta(hours=2)).astimezone(timezone(timedelta(hours=8))).strftime("%H:%M")
            run(shanghai, "until", text)
            [entry] = json.loads(run(shanghai, "-o", "json", "journal").stdout)["entries"]
            tomorrow = platforms_now + timedelta(hours=22)
            assert entry["what"] == f"extend until {tomorrow:%Y-%m-%d %H:%M} UTC"
            # By this machine's clock this is still to come.
            passed = (platforms_now - timedelta(hours=1)).astimezone(timezone(timedelta(hours=8)))
            result = run(shanghai, "until", passed.strftime("%Y-%m-%dT%H:%M"))
            assert result.returncode == 2
            assert "has passed" in result.stderr


CHECKS = [
    {"name": "credentials", "ok": True, "message": "They are there.", "hint": ""},
    {"name": "clock", "ok": False, "message": "It is 5 min off.", "hint": "Set it:\n- at once"},
    {"name": "permission_get", "ok": None, "message": "Not tried.", "hint": "See above."},
    {"name": "permission_update", "ok": None, "message": "Not tried.", "hint": "See above."},
]


class FakeServer(BaseHTTPRequestHandler):
    """Answers as a Jupyter server with this extension does."""

    checks: list[dict[str, Any]]

    def do_GET(self) -> None:
        answer = {"checks": self.checks} if self.path.endswith("jupyter-autostop/doctor") else {"version": "2.21"}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextmanager
def doctor_says(*checks: dict[str, Any]) -> Iterator[str]:
    handler = type("Doctor", (FakeServer,), {"checks": list(checks)})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as fake:
        thread = threading.Thread(target=fake.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{fake.server_address[1]}/?token=x"
        finally:
            fake.shutdown()
            thread.join()


def test_the_doctor_in_words(tmp_path: Path) -> None:
    """Each check with a readable name, what to do below what is not well, once for several, and 1 if any has failed."""
    with doctor_says(*CHECKS) as url:
        result = run(own_environment(tmp_path), "doctor", "--server", url)
        assert result.stdout.splitlines() == [
            "ok  Credentials: They are there.",
            "!!  Clock: It is 5 min off.",
            "      Set it:",
            "      - at once",
            "--  Permission to look: Not tried.",
            "      See above.",
            "--  Permission to change: Not tried.",
        ]
        assert (result.returncode, result.stderr) == (1, "")
        as_json = run(own_environment(tmp_path), "doctor", "--server", url, "-o", "json")
        assert (as_json.returncode, json.loads(as_json.stdout)) == (1, {"checks": CHECKS})


def test_options_before_the_command(tmp_path: Path) -> None:
    """`--server` may stand before the command, as `-o` may; the one behind it counts, if there are two."""
    with doctor_says(CHECKS[0]) as url:
        for arguments in (["--server", url, "doctor"], ["--server=http://127.0.0.1:9/", "doctor", "--server", url]):
            assert run(own_environment(tmp_path), *arguments).stdout == "ok  Credentials: They are there.\n"
        negative = run(own_environment(tmp_path), "--server", url, "extend", "-2h")
        assert negative.returncode == 2
        assert "unrecognized" not in negative.stderr


@pytest.mark.parametrize("arguments", [[], ["status"], ["-o", "json"], ["--servr"], ["demo", "--server"]])
def test_misuse_repeats_no_token(tmp_path: Path, arguments: list[str]) -> None:
    """Wherever an address stands that cannot be understood there, its token is not shown."""
    for url in ("http://127.0.0.1:8890/?token=canary-5f3a", "http://127.0.0.1:8890/lab?x=1&token=canary-5f3a#y"):
        result = run(own_environment(tmp_path), *arguments, url)
        assert result.returncode == 2
        assert "canary" not in result.stdout + result.stderr
        assert result.stdout + result.stderr != ""


def test_a_demo_speaks_to_no_server(tmp_path: Path) -> None:
    """An address for it is misuse."""
    result = run(own_environment(tmp_path), "--server", "http://127.0.0.1:8890/", "demo")
    assert result.returncode == 2
    assert "demo speaks to no Jupyter server" in result.stderr


def test_a_doctor_with_nothing_to_say_is_0(server: JupyterServer, tmp_path: Path) -> None:
    """Where every check is well, or could merely not be tried, the exit status is 0."""
    with doctor_says(CHECKS[0], CHECKS[2]) as url:
        assert run(own_environment(tmp_path), "doctor", "--server", url).returncode == 0
    real = run(server.environment, "doctor")
    assert real.returncode == 0, real.stdout
    assert {line[:2] for line in real.stdout.splitlines()} <= {"ok", "--", "  "}
