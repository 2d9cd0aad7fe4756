"""`jupyter autostop hold -- COMMAND…`: while the command runs, this instance is not stopped.

The command is made first and let go once it is held, so that the server can watch its process from the beginning: what
ends it, ends the hold, even if this program is killed. Signals are passed on, and its exit status becomes ours.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from jupyter_autostop.holding import Holding, ended
from jupyter_autostop.words import printable, report_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jupyter_autostop.client import LocalClient

PASSED_ON = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGTERM,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGWINCH,
)
_EXPECTED = {*PASSED_ON, signal.SIGCHLD}
KILLED = 128
"""As a shell has it: more than this is a signal's number."""
_NOT_FOUND, _NOT_RUNNABLE, _NEVER_LET_GO = 127, 126, 125
_GO = b"1"
_SEES_TO_IT = "The server sees that the command has ended, and ends the hold."


class Command:
    """A process that waits to become the command, and then is it."""

    def __init__(self, words: Sequence[str]) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the exit status with it
        read, self._write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(self._write)
            _become(read, words)
        os.close(read)

    def let_go(self) -> None:
        """Let it become the command."""
        with suppress(BrokenPipeError):  # killed meanwhile
            os.write(self._write, _GO)
        os.close(self._write)

    def give_up(self) -> None:
        """Let it end without having been the command."""
        os.close(self._write)
        os.waitpid(self.pid, 0)

    def run(self) -> int:
        """Let it go, pass signals on until it has ended, and return its exit status."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _EXPECTED)
        self.let_go()
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            number, sent = _next_signal()
            if sent and number != signal.SIGCHLD:
                os.kill(self.pid, number)
        # What came too late for the command is not meant for what follows.
        while hasattr(signal, "sigtimedwait") and signal.sigtimedwait(PASSED_ON, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return KILLED + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _become(read: int, words: Sequence[str]) -> NoReturn:
    """Wait for the word and become the command; a parent that has gone never says it."""
    try:
        if os.read(read, 1) != _GO:
            os._exit(_NEVER_LET_GO)
        os.close(read)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # which Python ignores
        os.execvp(words[0], list(words))  # noqa: S606 - it is what was asked for
    except OSError as error:
        # What a shell would say and give back.
        os.write(2, f"{printable(words[0])}: {os.strerror(error.errno or errno.EIO)}\n".encode())
        os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUNNABLE)
    finally:
        os._exit(_NEVER_LET_GO)  # interrupted


def _next_signal() -> tuple[int, bool]:
    """Wait for a signal; return it, and whether a process sent it.

    What a terminal sends, as for Ctrl-C, has gone to the command as well.
    """
    if not hasattr(signal, "sigwaitinfo"):  # macOS
        number = int(signal.sigwait(_EXPECTED))
        return number, number not in (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH)
    info = signal.sigwaitinfo(_EXPECTED)
    return info.si_signo, info.si_code <= 0


def _what_for(words: Sequence[str]) -> str:
    """Return what to show as the reason: program and script, no arguments, since these may be secret."""
    shown = [Path(words[0]).name]
    if len(words) > 1 and Path(words[1]).is_file():
        shown.append(Path(words[1]).name)
    return printable(" ".join(shown))


def run_held(
    words: Sequence[str],
    connect: Callable[[], LocalClient],
    say: Callable[[str, bool], None],
    *,
    longest: int | None,
    then: str,
    reason: str | None,
) -> int:
    """Run a command under a hold and return its exit status.

    `say` tells that the hold has begun and ended, and whether the instance is an emulated one.

    Raises `ClientError` where it cannot be held; the command is not run then.
    """
    command = Command(words)
    holding = Holding(connect, {"pid": command.pid}, longest=longest, then=then, reason=reason or _what_for(words))
    try:
        holding.begin()
    except BaseException:
        command.give_up()
        raise
    say(holding.begun(printable(Path(words[0]).name)), holding.emulated)
    status = command.run()
    try:
        release = holding.end()
    except KeyboardInterrupt:
        say(f"Its end is not confirmed yet. {_SEES_TO_IT}", holding.emulated)
        return status
    if release.error:
        why = printable(release.error.message)
        say(f"The hold could not be ended from here: {why} {_SEES_TO_IT}", holding.emulated)
    elif release.state:
        said = report_text(ended(release.state))
        say(f"{release.remark} {said}".lstrip(), holding.emulated)
    return status
