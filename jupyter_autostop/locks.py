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


class _Taking:
    """A lock on its way from the thread that takes it to whoever asked for it, who may have gone away meanwhile."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._descriptor: int | None = None
        self.left = False

    def hand_over(self, descriptor: int, found: _T) -> tuple[int, _T]:
        """Return both; raises `UnavailableError` where nobody is left to have them."""
        with self._turn:
            if self.left:
                raise UnavailableError("Nobody waits for this any more.", code="busy")
            self._descriptor = descriptor
        return descriptor, found

    def leave(self) -> None:
        """Let go of a lock that was handed over, or is going to be."""
        with self._turn:
            self.left = True
            if self._descriptor is not None:
                os.close(self._descriptor)


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

    async def trouble(self) -> UnavailableError | None:
        """Return why the operation lock cannot be had at all, `None` where it can."""

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
        self._closed = False
        with suppress(OSError):  # told by whoever is to act; one that only looks needs no lock
            self._be_present()

    def _be_present(self) -> None:
        """Make the folder, which somebody may have tidied up, and hold this server's own lock in it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._presence is None and not self._closed:
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
        taking = _Taking()
        loop = asyncio.get_running_loop()
        try:
            descriptor, found = await loop.run_in_executor(None, self._take, taking, first)
        except asyncio.CancelledError:
            taking.leave()  # the thread may hang with its disk, and nobody waits for it
            raise
        try:
            yield found
        finally:
            os.close(descriptor)  # which lets go of the lock

    def _take(self, taking: _Taking, first: Callable[[], _T]) -> tuple[int, _T]:
        """Return the descriptor that holds the lock, and what `first` has returned, unless nobody is left to have it.

        Raises `UnavailableError`, and what `first` raises.
        """
        descriptor = self._opened()
        try:
            self._lock(descriptor, taking)
            return taking.hand_over(descriptor, first())
        except BaseException:
            os.close(descriptor)
            raise

    def _lock(self, descriptor: int, taking: _Taking) -> None:
        end = time.monotonic() + self._patience
        while not _try(descriptor):
            if taking.left or time.monotonic() >= end:
                raise UnavailableError(
                    "Another Jupyter server is changing this instance and does not come to an end.", code="busy"
                )
            time.sleep(0.01)

    def _opened(self) -> int:
        """Return the open file of the operation lock; what could not be made at the start is made now."""
        try:
            self._be_present()
            return os.open(self._folder / f"{self._stem}.keeper.lock", _FLAGS, 0o600)
        except OSError as error:
            why = f"{self._folder} cannot hold its locks ({error.strerror})"
            raise UnavailableError(
                f"This server cannot make sure that it acts alone: {why}.",
                code="lock_unusable",
                hint="Set JUPYTER_RUNTIME_DIR to a folder of yours, on a disk that is not full.",
            ) from None

    async def trouble(self) -> UnavailableError | None:
        """Return why the operation lock could not be had however long one waits."""
        return await asyncio.to_thread(self._trouble)

    def _trouble(self) -> UnavailableError | None:
        try:
            os.close(self._opened())
        except UnavailableError as error:
            return error
        return None

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
        self._closed = True
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

    async def trouble(self) -> None:
        """There is nothing to take."""

    async def close(self) -> None:
        """There is nothing to let go of."""
