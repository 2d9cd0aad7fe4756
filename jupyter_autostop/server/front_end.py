"""Which front end JupyterLab will load. Blocking: to be called beside the event loop."""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_core.paths import jupyter_path

from jupyter_autostop.disk import is_file


def front_end_version() -> str | None:
    """Return the version of the labextension that JupyterLab will load, `None` where there is none or it is broken."""
    files = (Path(folder) / "jupyter-autostop" / "package.json" for folder in jupyter_path("labextensions"))
    # JupyterLab takes the first it finds.
    first = next((file for file in files if is_file(file)), None)
    try:
        return str(json.loads(first.read_text(encoding="utf-8"))["version"]) if first else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
