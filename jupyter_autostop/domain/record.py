"""What the keeper must know over a crash: the record of one instance, and what it says by itself.

Times in epoch ms on the platform's clock, lengths in s. Standard library only: it is looked at before anything heavy
is loaded.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args

FORMAT = 1
MOST_HOLDS = 200
"""Open holds at a time: the record has a fixed size."""
LANDS_WITHIN = 30_000
"""ms within which an unanswered write takes effect, if ever."""

Off = Literal["no", "intent", "yes", "ending"]
Then = Literal["restore", "stop"]
OwnerKind = Literal["person", "kernel", "command"]
Write = Literal["probe", "off", "on", "rest", "stop"]
"""`rest`: the other parts of the setting, sent while auto-stop is off, and so with the word that it is."""
ROUNDING = 2000
"""ms by which two tellings of one moment may differ: whole seconds, and the way."""
_TOO_LARGE = 10**14
"""ms: the year 5138. No length, process or time of ours reaches it."""
_NAME = re.compile(r"[\w.-]{0,80}", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True)
class Setting:
    """The auto-stop setting of the platform; `duration` in s."""

    enable: bool
    duration: int
    prompt: bool


@dataclass(frozen=True)
class Owner:
    """Whose end ends a hold: nobody's (`person`), a kernel's, a command's.

    `server` names the server that judges it, by its presence lock; `pid` with `started` is a process of this machine,
    0 one of another machine. `lock` is held by a process that this server cannot see.
    """

    kind: OwnerKind
    server: str = ""
    kernel_id: str | None = None
    pid: int | None = None
    started: str = ""
    lock: str = ""

    def shown(self) -> dict[str, Any]:
        """Return the owner as the contract has it; `seen` stands where its process cannot be seen."""
        shown: dict[str, Any] = {"kind": self.kind}
        if self.kernel_id is not None:
            shown["kernel_id"] = self.kernel_id
        if self.kind != "person" and self.pid is None:
            shown["seen"] = "lock" if self.lock else "no"
        return shown


@dataclass(frozen=True)
class Hold:
    """A wish that the instance runs until `until`, or until its owner ends; `then` says what follows."""

    id: str
    until: int
    then: Then
    owner: Owner
    created_at: int
    reason: str = ""

    def shown(self) -> dict[str, Any]:
        """Return the hold as the contract has it."""
        return {
            "id": self.id,
            "until": self.until,
            "then": self.then,
            "reason": self.reason,
            "owner": self.owner.shown(),
            "created_at": self.created_at,
        }


@dataclass(frozen=True)
class Pending:
    """A write that was sent, and whose answer has not been seen."""

    kind: Write
    at: int

    def may_land(self, now: int) -> bool:
        """Whether it may still take effect."""
        return now < self.at + LANDS_WITHIN


@dataclass(frozen=True)
class Record:
    """All the keeper knows.

    `off`: whether auto-stop is off at the platform by our doing (`intent`: perhaps; `ending`: being put back).
    `prior`: the setting that people chose, to which the platform owes a return. `t0`, `start`: this run's own stop
    time and start (`None`: no run length would move it). `run`: the container's life that the holds belong to; `over`:
    it was seen to end. `stop_at`: when this server stops the instance, no hold being open. `floor`: the deadline last
    confirmed to anyone. `sent`: when a stop was decided. `probe`: a duration that we have set; `seen`: the one that
    the platform showed last, while auto-stop is off. `asks`: what was kept here was lost, and a person must decide.
    `old`: the record to go back to if what is under way fails.
    """

    off: Off = "no"
    prior: Setting | None = None
    t0: int | None = None
    start: int | None = None
    run: str = ""
    over: bool = False
    holds: tuple[Hold, ...] = ()
    stop_at: int | None = None
    floor: int = 0
    sent: int | None = None
    pending: tuple[Pending, ...] = ()
    probe: int | None = None
    seen: int | None = None
    asks: bool = False
    old: Record | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is held, owed or under way."""
        bare = replace(EMPTY, run=self.run, over=self.over, t0=self.t0, start=self.start)
        return self == replace(bare, floor=self.floor, seen=self.seen)

    @property
    def rests(self) -> bool:
        """Whether nothing has to be watched: what is owed waits for the next run, and for somebody's look."""
        return self.off == "no" and not self.holds and not self.pending and self.stop_at is None and self.sent is None

    @property
    def ours(self) -> bool:
        """Whether auto-stop is off by our doing, as far as is known."""
        return self.off in ("yes", "ending")

    @property
    def last(self) -> Hold:
        """The hold that is the last to go, which decides what follows."""
        return max(self.holds, key=lambda hold: hold.until)

    def back_at(self, *, defers: bool) -> int | None:
        """Return when the platform would stop this run, were `prior` put back; the sooner of what it may make of it."""
        if self.t0 is None or self.prior is None or defers or self.start is None:
            return self.t0
        return min(self.t0, self.start + self.prior.duration * 1000)

    def back_in_time(self, end: int, grace: int, *, defers: bool) -> int | None:
        """Return when the platform stops this run if auto-stop is put back at `end`, `None` if that must not be done.

        It must leave the grace (s), and come no sooner than what was confirmed.
        """
        back = None if self.prior is None else self.back_at(defers=defers)
        return back if back is not None and back > end + grace * 1000 and back >= self.floor - ROUNDING else None

    def hold(self, hold_id: str) -> Hold | None:
        """Return the open hold of that id."""
        return next((hold for hold in self.holds if hold.id == hold_id), None)

    def without(self, *ids: str) -> Record:
        """Return the record without these holds."""
        return replace(self, holds=tuple(hold for hold in self.holds if hold.id not in ids))

    def with_hold(self, hold: Hold) -> Record:
        """Return the record with a hold, in the place of one of the same id."""
        return replace(self, holds=(*self.without(hold.id).holds, hold))


EMPTY = Record()


def encode(record: Record, instance_id: str) -> bytes:
    """Return the record as JSON."""
    data = {"format": FORMAT, "instance": instance_id, **vars(record)}
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, default=vars).encode()


def _whole(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"{value!r:.20} is no whole number")
    if not 0 <= value < _TOO_LARGE:
        raise ValueError(f"{value!r:.20} is out of range")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is none")
    if "\0" in value or (not value.isascii() and _SURROGATE.search(value)):
        raise ValueError("a text has characters that no text has")
    return value


def _name(value: Any) -> str:
    """Return a server's name, which is a part of a file's name."""
    if not _NAME.fullmatch(_text(value)):
        raise ValueError(f"{value!r:.20} is no server")
    return cast("str", value)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError("a switch is none")
    return value


def _maybe(value: Any) -> int | None:
    return None if value is None else _whole(value)


def _one_of(value: Any, kind: Any) -> Any:
    if value not in get_args(kind):
        raise ValueError(f"{value!r:.20} is unknown")
    return value


def _owner(data: Any) -> Owner:
    kernel_id = None if data["kernel_id"] is None else _text(data["kernel_id"])
    kind = cast("OwnerKind", _one_of(data["kind"], OwnerKind))
    lock = _name(data.get("lock", ""))  # which an older version does not know
    return Owner(kind, _name(data["server"]), kernel_id, _maybe(data["pid"]), _text(data["started"]), lock)


def _hold(data: Any) -> Hold:
    return Hold(
        _text(data["id"]),
        _whole(data["until"]),
        _one_of(data["then"], Then),
        _owner(data["owner"]),
        _whole(data["created_at"]),
        _text(data["reason"]),
    )


def _setting(data: Any) -> Setting:
    return Setting(_flag(data["enable"]), _whole(data["duration"]), _flag(data["prompt"]))


def decode(data: Any) -> Record:
    """Return the record of a JSON object; raises `ValueError`, `TypeError` or `KeyError` for one that is none."""
    return Record(
        off=_one_of(data["off"], Off),
        prior=None if data["prior"] is None else _setting(data["prior"]),
        t0=_maybe(data["t0"]),
        start=_maybe(data["start"]),
        run=_text(data["run"]),
        over=_flag(data["over"]),
        holds=tuple(_hold(hold) for hold in data["holds"]),
        stop_at=_maybe(data["stop_at"]),
        floor=_whole(data["floor"]),
        sent=_maybe(data["sent"]),
        pending=tuple(Pending(_one_of(item["kind"], Write), _whole(item["at"])) for item in data["pending"]),
        probe=_maybe(data["probe"]),
        seen=_maybe(data["seen"]),
        asks=_flag(data["asks"]),
        old=None if data["old"] is None else decode(data["old"]),
    )
