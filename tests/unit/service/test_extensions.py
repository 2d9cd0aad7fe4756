"""Extending: `now` only where the stop time moved, the run length as it was where it could not help the run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ManualClock, settle
from fakes import FakePlatform, MemoryRecords, at_rest, at_some_time, lost, remembering_service, service_for

from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.domain.record import Pending, Record, Setting
from jupyter_autostop.domain.rules import threatened
from jupyter_autostop.errors import (
    BadAnswerError,
    ConflictError,
    InvalidInputError,
    NoAnswerError,
    NotAppliedError,
    UnavailableError,
)
from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.writer import LOOK_AGAIN
from jupyter_autostop.service.requests import parse_change, parse_extend, parse_hold
from jupyter_autostop.state import State

NO_HOLD = Policy(allow_hold=False)


def put(duration: int, *, enable: bool = True) -> dict[str, Any]:
    return {"spec": {"auto_stop": {"enable": enable, "duration": duration, "prompt": True}}}


@pytest.fixture
def platform(clock: ManualClock) -> FakePlatform:
    return FakePlatform(clock)


async def test_a_platform_that_moves_the_stop_time(clock: ManualClock) -> None:
    """Where the longer duration moves this run's stop, the effect is now, to the odd second by which ours is known."""
    platform = FakePlatform(clock, moves=True)
    service = service_for(platform)
    shown = (await service.look())["deadline"]["stop_timestamp"]
    state = await service.extend(parse_extend({"by": 1800}))
    assert (state["outcome"]["effect"], state["outcome"]["clamped"]) == ("now", False)
    assert at_some_time(state["outcome"]["message"]).startswith("Extended by 30 min, to THEN (in 1 h ")
    assert state["deadline"] == {"stop_timestamp": shown + 1_801_000, "kept_by": "platform"}
    assert state["next_start"] is None
    again = await service.extend(parse_extend({"until": shown + 1_800_000}))
    assert again["outcome"]["effect"] == "none"
    assert platform.writes == [put(5401)]
    await service.close()


async def test_a_platform_that_defers(platform: FakePlatform) -> None:
    """Where the stop time stays this run is held: auto-stop goes off, the duration back, and we keep the deadline."""
    service = service_for(platform)
    shown = (await service.look())["deadline"]["stop_timestamp"]
    state = await service.extend(parse_extend({"by": 7200}))
    assert state["outcome"]["effect"] == "held"
    assert "ModelArts' own auto-stop is off until then" in state["outcome"]["message"]
    assert state["deadline"] == {"stop_timestamp": shown + 7_200_000, "kept_by": "server"}
    assert state["auto_stop"]["enable"] is False
    assert [(hold["id"], hold["until"], hold["then"]) for hold in state["holds"]] == [
        ("extension", shown + 7_200_000, "stop")
    ]
    assert platform.writes == [put(10801), put(3600, enable=False)]
    assert state["limits"]["can_extend"]
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "held"
    assert state["deadline"]["stop_timestamp"] == shown + 10_800_000
    assert (await service.extend(parse_extend({"until": shown})))["outcome"]["effect"] == "none"
    assert len(platform.writes) == 2
    await service.close()


async def looked_at(clock: ManualClock, write: Awaitable[State]) -> State:
    """Let the looks that follow a write have their time."""
    state, _ = await asyncio.gather(write, clock.pass_time(30))
    return state


def slow(clock: ManualClock, moves_after: float) -> FakePlatform:
    """Return a platform that shows a run length at once, and moves the stop time only later."""
    platform = FakePlatform(clock, moves=True)
    platform.moves_after = moves_after
    return platform


@pytest.mark.parametrize("moves_after", [0.3, 1.9])
async def test_a_platform_that_moves_the_stop_time_a_little_later(clock: ManualClock, moves_after: float) -> None:
    """It is looked at again before anybody says that it does not; nothing is held, and nothing learned."""
    platform = slow(clock, moves_after)
    service = service_for(platform, second_looks=LOOK_AGAIN)
    shown = (await service.look())["deadline"]["stop_timestamp"]
    state = await looked_at(clock, service.extend(parse_extend({"by": 1800})))
    assert (state["outcome"]["effect"], state["outcome"]["clamped"]) == ("now", False)
    assert at_some_time(state["outcome"]["message"]).startswith("Extended by 30 min, to THEN (in 1 h ")
    assert state["deadline"] == {"stop_timestamp": shown + 1_801_000, "kept_by": "platform"}
    assert (state["holds"], service.keeper.record.off, service.snapshot.memory.defers) == ([], "no", False)
    change = parse_change({"auto_stop": {"duration": 7200}})
    assert (await looked_at(clock, service.change(change)))["outcome"]["effect"] == "now"
    assert not service.snapshot.memory.defers
    await service.close()


async def test_a_platform_that_does_not_move_it_is_looked_at_no_longer_than_that(
    clock: ManualClock, platform: FakePlatform
) -> None:
    """Three looks and it is known to defer, once for all: the next extension asks it no more."""
    service = service_for(platform, second_looks=LOOK_AGAIN)
    await service.look()
    platform.calls.clear()
    assert (await looked_at(clock, service.extend(parse_extend({"by": 1800}))))["outcome"]["effect"] == "held"
    assert platform.calls == ["read", put(5401), "read", "read", "read", put(3600, enable=False), "read"]
    assert service.snapshot.memory.defers
    await service.close()


async def test_a_look_that_fails_teaches_nothing(clock: ManualClock, platform: FakePlatform) -> None:
    """Whether the stop time moves cannot be told then: unconfirmed, and put in order later."""
    service = service_for(platform, second_looks=LOOK_AGAIN)
    await service.look()
    writing = asyncio.create_task(service.extend(parse_extend({"by": 1800})))
    await settle()
    assert platform.writes == [put(5401)]
    platform.fail_read = NoAnswerError("Gone.")
    await clock.pass_time(1)
    assert (await writing)["outcome"]["effect"] == "unconfirmed"
    assert not service.snapshot.memory.defers
    platform.fail_read = None
    assert (await service.look(refresh=True))["outcome"] is None
    for _ in range(4):
        await clock.pass_time(30)
        await at_rest(service)
    assert platform.setting["duration"] == 3600
    await service.close()


async def test_a_run_that_ends_while_it_is_looked_at_teaches_nothing(clock: ManualClock) -> None:
    """A run length set in the last second of a run: an unmoved stop time says nothing of others."""
    platform = slow(clock, 1)
    service = service_for(platform, second_looks=LOOK_AGAIN)
    await service.look()
    writing = asyncio.create_task(service.change(parse_change({"auto_stop": {"duration": 7200}})))
    await settle()
    platform.status = "STOPPING"
    await clock.pass_time(3)
    assert (await writing)["outcome"]["effect"] == "unconfirmed"
    assert not service.snapshot.memory.defers
    await service.close()


async def test_an_extension_that_has_moved_while_it_was_to_be_held_is_no_hold(clock: ManualClock) -> None:
    """Seen at the look after the off: the platform keeps this run then, with auto-stop on, and owes the old length."""
    platform = slow(clock, 3)
    platform.stops_anyway = True
    service = service_for(platform, second_looks=LOOK_AGAIN)
    shown = (await service.look())["deadline"]["stop_timestamp"]
    writing = asyncio.create_task(service.extend(parse_extend({"by": 1800})))
    await clock.pass_time(4)
    state = await writing
    assert state["outcome"]["effect"] == "now"
    assert state["deadline"] == {"stop_timestamp": shown + 1_801_000, "kept_by": "platform"}
    assert (state["holds"], state["auto_stop"]["enable"]) == ([], True)
    memory, record = service.snapshot.memory, service.keeper.record
    assert (memory.defers, record.off, record.probe) == (False, "no", 5401)
    assert record.prior is not None
    assert record.prior.duration == 3600
    assert memory.run is not None
    assert memory.run.start == platform.start
    await service.close()


async def test_what_was_learned_wrongly_is_unlearned(clock: ManualClock) -> None:
    """A stop time that is seen to have moved with the run length, however late, shows that it can be moved."""
    platform = slow(clock, 20)
    service = service_for(platform, second_looks=LOOK_AGAIN)
    shown = (await service.look())["deadline"]["stop_timestamp"]
    writing = asyncio.create_task(service.change(parse_change({"auto_stop": {"duration": 7200}})))
    await clock.pass_time(3)
    assert (await writing)["outcome"]["effect"] == "next_start"
    assert service.snapshot.memory.defers
    await clock.pass_time(20)
    state = await service.look(refresh=True)
    assert state["deadline"]["stop_timestamp"] == shown + 3_600_000
    assert not service.snapshot.memory.defers
    platform.moves_after = 0
    state = await looked_at(clock, service.extend(parse_extend({"by": 1800})))
    assert (state["outcome"]["effect"], state["holds"]) == ("now", [])
    await service.close()


async def test_where_holds_are_forbidden_a_platform_that_defers_is_left(platform: FakePlatform) -> None:
    """Where the stop time stays, the duration goes back at once, and the platform is not asked a second time."""
    service = service_for(platform, policy=NO_HOLD)
    shown = (await service.look())["deadline"]
    state = await service.extend(parse_extend({"by": 7200}))
    assert state["outcome"]["effect"] == "next_start"
    assert state["deadline"] == shown
    assert state["auto_stop"]["duration"] == 3600
    assert state["next_start"] is None
    assert platform.writes == [put(10801), put(3600)]
    assert not state["limits"]["can_extend"]
    assert "hold" in state["limits"]["why_not"]
    assert "next start" in state["limits"]["why_not"]["extend"]
    state = await service.extend(parse_extend({"by": 7200}))
    assert state["outcome"]["effect"] == "next_start"
    assert len(platform.writes) == 2
    await service.close()


async def test_deferral_is_remembered_over_a_restart(platform: FakePlatform, tmp_path: Path) -> None:
    """What the platform did once is known to the next server too."""
    service = await remembering_service(platform, tmp_path)
    await service.extend(parse_extend({"by": 60}))
    await service.close()
    assert platform.setting["enable"]  # the last server hands the run back
    platform.calls.clear()
    service = await remembering_service(platform, tmp_path, container="two")
    state = await service.extend(parse_extend({"by": 60}))
    assert state["outcome"]["effect"] == "held"
    assert platform.writes == [put(3600, enable=False)]
    await service.close()


async def test_the_old_duration_goes_back_at_the_next_start(clock: ManualClock, tmp_path: Path) -> None:
    """A run that was made longer leaves the next one as long as people chose."""
    platform = FakePlatform(clock, moves=True)
    service = await remembering_service(platform, tmp_path)
    await service.extend(parse_extend({"by": 3600}))
    await service.extend(parse_extend({"by": 3600}))
    await service.close()
    await clock.pass_time(20_000)
    platform.restart(int(clock.time() * 1000))
    platform.calls.clear()
    service = await remembering_service(platform, tmp_path, container="two")
    await service.look()
    await at_rest(service)
    assert platform.writes == [put(3600)]
    state = await service.look()
    assert state["auto_stop"]["duration"] == 3600
    assert state["deadline"]["stop_timestamp"] == platform.start + 3_600_000
    await service.look(refresh=True)
    assert len(platform.writes) == 1
    await service.close()


@pytest.mark.parametrize("moves", [True, False], ids=["moved", "held"])
@pytest.mark.parametrize("container", ["one", "two"], ids=["same-server", "next-server"])
async def test_a_run_length_put_back_between_two_runs_leaves_the_next_run_alone(
    clock: ManualClock, tmp_path: Path, container: str, *, moves: bool
) -> None:
    """The next run's extension stays as it was told, however often the server looks: that run is not over."""
    platform = FakePlatform(clock, moves=True)
    service = await remembering_service(platform, tmp_path)
    await service.extend(parse_extend({"by": 3600}))
    platform.status = "STOPPED"
    await service.look(refresh=True)
    await at_rest(service)
    assert platform.setting["duration"] == 3600
    if container != "one":
        await service.close()
        service = await remembering_service(platform, tmp_path, container=container)
    platform.restart(int(clock.time() * 1000))
    platform.moves = moves
    state = await service.extend(parse_extend({"by": 3600}))
    told, holds = state["deadline"], state["holds"]
    assert state["outcome"]["effect"] == ("now" if moves else "held")
    for _ in range(3):
        await clock.pass_time(61)
        await service.look(refresh=True)
        await at_rest(service)
    state = await service.look()
    assert (state["deadline"], state["holds"]) == (told, holds)
    await service.close()


async def test_a_duration_chosen_meanwhile_stays(clock: ManualClock, tmp_path: Path) -> None:
    """What a person has set since is not put back to something older."""
    platform = FakePlatform(clock, moves=True)
    service = await remembering_service(platform, tmp_path)
    await service.extend(parse_extend({"by": 3600}))
    await service.change(parse_change({"auto_stop": {"duration": 14400}}))
    await clock.pass_time(31)
    await service.look(refresh=True)
    await service.close()
    platform.restart(int(clock.time() * 1000))
    platform.calls.clear()
    service = await remembering_service(platform, tmp_path, container="two")
    await service.look()
    await at_rest(service)
    assert platform.writes == []
    await service.close()


async def test_a_late_put_back_does_not_stop_the_new_run(clock: ManualClock, tmp_path: Path) -> None:
    """Where the old duration would end the new run at once, it waits for the next start."""
    platform = FakePlatform(clock, moves=True)
    service = await remembering_service(platform, tmp_path)
    await service.extend(parse_extend({"by": 3600}))
    await service.close()
    platform.restart(int(clock.time() * 1000))
    await clock.pass_time(3000)
    platform.calls.clear()
    service = await remembering_service(platform, tmp_path, container="two")
    await service.look()
    await at_rest(service)
    assert platform.writes == []
    await service.close()


async def test_a_lost_probe_that_landed_is_put_back(clock: ManualClock, platform: FakePlatform) -> None:
    """When neither the answer nor the read-back came, nothing is claimed, and the next look puts things right."""
    service = service_for(platform)
    platform.lose_update = lost()
    platform.on_update = lambda: setattr(platform, "fail_read", NoAnswerError("gone"))
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "unconfirmed"
    platform.fail_read = platform.lose_update = None
    platform.on_update = lambda: None
    await service.look(refresh=True)
    await settle()
    assert platform.writes == [put(7201), put(3600)]
    assert (await service.look())["auto_stop"]["duration"] == 3600
    await service.close()


async def test_a_probe_that_lands_late_is_put_back(clock: ManualClock, platform: FakePlatform) -> None:
    """A probe that shows only after its error was told is still known to be ours."""
    service = service_for(platform)
    await service.look()
    platform.ignore_updates = True
    platform.lose_update = lost()

    async def extend() -> None:
        with pytest.raises(NoAnswerError):
            await service.extend(parse_extend({"by": 3600}))

    task = asyncio.ensure_future(extend())
    await clock.pass_time(5)
    await task
    platform.ignore_updates = False
    platform.lose_update = None
    await service.look(refresh=True)
    await settle()
    platform.apply(put(7201))
    await clock.pass_time(11)
    state = await service.look(refresh=True)
    # It is seen, and it is nothing that would wait for the next start.
    assert state["auto_stop"]["duration"] == 7201
    assert state["next_start"] is None
    await settle()
    assert platform.setting["duration"] == 3600
    await service.close()


@pytest.mark.parametrize("lands", [True, False])
@pytest.mark.parametrize("seen_by", ["a look", "a refused extension"])
async def test_an_on_is_not_lost_to_a_put_back_under_way(clock: ManualClock, seen_by: str, lands: bool) -> None:
    """A run length is put back while auto-stop is off, and so with the word off: an on seen meanwhile outlives it."""
    platform, records = FakePlatform(clock, moves=True), MemoryRecords()
    service = service_for(platform, records=records)
    await service.extend(parse_extend({"by": 3600}))
    platform.on_update = lambda: setattr(platform, "ignore_updates", True)  # the next one is lost on its way
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    platform.lose_update = lost()
    await service.look(refresh=True)
    await clock.pass_time(5)
    under_way = platform.writes[-1]
    assert under_way == put(3600, enable=False)

    platform.apply(put(5400))  # in the console
    stop = platform.answer()["spec"]["auto_stop"]["stop_timestamp"]
    if seen_by == "a look":
        await service.look(refresh=True)
        await settle()
    else:
        with pytest.raises(UnavailableError, match="An earlier change may still take effect"):
            await service.extend(parse_extend({"by": 3600}))
    await service.close()
    if lands:
        platform.apply(under_way)
    platform.ignore_updates, platform.lose_update, platform.on_update = False, None, lambda: None
    sent = len(platform.writes)
    await clock.pass_time(31)
    # Whoever comes next knows it as well.
    service = service_for(platform, records=records)
    service.keep()
    await settle()
    assert platform.answer()["spec"]["auto_stop"]["stop_timestamp"] == stop
    assert platform.writes[sent:] == ([put(5400)] if lands else [])
    assert records.record.idle
    results = [entry["result"] for entry in await service.journal.entries()]
    assert ("A change of ours that came late has switched it off, so it is put back on." in results) is lands
    await service.close()


async def test_a_put_back_that_fails_is_said_and_tried_again(clock: ManualClock, platform: FakePlatform) -> None:
    """The run length that could not be put back is named, and the next look tries once more."""
    service = service_for(platform, policy=NO_HOLD)
    platform.on_update = lambda: setattr(platform, "fail_update", BadAnswerError("no"))
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "next_start"
    assert "could not be put back to 1 h" in state["outcome"]["message"]
    tried = len(platform.writes)
    for _ in range(5):
        await service.look(refresh=True)
        await settle()
    assert len(platform.writes) == tried + 1  # not at every look
    platform.fail_update = None
    platform.on_update = lambda: None
    await clock.pass_time(11)
    await service.look(refresh=True)
    await settle()
    assert platform.setting["duration"] == 3600
    await service.close()


async def test_a_refused_extension_leaves_nothing(platform: FakePlatform) -> None:
    """The platform's own refusal is passed on, and nothing is owed for it."""
    platform.fail_update = InvalidInputError("Too long.", code="ModelArts.6349")
    service = service_for(platform)
    with pytest.raises(InvalidInputError) as caught:
        await service.extend(parse_extend({"by": 3600}))
    assert caught.value.code == "ModelArts.6349"
    platform.fail_update = None
    await service.look(refresh=True)
    assert platform.writes == [put(7201)]
    await service.close()


async def test_extending_never_shortens(platform: FakePlatform) -> None:
    """A time before the shown deadline changes nothing, and says so."""
    service = service_for(platform)
    now = (await service.look())["server_time"]
    state = await service.extend(parse_extend({"until": now + 60_000}))
    assert (state["outcome"]["effect"], state["outcome"]["clamped"]) == ("none", False)
    assert platform.writes == []
    await service.close()


async def test_beyond_the_limit_is_clamped_and_said(clock: ManualClock) -> None:
    """The platform's 24 h for a run, or the site's ceiling, cut the wish, in words."""
    platform = FakePlatform(clock, moves=True)
    service = service_for(platform)
    state = await service.extend(parse_extend({"by": 30 * 3600}))
    assert state["outcome"]["clamped"]
    assert state["outcome"]["message"].startswith("Asked for 30 h more, the limit leaves 23 h. ")
    assert state["deadline"]["stop_timestamp"] == platform.start + 86_399_000
    state = await service.extend(parse_extend({"by": 3600}))
    assert (state["outcome"]["effect"], state["outcome"]["clamped"]) == ("none", True)
    await service.close()
    platform = FakePlatform(clock, moves=True)
    service = service_for(platform, policy=Policy(max_extension=4000))
    state = await service.extend(parse_extend({"by": 10**30}))
    assert state["deadline"]["stop_timestamp"] == pytest.approx(state["server_time"] + 4_000_000, abs=1000)
    await service.close()


async def test_what_cannot_be_extended(platform: FakePlatform) -> None:
    """A past time, no deadline, no running instance: the contract's errors, and nothing is written."""
    service = service_for(platform)
    with pytest.raises(InvalidInputError) as invalid:
        await service.extend(parse_extend({"until": 1_700_000_000}))
    assert invalid.value.code == "until_passed"
    platform.setting["enable"] = False
    state = await service.extend(parse_extend({"until": 9_999_999_999_999}))
    assert state["outcome"]["effect"] == "none"
    with pytest.raises(ConflictError) as off:
        await service.extend(parse_extend({"by": 60}))
    assert off.value.code == "no_deadline"
    platform.status = "STOPPED"
    with pytest.raises(ConflictError) as stopped:
        await service.extend(parse_extend({"by": 60}))
    assert stopped.value.code == "ModelArts.6307"
    assert platform.writes == []
    await service.close()


async def test_a_setting_that_waits_shows_that_the_platform_defers(platform: FakePlatform) -> None:
    """A longer duration already set and not in force needs no probe to know what a probe would do."""
    service = service_for(platform)
    await service.look()
    platform.setting["duration"] = 7200
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "held"
    assert platform.writes == [put(7200, enable=False)]
    await service.close()


@pytest.mark.parametrize(
    "odd",
    [
        {"status": "UNAVAILABLE"},
        {"status": "RESTARTING"},
        {"spec": {"auto_stop": {"enable": True, "duration": 7200, "prompt": True}}},
        {"spec": {"auto_stop": None}},
        {"spec": None},
    ],
    ids=str,
)
async def test_a_confirmed_extension_is_not_revoked_by_an_odd_answer(clock: ManualClock, odd: dict[str, Any]) -> None:
    """One answer that does not tell the stop time ends no run: nothing is put back, then or after it."""
    platform = FakePlatform(clock, moves=True)
    service = service_for(platform)
    extended = await service.extend(parse_extend({"by": 3600}))
    answer = platform.answer
    platform.answer = lambda: {**answer(), **odd}
    await service.look(refresh=True)
    await settle()
    platform.answer = answer
    await clock.pass_time(11)
    state = await service.look(refresh=True)
    await settle()
    assert platform.writes == [put(7201)]
    assert state["deadline"] == extended["deadline"]
    await service.close()


async def test_a_read_back_that_does_not_tell_claims_nothing(clock: ManualClock) -> None:
    """Without a stop time in the read-back an extension is unconfirmed, nothing is learned, and settled later."""
    platform = FakePlatform(clock, moves=True)
    service = service_for(platform)
    await service.look()
    answer = platform.answer
    platform.on_update = lambda: setattr(
        platform, "answer", lambda: {**answer(), "spec": {"auto_stop": dict(platform.setting)}}
    )
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "unconfirmed"
    platform.answer = answer
    platform.on_update = lambda: None
    state = await service.look(refresh=True)
    await settle()
    assert state["limits"]["can_extend"]
    assert platform.writes == [put(7201)]
    assert (await service.extend(parse_extend({"by": 3600})))["outcome"]["effect"] == "now"
    await service.close()


async def test_rounding_is_no_extension(clock: ManualClock, platform: FakePlatform) -> None:
    """A stop time that wanders by half a minute while 2 h were asked for has not been moved."""
    service = service_for(platform, policy=NO_HOLD)
    await service.look()
    platform.on_update = lambda: setattr(platform, "start", platform.start + 15_000)
    state = await service.extend(parse_extend({"by": 7200}))
    assert state["outcome"]["effect"] == "next_start"
    assert platform.setting["duration"] == 3600
    await service.close()


async def test_a_smaller_move_is_said(clock: ManualClock, platform: FakePlatform) -> None:
    """A platform that moves the stop time by less than was asked for is not told as if it had done all."""
    service = service_for(platform)
    await service.look()
    platform.on_update = lambda: setattr(platform, "in_force", 3600 + 600)
    state = await service.extend(parse_extend({"by": 7200}))
    assert (state["outcome"]["effect"], state["outcome"]["clamped"]) == ("now", True)
    assert "less than was asked for" in state["outcome"]["message"]
    await service.close()


async def test_an_accepted_probe_that_shows_late_is_still_known(clock: ManualClock, platform: FakePlatform) -> None:
    """A write that the read-back did not show, and that shows a while later, is put back."""
    service = service_for(platform)
    await service.look()
    platform.ignore_updates = True

    async def extend() -> None:
        with pytest.raises(NotAppliedError):
            await service.extend(parse_extend({"by": 3600}))

    task = asyncio.ensure_future(extend())
    await clock.pass_time(5)
    await task
    platform.ignore_updates = False
    platform.apply(put(7201))
    await service.look(refresh=True)
    await settle()
    assert platform.setting["duration"] == 3600
    await service.close()


async def test_a_longer_run_length_that_was_never_sent_is_not_what_people_chose(clock: ManualClock) -> None:
    """After a crash before it was sent, the one before it stands: a hold that comes at once knows whose that is."""
    platform, records = FakePlatform(clock, moves=True), MemoryRecords()
    service = service_for(platform, records=records)
    await service.extend(parse_extend({"by": 3600}))
    first = records.record
    assert (first.probe, first.prior) == (7201, Setting(True, 3600, True))
    await service.close()
    at = int(clock.time() * 1000)
    records.record = replace(first, probe=10801, pending=(Pending("probe", at),), old=first)
    await clock.pass_time(60)
    service = service_for(platform, records=records)
    later = int(clock.time() * 1000) + 4 * 3600_000
    await service.hold(parse_hold({"until": later, "then": "restore"}))
    assert records.record.prior == first.prior
    await service.close()


class NearerPlatform(FakePlatform):
    """Counts a longer run length from an earlier moment than the one before it."""

    def apply(self, body: dict[str, Any]) -> None:
        was = self.setting["duration"]
        super().apply(body)
        if self.setting["duration"] > was:
            self.in_force = was - 1200


async def test_a_stop_brought_nearer_by_a_try_is_not_the_one_to_return_to(clock: ManualClock) -> None:
    """Where the longer run length brings the stop nearer, what was shown before still holds, whatever is unanswered."""
    platform, records = NearerPlatform(clock), MemoryRecords()
    service = service_for(platform, records=records)
    shown = (await service.look())["deadline"]["stop_timestamp"]

    def lose_the_second() -> None:
        platform.on_update = lambda: setattr(platform, "fail_read", NoAnswerError("gone"))
        platform.lose_update = lost()

    platform.on_update = lose_the_second
    platform.lose_update = None
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "unconfirmed"
    await service.close()
    platform.fail_read, platform.lose_update, platform.on_update = None, None, lambda: None
    await clock.pass_time(31)
    service = service_for(platform, records=records)
    service.keep()
    await settle()
    assert (await service.look())["deadline"]["stop_timestamp"] >= shown - 2000
    await service.close()


@pytest.mark.parametrize("kind", ["rest", "on", None])
@pytest.mark.parametrize("enable", [True, False])
def test_an_on_between_two_runs_is_owed_while_a_put_back_is_under_way(kind: Any, enable: bool, clock: Any) -> None:
    """What was seen on counts as chosen, and the length that is on its way as nobody's; other writes change nothing."""
    platform = FakePlatform(clock)
    platform.status, platform.setting = "STOPPED", {"enable": enable, "duration": 5400, "prompt": True}
    pending = (Pending(kind, 0),) if kind else ()
    record = Record(prior=Setting(False, 3600, True), probe=7201, over=True, pending=pending)
    then = threatened(record, Instance.model_validate(platform.answer()), None)
    if kind == "rest" and enable:
        assert then == replace(record, off="ending", prior=Setting(True, 5400, True), seen=3600)
    else:
        assert then is record
