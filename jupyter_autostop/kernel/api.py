"""The functions of `import jupyter_autostop as autostop`: each asks the server, waits for the answer and returns it.

They may be called in any thread and below a running event loop, which then waits as well. What the server or the
platform refuses is raised as `ClientError`, whose text says why; what was asked for wrongly as a `ValueError`.
"""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from jupyter_autostop.client import actions
from jupyter_autostop.client.actions import seconds_of
from jupyter_autostop.client.rendering import (
    NO_JOURNAL,
    doctor_lines,
    hold_lines,
    journal_line,
    latest,
    marked,
    report_text,
)
from jupyter_autostop.errors import ClientError
from jupyter_autostop.kernel.context import ask, open_client
from jupyter_autostop.kernel.display import ShownList, ShownState
from jupyter_autostop.kernel.plain_panel import WIDGETS, PlainPanel
from jupyter_autostop.times.duration import DAY, LONGEST, DurationError

if TYPE_CHECKING:
    from datetime import datetime

    from jupyter_autostop.kernel.panel import AutostopPanel
    from jupyter_autostop.state import State


class NotDoneWarning(UserWarning):
    """What was asked for is not so in this run, though nothing failed: the platform applies it later or not at all."""


class MissingWidgetsError(ClientError):
    """The widget needs ipywidgets, which this kernel's environment has not."""

    default_code = "no_widgets"


def _has_widgets() -> bool:
    try:
        from ipywidgets import __version__ as version  # noqa: PLC0415 - takes long to load, and may be missing
    except ImportError:
        return False
    return int(version.partition(".")[0]) >= WIDGETS


def panel_class() -> type[AutostopPanel]:
    """Return the class of the widget, loading ipywidgets; raises `MissingWidgetsError` where that is missing."""
    if not _has_widgets():
        raise MissingWidgetsError(
            f"The widget needs ipywidgets {WIDGETS} or newer in this kernel's environment.",
            hint="Install it there (pip install ipywidgets) and restart the kernel; %autostop and autostop.panel() "
            "work without it.",
        )
    from jupyter_autostop.kernel.panel import AutostopPanel  # noqa: PLC0415 - as above

    return AutostopPanel


def _shown(state: State, remark: str = "") -> State:
    return cast("State", ShownState(state, remark))


def _told(wish: str, state: State, remark: str = "") -> State:
    """Return the State; whoever does not look at it is warned if what was asked for is not so."""
    if not actions.is_so(wish, state):
        warnings.warn(marked(report_text(state), emulated=state["emulated"]), NotDoneWarning, stacklevel=3)
    return _shown(state, remark)


def panel() -> AutostopPanel | PlainPanel:
    """Return a panel to see and move the stop time with; it works while a cell runs.

    It is an ipywidgets widget, or without ipywidgets something that only a cell can show.
    """
    return panel_class()() if _has_widgets() else PlainPanel()


def status() -> State:
    """Return the State: when this instance stops, who sees to it, and what is known of it."""
    return _shown(actions.status(open_client()))


def extend(by: str | timedelta | None = None, *, seconds: int | None = None) -> State:
    """Let this run last longer: `extend("2h")`, "30 minutes", "1h30", "1:30", "1.5h", a timedelta, or `seconds=3600`.

    Warns with `NotDoneWarning` where this run still stops when it did.
    """
    longer = _length(by, seconds)
    return _told("extend", actions.extend(open_client(), longer))


def _length(given: str | timedelta | None, seconds: int | None, likely: tuple[int, int] = (1, DAY)) -> int:
    """Return the seconds of a length that is given in one of two ways."""
    if (given is None) == (seconds is None):
        raise ValueError("Give one length of time, as a text such as '2h', as a timedelta or as seconds=3600.")
    if given is not None:
        return seconds_of(given, likely)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        raise DurationError(f"seconds={str(seconds)[:40]} is no whole number; write e.g. seconds=3600.", "syntax")
    return seconds_of(timedelta(seconds=min(seconds, LONGEST + 1)))


def until(time: str | datetime) -> State:
    """Let this run last until a time: `until("18:00")`, the next one, "6pm", "tomorrow 9:00" or "2026-11-24T09:00".

    Without a zone, as in "18:00 Asia/Shanghai" or "18:00+08:00", it is read in that of the page which shows the
    notebook, else in this machine's. Never shortens the run.
    """
    client = open_client()
    moment = actions.read_until(client, time)
    return _told("until", actions.until(client, moment), moment.remark)


def off() -> State:
    """Switch auto-stop off: the instance runs, and bills, until somebody stops it."""
    return _told("off", actions.off(open_client()))


def on(duration: str | timedelta | None = None, *, seconds: int | None = None) -> State:
    """Switch auto-stop on; `duration` or `seconds`, 1 h to 24 h, is the running time from each start."""
    length = None if duration is None and seconds is None else _length(duration, seconds, actions.RUN_LENGTHS)
    return _told("on", actions.on(open_client(), length))


def describe(text: str) -> State:
    """Change the instance's description; "" clears it."""
    return _told("describe", actions.describe(open_client(), text))


def holds() -> list[dict[str, Any]]:
    """Return what keeps this run going, each with its `id`, `until` (epoch ms), owner and reason."""
    state = open_client().instance()
    return ShownList(state["holds"], hold_lines(state))


def end(hold_id: str | None = None) -> State:
    """End a hold before its time: the only one, or the one whose id begins so; `end("extension")` ends an extension.

    The run then stops at ModelArts' own time, or after this site's grace where that has passed.
    """
    return _told("end", actions.end(open_client(), hold_id))


def stop(*, yes: bool = False) -> State | None:
    """Stop the instance now. Asks first; `yes=True` has answered already. Returns `None` if the answer is no.

    Raises `ClientError` where no person can be asked.
    """
    state = actions.stop(open_client(), None if yes else lambda question: ask(question, "Write stop(yes=True)."))
    return None if state is None else _told("stop", state)


def journal(last: int | None = None) -> list[dict[str, Any]]:
    """Return what was changed, when (epoch ms), by which means and with what result, oldest first.

    `last` leaves out all but the newest so many.
    """
    entries = latest(open_client().journal()["entries"], last)
    return ShownList(entries, [journal_line(entry) for entry in entries] or [NO_JOURNAL])


def doctor() -> list[dict[str, Any]]:
    """Return each check of what this needs to work: its name, whether it is `ok`, and what to do if not."""
    checks = open_client().doctor()["checks"]
    return ShownList(checks, doctor_lines(checks))
