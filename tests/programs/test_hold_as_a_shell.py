"""`jupyter autostop hold -- COMMAND…` starts a command as `env` does, and stands for it as far as a program can."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from fake_autostop import FakeAutostop, running_fake
from hold_program import PYTHON, Program
from processes import own_environment, wait_for


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    folder = tmp_path_factory.mktemp("shell")
    fake = FakeAutostop()
    with running_fake(folder / "runtime", fake) as environment:
        yield Program(folder, {**own_environment(folder), **environment}, fake)


@pytest.fixture
def program(served: Program) -> Program:
    served.fake.__init__()  # type: ignore[misc]  # as new, at its old address
    return served


def file(program: Program, name: str, text: str, mode: int = 0o755) -> None:
    path = program.folder / name
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


FILES = {
    "plain.sh": ("echo ran $0 $1; exit 3\n", 0o755),
    "empty": ("", 0o755),
    "lost": ("#!/no/such/shell\necho ran\n", 0o755),
    "secret.sh": ("echo ran\n", 0o311),
    "closed.sh": ("echo ran\n", 0o644),
    "shell.sh": ("#!/bin/sh\necho ran $0 $1; exit 5\n", 0o755),
}


@pytest.mark.parametrize(
    "words",
    [
        *(("./plain.sh", "a b"), ("plain.sh", "x"), ("./empty",), ("empty",), ("./lost",), ("lost",)),
        *(("./secret.sh",), ("./closed.sh",), ("closed.sh",), ("./shell.sh", "y"), (".",), ("/",), ("bin",)),
        *(("./no-such",), ("no-such",), ("./plain.sh/x",), ("grep", "SigIgn", "/proc/self/status")),
        ("grep", "SigBlk", "/proc/self/status"),
    ],
    ids=" ".join,
)
def test_a_command_is_started_as_by_env(program: Program, words: tuple[str, ...]) -> None:
    """The same output and the same exit status, whatever kind of file it is."""
    for name, (text, mode) in FILES.items():
        file(program, name, text, mode)
    (program.folder / "bin").mkdir(exist_ok=True)
    environment = {**program.environment, "PATH": f"{program.folder}:{os.environ['PATH']}"}
    reference = subprocess.run(
        ["env", *words], env=environment, cwd=program.folder, capture_output=True, text=True, check=False
    )
    held = subprocess.run(
        program.command(*words), env=environment, cwd=program.folder, capture_output=True, text=True, check=False
    )
    assert (held.stdout, held.returncode) == (reference.stdout, reference.returncode)
    assert len(program.fake.ended) == 1


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_closed_for_the_command_too(program: Program, closed: str) -> None:
    """Nothing that this program opens takes its place, and no word of ours goes to the command's own output."""
    program.fake.seen = "lock"  # whose file is passed on
    script = f"for fd in 0 1 2; do [ -e /proc/$$/fd/$fd ] && echo $fd; done >{program.folder}/open; exit 4"
    for start in (["env"], program.command()):
        inner = " ".join(f"'{word}'" for word in [*start, "bash", "-c", script])
        result = subprocess.run(
            ["sh", "-c", f"{inner} {closed}"],
            env=program.environment, cwd=program.folder, stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        told = (program.folder / "open").read_text(encoding="utf-8")
        if start == ["env"]:
            expected = told
        assert (told, result.stdout, result.returncode) == (expected, b"", 4)
    missing = subprocess.run(
        ["sh", "-c", " ".join([*program.command("/no/such"), closed])], env=program.environment, check=False
    )
    assert missing.returncode == 127


SHIELDED = """
import os, signal, sys
from jupyter_autostop.cli.command_process import Command
def kill(pid, number):
    # As for a command that sudo has made another user's.
    raise PermissionError(1, "Operation not permitted")
command = Command(["sh", "-c", "echo ready; exec >&-; read word; exit 7"], kill=kill)
sys.exit(command.run(refused=lambda: print("refused", flush=True)))
"""


def test_a_command_of_another_user_goes_on(program: Program) -> None:
    """Signals cannot be passed on to it, which is said once; the wait goes on until it ends."""
    process = subprocess.Popen(
        [PYTHON, "-c", SHIELDED],
        env=program.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # which closes what the command reads, and so ends it
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.stdout.readline() == "refused\n"
        process.send_signal(signal.SIGHUP)
        assert process.communicate("end\n", timeout=30)[0] == ""
    assert process.returncode == 7


TOLD = """
import os, signal, time
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    if number != signal.SIGTSTP:
        signal.signal(number, lambda got, _: print(int(got), flush=True))
print("ready", flush=True)
while True:
    time.sleep(1)
"""


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]


@contextmanager
def telling(program: Program) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Hold a command that tells which signals arrive; it is killed at the end."""
    # In a process group of its own, whose parent is outside of it: the system stops no group that is orphaned, as that
    # of these tests may be.
    process = program.start(PYTHON, "-c", TOLD, process_group=0)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    command = int(program.wish["pid"])
    try:
        yield process, command
    finally:
        os.kill(command, signal.SIGKILL)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=30)
    assert process.returncode == 137


def test_whatever_is_sent_arrives(program: Program) -> None:
    """Of signals that a batch system or a person sends, also by number, and none ends this program instead."""
    numbers = (signal.SIGXCPU, signal.SIGIO, signal.SIGPROF, signal.SIGQUIT, signal.SIGWINCH, signal.SIGRTMIN + 3)
    with telling(program) as (process, _):
        assert process.stdout is not None
        for number in (*numbers, signal.SIGRTMAX):
            process.send_signal(number)
            assert process.stdout.readline() == f"{int(number)}\n"


def test_a_stop_and_a_continue_are_both_of_them(program: Program) -> None:
    """As Ctrl-Z and fg, sent by a program: the command stops, this program stops as well, and both go on."""
    with telling(program) as (process, command):
        assert process.stdout is not None
        process.send_signal(signal.SIGTSTP)
        wait_for(lambda: (state(command), state(process.pid)) == ("T", "T"))
        process.send_signal(signal.SIGCONT)
        assert process.stdout.readline() == f"{int(signal.SIGCONT)}\n"
        wait_for(lambda: state(process.pid) != "T")


def test_an_interrupt_right_at_the_start(program: Program) -> None:
    """Arriving while the process is about to become the command, it ends as the command would have."""
    code = (
        "import os, signal, sys\n"
        "from jupyter_autostop.cli.command_process import Command\n"
        "command = Command(['sleep', '60'])\n"
        "os.kill(command.pid, signal.SIGINT)\n"
        "sys.exit(command.run(refused=lambda: None))\n"
    )
    for _ in range(5):
        result = subprocess.run([PYTHON, "-c", code], env=program.environment, timeout=30, check=False)
        assert result.returncode == 128 + signal.SIGINT


def test_what_is_ignored_stays_ignored(program: Program) -> None:
    """As below `nohup`, and for a background job of a shell without job control."""
    script = "trap '' HUP INT QUIT; exec \"$@\""
    told = [
        subprocess.run(
            ["sh", "-c", script, "sh", *start, "grep", "SigIgn", "/proc/self/status"],
            env=program.environment, capture_output=True, text=True, check=True,
        ).stdout
        for start in (["env"], program.command())
    ]  # fmt: skip
    assert told[0] == told[1]
