"""What is remembered over a restart: one small file, replaced in one step, lived without where it cannot be."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ManualClock
from fakes import FakePlatform, remembering_service, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_autostop.domain.run import KnownRun
from jupyter_autostop.errors import NoAnswerError
from jupyter_autostop.keeper.container import container_marker
from jupyter_autostop.storage.run_history import LiveMemory, Memory, MemoryFile

LOG = logging.getLogger("jupyter_autostop.tests")
RUN = KnownRun(1795000000000, 1795007200000, 7200)
MEMORY = Memory(container="one", serial=4, run=RUN, defers=True)
ANEW = Memory(container="one", serial=1)


def file_in(directory: Path, container: str = "one") -> MemoryFile:
    return MemoryFile(str(directory), "DE-1", LOG, container)


def on_disk(directory: Path, **changes: Any) -> dict[str, Any]:
    """Save the memory, change the file as somebody else might, and return its content."""
    file_in(directory).save(MEMORY)
    path = directory / "DE-1.json"
    data = {**json.loads(path.read_text(encoding="utf-8")), **changes}
    path.write_text(json.dumps(data), encoding="utf-8")
    return data


@pytest.mark.parametrize(
    "memory",
    [MEMORY, ANEW, Memory("one", 1, KnownRun(None, 1795007200000, None), ended=True), Memory("one", 10**6)],
)
def test_what_is_saved_is_loaded(memory: Memory, tmp_path: Path) -> None:
    """All of it comes back, from a folder that is made where it is missing, and nothing else lies there."""
    directory = tmp_path / "state" / "deeper"
    file_in(directory).save(memory)
    assert file_in(directory).load() == memory
    assert [path.name for path in directory.iterdir()] == ["DE-1.json"]
    assert (directory / "DE-1.json").stat().st_mode & 0o077 == 0


def test_the_first_time_is_no_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """No file yet: the first run, and nothing in the log."""
    assert file_in(tmp_path / "none").load() == ANEW
    assert caplog.records == []


def test_two_instances_have_two_memories(tmp_path: Path) -> None:
    """What is known of one instance is not taken for another's."""
    file_in(tmp_path).save(MEMORY)
    assert MemoryFile(str(tmp_path), "DE-2", LOG, "one").load() == ANEW


@pytest.mark.parametrize(("directory", "instance_id"), [(None, "DE-1"), ("", "DE-1"), ("{}", "")])
def test_without_a_place_nothing_is_written(
    directory: str | None, instance_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a folder or an instance there is no file, and that is no fault."""
    file = MemoryFile(directory and directory.format(tmp_path), instance_id, LOG, "one")
    file.save(MEMORY)
    assert file.load() == ANEW
    assert list(tmp_path.iterdir()) == []
    assert caplog.records == []


def test_another_container_means_another_run(tmp_path: Path) -> None:
    """After a restart of the instance the run is another one; the platform's ways are not."""
    file_in(tmp_path).save(MEMORY)
    after = file_in(tmp_path, "two").load()
    assert after == Memory(container="two", serial=5, run=None, defers=True)


def test_this_containers_marker_is_stable() -> None:
    """The marker is a text that does not change while the container lives."""
    assert isinstance(container_marker(), str)
    assert container_marker() == container_marker()


DAMAGED = [
    "", " ", "\x00", "{", "null", "3", "true", '"text"', "[]", "{}", '{"format": 1}', "[" * 100_000, "\ufeff{}",
    '{"format": 2, "container": "one", "serial": 9, "run": null, "defers": true, "ended": false}',
    '{"format": "1", "container": "one", "serial": 9, "run": null, "defers": true, "ended": false}',
]  # fmt: skip


def assert_anew(directory: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Assert that the file is not believed, that the log says so once, and that the next save puts it right."""
    assert file_in(directory).load() == ANEW
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert str(directory / "DE-1.json") in record.getMessage()
    file_in(directory).save(MEMORY)
    assert file_in(directory).load() == MEMORY


@pytest.mark.parametrize("text", DAMAGED, ids=lambda text: text[:20])
def test_a_damaged_or_foreign_file_starts_anew(text: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file that is not ours, not whole or of another format is as good as none."""
    (tmp_path / "DE-1.json").write_text(text, encoding="utf-8")
    assert_anew(tmp_path, caplog)


def test_bytes_that_are_no_text_start_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file of zeros and ones, as a crashed disk leaves it, is as good as none."""
    (tmp_path / "DE-1.json").write_bytes(b"\xff\xfe\x00{}")
    assert_anew(tmp_path, caplog)


def test_an_interrupted_file_starts_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file cut off in the middle is as good as none."""
    text = json.dumps(on_disk(tmp_path))
    (tmp_path / "DE-1.json").write_text(text[: len(text) // 2], encoding="utf-8")
    assert_anew(tmp_path, caplog)


WRONG: list[dict[str, Any]] = [
    *({"serial": wrong} for wrong in (None, "x", [], {}, float("nan"), float("inf"))),
    *({"run": wrong} for wrong in (5, "run", [], {}, {"start": 1}, {"start": 1, "stop_timestamp": 2, "end": 3})),
    {"run": {"start": "1", "stop_timestamp": 1795007200000, "duration": 7200}},
    {"run": {"start": True, "stop_timestamp": 1795007200000, "duration": 7200}},
    {"run": {"start": None, "stop_timestamp": 1.5, "duration": 7200}},
    {"run": {"start": None, "stop_timestamp": None, "duration": None}},
]


@pytest.mark.parametrize("changes", WRONG, ids=str)
def test_a_value_of_the_wrong_type_starts_anew(
    changes: dict[str, Any], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What the rules would later stumble over is not loaded."""
    on_disk(tmp_path, **changes)
    assert_anew(tmp_path, caplog)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
NUMBER = st.none() | st.integers() | JSON
RUNS = st.fixed_dictionaries({"start": NUMBER, "stop_timestamp": NUMBER, "duration": NUMBER})


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(["format", "container", "serial", "run", "defers"]), JSON | RUNS))
def test_any_file_is_lived_with(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Whatever JSON stands in the file, loading gives a memory whose numbers are numbers."""
    on_disk(tmp_path, **changes)
    memory = file_in(tmp_path).load()
    assert type(memory.serial) is int
    assert memory.run is None or type(memory.run.stop_timestamp) is int


@pytest.mark.parametrize("where", ["a file", "a file/below", "a folder in the way"])
def test_an_impossible_place_is_said_and_lived_without(
    where: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing can be written the log says where and why, and everything goes on."""
    (tmp_path / "a file").write_text("somebody's", encoding="utf-8")
    (tmp_path / "a folder in the way" / "DE-1.json" / "x").mkdir(parents=True)
    file = file_in(tmp_path / where)
    file.save(MEMORY)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert str(tmp_path / where / "DE-1.json") in record.getMessage()
    assert file.load() == ANEW
    assert (tmp_path / "a file").read_text(encoding="utf-8") == "somebody's"
    # What is no file of ours makes room for one when it is found.
    moved = ".damaged-1" if where == "a folder in the way" else ""
    assert [path.name for path in (tmp_path / "a folder in the way").iterdir()] == [f"DE-1.json{moved}"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    """When writing breaks in the middle the old file stands untouched, and no half of a new one beside it."""
    file = file_in(tmp_path)
    file.save(MEMORY)
    before = (tmp_path / "DE-1.json").read_bytes()
    broken: Any = object()
    with pytest.raises(TypeError):
        file.save(Memory(container="one", serial=5, run=KnownRun(1, 2, broken)))
    assert (tmp_path / "DE-1.json").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["DE-1.json"]


def test_the_file_is_replaced_and_never_rewritten(tmp_path: Path) -> None:
    """Whoever has the old file open still reads the old file whole: the new one is another file."""
    file = file_in(tmp_path)
    file.save(MEMORY)
    before = (tmp_path / "DE-1.json").read_bytes()
    with (tmp_path / "DE-1.json").open("rb") as old:
        file.save(ANEW)
        assert old.read() == before
    assert file.load() == ANEW


def another_users(path: Path) -> None:
    file_in(path.parent).save(MEMORY)
    os.chown(path, 65534, 65534)


def device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [os.mkfifo, device, *([another_users] if os.geteuid() == 0 else [])])
def test_what_is_no_file_of_ours_is_not_read(make: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pipe that nobody fills, a device that never ends and what another user put there are no memory."""
    make(tmp_path / "DE-1.json")
    assert_anew(tmp_path, caplog)


class SlowFile(MemoryFile):
    """Saves when it is let, and notes what it saved and in which thread."""

    def __init__(self, directory: Path) -> None:
        super().__init__(str(directory), "DE-1", LOG, "one")
        self.let = threading.Semaphore(0)
        self.saved: list[int] = []
        self.threads: set[int] = set()

    def save(self, memory: Memory) -> None:
        self.let.acquire(timeout=30)
        super().save(memory)
        self.saved.append(memory.serial)
        self.threads.add(threading.get_ident())


async def live_in(directory: Path) -> tuple[LiveMemory, SlowFile]:
    file = SlowFile(directory)
    return await asyncio.to_thread(LiveMemory, file), file


async def test_a_later_save_is_never_overwritten_by_an_earlier_one(tmp_path: Path) -> None:
    """However quickly changes follow each other, saves do not overtake one another, and the last one is the newest."""
    live, file = await live_in(tmp_path)
    for serial in range(2, 7):
        live.note(replace(live.now, serial=serial))
        await asyncio.sleep(0)
        file.let.release()
    await live.secure()
    assert live.now.serial == 6
    assert file.saved == sorted(file.saved)
    assert (await asyncio.to_thread(file_in(tmp_path).load)).serial == 6
    assert threading.get_ident() not in file.threads


async def test_going_back_while_saving_is_saved_too(tmp_path: Path) -> None:
    """A change that is taken back while it is being saved does not stay on disk."""
    live, file = await live_in(tmp_path)
    before = live.now
    live.note(replace(before, serial=9))
    await asyncio.sleep(0)
    live.note(before)
    file.let.release(2)
    await live.secure()
    assert file.saved == [9, before.serial]


async def test_who_goes_away_ends_no_save(tmp_path: Path) -> None:
    """A change whose maker is cancelled while it is being saved is saved, and so is the next one."""
    live, file = await live_in(tmp_path)
    live.note(replace(live.now, serial=7))
    waiting = asyncio.ensure_future(live.secure())
    await asyncio.sleep(0)
    waiting.cancel()
    live.note(replace(live.now, serial=8))
    file.let.release(2)
    await live.secure()
    assert waiting.cancelled()
    assert file.saved == [7, 8]


async def test_what_is_so_already_is_not_saved(tmp_path: Path) -> None:
    """Looking again and again at the same run writes nothing."""
    live, file = await live_in(tmp_path)
    live.note(live.now)
    await live.secure()
    assert file.saved == []
    assert await asyncio.to_thread(os.listdir, tmp_path) == []


async def test_it_is_read_when_the_service_is_made_and_not_later(clock: ManualClock, tmp_path: Path) -> None:
    """What the server remembers is read beside the event loop, before the first question."""
    await asyncio.to_thread(on_disk, tmp_path, run=None, defers=True)
    service = await remembering_service(FakePlatform(clock), tmp_path)
    await asyncio.to_thread((tmp_path / "DE-1.json").unlink)
    assert service.snapshot.memory.defers
    await service.look()
    await service.close()
    assert (await asyncio.to_thread(file_in(tmp_path).load)).defers


async def test_closing_sees_it_to_the_disk(clock: ManualClock, tmp_path: Path) -> None:
    """What the last look taught is on disk when the service is closed."""
    platform = FakePlatform(clock)
    service = await remembering_service(platform, tmp_path)
    await service.look()
    await service.close()
    assert (await asyncio.to_thread(file_in(tmp_path).load)).run == service.snapshot.memory.run is not None


async def test_a_look_does_not_wait_for_the_disk(clock: ManualClock, tmp_path: Path) -> None:
    """While the disk hangs, the State is told, and another answer of the platform is taken in."""
    platform = FakePlatform(clock)
    file = SlowFile(tmp_path)
    service = await remembering_service(platform, tmp_path, memory=file)
    await service.look()
    platform.fail_read = NoAnswerError("gone")
    assert (await service.look(refresh=True))["stale"]
    file.let.release(5)
    await until(lambda: file.saved)
    await service.close()
