"""AutostopService: one truth about one instance, however many look at it, and one change of it at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import anyio

from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.errors import AutostopError, ClockSkewError, UnavailableError
from jupyter_autostop.keeper.extender import Reach
from jupyter_autostop.keeper.loop import Vigil
from jupyter_autostop.keeper.reconciler import HoldOwners, Keeper
from jupyter_autostop.keeper.store import Life
from jupyter_autostop.platforms.base import Platform, person_waits_since
from jupyter_autostop.platforms.cache import Snapshot
from jupyter_autostop.platforms.modelarts.errors import START, START_EMULATED
from jupyter_autostop.platforms.writer import LOOK_AGAIN, Writer
from jupyter_autostop.service.extend import Extensions, extension_words
from jupyter_autostop.service.hold import Holds, hold_words, release_words
from jupyter_autostop.service.requests import Change, Extend, HoldWish
from jupyter_autostop.service.scribe import Scribe
from jupyter_autostop.service.update import Changes, change_words
from jupyter_autostop.state import Hold, Outcome, State
from jupyter_autostop.storage.journal import Journal
from jupyter_autostop.storage.locks import Locks
from jupyter_autostop.storage.run_history import MemoryFile
from jupyter_autostop.storage.slots import Records
from jupyter_autostop.times.clock import Clock

WATCH = 360.0
"""Seconds after the last look for which the platform is still asked in the background."""
NEAR = 600.0
"""Seconds before the deadline from which the platform is asked every `NEAR_INTERVAL`."""
NEAR_INTERVAL = 10.0
LONGEST_PAUSE = 900.0
"""Seconds between background tries with refused credentials: six in a row lock a key for minutes."""
JUMP = 2.0
"""Seconds by which the platform's clock must differ from what was told of it to be told anew."""
FOR_THE_RUN = 0.4
"""The part of a shutdown's time that a write under way leaves for handing the run back."""
_Result = TypeVar("_Result")


def _closing(hint: str = "Try again when the Jupyter server is back.") -> UnavailableError:
    return UnavailableError("This Jupyter server is shutting down.", code="shutting_down", hint=hint)


class AutostopService:
    """Reads the platform as seldom as it can and as often as it must, and writes with a look before and after.

    `on_change` is called with the State's `version` when anything but the time has changed, or when the platform's
    clock has jumped; `on_look` with the moment (ms) of each other answer that confirmed what is known. Seconds:
    `refresh_interval` between looks, `patience` of a write for the one before it, `close_patience` of a shutdown for
    a write under way and for handing the run back, `second_looks` before it is believed that nothing follows a write.
    """

    def __init__(
        self,
        platform: Platform,
        *,
        clock: Clock,
        policy: Policy,
        memory: MemoryFile,
        journal: Journal,
        records: Records,
        locks: Locks,
        owners: HoldOwners,
        life: Life,
        on_change: Callable[[str], None],
        on_look: Callable[[int], None],
        log: logging.Logger,
        refresh_interval: float = 60.0,
        patience: float = 30.0,
        close_patience: float = 5.0,
        second_looks: tuple[float, ...] = LOOK_AGAIN,
    ) -> None:
        self._platform = platform
        self._clock = clock
        self._interval = refresh_interval
        self._patience = patience
        self._close_patience = close_patience
        self._log = log
        self._on_change = on_change
        self._on_look = on_look
        self.snapshot = Snapshot(platform, policy, memory)
        self.journal = journal
        writer = Writer(platform, self.snapshot, clock, second_looks)
        self._scribe = Scribe(journal, writer)
        self._locks = locks
        self.keeper = Keeper(writer, policy, records, locks, owners, life, log)
        self._changes = Changes(self.keeper, policy)
        reach = Reach(self.keeper, policy)
        self._extensions = Extensions(self.keeper, policy, reach)
        self._holds = Holds(self.keeper, policy, reach)
        self._vigil = Vigil(self.keeper, clock, self._step, self._mend, self._tell, refresh_interval, log)
        self._flight: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._writes: set[asyncio.Task[Any]] = set()
        self._write_lock = asyncio.Lock()
        self._looked = float("-inf")
        self._tried = float("-inf")
        self._told: dict[str, Any] = {}
        self._told_offset = 0.0
        self._closed = False

    # Reading

    async def look(self, *, refresh: bool = False) -> State:
        """Return the State at once if one is known, else after the first answer; `refresh` asks the platform first."""
        if self._closed:
            raise _closing()
        now = self._clock.monotonic()
        unwatched = self._watch is None or self._watch.done()
        due = now - self._tried >= self._pause()
        first_for_long = unwatched and due and not self.snapshot.refusals
        self._looked = now
        if refresh or first_for_long or not self.snapshot.asked:
            await self._refresh()
        elif due and not self._writes:
            self._start_flight()
        if (self._watch is None or self._watch.done()) and not self._closed:
            self._watch = asyncio.create_task(self._keep_watching())
            self._watch.add_done_callback(self._report)
        return self.snapshot.state()

    def _start_flight(self) -> asyncio.Task[None]:
        if self._flight is None or self._flight.done():
            self._flight = asyncio.create_task(self._fly())
        return self._flight

    async def _refresh(self) -> None:
        """Join the call under way, or make it; who goes away does not end it for the others."""
        flight = self._start_flight()
        try:
            await asyncio.shield(flight)
        except asyncio.CancelledError:
            if not flight.cancelled():
                raise
            raise _closing() from None  # nothing else ends a flight

    async def _fly(self) -> None:
        self._tried = self._clock.monotonic()
        answered = await self.snapshot.refresh()
        if not self._writes:
            await self.keeper.peek()
        told = self._tell()
        if answered and not told and self.snapshot.confirmed_at is not None:
            self._on_look(self.snapshot.confirmed_at)
        if answered and self.keeper.calls_for_step() and not self._closed:
            # Beside the look, which must neither wait for a write nor bring one about again and again.
            self._vigil.start(at_once=True)
        elif self.keeper.unwritten:
            self.keep()

    def keep(self) -> None:
        """Act on what the record says, also where nobody looks: another server may have left it."""
        if not self._closed and (self._vigil.task is None or self._vigil.task.done()):
            self._vigil.start(at_once=True)

    async def attend(self) -> None:
        """Do what `keep` does, unless all that is left waits for the next run, as a look has shown: nobody is asked."""
        if not self._writes and not self._closed:
            await self.keeper.peek()
        if not self.keeper.waits:
            self.keep()

    async def _step(self) -> None:
        await self.alone(self.keeper.step)

    async def _mend(self) -> None:
        await self.alone(self.keeper.mend)

    def _enter_notes(self) -> None:
        """Enter what the keeper has done of its own accord."""
        while self.keeper.notes:
            self._scribe.noted(*self.keeper.notes.pop(0))

    def _report(self, task: asyncio.Task[None]) -> None:
        """A fault of ours in the background is said in the log; the next look starts the watch again."""
        if not task.cancelled() and (error := task.exception()):
            self._log.error("jupyter_autostop: looking at the platform failed", exc_info=error)

    def _pause(self) -> float:
        """Return the seconds until the platform is worth another call of our own accord."""
        refused = self.snapshot.refusals
        if refused == 1 and isinstance(self.snapshot.error, ClockSkewError):
            return 0.0  # not the same signature again: the next one bears the platform's own date
        if refused:
            return min(max(self._interval, 60.0) * 2.0 ** min(refused - 1, 8), LONGEST_PAUSE)
        left = self.snapshot.seconds_left()
        near = left is not None and left <= NEAR
        return min(self._interval, NEAR_INTERVAL) if near else self._interval

    async def _keep_watching(self) -> None:
        """Look at the platform for those who watch, until nobody has looked for `WATCH` seconds."""
        while True:
            due = self._tried + self._pause()
            ends = self._looked + WATCH
            now = self._clock.monotonic()
            if now >= ends:
                return
            if now < due:
                # In slices: a write or a click may end a long pause before its time.
                await self._clock.sleep(min(due - now, ends - now, NEAR_INTERVAL))
            elif self._writes:
                await self._clock.sleep(1.0)
            else:
                await asyncio.shield(self._start_flight())

    def _tell(self) -> bool:
        """Say that the State has changed, if it has; tell whether it was said."""
        lasting = self.snapshot.lasting()
        offset = self._platform.time.now() - self._clock.monotonic()
        # Whoever measures from a `server_time` of before a jump would be wrong by it.
        jumped = abs(offset - self._told_offset) > JUMP
        changed = lasting != self._told or jumped
        if changed:
            self._told, self._told_offset = lasting, offset
            self._on_change(self.snapshot.version())
        return changed

    # Writing

    async def change(self, change: Change, if_match: str | None = None, *, who: str = "script") -> State:
        """Change description or auto-stop; with `if_match` only if nobody else has changed the same part."""
        return await self._written(lambda: self._changes.change(change, if_match), who, change_words(change))

    async def extend(self, extend: Extend, if_match: str | None = None, *, who: str = "script") -> State:
        """Move this run's stop time later, as far as the platform does that, and say what came of it."""
        return await self._written(lambda: self._extensions.extend(extend, if_match), who, extension_words(extend))

    async def hold(self, wish: HoldWish, if_match: str | None = None, *, who: str = "script") -> Hold:
        """Hold this run until a time, or until a kernel or command ends."""
        held: list[Hold] = []

        async def write() -> Outcome:
            hold, outcome = await self._holds.hold(wish, if_match)
            held.append(cast("Hold", hold.shown()))
            return outcome

        await self._written(write, who, hold_words(wish))
        return held[0]

    async def release(self, hold_id: str, *, who: str = "script", by_person: bool = False) -> State:
        """End a hold, `by_person`: by a person's wish, and not because its work is over."""
        what = release_words(hold_id, self.snapshot.record.hold(hold_id))
        return await self._written(lambda: self._holds.release(hold_id, by_person=by_person), who, what)

    async def stop(self, *, who: str = "script") -> State:
        """Stop the instance now."""
        return await self._written(self._changes.stop, who, "stop")

    async def _written(self, write: Callable[[], Awaitable[Outcome]], who: str, what: str) -> State:
        self._looked = self._clock.monotonic()
        questions = self.snapshot.questions

        async def unless_silent() -> Outcome:
            # It would wait in vain as somebody before it has, whose question began after this was asked for.
            if silent := self.snapshot.silent_since(questions):
                raise silent
            # Its turn has come: what it has waited for others does not count.
            waiting = person_waits_since.set(self._clock.monotonic())
            try:
                return await write()
            finally:
                person_waits_since.reset(waiting)

        try:
            outcome = await self.alone(lambda: self._scribe.people(unless_silent, who, what))
        except AutostopError as error:
            if error.hint == START and self._platform.emulated:
                error.hint = START_EMULATED  # there is no console that knows it
            raise
        return self.snapshot.state(outcome)

    async def alone(self, act: Callable[[], Awaitable[_Result]]) -> _Result:
        """Run something that writes: one at a time, and to its end even if whoever asked for it goes away."""
        if self._closed:
            raise _closing()

        async def run() -> _Result:
            try:
                with anyio.fail_after(self._patience):
                    await self._write_lock.acquire()
            except TimeoutError:
                raise UnavailableError("Other changes of this instance are still under way.", code="busy") from None
            questions = self.snapshot.questions
            try:
                return await act()
            finally:
                self._write_lock.release()
                if self.snapshot.questions != questions:
                    self._tried = self._clock.monotonic()
                self._tell()
                if not self._closed:
                    self._enter_notes()
                await self.journal.secure()
                if not self.keeper.record.rests and not self._closed:
                    self._vigil.start()

        task = asyncio.create_task(run())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if not task.cancelled():
                raise
            raise _closing("What became of the change is not known; look at what is shown after a while.") from None

    async def lock_trouble(self) -> AutostopError | None:
        """Return why this server cannot make sure that it acts alone, `None` where it can."""
        return await self._locks.trouble()

    async def close(self) -> None:
        """End the background work, waiting a moment for a write under way; whoever still waits is told so."""
        self._closed = True
        # Whoever looks is told at once; a write has its own way of reading.
        ends = asyncio.get_running_loop().time() + self._close_patience
        await self._end(self._watch, self._flight)
        if self._writes:
            await asyncio.wait(self._writes, timeout=self._close_patience * (1 - self._part_for_the_run()))
        await self._end(self._vigil.task, *self._writes)
        await self._hand_back(ends - asyncio.get_running_loop().time())
        await self.snapshot.close()
        await self.journal.close()
        await self._platform.close()

    def _part_for_the_run(self) -> float:
        """Return the part of the time that is not for a write under way: all is, where it is a write of auto-stop.

        What that one comes to decides whether the run can be handed back; until it is known, nobody may.
        """
        record = self.keeper.record
        return 0.0 if record.rests or record.pending else FOR_THE_RUN

    async def _hand_back(self, patience: float) -> None:
        """Let the platform keep the run again, if it answers in time; else the record is there for the next start."""
        late = "jupyter_autostop: ModelArts did not take this run back in time; the next server goes on with it"
        try:
            if patience > 0:
                await asyncio.wait_for(self.keeper.hand_back(), patience)
            elif not self.keeper.record.rests:
                self._log.warning(late)
        except asyncio.TimeoutError:
            self._log.warning(late)
        except AutostopError as error:
            self._log.warning(
                "jupyter_autostop: ModelArts did not take this run back; the next server goes on with it: %s",
                error.message,
            )
        self._enter_notes()
        await self._locks.close()

    async def _end(self, *tasks: asyncio.Task[Any] | None) -> None:
        running = [task for task in tasks if task and not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
