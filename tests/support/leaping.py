"""A clock for long stories: seconds are real while anything is under way, and what would be waiting is leapt over."""

from __future__ import annotations

import asyncio
import heapq
import inspect
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from jupyter_autostop.times.clock import SystemClock

ROUNDS = 12
"""Turns of the event loop in which nothing is under way, after which all are waiting."""


class LeapingClock:
    """This machine's clock, and the leaps; so a request or a write to the disk takes what it takes.

    What is under way has to say so, with `busy`: in-flight requests and what runs in threads.
    """

    def __init__(self, ahead: float = 0.0) -> None:
        self._system = SystemClock()
        self._leapt = 0.0
        self._epoch = self._system.time() - self._system.monotonic() + ahead
        self._busy = 0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = itertools.count()

    def time(self) -> float:
        """Return epoch seconds."""
        return self._epoch + self.monotonic()

    def monotonic(self) -> float:
        """Return seconds, leaps included."""
        return self._system.monotonic() + self._leapt

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Let time pass as it does."""
        self._busy += 1
        try:
            yield
        finally:
            self._busy -= 1

    @property
    def sleepers(self) -> int:
        """How many wait."""
        return sum(not sleeper.done() for *_, sleeper in self._sleepers)

    async def sleep(self, seconds: float) -> None:
        """Wait for `seconds` of this clock."""
        sleeper: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.monotonic() + seconds, next(self._count), sleeper))
        await sleeper

    def _wake(self) -> bool:
        """Wake whose time has come; tell whether there was one."""
        woken = False
        while self._sleepers and (self._sleepers[0][2].done() or self._sleepers[0][0] <= self.monotonic()):
            sleeper = heapq.heappop(self._sleepers)[2]
            if not sleeper.done():
                sleeper.set_result(None)
                woken = True
        return woken

    async def _leap_on(self) -> None:
        rounds = 0
        while True:
            # Where something is under way, others (threads too) get their turn.
            await asyncio.sleep(0.0005 if self._busy else 0)
            rounds = 0 if self._wake() or self._busy else rounds + 1
            if rounds < ROUNDS:
                continue
            if self._sleepers:
                self._leapt += max(0.0, self._sleepers[0][0] - self.monotonic())
            else:
                await asyncio.sleep(0.001)

    @asynccontextmanager
    async def leaping(self) -> AsyncIterator[None]:
        """Leap whenever all are waiting."""
        task = asyncio.create_task(self._leap_on())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


class Counted:
    """Stands before something whose coroutine methods are to count as under way."""

    def __init__(self, inner: Any, clock: LeapingClock) -> None:
        self._inner = inner
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._inner, name)
        return self._counted(value) if inspect.iscoroutinefunction(value) else value

    def _counted(self, method: Callable[..., Any]) -> Callable[..., Any]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            with self._clock.busy():
                return await method(*args, **kwargs)

        return call


class CountedLocks(Counted):
    """Locks; the way into an operation counts, what is done inside does not."""

    @asynccontextmanager
    async def operation(self, first: Callable[[], Any]) -> AsyncIterator[Any]:
        """Hold the operation lock meanwhile."""
        operation = self._inner.operation(first)
        with self._clock.busy():
            found = await operation.__aenter__()
        try:
            yield found
        except BaseException as error:
            if not await operation.__aexit__(type(error), error, error.__traceback__):
                raise
        else:
            await operation.__aexit__(None, None, None)
