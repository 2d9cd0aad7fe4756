"""The stop time of a cloud notebook instance, inside Jupyter: see it, move it, switch it off.

Importing this costs next to nothing; every public name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "AutostopApp": "jupyter_autostop.server.app",
    "AutostopError": "jupyter_autostop.errors",
    "AutostopService": "jupyter_autostop.service",
    "State": "jupyter_autostop.state",
}

__all__ = [*_PUBLIC, "__version__"]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("jupyter_autostop")
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the front end lies."""
    return [{"src": "labextension", "dest": "jupyter-autostop"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell the Jupyter server what to load."""
    app = import_module("jupyter_autostop.server.app")
    return [{"module": "jupyter_autostop.server.app", "app": app.AutostopApp}]
