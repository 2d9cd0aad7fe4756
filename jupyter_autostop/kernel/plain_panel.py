"""The panel of a kernel without ipywidgets: its MIME type, by which JupyterLab shows it, beside a plain picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jupyter_autostop.errors import ClientError
from jupyter_autostop.kernel.context import open_client
from jupyter_autostop.kernel.display import Picture, ShownOnce, panel_picture
from jupyter_autostop.times.clock import SystemClock

if TYPE_CHECKING:
    from jupyter_autostop.state import State

MIME_TYPE = "application/vnd.jupyter-autostop.panel+json"
CONTRACT = 1
"""The version of what the MIME type holds, which `panel.py` describes."""
WIDGETS = 8
"""The version of ipywidgets from which on a widget can say itself what it shows."""
WIDGET_ADDS = (
    f"With ipywidgets {WIDGETS} in this kernel's environment (pip install ipywidgets) the panel is a widget, too: it "
    "can stand in a VBox or Tab, and code can observe it."
)


def look() -> tuple[State | None, dict[str, str] | None]:
    """Return the State, or why there is none."""
    try:
        state: State = open_client().instance()
    except ClientError as error:
        return None, {"code": error.code, "message": error.message, "hint": error.hint}
    return state, None


def picture(note: str = "") -> Picture:
    """Return a plain picture of the state now, for where there are no buttons; `note` stands below it."""
    return picture_of(*look(), note)


def picture_of(seen: State | None, problem: dict[str, str] | None, note: str = "") -> Picture:
    """Return the same of what a look has told."""
    why = " ".join(problem[key] for key in ("message", "hint")) if problem else ""
    return panel_picture(seen, why, round(SystemClock().time() * 1000), note)


class PlainPanel(ShownOnce):
    """The stop time of this instance, to be shown by a cell; in JupyterLab with buttons, elsewhere as a picture."""

    def __repr__(self) -> str:
        return "<the panel; a widget with ipywidgets>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown = picture(WIDGET_ADDS)
        return {
            "text/plain": shown.text,
            "text/html": shown.html,
            MIME_TYPE: {"version": CONTRACT, "model_id": None, "widget": False},
        }
