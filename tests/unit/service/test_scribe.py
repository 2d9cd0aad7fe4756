"""What of a write is entered in the journal, and that the journal stands in the way of none."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from conftest import ManualClock, settle
from fakes import FakePlatform, at_rest, at_some_time, lost, remembering_service, service_for, until

from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.errors import AutostopError, BadAnswerError, InvalidInputError, NoAnswerError
from jupyter_autostop.service.extend import extension_words
from jupyter_autostop.service.requests import parse_change, parse_extend
from jupyter_autostop.service.service import AutostopService
from jupyter_autostop.service.update import change_words
from jupyter_autostop.storage.journal import Journal
from jupyter_autostop.storage.journal_file import Entry, JournalFile


@pytest.fixture
def platform(clock: ManualClock) -> FakePlatform:
    return FakePlatform(clock)


async def told(service: AutostopService) -> list[tuple[str, str, str]]:
    """Return who, what and result of each entry, oldest first."""
    entries = reversed(await service.journal.entries())
    return [(entry["who"], entry["what"], at_some_time(entry["result"])) for entry in entries]


async def test_what_was_done_is_entered(platform: FakePlatform) -> None:
    """Each change that was sent is entered with who asked, what for, and what came of it, at the platform's time."""
    service = service_for(platform)
    await service.change(parse_change({"auto_stop": {"enable": False}}), who="page (Ada)")
    await service.change(parse_change({"auto_stop": {"enable": True, "duration": 14400}}), who="terminal")
    await service.change(parse_change({"auto_stop": {"prompt": False}}), who="kernel")
    await service.change(parse_change({"description": "run 7"}))
    await service.stop(who="page")
    assert await told(service) == [
        ("page (Ada)", "auto-stop off", "Auto-stop is off: the instance runs, and bills, until you stop it."),
        ("terminal", "auto-stop on, run length 4 h", "Auto-stop is on. This run stops at THEN (in 49 min)."),
        ("kernel", "reminders off", "Reminders are off."),
        ("script", "description “run 7”", "The description is saved."),
        ("page", "stop", "ModelArts is stopping this instance."),
    ]
    [at] = {entry["at"] for entry in await service.journal.entries()}
    assert abs(at - platform.clock.time() * 1000) <= 1000
    await service.close()


async def test_the_time_is_the_platforms(clock: ManualClock, platform: FakePlatform) -> None:
    """With a wall clock of this machine that is an hour off, entries have the platform's time."""
    service = service_for(platform)
    right = clock.time() * 1000
    clock.wall_error = 3600.0
    platform.time.observe(float(int(right / 1000)), clock.monotonic(), clock.monotonic())
    platform.time.observe = lambda *_: None
    await service.change(parse_change({"description": "new"}))
    [entry] = await service.journal.entries()
    assert abs(entry["at"] - right) <= 1000
    await service.close()


async def test_extensions_are_entered_as_what_they_did(clock: ManualClock) -> None:
    """An extension that moved the stop time says by how much, one that could not says why, and how things are now."""
    platform = FakePlatform(clock, moves=True)
    service = service_for(platform)
    await service.extend(parse_extend({"by": 3600}))
    await service.extend(parse_extend({"by": 30 * 3600}))
    await service.extend(parse_extend({"by": 60}))
    results = [result for _, _, result in await told(service)]
    assert results[0].startswith("Extended by 1 h, to THEN (in 1 h ")
    assert results[1].startswith("Asked for 30 h more, the limit leaves 21 h 59 min. Extended by 22 h, to THEN (in ")
    assert "limit of 24 h" in results[2] or "leaves nothing. Nothing was changed" in results[2]
    await service.close()
    deferring = service_for(FakePlatform(clock), policy=Policy(allow_hold=False))
    await deferring.extend(parse_extend({"by": 3600}))
    await deferring.extend(parse_extend({"by": 3600}))
    assert [result.rpartition("run. ")[2] for _, _, result in await told(deferring)] == [
        "The run length at each start is 1 h, as before.",
        "Nothing was changed.",
    ]
    await deferring.close()


async def test_failures_are_entered_with_their_code(clock: ManualClock, platform: FakePlatform) -> None:
    """A platform that refuses or does not answer, and another's change that stayed are looked for later."""
    service = service_for(platform)
    version = (await service.look())["version"]
    platform.description = "by somebody else"
    expected = []

    async def fails(change: dict[str, Any], *more: str) -> None:
        with pytest.raises(AutostopError) as caught:
            await service.change(parse_change(change), *more)
        expected.append(f"Failed: {caught.value.message} ({caught.value.code})")

    await fails({"description": "mine"}, version)
    platform.fail_update = InvalidInputError("ModelArts refuses a value in the request.", code="ModelArts.6336")
    await fails({"description": "mine"})
    platform.fail_read = NoAnswerError("ModelArts did not answer within 10 s.")
    await fails({"auto_stop": {"enable": False}})
    assert [result for _, _, result in await told(service)] == expected
    assert [result.rpartition("(")[2] for result in expected] == ["changed_elsewhere)", "ModelArts.6336)", "no_answer)"]
    await service.close()


async def test_an_unconfirmed_write_is_entered_as_such(platform: FakePlatform) -> None:
    """Where nobody knows what became of a write, the journal does not claim to."""
    platform.lose_update = lost()
    platform.on_update = lambda: setattr(platform, "fail_read", NoAnswerError("gone"))
    service = service_for(platform)
    await service.change(parse_change({"auto_stop": {"enable": False}}))
    assert await told(service) == [
        ("script", "auto-stop off", "The change was sent, but ModelArts does not tell what became of it.")
    ]
    await service.close()


async def test_what_changed_nothing_is_not_entered(platform: FakePlatform) -> None:
    """What is so already, what the site forbids and what is wrong in itself tells its asker, and nobody else."""
    service = service_for(platform, policy=Policy(allow_disable=False, allow_stop=False))
    await service.look()
    await service.change(parse_change({"description": "first"}))
    await service.extend(parse_extend({"until": platform.start + 3_000_000}))
    for forbidden in (
        service.change(parse_change({"auto_stop": {"enable": False}})),
        service.stop(),
        service.extend(parse_extend({"until": 1})),
    ):
        with pytest.raises(AutostopError):
            await forbidden
    assert platform.writes == []
    assert await told(service) == []
    await service.close()


async def test_what_this_server_puts_back_is_entered_as_its_own(clock: ManualClock, tmp_path: Path) -> None:
    """A run length that goes back at the next start is no person's change, and says so."""
    platform = FakePlatform(clock, moves=True)
    service = await remembering_service(platform, tmp_path)
    await service.extend(parse_extend({"by": 3600}), who="page")
    await service.close()
    await clock.pass_time(20_000)
    platform.restart(int(clock.time() * 1000))
    service = await remembering_service(platform, tmp_path, container="two")
    await service.look()
    await at_rest(service)
    assert await told(service) == [
        ("page", "extend by 1 h", "Extended by 1 h, to THEN (in 1 h 50 min)."),
        ("this server", "run length back to 1 h", "The run length at each start is 1 h again, as people chose it."),
    ]
    await service.close()


async def test_a_put_back_that_keeps_failing_is_entered_once(clock: ManualClock, platform: FakePlatform) -> None:
    """Tried again and again and refused each time, it does not push people's changes out of the journal."""
    service = service_for(platform, policy=Policy(allow_hold=False))
    platform.on_update = lambda: setattr(platform, "fail_update", BadAnswerError("ModelArts answered nonsense."))
    await service.extend(parse_extend({"by": 3600}))
    for _ in range(5):
        await clock.pass_time(11)
        await service.look(refresh=True)
        await at_rest(service)
    assert len(platform.writes) >= 4
    failed = "The run length could not be put back to 1 h yet. ModelArts answered nonsense."
    assert (await told(service))[1:] == [("this server", "run length back to 1 h", failed)]
    platform.fail_update = None
    platform.on_update = lambda: None
    await clock.pass_time(61)
    await service.look(refresh=True)
    await at_rest(service)
    assert (await told(service))[2:] == [
        ("this server", "run length back to 1 h", "The run length at each start is 1 h again, as people chose it.")
    ]
    await service.close()


@pytest.mark.parametrize(("sent", "ending"), [(False, "Not done: "), (True, "Not known: ")])
async def test_a_write_cut_off_by_the_shutdown_is_entered(
    clock: ManualClock, platform: FakePlatform, sent: bool, ending: str
) -> None:
    """A server that ends under a write says in the journal whether the write may have been made."""
    service = service_for(platform, close_patience=0.05)
    await service.look()
    if sent:
        # The update goes out, and its read-back shows the old values until the clock is turned, which nobody does.
        platform.ignore_updates = True
    else:
        platform.gate = asyncio.Event()
    task = asyncio.ensure_future(service.change(parse_change({"description": "new"})))
    await settle()
    await service.close()
    with pytest.raises(AutostopError) as caught:
        await task
    assert caught.value.code == "shutting_down"
    [(_, _, result)] = await told(service)
    assert result == f"{ending}this server was shut down before the answer came."


class BrokenFile(JournalFile):
    """A disk that refuses everything."""

    def read(self) -> list[Entry]:
        raise OSError(5, "Input/output error")

    def append(self, entries: Sequence[Entry]) -> tuple[int, OSError | None]:
        return 0, OSError(28, "No space left on device")


async def test_a_broken_disk_stops_no_write(
    platform: FakePlatform, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """With a disk that neither reads nor writes, changes are made, told, and entered in memory."""
    journal = Journal(BrokenFile(tmp_path / "x", None), logging.getLogger("jupyter_autostop.tests"))
    service = service_for(platform, journal=journal)
    state = await service.change(parse_change({"auto_stop": {"enable": False}}))
    assert state["outcome"]["effect"] == "now"
    assert [what for _, what, _ in await told(service)] == ["auto-stop off"]
    assert len(caplog.records) == 1
    await service.close()


class BusyFile(JournalFile):
    """A disk that takes its time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, None)
        self.asked, self.free = threading.Event(), threading.Event()

    def append(self, entries: Sequence[Entry]) -> tuple[int, OSError | None]:
        self.asked.set()
        self.free.wait(30)
        return super().append(entries)


async def test_it_is_on_disk_when_the_answer_goes_out(platform: FakePlatform, tmp_path: Path) -> None:
    """Who was told that something is done finds it in the journal, even if the server is killed that moment."""
    file = BusyFile(tmp_path / "DE-1.journal.jsonl")
    service = service_for(platform, journal=Journal(file, logging.getLogger("jupyter_autostop.tests")))
    change = asyncio.ensure_future(service.change(parse_change({"description": "new"})))
    await until(file.asked.is_set)
    await settle()
    assert not change.done()
    file.free.set()
    await change
    assert [entry["what"] for entry in await asyncio.to_thread(file.read)] == ["description “new”"]
    await service.close()


UNSEEN = (" \n ", "\u2028", "\0", "\u200d\u200d", "\u2800", "\u3164 \ufe0f")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"auto_stop": {"enable": True}}, "auto-stop on"),
        ({"auto_stop": {"enable": False, "prompt": True}}, "auto-stop off, reminders on"),
        ({"auto_stop": {"duration": 5400}, "description": "x"}, "run length 1 h 30 min, description “x”"),
        ({"description": ""}, "description cleared"),
        ({"description": "\ufeff"}, "description cleared"),
        *(({"description": text}, "description of signs that cannot be seen") for text in UNSEEN),
        ({"description": "\u202e\x1b[2Jone\ntwo"}, "description “[2Jone two”"),
        ({"description": "x" * 512}, f"description “{'x' * 59}…”"),
    ],
)
def test_a_change_in_words(change: dict[str, Any], words: str) -> None:
    """What was asked for is said exactly, and of a description so much that it is known again, on one line."""
    assert change_words(parse_change(change)) == words


@pytest.mark.parametrize(
    ("extend", "words"),
    [
        ({"by": 5400}, "extend by 1 h 30 min"),
        ({"by": 10**30}, "extend by more than a year"),
        ({"until": 1_795_507_200_000}, "extend until 2026-11-24 08:00 UTC"),
        ({"until": 10**30}, "extend for ever"),
        ({"until": -(10**30)}, "extend for ever"),
    ],
)
def test_an_extension_in_words(extend: dict[str, int], words: str) -> None:
    """What was asked for is said whatever number it was."""
    assert extension_words(parse_extend(extend)) == words
