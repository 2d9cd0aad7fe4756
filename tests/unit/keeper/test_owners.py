"""Who holds a run: kernels and commands are judged by their processes, and by the right server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import Ask

from jupyter_autostop.domain.record import Hold, Owner
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.errors import InvalidInputError, NotFoundError
from jupyter_autostop.keeper.owners import Owners
from jupyter_autostop.process import claim, pid_space, start_of
from jupyter_autostop.server.kernels import ServerKernels
from jupyter_autostop.service.requests import HoldWish, parse_hold
from jupyter_autostop.storage.work_lock import WorkLock

HOUR = 3_600_000


class FakeLocks:
    """Two servers: this one, and those that live."""

    me = "me"

    def __init__(self) -> None:
        self.living = {"me", "other"}

    async def present(self, server: str) -> bool:
        return server in self.living


class FakeKernels:
    """Kernels by id, each with its process."""

    def __init__(self, **kernels: int) -> None:
        self.kernels = kernels

    def process(self, kernel_id: str) -> int | None:
        return self.kernels.get(kernel_id)


NOWHERE = Path("/nowhere")


def judge(locks: FakeLocks | None = None, folder: Path = NOWHERE, **kernels: int) -> Owners:
    return Owners(locks or FakeLocks(), FakeKernels(**kernels), folder)


def wish(**asked: Any) -> HoldWish:
    return parse_hold({"until": 0, **asked})


def held(owner: Owner) -> tuple[Hold, ...]:
    return (Hold("one", 0, "restore", owner, 0),)


async def sleeper() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", "input()"]
    return await asyncio.to_thread(subprocess.Popen, command, stdin=subprocess.PIPE)


async def ended(process: subprocess.Popen[bytes], *, reaped: bool = True) -> None:
    process.kill()
    if reaped:
        await asyncio.to_thread(process.communicate)
    else:
        await asyncio.to_thread(os.waitid, os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)


@pytest.mark.parametrize("reaped", [True, False])
async def test_a_command_ends_with_its_process(reaped: bool) -> None:
    """A process that is gone, or whose remains nobody has fetched, holds nothing any more."""
    owners = judge()
    process = await sleeper()
    owner = await owners.make(wish(pid=process.pid))
    assert (owner.kind, owner.pid) == ("command", process.pid)
    assert await owners.gone(held(owner)) == []
    await ended(process, reaped=reaped)
    assert await owners.gone(held(owner)) == ["one"]
    await asyncio.to_thread(process.communicate)


async def test_a_process_id_used_again_is_another_process() -> None:
    """The same number with another start is not the owner."""
    owners = judge()
    assert await owners.gone(held(Owner("command", "me", pid=os.getpid(), started="1"))) == ["one"]
    mine = await asyncio.to_thread(start_of, os.getpid()) or ""
    assert await owners.gone(held(Owner("command", "me", pid=os.getpid(), started=mine))) == []


async def test_a_kernel_ends_with_its_process_and_its_restart() -> None:
    """A restart gives a kernel another process; a kernel that is shut down has none; a busy or idle one has its own."""
    kernels = FakeKernels(k=os.getpid())
    owners = Owners(FakeLocks(), kernels, NOWHERE)
    owner = await owners.make(wish(kernel_id="k"))
    assert await owners.gone(held(owner)) == []
    kernels.kernels["k"] = os.getppid()
    assert await owners.gone(held(owner)) == ["one"]
    kernels.kernels["k"] = 0
    assert await owners.gone(held(owner)) == ["one"]


async def test_a_kernel_on_another_machine_is_there_while_it_is_known() -> None:
    """A kernel whose process cannot be seen holds until the server knows it no more."""
    kernels = FakeKernels(k=0)
    owners = Owners(FakeLocks(), kernels, NOWHERE)
    owner = await owners.make(wish(kernel_id="k"))
    assert await owners.gone(held(owner)) == []
    del kernels.kernels["k"]
    assert await owners.gone(held(owner)) == ["one"]


async def test_another_servers_kernel_is_its_own_affair() -> None:
    """While its server lives nobody else judges it; after that its process does."""
    locks = FakeLocks()
    owners = judge(locks)
    mine = await asyncio.to_thread(start_of, os.getpid()) or ""
    living = Owner("kernel", "other", "k", os.getpid(), mine)
    dead = Owner("kernel", "other", "k", os.getpid(), "1")
    assert await owners.gone(held(dead)) == []
    locks.living = {"me"}
    assert await owners.gone(held(living)) == []
    assert await owners.gone(held(dead)) == ["one"]
    # A kernel of another machine may go on there.
    assert await owners.gone(held(Owner("kernel", "other", "k", 0))) == []


async def test_who_is_not_there_owns_nothing() -> None:
    """An unknown kernel is 404, an unknown process 400; a kernel of another server is known by its process."""
    owners = judge()
    with pytest.raises(NotFoundError) as kernel:
        await owners.make(wish(kernel_id="k"))
    assert kernel.value.code == "kernel_not_found"
    with pytest.raises(InvalidInputError) as process:
        await owners.make(wish(pid=2**31 - 1))
    assert process.value.code == "process_not_found"
    owner = await owners.make(wish(kernel_id="k", pid=os.getpid()))
    assert (owner.kind, owner.kernel_id, owner.pid) == ("kernel", "k", os.getpid())
    assert await owners.gone(held(owner)) == []


@pytest.mark.parametrize("kernel", [{}, {"kernel_id": "k"}])
async def test_a_process_id_of_another_namespace_is_not_looked_up(kernel: dict[str, str]) -> None:
    """It may be that of any process here, or of none: neither is a reason to end the hold, or to refuse it."""
    owners = judge()
    for pid in (os.getpid(), 2**31 - 1):
        owner = await owners.make(wish(pid=pid, pid_space="another pid:[1]", pid_started="1", **kernel))
        assert (owner.pid, owner.started) == (None, "")
        assert owner.shown()["seen"] == "no"
        assert await owners.gone(held(owner)) == []


async def test_another_start_is_another_process() -> None:
    """The id was used again, or the clocks of two time namespaces differ: it is not taken for the owner."""
    owners = judge()
    mine = await asyncio.to_thread(claim, os.getpid())
    seen = await owners.make(wish(**mine))
    assert (seen.pid, seen.shown()) == (os.getpid(), {"kind": "command"})
    other = await owners.make(wish(**{**mine, "pid_started": "1"}))
    assert other.shown() == {"kind": "command", "seen": "no"}


async def test_a_lock_stands_for_a_process_that_is_not_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hold lasts as long as the lock; a lock that has vanished with its folder proves nothing."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path))
    lock = await asyncio.to_thread(WorkLock.take, os.environ)
    lost = await asyncio.to_thread(WorkLock.take, os.environ)
    assert lock is not None
    assert lost is not None
    owners = judge(folder=tmp_path)
    there = {"pid": 1, "pid_space": "another pid:[1]"}
    owner = await owners.make(wish(**there, lock=lock.name))
    other = await owners.make(wish(**there, lock=lost.name))
    assert owner.shown() == {"kind": "command", "seen": "lock"}
    assert await owners.gone(held(owner)) == []
    await asyncio.to_thread(lost.remove)
    lock.let_go()
    assert await owners.gone(held(other)) == []
    assert await owners.gone(held(owner)) == ["one"]
    assert await owners.gone(held(owner)) == ["one"]  # until the end is on the disk
    # A lock that nobody holds here, as on a disk of another machine, vouches for nothing.
    assert (await owners.make(wish(**there, lock=lock.name))).shown()["seen"] == "no"
    assert (await owners.make(wish(**there, lock="0" * 32))).shown()["seen"] == "no"


async def test_a_lock_is_not_needed_where_the_process_is_seen(tmp_path: Path) -> None:
    """What ends is the process, whatever it has passed on to others."""
    process = await sleeper()
    owners = judge(folder=tmp_path)
    owner = await owners.make(wish(pid=process.pid, pid_space=await asyncio.to_thread(pid_space), lock="0" * 32))
    assert (owner.pid, owner.lock) == (process.pid, "")
    await ended(process)
    assert await owners.gone(held(owner)) == ["one"]


async def test_it_remembers_what_ended_with_its_owner() -> None:
    """So that whoever ends such a hold is not told that something else has."""
    owners = judge()
    assert not owners.ended_with_owner("one")
    await owners.gone(held(Owner("command", "me", pid=os.getpid(), started="1")))
    assert owners.ended_with_owner("one")


HIDDEN = """
import os, resource, sys
from pathlib import Path
from jupyter_autostop.process import start_of
pid, kind = int(sys.argv[1]), sys.argv[2]
if kind == "files":
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 64))
    kept = []
    try:
        while True:
            kept.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        pass
proc = Path("/proc")
if kind != "files":
    proc = Path(sys.argv[3])
    (proc / "self").symlink_to(str(os.getpid()) if kind != "foreign" else "1")
if kind == "no entry of it":
    pass
elif kind == "unreadable":
    (proc / str(pid)).symlink_to(str(pid))  # a loop, which cannot be read by anybody
elif kind == "nonsense":
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text("?")
elif kind == "foreign":
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(f"{pid} (x) Z " + "1 " * 30)
sys.exit(0 if start_of(pid, proc) is None else 1)
"""


@pytest.mark.parametrize("kind", ["files", "no entry of it", "unreadable", "nonsense", "foreign"])
async def test_what_hides_a_process_does_not_end_it(tmp_path: Path, kind: str) -> None:
    """A full table of open files, hidepid, /proc of another namespace: of a living process nothing is proven."""
    code = [sys.executable, "-c", HIDDEN, str(os.getpid()), kind, str(tmp_path)]
    process = await asyncio.create_subprocess_exec(*code)
    assert await process.wait() == 0


def test_without_proc_only_a_missing_process_has_ended(tmp_path: Path) -> None:
    """As on macOS: kill(2) tells that there is none, and cannot tell which one there is."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert start_of(process.pid, tmp_path / "none") is None
    process.kill()
    process.communicate()
    assert start_of(process.pid, tmp_path / "none") == ""


async def test_a_process_that_hides_holds_until_it_is_gone(tmp_path: Path) -> None:
    """Known by its number alone, as where no start can be read; then its end is still seen."""
    process = await sleeper()
    owner = Owner("command", "me", pid=process.pid)
    assert await judge().gone(held(owner)) == []
    await ended(process)
    assert await judge(folder=tmp_path).gone(held(owner)) == ["one"]


class TestRealKernels:
    """A Jupyter server with a kernel."""

    @pytest.fixture
    def autostop_config(self, emulator: EmulatorServer) -> dict[str, Any]:
        return {"platform": "emulator", "endpoint": emulator.url, "request_timeout": 5.0}

    @pytest.mark.parametrize("end", ["restart", "shutdown", "kill"])
    async def test_a_hold_ends_with_its_kernel(
        self, ask: Ask, jp_serverapp: Any, emulator: EmulatorServer, end: str
    ) -> None:
        """Whichever way a kernel ends, what it held ends within seconds; until then it holds, idle as it is."""
        manager = jp_serverapp.kernel_manager
        kernel_id = await manager.start_kernel()
        try:
            time = (await ask("GET", "instance")).json["server_time"]
            reply = await ask("POST", "holds", {"until": time + 2 * HOUR, "kernel_id": kernel_id})
            assert (reply.status, reply.json["owner"]) == (201, {"kind": "kernel", "kernel_id": kernel_id})
            await asyncio.sleep(0)
            assert len((await ask("GET", "instance")).json["holds"]) == 1
            if end == "restart":
                await manager.restart_kernel(kernel_id, now=True)
            elif end == "shutdown":
                await manager.shutdown_kernel(kernel_id, now=True)
            else:
                pid = ServerKernels(manager).process(kernel_id)
                assert pid
                os.kill(pid, 9)
            for _ in range(600):
                state = (await ask("GET", "instance")).json
                # Between the end of the hold and the platform's word nobody knows when the run stops.
                if not state["holds"] and state["deadline"]:
                    break
                await asyncio.sleep(0.1)
            assert state["holds"] == []
            assert state["deadline"]["kept_by"] == "platform"
            assert emulator.emulator.instance.run.stop_at is not None
        finally:
            if kernel_id in manager:
                await manager.shutdown_kernel(kernel_id, now=True)

    async def test_a_hold_ends_with_a_lock(self, ask: Ask, jp_runtime_dir: Path) -> None:
        """Of a process that this server cannot see, over HTTP; and that it ended so is told to whoever ends it."""
        folder = jp_runtime_dir
        take = "from jupyter_autostop.storage.work_lock import WorkLock"
        code = f"import os; {take}; print(WorkLock.take(os.environ).name); input()"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-uc", code),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "JUPYTER_RUNTIME_DIR": str(folder)},
        )
        assert process.stdout is not None
        lock = (await process.stdout.readline()).decode().strip()
        time = (await ask("GET", "instance")).json["server_time"]
        owner = {"pid": os.getpid(), "pid_space": "another pid:[1]", "lock": lock}
        reply = await ask("POST", "holds", {"id": "far", "until": time + 2 * HOUR, **owner})
        assert (reply.status, reply.json["owner"]) == (201, {"kind": "command", "seen": "lock"})
        process.kill()
        await process.wait()
        for _ in range(600):
            if not (await ask("GET", "instance")).json["holds"]:
                break
            await asyncio.sleep(0.1)
        reply = await ask("DELETE", "holds/far")
        assert (reply.status, reply.json["code"]) == (404, "hold_ended_with_owner")
