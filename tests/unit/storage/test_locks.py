"""Locks of this machine: one operation at a time, and a server that is gone is seen gone however it ended."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from lock_files import held_longer

from jupyter_autostop.errors import UnavailableError
from jupyter_autostop.storage.lock_holder import HANGS_AFTER, HangingError, StuckError, SuspendedError
from jupyter_autostop.storage.locks import FileLocks

HOLDER = """
import asyncio, sys
from pathlib import Path
from jupyter_autostop.storage.locks import FileLocks
locks = FileLocks(Path(sys.argv[1]), "DE-1")
async def hold():
    async with locks.operation(int):
        print(locks.me, flush=True)
        sys.stdin.read()
asyncio.run(hold())
"""


async def locks_in(folder: Path, instance: str = "DE-1", patience: float = 0.05) -> FileLocks:
    return await asyncio.to_thread(FileLocks, folder / "runtime", instance, patience)


async def test_one_operation_at_a_time(tmp_path: Path) -> None:
    """The second one is refused in time with a Retry-After; another instance's goes on; afterwards it is free."""
    first, second = await locks_in(tmp_path), await locks_in(tmp_path)
    other = await locks_in(tmp_path, "DE-2")
    async with first.operation(int):
        with pytest.raises(UnavailableError) as caught:
            async with second.operation(int):
                pass
        assert caught.value.code == "busy"
        async with other.operation(int):
            pass
    async with second.operation(int):
        pass


async def test_who_waits_gets_it(tmp_path: Path) -> None:
    """A lock that comes free within the patience is had; who goes away meanwhile leaves it free."""
    first, second = await locks_in(tmp_path), await locks_in(tmp_path, patience=30)

    async def act() -> str:
        async with second.operation(int):
            return "done"

    async with first.operation(int):
        waiting, leaving = asyncio.ensure_future(act()), asyncio.ensure_future(act())
        await asyncio.sleep(0.05)
        leaving.cancel()
    assert await waiting == "done"
    assert await act() == "done"


async def test_who_goes_away_does_not_wait_for_a_disk(tmp_path: Path) -> None:
    """What is done first hangs with its disk: nobody waits for it, and when it ends the lock is free."""
    first, second = await locks_in(tmp_path), await locks_in(tmp_path, patience=30)
    begun, goes_on = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        goes_on.wait(30)

    async def act() -> None:
        async with first.operation(hang):
            raise AssertionError("Nobody is there to have it.")

    acting = asyncio.ensure_future(act())
    await asyncio.to_thread(begun.wait, 30)
    for _ in range(2):  # however often it is told
        acting.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await acting
    assert not goes_on.is_set()
    goes_on.set()
    async with second.operation(int):
        pass


async def test_who_goes_away_when_it_is_there_leaves_it_free(tmp_path: Path) -> None:
    """Cancelled just when the lock has come, before anybody had it."""
    first, second = await locks_in(tmp_path), await locks_in(tmp_path)
    taken = threading.Event()

    async def act() -> None:
        async with first.operation(taken.set):
            await asyncio.sleep(30)

    for _ in range(20):
        taken.clear()
        acting = asyncio.ensure_future(act())
        await asyncio.sleep(0)
        taken.wait(30)  # holding the loop up, so that the thread is done before anybody hears of it
        acting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await acting
        async with second.operation(int):
            pass


async def test_what_fails_first_leaves_it_free(tmp_path: Path) -> None:
    """An error of what is done first is told, and keeps nobody out."""
    locks = await locks_in(tmp_path)
    with pytest.raises(ZeroDivisionError):
        async with locks.operation(lambda: 1 // 0):
            pass
    async with locks.operation(lambda: 7) as found:
        assert found == 7


@pytest.mark.parametrize("trouble", ["no folder", "a link", "a folder"])
async def test_a_place_that_cannot_be_used_is_said(trouble: str, tmp_path: Path) -> None:
    """Nobody acts without the lock; once the place is good, the same server does."""
    runtime = tmp_path / "runtime"
    lock = runtime / "jupyter_autostop-DE-1.keeper.lock"
    if trouble == "no folder":
        runtime.write_text("", encoding="utf-8")
    else:
        runtime.mkdir()
        if trouble == "a link":
            lock.symlink_to(tmp_path / "elsewhere")
        else:
            lock.mkdir()
    locks = await locks_in(tmp_path)
    with pytest.raises(UnavailableError, match="cannot hold its locks") as caught:
        async with locks.operation(int):
            pass
    assert caught.value.code == "lock_unusable"
    assert (await locks.trouble()).message == caught.value.message
    if trouble == "a folder":
        lock.rmdir()
    else:
        (runtime if trouble == "no folder" else lock).unlink()
    async with locks.operation(int):
        assert (await asyncio.to_thread(lambda: sorted(path.name for path in runtime.iterdir())))[1:]
    assert await locks.trouble() is None
    await locks.close()
    assert [path.name for path in runtime.iterdir()] == [lock.name]


async def test_presence(tmp_path: Path) -> None:
    """A server is there until it closes, and knows whether it is the only one."""
    first, second = await locks_in(tmp_path), await locks_in(tmp_path)
    assert await first.present(second.me)
    assert await first.present(first.me)
    assert not await first.present("1-unheard-of")
    assert not await first.alone()
    await second.close()
    assert not await first.present(second.me)
    assert await first.alone()


async def test_a_killed_server_is_gone(tmp_path: Path) -> None:
    """SIGKILL frees both of its locks, and what it left behind is removed."""
    locks = await locks_in(tmp_path)
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "runtime")]
    process = await asyncio.to_thread(
        subprocess.Popen, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        name = (await asyncio.to_thread(process.stdout.readline)).strip()
        assert await locks.present(name)
        with pytest.raises(UnavailableError):
            async with locks.operation(int):
                pass
        process.kill()
        await asyncio.to_thread(process.wait)
    assert not await locks.present(name)
    assert await locks.alone()
    async with locks.operation(int):
        pass
    left = sorted(path.name for path in await asyncio.to_thread(lambda: list((tmp_path / "runtime").iterdir())))
    assert left == ["jupyter_autostop-DE-1.keeper.lock", f"jupyter_autostop-DE-1.server-{locks.me}.lock"]


@asynccontextmanager
async def another_server(folder: Path) -> AsyncIterator[tuple[subprocess.Popen[str], str]]:
    """Run one that is in the middle of an operation, until it is killed; yields its process and its name."""
    command = [sys.executable, "-c", HOLDER, str(folder / "runtime")]
    process = await asyncio.to_thread(
        subprocess.Popen, command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield process, (await asyncio.to_thread(process.stdout.readline)).strip()
        finally:
            process.kill()


async def is_busy(locks: FileLocks) -> UnavailableError:
    with pytest.raises(UnavailableError) as caught:
        async with locks.operation(int):
            pass
    assert caught.value.code == "busy"
    return caught.value


async def test_who_is_busy_is_named(tmp_path: Path) -> None:
    """By its process; where it is suspended that is said, with what wakes it."""
    locks = await locks_in(tmp_path)
    async with another_server(tmp_path) as (process, _):
        busy = await is_busy(locks)
        assert not isinstance(busy, StuckError)
        assert busy.message.startswith(f"Another Jupyter server (process {process.pid}) has been changing this")
        assert f"kill {process.pid}" in busy.hint
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WSTOPPED)
        busy = await is_busy(locks)
        assert isinstance(busy, SuspendedError)
        assert f"kill -CONT {process.pid}" in busy.hint


async def test_who_hangs_is_told_from_who_is_slow(tmp_path: Path) -> None:
    """By how long it has held the lock, which it has written there."""
    locks = await locks_in(tmp_path)
    async with another_server(tmp_path) as (process, _):
        for longer, hangs in ((HANGS_AFTER - 60, False), (121, True)):
            held_longer(tmp_path / "runtime", longer)
            busy = await is_busy(locks)
            assert isinstance(busy, HangingError) is hangs
        assert busy.message.startswith(f"Another Jupyter server (process {process.pid}) began to change this instance ")
        assert re.search(r" 6 min( [0-9]+ s)? ago, and hangs[.]$", busy.message)
        assert f"kill -KILL {process.pid}" in busy.hint


async def test_a_lock_that_cannot_be_signed_bears_no_other_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves whoever holds it unnamed, and nobody takes the one before for it."""
    first, second = await locks_in(tmp_path), await locks_in(tmp_path)
    async with first.operation(int):
        pass

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    async with first.operation(int):
        assert "process" not in (await is_busy(second)).message
    # Where not even the old name can be taken away, the lock is had all the same, and let go.
    monkeypatch.setattr(os, "ftruncate", full)
    for locks in (first, second):
        async with locks.operation(int):
            pass


EMPTYINGS = ["removed", "replaced", "one file removed", "files replaced"]


def disturb(runtime: Path, how: str) -> None:
    """Do to the runtime folder what tidying up does."""
    names = [path.name for path in runtime.iterdir()]
    if how == "one file removed":
        for path in runtime.glob("*.lock"):
            path.unlink()
        return
    shutil.rmtree(runtime)
    if how != "removed":
        runtime.mkdir()
    if how == "files replaced":
        for name in names:
            (runtime / name).write_text("", encoding="utf-8")


@pytest.mark.parametrize("how", EMPTYINGS)
async def test_an_emptied_folder_hides_no_server(how: str, tmp_path: Path) -> None:
    """It is present, this one is not alone, and its operation keeps out others: its process has the files open."""
    locks = await locks_in(tmp_path)
    async with another_server(tmp_path) as (process, name):
        await asyncio.to_thread(disturb, tmp_path / "runtime", how)
        assert await locks.present(name)
        assert not await locks.alone()
        assert f"(process {process.pid})" in (await is_busy(locks)).message
    assert not await locks.present(name)
    assert await locks.alone()
    async with locks.operation(int):
        pass


@pytest.mark.parametrize("how", EMPTYINGS)
async def test_a_server_is_seen_again_in_an_emptied_folder(how: str, tmp_path: Path) -> None:
    """Its file is made again; two servers of one process are known to each other by nothing else."""
    first, second = await locks_in(tmp_path), await locks_in(tmp_path)
    await asyncio.to_thread(disturb, tmp_path / "runtime", how)
    assert not await second.present(first.me)
    await first.stay()
    assert await second.present(first.me)
    await second.stay()
    assert not await first.alone()
    await first.close()
    await first.stay()
    assert not await second.present(first.me)
    assert await second.alone()


async def test_a_name_that_is_none_is_nobody(tmp_path: Path) -> None:
    """As a record may have it that others have written."""
    locks = await locks_in(tmp_path)
    for name in ("", "\0", "1-\0", "x", "9" * 400, "../../etc/passwd"):
        assert not await locks.present(name)
