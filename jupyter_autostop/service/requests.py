"""What a client may ask for, checked before the platform is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, StrictBool, StrictInt, StrictStr, ValidationError, model_validator

from jupyter_autostop.domain.limits import DESCRIPTION_FORBIDDEN, DESCRIPTION_MAX, LONGEST_DURATION, SHORTEST_DURATION
from jupyter_autostop.errors import InvalidInputError
from jupyter_autostop.foreign_text import clean
from jupyter_autostop.times.duration import format_duration

REASON_MAX = 200
"""Characters of a hold's reason."""
_HOLD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_KERNEL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PID_SPACE = re.compile(r"[ -~]{1,200}")
_PID_STARTED = re.compile(r"[0-9]{1,20}")
_LOCK = re.compile(r"[0-9a-f]{32}")
_ZONE = re.compile(r"[A-Za-z0-9_+/-]{1,64}")
KERNELS_MAX = 64


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _no_null(cls, data: Any) -> Any:
        """A null would be read as "leave it" by one reader and as "clear it" by another."""
        if isinstance(data, Mapping) and any(value is None for value in data.values()):
            raise ValueError("null is no value here; leave the key out instead")
        return data


class AutoStopChange(_Asked):
    """Any of the update API's three keys; `duration` in s."""

    enable: StrictBool | None = None
    duration: StrictInt | None = None
    prompt: StrictBool | None = None


class Change(_Asked):
    """A change of the instance, in the update API's own names and limits."""

    description: StrictStr | None = None
    auto_stop: AutoStopChange | None = None


class Extend(_Asked):
    """An extension: `by` seconds beyond the shown deadline, or `until` an absolute time (ms)."""

    by: StrictInt | None = None
    until: StrictInt | None = None


class HoldWish(_Asked):
    """A wish that the run lasts until `until` (ms), or until a kernel or the process `pid` ends.

    `pid_space` and `pid_started` say which process that is, `lock` which lock it holds in Jupyter's runtime folder.
    `notebook` is the name in `reason` by which the client knows its notebook, which may have been renamed since.
    """

    until: StrictInt
    id: StrictStr = ""
    kernel_id: StrictStr | None = None
    reason: StrictStr = ""
    then: Literal["restore", "stop"] = "restore"
    pid: StrictInt | None = None
    pid_space: StrictStr | None = None
    pid_started: StrictStr | None = None
    lock: StrictStr | None = None
    notebook: StrictStr | None = None

    def called(self, notebook: str) -> HoldWish:
        """Return the wish with the name that its notebook has now; an empty one changes nothing."""
        if not (self.notebook and notebook):
            return self
        return self.model_copy(update={"reason": clean(self.reason.replace(self.notebook, notebook), REASON_MAX)})


class PageZone(_Asked):
    """The time zone of a page, left out as it closes, and the kernels of the notebooks that it shows."""

    page: StrictStr
    zone: StrictStr | None = None
    kernels: list[StrictStr] = []  # pydantic gives each its own


class Nothing(_Asked):
    """A body without a word in it."""


def _sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(str(part)[:64] for part in first["loc"])
    kind = first["type"]
    if kind == "extra_forbidden":
        return f"Unknown key “{where}”."
    what = {
        "bool_type": "must be true or false",
        "int_type": "must be a whole number",
        "string_type": "must be a text",
        "missing": "is missing",
        "literal_error": f"must be one of {first.get('ctx', {}).get('expected', 'the documented values')}",
        "string_unicode": "is no valid Unicode text",
        "model_type": "must be a JSON object",
        "value_error": first["msg"].removeprefix("Value error, "),
    }.get(kind, first["msg"])
    return f"“{where}”: {what}." if where else f"The body {what}."


def _parse(model: type[_Asked], data: Any) -> Any:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise InvalidInputError(
            _sentence(error),
            code="invalid_body",
            hint=f"Known keys: {', '.join(model.model_fields) or 'none'}. Nothing was changed.",
        ) from None


def check_description(text: str) -> None:
    """Raise unless the platform takes `text` as a description; names the first thing wrong with it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidInputError(
            "The description holds half a character (a lone surrogate).",
            code="description_characters",
        ) from None
    more = len(text) - DESCRIPTION_MAX
    if more > 0:
        raise InvalidInputError(
            f"The description has {len(text)} characters; the limit is {DESCRIPTION_MAX}.",
            code="description_length",
            hint=f"Leave out {more} character{'s' if more > 1 else ''}; nothing was changed.",
        )
    found = [char for char in DESCRIPTION_FORBIDDEN if char in text]
    if found:
        raise InvalidInputError(
            f"The description cannot contain {', '.join(f'“{char}”' for char in found)}.",
            code="description_characters",
            hint=f"Leave out {' '.join(DESCRIPTION_FORBIDDEN)} altogether; nothing was changed.",
        )


def check_duration(seconds: int) -> None:
    """Raise unless `seconds` is a running duration the platform takes."""
    if not SHORTEST_DURATION <= seconds <= LONGEST_DURATION:
        # A number of a thousand digits is not worth repeating.
        shown = "that number"
        if abs(seconds) < 10**12:
            shown = f"{seconds} s" if seconds < 0 else format_duration(seconds)
        shortest, longest = format_duration(SHORTEST_DURATION), format_duration(LONGEST_DURATION)
        wrong = f"least {shortest}; {shown} is shorter"
        if seconds > LONGEST_DURATION:
            wrong = f"most {longest}; {shown} is longer"
        raise InvalidInputError(
            f"A running duration is at {wrong}.",
            code="duration_range",
            hint=f"Choose one from {shortest} to {longest} ({SHORTEST_DURATION} to {LONGEST_DURATION} s).",
        )


def parse_change(data: Any) -> Change:
    """Return the change a JSON body asks for, every limit checked, or raise `InvalidInputError`."""
    change: Change = _parse(Change, data)
    auto_stop = change.auto_stop
    empty = auto_stop is not None and not auto_stop.model_fields_set
    if empty or (change.description is None and auto_stop is None):
        raise InvalidInputError(
            "The body asks for no change.",
            code="invalid_body",
            hint='Give a "description", or "auto_stop" with any of "enable", "duration", "prompt".',
        )
    if change.description is not None:
        check_description(change.description)
    if auto_stop and auto_stop.duration is not None:
        check_duration(auto_stop.duration)
    return change


def parse_extend(data: Any) -> Extend:
    """Return the extension a JSON body asks for, or raise `InvalidInputError`."""
    extend: Extend = _parse(Extend, data)
    if (extend.by is None) == (extend.until is None):
        raise InvalidInputError(
            'Give either "by" or "until", and only one of them.',
            code="invalid_body",
            hint='"by" is in seconds, "until" in milliseconds since 1970.',
        )
    if extend.by is not None and extend.by < 1:
        raise InvalidInputError("An extension is at least 1 s long.", code="duration_range")
    return extend


def parse_hold(data: Any) -> HoldWish:
    """Return the hold a JSON body asks for, or raise `InvalidInputError`."""
    wish: HoldWish = _parse(HoldWish, data)
    wrong = ""
    if "id" in wish.model_fields_set and not _HOLD_ID.fullmatch(wish.id):
        wrong = "“id” is of letters, digits, dots, hyphens and underlines, and has 64 characters at most"
    elif wish.kernel_id is not None and not _KERNEL_ID.fullmatch(wish.kernel_id):
        wrong = "“kernel_id” is no kernel's id"
    elif len(wish.reason) > REASON_MAX or wish.reason != clean(wish.reason, REASON_MAX):
        wrong = f"“reason” is one line of {REASON_MAX} characters at most"
    elif wish.notebook is not None and not 0 < len(wish.notebook) <= REASON_MAX:
        wrong = f"“notebook” has 1 to {REASON_MAX} characters"
    if wrong := wrong or _wrong_of_process(wish):
        raise InvalidInputError(f"{wrong}.", code="invalid_body")
    return wish


def _wrong_of_process(wish: HoldWish) -> str:
    """Return what is wrong with the process that a hold is to end with; empty if nothing is."""
    if wish.pid is not None and not 0 < wish.pid < 2**31:
        return "“pid” is no process id"
    if wish.pid is None and (wish.pid_space, wish.pid_started, wish.lock) != (None, None, None):
        return "“pid_space”, “pid_started” and “lock” are of a process, so give its “pid” too"
    if wish.pid_space is not None and not _PID_SPACE.fullmatch(wish.pid_space):
        return "“pid_space” is of 1 to 200 printable characters of ASCII"
    if wish.pid_started is not None and not _PID_STARTED.fullmatch(wish.pid_started):
        return "“pid_started” is a number of ticks since the boot, as a text"
    if wish.lock is not None and not _LOCK.fullmatch(wish.lock):
        return "“lock” is a name of 32 hexadecimal digits"
    return ""


def parse_page_zone(data: Any) -> PageZone:
    """Return what a page tells of its zone, or raise `InvalidInputError`."""
    told: PageZone = _parse(PageZone, data)
    wrong = ""
    if not _KERNEL_ID.fullmatch(told.page):
        wrong = "“page” is of letters, digits, hyphens and underlines, and has 64 characters at most"
    elif told.zone is not None and not _ZONE.fullmatch(told.zone):
        wrong = "“zone” is no name of a time zone, such as Asia/Shanghai"
    elif len(told.kernels) > KERNELS_MAX or not all(map(_KERNEL_ID.fullmatch, told.kernels)):
        wrong = f"“kernels” is a list of at most {KERNELS_MAX} ids of kernels"
    if wrong:
        raise InvalidInputError(f"{wrong}.", code="invalid_body")
    return told


def parse_nothing(data: Any) -> None:
    """Raise `InvalidInputError` unless the body is empty or `{}`."""
    if data is not None:
        _parse(Nothing, data)
