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
from jupyter_autostop.storage.lock_holder import Holder, sign, signed_by

PATIENCE = 20.0
"""Seconds to wait for another server's operation."""
STUCK_PATIENCE = 2.0
"""Seconds to wait for one of a server that hangs, or is suspended: by a debugger for a moment, or for ever."""
_PROCESSES = Path("/proc")
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


def _open_files(pid: int, start: str) -> list[tuple[str, os.stat_result]]:
    """Return the files that a process has open, with paths that begin so, those included that were removed since."""
    found = []
    with suppress(OSError):  # it has ended, or is another user's
        for link in (_PROCESSES / str(pid) / "fd").iterdir():
            with suppress(OSError):  # it has just been closed
                path = str(link.readlink()).removesuffix(" (deleted)")
                if path.startswith(start):
                    found.append((path, link.stat()))
    return found


def _other_processes() -> list[int]:
    """Return the ids of the other processes of this machine; none where the system does not list them."""
    try:
        pids = [int(path.name) for path in _PROCESSES.iterdir() if path.name.isdigit()]
    except OSError:
        return []
    return [pid for pid in pids if pid != os.getpid()]


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

    async def stay(self) -> None:
        """Let this server be seen here, also where its files have been removed meanwhile."""

    async def present(self, server: str) -> bool:
        """Tell whether that server lives."""

    async def alone(self) -> bool:
        """Tell whether this is the only server of the instance."""

    async def trouble(self) -> UnavailableError | None:
        """Return why the operation lock cannot be had at all, `None` where it can."""

    async def close(self) -> None:
        """Let this server be seen gone."""


class FileLocks:
    """Locks on files in a folder of this machine's; made beside the event loop.

    A folder may be emptied, moved or replaced while servers live. So that a file is missing is no proof that its
    server is gone: the second witness is the list of processes and of the files that they have open.
    """

    def __init__(self, folder: Path, instance_id: str, patience: float = PATIENCE) -> None:
        self._folder = Path(os.path.realpath(folder))
        self._stem = f"jupyter_autostop-{instance_id}"
        self._operation = self._folder / f"{self._stem}.keeper.lock"
        self._seen: os.stat_result | None = None
        """The operation lock's file, once it was seen that none of its name was held elsewhere."""
        self._patience = patience
        self.me = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._presence: int | None = None
        self._undisturbed = True
        """Whether this server's own file has been where it was made, whenever that was looked at."""
        self._closed = False
        with suppress(OSError):  # told by whoever is to act; one that only looks needs no lock
            self._be_present()

    def _be_present(self) -> None:
        """Make the folder, which somebody may have tidied up, and hold this server's own lock in it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._closed:
            return
        before = self._presence
        if before is not None and not _is_at(self._file(self.me), before):
            self._undisturbed = False
        elif before is not None:
            return
        self._presence = self._hold_presence()
        if before is not None:
            os.close(before)

    async def stay(self) -> None:
        """Make this server's own file again where it is gone, or another one lies in its place."""
        with suppress(OSError):  # told by `trouble`, and by each operation
            await asyncio.to_thread(self._be_present)

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
        descriptor = self._locked(taking)
        try:
            return taking.hand_over(descriptor, first())
        except BaseException:
            os.close(descriptor)
            raise

    def _locked(self, taking: _Taking) -> int:
        """Return the descriptor that holds the lock, or raise `UnavailableError`."""
        begun = time.monotonic()
        first: list[Holder] | None = None
        while True:
            descriptor = self._opened()
            free = _try(descriptor)
            holders = self._rivals(descriptor) if free else signed_by(descriptor)
            if free and not holders:
                sign(descriptor)
                return descriptor
            os.close(descriptor)
            waited = time.monotonic() - begun
            if taking.left:
                raise UnavailableError("This is not waited for any more.", code="busy")
            first = holders if first is None else first
            if waited >= min(STUCK_PATIENCE, self._patience):
                for stuck in (each.stuck() for each in holders if each in first):
                    if stuck:
                        raise stuck
            if waited >= self._patience:
                raise (
                    holders[0].busy()
                    if holders
                    else UnavailableError("Another Jupyter server is changing this instance.", code="busy")
                )
            time.sleep(0.01)

    def _rivals(self, descriptor: int) -> list[Holder]:
        """Return the processes that may hold a lock of this name that was removed or replaced, which keeps none out."""
        ours = os.fstat(descriptor)
        if self._seen is not None and os.path.samestat(self._seen, ours):
            return []  # it was looked for when this file was first met
        opened = {pid: _open_files(pid, str(self._operation)) for pid in _other_processes()}
        rivals = [
            Holder(pid) for pid, files in opened.items() if any(not os.path.samestat(ours, at) for _, at in files)
        ]
        if not rivals and _is_at(self._operation, descriptor):
            self._seen = ours
            return []
        return rivals or signed_by(descriptor) or [Holder(os.getpid())]

    def _opened(self) -> int:
        """Return the open file of the operation lock; what could not be made at the start is made now."""
        try:
            self._be_present()
            return os.open(self._operation, _FLAGS, 0o600)
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
        return server == self.me or await asyncio.to_thread(self._is_present, server)

    def _is_present(self, server: str) -> bool:
        path, pid = self._file(server), server.partition("-")[0]
        if self._is_held(path):
            return True
        return pid.isdecimal() and int(pid) != os.getpid() and bool(_open_files(int(pid), str(path)))

    async def alone(self) -> bool:
        """Tell whether no other server of this instance lives; what dead ones left is removed."""
        return await asyncio.to_thread(self._is_alone)

    def _is_held(self, path: Path, *, clear: bool = False) -> bool:
        """Tell whether somebody holds a lock; `clear`: remove the file if nobody does, so that nobody will."""
        try:
            descriptor = os.open(path, _FLAGS & ~os.O_CREAT)
        except (OSError, ValueError):  # no name at all is a name with NUL in it
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
        if any(held):
            return False
        if not _PROCESSES.is_dir():
            return self._undisturbed  # without the second witness a folder that was emptied proves nothing
        start = str(self._folder / f"{self._stem}.server-")
        return not any(_open_files(pid, start) for pid in _other_processes())

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

    async def stay(self) -> None:
        """There is nothing to be seen by."""

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
