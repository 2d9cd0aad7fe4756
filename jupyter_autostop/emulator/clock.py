"""The emulator's own clock: this machine's, moved forward on request."""

from __future__ import annotations

import asyncio
from typing import Protocol, runtime_checkable

from jupyter_autostop.clock import SystemClock


@runtime_checkable
class MovableClock(Protocol):
    """A clock that can be moved forward."""

    def advance(self, seconds: float) -> None:
        """Move the clock forward; never back."""


class OffsetClock:
    """This machine's clock plus `offset` seconds, which may be negative; a move wakes those who sleep by it."""

    def __init__(self, offset: float = 0.0) -> None:
        self._system = SystemClock()
        self._offset = offset
        self._moved = 0.0
        self._sleepers: set[asyncio.Future[None]] = set()

    def time(self) -> float:
        """Return epoch seconds."""
        return self._system.time() + self._offset + self._moved

    def monotonic(self) -> float:
        """Return seconds that only grow, moves included."""
        return self._system.monotonic() + self._moved

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._moved += seconds
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock."""
        due = self.monotonic() + seconds
        while (left := due - self.monotonic()) > 0:
            sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._sleepers.add(sleeper)
            try:
                await asyncio.wait({sleeper}, timeout=left)
            finally:
                self._sleepers.discard(sleeper)
