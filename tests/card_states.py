"""Every state that people meet, and how an emulated instance gets there; for the card's tests and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from test_browser import Platform

HOSTILE = "<img src=x onerror=window.hacked=1>"


@dataclass(frozen=True)
class Reached:
    """What the card shows in a state: its kind and level, and words that must be there."""

    kind: str
    words: str
    reach: Callable[[Platform], None]
    level: str = "normal"


def _off(platform: Platform) -> None:
    platform.edit(auto_stop={"enable": False})


def _next_start(platform: Platform) -> None:
    platform.edit(auto_stop={"duration": 7200})


def _status(status: str) -> Callable[[Platform], None]:
    return lambda platform: platform.edit(set={"status": status})


def _refused(platform: Platform) -> None:
    platform.fail("status", status=401, body={"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication"})


REACHED = {
    "running": Reached("running", "Kept by ModelArts.", lambda platform: platform.edit(remaining=8039)),
    "warning": Reached("running", "Kept by ModelArts.", lambda platform: platform.edit(remaining=1500), "warning"),
    "urgent": Reached("running", "Kept by ModelArts.", lambda platform: platform.edit(remaining=240), "urgent"),
    "off": Reached("off", "runs, and bills, until you stop it", _off),
    "next-start": Reached("running", "From the next start: auto-stop after 2 h.", _next_start),
    "stale": Reached("stale", "Last confirmed", lambda platform: platform.fail("hang")),
    "credentials-refused": Reached("stale", "credentials refused", _refused),
    "no-stop-time": Reached(
        "no-stop-time", "is not known", lambda platform: platform.edit(remove=["spec.auto_stop"]), "warning"
    ),
    "starting": Reached("starting", "STARTING", _status("STARTING")),
    "stopping": Reached("stopping", "STOPPING", _status("STOPPING"), "urgent"),
    "stopped": Reached("stopped", "STOPPED", _status("STOPPED")),
    "frozen": Reached("frozen", "FROZEN", _status("FROZEN"), "warning"),
}
"""Reached from a healthy instance; what belongs to a server that starts so has tests of its own."""
