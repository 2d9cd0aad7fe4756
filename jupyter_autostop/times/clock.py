"""Time as a parameter: whoever needs it is handed a `Clock`, so that a test can turn it."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

# Counts through a suspended machine, as the cloud's own clock does; not every system has it.
_BOOTTIME: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class Clock(Protocol):
    """The wall clock (epoch seconds), a clock that never jumps (seconds), and waiting."""

    def time(self) -> float:
        """Return the seconds since the epoch, which an administrator may set wrongly."""

    def monotonic(self) -> float:
        """Return seconds that only ever grow, a suspended machine included."""

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock."""


class SystemClock:
    """The clock of this machine."""

    def time(self) -> float:
        """Return the seconds since the epoch by this machine's wall clock."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds since some fixed moment, counted on while the machine is suspended."""
        return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds`."""
        await asyncio.sleep(seconds)
