"""Real Jupyter servers, born by fork from a process that has its imports done, so that a test can afford to kill many.

A server can be told to die at one of its file steps: it counts the calls that write, sync, rename or remove something
below a folder from the moment that a file `armed` lies beside it, and kills itself at one of them, or hangs there.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STEPS = ("pwrite", "write", "fsync", "fdatasync", "replace", "rename", "link", "unlink", "ftruncate", "posix_fallocate")


class FileSteps:
    """Counts the file steps below a folder in a log of names, and ends the process at one of them.

    `at` is the number of the step from 1 on (0: none), `when` is before it, after it, or half through a write. With
    `hang` the process does not end: all of its threads stand still until somebody writes to the pipe `hangs`.
    """

    def __init__(self, folder: str, at: int = 0, when: str = "before") -> None:
        self._folder = os.path.realpath(folder)
        self._armed = f"{self._folder}.armed"
        self._log = f"{self._folder}.steps"
        self._hangs = f"{self._folder}.hangs"
        self._at = at
        self._when = when
        self._count = 0

    def install(self) -> None:
        """Stand in the way of every such call of this process."""
        if self._when == "hang":
            os.mkfifo(self._hangs)
        for name in STEPS:
            setattr(os, name, self._counted(name, getattr(os, name)))

    def _below(self, target: Any) -> bool:
        try:
            path = os.path.realpath(f"/proc/self/fd/{target}" if isinstance(target, int) else target)
        except (OSError, ValueError, TypeError):
            return False
        return path.startswith(self._folder + os.sep)

    def _counted(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(target: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._below(target) or not Path(self._armed).exists():
                return real(target, *args, **kwargs)
            self._count += 1
            with Path(self._log).open("a", encoding="ascii") as log:
                log.write(f"{name}\n")
            if self._count == self._at:
                if self._when == "half" and name in ("pwrite", "write"):
                    real(target, args[0][: len(args[0]) // 2], *args[1:])
                elif self._when == "after":
                    real(target, *args, **kwargs)
                elif self._when == "hang":
                    # Called so, a function keeps Python's lock; a pipe is not open before it has both its ends.
                    ctypes.PyDLL(None).open(self._hangs.encode(), os.O_RDONLY)
                    return real(target, *args, **kwargs)
                os.kill(os.getpid(), signal.SIGKILL)
            return real(target, *args, **kwargs)

        return call


class Nursery:
    """Starts servers and tells how they ended."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _order(self, **order: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, argv: list[str], environment: dict[str, str], log: Path, **steps: Any) -> int:
        """Start a server; `steps` as for `FileSteps`."""
        return int(self._order(argv=argv, environment=environment, log=str(log), steps=steps))

    def end(self, pid: int, number: int) -> int:
        """Send a signal, if it is not 0, and return once the server has ended, with its wait status."""
        return int(self._order(end=pid, number=number))

    def ended(self, pid: int) -> bool:
        """Tell whether a server has ended by itself."""
        try:
            return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Run the process that servers are forked from; none of them outlives it."""
    command = [sys.executable, str(Path(__file__).resolve())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Nursery(process)
    finally:
        process.communicate()


def _serve(order: dict[str, Any]) -> None:
    """Become a server."""
    from jupyter_server.serverapp import ServerApp  # noqa: PLC0415 - in the nursery's process only

    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.environ.clear()
    os.environ.update(order["environment"])
    if order["steps"]:
        FileSteps(**order["steps"]).install()
    sys.argv = ["jupyter-server", *order["argv"]]
    ServerApp.launch_instance()


def _end(pid: int, number: int) -> int:
    if number:
        os.kill(pid, number)
    for _ in range(3000):
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -1


def _main() -> None:
    """Take orders, one a line, until there are no more."""
    import jupyter_server.serverapp  # noqa: F401, PLC0415 - what takes most of a server's start

    import jupyter_autostop.server.app  # noqa: PLC0415
    import jupyter_autostop.server.factory  # noqa: F401, PLC0415

    alive: set[int] = set()
    for line in sys.stdin:
        order = json.loads(line)
        if "end" in order:
            answer = _end(order["end"], order["number"])
            alive.discard(order["end"])
        else:
            answer = os.fork()
            if not answer:
                status = 1
                try:
                    _serve(order)
                    status = 0
                finally:
                    os._exit(status)
            alive.add(answer)
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
    for pid in alive:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    _main()
