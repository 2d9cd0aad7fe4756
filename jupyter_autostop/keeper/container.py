"""This container's life: what marks it, and how long it lasts already.

With auto-stop off the API shows nothing of a run, so a run is told from the next one by the container it lives in.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from jupyter_autostop.process import started


def container_marker() -> str:
    """Return a marker of this container's life: the boot and the start of its first process."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    first = started(1)
    return f"{boot}:{first}" if first else ""


def container_age() -> float | None:
    """Return the seconds since the container's first process started, where the system tells."""
    first = started(1)
    try:
        return time.clock_gettime(time.CLOCK_BOOTTIME) - int(first) / os.sysconf("SC_CLK_TCK")
    except (AttributeError, ValueError, OSError):
        return None


class Container:
    """The container this server runs in."""

    def __init__(self) -> None:
        self.marker = container_marker()
        age = container_age()
        self._began = None if age is None else time.monotonic() - age

    def age(self) -> float | None:
        """Return for how many seconds it has lived, `None` where that is not known."""
        return None if self._began is None else time.monotonic() - self._began
