"""What a process can say of itself, and what can be known of another one. Standard library only."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")
_REMAINS = {"Z", "X", "x"}
"""States of a process that has ended."""
_STATE, _START = 0, 19
"""Places of the fields in /proc/PID/stat, counted behind the name (proc(5))."""


class OwnProcess:
    """The process that has made something. A forked child has a copy of it, and never acts for its parent."""

    def __init__(self) -> None:
        self.pid = os.getpid()

    def is_this(self) -> bool:
        """Tell whether this is still that process."""
        return os.getpid() == self.pid


def _is_of_this_namespace(proc: Path) -> bool:
    """Tell whether the ids in /proc are those that this process knows others by."""
    try:
        return os.readlink(proc / "self") == str(os.getpid())  # noqa: PTH115 - a link is compared, no file opened
    except OSError:
        return False


def process_stat(pid: int) -> list[str]:
    """Return what the system tells of a process after its name, state first; nothing where it does not tell."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return []


def started(pid: int) -> str:
    """Return when a process started, in the system's ticks: together with it, a process id is never used twice."""
    return "".join(process_stat(pid)[19:20])


def is_alive(pid: int) -> bool:
    """Return whether there is such a process."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def start_of(pid: int, proc: Path = PROC) -> str | None:
    """Return when a process started (ticks since boot), "" if it has ended, `None` if nothing proves either.

    Not seen is not ended: another user's process may be hidden, a table of open files full, /proc absent.
    """
    if _is_of_this_namespace(proc):
        try:
            text = (proc / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            pass
        except OSError:
            return None
        else:
            fields = text.rpartition(")")[2].split()
            if fields[_STATE : _STATE + 1] and fields[_STATE] in _REMAINS:
                return ""
            return "".join(fields[_START : _START + 1]) or None
    return None if is_alive(pid) else ""


def pid_space() -> str:
    """Return a name of all processes that know each other by the same ids: the boot and the PID namespace.

    Where the system does not tell them, the machine's name.
    """
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(PROC / 'self/ns/pid')}"  # noqa: PTH115 - the link leads to no file
    except (OSError, UnicodeDecodeError):
        return os.uname().nodename


def claim(pid: int) -> dict[str, str | int]:
    """Return what a hold says of the process whose end ends it, so that no server takes another one for it."""
    start = start_of(pid)
    told: dict[str, str | int] = {"pid": pid, "pid_space": pid_space()}
    return {**told, "pid_started": start} if start else told
