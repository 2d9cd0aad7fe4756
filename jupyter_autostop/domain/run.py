"""What an answer of the platform means for this run: pure rules, the time passed in. Times in epoch ms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from jupyter_autostop.domain.record import ROUNDING
from jupyter_autostop.platforms.modelarts.models import Instance, InstanceStatus
from jupyter_autostop.state import NextStart, Problem

RUNNING = "RUNNING"
_IN_BETWEEN = {"UNAVAILABLE", "RESIZING", "RESTARTING"}
"""Documented, and it is not said whether the run and its stop time go on; if one is given, it counts."""
_AT_REST = set(get_args(InstanceStatus)) - {RUNNING} - _IN_BETWEEN
"""Documented, and without a run that could be stopped; an unknown status must not hide a stop time."""
ENDED = {"STOPPING", "STOPPED", "STARTING", "START_QUEUING", "READY_TO_START", "START_FAILED", "DELETED"}
"""Between two runs."""
NOTICEABLE = 60_000
"""ms by which a stop time moves if somebody moves it; limits are in hours, and less is rounding."""
_DIGITS = 13
_OLDEST, _NEWEST = 10 ** (_DIGITS - 1), 10**_DIGITS
"""A timestamp has 13 digits."""

Kind = Literal["deadline", "off", "not_running", "unknown"]


@dataclass(frozen=True)
class Run:
    """What stops this run: a deadline, nothing (`off`), no run at all, or nobody can tell (`unknown`, with why)."""

    kind: Kind
    stop_timestamp: int | None = None
    problem: Problem | None = None


def _timestamp(ms: int | None) -> int | None:
    return ms if ms is not None and _OLDEST <= ms < _NEWEST else None


def _unknown(code: str, message: str, hint: str) -> Run:
    return Run("unknown", problem={"code": code, "message": message, "hint": hint})


def read_run(instance: Instance, now: int, *, now_is_platforms: bool, before: int | None = None) -> Run:
    """Return what the answer says about the run, seen at `now`.

    `stop_timestamp` and `remain_time` are compared and the smaller is believed. Without the platform's own time
    (no `Date` yet) only `remain_time` is safe to measure from. `before`, the deadline shown so far, is kept where
    the answer differs from it by no more than rounding, so that nothing flickers.
    """
    if instance.status in _AT_REST:
        return Run("not_running")
    run = _read_auto_stop(instance, now, now_is_platforms=now_is_platforms, before=before)
    if instance.status == RUNNING or run.kind == "deadline":
        return run
    if instance.status in _IN_BETWEEN:
        return Run("not_running")
    return _unknown(
        "unknown_status",
        f"ModelArts reports the status “{instance.status[:40]}”, which is not documented, and no stop time.",
        "Look at the instance in the ModelArts console.",
    )


def _read_auto_stop(instance: Instance, now: int, *, now_is_platforms: bool, before: int | None) -> Run:
    auto_stop = instance.auto_stop
    if auto_stop is None or (auto_stop.enable is None and auto_stop.stop_timestamp is None):
        return _unknown(
            "no_auto_stop",
            "ModelArts does not say whether auto-stop is on for this run.",
            "Look at the instance in the ModelArts console.",
        )
    stop = _timestamp(auto_stop.stop_timestamp)
    remain = auto_stop.remain_time
    by_remain = None if remain is None else _timestamp(now + remain * 1000)
    counts = by_remain is not None and (auto_stop.enable or (remain or 0) > 0)
    if stop is None and not counts:
        if auto_stop.enable is False and auto_stop.stop_timestamp is None:
            return Run("off")
        if auto_stop.enable and instance.idles_out:
            return _unknown(
                "idle_rule",
                "ModelArts stops this run when it has been idle, and no fixed time is set for that.",
                "What is not fixed cannot be extended; the rule is changed in the ModelArts console.",
            )
        said = "on" if auto_stop.enable else "off"
        return _unknown(
            "no_stop_time",
            f"ModelArts says that auto-stop is {said}, and gives no usable stop time for this run.",
            "Look at the instance in the ModelArts console.",
        )
    if stop is None:
        believed = by_remain
    elif by_remain is None or (now_is_platforms and abs(stop - by_remain) <= ROUNDING):
        believed = stop
    elif now_is_platforms:
        believed = min(stop, by_remain)
    else:
        believed = by_remain
    if believed != stop and before is not None and believed is not None and abs(believed - before) <= ROUNDING:
        believed = before
    return Run("deadline", stop_timestamp=believed)


def overdue() -> Problem:
    """Return the problem of a stop time that has passed without a sign of the stop."""
    return {
        "code": "overdue",
        "message": "The stop time has passed, and ModelArts has not been seen stopping this instance.",
        "hint": "Save your work now; the instance may stop at any moment.",
    }


def stopping() -> Problem:
    """Return the problem of a stop time, kept by this server, that has passed while the stop is under way."""
    return {
        "code": "overdue",
        "message": "The stop time has passed, and this server is stopping the instance.",
        "hint": "Save your work now; the instance may stop at any moment.",
    }


def unsettled() -> Problem:
    """Return the problem of an auto-stop that is off by our doing and is being put back on."""
    return {
        "code": "unsettled",
        "message": "Auto-stop is off at ModelArts, and this server is putting it back on.",
        "hint": "Look again in half a minute.",
    }


def cut_short() -> Problem:
    """Return the problem of a hold that the platform's own stop comes before: others have moved that nearer."""
    return {
        "code": "hold_cut_short",
        "message": "ModelArts stops this run before its hold ends, since its stop time was moved elsewhere.",
        "hint": "Extend the run to keep it, or end the hold.",
    }


def damaged(what: str, *, off: bool) -> Problem:
    """Return the problem of a record of holds that was found damaged."""
    hint = "Auto-stop is OFF and nothing will stop this run: switch it on, or stop the instance yourself."
    return {
        "code": "record_damaged",
        "message": f"What this server had noted of holds was damaged ({what}).",
        "hint": hint if off else "What was held is not held any more: look at the stop time, and extend.",
    }


def unkept(what: str) -> Problem:
    """Return the problem of a record of holds that stands in this server's memory only; `what`: the disk's fault."""
    return {
        "code": "record_unwritable",
        "message": f"What this server keeps of this run cannot be {what}.",
        "hint": "It goes on from memory, and is lost if this server ends: see `jupyter autostop doctor`.",
    }


@dataclass(frozen=True)
class KnownRun:
    """What is remembered of one run: its start (ms; `None`: cannot be told), stop time and running duration (s)."""

    start: int | None
    stop_timestamp: int
    duration: int | None


def setting(instance: Instance | None) -> dict[str, Any]:
    """Return the auto-stop setting, without the times derived from it."""
    auto_stop = instance.auto_stop if instance else None
    return {
        "enable": auto_stop and auto_stop.enable,
        "duration": auto_stop and auto_stop.duration,
        "prompt": auto_stop and auto_stop.prompt,
    }


def learn_run(known: KnownRun | None, instance: Instance, stop: int, now: int) -> tuple[KnownRun, bool]:
    """Return what is known of the run after an answer with a stop time, and whether it is another run than before.

    The API does not tell when a run began. The first consistent answer does: its stop time less its duration,
    if that lies between the instance's creation and now. Afterwards a changed `duration` with an unmoved stop time
    is a setting for the next start, and one that moves along with it belongs to this run.
    """
    duration = instance.auto_stop.duration if instance.auto_stop else None
    guess = None if duration is None else stop - duration * 1000
    text = instance.creation_timestamp or ""
    created = _timestamp(int(text)) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None
    if guess is not None and (guess > now + ROUNDING or (created is not None and guess < created - ROUNDING)):
        guess = None
    if known is None:
        return KnownRun(guess, stop, duration), True
    if abs(stop - known.stop_timestamp) <= ROUNDING:
        return known, False
    if known.start is not None and duration is not None and abs(stop - duration * 1000 - known.start) <= ROUNDING:
        return KnownRun(known.start, stop, duration), False
    another = guess is not None and guess > known.stop_timestamp
    if another or duration == known.duration:
        return KnownRun(guess, stop, duration), another
    return KnownRun(None, stop, duration), False


def follows(known: KnownRun | None, now_known: KnownRun) -> bool:
    """Tell whether the stop time of a run has moved with another run length: this platform does not defer it."""
    if known is None or known.start is None or known.start != now_known.start or known.duration is None:
        return False
    longer = ((now_known.duration or 0) - known.duration) * 1000
    return longer != 0 and abs(now_known.stop_timestamp - known.stop_timestamp - longer) <= ROUNDING


def next_start(known: KnownRun | None, instance: Instance, run: Run) -> NextStart | None:
    """Return the setting that waits for the next start, where it is known to differ from this run's."""
    auto_stop = instance.auto_stop
    if auto_stop is None or run.kind != "deadline" or known is None:
        return None
    waiting: NextStart = {"enable": auto_stop.enable, "duration": auto_stop.duration}
    return waiting if auto_stop.enable is False else differing(known, waiting)


def differing(known: KnownRun, waiting: NextStart) -> NextStart | None:
    """Return a setting whose run length is known to be another one than that of this run."""
    if known.start is None or waiting["duration"] is None:
        return None
    in_force = known.stop_timestamp - known.start
    return waiting if abs(in_force - waiting["duration"] * 1000) > ROUNDING else None
