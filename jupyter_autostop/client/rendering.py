"""The State in words, for a terminal and a cell: plain sentences, times in the reader's own zone, which is named."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jupyter_autostop.client.reader_zone import reader_zone
from jupyter_autostop.domain.messages import OFF
from jupyter_autostop.foreign_text import printable
from jupyter_autostop.state import EXTENSION
from jupyter_autostop.times.duration import DAY, HOUR, MINUTE, format_countdown, format_duration
from jupyter_autostop.times.moments import clock_time, utc_time
from jupyter_autostop.times.zones import machine_zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from jupyter_autostop.state import Problem, State
    from jupyter_autostop.times.zones import Zone

NO_JOURNAL = "Nothing has been changed from here yet."
NOTHING_HELD = "Nothing is held."
NOT_STOPPED = "Nothing was stopped."
_STATUS = {
    "STOPPED": "The instance is stopped.",
    "STOPPING": "The instance is stopping.",
    "STARTING": "The instance is starting.",
    "RESTARTING": "The instance is restarting.",
}
PASSED: Problem = {
    "code": "overdue",
    "message": "The stop time has passed.",
    "hint": "Save your work now; the instance may stop at any moment.",
}
"""What is to be said between the stop time and the next word of the server."""
_MARKS = {True: "ok", False: "!!", None: "--"}
SHORT_ID = 8
"""Characters that tell the ids of holds apart which are made by chance."""
_CHANCE = re.compile(r"[0-9a-f]{8}[0-9a-f-]{8,}")
_CHECKS = {
    "settings": "Names of the settings",
    "answer": "Answer of ModelArts",
    "permission_get": "Permission to look",
    "permission_update": "Permission to change",
    "permission_action": "Permission to stop",
    "state_dir": "Folder for what is kept",
    "record": "Record of holds",
    "runtime_dir": "Jupyter's runtime folder",
    "capability": "Access of kernels and terminals",
    "front_end": "JupyterLab's part",
}
_HELD_BY = {"person": "by hand", "kernel": "by a kernel", "command": "by a command"}


def ago(ms: int, now: int) -> str:
    """Write how long ago a moment was, in its largest whole unit."""
    seconds = max(0, (now - ms) // 1000)
    for size, unit in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def _problem(state: State) -> str:
    problem = state["problem"]
    said = " ".join(part for part in (problem["message"], problem["hint"]) if part) if problem else ""
    return " ".join(said.split("\n"))


def status_text(state: State) -> str:
    """Return the State in one line, without the emulator's mark."""
    deadline, instance, now = state["deadline"], state["instance"], state["server_time"]
    if deadline:
        stop = deadline["stop_timestamp"]
        # In a sentence "4:37" would read as hours.
        seconds = (stop - now) // 1000
        left = format_countdown(seconds) if seconds >= 10 * MINUTE else format_duration(max(0, seconds))
        at = clock_time(stop, now, reader_zone(state))
        kept = "ModelArts" if deadline["kept_by"] == "platform" else f"this server{_own_auto_stop(state)}"
        line = f"Stops at {at} (in {left}), kept by {kept}"
        line += _next_start(state) + _holds(state)
        if state["stale"] and state["confirmed_at"] is not None:
            line += f"; last confirmed {ago(state['confirmed_at'], now)}"
        return f"{line}. {_problem(state)}" if state["problem"] else line
    status = str((instance or {}).get("status"))
    if _is_at_rest(state):
        # An instance that has stopped is past what its stop time was about.
        done = not state["problem"] or (status == "STOPPED" and state["problem"]["code"] == "overdue")
        return _STATUS[status] if done else f"{_STATUS[status]} {_problem(state)}"
    if state["problem"] and state["problem"]["code"] == "overdue":
        return _problem(state)
    if state["problem"]:
        return f"It is not known when this instance stops. {_problem(state)}"
    if status != "RUNNING":
        return f"The instance is not running (status {status})."
    return OFF


def _is_at_rest(state: State) -> bool:
    """Tell whether the last answer says that no run goes on, whatever else is not in order; an old one says nothing."""
    known = (state["instance"] or {}).get("status") in _STATUS
    return known and not (state["stale"] and state["problem"] is not None)


def _own_auto_stop(state: State) -> str:
    auto_stop = state["auto_stop"]
    if not auto_stop or auto_stop["enable"] is not False:
        return ""
    return "; ModelArts' own auto-stop is off until then"


def _next_start(state: State) -> str:
    waiting = state["next_start"]
    if waiting is None:
        return ""
    if waiting["enable"] is False:
        return "; from the next start auto-stop is off"
    return f"; from the next start a run lasts {format_duration(waiting['duration'] or 0)}"


def _holds(state: State) -> str:
    """Tell who holds; an extension is what the stop time says already."""
    holds = (hold for hold in state["holds"] if hold["id"] != EXTENSION)
    return "".join(f"; {hold_line(hold, state['server_time'], reader_zone(state))}" for hold in holds)


def hold_line(hold: Mapping[str, Any], now: int, zone: Zone | None = None) -> str:
    """Return who keeps the run going, until when and why: `held until 20:00 CST by a kernel: cell 3 of train.ipynb`."""
    line = f"held until {clock_time(hold['until'], now, zone)} {_HELD_BY.get(hold['owner']['kind'], 'by somebody')}"
    if hold["owner"].get("seen") == "no":
        line += " that this server cannot see"
    if hold["then"] == "stop":
        line += ", then it stops"
    return f"{line}: {printable(hold['reason'])}" if hold.get("reason") else line


def hold_name(hold: Mapping[str, Any]) -> str:
    """Return what names a hold for people: `extension`, or the beginning of an id that is one of chance."""
    name = printable(str(hold["id"]))
    return name[:SHORT_ID] if _CHANCE.fullmatch(name) else name


def hold_entry(hold: Mapping[str, Any], now: int, zone: Zone | None = None) -> str:
    """Return a hold by its name: `3f2a9c1e held until 20:00 CST by a kernel: cell 3 of train.ipynb`."""
    if hold["id"] == EXTENSION:
        return f"{EXTENSION} until {clock_time(hold['until'], now, zone)}"
    return f"{hold_name(hold)} {hold_line(hold, now, zone)}"


def hold_lines(state: State) -> list[str]:
    """Return every hold of this run in a line of its own."""
    now, zone = state["server_time"], reader_zone(state)
    lines = [hold_entry(hold, now, zone) for hold in state["holds"]] or [NOTHING_HELD]
    return [marked(line, emulated=state["emulated"]) for line in lines]


def stop_question(state: State) -> str:
    """Return what to ask a person before the instance is stopped."""
    name = printable(str((state["instance"] or {}).get("name") or ""))
    what = f"the instance {name}" if name else "this instance"
    held = len(state["holds"])
    holds = f" {held} hold{'s' if held > 1 else ''} on it end{'' if held > 1 else 's'}." if held else ""
    return marked(f"Stop {what} now? What is not saved is lost.{holds}", emulated=state["emulated"])


def marked(line: str, *, emulated: bool) -> str:
    """Mark what is said of an emulated instance as such."""
    return f"[emulator] {line}" if emulated else line


def aside(line: str, *, emulated: bool) -> str:
    """Tell a line of ours from the output it stands in: `[autostop] …`; of an emulated instance, that as well."""
    return f"[autostop{' emulator' if emulated else ''}] {line}"


def status_line(state: State) -> str:
    """Return the State in one line, e.g. `Stops at 18:40 CST (in 2 h 13 min), kept by ModelArts`."""
    return marked(status_text(state), emulated=state["emulated"])


def _report(state: State) -> list[str]:
    """Return what became of a write, and the State where that does not tell the stop time already."""
    line = status_text(state)
    said = state["outcome"]["message"] if state["outcome"] else ""
    deadline, now = state["deadline"], state["server_time"]
    told = utc_time(deadline["stop_timestamp"], now) if deadline else ""
    if deadline and told in said:
        said = said.replace(told, clock_time(deadline["stop_timestamp"], now, reader_zone(state)))
        if not state["problem"]:
            later = _next_start(state) if deadline["kept_by"] == "platform" else ""
            return [f"{said} {later[2:3].upper()}{later[3:]}." if later else said]
    if line in said:
        return [said]
    return [said, line] if said and said not in line else [line]


def report_lines(state: State) -> list[str]:
    """Return what became of a write, where the State does not say it by itself, and the State.

    A hint that is a list has a line for each entry.
    """
    lines = [marked(line, emulated=state["emulated"]) for line in _report(state)]
    hint = state["problem"]["hint"] if state["problem"] else ""
    listed = hint.split("\n")
    if len(listed) == 1 or not lines[-1].endswith(" ".join(listed)):
        return lines
    return [*lines[:-1], lines[-1].removesuffix(" ".join(listed)).rstrip(), *listed]


def report_text(state: State) -> str:
    """Return the same in one line, without the emulator's mark."""
    return " ".join(_report(state))


def is_unknown(state: State) -> bool:
    """Tell whether nobody can say when, or whether, the instance stops."""
    return state["deadline"] is None and state["problem"] is not None and not _is_at_rest(state)


def journal_line(entry: Mapping[str, Any]) -> str:
    """Return an entry of the journal in one line: `2026-11-24 18:40:02 CST  terminal  extend by 1 h: …`."""
    zone = machine_zone()
    at = f"{zone.local(entry['at'] / 1000):%Y-%m-%d %H:%M:%S} {zone.label(entry['at'] // 1000)}"
    return f"{at}  {entry['who']}  {entry['what']}: {entry['result']}"


def latest(entries: Sequence[Any], last: int | None) -> list[Any]:
    """Return the entries of the journal, which come newest first, oldest first: all, or only the newest so many."""
    return list(reversed(entries if last is None else entries[: max(0, last)]))


def check_lines(check: Mapping[str, Any]) -> list[str]:
    """Return a check of the doctor's: `ok`, `!!` or, where it could not be tried, `--`; then what to do."""
    name = _CHECKS.get(check["name"], check["name"].replace("_", " ").capitalize())
    hint = [] if check["ok"] else check["hint"].split("\n")
    return [f"{_MARKS[check['ok']]}  {name}: {check['message']}", *(f"      {line}" for line in hint if line)]


def doctor_lines(checks: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the doctor's checks; what is to be done about several of them is said once."""
    said: set[str] = set()
    lines = []
    for check in checks:
        lines += check_lines({**check, "hint": ""} if check["hint"] in said else check)
        said.add(check["hint"])
    return lines
