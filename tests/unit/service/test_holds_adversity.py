"""Holds where much goes wrong at once: a disk that refuses, servers that end together, changes that are refused."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ManualClock
from fakes import FakeOwners, FakePlatform, MemoryRecords, at_rest, at_some_time, lost, remembering_service, service_for
from test_holds import GRACE, HOUR, ClosingPlatform, hold, now, pass_time

from jupyter_autostop.client.rendering import status_line
from jupyter_autostop.domain.messages import OFF
from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.errors import (
    AutostopError,
    ConflictError,
    ForbiddenError,
    NoAnswerError,
    ThrottledError,
    UnavailableError,
)
from jupyter_autostop.keeper.loop import RECORD
from jupyter_autostop.platforms.modelarts.models import UpdateRequest
from jupyter_autostop.platforms.writer import LOOK_AGAIN
from jupyter_autostop.service.extend import NOTED
from jupyter_autostop.service.requests import parse_change, parse_extend
from jupyter_autostop.service.service import AutostopService
from jupyter_autostop.storage.locks import FileLocks
from jupyter_autostop.storage.slots import RecordFile


@pytest.fixture
def platform(clock: ManualClock) -> ClosingPlatform:
    return ClosingPlatform(clock)


async def test_a_disk_that_refuses_in_the_middle_of_a_hold(clock: ManualClock, platform: ClosingPlatform) -> None:
    """What cannot be noted down any more counts all the same: the run is stopped at its grace's end."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    await hold(service, platform, 7200, id="h")
    records.fail = OSError(5, "Input/output error")
    await pass_time(clock, service, 7200 + 900 + 120)
    assert platform.calls.count("stop") >= 1
    assert platform.status != "RUNNING"
    await service.close()


async def test_a_record_that_vanishes_is_written_again(
    clock: ManualClock, platform: ClosingPlatform, tmp_path: Path
) -> None:
    """Removed or spoilt under a live hold, as by somebody who tidies up: the hold goes on, and is on disk again."""
    service = await remembering_service(platform, tmp_path)
    one = await hold(service, platform, 7200, then="stop")
    path = RecordFile(tmp_path, "DE-1").path
    kept = RecordFile(tmp_path, "DE-1").load()
    for spoil in (path.unlink, lambda: path.write_bytes(b"\xff" * 1000)):
        await asyncio.to_thread(spoil)
        assert (await service.look(refresh=True))["deadline"]["stop_timestamp"] == one["until"]
        await pass_time(clock, service, 90)
        assert (await service.look())["holds"] == [one]
        assert RecordFile(tmp_path, "DE-1").load() == kept
    told = [entry["result"] for entry in await service.journal.entries() if entry["what"] == "keeper's record"]
    assert len(told) == 2
    assert "damaged-1" in told[0]
    await asyncio.to_thread(path.unlink)
    await pass_time(clock, service, 7200)
    assert platform.status == "STOPPING"
    await service.close()


@pytest.mark.parametrize("answers", [True, False])
async def test_a_record_that_vanishes_is_soon_written_again(
    clock: ManualClock, platform: ClosingPlatform, tmp_path: Path, answers: bool
) -> None:
    """Within seconds, whether or not the platform answers, which is not asked for it: a server may end at any time."""
    service = await remembering_service(platform, tmp_path, refresh_interval=600.0)
    await hold(service, platform, 7200, id="h")
    file = RecordFile(tmp_path, "DE-1")
    kept = file.load()
    if not answers:
        platform.fail_read = UnavailableError("Away.")
        await pass_time(clock, service, 1000)
        asked = len(platform.calls)
        while len(platform.calls) == asked:
            await pass_time(clock, service, 1)
    platform.calls.clear()
    await asyncio.to_thread(file.path.unlink)
    await pass_time(clock, service, RECORD)
    assert file.load() == kept
    assert platform.calls == []
    assert any("gone from the disk" in entry["result"] for entry in await service.journal.entries())
    await service.close()


async def test_what_another_server_notes_is_soon_known(
    clock: ManualClock, platform: ClosingPlatform, tmp_path: Path
) -> None:
    """Without a question to the platform, so that none of two writes an old record where a newer one has vanished."""
    one = await remembering_service(platform, tmp_path, refresh_interval=600.0)
    two = await remembering_service(platform, tmp_path, refresh_interval=600.0)
    await hold(one, platform, 3600 * 2, id="a")
    two.keep()
    await at_rest(two)
    await hold(one, platform, 3600 * 3, id="b")
    platform.calls.clear()
    await pass_time(clock, two, RECORD)
    assert [held["id"] for held in two.snapshot.state()["holds"]] == ["a", "b"]
    assert platform.calls == []
    await one.close()
    await two.close()


async def test_a_record_that_cannot_be_read_any_more(clock: ManualClock, platform: ClosingPlatform) -> None:
    """The run is stopped from memory, in time, and until then the State says what the disk does."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    one = await hold(service, platform, 7200, then="stop")
    records.fail_load = records.fail = OSError(5, "Input/output error")
    await pass_time(clock, service, 120)
    state = await service.look(refresh=True)
    assert state["deadline"] == {"stop_timestamp": one["until"], "kept_by": "server"}
    assert state["problem"]["code"] == "record_unwritable"
    assert "Input/output error" in state["problem"]["message"]
    assert "Input/output error" in status_line(state)
    with pytest.raises(UnavailableError):
        await hold(service, platform, 7300)
    records.fail_load = records.fail = None
    await pass_time(clock, service, 120)
    assert (await service.look())["problem"] is None
    records.fail_load = records.fail = OSError(5, "Input/output error")
    await pass_time(clock, service, (one["until"] - now(platform)) / 1000 + 5)
    assert platform.status == "STOPPING"
    await service.close()


async def test_a_record_that_cannot_be_written_is_a_problem(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Beside the deadline, which counts, for as long as it stands in memory only."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    one = await hold(service, platform, 7200)
    records.fail = OSError(28, "No space left on device")
    await pass_time(clock, service, 7210)
    state = await service.look()
    assert state["deadline"] == {"stop_timestamp": one["until"] + 900_000, "kept_by": "server"}
    assert state["problem"]["code"] == "record_unwritable"
    assert "No space left" in state["problem"]["message"]
    records.fail = None
    await pass_time(clock, service, 65)
    assert (await service.look())["problem"] is None
    assert records.record.stop_at is not None
    await service.close()


async def test_a_hold_that_is_ended_while_the_disk_refuses(clock: ManualClock, platform: ClosingPlatform) -> None:
    """It stays ended."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    await hold(service, platform, 6 * 3600, id="h")
    records.fail = OSError(5, "Input/output error")
    await service.release("h", by_person=True)
    await pass_time(clock, service, 120)
    assert (await service.look())["holds"] == []
    await service.close()


async def test_a_hold_is_no_longer_than_before_once_holds_are_forbidden(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """A server that comes back with another policy keeps what was promised, and extends nothing by holding."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    deadline = (await service.extend(parse_extend({"by": 7200})))["deadline"]
    kept = records.record
    await service.close()
    platform.setting["enable"] = False
    records.record = kept
    service = service_for(platform, records=records, policy=Policy(allow_hold=False))
    state = await service.look()
    assert (state["deadline"], state["limits"]["can_extend"]) == (deadline, False)
    assert "stops as shown" in state["limits"]["why_not"]["extend"]
    for wish in ({"by": 3600}, {"until": now(platform) + 9 * HOUR}):
        with pytest.raises(ForbiddenError) as caught:
            await service.extend(parse_extend(wish))
        assert "allow_hold" in caught.value.hint
    shorter = await service.extend(parse_extend({"until": now(platform) + HOUR}))
    assert shorter["outcome"]["effect"] == "none"
    assert (shorter["deadline"], records.record.holds) == (deadline, kept.holds)
    await pass_time(clock, service, (deadline["stop_timestamp"] - now(platform)) / 1000 + 5)
    assert platform.status == "STOPPING"
    await service.close()


async def test_no_hold_ends_in_a_stop_where_stops_are_forbidden(clock: ManualClock, platform: ClosingPlatform) -> None:
    """It is refused by the name of the setting; the stop that an extension needs stays."""
    service = service_for(platform, policy=Policy(allow_stop=False))
    with pytest.raises(ForbiddenError) as caught:
        await hold(service, platform, 7200, then="stop")
    assert "allow_stop" in caught.value.hint
    assert platform.writes == []
    state = await service.extend(parse_extend({"by": 3600}))
    await pass_time(clock, service, (state["deadline"]["stop_timestamp"] - now(platform)) / 1000 + 5)
    assert platform.status == "STOPPING"
    await service.close()


async def test_two_servers_that_end_together(platform: ClosingPlatform, tmp_path: Path) -> None:
    """One of them is the last, and hands the run back to the platform."""
    state, run = tmp_path / "state", tmp_path / "run"
    servers = [
        await asyncio.to_thread(service_for, platform, state_dir=str(state), locks=FileLocks(run, "DE-1"))
        for _ in range(2)
    ]
    await servers[0].look()
    await servers[0].extend(parse_extend({"by": 7200}))
    await servers[1].look()
    assert platform.setting["enable"] is False
    await asyncio.gather(*(server.close() for server in servers))
    assert platform.setting["enable"] is True


async def test_a_refused_switch_ends_no_hold(platform: ClosingPlatform) -> None:
    """Neither one over somebody else's change nor one that the platform turns away."""
    platform.setting["enable"] = False
    service = service_for(platform)
    await hold(service, platform, 3600, id="h", then="stop")
    seen = service.snapshot.version()
    platform.setting["prompt"] = False
    switch = parse_change({"auto_stop": {"enable": True}})
    with pytest.raises(ConflictError):
        await service.change(switch, seen)
    platform.fail_update = ThrottledError("Busy.")
    with pytest.raises(ThrottledError):
        await service.change(switch)
    platform.fail_update = None
    state = await service.look(refresh=True)
    assert [held["id"] for held in state["holds"]] == ["h"]
    assert state["deadline"] is not None
    await service.close()


async def test_an_extension_outlives_a_longer_hold_that_ends(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Who was told that the run lasts that long already can rely on it when the other hold is gone."""
    owners = FakeOwners()
    service = service_for(platform, owners=owners)
    await hold(service, platform, 4 * 3600, id="k", kernel_id="k1")
    until = now(platform) + 3 * HOUR
    done = (await service.extend(parse_extend({"until": until})))["outcome"]
    assert (done["effect"], done["message"]) == ("none", NOTED)
    again = (await service.extend(parse_extend({"until": until})))["outcome"]
    assert (again["effect"], again["message"] == NOTED) == ("none", False)
    await pass_time(clock, service, 3600)
    owners.ended.add("k1")
    await pass_time(clock, service, 60)
    deadline = (await service.look())["deadline"]
    assert deadline is not None
    assert deadline["stop_timestamp"] == until
    await service.close()


async def test_a_clamped_extension_that_others_outlast_says_that_it_is_noted(platform: ClosingPlatform) -> None:
    """Not that nothing was changed: once the others have ended, the run lasts as long as the limit leaves it."""
    service = service_for(platform, policy=Policy(max_extension=4 * 3600))
    one = await hold(service, platform, 4 * 3600, id="k", kernel_id="k1")
    done = (await service.extend(parse_extend({"by": 7200})))["outcome"]
    assert (done["effect"], done["clamped"]) == ("none", True)
    assert done["message"].endswith(NOTED)
    state = await service.release("k")
    assert [held["id"] for held in state["holds"]] == ["extension"]
    assert abs(state["deadline"]["stop_timestamp"] - one["until"]) <= 2000
    await service.close()


async def test_off_by_our_doing_is_not_off_for_good(clock: ManualClock, platform: ClosingPlatform) -> None:
    """While auto-stop is being put back, an extension does not say that nothing will stop this run."""
    service = service_for(platform)
    await hold(service, platform, 7200, id="h")
    platform.fail_update = ThrottledError("Busy.")
    await service.release("h", by_person=True)
    with pytest.raises(ConflictError, match="put back"):
        await service.extend(parse_extend({"by": 3600}))
    state = await service.look()
    assert (state["deadline"], state["limits"]["can_extend"]) == (None, False)
    assert "put back" in state["limits"]["why_not"]["extend"]
    assert state["problem"] is not None
    until = now(platform) + 4 * HOUR
    assert (await service.extend(parse_extend({"until": until})))["outcome"]["effect"] == "held"
    platform.fail_update = None
    await pass_time(clock, service, 3600)
    deadline = (await service.look())["deadline"]
    assert deadline is not None
    assert deadline["stop_timestamp"] == until
    await service.close()


async def test_an_extension_while_auto_stop_is_put_back_is_no_less_than_the_grace(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """Whoever asks for less than the run has anyway, once a hold that ended has been dealt with, shortens nothing."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    own = (await service.look())["deadline"]["stop_timestamp"]
    await hold(service, platform, 7200, id="h")
    await pass_time(clock, service, (own - now(platform)) / 1000 - 60)
    await service.close()
    platform.setting["enable"] = False
    # A server that was killed just after it had noted that the hold has ended.
    records.record = replace(next(save for save in records.saves if save.off == "yes"), off="ending", holds=(), floor=0)
    service = service_for(platform, records=records)
    state = await service.extend(parse_extend({"until": now(platform) + 600_000}))
    assert state["outcome"]["effect"] == "none"
    asked = now(platform)
    await pass_time(clock, service, 65)
    deadline = (await service.look())["deadline"]
    assert deadline["kept_by"] == "server"
    assert deadline["stop_timestamp"] >= asked + 900_000 - 1000
    await service.close()


@pytest.mark.parametrize("left", [10, -600])
async def test_switching_on_near_the_end_of_a_run_leaves_the_grace(
    clock: ManualClock, platform: ClosingPlatform, left: int
) -> None:
    """A run whose own stop time is near or past, switched off by hand: on does not stop it at once, and says when."""
    service = service_for(platform)
    own = (await service.look())["deadline"]["stop_timestamp"]
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    await pass_time(clock, service, (own - now(platform)) / 1000 - left)
    switch = parse_change({"auto_stop": {"enable": True, "duration": 4 * 3600}, "description": "late"})
    state = await service.change(switch)
    stop = state["deadline"]["stop_timestamp"]
    assert (state["deadline"]["kept_by"], state["outcome"]["effect"]) == ("server", "held")
    assert abs(stop - now(platform) - 900_000) <= 1000
    assert ("passed" if left < 0 else "less than 15 min away") in state["outcome"]["message"]
    assert "extend it" in state["outcome"]["message"]
    assert " From the next start a run lasts 4 h." in state["outcome"]["message"]
    assert platform.description == "late"
    assert (await service.look(refresh=True))["deadline"] == state["deadline"]
    await pass_time(clock, service, (stop - now(platform)) / 1000 - 2)
    assert platform.status == "RUNNING"
    await pass_time(clock, service, 40)
    assert platform.status == "STOPPING"
    platform.status = "STOPPED"
    platform.start = int(clock.time() * 1000)
    await pass_time(clock, service, 90)
    assert platform.setting == {"enable": True, "duration": 4 * 3600, "prompt": True}
    await service.close()


async def test_off_after_a_late_on_says_that_it_is_off(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Not that of the run length, which was owed and is saved along with it."""
    service = service_for(platform)
    own = (await service.look())["deadline"]["stop_timestamp"]
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    await pass_time(clock, service, (own - now(platform)) / 1000 + 600)
    await service.change(parse_change({"auto_stop": {"enable": True, "duration": 4 * 3600}}))
    state = await service.change(parse_change({"auto_stop": {"enable": False}}))
    called_off = f"The stop that this server was to make is called off. {OFF}"
    assert (state["outcome"], state["deadline"]) == ({"effect": "now", "message": called_off, "clamped": False}, None)
    assert platform.setting == {"enable": False, "duration": 4 * 3600, "prompt": True}
    await service.close()


async def test_switching_on_with_minutes_left_is_the_platforms(clock: ManualClock, platform: ClosingPlatform) -> None:
    """A stop that is still to come is what was asked for, and said; of a run that was seen to end nothing is known."""
    service = service_for(platform)
    own = (await service.look())["deadline"]["stop_timestamp"]
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    await pass_time(clock, service, (own - now(platform)) / 1000 - 300)
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert state["deadline"] == {"stop_timestamp": own, "kept_by": "platform"}
    assert "extend it" in state["outcome"]["message"]
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    platform.status = "STOPPED"
    await service.look(refresh=True)
    platform.restart(int(clock.time() * 1000))
    assert (await service.look(refresh=True))["deadline"] is None
    await pass_time(clock, service, 600)
    state = await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert state["deadline"]["kept_by"] == "platform"
    assert platform.setting["enable"]
    await service.close()


async def test_switching_on_near_the_end_where_nothing_may_be_held(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """It is refused, and the person told what else there is; the run goes on as it was."""
    service = service_for(platform, policy=Policy(allow_hold=False))
    own = (await service.look())["deadline"]["stop_timestamp"]
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    await pass_time(clock, service, (own - now(platform)) / 1000 - 10)
    written = len(platform.writes)
    with pytest.raises(ConflictError) as caught:
        await service.change(parse_change({"auto_stop": {"enable": True}}))
    assert caught.value.code == "stop_near"
    assert len(platform.writes) == written
    await service.close()


async def test_switching_on_says_when_the_run_stops(clock: ManualClock, platform: ClosingPlatform) -> None:
    """In the words of the answer too, which the journal keeps, with the way out where it is soon."""
    service = service_for(platform)
    own = (await service.look())["deadline"]["stop_timestamp"]
    for seconds, said in ((2950, "stops at THEN (in 49 min)."), (1210, "(in 20 min): extend it if that is too soon.")):
        await service.change(parse_change({"auto_stop": {"enable": False}}))
        await pass_time(clock, service, (own - now(platform)) / 1000 - seconds)
        state = await service.change(parse_change({"auto_stop": {"enable": True}}))
        assert state["deadline"] == {"stop_timestamp": own, "kept_by": "platform"}
        assert said in at_some_time(state["outcome"]["message"])
    await service.close()


async def test_an_early_end_near_the_platforms_stop_time_says_why(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """That time is too near for the grace, and has not passed: so it is said, and so it is in the journal."""
    service = service_for(platform)
    own = (await service.look())["deadline"]["stop_timestamp"]
    await hold(service, platform, 7200, id="h")
    await pass_time(clock, service, (own - now(platform)) / 1000 - 60)
    state = await service.release("h", by_person=True)
    why = "ModelArts' own stop time is less than 15 min away, so this server stops the instance at "
    assert why in state["outcome"]["message"]
    assert state["deadline"]["stop_timestamp"] > own
    assert any(why in entry["result"] for entry in await service.journal.entries())
    await service.close()


async def test_a_run_length_that_would_end_the_run_is_said_to(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Where nobody knows that this platform defers, a shorter length may count at once: the grace, and its reason."""
    platform.in_force = platform.setting["duration"] = 5 * 3600
    service = service_for(platform)
    shown = (await service.look())["deadline"]
    await service.snapshot.remember(replace(service.snapshot.memory, defers=True))
    await hold(service, platform, 6 * 3600, id="h")
    await service.snapshot.remember(replace(service.snapshot.memory, defers=False))
    await pass_time(clock, service, 3600)
    state = await service.change(parse_change({"auto_stop": {"enable": True, "duration": 3600}}))
    assert "A run length of 1 h might end this run at once" in state["outcome"]["message"]
    assert state["deadline"]["kept_by"] == "server"
    assert now(platform) + 890_000 < state["deadline"]["stop_timestamp"] < shown["stop_timestamp"]
    await service.close()


async def test_a_stop_after_the_grace_is_handed_back_too(clock: ManualClock, platform: ClosingPlatform) -> None:
    """A server that ends in the grace leaves the run to the platform, where its stop time is still to come."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    shown = (await service.look())["deadline"]
    own = shown["stop_timestamp"]
    await hold(service, platform, 7200, id="h")
    await pass_time(clock, service, (own - now(platform)) / 1000 - 600)
    assert (await service.release("h", by_person=True))["deadline"]["kept_by"] == "server"
    await service.close()
    assert platform.setting["enable"]
    assert records.record.idle
    service = service_for(platform, records=records)
    assert (await service.look())["deadline"] == shown
    await service.close()


async def test_a_hold_that_the_platform_lasts_for_is_entered_at_its_end(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """With its reason, and with what follows: nothing was switched off, and nothing is to be put back."""
    service = service_for(platform)
    await hold(service, platform, 600, reason="lr sweep")
    await pass_time(clock, service, 660)
    assert (await service.look())["holds"] == []
    entry = (await service.journal.entries())[0]
    assert (entry["who"], entry["what"]) == ("this server", "hold")
    assert entry["result"] == "A hold (“lr sweep”) has ended at its time. ModelArts stops this run at its own time."
    await service.close()


async def unanswered_off_beside_a_stop(service: AutostopService, platform: ClosingPlatform) -> int:
    """Begin a hold that ends in a stop, and one of whose off nobody learns what came of it; return the first's end."""
    one = await hold(service, platform, 1200, id="mine", then="stop", kernel_id="k-1")
    platform.on_update = lambda: (
        setattr(platform, "lose_update", lost()) if not platform.setting["enable"] else None,
        setattr(platform, "fail_read", None if platform.setting["enable"] else NoAnswerError("gone")),
    )
    with pytest.raises(AutostopError):
        await hold(service, platform, 7200, id="more")
    platform.fail_read = platform.lose_update = None
    platform.on_update = lambda: None
    return int(one["until"])


async def test_an_end_while_an_off_is_under_way_is_not_begun_anew(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """The hold that ended while nobody knew what came of another one's off is not there again once that is known."""
    records = MemoryRecords()
    service = service_for(platform, records=records, owners=FakeOwners())
    await unanswered_off_beside_a_stop(service, platform)
    assert records.record.off == "intent"
    await service.release("mine")
    assert (await service.look())["deadline"]["kept_by"] == "server"
    await pass_time(clock, service, 120)
    state = await service.look()
    assert state["holds"] == []
    assert state["deadline"]["kept_by"] == "server"
    assert abs(state["deadline"]["stop_timestamp"] - now(platform) - GRACE) <= 130_000
    await service.close()


async def test_an_off_that_comes_to_nothing_moves_no_stop(clock: ManualClock, platform: ClosingPlatform) -> None:
    """What was shown before it counts all the while, and again once it is undone: the run is stopped then."""
    service = service_for(platform, owners=FakeOwners())
    until = await unanswered_off_beside_a_stop(service, platform)
    while (left := (until - now(platform)) / 1000 - 1) > 0:
        assert (await service.look())["deadline"] == {"stop_timestamp": until, "kept_by": "server"}
        await pass_time(clock, service, min(left, 60))
    assert platform.status == "RUNNING"
    await pass_time(clock, service, 5)
    assert platform.status == "STOPPING"
    await service.close()


async def test_a_failed_stop_blames_nobody_else(clock: ManualClock, platform: ClosingPlatform) -> None:
    """Auto-stop that was put back for it stays on, and the journal says why the hold is over."""
    service = service_for(platform)
    await service.extend(parse_extend({"by": 7200}))

    async def refuse() -> None:
        raise ThrottledError("Slow down.")

    platform.stop = refuse  # type: ignore[method-assign]
    with pytest.raises(ThrottledError) as caught:
        await service.stop(who="page")
    assert caught.value.hint == "Auto-stop was put back on for it, so what was held has ended: look at the stop time."
    await pass_time(clock, service, 60)
    assert platform.setting["enable"] is True
    results = [entry["result"] for entry in await service.journal.entries()]
    assert not any("elsewhere" in result for result in results)
    assert (await service.look())["holds"] == []
    await service.close()


async def test_looks_at_the_record_alone_are_no_looks(clock: ManualClock, platform: ClosingPlatform) -> None:
    """A record of somebody else beside ours, which is looked at again and again, keeps no page from fresh news."""
    service = service_for(platform)
    await service.look()
    platform.calls.clear()
    for _ in range(20):
        service.keep()
        await at_rest(service)
        await service.look()
        await pass_time(clock, service, 15)
    assert platform.calls.count("read") >= 4
    await service.close()


class CappedPlatform(FakePlatform):
    """A platform that moves the stop time within two hours of run only, and stops at it with auto-stop off too."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock, moves=True)
        self.stops_anyway = True

    def apply(self, body: dict[str, Any]) -> None:
        before = self.in_force
        super().apply(body)
        self.in_force = before if self.in_force > 7200 else self.in_force


async def test_what_was_moved_stays_so_where_more_cannot_be_had(clock: ManualClock) -> None:
    """A second extension that neither moves the stop time nor can be held leaves the first one as it is."""
    platform = CappedPlatform(clock)
    service = service_for(platform)
    first = (await service.look())["deadline"]["stop_timestamp"]
    state = await service.extend(parse_extend({"until": first + 1_800_000}))
    assert state["outcome"]["effect"] == "now"
    moved = state["deadline"]
    state = await service.extend(parse_extend({"until": first + 7_200_000}))
    assert state["deadline"]["stop_timestamp"] >= moved["stop_timestamp"] - 2000
    assert platform.setting["enable"]
    await service.close()


class ShutPlatform(FakePlatform):
    """A platform that now and then refuses to switch auto-stop off."""

    refuses_off = False

    async def update(self, request: UpdateRequest) -> None:
        if self.refuses_off and request.body()["spec"]["auto_stop"]["enable"] is False:
            raise ThrottledError("Busy.")
        await super().update(request)


async def test_a_run_at_its_longest_that_cannot_be_held_stays_so(clock: ManualClock) -> None:
    """A hold that nothing more can be asked of the platform for, and that no off helps, shortens nothing."""
    platform = ShutPlatform(clock, moves=True)
    platform.stops_anyway = True
    service = service_for(platform)
    first = (await service.look())["deadline"]["stop_timestamp"]
    state = await service.extend(parse_extend({"until": first + 82_799_000}))
    assert state["outcome"]["effect"] == "now"
    longest = state["deadline"]
    platform.refuses_off = True
    with pytest.raises(ThrottledError):
        await hold(service, platform, 86_400)
    assert (await service.look(refresh=True))["deadline"] == longest
    platform.refuses_off = False
    with pytest.raises(ConflictError) as caught:
        await hold(service, platform, 86_400)
    assert caught.value.code == "not_held"
    assert (await service.look(refresh=True))["deadline"] == longest
    assert platform.setting == {"enable": True, "duration": 86_399, "prompt": True}
    await pass_time(clock, service, 120)
    assert (await service.look(refresh=True))["deadline"] == longest
    platform.status = "STOPPED"
    await service.look(refresh=True)
    await pass_time(clock, service, 120)
    assert platform.setting["duration"] == 3600
    await service.close()


async def test_a_hold_shows_the_end_that_a_deferred_run_length_leaves(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """A run length that somebody set for the next start does not move this run's stop: nor does a hold's end."""
    platform.in_force = platform.setting["duration"] = 5 * 3600
    service = service_for(platform)
    own = (await service.look())["deadline"]
    platform.setting["duration"] = 3600
    await hold(service, platform, 6 * 3600, id="long")
    await hold(service, platform, 600, id="short")
    state = await service.release("long", by_person=True)
    assert state["deadline"]["stop_timestamp"] == own["stop_timestamp"]
    await pass_time(clock, service, 660)
    assert (await service.look())["deadline"] == own
    await service.close()


async def test_a_stop_time_that_a_run_length_is_about_to_move(clock: ManualClock) -> None:
    """It is no sign that the platform defers: whoever asked for more is told that it has moved meanwhile."""
    platform = FakePlatform(clock, moves=True)
    platform.moves_after = 1.5
    service = service_for(platform, second_looks=LOOK_AGAIN)
    await service.look()
    platform.apply({"spec": {"auto_stop": {"duration": 7200}}})
    asked = asyncio.ensure_future(service.extend(parse_extend({"by": 3 * 3600})))
    await pass_time(clock, service, 30)
    with pytest.raises(ConflictError) as caught:
        await asked
    assert caught.value.code == "changed_elsewhere"
    assert platform.setting == {"enable": True, "duration": 7200, "prompt": True}
    await service.close()


async def test_a_shorter_run_length_where_the_start_is_not_known(clock: ManualClock, platform: ClosingPlatform) -> None:
    """It might end this run at once: the grace is kept."""
    service = service_for(platform)
    known = (await service.look())["deadline"]
    platform.in_force = 4 * 3600
    platform.setting["duration"] = 6 * 3600  # which does not fit the stop time, so that the start is not told
    await service.look(refresh=True)
    memory = service.snapshot.memory
    assert memory.run is not None
    await service.snapshot.remember(replace(memory, run=replace(memory.run, start=None)))
    await hold(service, platform, 5 * 3600, id="h")
    state = await service.change(parse_change({"auto_stop": {"enable": True, "duration": 3600}}))
    assert known["stop_timestamp"] != state["deadline"]["stop_timestamp"]
    assert state["deadline"]["kept_by"] == "server"
    assert state["deadline"]["stop_timestamp"] >= now(platform) + 890_000
    await service.close()


async def test_what_was_set_just_before_the_stop_counts_for_the_next_run(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """The console's run length goes back with auto-stop between two runs, though no look saw it in the run."""
    service = service_for(platform)
    await hold(service, platform, 7200, id="h")
    platform.setting["duration"] = 3 * 3600
    platform.status = "STOPPED"
    await service.look(refresh=True)
    await pass_time(clock, service, 30)
    assert platform.setting == {"enable": True, "duration": 3 * 3600, "prompt": True}
    await service.close()


async def test_what_the_next_start_has_is_shown_while_a_run_is_held(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """The held run's length at the next start is what people chose, and shown where it is another one."""
    service = service_for(platform)
    await hold(service, platform, 7200, id="h")
    assert (await service.look())["next_start"] is None
    state = await service.change(parse_change({"auto_stop": {"duration": 4 * 3600}}))
    assert state["next_start"] == {"enable": True, "duration": 4 * 3600}
    state = await service.release("h", by_person=True)
    assert state["next_start"] == {"enable": True, "duration": 4 * 3600}
    await service.close()


async def test_a_stop_that_does_not_show_is_not_asked_for_each_second(
    clock: ManualClock, platform: ClosingPlatform
) -> None:
    """Accepted, and the instance goes on running: looked at now and then, and sent again in half a minute."""
    service = service_for(platform)
    deadline = (await service.extend(parse_extend({"by": 7200})))["deadline"]["stop_timestamp"]
    await pass_time(clock, service, (deadline - now(platform)) / 1000 - 2)
    platform.ignore_updates = True
    platform.calls.clear()
    await pass_time(clock, service, 62)
    assert platform.calls.count("stop") in (2, 3)
    assert platform.calls.count("read") <= 30
    await service.close()


async def test_a_stop_that_nobody_saw_come_is_entered(clock: ManualClock, platform: ClosingPlatform) -> None:
    """The server ends with its container, before it can say so: the next one does."""
    records = MemoryRecords()
    service = service_for(platform, records=records)
    deadline = (await service.extend(parse_extend({"by": 7200})))["deadline"]["stop_timestamp"]
    platform.fail_update = UnavailableError("Gone.")
    await pass_time(clock, service, (deadline - now(platform)) / 1000 + 4)
    assert records.record.sent is not None
    platform.status, platform.fail_update = "STOPPING", None
    journal = service.journal
    await service.look(refresh=True)
    await pass_time(clock, service, 5)
    said = [entry["result"] for entry in await journal.entries()]
    assert "The run that this server had decided to stop is over." in said
    await service.close()
