"""Faults on request: which requests they hit, how often, and what then happens."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_autostop.emulator.message import SettingError

KINDS: dict[str, str] = {
    "status": "answers `status` (500) with `body` and `headers`",
    "html": "answers an HTML page with `status` (200)",
    "body": "answers `body` (JSON, or a text as it is) with `status` (200)",
    "huge": "answers 200 and `size` bytes (50 MB) of JSON that never makes sense",
    "redirect": "answers `status` (302) to `location`",
    "hang": "reads the request and never answers",
    "reset": "resets the connection instead of answering",
    "slow": "gives the real answer, `seconds` (30) later",
    "drip": "gives the real answer, one byte each `seconds` (1)",
    "cut": "gives half of the real answer, then resets the connection",
    "close": "gives the real answer, then closes the connection without having said so",
    "alter": "gives the real answer, with the fields in `set` ({dotted path: value}) and without those in `remove`",
    "wrong_date": "gives the real answer, its Date `seconds` (3600) off",
    "lost_answer": "carries the request out and resets the connection",
    "late": "resets the connection and carries the request out `seconds` (10) later",
    "queued": "answers 200 with the instance as it still is, and carries the request out `seconds` (10) later",
}
FIELDS = {
    "method": "only requests of this method; null: of any",
    "path": "only requests in whose path this regular expression is found; null: any, IAM's login included",
    "times": "how many requests it hits (1); 0: every one until DELETE faults",
    "skip": "how many of those requests are let through first (0)",
    "apply": "whether a request whose answer is replaced, withheld or reset is carried out first (false)",
    "seconds, status, headers, body, size, location, set, remove": "what the kinds speak of; each has its default",
}
_SECONDS = {"slow": 30.0, "drip": 1.0, "wrong_date": 3600.0, "late": 10.0, "queued": 10.0}
_TYPES = {
    "method": str,
    "path": str,
    "location": str,
    "apply": bool,
    "headers": dict,
    "set": dict,
    "remove": list,
}
_STATUS = {"status": 500, "redirect": 302}
HUGE = 50 * 1024 * 1024
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_FRAMING = ("content-length", "transfer-encoding")
_LOWEST_STATUS, _HIGHEST_STATUS = 200, 599
_CENTURY = 3.2e9


@dataclass
class Fault:
    """A fault; hits requests of `method` whose path `path` (a regular expression) is found in, `times` times.

    IAM's login is a request like the others. The first `skip` of those requests are let through. `times` 0 means
    until it is cleared. `headers` come in the place of the
    answer's own, and take those away whose value is null. `seconds` are of the emulator's clock. With `apply` a request
    whose answer is replaced, withheld or reset is carried out first. `None` in `seconds`, `status` or `body`: the
    default of the kind.
    """

    kind: str
    method: str | None = None
    path: str | None = None
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    body: Any = None
    seconds: float | None = None
    size: int = HUGE
    location: str = "https://elsewhere.example.com/"
    apply: bool = False
    set: dict[str, Any] = field(default_factory=dict)
    remove: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Raise `SettingError` about the first thing wrong."""
        if self.kind not in KINDS:
            raise SettingError(f"There is no fault {self.kind!r}; known are {', '.join(KINDS)}.")
        for name, kind in _TYPES.items():
            value = getattr(self, name)
            if not isinstance(value, kind) and not (value is None and name in ("method", "path")):
                raise SettingError(f"{name} has the wrong type.")
        if not all(isinstance(path, str) for path in self.remove):
            raise SettingError('remove is a list like ["spec.auto_stop"].')
        try:
            re.compile(self.path or "")
        except re.error as error:
            raise SettingError(f"path is no regular expression: {error}.") from None
        self.times = _whole("times", self.times, 0, 10**9)
        self.skip = _whole("skip", self.skip, 0, 10**9)
        self.size = _whole("size", self.size, 0, 10**9)
        status = _STATUS.get(self.kind, 200) if self.status is None else self.status
        self.status = _whole("status", status, _LOWEST_STATUS, _HIGHEST_STATUS)
        self.seconds = _seconds(_SECONDS.get(self.kind, 0.0) if self.seconds is None else self.seconds)
        self.headers = {str(name): None if value is None else str(value) for name, value in self.headers.items()}
        for name, value in [*self.given.items(), *((name, "") for name in self.taken), ("Location", self.location)]:
            if not _TOKEN.fullmatch(name) or not value.isprintable():
                raise SettingError(f"{name!r} cannot be a header with that value.")

    @property
    def given(self) -> dict[str, str]:
        """The headers that the answer has from here."""
        return {name: value for name, value in self.headers.items() if value is not None}

    @property
    def taken(self) -> frozenset[str]:
        """The headers, in lower case, that the answer does not have."""
        return frozenset(name.lower() for name, value in self.headers.items() if value is None)

    @property
    def lies(self) -> bool:
        """Whether the headers may say wrong how long the body is, which only a bare connection sends."""
        return any(name.lower() in _FRAMING for name in self.given)

    def hits(self, method: str, path: str) -> bool:
        """Tell whether a request is meant."""
        return (self.method is None or self.method.upper() == method) and re.search(self.path or "", path) is not None


def _whole(name: str, value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise SettingError(f"{name} is a whole number from {low} to {high}.")
    return value


def _seconds(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise SettingError("seconds is a number.")
    if not math.isfinite(value) or abs(value) > _CENTURY:
        raise SettingError("seconds is a number of some sense.")
    return float(value)


def read_fault(data: Any) -> Fault:
    """Return the fault a JSON body describes, or raise `SettingError`."""
    if not isinstance(data, Mapping) or not isinstance(data.get("kind"), str):
        raise SettingError(f'The body must be a JSON object with a "kind": {", ".join(KINDS)}.')
    known = Fault.__dataclass_fields__
    if unknown := [key for key in data if key not in known]:
        raise SettingError(f"Unknown key {unknown[0]!r}; known are {', '.join(known)}.")
    return Fault(**data)


class Faults:
    """The faults asked for; the oldest that hits is taken."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Ask for a fault."""
        # `times` counts down on a copy; what the caller holds stays as it was.
        self._faults.append(Fault(**asdict(fault)))

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for a request, and count it; one that lets a request through may leave it to the next."""
        for fault in self._faults:
            if fault.hits(method, path):
                if fault.skip:
                    fault.skip -= 1
                    continue
                if fault.times:
                    fault.times -= 1
                    if not fault.times:
                        self._faults.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Have no more faults."""
        self._faults.clear()

    def shown(self) -> list[dict[str, Any]]:
        """Return those still to come as JSON."""
        return [asdict(fault) for fault in self._faults]
