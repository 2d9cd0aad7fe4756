"""Who holds the operation lock, and whether that process still gets on with its work.

The lock is the kernel's, and nobody can take it away from a process that lives. What others can do is to name that
process, and to do without the lock what cannot wait. Blocking: to be called beside the event loop.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from dataclasses import dataclass

from jupyter_autostop.errors import UnavailableError
from jupyter_autostop.process import process_stat, started
from jupyter_autostop.times.duration import format_duration

HANGS_AFTER = 300.0
"""Seconds for which a process holds the lock at most that does not hang: a dozen calls to a platform that is slow."""
_SIZE = 96
_SIGNED = re.compile(r"([0-9]{1,10}) ([0-9]{1,20}) ([0-9]{1,20}[.][0-9]{3})")


class StuckError(UnavailableError):
    """The server that holds the operation lock does not get on with its work."""


class SuspendedError(StuckError):
    """The server that holds the operation lock is suspended."""

    def __init__(self, pid: int) -> None:
        super().__init__(
            f"Another Jupyter server (process {pid}) was suspended while it was changing this instance.",
            code="busy",
            hint=f"Let it go on (`kill -CONT {pid}`), or end it (`kill -KILL {pid}`).",
        )


class HangingError(StuckError):
    """The server that holds the operation lock runs, and does not come to an end of its operation."""

    def __init__(self, pid: int, seconds: float) -> None:
        super().__init__(
            f"Another Jupyter server (process {pid}) began to change this instance {format_duration(int(seconds))} "
            "ago, and hangs.",
            code="busy",
            hint=f"End it (`kill {pid}`, or else `kill -KILL {pid}`), and its kernels with it; then try again.",
        )


@dataclass(frozen=True)
class Holder:
    """A process that holds the lock; `since`: on the machine's steady clock, `None` where it has not said so."""

    pid: int
    since: float | None = None

    @property
    def held_for(self) -> float:
        """The seconds for which it has held the lock, as far as that is known."""
        return 0.0 if self.since is None else time.monotonic() - self.since

    def stuck(self) -> StuckError | None:
        """Return the error of waiting for it in vain, `None` where it may come to an end yet."""
        if process_stat(self.pid)[:1] in (["T"], ["t"]):
            return SuspendedError(self.pid)
        return HangingError(self.pid, self.held_for) if self.held_for > HANGS_AFTER else None

    def busy(self) -> UnavailableError:
        """Return the error of having waited for it long enough."""
        since = "" if self.since is None else f" for {format_duration(int(self.held_for))}"
        return UnavailableError(
            f"Another Jupyter server (process {self.pid}) has been changing this instance{since}.",
            code="busy",
            hint=f"Try again in a minute. If it stays so, end that server (`kill {self.pid}`).",
        )


def sign(descriptor: int) -> None:
    """Name this process in the lock that it holds, and since when; a full disk leaves it unnamed."""
    name = f"{os.getpid()} {started(os.getpid())} {time.monotonic():.3f}"
    try:
        os.pwrite(descriptor, name.ljust(_SIZE).encode(), 0)
    except OSError:
        with suppress(OSError):  # a disk that refuses this as well must not keep the lock, either
            os.ftruncate(descriptor, 0)  # rather no name than that of who held it before


def signed_by(descriptor: int) -> list[Holder]:
    """Return the process that holds a lock, as far as it has named itself and lives."""
    said = _SIGNED.fullmatch(os.pread(descriptor, _SIZE, 0).decode("ascii", "replace").strip())
    if said is None or started(int(said[1])) != said[2]:
        return []
    return [Holder(int(said[1]), float(said[3]))]
