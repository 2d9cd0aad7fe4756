"""Where this process is at home: its server, its kernel's id, and what it is called there."""

from __future__ import annotations

import os
import re
import sys
from pathlib import PurePosixPath
from typing import Any

from jupyter_autostop.client.client import LocalClient, connect_process
from jupyter_autostop.errors import ClientError
from jupyter_autostop.label import label
from jupyter_autostop.process import OwnProcess, claim

_CONNECTION_FILE = re.compile(r"kernel-([A-Za-z0-9_-]{1,64})\.json")
"""What has started the kernel calls it so: a Jupyter server by a UUID, VS Code by `v3` and a number."""
_FILE_IN_VSCODE = "__vsc_ipynb_file__"
"""VS Code puts the notebook's path into the kernel under this name."""
_PROCESS = OwnProcess()


def shell() -> Any:
    """Return the IPython that runs this code, `None` where there is none."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


def kernel_id() -> str | None:
    """Return the id under which this kernel was started, `None` where this is no kernel."""
    kernel_app = sys.modules.get("ipykernel.kernelapp")
    if kernel_app is None or not kernel_app.IPKernelApp.initialized():
        return None
    name = PurePosixPath(str(kernel_app.IPKernelApp.instance().connection_file)).name
    found = _CONNECTION_FILE.fullmatch(name)
    return found[1] if found else None


def running_cell() -> tuple[str, int] | None:
    """Return the id of the cell that runs and the number of this run of it, `None` where no front end tells it."""
    ipython = shell()
    if not hasattr(ipython, "get_parent"):  # a terminal's
        return None
    cell = (ipython.get_parent() or {}).get("metadata", {}).get("cellId")
    return (cell, ipython.execution_count) if isinstance(cell, str) and cell else None


def notebook_name() -> str | None:
    """Return the name of the notebook that this kernel was started for, where the front end or the server tells it."""
    ipython = shell()
    told = ipython.user_ns.get(_FILE_IN_VSCODE) if ipython else None
    return _notebook(told) if isinstance(told, str) else session_name()  # told, it is a path of the reader's own system


def session_name() -> str | None:
    """Return what the server called the notebook when it started this kernel; it may know another name by now."""
    return _notebook(os.environ.get("JPY_SESSION_NAME", ""))


def _notebook(path: str) -> str | None:
    name = label(path)
    return name if name.endswith(".ipynb") else None


def ask(question: str, way_out: str) -> bool:
    """Ask the person at this kernel or terminal; only a yes is one.

    Raises `ClientError`, with `way_out` as its hint, where no person can answer: in a notebook that a program runs, in
    a script.
    """
    in_kernel = getattr(shell(), "kernel", None) is not None
    if in_kernel or (sys.stdin and sys.stdin.isatty()):
        try:
            return input(f"{question} [y/N] ").strip().casefold() in ("y", "yes")
        except (EOFError, NotImplementedError):
            pass  # a terminal that is closed, a front end that takes no input
    raise ClientError(f"Cannot ask “{question}”: no person can answer here.", code="not_asked", hint=way_out)


def open_client() -> LocalClient:
    """Return a client of this process's server, or raise `ClientError` with one line that says why there is none."""
    return connect_process(kernel_id())


def owner() -> dict[str, Any]:
    """Return whose end ends a hold of ours: the kernel's, restarts included, and this process's."""
    kernel = kernel_id()
    process = claim(os.getpid())
    # A forked child of a kernel ends before the kernel does.
    return process if kernel is None or not _PROCESS.is_this() else {**process, "kernel_id": kernel}
