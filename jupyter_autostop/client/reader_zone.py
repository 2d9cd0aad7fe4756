"""In which zone a reader's clock times are told and taken: the page's in a notebook, else this machine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_autostop.times.zones import ZoneError, machine_zone, named_zone, unknown_tz

if TYPE_CHECKING:
    from jupyter_autostop.state import State
    from jupyter_autostop.times.zones import Zone


def reader_zone(state: State) -> Zone:
    """Return the zone of the page that a State names, else this machine's."""
    return _page_zone(state) or machine_zone()


def whose_zone(state: State) -> str:
    """Say whose zone `reader_zone` is, where its reader may expect another one; empty: it is a terminal's own."""
    page = state.get("zone")
    if _page_zone(state):
        return f"Read in the time zone of the page, {page}."
    if "zone" not in state:
        return ""
    label = machine_zone().label(state["server_time"] // 1000)
    if page:
        why = f"The time zone of the page, {page}, cannot be looked up in this kernel's environment"
    else:
        why = "No open page tells its time zone"
    return f"{why}; read in this machine's, {label}. {tz_trouble()}".rstrip()


def tz_trouble() -> str:
    """Say that this machine's `TZ` is no zone, which the system itself never says; empty: it is one."""
    value = unknown_tz()
    if not value:
        return ""
    shown = "".join(char if char.isprintable() else "?" for char in value[:40])
    return (
        f"TZ={shown} is no time zone that this machine knows, so its times are UTC. Set one such as TZ=Asia/Shanghai."
    )


def _page_zone(state: State) -> Zone | None:
    name = state.get("zone")
    if not name:
        return None
    try:
        return named_zone(name)
    except ZoneError:
        return None
