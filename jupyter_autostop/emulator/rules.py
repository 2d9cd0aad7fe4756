"""The limits of the update and action API: what a body may hold, and which ModelArts code refuses the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupyter_autostop.emulator.message import PlatformError, Request

SHORTEST_DURATION = 3600
LONGEST_DURATION = 86400
"""Seconds (update API, Table 4)."""
DESCRIPTION_MAX = 512
DESCRIPTION_FORBIDDEN = "&<>\"'/"
"""Of the description (update API, Table 2)."""
ACTIONS = ("start", "stop", "restart", "queue", "dequeue")


@dataclass(frozen=True)
class AutoStopEdit:
    """The keys of auto_stop that were sent; `duration` in s."""

    enable: bool | None = None
    duration: int | None = None
    prompt: bool | None = None


@dataclass(frozen=True)
class Edit:
    """What an update asks for, within all limits."""

    description: str | None = None
    auto_stop: AutoStopEdit | None = None

    @property
    def empty(self) -> bool:
        """Whether it asks for nothing."""
        return self.description is None and self.auto_stop is None


def read_object(request: Request) -> dict[str, Any]:
    """Return the body, which must be a JSON object."""
    try:
        body = request.json()
    except ValueError:
        raise PlatformError(6336, "The request body is not valid JSON.") from None
    return _object(body, "The request body")


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise PlatformError(6336, f"{what} must be an object.")
    return value


def _flag(data: dict[str, Any], key: str) -> bool | None:
    value = data.get(key)
    if key in data and not isinstance(value, bool):
        raise PlatformError(6336, f"The value of {key} must be a Boolean.")
    return value


def check_description(value: Any) -> str:
    """Return a description within the limits, or raise 6336 (no text) or 6334."""
    if not isinstance(value, str):
        raise PlatformError(6336, "The value of description must be a string.")
    if len(value) > DESCRIPTION_MAX:
        raise PlatformError(6334, f"The description is longer than {DESCRIPTION_MAX} characters.")
    if any(char in DESCRIPTION_FORBIDDEN or "\ud800" <= char <= "\udfff" for char in value):
        raise PlatformError(6334, f"The description contains one of the characters {DESCRIPTION_FORBIDDEN}")
    return value


def read_auto_stop(value: Any) -> AutoStopEdit:
    """Return the keys of auto_stop that were sent, or raise 6336 (wrong type) or 6349 (out of range)."""
    data = _object(value, "auto_stop")
    duration = data.get("duration")
    if "duration" in data:
        if not isinstance(duration, int) or isinstance(duration, bool):
            raise PlatformError(6336, "The value of duration must be an integer.")
        if not SHORTEST_DURATION <= duration <= LONGEST_DURATION:
            raise PlatformError(6349, f"The duration must be {SHORTEST_DURATION} to {LONGEST_DURATION} seconds.")
    return AutoStopEdit(_flag(data, "enable"), duration, _flag(data, "prompt"))


def read_update(body: dict[str, Any]) -> Edit:
    """Return what an update body asks for; keys nobody knows are ignored."""
    description = check_description(body["description"]) if "description" in body else None
    spec = _object(body["spec"], "spec") if "spec" in body else {}
    if "auto_stop" not in spec:
        return Edit(description)
    auto_stop = read_auto_stop(spec["auto_stop"])
    if auto_stop.enable and auto_stop.duration is None:
        raise PlatformError(6348, "The duration is mandatory when auto stop is enabled.")
    return Edit(description, auto_stop)


def read_action(body: dict[str, Any]) -> str:
    """Return the action asked for, or raise 6335 (none) or 6336 (unknown)."""
    if "action" not in body:
        raise PlatformError(6335, "The property action is missing.")
    action = body["action"]
    if action not in ACTIONS:
        raise PlatformError(6336, "The value of action is invalid.")
    return str(action)


def ignored_keys(method: str, body: Any) -> list[str]:
    """Return the dotted names of what a body holds beyond the documented keys."""
    if not isinstance(body, dict):
        return []
    if method == "POST":
        return sorted(str(key) for key in body if key != "action")
    found = [key for key in body if key not in ("description", "spec")]
    spec = body.get("spec")
    if isinstance(spec, dict):
        found += [f"spec.{key}" for key in spec if key != "auto_stop"]
        auto_stop = spec.get("auto_stop")
        if isinstance(auto_stop, dict):
            found += [f"spec.auto_stop.{key}" for key in auto_stop if key not in ("enable", "duration", "prompt")]
    return sorted(found)
