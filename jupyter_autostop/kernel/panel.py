"""`AutostopPanel`: an ipywidgets widget whose view is the front end's own card, which speaks to the server itself.

This is the contract with the front end (`labextension/`), which closes over its one model:

*Shown at top level*, the panel is `application/vnd.jupyter-autostop.panel+json` with
`{"version": 1, "model_id": str | null}`, beside `text/html` and `text/plain`, and no widget-view. The front end renders
that type by itself, without a kernel, and hides the card once the comm `model_id` closes. A kernel without ipywidgets
sends `{"version": 1, "model_id": null, "widget": false}` instead (`plain_panel.py`).

*Inside a container* (any `ipywidgets.Box`), the container's bundle gets the same type beside its own widget-view, with
`{"version": 1, "model_id": <the first panel's>, "container": <the container's model_id>}`. The front end shows a card
and the stock renderer for the bundle; once the latter fills, the card hides.

*The widget* is an `ipywidgets.HTML` whose `value` is the picture, of a version of ipywidgets' controls that only the
front end registers (`MODULE_VERSION`, which counts the versions of this contract). Where the front end is missing, as
in exported HTML or VS Code, the widget is ipywidgets' own HTML widget and shows the picture, in containers too. A
module of another name would be asked for at a public CDN, where the project owns no name.
Synced traits besides, all written by the page and never by the kernel once the comm is open:

    state      the State as the server's JSON has it, without `server_time`; {} where it was never read
    version    state["version"], "" where there is none
    deadline, auto_stop, holds, problem    the parts of the State of those names; null, null, [] and null where missing

The page writes all six in one update, when `version` or `problem` changed, and only while the kernel is idle. An update
of `state` alone is enough for the kernel, which then works out the others and sends them back.
"""

from __future__ import annotations

from typing import Any

import ipywidgets
from traitlets import Dict, List, Unicode, observe

from jupyter_autostop.kernel.context import shell
from jupyter_autostop.kernel.display import Picture, ShownOnce
from jupyter_autostop.kernel.plain_panel import CONTRACT, MIME_TYPE, look, picture, picture_of
from jupyter_autostop.state import State

_FOLLOWS = {"sync": True, "echo_update": False}
"""Other pages read the State themselves; an echo would only be one more message of the kernel."""
MODULE_VERSION = f"^2.0.0 || 2.999.0-autostop.{CONTRACT}"
"""Of ipywidgets' controls: its own, or before those the one that the front end registers."""


class AutostopPanel(ShownOnce, ipywidgets.HTML):
    """The stop time of this instance, with buttons that work while a cell runs.

    `state` and its parts `deadline`, `auto_stop`, `holds`, `problem` and `version` follow whenever the kernel is idle,
    and can be observed: `panel.observe(print, "deadline")`.
    """

    _model_module_version = Unicode(MODULE_VERSION).tag(sync=True)
    _view_module_version = Unicode(MODULE_VERSION).tag(sync=True)
    state = Dict(help="The State, without server_time").tag(**_FOLLOWS)
    version = Unicode(help="The version of the State").tag(**_FOLLOWS)
    deadline: Any = Dict(default_value=None, allow_none=True, help="When this run stops, and who sees to it").tag(
        **_FOLLOWS
    )
    auto_stop: Any = Dict(default_value=None, allow_none=True, help="What the platform last said of auto-stop").tag(
        **_FOLLOWS
    )
    holds: List[Any] = List(help="What keeps this run going").tag(**_FOLLOWS)
    problem: Any = Dict(default_value=None, allow_none=True, help="Why the State is stale or unknown").tag(**_FOLLOWS)

    def __init__(self, **more: Any) -> None:
        if "state" not in more:
            seen, problem = look()
            more["state"] = {} if seen is None else _without_time(seen)
            if problem:
                more["problem"] = problem
            more.setdefault("value", picture_of(seen, problem).html)
        _install_for_containers()
        super().__init__(**more)

    @observe("state")
    def _take_apart(self, _change: Any) -> None:
        state = self.state
        if not state:
            return  # never read, and `problem` says why
        self.version = state.get("version") or ""
        self.deadline = state.get("deadline")
        self.auto_stop = state.get("auto_stop")
        self.holds = state.get("holds") or []
        self.problem = state.get("problem")

    def picture(self) -> Picture:
        """Return a plain picture of the state now, for where there are no buttons."""
        return picture()

    def __repr__(self) -> str:
        if self.comm is None:
            return "AutostopPanel(closed)"
        deadline = self.deadline
        return f"AutostopPanel(stop_timestamp={deadline['stop_timestamp'] if deadline else None})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        picture = self.picture()
        return {
            "text/plain": picture.text,
            "text/html": picture.html,
            MIME_TYPE: {"version": CONTRACT, "model_id": self.model_id},
        }


def _without_time(state: State) -> dict[str, Any]:
    return {key: value for key, value in state.items() if key != "server_time"}


def _first_panel(widget: ipywidgets.Widget) -> AutostopPanel | None:
    """Return the first panel among a container's children and theirs."""
    waiting, seen = [widget], set()
    while waiting:
        at = waiting.pop(0)
        if isinstance(at, AutostopPanel) and at.comm is not None:
            return at
        if isinstance(at, ipywidgets.Box) and id(at) not in seen:
            seen.add(id(at))
            waiting[:0] = at.children
    return None


def _container_bundle(box: ipywidgets.Box) -> dict[str, Any] | None:
    """Return what a container shows; for one with a panel, what shows it also after a reload and without a kernel."""
    own = box._repr_mimebundle_  # None once it is closed
    bundle: dict[str, Any] | None = own() if own else None
    panel = _first_panel(box)
    if bundle is None or panel is None:
        return bundle
    picture = panel.picture()
    return {
        **bundle,
        "text/plain": f"{bundle['text/plain']}\n{picture.text}",
        "text/html": picture.html,
        MIME_TYPE: {"version": CONTRACT, "model_id": panel.model_id, "container": box.model_id},
    }


def _install_for_containers() -> None:
    """Let a container that holds a panel say so when it is displayed."""
    ipython = shell()
    if ipython is not None:
        ipython.display_formatter.mimebundle_formatter.for_type(ipywidgets.Box, _container_bundle)
