"""What people wish for, as the server is asked for it: one place for the terminal, the magic and the functions."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from jupyter_autostop.client.reader_zone import reader_zone, whose_zone
from jupyter_autostop.client.rendering import hold_entry, is_unknown, stop_question
from jupyter_autostop.errors import ClientError
from jupyter_autostop.foreign_text import printable
from jupyter_autostop.times.duration import DAY, HOUR, LONGEST, DurationError, parse_duration
from jupyter_autostop.times.moments import Moment, read_moment
from jupyter_autostop.times.zones import machine_zone

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_autostop.client.client import LocalClient
    from jupyter_autostop.state import State
    from jupyter_autostop.times.zones import Zone


RUN_LENGTHS = (HOUR, DAY)
"""The shortest and the longest running time (s) that the update API takes."""
FRESH, PASSING = 10_000, 1_000
"""ms; what was seen no longer ago is not worth another call to the platform; a status that passes changes sooner."""
AT_ONCE, RECOVERED = 1.0, 3.0
"""Seconds: what takes no longer was known to the server; a platform that has recovered answers in this time."""
_MAY_HAVE_PASSED = ("no_answer", "unavailable")
"""Codes of what a platform that is away ends in; refused credentials are not tried again like this, as they lock."""


def seconds_of(length: str | timedelta, likely: tuple[int, int] = (1, DAY)) -> int:
    """Return the whole seconds of a length of time, or raise `DurationError`; a bare number could be minutes or hours.

    A `timedelta` is rounded up, so that what it is for fits in. `likely` is what `parse_duration` offers.
    """
    if isinstance(length, timedelta):
        seconds = -int(-length.total_seconds() // 1)
        if not 0 < seconds <= LONGEST:
            raise DurationError(f"{length} is no length to wait for; give 1 s to 365 days.", "range")
        return seconds
    if not isinstance(length, str):
        raise DurationError(
            f"{str(length)[:40]} has no unit; write '2h', '90m' or '3600s', or give a timedelta.", "ambiguous"
        )
    return parse_duration(length, likely)


def moment_of(time: str | datetime, server_time: int, zone: Zone | None = None) -> Moment:
    """Return the moment that a time names, seen from the platform's clock; no zone is `zone`, or this machine's."""
    if isinstance(time, datetime):
        if time.tzinfo is not None:
            at = int(time.timestamp() * 1000)
            if at <= server_time:
                raise DurationError(f"“{time.isoformat()}” has passed already; give a time still to come.", "range")
            return Moment(at, names_zone=True)
        time = time.isoformat(sep=" ", timespec="milliseconds")
    if not isinstance(time, str):
        raise DurationError(f"{str(time)[:40]} is no time; write it as a text, e.g. '18:00'.", "syntax")
    return read_moment(time, server_time, zone or machine_zone())


def status(client: LocalClient) -> State:
    """Ask what is so; where the run was over when last seen, the platform is asked: a new one may have begun.

    So it is where the last answer failed to come, which may be a minute ago, unless that was waited for just now.
    """
    begun = time.monotonic()
    state: State = client.instance()
    at_once = time.monotonic() - begun < AT_ONCE
    if state["problem"] and state["problem"]["code"] in _MAY_HAVE_PASSED and at_once:
        try:
            state = client.instance(refresh=True, within=RECOVERED)
        except ClientError:
            return state  # it still hangs; the server asks on
    instance, seen = state["instance"], state["confirmed_at"]
    if instance and seen and instance.get("status") != "RUNNING":
        fresh = FRESH if instance.get("status") == "STOPPED" else PASSING
        if state["server_time"] - seen > fresh:
            state = client.instance(refresh=True)
    return state


def extend(client: LocalClient, seconds: int) -> State:
    """Ask for a run that lasts so much longer."""
    state: State = client.extend(by=seconds)
    return state


def read_until(client: LocalClient, time: str | datetime) -> Moment:
    """Return the moment that a time names: "the next 18:00" is the platform's, in the zone of its reader.

    Its remark says whose zone that is, where that may surprise.
    """
    state: State = client.instance()
    moment = moment_of(time, state["server_time"], reader_zone(state))
    whose = "" if moment.names_zone else whose_zone(state)
    return replace(moment, remark=" ".join(part for part in (moment.remark, whose) if part))


def until(client: LocalClient, moment: Moment) -> State:
    """Ask for a run that lasts until a moment."""
    state: State = client.extend(until=moment.ms)
    return state


def off(client: LocalClient) -> State:
    """Ask for auto-stop off."""
    state: State = client.change({"auto_stop": {"enable": False}})
    return state


def on(client: LocalClient, seconds: int | None = None) -> State:
    """Ask for auto-stop on, from the next start with that running time."""
    setting: dict[str, Any] = {"enable": True}
    if seconds is not None:
        setting["duration"] = seconds
    state: State = client.change({"auto_stop": setting})
    return state


def describe(client: LocalClient, text: str) -> State:
    """Ask for another description."""
    _require_text(text, "description", "describe('Tuning run 7')")
    state: State = client.change({"description": text})
    return state


def end(client: LocalClient, name: str | None = None) -> State:
    """End one hold before its time, by a person's wish: the only one, or the one whose id begins with `name`."""
    if name is not None:
        _require_text(name, "id of a hold", "end('extension')")
    state: State = client.instance()
    hold = _one_of(state, name)
    ended: State = client.release(hold["id"], by_person=True)
    return ended


def _require_text(given: object, what: str, example: str) -> None:
    if not isinstance(given, str):
        raise ValueError(f"{str(given)[:40]} is no {what}, which is a text; write {example}.")  # noqa: TRY004 - as whatever is written wrongly


def _one_of(state: State, name: str | None) -> dict[str, Any]:
    holds, now, zone = state["holds"], state["server_time"], reader_zone(state)
    if not holds:
        raise ClientError(
            "Cannot end a hold: nothing is held, by an extension or otherwise.",
            code="nothing_held",
            hint="What stops this run is ModelArts' own auto-stop, which never comes nearer in a run.",
        )
    exact = [hold for hold in holds if hold["id"] == name]
    fitting = exact or [hold for hold in holds if name is None or (name and hold["id"].startswith(name))]
    if len(fitting) == 1:
        return fitting[0]
    listed = "; ".join(hold_entry(hold, now, zone) for hold in fitting or holds)
    if not fitting:
        raise ClientError(
            f"Cannot end the hold “{printable(name or '')[:40]}”: there is no such hold.",
            code="hold_not_found",
            hint=f"Held now: {listed}.",
        )
    raise ClientError(
        f"Cannot end a hold: there are {len(fitting)} to choose from.",
        code="several_holds",
        hint=f"Name one by the first word of its line: {listed}.",
    )


def stop(client: LocalClient, ask: Callable[[str], bool] | None) -> State | None:
    """Stop the instance now; `ask` puts a question to a person first, if given: after a no, the answer is `None`."""
    if ask is not None and not ask(stop_question(client.instance())):
        return None
    state: State = client.stop()
    return state


def is_so(wish: str, state: State) -> bool:
    """Tell whether what was asked for is so now; for this run, a setting for the next start is not."""
    outcome = state["outcome"]
    if outcome is None:
        return not is_unknown(state)
    effect = outcome["effect"]
    if effect == "unconfirmed" or (effect == "none" and outcome["clamped"]):
        return False
    if wish == "on" and is_unknown(state):
        return False
    stops_all_the_same = wish == "off" and state["deadline"] is not None
    return not (effect == "next_start" and (wish in ("extend", "until") or stops_all_the_same))
