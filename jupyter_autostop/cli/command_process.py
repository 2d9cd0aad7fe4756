"""A process that waits to become a command, and then is it, as a shell or `env` would start it."""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from jupyter_autostop.foreign_text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jupyter_autostop.storage.work_lock import WorkLock


def _signals(*names: str) -> set[int]:
    """Return the signals of these names that this system has."""
    return {int(getattr(signal, name)) for name in names if hasattr(signal, name)}


_OUR_OWN = _signals(
    *("SIGKILL", "SIGSTOP"),  # which no process can take
    *("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP", "SIGEMT"),  # faults of this program
    *("SIGPIPE", "SIGTTIN", "SIGTTOU", "SIGURG", "SIGCHLD"),  # what it has done itself, or its terminal
)
PASSED_ON = {int(number) for number in signal.valid_signals()} - _OUR_OWN
"""Whatever a person or a batch system sends, by what number ever."""
_EXPECTED = {*PASSED_ON, int(signal.SIGCHLD)}
_FROM_A_TERMINAL = (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH, signal.SIGTSTP)
_IGNORED_BY_PYTHON = _signals("SIGPIPE", "SIGXFZ", "SIGXFSZ")
KILLED = 128
"""As a shell has it: more than this is a signal's number."""
_NOT_FOUND, _NOT_RUNNABLE, _NEVER_LET_GO = 127, 126, 125
_GO, _GO_WITH_LOCK = b"1", b"2"
_SHELL = "/bin/sh"
_PASSED_OVER = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ETIMEDOUT)
"""What execvp(3) looks past on its way through the PATH."""


def fill_standard_streams() -> None:
    """Open something in the place of closed standard streams, or what is opened next would be taken for one.

    The command finds them closed, as it would without this program.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # noqa: PLR2004 - standard error
        pass
    os.close(descriptor)


class Command:
    """A process that waits to become the command, and then is it; a fake of `kill` comes in here."""

    def __init__(
        self, words: Sequence[str], lock: WorkLock | None = None, *, kill: Callable[[int, int], None] = os.kill
    ) -> None:
        self._kill = kill
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, it would take the exit status with it
        read, self._write = os.pipe()
        # An interrupt is the command's from its first moment on, and not Python's.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        self.pid = os.fork()
        if self.pid == 0:
            if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
                signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(self._write)
            _become(read, words, lock)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(read)

    def let_go(self, *, with_lock: bool = False) -> None:
        """Let it become the command, which holds the lock from then on."""
        with suppress(BrokenPipeError):  # killed meanwhile
            os.write(self._write, _GO_WITH_LOCK if with_lock else _GO)
        os.close(self._write)

    def give_up(self) -> None:
        """Let it end without having been the command."""
        os.close(self._write)
        os.waitpid(self.pid, 0)

    def run(self, *, with_lock: bool = False, refused: Callable[[], None]) -> int:
        """Let it go, pass signals on until it has ended, and return its exit status.

        `refused` is called the first time that the system does not let a signal through.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _EXPECTED)
        self.let_go(with_lock=with_lock)
        told = False
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            number, sent = _next_signal()
            if sent and number != signal.SIGCHLD and not self._pass_on(number) and not told:
                told = True
                refused()
            if number == signal.SIGTSTP:
                _stop_as_well()
        # What came too late for the command is not meant for what follows.
        while hasattr(signal, "sigtimedwait") and signal.sigtimedwait(PASSED_ON, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        return KILLED + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)

    def _pass_on(self, number: int) -> bool:
        """Send the command a signal, and tell whether this process may."""
        try:
            self._kill(self.pid, number)
        except PermissionError:
            return False
        return True


def _next_signal() -> tuple[int, bool]:
    """Wait for a signal; return it, and whether a process sent it.

    What a terminal sends, as for Ctrl-C, has gone to the command as well.
    """
    if not hasattr(signal, "sigwaitinfo"):  # macOS
        number = int(signal.sigwait(_EXPECTED))
        return number, number not in _FROM_A_TERMINAL
    info = signal.sigwaitinfo(_EXPECTED)
    return info.si_signo, info.si_code <= 0


def _stop_as_well() -> None:
    """Stop until SIGCONT, where a process that takes no precautions would."""
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTSTP})
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTSTP})


def _become(read: int, words: Sequence[str], lock: WorkLock | None) -> NoReturn:
    """Wait for the word and become the command; a parent that has gone never says it."""
    try:
        word = os.read(read, 1)
        if word not in (_GO, _GO_WITH_LOCK):
            os._exit(_NEVER_LET_GO)
        os.close(read)
        if lock and word == _GO_WITH_LOCK:
            lock.pass_on()
        for number in _IGNORED_BY_PYTHON:
            signal.signal(number, signal.SIG_DFL)
        _execute(words)
    except OSError as error:
        # What a shell would say and give back.
        with suppress(OSError):  # standard error may be closed
            os.write(2, f"{printable(words[0])}: {os.strerror(error.errno or errno.EIO)}\n".encode())
        os._exit(_NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUNNABLE)
    finally:
        os._exit(_NEVER_LET_GO)


def _execute(words: Sequence[str]) -> NoReturn:
    """Become the command, found as execvp(3) finds it: what is no program is a script of the shell's."""
    if "/" in words[0]:
        raise _try(words[0], words)
    hidden: OSError | None = None
    for folder in os.get_exec_path():
        path = os.path.join(folder, words[0])  # noqa: PTH118 - "" is the current folder
        error = _try(path, words)
        if isinstance(error, PermissionError):
            hidden = error
        elif error.errno not in _PASSED_OVER:
            raise error
    raise hidden or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _try(path: str, words: Sequence[str]) -> OSError:
    """Become the command, or return why not."""
    try:
        os.execv(path, list(words))  # noqa: S606 - it is what was asked for
    except OSError as error:
        if error.errno != errno.ENOEXEC:
            return error
    try:
        os.execv(_SHELL, [_SHELL, path, *words[1:]])  # noqa: S606 - the same
    except OSError as error:
        return error
