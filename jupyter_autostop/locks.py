"""Who may act on an instance now, and which servers are there: locks in the runtime folder of this machine.

`state_dir` may lie on object storage, which has no locks. A lock is the kernel's: it ends with its process, however
that ends. Blocking: to be called beside the event loop.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol, TypeVar

from jupyter_autostop.errors import UnavailableError

PATIENCE = 20.0
"""Seconds to wait for another server's operation; one that was suspended in the middle may hold the lock for ever."""
_T = TypeVar("_T")
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, descriptor: int) -> bool:
    """Tell whether an open file is still the one of that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


class Locks(Protocol):
    """The locks of one instance, as one server sees them."""

    me: str
    """This server's name."""

    def operation(self, first: Callable[[], _T]) -> AbstractAsyncContextManager[_T]:
        """Hold the instance's operation lock; raises `UnavailableError` where it cannot be had in time.

        `first` is called once it is held, beside the event loop, and what it returns is yielded.
        """

    async def present(self, server: str) -> bool:
        """Tell whether that server lives."""

    async def alone(self) -> bool:
        """Tell whether this is the only server of the instance."""

    async def close(self) -> None:
        """Let this server be seen gone."""


class FileLocks:
    """Locks on files in a folder of this machine's; made beside the event loop."""

    def __init__(self, folder: Path, instance_id: str, patience: float = PATIENCE) -> None:
        self._folder = folder
        self._stem = f"jupyter_autostop-{instance_id}"
        self._patience = patience
        self.me = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._presence: int | None = None
        self._operation: int | None = None
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._presence = self._hold_presence()

    def _hold_presence(self) -> int:
        """Return the held lock of this server: whoever looks just before it is held takes it, and removes the file."""
        path = self._file(self.me)
        while True:
            descriptor = os.open(path, _FLAGS, 0o600)
            if _try(descriptor) and _is_at(path, descriptor):
                return descriptor
            os.close(descriptor)

    def _file(self, server: str) -> Path:
        return self._folder / f"{self._stem}.server-{server}.lock"

    @asynccontextmanager
    async def operation(self, first: Callable[[], _T]) -> AsyncIterator[_T]:
        """Hold the operation lock meanwhile, and yield what `first` has returned."""
        gone = threading.Event()
        taking = asyncio.ensure_future(asyncio.to_thread(self._take, gone, first))
        try:
            descriptor, found = await asyncio.shield(taking)
        except asyncio.CancelledError:
            # Nobody is left to wait for: the thread ends at once, and a lock that it has had is let go of.
            gone.set()
            await asyncio.wait({taking})
            if taking.exception() is None:
                os.close(taking.result()[0])
            raise
        try:
            yield found
        finally:
            os.close(descriptor)  # which lets go of the lock

    def _take(self, gone: threading.Event, first: Callable[[], _T]) -> tuple[int, _T]:
        end = time.monotonic() + self._patience
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may have tidied up
        descriptor = os.open(self._folder / f"{self._stem}.keeper.lock", _FLAGS, 0o600)
        try:
            while not _try(descriptor):
                if gone.is_set() or time.monotonic() >= end:
                    raise UnavailableError(  # noqa: TRY301 - what is opened is closed below
                        "Another Jupyter server is changing this instance and does not come to an end.", code="busy"
                    )
                time.sleep(0.01)
            return descriptor, first()
        except BaseException:
            os.close(descriptor)
            raise

    async def present(self, server: str) -> bool:
        """Tell whether that server lives."""
        return server == self.me or await asyncio.to_thread(self._is_held, self._file(server))

    async def alone(self) -> bool:
        """Tell whether no other server of this instance lives; what dead ones left is removed."""
        return await asyncio.to_thread(self._is_alone)

    def _is_held(self, path: Path, *, clear: bool = False) -> bool:
        """Tell whether somebody holds a lock; `clear`: remove the file if nobody does, so that nobody will."""
        try:
            descriptor = os.open(path, _FLAGS & ~os.O_CREAT)
        except OSError:
            return False
        try:
            if not _try(descriptor):
                return True
            # While it is ours: a server that is just starting takes it after that, and sees that its file is gone.
            if clear and _is_at(path, descriptor):
                path.unlink(missing_ok=True)
            return False
        finally:
            os.close(descriptor)

    def _is_alone(self) -> bool:
        others = [path for path in self._folder.glob(f"{self._stem}.server-*.lock") if path != self._file(self.me)]
        held = [self._is_held(path, clear=True) for path in others]  # all, since what dead ones left is removed
        return not any(held)

    async def close(self) -> None:
        """Let this server be seen gone."""
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        if self._presence is not None:
            with suppress(OSError):
                self._file(self.me).unlink(missing_ok=True)
            os.close(self._presence)
            self._presence = None


class NoLocks:
    """Stands where there is no other server to keep out."""

    me = "me"

    @asynccontextmanager
    async def operation(self, first: Callable[[], _T]) -> AsyncIterator[_T]:
        """Let everybody act; no disk is asked, which is as missing as the other servers."""
        yield first()

    async def present(self, server: str) -> bool:
        """Tell of this one only."""
        return server == self.me

    async def alone(self) -> bool:
        """There is no other."""
        return True

    async def close(self) -> None:
        """There is nothing to let go of."""
