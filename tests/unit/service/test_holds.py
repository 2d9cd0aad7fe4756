"""Holds: begun only when seen, ended by their time, their owner or a person, with the settings as they were."""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from conftest import Ask, ManualClock, settle
from fakes import (
    FakeLife,
    FakeOwners,
    FakePlatform,
    MemoryRecords,
    at_rest,
    at_some_time,
    lost,
    remembering_service,
    service_for,
    until,
)

from jupyter_autostop.domain.messages import OFF
from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.domain.record import EMPTY
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.errors import (
    AutostopError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NoAnswerError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
)
from jupyter_autostop.platforms.modelarts.models import UpdateRequest
from jupyter_autostop.service.requests import parse_change, parse_extend, parse_hold
from jupyter_autostop.service.service import AutostopService
from jupyter_autostop.service.update import STILL_STOPS
from jupyter_autostop.storage.slots import DamagedRecordError

HOUR = 3_600_000
GRACE = 900_000


class ClosingPlatform(FakePlatform):
    """A platform that refuses to switch auto-stop back on once the run's own stop time has passed."""

    def answer(self) -> dict[str, Any]:
        if self.setting["enable"] and self.start + self.in_force * 1000 <= self.clock.time() * 1000:
            self.status = "STOPPING" if self.status == "RUNNING" else self.status
        return super().answer()

    def apply(self, body: dict[str, Any]) -> None:
        wanted = body.get("spec", {}).get("auto_stop", {})
        passed = self.start + self.in_force * 1000 <= self.clock.time() * 1000
        if wanted.get("enable") and not self.setting["enable"] and passed:
            raise InvalidInputError("The stop time must be later than now.", code="ModelArts.6346")
        super().apply(body)


@pytest.fixture
def platform(clock: ManualClock) -> ClosingPlatform:
    return ClosingPlatform(clock)


def now(platform: FakePlatform) -> int:
    return platform.time.now_ms()


async def pass_time(clock: ManualClock, service: AutostopService, seconds: float) -> None:
    """Let time pass by the minute, so that who waits for threads or for each other comes along."""
    while seconds > 0:
        await clock.pass_time(min(seconds, 30))
        await at_rest(service)
        seconds -= 30


async def hold(service: AutostopService, platform: FakePlatform, seconds: int, **more: Any) -> Any:
    await service.look()
    return await service.hold(parse_hold({"until": now(platform) + seconds * 1000, **more}))


async def test_an_extension_ends_in_a_stop(clock: ManualClock, platform: ClosingPlatform) -> None:
    """At the shown deadline, and not before, the settings are tried and the instance is stopped in any case."""
    service = service_for(platform)
    deadline = (await service.extend(parse_extend({"by": 7200})))["deadline"]["stop_timestamp"]
    await pass_time(clock, service, (deadline - now(platform)) / 1000 - 2)
    assert platform.status == "RUNNING"
    assert (await service.look())["deadline"] == {"stop_timestamp": deadline, "kept_by": "server"}
    await pass_time(clock, service, 4)
    assert platform.status == "STOPPING"
    assert platform.writes[-2:] != []
    assert "stop" in platform.writes
    told = [(entry["who"], entry["what"]) for entry in await service.journal.entries()]
    assert ("this server", "stop") in told
    await service.close()


async def test_a_hold_that_ends_early_gives_the_run_back(platform: ClosingPlatform) -> None:
    """Where the platform's own stop time is far enough, it keeps the run again, with the setting people chose."""
    service = service_for(platform)
    shown = (await service.look())["deadline"]
    one = await hold(service, platform, 7200, id="one", reason="training")
    assert one == {
        "id": "one",
        "until": one["until"],
        "then": "restore",
        "reason": "training",
        "owner": {"kind": "person"},
        "created_at": one["created_at"],
    }
    assert (await service.look())["deadline"] == {"stop_timestamp": one["until"], "kept_by": "server"}
    state = await service.release("one")
    assert state["deadline"] == shown
    assert (state["holds"], state["outcome"]["effect"]) == ([], "now")
    assert platform.setting == {"enable": True, "duration": 3600, "prompt": True}
    with pytest.raises(NotFoundError):
        await service.release("one")
    await service.close()


@pytest.mark.parametrize(("then", "after"), [("restore", GRACE), ("stop", 0)])
async def test_the_deadline_of_a_hold_is_when_the_run_is_stopped(
    clock: ManualClock, platform: ClosingPlatform, then: str, after: int
) -> None:
    """The same at every look until the hold's time has come; then the stop, or from that moment on the grace."""
    service = service_for(platform)
    one = await hold(service, platform, 7200, then=then)
    entry = (await service.journal.entries())[0]
    assert at_some_time(entry["result"]).startswith("Held until THEN (2 h). Kept by this server; ")
    while (left := (one["until"] + after - now(platform)) / 1000 - 1) > 0:
        state = await service.look()
        stop = one["until"] + (after if state["server_time"] >= one["until"] else 0)
        assert state["deadline"] == {"stop_timestamp": stop, "kept_by": "server"}
        assert state["problem"] is None
        until_end = (one["until"] - now(platform)) / 1000
        await pass_time(clock, service, min(left, 0.5 if -3 < until_end <= 3 else max(1, min(30, until_end - 2))))
    assert platform.status == "RUNNING"
    await pass_time(clock, service, 4)
    assert platform.status == "STOPPING"
    await service.close()


async def test_a_hold_that_ends_in_time_shows_the_platforms_stop_time(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """Where auto-stop can be put back on at its end, the deadline of before counts, before and after that end."""
    service = service_for(platform)
    shown = (await service.look())["deadline"]
    await hold(service, platform, 7200, id="long")
    await hold(service, platform, 1200, id="short")
    state = await service.release("long")
    assert state["deadline"] == {**shown, "kept_by": "server"}
    assert not platform.setting["enable"]
    await pass_time(clock, service, 1210)
    assert (await service.look())["deadline"] == shown
    assert platform.setting["enable"]
    await service.close()


async def test_an_extension_counts_from_what_is_shown(clock: ManualClock, platform: ClosingPlatform) -> None:
    """The time of the hold; what lies before that shortens nothing."""
    service = service_for(platform)
    one = await hold(service, platform, 7200)
    state = await service.extend(parse_extend({"until": one["until"] - HOUR // 2}))
    assert state["outcome"]["effect"] == "none"
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["deadline"] == {"stop_timestamp": one["until"] + HOUR, "kept_by": "server"}
    await service.close()


async def test_a_hold_whose_end_nobody_saw_leaves_the_grace(clock: ManualClock, platform: ClosingPlatform) -> None:
    """A server that comes back long after it stops nothing at once: the grace counts from then, shown."""
    service = service_for(platform)
    one = await hold(service, platform, 7200)
    platform.fail_read = NoAnswerError("gone")
    await pass_time(clock, service, 7200 + 3600)
    platform.fail_read = None
    await pass_time(clock, service, 120)
    deadline = (await service.look())["deadline"]
    assert deadline["stop_timestamp"] >= one["until"] + HOUR + GRACE - 1000
    assert deadline["stop_timestamp"] - now(platform) > GRACE - 200_000
    assert platform.status == "RUNNING"
    await service.close()


async def test_an_early_end_leaves_the_grace(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Past the platform's own stop time an early end is followed by a stop after the grace, shown."""
    service = service_for(platform)
    await hold(service, platform, 5 * 3600, id="one")
    await pass_time(clock, service, 3600)
    state = await service.release("one")
    assert state["deadline"]["kept_by"] == "server"
    assert abs(state["deadline"]["stop_timestamp"] - now(platform) - GRACE) <= 1000
    await pass_time(clock, service, 880)
    assert platform.status == "RUNNING"
    await pass_time(clock, service, 30)
    assert platform.status == "STOPPING"
    await service.close()


async def test_a_stop_that_was_wished_for_is_said_to_be(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Whether it follows an end that was told or the hold's own time; a page's end of it wishes for none."""
    service = service_for(platform)
    await hold(service, platform, 7200, id="one", then="stop", kernel_id="k1")
    ended = (await service.release("one"))["outcome"]
    said = "The hold has ended. As was wished for, this server stops the instance at THEN (in 15 min)."
    assert at_some_time(ended["message"]) == said
    await hold(service, platform, 7200, id="two", then="stop", kernel_id="k1")
    called_off = (await service.journal.entries())[0]["result"]
    assert called_off.endswith(" The stop that was to come is called off; the end of this hold decides what follows.")
    ended = (await service.release("two", by_person=True))["outcome"]
    assert ended["message"] == "The hold has ended. ModelArts stops this run at its own time."
    await hold(service, platform, 7200, id="three", kernel_id="k1")
    assert "called off" not in (await service.journal.entries())[0]["result"]
    await clock.pass_time(3600)
    ended = (await service.release("three"))["outcome"]
    assert ended["message"].startswith("The hold has ended. ModelArts' own stop time has passed, so this server stops")
    await service.close()


async def test_what_still_holds_may_be_ones_own(platform: ClosingPlatform) -> None:
    """An extension is no other person, and at the limit it is not made longer by the seconds since it was made."""
    service = service_for(platform, policy=Policy(max_extension=7200))
    await service.extend(parse_extend({"by": 7200}))
    await hold(service, platform, 5000, id="one", then="stop", kernel_id="k1")
    ended = (await service.release("one"))["outcome"]
    assert ended["message"] == (
        "The hold has ended. Another hold or an extension still keeps this run going; "
        "the last to end decides what follows."
    )
    platform.clock.turn(5)
    again = (await service.extend(parse_extend({"by": 3600})))["outcome"]
    assert again["message"] == "Asked for 1 h more, the limit leaves nothing. Nothing was changed."
    await service.close()


async def test_the_journal_names_a_hold_as_people_know_it(platform: ClosingPlatform) -> None:
    """By its reason, without one by its time."""
    service = service_for(platform)
    await hold(service, platform, 7200, id="one", reason="training")
    two = await hold(service, platform, 7200, id="two")
    for ended in ("one", "two"):
        await service.release(ended)
    told = [entry["what"] for entry in await service.journal.entries() if entry["what"].startswith("end")]
    until = datetime.fromtimestamp(two["until"] / 1000, timezone.utc)
    assert told == [f"end the hold until {until:%Y-%m-%d %H:%M} UTC", "end the hold “training”"]
    await service.close()


@pytest.mark.parametrize(
    ("emulated", "where"), [(True, "at the emulator: PATCH /_emulator/instance"), (False, "in the ModelArts console")]
)
async def test_a_stopped_instance_is_started_where_it_is(
    platform: ClosingPlatform, *, emulated: bool, where: str
) -> None:
    """No console knows an emulated one."""
    platform.emulated, platform.status = emulated, "STOPPED"
    service = service_for(platform)
    with pytest.raises(ConflictError) as caught:
        await service.extend(parse_extend({"by": 7200}))
    assert f"Start it {where}" in caught.value.hint
    await service.close()


async def test_one_of_several_ends(platform: ClosingPlatform) -> None:
    """The latest counts; when it goes, the deadline comes no nearer than the grace."""
    service = service_for(platform)
    late = await hold(service, platform, 4 * 3600, id="late")
    await hold(service, platform, 3001, id="early")
    assert (await service.look())["deadline"]["stop_timestamp"] == late["until"]
    state = await service.release("late")
    left = state["deadline"]["stop_timestamp"] - now(platform)
    assert left >= GRACE - 1000
    assert [one["id"] for one in state["holds"]] == ["early"]
    await service.close()


@pytest.mark.parametrize("then", ["restore", "stop"])
@pytest.mark.parametrize("wish", [{"kernel_id": "k-1"}, {"pid": 7}], ids=["kernel", "command"])
async def test_a_hold_ends_with_its_owner(
    clock: ManualClock, platform: ClosingPlatform, wish: dict[str, Any], then: str
) -> None:
    """When the kernel or command is gone the hold is, and what was wished for follows, with the grace."""
    owners = FakeOwners()
    service = service_for(platform, owners=owners)
    one = await hold(service, platform, 7200, then=then, **wish)
    assert one["owner"]["kind"] == ("kernel" if "kernel_id" in wish else "command")
    await pass_time(clock, service, 300)
    assert (await service.look())["holds"] != []
    owners.ended = {"k-1", "7"}
    await pass_time(clock, service, 10)
    state = await service.look()
    assert state["holds"] == []
    assert state["deadline"]["kept_by"] == ("platform" if then == "restore" else "server")
    await service.close()


async def test_a_hold_the_platform_lasts_for_switches_nothing_off(platform: ClosingPlatform) -> None:
    """Where the run lasts that long anyway, nothing is written to the platform."""
    service = service_for(platform)
    await hold(service, platform, 600)
    state = await service.look()
    assert (state["deadline"]["kept_by"], len(state["holds"])) == ("platform", 1)
    assert platform.writes == []
    await service.close()


@pytest.mark.parametrize("then", ["restore", "stop"])
async def test_a_hold_says_so_where_the_platform_stops_before_it_after_all(
    platform: ClosingPlatform, then: str
) -> None:
    """Its stop time was moved nearer elsewhere: no hold undoes that, and no one is left to believe in it."""
    service = service_for(platform)
    await hold(service, platform, 1800, then=then)
    assert (await service.look(refresh=True))["problem"] is None
    platform.in_force = 1500
    state = await service.look(refresh=True)
    assert state["deadline"] == {"stop_timestamp": platform.start + 1_500_000, "kept_by": "platform"}
    assert state["problem"] is not None
    assert state["problem"]["code"] == "hold_cut_short"
    assert state["limits"]["can_extend"]
    platform.in_force = 3600
    assert (await service.look(refresh=True))["problem"] is None
    await service.close()


async def test_a_retry_is_harmless(platform: ClosingPlatform) -> None:
    """The same wish with the same id is the same hold; another wish with that id is refused."""
    service = service_for(platform)
    one = await hold(service, platform, 7200, id="one")
    wish = {"until": one["until"], "id": "one"}
    assert await service.hold(parse_hold(wish)) == one
    assert len((await service.look())["holds"]) == 1
    with pytest.raises(ConflictError) as caught:
        await service.hold(parse_hold({**wish, "then": "stop"}))
    assert caught.value.code == "hold_exists"
    await service.close()


async def test_what_cannot_be_held(platform: ClosingPlatform) -> None:
    """A past time, one beyond the ceiling, a stopped instance, a site that forbids it: an error, and nothing held."""
    service = service_for(platform, policy=Policy(max_extension=7200))
    codes = {}
    for name, seconds in (("past", -1), ("beyond", 7300)):
        with pytest.raises(InvalidInputError) as invalid:
            await hold(service, platform, seconds)
        codes[name] = invalid.value.code
    assert codes == {"past": "until_passed", "beyond": "until_range"}
    with pytest.raises(InvalidInputError):
        await hold(service, platform, 60, id="extension")
    platform.status = "STOPPED"
    with pytest.raises(ConflictError) as stopped:
        await hold(service, platform, 60)
    assert stopped.value.code == "ModelArts.6307"
    forbidden = service_for(platform, policy=Policy(allow_hold=False))
    with pytest.raises(ForbiddenError) as caught:
        await hold(forbidden, platform, 60)
    assert "allow_hold" in caught.value.hint
    assert platform.writes == []
    await service.close()
    await forbidden.close()


async def test_held_is_not_said_of_what_still_stops(platform: ClosingPlatform) -> None:
    """Where the platform shows its stop time after `enable: false`, nothing is held and auto-stop is on again."""
    platform.stops_anyway = True
    service = service_for(platform)
    with pytest.raises(ConflictError) as caught:
        await hold(service, platform, 7200)
    assert caught.value.code == "not_held"
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "next_start"
    assert platform.setting["enable"]
    assert state["deadline"]["kept_by"] == "platform"
    assert state["holds"] == []
    await service.close()


async def test_an_unanswered_off_is_not_a_hold_and_is_undone(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Nothing is claimed; for half a minute nothing can begin; then what landed is put back."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    platform.on_update = lambda: (
        setattr(platform, "lose_update", lost()) if not platform.setting["enable"] else None,
        setattr(platform, "fail_read", None if platform.setting["enable"] else NoAnswerError("gone")),
    )
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["outcome"]["effect"] == "unconfirmed"
    assert records.record.off == "intent"
    platform.fail_read = platform.lose_update = None
    platform.on_update = lambda: None
    with pytest.raises(UnavailableError) as caught:
        await hold(service, platform, 7200)
    assert caught.value.code == "unsettled"
    assert 1 <= caught.value.retry_after <= 30
    assert (await service.look())["problem"]["code"] == "unsettled"
    with pytest.raises(UnavailableError) as caught:
        # What lands late would bring the old run length back, and nobody could tell whose it is.
        await service.change(parse_change({"auto_stop": {"duration": 5400}}))
    assert caught.value.code == "unsettled"
    await pass_time(clock, service, 60)
    assert platform.setting == {"enable": True, "duration": 3600, "prompt": True}
    assert records.record.idle
    assert (await service.look())["deadline"]["kept_by"] == "platform"
    await service.close()


async def test_the_consoles_on_ends_the_holds(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Auto-stop switched on elsewhere is not undone; the hold is over, and the journal says so."""
    service = service_for(platform)
    await hold(service, platform, 7200)
    platform.setting["enable"] = True
    state = await service.look(refresh=True)
    await pass_time(clock, service, 5)
    state = await service.look()
    assert (state["holds"], state["deadline"]["kept_by"]) == ([], "platform")
    assert "console" in [entry["what"] for entry in await service.journal.entries()]
    assert platform.setting["enable"]
    await service.close()


async def test_turning_on_tells_the_stop_time_that_counts_then(platform: ClosingPlatform) -> None:
    """And not that of a hold that ends with it."""
    service = service_for(platform)
    own = (await service.look())["deadline"]["stop_timestamp"]
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    one = await hold(service, platform, 600, then="stop")
    assert (await service.look())["deadline"] == {"stop_timestamp": one["until"], "kept_by": "server"}
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert (state["deadline"], state["holds"]) == ({"stop_timestamp": own, "kept_by": "platform"}, [])
    assert service.keeper.moment(own) in state["outcome"]["message"]
    await service.close()


@pytest.mark.parametrize("holds", [[("one", "stop")], [("one", "restore")], [("one", "stop"), ("two", "restore")]])
@pytest.mark.parametrize("more", [{}, {"description": "run 7"}], ids=["alone", "described"])
async def test_on_beside_a_hold_says_that_it_has_ended(
    platform: ClosingPlatform, holds: list[tuple[str, str]], more: dict[str, str]
) -> None:
    """Auto-stop is on all the while, so nothing is sent for it; the stop moves to the platform's own all the same."""
    service = service_for(platform)
    own = (await service.look())["deadline"]["stop_timestamp"]
    for name, then in holds:
        await hold(service, platform, 600, id=name, then=then)
    state = await service.change(parse_change({"auto_stop": {"enable": True}, **more}))
    saved = "The description is saved. " if more else ""
    stops = f"This run stops at {service.keeper.moment(own)}."
    assert state["outcome"] == {
        "effect": "now",
        "message": f"What was held has ended. {saved}{stops}",
        "clamped": False,
    }
    assert (state["deadline"], state["holds"]) == ({"stop_timestamp": own, "kept_by": "platform"}, [])
    assert platform.writes == ([{"description": "run 7"}] if more else [])
    entries = await service.journal.entries()
    assert state["outcome"]["message"] in [entry["result"] for entry in entries]
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert (state["outcome"]["effect"], state["outcome"]["message"]) == (
        "none",
        "It is so already; nothing was sent.",
    )
    await service.close()


@pytest.mark.parametrize("anyway", [False, True], ids=["off at once", "off from the next start"])
async def test_off_beside_a_hold_says_that_it_has_ended(platform: ClosingPlatform, anyway: bool) -> None:
    """Also the second off, for which nothing is sent, of a run that the platform stops anyway or that is off."""
    service = service_for(platform)
    platform.stops_anyway = anyway
    own = (await service.look())["deadline"]["stop_timestamp"]
    told = f"{STILL_STOPS} This run stops at {service.keeper.moment(own)}." if anyway else OFF
    for _ in range(2):
        await hold(service, platform, 600, then="stop")
        state = await service.change(parse_change({"auto_stop": {"enable": False}}))
        assert state["outcome"]["message"] == f"What was held has ended. {told}"
        assert state["outcome"]["effect"] == ("next_start" if anyway else "now")
        assert state["holds"] == []
    await service.close()


async def test_off_with_a_description_says_that_what_was_held_has_ended(platform: ClosingPlatform) -> None:
    """Of a run that is held by switching auto-stop off: the off is there, and only the description is sent."""
    service = service_for(platform)
    await hold(service, platform, 7200)
    state = await service.change(parse_change({"auto_stop": {"enable": False}, "description": "run 7"}))
    assert state["outcome"]["message"] == f"What was held has ended. The description is saved. {OFF}"
    assert (state["outcome"]["effect"], state["deadline"], state["holds"]) == ("now", None, [])
    await service.close()


async def test_on_calls_off_the_stop_that_follows_a_hold_and_says_so(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """The kernel of a hold has ended, and this server is to stop the run after the grace."""
    owners = FakeOwners()
    service = service_for(platform, owners=owners)
    own = (await service.look())["deadline"]["stop_timestamp"]
    await hold(service, platform, 2400, then="stop", kernel_id="k1")
    owners.ended.add("k1")
    await pass_time(clock, service, 10)
    state = await service.look()
    assert (state["holds"], state["deadline"]["kept_by"]) == ([], "server")
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert state["outcome"]["effect"] == "now"
    assert state["outcome"]["message"].startswith("The stop that this server was to make is called off. This run stops")
    assert state["deadline"] == {"stop_timestamp": own, "kept_by": "platform"}
    await service.close()


async def test_a_description_alone_leaves_what_is_held(platform: ClosingPlatform) -> None:
    """And so do a run length and reminders: only a switch of auto-stop ends it."""
    service = service_for(platform)
    one = await hold(service, platform, 600, then="stop")
    for change in ({"description": "run 7"}, {"description": "run 7"}, {"auto_stop": {"prompt": False}}):
        state = await service.change(parse_change(change))
        assert "held" not in state["outcome"]["message"]
        assert [held["id"] for held in state["holds"]] == [one["id"]]
        assert state["deadline"] == {"stop_timestamp": one["until"], "kept_by": "server"}
    await service.close()


async def test_turning_off_and_on_end_what_is_held(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Off leaves the run without a stop, as asked; on gives it back, or stops it after the grace."""
    service = service_for(platform)
    await hold(service, platform, 7200)
    state = await service.change(parse_change({"auto_stop": {"enable": False}}))
    assert (state["outcome"]["effect"], state["deadline"], state["holds"]) == ("now", None, [])
    await service.change(parse_change({"auto_stop": {"enable": True}}))
    await hold(service, platform, 7200)
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert (state["deadline"]["kept_by"], state["holds"]) == ("platform", [])
    await hold(service, platform, 9000)
    await pass_time(clock, service, 3600)
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert state["deadline"]["kept_by"] == "server"
    assert abs(state["deadline"]["stop_timestamp"] - now(platform) - GRACE) <= 1000
    await service.close()


async def test_a_hold_ended_by_switching_on_makes_no_later_extension_longer(platform: ClosingPlatform) -> None:
    """Of a run that others had left without a stop: what was confirmed of its hold has ended with it."""
    platform.setting["enable"] = False
    service = service_for(platform)
    await hold(service, platform, 8 * 3600, then="stop")
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    own = state["deadline"]["stop_timestamp"]
    state = await service.extend(parse_extend({"by": 3600}))
    assert state["deadline"] == {"stop_timestamp": own + HOUR, "kept_by": "server"}
    await service.close()


async def test_once_a_stop_is_decided_nothing_holds_it_back(clock: ManualClock, platform: ClosingPlatform) -> None:
    """While the platform refuses the stop it is tried again, shown as a problem, and all that would hold it is 409."""
    service = service_for(platform)
    await service.extend(parse_extend({"by": 3600}))
    platform.fail_update = ThrottledError("Not now.")
    await pass_time(clock, service, 2 * 3600)
    assert platform.status == "RUNNING"
    state = await service.look()
    assert (state["deadline"], state["problem"]["code"]) == (None, "throttled")
    for refused in (
        service.extend(parse_extend({"by": 60})),
        service.stop(),
        service.hold(parse_hold({"until": now(platform) + HOUR})),
        service.change(parse_change({"auto_stop": {"enable": True}})),
    ):
        with pytest.raises(ConflictError) as caught:
            await refused
        assert caught.value.code == "stop_sent"
    platform.fail_update = None
    await pass_time(clock, service, 90)
    assert platform.status == "STOPPING"
    await service.close()


async def test_a_disk_that_refuses_begins_no_hold(platform: ClosingPlatform) -> None:
    """What cannot be noted down is not begun: nothing is sent, and the stop time is as it was."""
    records = MemoryRecords()
    records.fail = OSError(5, "Input/output error")
    service = service_for(platform, records=records)
    for wish in (hold(service, platform, 7200), service.extend(parse_extend({"by": 3600}))):
        with pytest.raises(UnavailableError) as caught:
            await wish
        assert caught.value.code == "record_unwritable"
    assert platform.writes == []
    assert (await service.look())["deadline"]["kept_by"] == "platform"
    await service.close()


class DamagedRecords(MemoryRecords):
    """A record that cannot be read until it is put aside."""

    damaged = True

    def read(self) -> Any:
        if self.damaged:
            raise DamagedRecordError("the checksum is wrong")
        return super().read()

    async def put_aside(self) -> str:
        self.damaged = False
        return "/state/DE-1.keeper.damaged-1"


class StuckRecords(DamagedRecords):
    """A record that is damaged, in a folder whose files this user may not move."""

    async def put_aside(self) -> str:
        raise OSError(1, "Operation not permitted")


async def test_a_damaged_record_that_cannot_be_moved_refuses_a_hold(
    clock: ManualClock, platform: ClosingPlatform, tmp_path: Path
) -> None:
    """The stop time is shown all the same; a hold is refused with both reasons, and the way to look into it."""
    service = await remembering_service(platform, tmp_path, records=StuckRecords())
    assert (await service.look(refresh=True))["deadline"]
    with pytest.raises(UnavailableError) as refused:
        await hold(service, platform, 7200)
    await service.close()
    assert refused.value.code == "record_unreadable"
    assert "the checksum is wrong, and it cannot be moved away: Operation not permitted" in refused.value.message
    assert "jupyter autostop doctor" in refused.value.hint


async def test_a_damaged_record_puts_auto_stop_on_the_safe_side(
    clock: ManualClock, platform: ClosingPlatform, tmp_path: Path
) -> None:
    """What was found is said, kept aside, and auto-stop is put on where this run's stop time is still to come."""
    service = await remembering_service(platform, tmp_path)
    shown = (await service.look())["deadline"]
    await service.close()
    platform.setting["enable"] = False
    service = await remembering_service(platform, tmp_path, records=DamagedRecords())
    service.keep()
    await pass_time(clock, service, 5)
    state = await service.look()
    assert state["problem"]["code"] == "record_damaged"
    assert "damaged-1" in state["problem"]["message"]
    assert platform.setting["enable"]
    assert state["deadline"] == shown
    state = await service.change(parse_change({"auto_stop": {"enable": False}}))
    assert state["problem"] is None
    await service.close()


async def test_a_damaged_record_with_nothing_left_asks_a_person(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Where nobody knows this run's stop time, nothing is switched, and the person is asked loudly."""
    platform.setting["enable"] = False
    records = DamagedRecords()
    service = service_for(platform, records=records)
    service.keep()
    await pass_time(clock, service, 5)
    state = await service.look()
    assert state["problem"]["code"] == "record_damaged"
    assert "nothing will stop this run" in state["problem"]["hint"]
    assert platform.writes == []
    assert records.record.asks
    await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert not records.record.asks
    await service.close()


async def test_the_next_start_gets_its_settings_back(clock: ManualClock, platform: ClosingPlatform) -> None:
    """A run that a killed server left without a stop is the next server's affair, also where nobody looks."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    await hold(service, platform, 7200)
    kept = records.record
    await service.close()
    records.record = kept
    platform.setting["enable"] = False
    await clock.pass_time(10_000)
    platform.restart(int(clock.time() * 1000))
    platform.calls.clear()
    service = service_for(platform, records=records, container="two", life=FakeLife("two", 20.0))
    service.keep()
    await pass_time(clock, service, 5)
    assert platform.setting == {"enable": True, "duration": 3600, "prompt": True}
    assert "stop" not in platform.calls
    assert records.record == EMPTY
    await service.close()


async def test_the_last_server_hands_the_run_back(platform: ClosingPlatform) -> None:
    """A clean shutdown leaves the stop to the platform; one that hangs is not waited for beyond its time."""
    service = service_for(platform)
    await hold(service, platform, 7200)
    await service.close()
    assert platform.setting["enable"]
    service = service_for(platform, close_patience=0.05)
    await hold(service, platform, 7200)
    platform.gate = asyncio.Event()
    await asyncio.wait_for(service.close(), 5)
    assert not platform.setting["enable"]


class DeafPlatform(ClosingPlatform):
    """A platform that never answers a change of some kind, and may yet do what it says."""

    deaf_to = ""

    async def update(self, request: UpdateRequest) -> None:
        if self.deaf_to and self.deaf_to in str(request.body()):
            self.calls.append(request.body())
            await asyncio.Event().wait()
        await super().update(request)


async def test_a_write_that_hangs_leaves_time_to_hand_the_run_back(clock: ManualClock) -> None:
    """A part of the time that a server takes to end is the run's own; a description gets the rest."""
    platform = DeafPlatform(clock)
    service = service_for(platform, close_patience=3.0)
    await hold(service, platform, 7200)
    platform.deaf_to = "description"
    writing = asyncio.ensure_future(service.change(parse_change({"description": "x"})))
    await until(lambda: platform.writes[-1] == {"description": "x"})
    await service.close()
    assert platform.setting["enable"]
    with pytest.raises(UnavailableError):
        await writing


async def test_a_write_of_auto_stop_that_hangs_leaves_the_run_to_the_next_server(
    clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    """What is handed back could be undone by it: the record stays, and says what the next server has to look at."""
    platform = DeafPlatform(clock)
    records = MemoryRecords()
    service = service_for(platform, records=records, close_patience=0.5)
    await hold(service, platform, 7200)
    platform.deaf_to = "9000"
    writing = asyncio.ensure_future(service.change(parse_change({"auto_stop": {"duration": 9000}})))
    await until(lambda: "9000" in str(platform.writes[-1]))
    written = len(platform.writes)
    await service.close()
    assert len(platform.writes) == written
    assert (records.record.off, len(records.record.pending), len(records.record.holds)) == ("yes", 1, 1)
    assert "the next server goes on with it" in caplog.text
    with pytest.raises(UnavailableError):
        await writing


async def test_a_hundred_holds_cost_one_watch(clock: ManualClock, platform: ClosingPlatform) -> None:
    """However many holds are open, one task watches them, and the platform is asked no more often for it."""
    service = service_for(platform)
    for number in range(100):
        await hold(service, platform, 7200 + number, kernel_id=f"k-{number % 20}")
    assert len((await service.look())["holds"]) == 100
    tasks = len([task for task in asyncio.all_tasks() if "jupyter_autostop" in repr(task)])
    platform.calls.clear()
    await pass_time(clock, service, 600)
    assert platform.calls.count("read") <= 21
    assert tasks <= 3
    await service.close()


async def test_nothing_held_and_nobody_looking_asks_nobody(clock: ManualClock, platform: ClosingPlatform) -> None:
    """A server at rest makes no calls, also when it is asked to see to a record that is not there."""
    service = service_for(platform)
    service.keep()
    await settle()
    await clock.pass_time(7200)
    assert platform.calls == []
    await service.close()


async def test_the_routes(ask: Ask, emulator: EmulatorServer) -> None:
    """POST holds is 201 with the hold, DELETE gives the State; each refusal is by contract."""
    time = (await ask("GET", "instance")).json["server_time"]
    reply = await ask("POST", "holds", {"until": time + 2 * HOUR, "id": "mine", "reason": "training"})
    assert (reply.status, reply.json["id"], reply.json["owner"]) == (201, "mine", {"kind": "person"})
    assert emulator.emulator.instance.run.stop_at is None
    state = (await ask("GET", "instance")).json
    assert state["holds"] == [reply.json]
    assert state["deadline"] == {"stop_timestamp": reply.json["until"], "kept_by": "server"}
    reply = await ask("POST", "holds", {"until": time + HOUR, "kernel_id": "none-such"})
    assert (reply.status, reply.json["code"]) == (404, "kernel_not_found")
    reply = await ask("POST", "holds", {"until": time + HOUR, "pid": 2**31 - 1})
    assert (reply.status, reply.json["code"]) == (400, "process_not_found")
    reply = await ask("POST", "holds", {"until": time + 30 * 24 * HOUR})
    assert (reply.status, reply.json["code"]) == (400, "until_range")
    for body in ({}, {"until": "now"}, {"until": time, "then": "wait"}, {"until": time, "id": "a/b"}, []):
        reply = await ask("POST", "holds", body)
        assert (reply.status, reply.json["code"]) == (400, "invalid_body")
    reply = await ask("DELETE", "holds/mine")
    assert (reply.status, reply.json["holds"]) == (200, [])
    assert emulator.emulator.instance.run.stop_at is not None
    reply = await ask("DELETE", "holds/mine")
    assert (reply.status, reply.json["code"]) == (404, "hold_not_found")


class TestForbidden:
    """A site that forbids holds."""

    @pytest.fixture
    def autostop_config(self, emulator: EmulatorServer) -> dict[str, Any]:
        return {"platform": "emulator", "endpoint": emulator.url, "request_timeout": 2.0, "allow_hold": False}

    async def test_nothing_is_held(self, ask: Ask, emulator: EmulatorServer) -> None:
        """POST holds is 403, an extension on a platform that defers changes nothing, and the State says why."""
        state = (await ask("GET", "instance")).json
        assert "allow" in state["limits"]["why_not"]["hold"]
        reply = await ask("POST", "holds", {"until": state["server_time"] + HOUR})
        assert (reply.status, reply.json["code"]) == (403, "policy")
        reply = await ask("POST", "extend", {"by": 3600})
        assert reply.json["outcome"]["effect"] == "next_start"
        assert emulator.emulator.instance.run.stop_at is not None


async def test_a_refusal_is_an_error_of_ours(platform: ClosingPlatform) -> None:
    """A platform that refuses the off leaves the run as it was, and its refusal is passed on."""
    service = service_for(platform)
    await service.look()
    platform.on_update = lambda: setattr(platform, "fail_update", ThrottledError("Not now."))
    with pytest.raises(AutostopError) as caught:
        await hold(service, platform, 7200)
    assert caught.value.code == "throttled"
    platform.fail_update = None
    platform.on_update = lambda: None
    assert (await service.look())["holds"] == []
    assert platform.setting["enable"]
    await service.close()
