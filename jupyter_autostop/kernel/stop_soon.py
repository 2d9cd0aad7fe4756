"""`on_stop_soon(save, before="10m")`: calls a function of the notebook's once before each stop time.

It runs in a thread of its own, so also while a cell runs; what it touches must bear that. The time is derived from the
stop time last read, on a clock that counts through a suspended machine; the server is asked seldom, and once more
before the call, since the stop time may have moved.
"""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple, TextIO

from jupyter_autostop.client.actions import seconds_of
from jupyter_autostop.client.reader_zone import reader_zone
from jupyter_autostop.client.rendering import aside, status_text
from jupyter_autostop.errors import ClientError
from jupyter_autostop.foreign_text import printable
from jupyter_autostop.kernel.callbacks import check, identity_of, name_of, run
from jupyter_autostop.kernel.context import open_client, running_cell
from jupyter_autostop.process import OwnProcess
from jupyter_autostop.times.duration import MINUTE, format_duration
from jupyter_autostop.times.moments import clock_time

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable
    from datetime import timedelta

    from jupyter_autostop.state import State
    from jupyter_autostop.times.zones import Zone

FAR, NEAR = 5 * MINUTE, MINUTE
"""Seconds between looks at the server: far from the moment, and near it or while the server does not answer."""
NEARBY = 15 * MINUTE
"""Seconds before the moment from which on it is near."""
MOVED = 60_000
"""ms by which a stop time that somebody moves is moved; less is rounding."""


class Watchman:
    """Knows when to look and when to call: each `step` does what is due and returns the seconds until the next one."""

    def __init__(
        self,
        callback: Callable[[], object],
        before: int,
        look: Callable[[], State],
        monotonic: Callable[[], float],
    ) -> None:
        self._callback = callback
        self._before = before
        self._look = look
        self._monotonic = monotonic
        self._stop: int | None = None
        """The stop time (epoch ms on the platform's clock) last read."""
        self._due = 0.0
        """When to call, on the monotonic clock."""
        self._called_for: int | None = None
        self._reachable = True
        self.emulated = False
        self._zone: Zone | None = None
        self.calls = 0

    def step(self, is_on: Callable[[], bool] = lambda: True) -> float:
        """Look, call where it is time and it is still on, and return how long to wait."""
        self._read()
        left = self._left()
        if self._stop is not None and left is not None and left <= 0:
            # It may have been cancelled, or replaced by a newer function, while the server was asked.
            if is_on():
                self._call(self._stop)
            left = None
        if left is None:
            # A stop time that it was called for may move by a minute only.
            return FAR if self._reachable and self._stop is None else NEAR
        # The last look is at the moment itself.
        return min(left, FAR if self._reachable and left > NEARBY else NEAR)

    def _read(self) -> None:
        asked = self._monotonic()
        try:
            state = self._look()
        except ClientError as error:
            # What was known goes on counting: better a checkpoint too many than one too few.
            if self._reachable:
                why = " ".join(printable(part) for part in (error.message, error.hint) if part)
                self._complain(f"on_stop_soon cannot see the stop time, and goes on trying: {why}")
            self._reachable = False
            return
        self.emulated = state["emulated"]
        self._zone = reader_zone(state)
        if not self._reachable:
            self._complain(f"on_stop_soon sees the stop time again: {status_text(state)}")
        self._reachable = True
        if state["deadline"] is None:
            if state["problem"] is None:
                self._stop = None  # nothing stops this run; unknown is something else
            return
        self._stop = state["deadline"]["stop_timestamp"]
        self._due = asked + (self._stop - state["server_time"]) / 1000 - self._before

    def _left(self) -> float | None:
        """Return the seconds until the call, `None` where none is to come."""
        if self._stop is None:
            return None
        if self._called_for is not None and abs(self._stop - self._called_for) < MOVED:
            return None
        return self._due - self._monotonic()

    def _call(self, stop: int) -> None:
        """Call the function and tell what became of it."""
        self._called_for = stop
        self.calls += 1
        name = name_of(self._callback)
        stops = f"the instance stops at {clock_time(stop, stop, self._zone)}"
        begun = self._monotonic()
        process = OwnProcess()
        try:
            run(self._callback)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a notebook's function raises is told
            if not process.is_this():
                return
            kind = type(error).__name__
            self._complain(f"on_stop_soon: {name} failed ({kind}: {printable(str(error))}), and {stops}.")
            print(traceback.format_exc(), file=sys.stderr, flush=True)  # noqa: T201 - it is the notebook's own error
            return
        if process.is_this():  # and not a child that was forked in the call
            self._say(f"on_stop_soon: {name} has run in {self._monotonic() - begun:.0f} s, since {stops}.")

    def _say(self, line: str) -> None:
        self._write(line, sys.stdout)

    def _complain(self, line: str) -> None:
        self._write(line, sys.stderr)

    def _write(self, line: str, stream: TextIO) -> None:
        # The end of the line in the same write, since the cell's own thread may be printing too.
        print(f"{aside(line, emulated=self.emulated)}\n", end="", file=stream, flush=True)


class Given(NamedTuple):
    """What was given to be called: its name, what it is known by, and in which run of which cell, if that is told."""

    name: str
    identity: Hashable
    cell: tuple[str, int] | None

    def replaces(self, other: Given) -> bool:
        """Tell whether this is the same function again, or its cell has run again since `other` was given there."""
        if self.identity == other.identity:
            return True
        if self.cell is None or other.cell is None:
            return False
        (cell, run), (others_cell, others_run) = self.cell, other.cell
        return cell == others_cell and run != others_run


class StopSoon:
    """A function that is called before each stop time, until `cancel()` or the end of the kernel."""

    def __init__(self, watchman: Watchman, given: Given, before: int, monotonic: Callable[[], float]) -> None:
        self._watchman = watchman
        self._monotonic = monotonic
        self.given = given
        self._text = f"{given.name}, {format_duration(before)} before each stop"
        self._over = threading.Event()
        self._process = OwnProcess()
        self._thread = threading.Thread(
            target=self._run, name=f"jupyter_autostop on_stop_soon {given.name}", daemon=True
        )

    def __repr__(self) -> str:
        state = f"calls so far: {self.calls}"
        if not self.is_on:
            state = "cancelled" if self._over.is_set() else "of the process that this one was forked from"
        return f"<on_stop_soon: {self._text}; {state}>"

    @property
    def calls(self) -> int:
        """How often it was called."""
        return self._watchman.calls

    @property
    def emulated(self) -> bool:
        """Whether what it watches was seen to be an emulated instance."""
        return self._watchman.emulated

    @property
    def is_on(self) -> bool:
        """Whether it is going to be called; a forked child has a copy that watches nothing."""
        return not self._over.is_set() and self._process.is_this()

    def start(self) -> StopSoon:
        """Begin to watch."""
        self._thread.start()
        return self

    def _run(self) -> None:
        while self.is_on:
            next_step = self._monotonic() + self._watchman.step(lambda: self.is_on)
            # In pieces, since a wait stands still while the machine is suspended.
            while self.is_on and (left := next_step - self._monotonic()) > 0:
                self._over.wait(min(left, NEAR))

    def cancel(self) -> None:
        """Call it no more; a call that has begun comes to its end."""
        self._over.set()


class OnStopSoon:
    """`on_stop_soon(save, before="10m")`; knows what it calls, so that a cell that is run again changes nothing."""

    def __init__(self) -> None:
        self._handles: list[StopSoon] = []

    def __repr__(self) -> str:
        return "<on_stop_soon(save, before='10m'): calls save once before each stop time>"

    def __call__(self, callback: Callable[[], object], before: str | timedelta = "10m") -> StopSoon:
        """Call a function once before each stop time, `before` it, and again when that has moved.

        Returns what cancels it. It is called without arguments **in a thread of its own**, also while a cell runs;
        where the main thread holds on to Python's lock in foreign code, it waits for that. A coroutine function runs in
        an event loop of that thread. If the stop time is nearer already, it is called at once. Below the cell stands
        that it has run, or what went wrong.

        The same function given again, by its module and name, takes the place of the one before; a lambda or a method
        is known as an object. A cell that is run again replaces all that it gave before, where the front end tells
        which cell runs, as JupyterLab does. `on_stop_soon.all()` returns what is going to be called,
        `on_stop_soon.cancel_all()` cancels it.
        """
        from jupyter_autostop.times.clock import SystemClock  # noqa: PLC0415 - takes a while to load

        check(callback)
        seconds = seconds_of(before)

        def look() -> Any:
            return open_client().instance()

        monotonic = SystemClock().monotonic
        watchman = Watchman(callback, seconds, look, monotonic)
        given = Given(name_of(callback), identity_of(callback), running_cell())
        handle = StopSoon(watchman, given, seconds, monotonic)
        replaced = [other for other in self.all() if given.replaces(other.given)]
        self._handles = [other for other in self.all() if other not in replaced] + [handle]
        for other in replaced:
            other.cancel()
            which = "the one" if other.given.name == given.name else f"{other.given.name},"
            said = f"on_stop_soon: {given.name} takes the place of {which} given before."
            print(aside(said, emulated=other.emulated), flush=True)  # noqa: T201 - below the cell
        return handle.start()

    def all(self) -> list[StopSoon]:
        """Return what is going to be called, the earliest given first."""
        return [handle for handle in self._handles if handle.is_on]

    def cancel_all(self) -> None:
        """Call none of them any more."""
        for handle in self.all():
            handle.cancel()


on_stop_soon = OnStopSoon()
