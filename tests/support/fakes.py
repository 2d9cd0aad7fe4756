"""A platform in memory, for rules of the service that need no HTTP to show."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.domain.record import EMPTY, Owner, Record
from jupyter_autostop.errors import AutostopError, NoAnswerError
from jupyter_autostop.platforms.base import Reading
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.modelarts.models import Instance, UpdateRequest
from jupyter_autostop.service.requests import HoldWish
from jupyter_autostop.service.service import AutostopService
from jupyter_autostop.storage.journal import Journal, journal_file
from jupyter_autostop.storage.locks import NoLocks
from jupyter_autostop.storage.run_history import MemoryFile
from jupyter_autostop.storage.slots import DiskRecords, RecordFile


def lost(kind: type[AutostopError] = NoAnswerError) -> AutostopError:
    """Return the error of a write whose answer was lost."""
    error = kind("The answer was lost.")
    error.maybe_applied = True
    return error


def at_some_time(text: str) -> str:
    """Return a sentence of the server's with `THEN` for each moment in it, which depends on when the test runs."""
    return re.sub(r"(?:[A-Z][a-z]{2} \d{1,2} [A-Z][a-z]{2} )?\d\d:\d\d UTC", "THEN", text)


class FakePlatform:
    """One running instance; records the calls, fails on request, moves the stop time if told to."""

    name = "demanager"
    emulated = False

    def __init__(self, clock: Any, *, moves: bool = False) -> None:
        self.clock = clock
        self.time = PlatformClock(clock)
        self.date_error = 0.0
        self.moves = moves
        self.moves_after = 0.0
        self.moving: list[tuple[float, int]] = []
        self.start = int(clock.time() * 1000) - 600_000
        self.in_force = 3600
        self.status = "RUNNING"
        self.description = "first"
        self.setting: dict[str, Any] = {"enable": True, "duration": 3600, "prompt": True}
        self.calls: list[Any] = []
        self.fail_read: AutostopError | None = None
        self.fail_update: AutostopError | None = None
        self.lose_update: AutostopError | None = None
        self.ignore_updates = False
        self.stops_anyway = False
        self.gate: asyncio.Event | None = None
        self.on_update: Callable[[], None] = lambda: None

    def answer(self) -> dict[str, Any]:
        while self.moving and self.moving[0][0] <= self.clock.time():
            self.in_force = self.moving.pop(0)[1]
        auto_stop = dict(self.setting)
        if (self.setting["enable"] or self.stops_anyway) and self.status == "RUNNING":
            stop = self.start + self.in_force * 1000
            auto_stop |= {"stop_timestamp": stop, "remain_time": stop // 1000 - int(self.clock.time())}
        return {
            "id": "DE-1",
            "status": self.status,
            "description": self.description,
            "creation_timestamp": str(self.start - 60_000),
            "spec": {"auto_stop": auto_stop},
        }

    async def read(self) -> Reading:
        self.calls.append("read")
        sent = self.clock.monotonic()
        instance = Instance.model_validate(self.answer())
        if self.gate:
            await self.gate.wait()
        if self.fail_read:
            raise self.fail_read
        self.time.observe(float(int(self.clock.time() + self.date_error)), sent, self.clock.monotonic())
        return Reading(instance, sent, self.clock.monotonic())

    async def update(self, request: UpdateRequest) -> None:
        self.calls.append(request.body())
        if self.gate:
            await self.gate.wait()
        if self.fail_update:
            raise self.fail_update
        if not self.ignore_updates:
            self.apply(request.body())
        self.on_update()
        if self.lose_update:
            raise self.lose_update

    def apply(self, body: dict[str, Any]) -> None:
        self.description = body.get("description", self.description)
        self.setting |= body.get("spec", {}).get("auto_stop", {})
        if self.moves and self.moves_after:
            self.moving.append((self.clock.time() + self.moves_after, self.setting["duration"]))
        elif self.moves:
            self.in_force = self.setting["duration"]

    def restart(self, start_ms: int) -> None:
        """Begin another run, in which the setting is in force."""
        self.start = start_ms
        self.in_force = self.setting["duration"]
        self.status = "RUNNING"

    async def stop(self) -> None:
        self.calls.append("stop")
        if self.fail_update:
            raise self.fail_update
        if not self.ignore_updates:
            self.status = "STOPPING"
        if self.lose_update:
            raise self.lose_update

    async def close(self) -> None:
        self.calls.append("close")

    @property
    def writes(self) -> list[Any]:
        return [call for call in self.calls if call not in ("read", "close")]


class MemoryRecords:
    """A record in memory."""

    def __init__(self) -> None:
        self.record = EMPTY
        self.saves: list[Record] = []
        self.fail: OSError | None = None
        self.fail_load: Exception | None = None
        self.seen = EMPTY

    def read(self) -> Record:
        if self.fail_load:
            raise self.fail_load
        self.seen = self.record
        return self.record

    async def load(self) -> Record:
        return self.read()

    async def save(self, record: Record) -> None:
        if self.fail:
            raise self.fail
        self.record = self.seen = record
        self.saves.append(record)

    async def changed(self) -> bool:
        return self.seen != self.record

    async def put_aside(self) -> str:
        return "aside"


class FakeOwners:
    """Whoever is named exists, until it is in `ended`."""

    def __init__(self) -> None:
        self.ended: set[str] = set()

    async def make(self, wish: HoldWish) -> Owner:
        if wish.kernel_id is not None:
            return Owner("kernel", "me", wish.kernel_id, 1)
        return Owner("person") if wish.pid is None else Owner("command", "me", pid=wish.pid, started="1")

    async def gone(self, holds: Any) -> list[str]:
        return [hold.id for hold in holds if (hold.owner.kernel_id or str(hold.owner.pid)) in self.ended]

    def ended_with_owner(self, hold_id: str) -> bool:
        return False


class FakeLife:
    """A container, known by a word."""

    def __init__(self, marker: str, age: float | None = None) -> None:
        self.marker = marker
        self.lasted = age

    def age(self) -> float | None:
        return self.lasted


class LonelyLocks(NoLocks):
    """Of a server that is alone with its disk."""

    @asynccontextmanager
    async def operation(self, first: Callable[[], Any]) -> AsyncIterator[Any]:
        yield await asyncio.to_thread(first)


def service_for(
    platform: FakePlatform,
    *,
    state_dir: str | None = None,
    changes: list[str] | None = None,
    looks: list[int] | None = None,
    **more: Any,
) -> AutostopService:
    """Return a service on a fake platform; `changes` and `looks` collect what is pushed."""
    log = logging.getLogger("jupyter_autostop.tests")
    container = more.pop("container", "one")
    records = more.pop("records", None)
    if records is None:
        records = DiskRecords(RecordFile(Path(state_dir), "DE-1")) if state_dir else MemoryRecords()
    return AutostopService(
        platform,
        clock=platform.clock,
        policy=more.pop("policy", Policy()),
        memory=more.pop("memory", None) or MemoryFile(state_dir, "DE-1", log, container),
        records=records,
        locks=more.pop("locks", None) or (LonelyLocks() if isinstance(records, DiskRecords) else NoLocks()),
        owners=more.pop("owners", None) or FakeOwners(),
        life=more.pop("life", None) or FakeLife(container),
        journal=more.pop("journal", None) or Journal(journal_file(state_dir, "DE-1", None), log),
        on_change=(changes if changes is not None else []).append,
        on_look=(looks if looks is not None else []).append,
        log=log,
        second_looks=more.pop("second_looks", ()),  # a clock that is turned by hand would keep them waiting
        **more,
    )


async def remembering_service(platform: FakePlatform, state_dir: Path, **more: Any) -> AutostopService:
    """Return a service with a place on disk; like the real one it is made beside the event loop."""
    return await asyncio.to_thread(service_for, platform, state_dir=str(state_dir), **more)


async def at_rest(service: AutostopService) -> None:
    """Let everybody act until the service does nothing but wait for time, threads that use the disk included."""
    await asyncio.sleep(0)
    vigil = service._vigil
    await until(
        lambda: (
            not service._writes
            and not vigil._at_once
            and (vigil.task is None or vigil.task.done() or vigil._nap is not None)
        )
    )


async def until(condition: Callable[[], object]) -> None:
    """Let everybody act, threads that write to the disk included, until a condition holds; fail if it never does."""
    for _ in range(2000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("What was waited for did not come.")
