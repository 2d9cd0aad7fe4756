"""Whether the kernel or command that a hold belongs to still lives.

A kernel is judged by its own server, which knows of its restarts; once that server is gone, and for a command that
outlives it, by the process itself. Not seen is not ended: without evidence a hold stays until its ceiling. What a
kernel reports of its being busy or idle is asked of nobody: a cell that waits for input or for a comm looks idle.
"""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from jupyter_autostop.domain.record import MOST_HOLDS, Hold, Owner, OwnerKind
from jupyter_autostop.errors import InvalidInputError, NotFoundError
from jupyter_autostop.process import pid_space, start_of
from jupyter_autostop.storage.locks import Locks
from jupyter_autostop.storage.work_lock import is_held

if TYPE_CHECKING:
    from jupyter_autostop.service.requests import HoldWish


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
    """Tells who owns a hold, and whether the owner lives. Fakes come in by constructor.

    `folder` is where the locks of processes lie that this server cannot see.
    """

    def __init__(self, locks: Locks, kernels: Kernels, folder: Path) -> None:
        self._locks = locks
        self._kernels = kernels
        self._folder = folder
        self._ended: deque[str] = deque(maxlen=MOST_HOLDS)

    async def make(self, wish: HoldWish) -> Owner:
        """Return the owner that a wish names, or raise where there is none."""
        me, kernel_id = self._locks.me, wish.kernel_id
        if kernel_id is not None:
            process = self._kernels.process(kernel_id)
            started = await self._start(process) if process else None
            if process is not None and started != "":
                return Owner("kernel", me, kernel_id, process, started or "")
            if wish.pid is None:
                raise NotFoundError(
                    "This Jupyter server has no such kernel.",
                    code="kernel_not_found",
                    hint="Leave `kernel_id` out for a hold that does not end with a kernel.",
                )
            # A kernel of another server, which asks this one because its own does not have the extension.
        if wish.pid is None:
            return Owner("person")
        return await self._of_process("command" if kernel_id is None else "kernel", wish, wish.pid)

    async def _of_process(self, kind: OwnerKind, wish: HoldWish, pid: int) -> Owner:
        """Return the owner by its process, or by its lock where a process id does not tell which one it is."""
        unseen = Owner(kind, self._locks.me, wish.kernel_id)
        if wish.pid_space in (None, await asyncio.to_thread(pid_space)):
            started = await self._start(pid)
            if started == "":
                raise InvalidInputError(
                    f"The process {pid}, for which this instance was to be held, has ended.",
                    code="process_not_found",
                    hint="Start it again.",
                )
            if started is None or wish.pid_started in (None, started):
                seen = Owner(kind, self._locks.me, wish.kernel_id, pid, started or "")
                if started is not None:
                    return seen
                unseen = seen
        if wish.lock is not None and await self._is_held(wish.lock):
            return Owner(kind, self._locks.me, wish.kernel_id, lock=wish.lock)
        return unseen

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
        self._ended.extend(ended)
        return ended

    def ended_with_owner(self, hold_id: str) -> bool:
        """Tell whether this server has seen a hold end with its owner, not long ago."""
        return hold_id in self._ended

    async def _has_ended(self, owner: Owner, *, server_lives: bool) -> bool:
        if owner.server == self._locks.me and owner.kernel_id is not None:
            process = self._kernels.process(owner.kernel_id)
            # A restart gives the same kernel another process.
            if process is not None and process != owner.pid:
                return True
            if owner.pid == 0:
                return process is None
        elif owner.server != self._locks.me and server_lives:
            return False
        if owner.lock:
            return await self._is_held(owner.lock) is False
        if not owner.pid:
            return False
        started = await self._start(owner.pid)
        return started == "" or (started is not None and owner.started not in ("", started))

    async def _start(self, pid: int) -> str | None:
        return await asyncio.to_thread(start_of, pid)

    async def _is_held(self, lock: str) -> bool | None:
        return await asyncio.to_thread(is_held, self._folder, lock)
