"""What the documents leave open, as switches; the defaults are the documented or stricter reading."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_type_hints

from jupyter_autostop.emulator.message import SettingError

LATEST = 60
"""The most seconds that an effect of a change may come late."""


@dataclass
class Behaviour:
    """How the emulated platform takes a change, above all of auto_stop on a RUNNING instance.

    `duration_applies`: a new duration counts for this run, or (as documented) from the next start on.
    `moves_after`: seconds until a duration that counts for this run moves its stop time; shown it is at once.
    `disable_applies`: `enable: false` lifts this run's stop time, or leaves it until the next start.
    `reenable`: switched on, or shortened, to a stop time (run start + duration) that has passed: `refuse` with 6346,
    `stop` at once, `count_anew` from now with the duration in force, `accept` without any stop time.
    `merge_partial`: keys missing from auto_stop keep their value, instead of falling back to the documented defaults
    (enable false, prompt true; duration has none and stays).
    `empty_update`: an update that asks for nothing: `refuse` with 6335, or `accept` and change nothing, not even the
    modification time.
    `edit_while_stopping`: an update of a STOPPING instance is taken, instead of refused with 6308.
    `denied_by`: who refuses what the caller has no permission for: ModelArts with 6407, or the gateway with 0302.
    """

    duration_applies: Literal["next_start", "now"] = "next_start"
    moves_after: float = 0
    disable_applies: Literal["now", "next_start"] = "now"
    reenable: Literal["refuse", "stop", "count_anew", "accept"] = "refuse"
    merge_partial: bool = False
    empty_update: Literal["refuse", "accept"] = "refuse"
    edit_while_stopping: bool = False
    denied_by: Literal["modelarts", "gateway"] = "modelarts"

    def set(self, changes: Any) -> None:
        """Turn switches by name; `SettingError` where a name or value is unknown."""
        if not isinstance(changes, dict):
            raise SettingError("The body must be a JSON object of switches.")
        hints = get_type_hints(type(self))
        for name, value in changes.items():
            if name not in hints:
                known = ", ".join(switch.name for switch in fields(self))
                raise SettingError(f"There is no switch {name!r}; known are {known}.")
            if hints[name] is float:
                if type(value) not in (int, float) or not 0 <= value <= LATEST:
                    raise SettingError(f"{name} is a number of seconds, 0 to {LATEST}.")
                continue
            choices = get_args(hints[name]) or (True, False)
            if not any(value is choice or (isinstance(value, str) and value == choice) for choice in choices):
                raise SettingError(f"{name} is one of {', '.join(json.dumps(choice) for choice in choices)}.")
        for name, value in changes.items():
            setattr(self, name, value)

    def shown(self) -> dict[str, Any]:
        """Return the switches as JSON."""
        return asdict(self)
