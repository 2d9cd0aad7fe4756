"""The cloud's console: changes to an instance that somebody else makes, and any field an answer could hold."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jupyter_autostop.emulator.instance import Instance
from jupyter_autostop.emulator.message import PlatformError, SettingError
from jupyter_autostop.emulator.rules import Edit, check_description, read_auto_stop
from jupyter_autostop.emulator.state import Emulator

_AUTO_STOP = ("enable", "duration", "prompt", "stop_timestamp")
_KEYS = ("description", "name", "status", "auto_stop", "remaining", "set", "remove", "reset")


def edit_instance(emulator: Emulator, instance: Instance, body: Any) -> None:
    """Change an instance; `SettingError` where that cannot be.

    `description`, `auto_stop.enable`, `.duration`, `.prompt`: by the rules of the update API, what is missing stays ·
    `auto_stop.stop_timestamp` (epoch ms or null), `status`, `name`: as given, whatever the rules say · `remaining`: s
    until a run ends by itself · `set` {dotted path: value} and `remove` [dotted path]: what the answers show, whatever
    is true · `reset`: no more of these two.
    """
    if not isinstance(body, Mapping) or not body:
        raise SettingError(f"The body must be a JSON object with any of {', '.join(_KEYS)}.")
    if unknown := [key for key in body if key not in _KEYS]:
        raise SettingError(f"Unknown key {unknown[0]!r}; known are {', '.join(_KEYS)}.")
    _check(body)
    emulator.settle()
    try:
        _apply(emulator, instance, body)
    except PlatformError as refusal:
        raise SettingError(f"{refusal.message} ({refusal.code})") from None


def _check(body: Mapping[str, Any]) -> None:
    for key in ("name", "status"):
        if key in body and not isinstance(body[key], str):
            raise SettingError(f"{key} is a text.")
    remaining = body.get("remaining", 1)
    if isinstance(remaining, bool) or not isinstance(remaining, (int, float)):
        raise SettingError("remaining is a number of seconds.")
    if not isinstance(body.get("set", {}), dict):
        raise SettingError('set is an object like {"spec.auto_stop.duration": null}.')
    remove = body.get("remove", [])
    if not isinstance(remove, list) or not all(isinstance(path, str) for path in remove):
        raise SettingError('remove is a list like ["spec.auto_stop"].')
    auto_stop = body.get("auto_stop", {})
    if not isinstance(auto_stop, dict) or not set(auto_stop) <= set(_AUTO_STOP):
        raise SettingError(f"auto_stop is an object of {', '.join(_AUTO_STOP)}.")
    stop_at = auto_stop.get("stop_timestamp")
    if stop_at is not None and (isinstance(stop_at, bool) or not isinstance(stop_at, int)):
        raise SettingError("stop_timestamp is in whole milliseconds since 1970, or null.")


def _apply(emulator: Emulator, instance: Instance, body: Mapping[str, Any]) -> None:
    now = emulator.now()
    if body.get("reset"):
        instance.raw.clear()
        instance.removed.clear()
    if "status" in body and body["status"] != instance.status:
        instance.enter(body["status"], now)
    if "remaining" in body:
        emulator.set_remaining(instance, body["remaining"])
    auto_stop = dict(body.get("auto_stop", {}))
    moved = "stop_timestamp" in auto_stop
    stop_at = auto_stop.pop("stop_timestamp", None)
    if auto_stop:
        instance.check_editable(emulator.behaviour)
        instance.set_auto_stop(read_auto_stop(auto_stop), emulator.behaviour, now, merge=True)
    if moved and instance.run is None:
        raise SettingError("Only a running instance has a stop_timestamp.")
    if moved and instance.run:
        instance.run.stop_at = stop_at
    if "description" in body:
        emulator.update(instance.id, Edit(check_description(body["description"])), now)
    instance.name = body.get("name", instance.name)
    instance.raw.update(body.get("set", {}))
    instance.removed.update(body.get("remove", []))
    emulator.tell(now, f"Changed from outside, as by the console: {_said(body)}.", instance)


def _said(body: Mapping[str, Any]) -> str:
    """Say what a body changes, by its own keys: `auto_stop.enable true, status "STOPPED"`."""
    flat: dict[str, Any] = {}
    for key, value in body.items():
        parts = value.items() if isinstance(value, Mapping) and key in ("auto_stop", "set") else None
        flat.update({f"{key}.{part}": inner for part, inner in parts} if parts is not None else {key: value})
    return ", ".join(f"{key} {json.dumps(value)}" for key, value in flat.items())
