"""AutostopService: how often it asks, what it says meanwhile, what it pushes."""

from __future__ import annotations

import asyncio

import pytest
from conftest import ManualClock, settle
from fakes import FakeLife, FakePlatform, MemoryRecords, at_rest, service_for

from jupyter_autostop.errors import CredentialsError, NoAnswerError, UnavailableError
from jupyter_autostop.service.requests import parse_change, parse_extend, parse_hold


def reads(platform: FakePlatform) -> int:
    return platform.calls.count("read")


async def test_simultaneous_first_looks_are_one_call(clock: ManualClock) -> None:
    """200 looks on a cold cache wait for one call and all get its answer."""
    platform = FakePlatform(clock)
    platform.gate = asyncio.Event()
    service = service_for(platform)
    looks = [asyncio.create_task(service.look()) for _ in range(200)]
    await settle()
    platform.gate.set()
    states = await asyncio.gather(*looks)
    assert reads(platform) == 1
    assert {state["deadline"]["stop_timestamp"] for state in states} == {platform.start + 3_600_000}
    await service.close()


async def test_pages_cost_what_one_page_costs(clock: ManualClock) -> None:
    """However many look, the platform is asked once per interval, and not at all when nobody looks."""
    counts = []
    for pages in (1, 20):
        platform = FakePlatform(clock)
        service = service_for(platform)
        for _ in range(10):
            for _ in range(pages):
                await service.look()
            await clock.pass_time(60)
        counts.append(reads(platform))
        await clock.pass_time(360)
        idle = reads(platform)
        await clock.pass_time(3600)
        assert reads(platform) == idle
        await service.close()
    assert counts[0] == counts[1] <= 11


async def test_what_waits_for_the_next_run_costs_no_calls(clock: ManualClock) -> None:
    """A run length that is owed at the next start lies on record for hours, in which the platform is not asked for it.

    A server that finds it there asks once; and again where another server begins to hold the run.
    """
    platform, records = FakePlatform(clock, moves=True), MemoryRecords()
    first, second = (service_for(platform, records=records) for _ in range(2))
    await first.look()
    state = await first.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "now"
    assert not records.record.idle
    await clock.pass_time(400)  # so that nobody watches any more
    asked = reads(platform)
    for service, more in ((first, 0), (second, 1)):
        for _ in range(20):
            await service.attend()
            await at_rest(service)
            await clock.pass_time(15)
        asked += more
        assert reads(platform) == asked

    # Nobody looks at the first any more, and the second has not been looked at.
    platform.moves = False
    await second.hold(parse_hold({"until": int(clock.time() * 1000) + 9_000_000}))
    asked = reads(platform)
    await first.attend()
    await at_rest(first)
    assert reads(platform) == asked + 1
    for service in (first, second):
        await service.close()


async def test_what_is_too_late_to_be_put_back_costs_no_calls(clock: ManualClock) -> None:
    """In a run that has inherited a longer run length, which waits for the next start, a look is one call, not two."""
    platform, records = FakePlatform(clock, moves=True), MemoryRecords()
    service = service_for(platform, records=records)
    await service.look()
    await service.extend(parse_extend({"by": 7200}))
    await service.close()
    await clock.pass_time(20_000)
    platform.restart(int(clock.time() * 1000) - 3_000_000)
    platform.calls.clear()
    service = service_for(platform, records=records, container="two", life=FakeLife("two", 3000.0))
    for _ in range(10):
        await service.look()
        await at_rest(service)
        await clock.pass_time(60)
        await at_rest(service)
    assert records.record.probe is not None
    assert platform.writes == []
    assert reads(platform) <= 12
    await service.close()


async def test_the_last_ten_minutes_are_watched_closely(clock: ManualClock) -> None:
    """Within ten minutes of the deadline the platform is asked every 10 s."""
    platform = FakePlatform(clock)
    platform.start = int(clock.time() * 1000) - 3_100_000
    service = service_for(platform)
    await service.look()
    await clock.pass_time(100)
    assert 10 <= reads(platform) <= 11
    await service.close()


async def test_a_look_after_a_rest_is_fresh(clock: ManualClock) -> None:
    """When nobody has watched for a while, the first look waits for the platform instead of telling old news."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    await service.look()
    await clock.pass_time(361)
    platform.description = "changed meanwhile"
    assert (await service.look())["instance"]["description"] == "changed meanwhile"
    await service.close()


async def test_a_stale_state_is_served_at_once(clock: ManualClock) -> None:
    """While a call hangs, looks get what is known, without another call."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    first = await service.look()
    platform.gate = asyncio.Event()
    await clock.pass_time(61)
    calls = reads(platform)
    state = await asyncio.wait_for(service.look(), 5)
    assert state["deadline"] == first["deadline"]
    assert reads(platform) == calls
    platform.gate.set()
    await service.close()


async def test_an_unreachable_platform_leaves_the_deadline_counting(clock: ManualClock) -> None:
    """The last confirmed deadline stays, marked; past it nobody knows, and nothing is negative."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    confirmed = (await service.look())["confirmed_at"]
    platform.fail_read = NoAnswerError("ModelArts did not answer.")
    await clock.pass_time(61)
    state = await service.look(refresh=True)
    assert state["stale"]
    assert state["confirmed_at"] == confirmed
    assert state["deadline"] == {"stop_timestamp": platform.start + 3_600_000, "kept_by": "platform"}
    assert state["problem"]["code"] == "no_answer"
    clock.turn(3600)
    state = await service.look(refresh=True)
    assert state["deadline"] is None
    assert state["problem"]["code"] == "no_answer"
    await service.close()


async def test_a_passed_deadline_without_a_stop_is_unknown(clock: ManualClock) -> None:
    """A platform that lets the stop time pass does not make the countdown negative."""
    platform = FakePlatform(clock)
    platform.start = int(clock.time() * 1000) - 3_605_000
    service = service_for(platform)
    state = await service.look()
    assert state["deadline"] is None
    assert state["problem"]["code"] == "overdue"
    await service.close()


async def test_refused_credentials_are_not_tried_every_minute(clock: ManualClock) -> None:
    """Bad signatures in a row lock a key, so the pauses grow; a click still asks."""
    platform = FakePlatform(clock)
    platform.fail_read = CredentialsError("no")
    service = service_for(platform)
    for _ in range(30):
        await service.look()
        await clock.pass_time(60)
    assert reads(platform) <= 6
    before = reads(platform)
    await service.look(refresh=True)
    assert reads(platform) == before + 1
    await service.close()


async def test_only_what_changes_is_pushed(clock: ManualClock) -> None:
    """Passing time pushes nothing; a change made elsewhere pushes once; a failure and its end push."""
    platform = FakePlatform(clock)
    changes: list[str] = []
    service = service_for(platform, changes=changes)
    await service.look()
    assert len(changes) == 1
    await clock.pass_time(300)
    assert len(changes) == 1
    await service.look()
    platform.description = "second"
    await clock.pass_time(60)
    assert len(changes) == 2
    platform.fail_read = NoAnswerError("gone")
    await service.look(refresh=True)
    platform.fail_read = None
    await service.look(refresh=True)
    assert len(changes) == 4
    await service.close()


async def test_the_moments_of_the_run_are_told(clock: ManualClock) -> None:
    """Who keeps the run does not change when the platform would stop it; without a run, and switched off, none is."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    own = platform.start + 3_600_000
    told = {"started_at": platform.start, "platform_stop": own, "hard_stop": None}
    assert (await service.look())["run"] == told
    state = await service.extend(parse_extend({"until": own + 3_600_000}))
    assert (state["deadline"], state["run"]) == ({"stop_timestamp": own + 3_600_000, "kept_by": "server"}, told)
    assert (await service.change(parse_change({"auto_stop": {"enable": False}})))["run"] is None
    platform.status = "STOPPED"
    assert (await service.look(refresh=True))["run"] is None
    await service.close()


async def test_each_look_that_confirms_is_pushed_with_its_moment(clock: ManualClock) -> None:
    """A look that brings something new is pushed as that; one that fails confirms nothing."""
    platform = FakePlatform(clock)
    changes: list[str] = []
    looks: list[int] = []
    service = service_for(platform, changes=changes, looks=looks)
    await service.look()
    assert (len(changes), looks) == (1, [])
    await clock.pass_time(120)
    state = await service.look()
    assert len(looks) == 2
    assert looks[-1] == state["confirmed_at"]
    platform.description = "second"
    await service.look(refresh=True)
    platform.fail_read = NoAnswerError("gone")
    await service.look(refresh=True)
    assert (len(changes), len(looks)) == (3, 2)
    await service.close()


async def test_a_jump_of_the_platforms_clock_is_pushed(clock: ManualClock) -> None:
    """A page measures from the last `server_time` it was told, which is wrong after the jump."""
    platform = FakePlatform(clock)
    changes: list[str] = []
    service = service_for(platform, changes=changes)
    await service.look()
    for error, pushed in ((0.5, 1), (3600.0, 2), (3601.0, 2)):
        clock.wall_error = error  # the platform's clock, as this one knows it
        await service.look(refresh=True)
        await service.look(refresh=True)
        assert len(changes) == pushed
    await service.close()


async def test_an_answer_from_before_a_write_is_dropped(clock: ManualClock) -> None:
    """A slow read that began before a write does not overwrite what was read after it."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    await service.look()
    platform.gate = slow = asyncio.Event()
    look = asyncio.create_task(service.look(refresh=True))
    await settle()
    platform.gate = None
    clock.turn(1)
    state = await service.change(parse_change({"description": "new"}))
    assert state["instance"]["description"] == "new"
    slow.set()
    assert (await look)["instance"]["description"] == "new"
    await service.close()


async def test_closing_ends_every_task(clock: ManualClock) -> None:
    """After close nothing of the service runs, a hanging call included."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    await service.look()
    platform.gate = asyncio.Event()
    await clock.pass_time(61)
    before = asyncio.all_tasks()
    await service.close()
    await settle()
    assert asyncio.all_tasks() <= before
    assert [task for task in asyncio.all_tasks() if "jupyter_autostop" in repr(task)] == []
    assert platform.calls[-1] == "close"


async def test_closing_tells_whoever_waits(clock: ManualClock) -> None:
    """Looks under way, a write under way and one behind it end in a 503 by contract, and so does all that follows."""
    platform = FakePlatform(clock)
    service = service_for(platform, close_patience=0.05)
    platform.gate = asyncio.Event()
    waiting = [
        asyncio.ensure_future(asking)
        for asking in (
            service.look(),
            service.look(refresh=True),
            service.change(parse_change({"description": "one"})),
            service.extend(parse_extend({"by": 60})),
        )
    ]
    await settle()
    await service.close()
    after = [service.look(), service.stop()]
    ends = await asyncio.gather(*waiting, *after, return_exceptions=True)
    assert {type(end) for end in ends} == {UnavailableError}
    assert {(end.status, end.code) for end in ends} == {(503, "shutting_down")}
    assert [task for task in asyncio.all_tasks() if "jupyter_autostop" in repr(task)] == []
    assert platform.writes == []


async def test_closing_lets_a_write_end(clock: ManualClock) -> None:
    """A write that ends while the server waits for it is told as what it did, while looks need not wait for it."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    await service.look()
    platform.gate = asyncio.Event()
    look = asyncio.ensure_future(service.look(refresh=True))
    write = asyncio.ensure_future(service.change(parse_change({"description": "new"})))
    await settle()
    closing = asyncio.ensure_future(service.close())
    with pytest.raises(UnavailableError):
        await look
    assert not write.done()
    platform.gate.set()
    await closing
    assert (await write)["outcome"]["effect"] == "now"
    assert platform.description == "new"


async def test_who_is_cancelled_is_not_told_of_a_shutdown(clock: ManualClock) -> None:
    """A look whose own task is cancelled ends as cancelled, and the call goes on for the others."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    platform.gate = asyncio.Event()
    first, second = (asyncio.ensure_future(service.look()) for _ in range(2))
    await settle()
    first.cancel()
    await settle()
    assert first.cancelled()
    platform.gate.set()
    assert (await second)["deadline"] is not None
    await service.close()


async def test_a_kept_problem_keeps_no_frames(clock: ManualClock) -> None:
    """The State's problem outlives its call, and nothing of that call, such as a signed request, with it."""
    platform = FakePlatform(clock)
    platform.fail_read = NoAnswerError("gone", code="no_answer", hint="wait")
    service = service_for(platform)
    state = await service.look()
    assert state["problem"] == {"code": "no_answer", "message": "gone", "hint": "wait"}
    assert service.snapshot.error.__traceback__ is None
    await service.close()


async def test_a_line_of_writes_waits_once_for_a_platform_that_is_silent(clock: ManualClock) -> None:
    """Each is told so, and only what was asked for after the question begun asks one of its own; then all is well."""
    platform = FakePlatform(clock)
    service = service_for(platform)
    await service.look()
    platform.calls.clear()
    platform.gate, platform.fail_read = asyncio.Event(), NoAnswerError("ModelArts did not answer within 10 s.")
    first = asyncio.create_task(service.change(parse_change({"description": "1"})))
    await settle()
    later = [asyncio.create_task(service.change(parse_change({"description": text}))) for text in "234"]
    await settle()
    platform.gate.set()
    told = await asyncio.gather(first, *later, return_exceptions=True)
    assert [str(error) for error in told] == ["ModelArts did not answer within 10 s."] * 4
    assert platform.calls == ["read"] * 2
    assert len(await service.journal.entries()) == 4
    platform.fail_read = None
    state = await service.change(parse_change({"description": "5"}))
    assert (state["outcome"]["effect"], platform.description) == ("now", "5")
    await service.close()
