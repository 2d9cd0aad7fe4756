"""Trying out a folder, and finding the installed front end. Blocking: to be called beside the event loop."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from jupyter_core.paths import jupyter_data_dir, jupyter_path

_TRIAL = b"jupyter_autostop was here"


def try_folder(folder: Path) -> str:
    """Return why what must outlive a restart cannot be kept in `folder`; empty if it can.

    Tried: making it, writing through to the disk, writing in place, and replacing a file in one step. Object
    storage that looks like a folder often fails one of these.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=".autostop-trial-", dir=folder)
        try:
            with os.fdopen(descriptor, "r+b") as file:
                file.write(b"\0" * len(_TRIAL))
                file.flush()
                os.fsync(descriptor)
                file.seek(0)
                file.write(_TRIAL)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(f"{name}.moved")
            name = f"{name}.moved"
            if Path(name).read_bytes() != _TRIAL:
                return "does not give back what was written there"
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        return f"cannot be used ({error.strerror or error})"
    return ""


def record_places(state_dir: str) -> list[Path]:
    """Return the folders that may hold the keeper's record, the best first."""
    own = Path(jupyter_data_dir()) / "autostop"
    named = [Path(state_dir)] if state_dir else []
    return [*named, *(place for place in [own] if place not in named)]


def choose_place(state_dir: str, file_name: str) -> tuple[Path | None, str]:
    """Return the folder for the keeper's record, and why it is not the best one; no folder where none will do.

    One that has a record already is taken, whatever can be said of it: what is held must be found.
    """
    reasons: list[str] = []
    for place in record_places(state_dir):
        if (place / file_name).exists():
            return place, "; ".join(reasons)
        why = try_folder(place)
        if not why:
            return place, "; ".join(reasons)
        reasons.append(f"{place} {why}")
    return None, "; ".join(reasons)


def front_end_version() -> str | None:
    """Return the version of the labextension that JupyterLab will load, `None` where there is none or it is broken."""
    files = (Path(folder) / "jupyter-autostop" / "package.json" for folder in jupyter_path("labextensions"))
    # JupyterLab takes the first it finds.
    first = next((file for file in files if file.is_file()), None)
    try:
        return str(json.loads(first.read_text(encoding="utf-8"))["version"]) if first else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
