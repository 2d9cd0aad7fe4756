"""Who holds a run: kernels and commands are judged by their processes, and by the right server."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import Any

import pytest
from conftest import Ask

from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.errors import InvalidInputError, NotFoundError
from jupyter_autostop.owners import Owners, birth
from jupyter_autostop.record import Hold, Owner
from jupyter_autostop.server.kernels import ServerKernels

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
    owners = Owners(FakeLocks(), FakeKernels())
    process = await sleeper()
    owner = await owners.make(None, process.pid)
    assert (owner.kind, owner.pid) == ("command", process.pid)
    assert await owners.gone(held(owner)) == []
    await ended(process, reaped=reaped)
    assert await owners.gone(held(owner)) == ["one"]
    await asyncio.to_thread(process.communicate)


async def test_a_process_id_used_again_is_another_process() -> None:
    """The same number with another start is not the owner."""
    owners = Owners(FakeLocks(), FakeKernels())
    assert await owners.gone(held(Owner("command", "me", pid=os.getpid(), started="1"))) == ["one"]
    mine = await asyncio.to_thread(birth, os.getpid())
    assert await owners.gone(held(Owner("command", "me", pid=os.getpid(), started=mine))) == []


async def test_a_kernel_ends_with_its_process_and_its_restart() -> None:
    """A restart gives a kernel another process; a kernel that is shut down has none; a busy or idle one has its own."""
    kernels = FakeKernels(k=os.getpid())
    owners = Owners(FakeLocks(), kernels)
    owner = await owners.make("k", None)
    assert await owners.gone(held(owner)) == []
    kernels.kernels["k"] = os.getppid()
    assert await owners.gone(held(owner)) == ["one"]
    kernels.kernels["k"] = 0
    assert await owners.gone(held(owner)) == ["one"]


async def test_a_kernel_on_another_machine_is_there_while_it_is_known() -> None:
    """A kernel whose process cannot be seen holds until the server knows it no more."""
    kernels = FakeKernels(k=0)
    owners = Owners(FakeLocks(), kernels)
    owner = await owners.make("k", None)
    assert await owners.gone(held(owner)) == []
    del kernels.kernels["k"]
    assert await owners.gone(held(owner)) == ["one"]


async def test_another_servers_kernel_is_its_own_affair() -> None:
    """While its server lives nobody else judges it; after that its process does."""
    locks = FakeLocks()
    owners = Owners(locks, FakeKernels())
    mine = await asyncio.to_thread(birth, os.getpid())
    living = Owner("kernel", "other", "k", os.getpid(), mine)
    dead = Owner("kernel", "other", "k", os.getpid(), "1")
    assert await owners.gone(held(dead)) == []
    locks.living = {"me"}
    assert await owners.gone(held(living)) == []
    assert await owners.gone(held(dead)) == ["one"]
    assert await owners.gone(held(Owner("kernel", "other", "k", 0))) == ["one"]


async def test_who_is_not_there_owns_nothing() -> None:
    """An unknown kernel is 404, an unknown process 400; a kernel of another server is known by its process."""
    owners = Owners(FakeLocks(), FakeKernels())
    with pytest.raises(NotFoundError) as kernel:
        await owners.make("k", None)
    assert kernel.value.code == "kernel_not_found"
    with pytest.raises(InvalidInputError) as process:
        await owners.make(None, 2**31 - 1)
    assert process.value.code == "process_not_found"
    owner = await owners.make("k", os.getpid())
    assert (owner.kind, owner.kernel_id, owner.pid) == ("kernel", "k", os.getpid())
    assert await owners.gone(held(owner)) == []


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
