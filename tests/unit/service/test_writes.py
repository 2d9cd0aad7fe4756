"""Writes: look first, send the whole triple, look again; what is reported is what the platform shows."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conftest import ManualClock, settle
from fakes import FakePlatform, lost, service_for

from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.errors import (
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NoAnswerError,
    NotAppliedError,
    UnavailableError,
)
from jupyter_autostop.service.requests import parse_change


@pytest.fixture
def platform(clock: ManualClock) -> FakePlatform:
    return FakePlatform(clock)


async def run(clock: ManualClock, doing: Any) -> Any:
    """Let a write finish that waits on the clock before it looks again."""
    task = asyncio.ensure_future(doing)
    while not task.done():
        await clock.pass_time(1)
    return task.result()


async def test_a_description_goes_alone(platform: FakePlatform) -> None:
    """A description-only edit omits spec, and is read before and after."""
    service = service_for(platform)
    state = await service.change(parse_change({"description": "new"}))
    assert platform.calls == ["read", {"description": "new"}, "read"]
    assert state["outcome"]["effect"] == "now"
    assert state["instance"]["description"] == "new"
    await service.close()


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"prompt": False}, {"enable": True, "duration": 3600, "prompt": False}),
        ({"enable": False}, {"enable": False, "duration": 3600, "prompt": True}),
        ({"duration": 7200}, {"enable": True, "duration": 7200, "prompt": True}),
    ],
)
async def test_auto_stop_is_sent_whole(platform: FakePlatform, asked: dict, sent: dict) -> None:
    """Whichever key is changed, all three are sent, the others as last read."""
    service = service_for(platform)
    await service.change(parse_change({"auto_stop": asked}))
    assert platform.writes == [{"spec": {"auto_stop": sent}}]
    await service.close()


async def test_the_effect_is_what_the_platform_shows(platform: FakePlatform) -> None:
    """Off ends the deadline, a longer duration waits for the next start, on again brings the deadline back."""
    service = service_for(platform)
    state = await service.change(parse_change({"auto_stop": {"duration": 7200}}))
    assert state["outcome"]["effect"] == "next_start"
    assert state["next_start"] == {"enable": True, "duration": 7200}
    state = await service.change(parse_change({"auto_stop": {"enable": False}}))
    assert (state["outcome"]["effect"], state["deadline"], state["problem"]) == ("now", None, None)
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert state["outcome"]["effect"] == "now"
    assert state["deadline"] is not None
    await service.close()


async def test_off_that_leaves_the_stop_time_is_not_called_off(platform: FakePlatform) -> None:
    """A platform that still shows the stop time after `enable: false` still stops this run, and so it is shown."""
    service = service_for(platform)
    platform.stops_anyway = True
    state = await service.change(parse_change({"auto_stop": {"enable": False}}))
    assert state["outcome"]["effect"] == "next_start"
    assert state["deadline"] is not None
    assert state["next_start"] == {"enable": False, "duration": 3600}
    await service.close()


async def test_nothing_to_change_sends_nothing(platform: FakePlatform) -> None:
    """Asking for what is so already makes no write."""
    service = service_for(platform)
    state = await service.change(parse_change({"description": "first", "auto_stop": {"enable": True}}))
    assert state["outcome"]["effect"] == "none"
    assert platform.writes == []
    await service.close()


async def test_somebody_elses_change_is_not_overwritten(platform: FakePlatform) -> None:
    """The same part changed meanwhile: refused with the State; another part: written; the same wish: done already."""
    service = service_for(platform)
    version = (await service.look())["version"]
    platform.description = "by somebody else"
    with pytest.raises(ConflictError) as caught:
        await service.change(parse_change({"description": "mine"}), version)
    assert caught.value.code == "changed_elsewhere"
    assert platform.writes == []
    state = await service.change(parse_change({"auto_stop": {"prompt": False}}), version)
    assert state["outcome"]["effect"] == "now"
    state = await service.change(parse_change({"description": "by somebody else"}), version)
    assert state["outcome"]["effect"] == "none"
    await service.close()


async def test_a_lost_answer_is_read_back(platform: FakePlatform) -> None:
    """A write that took effect although its answer was lost is reported as done, and sent once."""
    platform.lose_update = lost()
    service = service_for(platform)
    state = await service.change(parse_change({"description": "new"}))
    assert state["outcome"]["effect"] == "now"
    assert platform.writes == [{"description": "new"}]
    await service.close()


@pytest.mark.parametrize(
    ("error", "expected"),
    [(lost(), NoAnswerError), (lost(UnavailableError), NotAppliedError), (None, NotAppliedError)],
    ids=["unanswered", "5xx", "accepted"],
)
async def test_old_values_in_the_read_back_are_an_error(
    clock: ManualClock, platform: FakePlatform, error: Any, expected: type
) -> None:
    """A write that the platform does not show is 504 without an answer, 502 with one, and is never sent twice."""
    platform.ignore_updates = True
    platform.lose_update = error
    service = service_for(platform)
    with pytest.raises(expected):
        await run(clock, service.change(parse_change({"description": "new"})))
    assert len(platform.writes) == 1
    await service.close()


async def test_a_write_that_shows_late_is_waited_for(clock: ManualClock, platform: FakePlatform) -> None:
    """A read-back that still shows the old values is repeated before anything is said."""
    service = service_for(platform)
    platform.ignore_updates = True
    task = asyncio.ensure_future(service.change(parse_change({"description": "new"})))
    await settle()
    platform.description = "new"
    state = await run(clock, task)
    assert state["outcome"]["effect"] == "now"
    await service.close()


async def test_a_failed_read_back_is_unconfirmed(platform: FakePlatform) -> None:
    """Where the platform cannot be read afterwards, nothing is claimed."""
    service = service_for(platform)
    platform.on_update = lambda: setattr(platform, "fail_read", NoAnswerError("gone"))
    state = await service.change(parse_change({"description": "new"}))
    assert state["outcome"]["effect"] == "unconfirmed"
    assert state["stale"]
    assert state["problem"]["code"] == "no_answer"
    await service.close()


async def test_no_write_without_a_read(platform: FakePlatform) -> None:
    """A platform that cannot be read is not written to."""
    platform.fail_read = NoAnswerError("gone")
    service = service_for(platform)
    with pytest.raises(NoAnswerError):
        await service.change(parse_change({"description": "new"}))
    assert platform.writes == []
    await service.close()


async def test_one_write_at_a_time(clock: ManualClock, platform: FakePlatform) -> None:
    """A second write begins when the first has been read back."""
    service = service_for(platform)
    platform.gate = asyncio.Event()
    first = asyncio.ensure_future(service.change(parse_change({"description": "one"})))
    second = asyncio.ensure_future(service.change(parse_change({"description": "two"})))
    await settle()
    platform.gate.set()
    await asyncio.gather(first, second)
    clock.turn(1)
    assert platform.calls == ["read", {"description": "one"}, "read", "read", {"description": "two"}, "read"]
    await service.close()


async def test_a_vanished_client_does_not_end_a_write(platform: FakePlatform) -> None:
    """Whoever asked may go away; the write is finished and read back."""
    service = service_for(platform)
    platform.gate = asyncio.Event()
    task = asyncio.ensure_future(service.change(parse_change({"description": "new"})))
    await settle()
    task.cancel()
    await settle()
    platform.gate.set()
    await settle()
    assert platform.calls == ["read", {"description": "new"}, "read"]
    await service.close()


async def test_a_write_that_cannot_begin_says_so(platform: FakePlatform) -> None:
    """Behind a write that hangs, the next one is refused with a Retry-After instead of waiting for ever."""
    service = service_for(platform, patience=0.05)
    platform.gate = asyncio.Event()
    first = asyncio.ensure_future(service.change(parse_change({"description": "one"})))
    await settle()
    with pytest.raises(UnavailableError) as caught:
        await service.change(parse_change({"description": "two"}))
    assert (caught.value.code, caught.value.retry_after) == ("busy", 5)
    platform.gate.set()
    await first
    await service.close()


async def test_enabling_without_any_duration_is_refused_here(platform: FakePlatform) -> None:
    """Where no running time is set yet, switching on asks for one before the platform is asked."""
    platform.setting = {"enable": False, "duration": None, "prompt": True}
    service = service_for(platform)
    with pytest.raises(InvalidInputError) as caught:
        await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert caught.value.code == "duration_required"
    assert platform.writes == []
    await service.close()


@pytest.mark.parametrize(
    ("policy", "change", "setting"),
    [
        (Policy(allow_disable=False), {"auto_stop": {"enable": False}}, "allow_disable"),
        (Policy(allow_describe=False), {"description": "new"}, "allow_describe"),
    ],
)
async def test_policy_is_enforced_before_anything_is_asked(
    platform: FakePlatform, policy: Policy, change: dict, setting: str
) -> None:
    """What the site forbids is refused with the setting's name, without a call."""
    service = service_for(platform, policy=policy)
    with pytest.raises(ForbiddenError) as caught:
        await service.change(parse_change(change))
    assert setting in caught.value.hint
    assert platform.calls == []
    await service.close()


async def test_stop(platform: FakePlatform) -> None:
    """Stop is sent once and confirmed by a read; a second one is refused by the state."""
    service = service_for(platform)
    state = await service.stop()
    assert platform.calls == ["read", "stop", "read"]
    assert (state["outcome"]["effect"], state["instance"]["status"]) == ("now", "STOPPING")
    assert state["deadline"] is None
    with pytest.raises(ConflictError) as caught:
        await service.stop()
    assert caught.value.code == "ModelArts.6308"
    await service.close()


async def test_a_stop_that_does_not_show_is_not_claimed(clock: ManualClock, platform: FakePlatform) -> None:
    """An accepted stop that leaves the instance running is an error; a forbidden one is not sent."""
    platform.ignore_updates = True
    service = service_for(platform)
    with pytest.raises(NotAppliedError):
        await run(clock, service.stop())
    await service.close()
    forbidden = service_for(platform, policy=Policy(allow_stop=False))
    with pytest.raises(ForbiddenError):
        await forbidden.stop()
    assert platform.writes == ["stop"]
    await forbidden.close()


@pytest.mark.parametrize("change", [{"prompt": False}, {"duration": 7200}])
async def test_an_unknown_switch_is_not_switched_off(platform: FakePlatform, change: dict) -> None:
    """Where the platform does not tell `enable`, no other key is sent: left out, it would mean off."""
    service = service_for(platform)
    platform.setting["enable"] = None
    with pytest.raises(ConflictError) as caught:
        await service.change(parse_change({"auto_stop": change}))
    assert caught.value.code == "setting_unknown"
    assert platform.writes == []
    await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert platform.writes[0]["spec"]["auto_stop"]["enable"] is True
    await service.close()


async def test_an_unknown_reminder_setting_is_sent_as_its_default(platform: FakePlatform) -> None:
    """An untold `prompt` is sent as what leaving it out means, so that the triple is whole."""
    service = service_for(platform)
    platform.setting["prompt"] = None
    await service.change(parse_change({"auto_stop": {"duration": 7200}}))
    assert platform.writes == [{"spec": {"auto_stop": {"enable": True, "duration": 7200, "prompt": True}}}]
    await service.close()


async def test_a_change_made_in_part_is_not_called_nothing(clock: ManualClock, platform: FakePlatform) -> None:
    """Where one part shows and another does not, the error says neither "as it was" nor "nothing changed"."""
    service = service_for(platform)
    apply = platform.apply
    platform.apply = lambda body: apply({"spec": body["spec"]})
    with pytest.raises(NotAppliedError) as caught:
        await run(clock, service.change(parse_change({"description": "new", "auto_stop": {"enable": False}})))
    assert caught.value.code == "partly_applied"
    assert "as it was;" not in caught.value.message
    assert "Nothing was changed" not in caught.value.hint
    assert (await service.look())["deadline"] is None
    await service.close()


async def test_a_read_back_without_the_setting_is_unconfirmed(clock: ManualClock, platform: FakePlatform) -> None:
    """An answer that has lost its auto_stop tells nothing about a change of it."""
    service = service_for(platform)
    answer = platform.answer
    platform.on_update = lambda: setattr(platform, "answer", lambda: {**answer(), "spec": {"auto_stop": None}})
    state = await run(clock, service.change(parse_change({"auto_stop": {"enable": False}})))
    assert state["outcome"]["effect"] == "unconfirmed"
    assert state["problem"]["code"] == "no_auto_stop"
    await service.close()


async def test_off_twice_still_says_that_this_run_stops(platform: FakePlatform) -> None:
    """Asking again for an off that leaves this run its stop time is not "so already"."""
    service = service_for(platform)
    platform.stops_anyway = True
    for _ in range(2):
        state = await service.change(parse_change({"auto_stop": {"enable": False}}))
        assert state["outcome"]["effect"] == "next_start"
        assert state["deadline"] is not None
    assert len(platform.writes) == 1
    await service.close()


async def test_a_late_failure_of_an_earlier_read_is_no_problem(clock: ManualClock, platform: FakePlatform) -> None:
    """A read that hung before a confirmed write and fails after it does not make the State stale."""
    service = service_for(platform)
    await service.look()
    platform.gate = slow = asyncio.Event()
    look = asyncio.ensure_future(service.look(refresh=True))
    await settle()
    platform.gate = None
    await service.change(parse_change({"description": "new"}))
    platform.fail_read = NoAnswerError("gone")
    slow.set()
    assert (await look)["problem"] is None
    await service.close()


async def test_a_duration_set_while_off_teaches_nothing(platform: FakePlatform) -> None:
    """With no stop time to move, an unmoved one says nothing about the platform."""
    service = service_for(platform)
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    await service.change(parse_change({"auto_stop": {"duration": 7200}}))
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert not service.snapshot.memory.defers
    assert state["deadline"] is not None
    await service.close()
