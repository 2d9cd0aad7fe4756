"""What the caller may do: the IAM actions of the API, each of which can be taken away.

Source: the ModelArts permissions reference, DevEnviron.
"""

from __future__ import annotations

from typing import Any

from jupyter_autostop.emulator.behaviour import Behaviour
from jupyter_autostop.emulator.message import DeniedError, GatewayError, SettingError

GET, LIST = "modelarts:notebook:get", "modelarts:notebook:list"
UPDATE, ACTION = "modelarts:notebook:update", "modelarts:notebook:action"
_ALL = (GET, LIST, UPDATE, ACTION)


class Permissions:
    """The same for every key and token; all are there at first."""

    def __init__(self) -> None:
        self._held = dict.fromkeys(_ALL, True)

    def check(self, permission: str, behaviour: Behaviour) -> None:
        """Raise the 403 of a caller that lacks a permission."""
        if self._held[permission]:
            return
        if behaviour.denied_by == "gateway":
            raise GatewayError(403, "0302", "The IAM user is not authorized to access the API.")
        raise DeniedError(permission)

    def set(self, changes: Any) -> None:
        """Give (true) and take (false) permissions by name; `SettingError` about the first thing wrong."""
        if not isinstance(changes, dict):
            raise SettingError(f'The body must be a JSON object like {{"{UPDATE}": false}}.')
        for name, held in changes.items():
            if name not in _ALL:
                raise SettingError(f"There is no permission {name!r}; known are {', '.join(_ALL)}.")
            if not isinstance(held, bool):
                raise SettingError(f"{name} is true or false.")
        self._held.update(changes)

    def shown(self) -> dict[str, bool]:
        """Return the permissions as JSON."""
        return dict(self._held)
