"""What cannot be undone needs two witnesses: no stop, no end of a hold by the platform's `Date` alone."""

from __future__ import annotations

import os
import shutil
import signal
from typing import Any

import pytest
from conftest import ManualClock
from fakes import FakePlatform, MemoryRecords, at_rest, service_for
from keeper_rig import HOUR, PRIOR, Rig
from lock_files import held_longer

from jupyter_autostop.domain.record import Record
from jupyter_autostop.errors import UnavailableError
from jupyter_autostop.platforms.clock import HOLDS
from jupyter_autostop.service.requests import parse_extend, parse_hold
from jupyter_autostop.service.service import AutostopService
from jupyter_autostop.storage.lock_holder import HANGS_AFTER

DECADE = 315_360_000
LEAPS = [4 * HOUR, DECADE, -4 * HOUR, -DECADE]


async def pass_time(clock: ManualClock, service: AutostopService, seconds: float) -> None:
    """Let time pass in steps, so that each who waits comes along."""
    while seconds > 0:
        step = min(seconds, 10.0 if seconds < 600 else 300.0)
        await clock.pass_time(step)
        await at_rest(service)
        seconds -= step


async def held(clock: ManualClock, then: str, **more: Any) -> tuple[FakePlatform, AutostopService, int]:
    """Return a platform and a service that holds its run for three hours, and until when (ms)."""
    platform = FakePlatform(clock)
    service = service_for(platform, **more)
    await service.look()
    until = platform.time.now_ms() + 3 * HOUR * 1000
    await service.hold(parse_hold({"until": until, "then": then}))
    await at_rest(service)
    assert platform.setting["enable"] is False
    return platform, service, until


@pytest.mark.parametrize("then", ["stop", "restore"])
@pytest.mark.parametrize("leap", LEAPS)
async def test_a_leap_of_the_date_moves_nothing(clock: ManualClock, leap: int, then: str) -> None:
    """For almost a minute and in many answers: the hold goes on, to the second; afterwards it ends when it should."""
    platform, service, until = await held(clock, then)
    before = (await service.look())["deadline"]
    platform.date_error = leap
    for _ in range(11):
        state = await service.look(refresh=True)
        await pass_time(clock, service, 5)
        assert (state["deadline"], len(state["holds"]), state["problem"]) == (before, 1, None)
        assert abs(state["server_time"] - clock.time() * 1000) <= 5000
    platform.date_error = 0
    await pass_time(clock, service, until / 1000 - clock.time() - 30)
    assert (platform.status, platform.setting["enable"]) == ("RUNNING", False)
    assert "stop" not in platform.calls
    await pass_time(clock, service, 90 if then == "stop" else 1000)
    assert platform.calls.count("stop") == 1
    await service.close()


@pytest.mark.parametrize("leap", LEAPS[:2])
async def test_a_clock_that_was_set_counts_after_a_minute(clock: ManualClock, leap: int) -> None:
    """Answers that agree for a minute are the truth, and the hold's time has passed by them."""
    platform, service, _ = await held(clock, "stop")
    platform.date_error = leap
    await pass_time(clock, service, HOLDS)
    assert "stop" not in platform.calls
    await pass_time(clock, service, 60)
    assert platform.calls.count("stop") == 1
    await service.close()


@pytest.mark.parametrize("leap", LEAPS[:2])
async def test_a_suspended_machine_knows_at_once_that_the_time_has_come(clock: ManualClock, leap: int) -> None:
    """Its steady clock stood still, and its wall clock agrees with the platform's: the next look is enough."""
    platform, service, _ = await held(clock, "stop")
    clock.wall_error = leap  # of which the platform's clock knows too
    await service.look(refresh=True)
    await pass_time(clock, service, 10)
    assert platform.calls.count("stop") == 1
    await service.close()


@pytest.mark.parametrize("leap", LEAPS)
async def test_a_server_that_starts_among_wrong_dates_ends_nothing(clock: ManualClock, leap: int) -> None:
    """It knows the record and nothing else; the machine's clock is the witness that the dates lack."""
    records = MemoryRecords()
    platform, service, until = await held(clock, "stop", records=records)
    service._closed = True  # it is killed
    await service._end(service._vigil.task, service._watch)
    platform.time = type(platform.time)(clock)
    platform.date_error = leap
    service = service_for(platform, records=records)
    service.keep()
    await pass_time(clock, service, 40)
    assert "stop" not in platform.calls
    assert [hold.until for hold in records.record.holds] == [until]
    platform.date_error = 0
    await service.look(refresh=True)
    await at_rest(service)
    assert (await service.look())["deadline"] == {"stop_timestamp": until, "kept_by": "server"}
    await service.close()


@pytest.mark.parametrize("wall_error", [-DECADE, -86400, 86400, DECADE])
async def test_a_machine_with_a_wrong_clock_holds_and_stops_in_time(clock: ManualClock, wall_error: int) -> None:
    """The platform is believed, whose reckoning of the time that remains bears out what it dates its answers by."""
    clock.wall_error = wall_error
    platform = FakePlatform(clock)
    platform.date_error = -wall_error
    platform.start -= wall_error * 1000
    plain = platform.answer
    platform.answer = lambda: reckoned(plain(), platform)  # type: ignore[method-assign]
    service = service_for(platform)
    await service.look()
    assert platform.time.sure
    until = platform.time.now_ms() + HOUR * 1000
    await service.hold(parse_hold({"until": until, "then": "stop"}))
    await pass_time(clock, service, HOUR - 10)
    assert "stop" not in platform.calls
    await pass_time(clock, service, 20)
    assert platform.calls.count("stop") == 1
    await service.close()


def reckoned(answer: dict[str, Any], platform: FakePlatform) -> dict[str, Any]:
    """Return an answer whose `remain_time` goes by the platform's own clock."""
    auto_stop = answer["spec"]["auto_stop"]
    if "stop_timestamp" in auto_stop:
        now = int(platform.clock.time() + platform.date_error)
        auto_stop["remain_time"] = auto_stop["stop_timestamp"] // 1000 - now
    return answer


async def test_an_extension_among_wrong_first_dates_is_short(clock: ManualClock) -> None:
    """A first answer ten years off, with a time that remains: no deadline in ten years comes of it."""
    platform = FakePlatform(clock)
    platform.date_error = DECADE
    service = service_for(platform)
    state = await service.look()
    assert abs(state["server_time"] - clock.time() * 1000) <= 2000
    state = await service.extend(parse_extend({"by": HOUR}))
    assert state["deadline"]["stop_timestamp"] < (clock.time() + 4 * HOUR) * 1000
    await service.close()


@pytest.mark.parametrize("then", ["stop", "restore"])
def test_wrong_dates_of_a_real_answer_stop_nothing(rig: Rig, then: str) -> None:
    """In looks, errors and the answer to a change: a real server, which steps and is asked all the time."""
    server = rig.server("--AutostopApp.refresh_interval=1")
    until = rig.cloud.now() + 3 * HOUR * 1000
    assert server.ask("POST", "holds", {"until": until, "then": then}).status_code == 201
    before = server.look()["deadline"]
    for leap in LEAPS:
        rig.cloud.control("POST", "clock", {"date_offset": leap})
        for _ in range(4):
            assert server.look()["deadline"] == before
        rig.cloud.fault("status", status=503, times=3)
        assert server.client.get("instance", params={"refresh": "1"}).json()["deadline"] == before
        answer = server.ask("PATCH", "instance", {"description": f"{leap}"})
        assert answer.json()["deadline"] == before
        rig.cloud.control("POST", "clock", {"date_offset": 0})
        state = server.look()
        assert (state["deadline"], len(state["holds"]), state["problem"]) == (before, 1, None)
    assert (rig.cloud.stopped_at, rig.cloud.setting[0]) == (None, False)


class SuspendingRecords(MemoryRecords):
    """A record at whose next saving the server is suspended for a while."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock
        self.suspended = 0.0

    async def save(self, record: Record) -> None:
        await super().save(record)
        self.clock.turn(self.suspended)
        self.suspended = 0.0


async def test_what_was_seen_before_a_suspension_is_no_reason_for_a_change(clock: ManualClock) -> None:
    """Between the look and the change a server was suspended: nothing is sent, and the next try looks anew."""
    records = SuspendingRecords(clock)
    platform = FakePlatform(clock)
    service = service_for(platform, records=records)
    await service.look()
    before = dict(platform.setting)
    until = platform.time.now_ms() + 3 * HOUR * 1000
    records.suspended = 120
    with pytest.raises(UnavailableError, match="was suspended") as caught:
        await service.hold(parse_hold({"until": until}))
    assert caught.value.code == "suspended"
    assert (platform.writes, platform.setting) == ([], before)
    await service.hold(parse_hold({"until": until}))
    assert platform.setting["enable"] is False
    await service.close()


async def test_a_stop_that_was_decided_before_a_suspension_stops_no_other_run(clock: ManualClock) -> None:
    """A server outside of the instance wakes when that has stopped by itself."""
    records = SuspendingRecords(clock)
    platform, service, until = await held(clock, "stop", records=records)
    plain = platform.answer

    def answer() -> dict[str, Any]:
        platform.status = "STOPPED" if clock.time() > until / 1000 + 60 else platform.status
        return plain()

    platform.answer = answer  # type: ignore[method-assign]
    clock.turn(until / 1000 - clock.time() + 1)
    records.suspended = 120
    await pass_time(clock, service, 20)
    assert "stop" not in platform.calls
    await service.close()


@pytest.mark.parametrize("then", ["stop", "restore"])
def test_a_suspended_server_keeps_no_other_from_a_stop_that_is_due(rig: Rig, then: str) -> None:
    """It was halted in the middle of a change; the other one says which, and stops in time. Awake, it does no harm."""
    halted, server = rig.server("--AutostopApp.request_timeout=3"), rig.server()
    until = (rig.cloud.stop_at or 0) + HOUR * 1000
    assert server.ask("POST", "holds", {"until": until, "then": then}).status_code == 201
    halted.look()
    rig.cloud.fault("hang", times=0)
    change = halted.begin("POST", "holds", {"until": until + HOUR * 1000})
    rig.until(lambda: rig.cloud.held_up)
    os.kill(halted.pid, signal.SIGSTOP)
    try:
        rig.cloud.heal()
        busy = server.ask("POST", "holds", {"until": until + HOUR * 1000})
        assert (busy.status_code, busy.json()["code"]) == (503, "busy")
        assert f"process {halted.pid}" in busy.json()["message"]
        rig.cloud.advance((until - rig.cloud.now()) / 1000 - 20)
        server.look()
        assert rig.cloud.stopped_at is None
        rig.cloud.advance(20)
        # Nothing can be noted: what the grace counts from is when the server has found the other one suspended.
        rig.until(lambda: then == "stop" or "was suspended" in (server.look()["problem"] or {}).get("message", ""))
        assert then == "stop" or rig.cloud.stopped_at is None
        rig.cloud.advance(0 if then == "stop" else 900)
        rig.until(lambda: server.look() and rig.cloud.stopped_at)
        assert (rig.cloud.stopped_at or 0) >= until + (0 if then == "stop" else 900_000)
    finally:
        os.kill(halted.pid, signal.SIGCONT)
    change.join()
    rig.until(lambda: halted.look() and server.look() and rig.cloud.setting == PRIOR)
    writes = [seen for seen in rig.cloud.requests if seen["method"] == "POST" and seen["status"] == 200]
    assert len(writes) == 1
    for each in (halted, server):
        assert each.look()["holds"] == []


@pytest.mark.parametrize("then", ["stop", "restore"])
def test_a_server_that_hangs_keeps_no_other_from_a_stop_that_is_due(rig: Rig, then: str) -> None:
    """It hangs in the middle of a change, not suspended; the other one names it, and stops. Awake, it does no harm."""
    server, hangs = rig.server(), rig.server(at=1, when="hang")
    until = (rig.cloud.stop_at or 0) + HOUR * 1000
    assert server.ask("POST", "holds", {"until": until, "then": then}).status_code == 201
    hangs.look()
    rig.arm()
    change = hangs.begin("POST", "holds", {"until": until + HOUR * 1000})
    rig.until(lambda: rig.steps)
    assert held_longer(rig.folder / "runtime", HANGS_AFTER) == hangs.pid
    try:
        busy = server.ask("POST", "holds", {"until": until + HOUR * 1000})
        assert (busy.status_code, busy.json()["code"]) == (503, "busy")
        assert f"process {hangs.pid}" in busy.json()["message"]
        assert "ago, and hangs" in busy.json()["message"]
        rig.cloud.advance((until - rig.cloud.now()) / 1000 - 20)
        server.look()
        assert rig.cloud.stopped_at is None
        rig.cloud.advance(20)
        rig.until(lambda: then == "stop" or "hangs" in (server.look()["problem"] or {}).get("message", ""))
        rig.cloud.advance(0 if then == "stop" else 900)
        rig.until(lambda: server.look() and rig.cloud.stopped_at)
        assert (rig.cloud.stopped_at or 0) >= until + (0 if then == "stop" else 900_000)
    finally:
        rig.arm(armed=False)
        rig.wake()
    change.join()
    rig.until(lambda: hangs.look() and server.look() and rig.cloud.setting == PRIOR)
    for each in (hangs, server):
        assert each.look()["holds"] == []


def test_an_emptied_runtime_folder_ends_no_hold_of_another_server(rig: Rig) -> None:
    """One of two servers ends cleanly, or judges the other's kernels, just after the folder was tidied up."""
    keeps, ends = rig.server(), rig.server()
    kernel = keeps.client.post(f"{keeps.url}api/kernels", json={"name": "python3"}).raise_for_status().json()["id"]
    until = rig.cloud.now() + 3 * HOUR * 1000
    assert keeps.ask("POST", "holds", {"until": until, "kernel_id": kernel}).status_code == 201
    before = ends.look()["deadline"]
    capability = rig.folder / "runtime" / f"jpautostop-{keeps.pid}.json"
    secret = capability.read_text(encoding="utf-8")
    shutil.rmtree(rig.folder / "runtime")
    rig.cloud.advance(60)
    assert len(ends.look()["holds"]) == 1
    rig.until(lambda: list((rig.folder / "runtime").glob(f"*.server-{keeps.pid}-*.lock")))
    shutil.rmtree(rig.folder / "runtime")
    assert os.waitstatus_to_exitcode(ends.end(signal.SIGTERM)) == 0
    state = keeps.look()
    assert (state["deadline"], len(state["holds"]), rig.cloud.setting[0]) == (before, 1, False)
    rig.until(capability.exists)
    assert capability.read_text(encoding="utf-8") == secret
