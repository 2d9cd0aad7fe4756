"""Which instance is this, and where is its cloud? What is not set is found out from where this server runs.

Source: the documented notebook URLs (`…/<uuid>/lab`, `…/notebook/user/DE-<uuid>`), the host name `notebook-<uuid>`, and
the variables that public code reads inside an instance. A guess is confirmed by the read that precedes every write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_UUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_SEGMENT = re.compile(rf"(?:DE-)?{_UUID}")
_HOST = re.compile(rf"notebook-({_UUID})(?:[.-].*)?")


@dataclass(frozen=True)
class Found:
    """A value, and in a few words where it comes from (empty: nowhere)."""

    value: str = ""
    source: str = ""
    guessed: bool = False
    """Whether it is only likely, and so has to be confirmed by a look before anything is sent to it."""


def has_an_ids_form(value: str) -> bool:
    """Return whether a value looks like the ids that the platform gives."""
    return bool(_SEGMENT.fullmatch(value))


def find_instance_id(setting: str, base_url: str, host_name: str) -> Found:
    """Return the instance's id: the setting, else a part of the server's address, else the host name's."""
    if setting:
        return Found(setting, "the setting instance_id")
    for segment in base_url.split("/"):
        if _SEGMENT.fullmatch(segment):
            return Found(segment, "this server's base_url", guessed=True)
    host = _HOST.fullmatch(host_name)
    return Found(host[1], "this machine's host name", guessed=True) if host else Found()


def find_variable(setting: str, name: str, environ: Mapping[str, str], *variables: str) -> Found:
    """Return a setting, else the first of the instance's own variables that is set."""
    if setting:
        return Found(setting, f"the setting {name}")
    for variable in variables:
        if value := environ.get(variable, "").strip():
            return Found(value, f"the variable {variable}")
    return Found()
