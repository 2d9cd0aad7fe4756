"""Whether the kernel or command that a hold belongs to still lives.

A kernel is judged by its own server, which knows of its restarts; once that server is gone, and for a command that
outlives it, by the process itself. What a kernel reports of its being busy or idle is asked of nobody: a cell that
waits for input or for a comm looks idle.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

from jupyter_autostop.errors import InvalidInputError, NotFoundError
from jupyter_autostop.locks import Locks
from jupyter_autostop.record import Hold, Owner
from jupyter_autostop.runtime import process_stat

_DEAD = {"Z", "X", "x"}


def birth(pid: int) -> str:
    """Return when a living process started, in the system's ticks; empty where there is none, or only its remains."""
    stat = process_stat(pid)
    return "" if not stat or stat[0] in _DEAD else "".join(stat[19:20])


class Kernels(Protocol):
    """The kernels of this server."""

    def process(self, kernel_id: str) -> int | None:
        """Return the process a kernel runs in now: 0 where it has none that can be seen, `None` for no such kernel."""


class NoKernels:
    """A server without kernels."""

    def process(self, kernel_id: str) -> int | None:  # noqa: ARG002 - none is known
        """Return that there is none."""
        return None


class Owners:
    """Tells who owns a hold, and whether the owner lives. `birth` is blocking; fakes come in by constructor."""

    def __init__(self, locks: Locks, kernels: Kernels) -> None:
        self._locks = locks
        self._kernels = kernels

    async def make(self, kernel_id: str | None, pid: int | None) -> Owner:
        """Return the owner that a wish names, or raise where there is none."""
        me = self._locks.me
        if kernel_id is not None:
            process = self._kernels.process(kernel_id)
            started = await self._birth(process) if process else ""
            if process is not None and (started or not process):
                return Owner("kernel", me, kernel_id, process, started)
            if pid is None:
                raise NotFoundError(
                    "This Jupyter server has no such kernel.",
                    code="kernel_not_found",
                    hint="Leave `kernel_id` out for a hold that does not end with a kernel.",
                )
            # A kernel of another server, which asks this one because its own does not have the extension.
        if pid is None:
            return Owner("person")
        started = await self._birth(pid)
        if not started:
            raise InvalidInputError(
                "There is no such process on this machine.",
                code="process_not_found",
                hint="`pid` is a process whose end ends the hold; leave it out for a hold of your own.",
            )
        return Owner("command" if kernel_id is None else "kernel", me, kernel_id, pid, started)

    async def gone(self, holds: tuple[Hold, ...]) -> list[str]:
        """Return the ids of the holds whose owner has ended, as far as this server may judge."""
        there: dict[str, bool] = {}
        ended = []
        for hold in holds:
            owner = hold.owner
            if owner.kind == "person":
                continue
            if owner.server not in there:
                there[owner.server] = await self._locks.present(owner.server)
            if await self._has_ended(owner, server_lives=there[owner.server]):
                ended.append(hold.id)
        return ended

    async def _has_ended(self, owner: Owner, *, server_lives: bool) -> bool:
        if owner.server == self._locks.me:
            process = None if owner.kernel_id is None else self._kernels.process(owner.kernel_id)
            # A restart gives the same kernel another process.
            if process is not None and process != owner.pid:
                return True
            if process == 0:
                return False
        elif server_lives:
            return False
        return owner.pid is None or not owner.started or await self._birth(owner.pid) != owner.started

    async def _birth(self, pid: int) -> str:
        return await asyncio.to_thread(birth, pid)
