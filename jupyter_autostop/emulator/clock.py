"""The emulator's own clock: this machine's, moved forward on request, or running faster."""

from __future__ import annotations

import asyncio
from typing import Protocol, runtime_checkable

from jupyter_autostop.times.clock import Clock, SystemClock


@runtime_checkable
class MovableClock(Protocol):
    """A clock that can be moved forward."""

    def advance(self, seconds: float) -> None:
        """Move the clock forward; never back."""


@runtime_checkable
class RatedClock(Protocol):
    """A clock that can run faster than time does, slower, or not at all."""

    rate: float
    """Seconds of this clock in a second."""

    def set_rate(self, rate: float) -> None:
        """Run on from now at `rate`, which is not negative."""


class OffsetClock:
    """This machine's clock plus `offset` seconds, which may be negative; it can be moved and run at any rate.

    It never jumps, even where somebody sets the machine's. A move or another rate wakes those who sleep by it, so that
    they wait anew for what is left.
    """

    def __init__(self, offset: float = 0.0, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self.rate = 1.0
        self._since = self._then = self._clock.monotonic()
        self._epoch = self._clock.time() + offset - self._then
        self._sleepers: set[asyncio.Future[None]] = set()

    def time(self) -> float:
        """Return epoch seconds."""
        return self._epoch + self.monotonic()

    def monotonic(self) -> float:
        """Return seconds that only grow, moves included."""
        return self._then + self.rate * (self._clock.monotonic() - self._since)

    def advance(self, seconds: float) -> None:
        """Move the clock forward."""
        self._then += seconds
        self._wake()

    def set_rate(self, rate: float) -> None:
        """Run on from now at another rate."""
        now = self._clock.monotonic()
        self._then += self.rate * (now - self._since)
        self._since, self.rate = now, rate
        self._wake()

    def _wake(self) -> None:
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
                # At rate 0 only a move or another rate ends the wait.
                await asyncio.wait({sleeper}, timeout=left / self.rate if self.rate else None)
            finally:
                self._sleepers.discard(sleeper)
