"""A hundred servers one after the other, and a day on a clock turned by hand: nothing is left behind, nothing grows."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from conftest import ManualClock, settle
from fakes import FakePlatform, MemoryRecords, at_rest, lost, remembering_service
from footprint import Footprint
from paths import SUPPORT
from processes import own_environment

from jupyter_autostop.errors import (
    AutostopError,
    BadAnswerError,
    CredentialsError,
    InvalidInputError,
    NoAnswerError,
    ThrottledError,
    UnavailableError,
)
from jupyter_autostop.platforms.base import Reading
from jupyter_autostop.platforms.modelarts.models import UpdateRequest
from jupyter_autostop.service.requests import parse_change, parse_extend
from jupyter_autostop.service.service import NEAR, NEAR_INTERVAL, WATCH, AutostopService

LIMIT = 5_000_000
"""Bytes that the promise allows."""
WARM_UP = 40
"""Cycles after which everything is imported, and every cache is filled."""
LONG = [pytest.mark.long, pytest.mark.timeout(1200)]


@pytest.mark.parametrize("cycles", [100, pytest.param(500, marks=LONG)])
def test_servers_leave_nothing_behind(tmp_path: Path, cycles: int) -> None:
    """Starting and ending the extension again and again costs no file, task, thread or object, and little memory."""
    run = subprocess.run(
        [sys.executable, "-W", "error", str(SUPPORT / "cycles.py"), str(cycles), str(WARM_UP), str(tmp_path)],
        env=own_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=1.1 * cycles,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    early, late = json.loads(run.stdout.splitlines()[-1])
    assert late["memory"] - early["memory"] < LIMIT
    assert {**late, "memory": 0} == {**early, "memory": 0}
    assert list((tmp_path / "state").glob(".autostop*")) == []


MINUTE = 60
REFRESH = 60.0
QUIET = {3, 4, 5, 13}
"""Hours in which nobody looks."""
PAGES = 20


class DayPlatform(FakePlatform):
    """Notes when it is asked, and lets a run end and another one begin as a cloud does."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, moves=True)
        self.ended = 0.0
        """When the last run ended, in epoch s."""
        self.asked: list[tuple[float, str]] = []
        """When (monotonic s), and whether to `read` or `write`."""

    @property
    def stop_at(self) -> float:
        """When this run ends, in epoch s."""
        return self.start / 1000 + self.in_force

    async def read(self) -> Reading:
        self.asked.append((self.clock.monotonic(), "read"))
        return await super().read()

    async def update(self, request: UpdateRequest) -> None:
        self.asked.append((self.clock.monotonic(), "write"))
        await super().update(request)

    def advance(self) -> None:
        """Stop at the end of the run, or when told to; start anew five minutes later."""
        now = self.clock.time()
        if self.status == "STOPPING" or (self.status == "RUNNING" and self.setting["enable"] and now >= self.stop_at):
            self.status, self.ended = "STOPPED", now
        elif self.status == "STOPPED" and now >= self.ended + 5 * MINUTE:
            self.restart(int(now * 1000))


def faults() -> Iterator[AutostopError]:
    """Yield faults for ever, each in its turn."""
    while True:
        yield NoAnswerError("No answer.")
        yield ThrottledError("Too many requests.", retry_after=30)
        yield BadAnswerError("Nonsense.")
        yield CredentialsError("Refused.")
        yield UnavailableError("Down.")


class Day:
    """Twenty-four hours of looking, writing and failing."""

    def __init__(self, platform: DayPlatform, service: AutostopService) -> None:
        self.platform = platform
        self.service = service
        self.clock: ManualClock = platform.clock
        self.faults = faults()
        self.outcomes: set[str] = set()
        self.looked = self.clock.monotonic()
        self.counted = Counter[str]()
        """Minutes in which the calls of our own accord were looked at: with somebody watching, and with nobody."""

    async def finish(self, act: Awaitable[Any]) -> None:
        """See something through that asks the platform at once and may wait by the clock; a refusal is an outcome."""
        task = asyncio.ensure_future(act)
        await settle()
        service = self.service
        while not task.done() or service._writes or service._vigil._at_once:
            # Threads that write to the disk go by real time.
            await asyncio.sleep(0.005)
            await self.clock.pass_time(1)
        try:
            state = await task
            self.outcomes.add(state["outcome"]["effect"] if state["outcome"] else "looked")
        except AutostopError as error:
            self.outcomes.add(type(error).__name__)
        self.looked = self.clock.monotonic()
        # What was asked for is no call of our own accord.
        self.platform.asked.clear()

    async def pass_a_minute(self, *, watched: bool) -> None:
        """Let a minute pass and count what the platform is asked of our own accord."""
        begun = self.clock.monotonic()
        left = self.service.snapshot.seconds_left()
        near = left is not None and left <= NEAR + MINUTE
        record = self.service.keeper.record
        await self.clock.pass_time(MINUTE)
        asked = self.platform.asked
        wrote = any(what == "write" for _, what in asked)  # with a read of its own before and after
        # What is held or owed has its own times.
        if record.idle and self.service.keeper.record.idle and not wrote:
            interval = NEAR_INTERVAL if near else REFRESH
            gaps = [later[0] - earlier[0] for earlier, later in pairwise(asked)]
            assert all(gap >= interval for gap in gaps), (near, asked)
            alone = not watched and begun >= self.looked + WATCH
            if alone:
                assert [what for when, what in asked if when >= begun] == []
            self.counted["alone" if alone else "watched"] += 1
        del asked[:-1]

    async def minute(self, number: int) -> None:
        """Let a minute pass, with whatever belongs into it."""
        platform, service = self.platform, self.service
        platform.advance()
        if number // MINUTE % 24 in QUIET:
            await self.pass_a_minute(watched=False)
            return
        platform.fail_read = next(self.faults) if number % 60 in range(40, 46) else None
        await asyncio.gather(*(service.look() for _ in range(PAGES)))
        self.looked = self.clock.monotonic()
        if number % 7 == 3:
            await self.finish(service.look(refresh=True))
        if number % 20 == 9:
            platform.lose_update = (None, lost(), None, lost(BadAnswerError), None)[number // 20 % 5]
            platform.fail_update = InvalidInputError("No.") if number // 20 % 4 == 3 else None
            platform.ignore_updates = number // 20 % 6 == 5
            await self.finish(service.change(parse_change({"description": f"minute {number}"}), who="page"))
            platform.lose_update, platform.fail_update, platform.ignore_updates = None, None, False
        if number % 150 == 30:
            platform.moves = number // 150 % 3 != 2
            await self.finish(service.extend(parse_extend({"by": 1800}), who="kernel"))
        if number % 200 == 100:
            await self.finish(service.change(parse_change({"auto_stop": {"duration": 7200}})))
        await self.pass_a_minute(watched=True)


@pytest.mark.parametrize("days", [1, pytest.param(7, marks=LONG)])
async def test_days_leave_nothing_behind(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture, days: int
) -> None:
    """A day of twenty pages, writes, extensions and faults: no task, sleeper, file or memory more, and few calls."""
    platform = DayPlatform(clock)
    records = MemoryRecords()
    service = await remembering_service(platform, tmp_path, refresh_interval=REFRESH, records=records)
    day = Day(platform, service)
    early: Footprint | None = None
    for number in range(days * 24 * MINUTE):
        await day.minute(number)
        platform.calls.clear()
        records.saves.clear()
        caplog.clear()
        if number == 2 * MINUTE:
            await at_rest(service)
            await service.snapshot.close()  # what is on its way to the disk has an open file
            early, sleepers = Footprint.now(), len(clock._sleepers)
    for _ in range(24 * MINUTE):
        if service.keeper.record.rests:
            break
        platform.advance()
        await service.look()
        await day.pass_a_minute(watched=True)
    await at_rest(service)
    await service.snapshot.close()
    late = Footprint.now()
    assert early is not None
    assert (late.files, late.tasks) == (early.files, early.tasks)
    assert len(clock._sleepers) <= sleepers + 1
    assert late.memory - early.memory < LIMIT
    assert day.counted["alone"] > 60
    assert day.counted["watched"] > 200
    assert day.outcomes >= {"looked", "now", "held", "InvalidInputError", "NotAppliedError", "ThrottledError"}
    await service.close()
    await settle()
    assert len(asyncio.all_tasks()) == 1
