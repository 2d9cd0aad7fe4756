"""`jupyter autostop demo`: JupyterLab with an emulated instance, in a folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from pathlib import Path

EXAMPLE = Path(__file__).parent / "example.ipynb"
_PATIENCE = 60.0
"""Seconds that JupyterLab may take to listen."""


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> str | None:
    """Return the address in a server's runtime file once it is there, `None` if the server ended first."""
    pause = threading.Event()
    for _ in range(int(_PATIENCE / 0.1)):
        if process.poll() is not None:
            return None
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["url"])
        except (OSError, ValueError):
            pause.wait(0.1)  # not there yet, or half written
    return None


def _environment(folder: Path) -> dict[str, str]:
    """Return the environment of a JupyterLab that knows no settings of the user's and leaves none behind."""
    config = folder / "config"
    (config / "labconfig").mkdir(parents=True)
    # The news toast lies over the status bar, and a demo has no news.
    page = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(page), encoding="utf-8")
    return {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_AUTOSTOP_STATE_DIR": str(folder / "state"),
        "JUPYTER_AUTOSTOP_PLATFORM": "emulator",
    }
