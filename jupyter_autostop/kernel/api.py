"""The functions of `import jupyter_autostop as autostop`: each asks the server, waits for the answer and returns it.

They may be called in any thread and below a running event loop, which then waits as well. What the server or the
platform refuses is raised as `ClientError`, whose text says why; what was asked for wrongly as a `ValueError`.
"""

from __future__ import annotations

import warnings
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from jupyter_autostop import wishes
from jupyter_autostop.duration import DAY, LONGEST, DurationError
from jupyter_autostop.errors import ClientError
from jupyter_autostop.kernel.home import open_client
from jupyter_autostop.kernel.picture import ShownState
from jupyter_autostop.wishes import seconds_of
from jupyter_autostop.words import marked, report_text

if TYPE_CHECKING:
    from datetime import datetime

    from jupyter_autostop.kernel.panel import AutostopPanel
    from jupyter_autostop.state import State

_WIDGETS = 8
"""The version of ipywidgets from which on a widget can say itself what it shows."""


class NotDoneWarning(UserWarning):
    """What was asked for is not so in this run, though nothing failed: the platform applies it later or not at all."""


class MissingWidgetsError(ClientError):
    """The panel needs ipywidgets, which this kernel's environment has not."""

    default_code = "no_widgets"


def panel_class() -> type[AutostopPanel]:
    """Return the class of the panel, loading ipywidgets; raises `MissingWidgetsError` where that is missing."""
    try:
        from ipywidgets import __version__ as version  # noqa: PLC0415 - takes long to load, and may be missing
    except ImportError:
        version = ""
    if not version or int(version.partition(".")[0]) < _WIDGETS:
        raise MissingWidgetsError(
            f"The panel needs ipywidgets {_WIDGETS} or newer in this kernel's environment.",
            hint="Install it there (pip install ipywidgets) and restart the kernel; %autostop status and the other "
            "commands work without it.",
        )
    from jupyter_autostop.kernel.panel import AutostopPanel  # noqa: PLC0415 - as above

    return AutostopPanel


def _shown(state: State, remark: str = "") -> State:
    return cast("State", ShownState(state, remark))


def _told(wish: str, state: State, remark: str = "") -> State:
    """Return the State; whoever does not look at it is warned if what was asked for is not so."""
    if not wishes.is_so(wish, state):
        warnings.warn(marked(report_text(state), emulated=state["emulated"]), NotDoneWarning, stacklevel=3)
    return _shown(state, remark)


def panel() -> AutostopPanel:
    """Return a panel to see and move the stop time with, an ipywidgets widget; it works while a cell runs."""
    return panel_class()()


def status() -> State:
    """Return the State: when this instance stops, who sees to it, and what is known of it."""
    return _shown(wishes.status(open_client()))


def extend(by: str | timedelta | None = None, *, seconds: int | None = None) -> State:
    """Let this run last longer: `extend("2h")`, "30 minutes", "1h30", "1:30", "1.5h", a timedelta, or `seconds=3600`.

    Warns with `NotDoneWarning` where this run still stops when it did.
    """
    longer = _length(by, seconds)
    return _told("extend", wishes.extend(open_client(), longer))


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
    moment = wishes.read_until(client, time)
    return _told("until", wishes.until(client, moment), moment.remark)


def off() -> State:
    """Switch auto-stop off: the instance runs, and bills, until somebody stops it."""
    return _told("off", wishes.off(open_client()))


def on(duration: str | timedelta | None = None, *, seconds: int | None = None) -> State:
    """Switch auto-stop on; `duration` or `seconds`, 1 h to 24 h, is the running time from each start."""
    length = None if duration is None and seconds is None else _length(duration, seconds, wishes.RUN_LENGTHS)
    return _told("on", wishes.on(open_client(), length))


def describe(text: str) -> State:
    """Change the instance's description; "" clears it."""
    return _told("describe", wishes.describe(open_client(), text))
