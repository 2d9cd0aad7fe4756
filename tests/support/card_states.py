"""Every state that people meet, and how an emulated instance gets there; for the card's tests and pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route
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


def _off_from_next_start(platform: Platform) -> None:
    platform.behave(disable_applies="next_start")
    _off(platform)


def _idle_rule(platform: Platform) -> None:
    """Have the run end with idleness, in the words that the API's current generation has for it."""
    lease = {"type": "IDLE", "enable": True, "duration": 3_600_000}
    platform.edit(auto_stop={"stop_timestamp": None}, set={"lease": lease})


def _status(status: str) -> Callable[[Platform], None]:
    return lambda platform: platform.edit(set={"status": status})


def _refused(platform: Platform) -> None:
    platform.fail("status", status=401, body={"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication"})


REACHED = {
    "running": Reached("running", "Kept by ModelArts.", lambda platform: platform.edit(remaining=8039)),
    "warning": Reached("running", "Kept by ModelArts.", lambda platform: platform.edit(remaining=1500), "warning"),
    "urgent": Reached("running", "Kept by ModelArts.", lambda platform: platform.edit(remaining=240), "urgent"),
    "off": Reached("off", "runs, and bills, until you stop it", _off),
    "off-from-next-start": Reached("running", "off · from the next start", _off_from_next_start),
    "next-start": Reached("running", "From the next start: auto-stop after 2 h.", _next_start),
    "stale": Reached("stale", "Last confirmed", lambda platform: platform.fail("hang")),
    "credentials-refused": Reached("stale", "credentials refused", _refused),
    "no-stop-time": Reached(
        "no-stop-time", "is not known", lambda platform: platform.edit(remove=["spec.auto_stop"]), "warning"
    ),
    "idle-rule": Reached("idle-rule", "no fixed time is set", _idle_rule),
    "starting": Reached("starting", "STARTING", _status("STARTING")),
    "stopping": Reached("stopping", "STOPPING", _status("STOPPING"), "urgent"),
    "stopped": Reached("stopped", "STOPPED", _status("STOPPED")),
    "frozen": Reached("frozen", "FROZEN", _status("FROZEN"), "warning"),
}
"""Reached from a healthy instance; what belongs to a server that starts so follows."""


@dataclass(frozen=True)
class Begun:
    """A server that starts with these settings, and what its card shows."""

    settings: dict[str, str]
    kind: str
    words: str


_PLACE = {
    "JUPYTER_AUTOSTOP_REGION": "cn-north-4",
    "JUPYTER_AUTOSTOP_PROJECT_ID": "a" * 32,
    "JUPYTER_AUTOSTOP_INSTANCE_ID": "DE-7d558ef8-c73d-11ea-964c-0255ac100033",
}
BEGUN = {
    "not-configured": Begun({}, "unconfigured", "JUPYTER_AUTOSTOP_"),
    "no-credentials": Begun(_PLACE, "no-credentials", "credentials"),
}

_NOTHING_TO_EXTEND = {"can_extend": False, "why_not": {"extend": "Auto-stop is off: nothing will stop this run."}}
TOLD: dict[str, tuple[dict[str, Any], Reached]] = {
    "off-until-next-start": (
        {"deadline": None, "next_start": {"enable": True, "duration": 14400}, "limits": _NOTHING_TO_EXTEND},
        Reached("next-start", "From the next start: auto-stop after 4 h.", lambda _: None),
    ),
}
"""What no answer of the platform is read as here, so that only a State of another server can tell it."""


AGAIN = "window.dispatchEvent(new Event('online'))"
"""Has a page ask for the State at once, and without anything being said of that in the card."""


@contextmanager
def told(page: Page, parts: dict[str, Any]) -> Iterator[None]:
    """Have a page be told a State with other parts than the server gives it."""

    def answer(route: Route) -> None:
        state = route.fetch().json()
        limits = {**state["limits"], **parts.get("limits", {})}
        route.fulfill(body=json.dumps({**state, **parts, "limits": limits}), content_type="application/json")

    page.route("**/jupyter-autostop/instance*", answer)
    page.evaluate(AGAIN)
    yield
    page.unroute("**/jupyter-autostop/instance*")
    page.evaluate(AGAIN)
