"""`jupyter autostop watch`: the status line, kept up to date between a few looks at the server.

The server is asked seldom; in between the time left is derived from the deadline and the server's own time.
"""

from __future__ import annotations

import shutil
import threading
import time
from typing import TYPE_CHECKING, Any

from jupyter_autostop.cli.output import as_json
from jupyter_autostop.client.rendering import PASSED, marked, status_line
from jupyter_autostop.errors import ClientError
from jupyter_autostop.times.duration import HOUR, MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_autostop.cli.output import Writable
    from jupyter_autostop.client.client import LocalClient
    from jupyter_autostop.state import State

AGAIN = 5.0
"""Seconds between tries while the server does not answer, and between looks once the stop time has passed."""
LONG = 60.0
"""Seconds that nothing needs to be shown anew, where nothing changes."""
MOMENTS = (MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE)
"""Seconds before the stop at which a pipe is told, besides each whole hour."""
_OVER = {"STOPPED", "DELETED"}


def as_of(state: State, seconds: float) -> State:
    """Return what a State says `seconds` after it was received; a deadline that has passed is none any more."""
    now = state["server_time"] + int(seconds * 1000)
    deadline = state["deadline"]
    if deadline is not None and deadline["stop_timestamp"] <= now:
        return {**state, "server_time": now, "deadline": None, "problem": PASSED}
    return {**state, "server_time": now}


def timeless(state: State) -> Any:
    """Return a State without what merely passes with time."""
    auto_stop = state["auto_stop"] and {**state["auto_stop"], "remain_time": None}
    limits = {**state["limits"], "until": None}
    return {**state, "auto_stop": auto_stop, "limits": limits, "server_time": 0, "confirmed_at": 0}


def _next_moment(state: State) -> int | None:
    """Return how many seconds will be left when there is something to tell again, `None` without a stop time."""
    deadline = state["deadline"]
    if deadline is None:
        return None
    left = (deadline["stop_timestamp"] - state["server_time"]) / 1000
    hours = int((left - 0.001) // HOUR) * HOUR
    return max((moment for moment in (*MOMENTS, hours) if moment < left), default=0)


def fitted(line: str, width: int) -> str:
    """Return a line without the clauses at its end that have no room, cut only where the first one has none."""
    if len(line) <= width:
        return line
    clauses = line.split("; ")
    while len(clauses) > 1:
        clauses.pop()
        if len(shorter := "; ".join(clauses) + " …") <= width:
            return shorter
    return line[: width - 1] + "…"


class Lines:
    """For a pipe or a file: a line for each change, for each whole hour that is left, and for `MOMENTS`."""

    def __init__(self, out: Writable) -> None:
        self._out = out
        self._shown = ""
        self._told_before: int | None = None

    def show(self, state: State) -> None:
        """Print the status line, if it says something else than time, or if a moment has come."""
        timeless_line = status_line({**state, "server_time": 0})
        moment = _next_moment(state)
        if timeless_line != self._shown or moment != self._told_before:
            self.say(status_line(state))
            self._shown, self._told_before = timeless_line, moment

    def say(self, text: str) -> None:
        """Print a line of its own, after which the status is told again."""
        self._out.write(f"{text}\n")
        self._out.flush()
        self._shown = ""

    def pause(self, state: State) -> float:
        """Return the seconds after which there may be something to show."""
        deadline, moment = state["deadline"], _next_moment(state)
        if deadline is None or moment is None:
            return LONG
        left = (deadline["stop_timestamp"] - state["server_time"]) / 1000
        return min(LONG, left - moment + 0.005)

    def close(self) -> None:
        """There is nothing to put in order."""


class JsonLines(Lines):
    """For a script: a State in a line for each change; what else is to be said goes to `aside`."""

    def __init__(self, out: Writable, aside: Writable) -> None:
        super().__init__(out)
        self._aside = aside
        self._last: Any = None

    def show(self, state: State) -> None:
        """Print the State, if something but time has changed."""
        if timeless(state) != self._last:
            self._last = timeless(state)
            super().say(as_json(state))

    def say(self, text: str) -> None:
        """Print a line beside the States."""
        self._aside.write(f"{text}\n")
        self._aside.flush()


class Line(Lines):
    """For a terminal: one line, written anew each second."""

    def show(self, state: State) -> None:
        """Write the line in its place, cut to the terminal's width."""
        line = status_line(state)
        width = max(10, shutil.get_terminal_size().columns - 1)
        self._shown = fitted(line, width)
        self._out.write(f"\r\x1b[K{self._shown}")
        self._out.flush()

    def say(self, text: str) -> None:
        """Print a line of its own above the one in place."""
        self._out.write(f"\r\x1b[K{text}\n")
        self._out.flush()

    def pause(self, state: State) -> float:
        """Return the seconds to the next whole second of the countdown."""
        deadline = state["deadline"]
        if deadline is None:
            return 1.0
        return ((deadline["stop_timestamp"] - state["server_time"]) % 1000) / 1000 + 0.005

    def close(self) -> None:
        """Leave the line and begin the next one."""
        if self._shown:
            self._out.write("\n")
            self._out.flush()


class _Look:
    """One question to the server, asked beside the countdown, which a slow answer must not halt."""

    def __init__(self, ask: Callable[[], State]) -> None:
        self._ask = ask
        self._answer: State | None = None
        self._error: Exception | None = None
        self.ended = threading.Event()
        # As a daemon: whoever ends the watch does not wait for the answer.
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        try:
            self._answer = self._ask()
        except Exception as error:  # noqa: BLE001 - is raised again by `answer`
            self._error = error
        self.ended.set()

    def answer(self) -> State:
        """Return the answer, once `ended`, or raise what came instead."""
        if self._answer is None:
            raise self._error or ClientError("There was no answer.")
        return self._answer


class Watch:
    """Shows the State until the instance has stopped; `every` in s, `clock` counts seconds and never jumps."""

    def __init__(
        self,
        connect: Callable[[], LocalClient],
        screen: Lines,
        clock: Callable[[], float],
        every: float,
    ) -> None:
        self._connect = connect
        self._screen = screen
        self._clock = clock
        self._every = every
        self._client: LocalClient | None = None
        self._lost = False

    def run(self) -> None:
        """Return once the instance has stopped; raise `ClientError` if the first look fails."""
        said = self._ask()
        received = self._clock()
        looked, look = received, None
        while True:
            state = as_of(said, self._clock() - received)
            self._screen.show(state)
            if (state["instance"] or {}).get("status") in _OVER:
                return
            due = looked + self._wait(state) - self._clock()
            if look is None and due <= 0:
                look = _Look(self._ask)
            pause = min(self._screen.pause(state), self._until_passed(state))
            if look is None:
                time.sleep(min(pause, due))
            elif look.ended.wait(pause):
                answer = self._take(look, state)
                look, looked = None, self._clock()
                if answer is not None:
                    said, received = answer, looked

    def _wait(self, state: State) -> float:
        """Return the seconds from one look to the next."""
        passed = state["problem"] is not None and state["problem"]["code"] == PASSED["code"]
        return min(self._every, AGAIN) if self._lost or passed else self._every

    def _until_passed(self, state: State) -> float:
        deadline = state["deadline"]
        return LONG if deadline is None else (deadline["stop_timestamp"] - state["server_time"]) / 1000

    def _ask(self) -> State:
        # Found anew after a failure: it may have come back at another address.
        self._client = self._client or self._connect()
        state: State = self._client.instance()
        return state

    def _take(self, look: _Look, state: State) -> State | None:
        """Take an answer; say once when there is none and once when there is one again, as a restart brings it."""
        try:
            answer = look.answer()
        except ClientError as error:
            self._client = None
            if not self._lost:
                self._lost = True
                line = f"{error.message} Counting on from what it said last."
                self._screen.say(marked(line, emulated=state["emulated"]))
            return None
        if self._lost:
            self._lost = False
            self._screen.say(marked("The Jupyter server answers again.", emulated=state["emulated"]))
        return answer
