"""The watch over what is held: one task, which sleeps until the next thing can be due.

However many holds there are, it wakes once in `OWNERS` seconds at most, and not at all where nothing is held or owed.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from jupyter_autostop.domain.record import LANDS_WITHIN
from jupyter_autostop.errors import AutostopError
from jupyter_autostop.keeper.reconciler import Keeper
from jupyter_autostop.state import Problem
from jupyter_autostop.storage.lock_holder import StuckError
from jupyter_autostop.times.clock import Clock

OWNERS = 2.0
"""Seconds between looks at whether the kernels and commands that hold the run still live."""
RECORD = 8.0
"""Seconds between looks at whether the record lies on the disk as it was: somebody may empty its folder."""
DOUBT = 20.0
"""Seconds between steps while there is a witness against the platform's time: further answers decide."""
SOONEST = 1.0
"""Seconds that lie between two steps at least, and after a failed one at first; then twice as many, and so on."""
LONGEST_BACKOFF = 60.0
_LATE = 0.02
"""Seconds after a moment at which it has surely come."""


def trouble_of(error: AutostopError) -> Problem:
    """Return the problem of a step that has failed, which is taken again."""
    return {
        "code": error.code,
        "message": f"What is held or owed is not in order yet. {error.message}",
        "hint": error.hint or "It is tried again.",
    }


class Vigil:
    """Takes the keeper's steps when they are due, and again where they fail; `step` takes one.

    `mend` writes the record again where it is gone from the disk, whether or not the platform answers.
    """

    def __init__(
        self,
        keeper: Keeper,
        clock: Clock,
        step: Callable[[], Awaitable[None]],
        mend: Callable[[], Awaitable[None]],
        tell: Callable[[], object],
        interval: float,
        log: logging.Logger,
    ) -> None:
        self._keeper = keeper
        self._clock = clock
        self._step = step
        self._mend = mend
        self._tell = tell
        self._interval = interval
        self._log = log
        self._failed = 0
        self._at_once = False
        self._last = float("-inf")
        self._record_seen = float("-inf")
        self._nap: asyncio.Future[None] | None = None
        self.task: asyncio.Task[None] | None = None

    def start(self, *, at_once: bool = False) -> None:
        """Begin to watch, if nobody does; `at_once`: take a step now, and not when the next thing is due."""
        if self.task is None or self.task.done():
            self._at_once = at_once
            self._last = self._last if self._failed else self._clock.monotonic()
            self.task = asyncio.create_task(self._watch())
        elif at_once and self._nap is not None and not self._failed:
            self._at_once = True
            self._nap.cancel()

    async def _watch(self) -> None:
        while self._at_once or self._failed or not self._keeper.record.rests:
            if not await self._is_due():
                continue
            self._at_once = False
            await self._try()
            self._last = self._clock.monotonic()

    async def _is_due(self) -> bool:
        """Wait for a while, unless there is something to do; tell whether there is."""
        wait = self._wait()
        if wait <= 0:
            return True
        await self._sleep(min(wait, OWNERS))
        await self._see_to_the_record()
        return self._wait() <= 0 or (not self._failed and await self._owner_gone())

    async def _sleep(self, seconds: float) -> None:
        """Wait, until somebody cuts it short."""
        self._nap = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({self._nap})
        finally:
            self._nap.cancel()
            self._nap = None

    def _wait(self) -> float:
        """Return the seconds to the next step."""
        since = self._clock.monotonic() - self._last
        due = self._due()
        if self._failed:
            backoff = min(SOONEST * float(2 ** min(self._failed - 1, 10)), LONGEST_BACKOFF) - since
            return min(backoff, due) if due > 0 else backoff  # what becomes due meanwhile may go better
        if self._at_once:
            return 0.0
        doubted = self._keeper.writer.platform.time.doubted
        look = min(self._interval, DOUBT) if doubted else self._interval
        return max(SOONEST - since, min(look - since, due))

    def _due(self) -> float:
        """Return the seconds to the next moment at which something is due; infinite where nothing will be."""
        record = self._keeper.record
        moments = [hold.until for hold in record.holds]
        moments += [write.at + LANDS_WITHIN for write in record.pending]
        if record.stop_at is not None and not record.holds and not record.pending:
            moments.append(max(record.stop_at, record.floor))
        return (min(moments) - self._keeper.surely()) / 1000 + _LATE if moments else math.inf

    async def _see_to_the_record(self) -> None:
        """Look whether the record is there: while it is not, the end of this server would be the end of the holds."""
        now = self._clock.monotonic()
        if now - self._record_seen < RECORD:
            return
        self._record_seen = now
        await self._keeper.stay()
        try:
            if await self._keeper.disturbed():
                await self._mend()
        except Exception as error:  # noqa: BLE001 - whatever it is, the step meets it again and tells people
            self._log.warning("jupyter_autostop: the keeper's record cannot be seen to: %s", error)
            self._at_once = True

    async def _owner_gone(self) -> bool:
        holds = self._keeper.record.holds
        return any(hold.owner.kind != "person" for hold in holds) and bool(await self._keeper.owners.gone(holds))

    async def _try(self) -> None:
        snapshot = self._keeper.snapshot
        try:
            await self._step()
        except AutostopError as error:
            # While another server does not let go, nothing tells when the stop is due that it cannot note.
            self._failed = min(self._failed + 1, 4) if isinstance(error, StuckError) else self._failed + 1
            self._log.warning("jupyter_autostop: what is held is not in order yet: %s", error.message)
            snapshot.trouble = trouble_of(error)
        except Exception:  # noqa: BLE001 - told as any other, and tried again
            # A fault of ours; the run must get its stop whatever goes wrong here.
            self._failed += 1
            self._log.exception("jupyter_autostop: a step of the keeper failed")
            snapshot.trouble = trouble_of(AutostopError("This server has made a mistake; its log says more."))
        else:
            self._failed = 0
            snapshot.trouble = None
        self._tell()
