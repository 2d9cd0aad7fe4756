"""What the tests share: a clock to turn, a running emulator, Jupyter servers and their kind."""

from __future__ import annotations

import asyncio
import heapq
import itertools

import pytest

pytest_plugins = ["pytest_jupyter.jupyter_server"]


class ManualClock:
    """A clock that stands still until it is turned; whoever sleeps by it wakes in order."""

    def __init__(self, epoch: float = 1_795_000_000.0) -> None:
        self._epoch = epoch
        self._now = 1000.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []
        self._count = itertools.count()
        self.wall_error = 0.0

    def time(self) -> float:
        """Return the wall clock, wrong by `wall_error`."""
        return self._epoch + self._now + self.wall_error

    def monotonic(self) -> float:
        """Return the steady clock."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been turned that far."""
        event = asyncio.Event()
        heapq.heappush(self._sleepers, (self._now + seconds, next(self._count), event))
        await event.wait()

    def turn(self, seconds: float) -> None:
        """Let time pass without letting anybody act."""
        self._now += seconds

    async def pass_time(self, seconds: float) -> None:
        """Let time pass, waking each sleeper at its moment and letting it act."""
        end = self._now + seconds
        await settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            moment, _, event = heapq.heappop(self._sleepers)
            self._now = max(self._now, moment)
            event.set()
            await settle()
        self._now = end


async def settle() -> None:
    """Let every task that can run do so until all of them wait for something else."""
    for _ in range(50):
        await asyncio.sleep(0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
