"""`on_stop_soon(save, before="10m")`: calls a function of the notebook's once before each stop time.

It runs in a thread of its own, so also while a cell runs; what it touches must bear that. The time is derived from the
stop time last read, on a clock that counts through a suspended machine; the server is asked seldom, and once more
before the call, since the stop time may have moved.
"""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any, TextIO

from jupyter_autostop.duration import MINUTE, format_duration
from jupyter_autostop.errors import ClientError
from jupyter_autostop.kernel.home import open_client
from jupyter_autostop.reading import reader_zone
from jupyter_autostop.wishes import seconds_of
from jupyter_autostop.words import aside, clock_time, printable, status_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from jupyter_autostop.state import State
    from jupyter_autostop.zones import Zone

FAR, NEAR = 5 * MINUTE, MINUTE
"""Seconds between looks at the server: far from the moment, and near it or while the server does not answer."""
NEARBY = 15 * MINUTE
"""Seconds before the moment from which on it is near."""
MOVED = 60_000
"""ms by which a stop time that somebody moves is moved; less is rounding."""


def _name(callback: Callable[[], object]) -> str:
    return printable(str(getattr(callback, "__qualname__", None) or type(callback).__name__))


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
        self._emulated = False
        self._zone: Zone | None = None
        self.calls = 0

    def step(self) -> float:
        """Look, call where it is time, and return how long to wait."""
        self._read()
        left = self._left()
        if self._stop is not None and left is not None and left <= 0:
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
        self._emulated = state["emulated"]
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
        name = _name(self._callback)
        stops = f"the instance stops at {clock_time(stop, stop, self._zone)}"
        begun = self._monotonic()
        try:
            self._callback()
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a notebook's function raises is told
            kind = type(error).__name__
            self._complain(f"on_stop_soon: {name} failed ({kind}: {printable(str(error))}), and {stops}.")
            print(traceback.format_exc(), file=sys.stderr, flush=True)  # noqa: T201 - it is the notebook's own error
        else:
            self._say(f"on_stop_soon: {name} has run in {self._monotonic() - begun:.0f} s, since {stops}.")

    def _say(self, line: str) -> None:
        self._write(line, sys.stdout)

    def _complain(self, line: str) -> None:
        self._write(line, sys.stderr)

    def _write(self, line: str, stream: TextIO) -> None:
        # The end of the line in the same write, since the cell's own thread may be printing too.
        print(f"{aside(line, emulated=self._emulated)}\n", end="", file=stream, flush=True)


class StopSoon:
    """A function that is called before each stop time, until `cancel()` or the end of the kernel."""

    def __init__(self, watchman: Watchman, name: str, before: int, monotonic: Callable[[], float]) -> None:
        self._watchman = watchman
        self._monotonic = monotonic
        self._text = f"{name}, {format_duration(before)} before each stop"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"jupyter_autostop on_stop_soon {name}", daemon=True)

    def __repr__(self) -> str:
        state = "cancelled" if self._over.is_set() else f"calls so far: {self.calls}"
        return f"<on_stop_soon: {self._text}; {state}>"

    @property
    def calls(self) -> int:
        """How often it was called."""
        return self._watchman.calls

    def start(self) -> StopSoon:
        """Begin to watch."""
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._over.is_set():
            next_step = self._monotonic() + self._watchman.step()
            # In pieces, since a wait stands still while the machine is suspended.
            while (left := next_step - self._monotonic()) > 0 and not self._over.wait(min(left, NEAR)):
                pass

    def cancel(self) -> None:
        """Call it no more; a call that has begun comes to its end."""
        self._over.set()


def on_stop_soon(callback: Callable[[], object], before: str | timedelta = "10m") -> StopSoon:
    """Call a function once before each stop time, `before` it, and again when that has moved; returns what cancels it.

    It is called without arguments **in a thread of its own**, also while a cell runs; where the main thread holds on to
    Python's lock in foreign code, it waits for that. If the stop time is nearer already, it is called at once. Below
    the cell stands that it has run, or what went wrong.
    """
    from jupyter_autostop.clock import SystemClock  # noqa: PLC0415 - takes a while to load

    if not callable(callback):
        raise TypeError("What on_stop_soon is to call is no function; write on_stop_soon(save, before='10m').")
    seconds = seconds_of(before)

    def look() -> Any:
        return open_client().instance()

    name = _name(callback)
    monotonic = SystemClock().monotonic
    return StopSoon(Watchman(callback, seconds, look, monotonic), name, seconds, monotonic).start()
