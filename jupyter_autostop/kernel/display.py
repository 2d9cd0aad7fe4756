"""The State as a picture: dated, since it does not move, and the same facts as text and as HTML.

Names, descriptions and reasons are other people's text: escaped in HTML, on one line and without control characters.
"""

from __future__ import annotations

from datetime import timedelta, timezone
from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_autostop.client.reader_zone import reader_zone
from jupyter_autostop.client.rendering import report_lines
from jupyter_autostop.foreign_text import printable
from jupyter_autostop.kernel.context import shell
from jupyter_autostop.times.zones import machine_zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jupyter_autostop.state import State
    from jupyter_autostop.times.zones import Zone

HOW_TO = ("%load_ext jupyter_autostop", "%autostop extend 2h", "%autostop until 18:00", "%autostop off")
"""What to write in a cell where there are no buttons."""
UNASKED = "It is not known when this instance stops."


def dated(ms: int, zone: Zone | None = None) -> str:
    """Write a moment (epoch ms) so that it is clear for ever: `2026-11-24 16:00:00 UTC+08:00`."""
    zone = zone or machine_zone()
    offset = timezone(timedelta(seconds=zone.offset(ms // 1000)))
    return f"{zone.local(ms / 1000):%Y-%m-%d %H:%M:%S} {offset}"


def _named(state: State) -> str:
    instance = state["instance"] or {}
    parts = (str(instance.get(key) or "") for key in ("name", "description"))
    return printable(": ".join(part for part in parts if part))


def paragraph(lines: Sequence[str]) -> str:
    """Return lines of plain text as HTML, the first one strong."""
    first, *rest = (escape(line) for line in lines)
    return "<p>" + "<br>".join([f"<strong>{first}</strong>", *rest]) + "</p>"


def _small(text: str) -> str:
    return f"<p><small>{escape(text)}</small></p>"


def state_html(state: State, remark: str = "") -> str:
    """Return what is so, of which instance, and as of when; `remark` is how what was asked for was read."""
    named = _named(state)
    small = f"{named}. " if named else ""
    return paragraph([*report_lines(state), *([remark] if remark else [])]) + _small(
        f"{small}As of {dated(state['server_time'], reader_zone(state))}."
    )


class Picture:
    """Something to show in a cell: lines of text, and the same as HTML."""

    def __init__(self, lines: Sequence[str], html: str | None = None) -> None:
        self.text = "\n".join(lines)
        self.html = paragraph(lines) if html is None else html

    @classmethod
    def of_text(cls, text: str) -> Picture:
        """Return a picture of a text whose lines and columns are to stay as they are."""
        return cls(text.splitlines(), f"<pre>{escape(text)}</pre>")

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/plain": self.text, "text/html": self.html}


def state_picture(state: State, remark: str = "") -> Picture:
    """Return the picture that `%autostop status` and the other commands show, and how what was asked for was read."""
    return Picture([*report_lines(state), *([remark] if remark else [])], state_html(state, remark))


def panel_picture(state: State | None, problem: str, now: int, note: str = "") -> Picture:
    """Return what stands for a panel where there are no buttons; without a State, `problem` says why.

    `now` (epoch ms) is this machine's, which dates what no platform has told; `note` is a last line.
    """
    seen = dated(now) if state is None else dated(state["server_time"], reader_zone(state))
    date = f"As of {seen}; this picture does not move."
    how = f"To change it, write in a cell: {HOW_TO[0]} and then {', '.join(HOW_TO[1:])}."
    small = [line for line in (date, how, note) if line]
    if state is None:
        lines = [f"{UNASKED} {problem}".rstrip()]
    else:
        lines = report_lines({**state, "outcome": None})
        lines += [name] if (name := _named(state)) else []
    return Picture([*lines, *small], paragraph(lines) + "".join(map(_small, small)))


class ShownOnce:
    """What a magic has shown in its place and returns as well, so that its cell must not show it a second time."""

    _shown_by: int | None = None

    def note_shown(self, cell: int) -> None:
        """Remember by which cell, by its number, this was shown."""
        self._shown_by = cell

    def _ipython_display_(self) -> None:
        """Show nothing once, at the end of that cell; otherwise leave it to the other representations."""
        ipython = shell()
        shown_by, self._shown_by = self._shown_by, None
        if ipython is None or shown_by is None or ipython.execution_count != shown_by:
            raise NotImplementedError


class ShownList(ShownOnce, list):  # type: ignore[type-arg]  # whatever its items are
    """A list that a cell shows in lines of text."""

    def __init__(self, items: Sequence[Any], lines: Sequence[str]) -> None:
        super().__init__(items)
        self.lines = list(lines)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - IPython's, for it is in no other
        printer.text("\n".join(self.lines))

    def _repr_html_(self) -> str:
        return paragraph(self.lines)


class ShownState(ShownOnce, dict):  # type: ignore[type-arg]  # a State at run time is a plain dict
    """A State that a cell shows in words; its keys can be read as attributes, too.

    `remark` says how what was asked for was read.
    """

    def __init__(self, state: Any, remark: str = "") -> None:
        super().__init__(state)
        self.remark = remark

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"A State has no “{name}”; it has {', '.join(self)}.") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def _picture(self) -> Picture:
        state: Any = self
        return state_picture(state, self.remark)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:  # noqa: ARG002 - IPython's, for a State is in no other
        printer.text(self._picture().text)

    def _repr_html_(self) -> str:
        return self._picture().html
