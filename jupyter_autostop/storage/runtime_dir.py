"""The folder of Jupyter's runtime files. Standard library only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_autostop.disk import expand_user

if TYPE_CHECKING:
    from collections.abc import Mapping


def runtime_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of Jupyter's runtime files, also where nothing of Jupyter can be imported."""
    if environ.get("JUPYTER_RUNTIME_DIR"):
        return Path(environ["JUPYTER_RUNTIME_DIR"])
    try:
        from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 - only needed on this path
    except ImportError:
        data = Path(environ.get("XDG_DATA_HOME") or expand_user("~") / ".local" / "share") / "jupyter"
        return Path(environ.get("JUPYTER_DATA_DIR") or data) / "runtime"
    return Path(jupyter_runtime_dir())
