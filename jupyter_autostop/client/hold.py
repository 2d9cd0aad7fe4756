"""A hold from its begin to its end, for a cell, a block of code and a command in a terminal.

Once it has been asked for, it is ended in any case: whatever became of the answer, of the work or of the server.
"""

from __future__ import annotations

import threading
import uuid
from argparse import Action, ArgumentError, ArgumentTypeError
from typing import TYPE_CHECKING, Any

from jupyter_autostop.client.client import RefusedError
from jupyter_autostop.client.reader_zone import reader_zone
from jupyter_autostop.client.transport import UnreachableError
from jupyter_autostop.errors import ClientError
from jupyter_autostop.process import OwnProcess
from jupyter_autostop.state import ENDED_WITH_OWNER
from jupyter_autostop.times.duration import format_duration
from jupyter_autostop.times.moments import clock_time

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable, Mapping, Sequence

    from jupyter_autostop.client.client import LocalClient
    from jupyter_autostop.state import Hold, Outcome, State
    from jupyter_autostop.storage.work_lock import WorkLock
    from jupyter_autostop.times.zones import Zone

ENDINGS = ("restore", "stop")
_STOPS = " Then the instance stops; if that ends sooner, after this site's grace."
_ENDED: Outcome = {"effect": "none", "message": "The hold has ended.", "clamped": False}
_OVER = "The hold was over already, before the work was"
_UNSEEN = "The server cannot see this process: if it is killed, the hold lasts until that time."
_GONE = 404
_SERVER_ERRORS = 500
_PASSING = (409, 429)
"""Refusals that another moment may change."""
_SHORTEST_PAUSE, _LONGEST_PAUSE = 2.0, 60.0
"""Seconds between tries to end a hold whose server does not answer."""
_MARGIN = 2000
"""ms below the ceiling: what the server takes for the platform's time gets finer, and may go back by a moment."""


class Words(Action):
    """Takes what may be written in several words, `1h 30m`, and parses it as one text."""

    def __init__(self, *, parse: Callable[[str], Any] = str, **more: Any) -> None:
        super().__init__(**more)
        self._parse = parse

    def __call__(self, _parser: ArgumentParser, namespace: Namespace, values: Any, _option: str | None = None) -> None:
        """Parse, or refuse as misuse."""
        try:
            setattr(namespace, self.dest, self._parse(" ".join(values)) if values else None)
        except ArgumentTypeError as error:
            raise ArgumentError(self, str(error)) from None


def split_options(words: Sequence[str]) -> list[str]:
    """Return words in which `--max=1h` is two, so that more words of the value may follow."""
    parts = (word.split("=", 1) if word.startswith("--") else [word] for word in words)
    return [part for pair in parts for part in pair]


def add_options(parser: ArgumentParser, duration: Callable[[str], int], typed: Callable[[str], str] = str) -> None:
    """Add what a hold can be given, in a cell and in a terminal."""
    words: dict[str, Any] = {"action": Words, "nargs": "+"}
    text = "hold no longer than this (the site's limit)"
    parser.add_argument("--max", parse=duration, metavar="DURATION", help=text, **words)
    parser.add_argument("--then", choices=ENDINGS, default="restore", help="afterwards: all as before, or stop")
    parser.add_argument(
        "--reason", parse=typed, metavar="TEXT", help="what for; everybody on this server sees it", **words
    )


def ended(state: State, remark: str) -> State:
    """Return a State that says that a hold has ended: in the server's words where it has ended it just now.

    `remark` is what is said beside it; a hold that was over already is not said to have ended once more.
    """
    return state if state["outcome"] or remark else {**state, "outcome": _ENDED}


def remark_on_hold(state: State) -> str:
    """Say that a stop which this server has decided does not come, seen just before a hold began; empty: none was.

    Nothing is held then, and it comes at the end of a grace, in which anybody may change that.
    """
    deadline = state["deadline"]
    if deadline is None or deadline["kept_by"] != "server" or state["holds"]:
        return ""
    at = clock_time(deadline["stop_timestamp"], state["server_time"], reader_zone(state))
    return f"The stop that was to come at {at} is called off; the end of this hold decides what follows."


def remark_on_stop(state: State) -> str:
    """Say what became of the stop that was to follow a hold which something else has ended; empty: it follows.

    Whoever sees the work end may be the server, whose stop is then to come as for an end that was told.
    """
    deadline, instance = state["deadline"], state["instance"] or {}
    if (deadline and deadline["kept_by"] == "server") or instance.get("status") in ("STOPPING", "STOPPED"):
        return ""
    if deadline:
        return f"{_OVER}: this run now stops at ModelArts' own time."
    if state["problem"]:
        return f"{_OVER}; whether the instance stops after it is not known."
    return f"{_OVER}: the stop that was to follow is called off."


def remark_on_end(state: State, then: str, code: str) -> str:
    """Say what must be said of a hold that was over when it was to be ended; `code` is the refusal's."""
    if then == "stop":
        return remark_on_stop(state)
    # The server may see the work end sooner than this program tells it.
    return "" if code == ENDED_WITH_OWNER else f"{_OVER}."


def _was_not_done(error: BaseException) -> bool:
    """Tell whether nothing can be held after an error: nothing was said, or the server has refused."""
    if isinstance(error, RefusedError):
        return error.http_status < _SERVER_ERRORS
    return isinstance(error, UnreachableError)


class Holding:
    """One hold, of the process that begins it. `longest` (s) is a ceiling, `None` the site's.

    `notebook` is the name in `reason` that the server may know better.
    """

    def __init__(
        self,
        connect: Callable[[], LocalClient],
        *,
        longest: int | None = None,
        then: str = "restore",
        reason: str | None = None,
        notebook: str | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._connect = connect
        self._longest = longest
        self._then = then
        self._reason = reason
        self._notebook = notebook
        self._pause = pause or threading.Event().wait
        self._id = str(uuid.uuid4())
        self._process = OwnProcess()
        self._lock: WorkLock | None = None
        self.hold: Hold | None = None
        """Once it has begun."""
        self.server_time = 0
        """When it was asked for, on the platform's clock (epoch ms)."""
        self.emulated = False
        self._zone: Zone | None = None
        self.remark = ""
        """What must be said of it when it has begun."""

    @property
    def is_ours(self) -> bool:
        """Whether this process has begun it, and so is to end it; a forked child is another one."""
        return self._process.is_this()

    @property
    def by_lock(self) -> bool:
        """Whether the server watches the lock, since it cannot see the process."""
        return self._lock is not None

    @property
    def is_seen(self) -> bool:
        """Whether a server can see for itself that what the hold is for has ended."""
        return self.hold is not None and self.hold["owner"].get("seen") != "no"

    def begin(self, owner: Mapping[str, Any], lock: WorkLock | None = None) -> Hold:
        """Ask for the hold, or raise `ClientError`, after which nothing is held.

        `owner` is whose end ends it, `lock` what that owner holds for servers that cannot see it.
        """
        self._process = OwnProcess()
        try:
            hold = self._begin({**owner, "lock": lock.name} if lock else owner)
        except BaseException:
            if lock:
                lock.remove()
            raise
        seen = hold["owner"].get("seen")
        if lock and seen == "lock":
            self._lock = lock
        elif lock:
            lock.remove()
        self.remark = " ".join(part for part in (_UNSEEN if seen == "no" else "", self.remark) if part)
        return hold

    def _begin(self, owner: Mapping[str, Any]) -> Hold:
        client = self._connect()
        state: State = client.instance()
        self.server_time, self.emulated = state["server_time"], state["emulated"]
        self._zone = reader_zone(state)
        ceiling = state["limits"]["until"][1]
        until = ceiling if self._longest is None else self.server_time + self._longest * 1000
        if until > ceiling:
            raise ClientError(
                f"A hold of {format_duration(self._longest or 0)} is longer than this site allows, which is "
                f"{format_duration((ceiling - self.server_time) // 1000)}.",
                code="until_range",
                hint="Ask for less, or leave `max` out for the longest.",
            )
        until = min(until, ceiling - _MARGIN)
        wish: dict[str, Any] = {"id": self._id, "until": until, "then": self._then, **owner}
        if self._reason:
            wish["reason"] = self._reason
        if self._notebook:
            wish["notebook"] = self._notebook
        self.hold = self._ask(client, wish, again=False)
        self.remark = remark_on_hold(state)
        return self.hold

    def _ask(self, client: LocalClient, wish: dict[str, Any], *, again: bool) -> Hold:
        try:
            hold: Hold = client.hold(**wish)
        except BaseException as error:
            if not again and _was_not_done(error):
                raise
            if not again and isinstance(error, ClientError) and not isinstance(error, RefusedError):
                # The answer was lost; with the same id the same question is harmless.
                return self._ask(client, wish, again=True)
            # It may have begun, and nobody would end it.
            Release(self._connect, self._id, self._pause, self._then).start()
            raise
        return hold

    def begun(self, what: str) -> str:
        """Say that it has begun; `what` is what ends it."""
        if self.hold is None:
            return "Nothing is held."
        then = _STOPS if self.hold["then"] == "stop" else ""
        until = clock_time(self.hold["until"], self.server_time, self._zone)
        return f"Held while {what} runs, until {until} at the latest.{then} {self.remark}".rstrip()

    def end(self) -> Release:
        """End the hold in a thread that goes on until it has; returns once the first try has succeeded or failed.

        Whoever is interrupted while it waits leaves the thread behind, which goes on.
        """
        release = Release(self._connect, self._id, self._pause, self._then)
        release.start()
        release.first.wait()
        if self._lock and release.error:
            self._lock.let_go()  # which the server sees
        elif self._lock:
            self._lock.remove()
        return release


class Release(threading.Thread):
    """Ends a hold, trying until the server says that it is over; a kernel's end ends it too."""

    def __init__(
        self, connect: Callable[[], LocalClient], hold_id: str, pause: Callable[[float], object], then: str
    ) -> None:
        super().__init__(name="jupyter_autostop release", daemon=True)
        self._then = then
        self._connect = connect
        self._id = hold_id
        self._pause = pause
        self.first = threading.Event()
        """Set when the first try is over."""
        self.state: State | None = None
        self.remark = ""
        """What must be said of a stop that was to follow, where somebody else has decided about it."""
        self.error: ClientError | None = None
        """Why it is not known to be over."""
        self.refused = False
        """Whether trying again is of no use."""

    def run(self) -> None:
        """Try until it is over."""
        pause = _SHORTEST_PAUSE
        while not (self._try() or self.refused):
            self.first.set()
            self._pause(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        self.first.set()

    def _try(self) -> bool:
        try:
            client = self._connect()
            try:
                self.state = client.release(self._id)
            except RefusedError as error:
                if error.http_status != _GONE:
                    raise
                # Somebody else has ended it, or it never began.
                self.state = client.instance()
                self.remark = remark_on_end(self.state, self._then, error.code)
        except ClientError as error:
            self.error = error
            status = error.http_status if isinstance(error, RefusedError) else _SERVER_ERRORS
            self.refused = status < _SERVER_ERRORS and status not in _PASSING
            return False
        self.error = None
        return True
