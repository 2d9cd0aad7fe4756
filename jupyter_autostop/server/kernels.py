"""The processes of this server's kernels, whatever kernel manager it has, and the notebooks that they are of."""

from __future__ import annotations

from typing import Any

from tornado.web import HTTPError

from jupyter_autostop.label import label


class ServerKernels:
    """Asks a server's kernel manager; a restart of a kernel shows as another process."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager

    def process(self, kernel_id: str) -> int | None:
        """Return the process a kernel runs in now: 0 where it has none that can be seen, `None` for no such kernel."""
        if self._manager is None or kernel_id not in self._manager:
            return None
        # Kernels of a gateway, or of a provisioner of somebody's own, may run on another machine.
        provisioner = getattr(self._manager.get_kernel(kernel_id), "provisioner", None)
        process = getattr(provisioner, "process", None)
        pid = getattr(process, "pid", None)
        return pid if isinstance(pid, int) and pid > 0 else 0


async def notebook_of(sessions: Any, kernel_id: str) -> str:
    """Return what the notebook of a kernel is called now, by a server's session manager; empty where it has none."""
    if sessions is None:
        return ""
    try:
        session = await sessions.get_session(kernel_id=kernel_id)
    except HTTPError:  # of no session
        return ""
    return label(str(session.get("path") or "")) if session.get("type") == "notebook" else ""
