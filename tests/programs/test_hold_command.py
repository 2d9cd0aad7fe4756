"""`jupyter autostop hold -- COMMAND…`, as a real program beside a fake of its server."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_autostop import HOUR, FakeAutostop, running_fake
from hold_program import PYTHON, Program
from processes import own_environment, wait_for

from jupyter_autostop.storage.work_lock import is_held


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    fake = FakeAutostop()
    with running_fake(tmp_path / "runtime", fake) as environment:
        yield Program(tmp_path, {**own_environment(tmp_path), **environment}, fake)


SCRIPT = "import os, sys; print(os.getpid(), sys.argv[1:]); sys.exit(7)"


def test_a_command_is_held(program: Program) -> None:
    """By its own process id, with its own output and exit status; what we say is short and on standard error."""
    (program.folder / "train.py").write_text(SCRIPT, encoding="utf-8")
    result = program.run(PYTHON, "train.py", "--secret", "x", options=("--max", "8h", "--then", "stop"))
    pid, arguments = result.stdout.split(maxsplit=1)
    assert (result.returncode, arguments) == (7, "['--secret', 'x']\n")
    wish = program.wish
    assert (wish["pid"], wish["then"]) == (int(pid), "stop")
    assert wish["reason"] == f"{Path(PYTHON).name} train.py"
    assert program.fake.ended == [wish["id"]]
    begun, ended = result.stderr.splitlines()
    assert begun.startswith(f"[autostop] Held while {Path(PYTHON).name} runs, until ")
    assert begun.endswith(" at the latest. Then the instance stops; if that ends sooner, after this site's grace.")
    assert ended.startswith("[autostop] The hold has ended. Stops at ")


def test_an_emulated_instance_is_called_one(program: Program) -> None:
    """Once in each line, from the first one on; in JSON as well."""
    program.fake.more = {"emulated": True}
    begun, ended = program.run("true").stderr.splitlines()
    assert begun.startswith("[autostop emulator] Held while true runs, until ")
    assert ended.startswith("[autostop emulator] The hold has ended. Stops at ")
    said = [json.loads(line)["message"] for line in program.run("true", first=("-o", "json")).stderr.splitlines()]
    assert [line.count("[emulator] ") for line in said] == [1, 1]


def test_it_is_held_before_it_runs(program: Program) -> None:
    """What cannot be held is not run, says why, and is 1."""
    program.fake.faults = [("POST", 409)]
    result = program.run("touch", "ran")
    assert (result.returncode, result.stdout, result.stderr) == (1, "", "It cannot be. Leave it.\n")
    assert not (program.folder / "ran").exists()
    program.fake.faults = [("POST", 409)]
    as_json = program.run("touch", "ran", first=("-o", "json"))
    assert (as_json.returncode, json.loads(as_json.stdout)["code"], as_json.stderr) == (1, "no", "")
    assert not (program.folder / "ran").exists()


@pytest.mark.parametrize("words", [["hold"], ["hold", "ls"], ["hold", "--"], ["hold", "--max", "90", "--", "ls"]])
def test_misuse(program: Program, words: list[str]) -> None:
    """Without a command, or one that cannot be told from our own words, it is 2."""
    command = [PYTHON, "-m", "jupyter_autostop", *words]
    result = subprocess.run(command, env=program.environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert ("write the command behind --" if len(words) < 4 else "write 90m.") in result.stderr
    # Its own usage, not that of every command.
    assert result.stderr.startswith("usage: jupyter autostop hold [--max DURATION] [--then restore|stop]")
    assert program.fake.wishes == []


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("sh", "-c", "exit 0"), 0),
        (("sh", "-c", "kill -KILL $$"), 137),
        (("/no/such/program",), 127),
        (("/etc/passwd",), 126),
        (("sh", "-c", "sleep 0.1 & wait; exit 3"), 3),
    ],
)
def test_its_exit_status(program: Program, words: tuple[str, ...], status: int) -> None:
    """Is the command's, as a shell would tell it, and the hold ends in any case."""
    result = program.run(*words)
    assert result.returncode == status
    assert len(program.fake.ended) == 1
    assert "Traceback" not in result.stderr


TRAP = "trap 'echo got it; exit 5' {}; echo ready; while :; do sleep 0.05; done"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(program: Program, number: signal.Signals) -> None:
    """To the command, which decides what to do about them."""
    process = program.start("bash", "-c", TRAP.format(number.name.removeprefix("SIG")))
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert process.communicate(timeout=30)[0] == "got it\n"
    assert process.returncode == 5
    assert len(program.fake.ended) == 1


INTERRUPTS = """
import os, signal, time
got = []
os.setpgid(0, 0)  # so that the terminal's own is not counted
signal.signal(signal.SIGINT, lambda *_: got.append(1))
signal.signal(signal.SIGUSR1, lambda *_: os._exit(len(got)))
print("ready", flush=True)
while True:
    time.sleep(1)
"""


def test_ctrl_c_is_not_passed_on(program: Program) -> None:
    """A terminal sends it to the command as well, which would get it twice; what a process sends is passed on."""
    leader, follower = pty.openpty()
    # In a session of its own, whose terminal is the first one opened.
    take = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.argv[1], sys.argv[1:])"
    process = subprocess.Popen(
        [PYTHON, "-c", take, *program.command(PYTHON, "-c", INTERRUPTS)],
        env=program.environment,
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    os.write(leader, b"\x03")
    assert os.read(leader, 2) == b"^C"  # the terminal has seen to it
    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=30)
    assert process.returncode == 0
    for end in (leader, follower):
        os.close(end)


def test_killed_itself_it_leaves_the_command(program: Program) -> None:
    """The server watches the command's process, so the work goes on and stays held."""
    process = program.start("sh", "-c", "echo $$; sleep 0.5; echo done >done")
    assert process.stdout is not None
    assert int(process.stdout.readline()) == program.wish["pid"]
    process.kill()
    process.wait()
    wait_for((program.folder / "done").exists)
    assert program.fake.ended == []
    for stream in (process.stdout, process.stderr):
        assert stream is not None
        stream.close()


def test_interrupted_before_it_is_held(program: Program) -> None:
    """Ctrl-C while the server thinks: the command is not run."""
    program.fake.before_answer = lambda method, _route: process.send_signal(signal.SIGINT) if method == "POST" else None
    process = program.start("touch", "ran")
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not (program.folder / "ran").exists()


def test_a_server_that_is_away_at_the_end(program: Program) -> None:
    """Is told in a sentence, and the exit status stays the command's."""
    program.fake.faults = [("DELETE", 503)]
    result = program.run("sh", "-c", "exit 4")
    assert result.returncode == 4
    assert "The hold could not be ended from here: It cannot be." in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (None, "A Jupyter server that runs on this state folder sees that the command has ended, and ends the hold."),
        ("no", "No server can see that the command has ended: the hold lasts until its time."),
    ],
)
def test_a_server_that_cannot_be_reached_sees_nothing(program: Program, seen: str | None, says: str) -> None:
    """What is told then is true also where it has been killed."""
    program.fake.seen = seen
    address = next((program.folder / "runtime").glob("jpserver-*.json"))
    # Port 9 is kept for a service that throws everything away, which runs nowhere.
    away = r's/"port": [0-9]*/"port": 9/; s/127.0.0.1:[0-9]*/127.0.0.1:9/'
    said = program.run("sed", "-i", away, str(address)).stderr.splitlines()[-1]
    assert "cannot be reached: Connection refused." in said
    assert said.endswith(says)


def test_a_lost_answer_is_asked_for_again(program: Program) -> None:
    """With the same id, so that there is one hold and its end ends it."""
    program.fake.faults = [("POST", "lost")]
    assert program.run("true").returncode == 0
    wishes = [body for method, _, body in program.fake.wishes if method == "POST"]
    assert len(wishes) == 2
    assert wishes[0] == wishes[1]
    assert program.fake.holds == {}


def test_status_tells_who_holds(program: Program) -> None:
    """Everybody sees by whom, why and until when."""
    now = program.fake.state()["server_time"]
    program.fake.holds["x"] = {
        "id": "x", "until": now + HOUR, "then": "restore", "reason": "lr \x1bsweep", "owner": {"kind": "command"},
        "created_at": now,
    }  # fmt: skip
    command = [PYTHON, "-m", "jupyter_autostop", "status"]
    result = subprocess.run(command, env=program.environment, capture_output=True, text=True, check=True)
    assert "; held until " in result.stdout
    assert result.stdout.endswith(" by a command: lr  sweep\n")


@pytest.mark.parametrize("then", ["stop", "restore"])
@pytest.mark.parametrize(
    ("stop_of", "more", "words"),
    [
        (None, {}, "called off. Auto-stop is off"),
        ("platform", {}, "this run now stops at ModelArts' own time. Stops at "),
        ("server", {}, ""),
        (None, {"instance": {"id": "DE-1", "status": "STOPPING"}}, ""),
        (
            None,
            {"problem": {"code": "x", "message": "Lost.", "hint": ""}},
            "whether the instance stops after it is not known.",
        ),
    ],
)
def test_somebody_else_has_ended_it(
    program: Program, then: str, stop_of: str | None, more: dict[str, Any], words: str
) -> None:
    """The exit status stays the command's, and what became of the stop that was to follow is said with the end."""
    at = program.fake.stop

    def end(method: str, _route: str) -> None:
        if method == "DELETE":
            program.fake.holds.clear()
            deadline = {"stop_timestamp": at, "kept_by": stop_of} if stop_of else None
            program.fake.more = {"deadline": deadline, **more}

    program.fake.before_answer = end
    result = program.run("sh", "-c", "exit 3", options=("--then", then))
    assert result.returncode == 3
    last = result.stderr.splitlines()[-1]
    if then == "stop" and words:
        assert last.startswith("[autostop] The hold was over already, before the work was")
        assert words in last
    elif then == "restore":
        assert last.startswith("[autostop] The hold was over already, before the work was. ")
    else:
        assert last.startswith("[autostop] The hold has ended.")


def test_the_server_may_see_the_end_first(program: Program) -> None:
    """Then the hold was not over before the work, and nothing of the kind is said."""
    program.fake.before_answer = lambda method, _route: program.fake.holds.clear() if method == "DELETE" else None
    program.fake.no_hold = "hold_ended_with_owner"
    assert program.run("true").stderr.splitlines()[-1].startswith("[autostop] The hold has ended. Stops at ")


def locks(program: Program) -> list[Path]:
    return list((program.folder / "runtime").glob("*.lock"))


def test_it_says_which_process_it_means(program: Program) -> None:
    """By more than a number, which may be another process's where the server runs."""
    result = program.run("sh", "-c", "cut -d' ' -f22 /proc/$$/stat; readlink /proc/self/ns/pid; ls -l /proc/self/fd")
    started, namespace, *files = result.stdout.splitlines()
    assert program.wish["pid_started"] == started
    assert program.wish["pid_space"].endswith(f" {namespace}")
    # A server that sees the process needs no lock, and the command gets nothing that it does not know.
    assert ".lock" not in "".join(files)
    assert locks(program) == []


@pytest.mark.parametrize("end", ["by itself", "killed"])
def test_a_lock_ends_with_the_command(program: Program, end: str) -> None:
    """A server that does not see the process watches the lock, which outlives this program and not the command."""
    program.fake.seen = "lock"
    process = program.start("sh", "-c", "echo $$; read word; kill -KILL $$", stdin=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    process.stdout.readline()
    name, folder = program.wish["lock"], program.folder / "runtime"
    assert is_held(folder, name)
    if end == "killed":
        process.kill()
        process.wait()
        assert is_held(folder, name)
    process.stdin.write("end\n")
    process.stdin.close()
    if end == "killed":
        wait_for(lambda: is_held(folder, name) is False)
    else:
        assert process.wait(30) == 137
        assert locks(program) == []
    process.stdout.close()
    assert process.stderr is not None
    process.stderr.close()


def test_a_server_that_does_not_answer_sees_the_lock_free(program: Program) -> None:
    """Its file stays then, as the evidence."""
    program.fake.seen, program.fake.faults = "lock", [("DELETE", 503)]
    assert program.run("true").returncode == 0
    assert is_held(program.folder / "runtime", program.wish["lock"]) is False


def test_what_no_server_can_see_is_said(program: Program) -> None:
    """When it begins, and to everybody who looks."""
    program.fake.seen = "no"
    result = program.run(PYTHON, "-m", "jupyter_autostop", "status")
    assert " at the latest. The server cannot see this process: if it is killed, the hold lasts until " in result.stderr
    assert " by a command that this server cannot see: " in result.stdout


def test_without_a_place_for_a_lock_it_is_held_all_the_same(program: Program) -> None:
    """The runtime folder may be nobody's to write to, or there may be none."""
    address = json.loads(next((program.folder / "runtime").glob("jpserver-*.json")).read_text(encoding="utf-8"))
    program.environment["JUPYTER_RUNTIME_DIR"] = "/proc/nowhere"
    server = ("--server", f"{address['url']}?token={address['token']}")
    assert program.run("sh", "-c", "exit 3", first=server).returncode == 3
    assert "lock" not in program.wish


def test_nothing_is_said_twice(program: Program) -> None:
    """Where auto-stop is off, before and after, its line is there once."""
    program.fake.stop = None
    said = "Auto-stop is off: the instance runs, and bills, until you stop it."
    program.fake.more = {"outcome": {"effect": "now", "message": f"The hold has ended. {said}", "clamped": False}}
    assert program.run("true").stderr.splitlines()[-1] == f"[autostop] The hold has ended. {said}"
