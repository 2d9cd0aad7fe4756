"""The stop time of a cloud notebook instance, inside Jupyter: see it, move it, switch it off.

Importing this costs next to nothing; every public name is loaded when it is first used.
"""

from __future__ import annotations

import sys
from importlib import import_module

TYPE_CHECKING = False  # as typing's, which would take half the time of importing this
if TYPE_CHECKING:
    from typing import Any

    from jupyter_autostop.errors import AutostopError as AutostopError
    from jupyter_autostop.errors import ClientError as ClientError
    from jupyter_autostop.kernel.api import NotDoneWarning as NotDoneWarning
    from jupyter_autostop.kernel.api import describe as describe
    from jupyter_autostop.kernel.api import doctor as doctor
    from jupyter_autostop.kernel.api import end as end
    from jupyter_autostop.kernel.api import extend as extend
    from jupyter_autostop.kernel.api import holds as holds
    from jupyter_autostop.kernel.api import journal as journal
    from jupyter_autostop.kernel.api import off as off
    from jupyter_autostop.kernel.api import on as on
    from jupyter_autostop.kernel.api import panel as panel
    from jupyter_autostop.kernel.api import status as status
    from jupyter_autostop.kernel.api import stop as stop
    from jupyter_autostop.kernel.api import until as until
    from jupyter_autostop.kernel.hold import hold as hold
    from jupyter_autostop.kernel.panel import AutostopPanel as AutostopPanel
    from jupyter_autostop.kernel.stop_soon import on_stop_soon as on_stop_soon
    from jupyter_autostop.server.app import AutostopApp as AutostopApp
    from jupyter_autostop.service.service import AutostopService as AutostopService
    from jupyter_autostop.state import State as State

_IN_KERNELS = {
    "AutostopError": "jupyter_autostop.errors",
    "ClientError": "jupyter_autostop.errors",
    "NotDoneWarning": "jupyter_autostop.kernel.api",
    "State": "jupyter_autostop.state",
    "describe": "jupyter_autostop.kernel.api",
    "doctor": "jupyter_autostop.kernel.api",
    "end": "jupyter_autostop.kernel.api",
    "holds": "jupyter_autostop.kernel.api",
    "journal": "jupyter_autostop.kernel.api",
    "stop": "jupyter_autostop.kernel.api",
    "extend": "jupyter_autostop.kernel.api",
    "hold": "jupyter_autostop.kernel.hold",
    "off": "jupyter_autostop.kernel.api",
    "on": "jupyter_autostop.kernel.api",
    "on_stop_soon": "jupyter_autostop.kernel.stop_soon",
    "panel": "jupyter_autostop.kernel.api",
    "status": "jupyter_autostop.kernel.api",
    "until": "jupyter_autostop.kernel.api",
}
_IN_SERVERS = {
    "AutostopApp": "jupyter_autostop.server.app",
    "AutostopService": "jupyter_autostop.service.service",
}
SERVER_PYTHON = (3, 10)
"""What the server's side needs; a kernel's manages with 3.9."""

# What `import *` brings is what a kernel can have without the server's dependencies.
__all__ = [*_IN_KERNELS]  # noqa: PLE0604 - the names are strings


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("jupyter_autostop")
    if name == "AutostopPanel":
        return import_module("jupyter_autostop.kernel.api").panel_class()
    where = _IN_KERNELS.get(name) or _IN_SERVERS.get(name)
    if where is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(where), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "AutostopPanel", "__version__"])


def load_ipython_extension(shell: Any) -> None:
    """Teach IPython `%autostop`: `%load_ext jupyter_autostop`."""
    import_module("jupyter_autostop.kernel.magics").load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """Let IPython forget it."""
    import_module("jupyter_autostop.kernel.magics").unload(shell)


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    """Tell JupyterLab where the front end lies."""
    return [{"src": "labextension", "dest": "jupyter-autostop"}]


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    """Tell the Jupyter server what to load."""
    if sys.version_info < SERVER_PYTHON:
        raise ImportError(  # which the server logs, and goes on without us
            "the server's side of jupyter_autostop needs Python 3.10 or newer; here it serves kernels only, beside a "
            "server of another environment"
        )
    app = import_module("jupyter_autostop.server.app")
    return [{"module": "jupyter_autostop.server.app", "app": app.AutostopApp}]
