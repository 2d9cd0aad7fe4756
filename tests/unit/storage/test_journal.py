"""The journal: every change with its result, whatever happens to the disk, and never in the way of a change."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from fakes import until
from hypothesis import given
from hypothesis import strategies as st

from jupyter_autostop.foreign_text import one_line
from jupyter_autostop.storage.journal import Journal, journal_file
from jupyter_autostop.storage.journal_file import KEPT, LARGEST, LONGEST, Entry, JournalFile, make_entry

LOG = logging.getLogger("jupyter_autostop.tests")
AT = 1_795_000_000_000


def journal_in(directory: Path, instance_id: str = "DE-1", lock_dir: Path | None = None) -> Journal:
    return Journal(journal_file(str(directory), instance_id, lock_dir and str(lock_dir)), LOG)


def path_in(directory: Path) -> Path:
    return directory / "DE-1.journal.jsonl"


async def enter(journal: Journal, at: int, who: str, what: str, result: str) -> None:
    journal.note(at, who, what, result)
    await journal.secure()


async def add(journal: Journal, *whats: str) -> None:
    for what in whats:
        await enter(journal, AT, "page", what, "Done.")


async def whats(journal: Journal) -> list[str]:
    return [entry["what"] for entry in await journal.entries()]


def entry(what: str, result: str = "Done.") -> Entry:
    return make_entry(AT, "page", what, result)


async def test_what_is_entered_is_told_newest_first_and_by_the_next_server_too(tmp_path: Path) -> None:
    """Each entry has its four parts, the newest comes first, and a restart changes nothing."""
    journal = journal_in(tmp_path / "state" / "deeper")
    await enter(journal, AT, "page (Ada)", "auto-stop off", "Auto-stop is off.")
    await enter(journal, AT + 1, "terminal", "stop", "Failed: no (no_answer)")
    shown = [
        {"at": AT + 1, "who": "terminal", "what": "stop", "result": "Failed: no (no_answer)"},
        {"at": AT, "who": "page (Ada)", "what": "auto-stop off", "result": "Auto-stop is off."},
    ]
    assert await journal.entries() == shown
    assert await journal_in(tmp_path / "state" / "deeper").entries() == shown


async def test_the_file_is_its_owners(tmp_path: Path) -> None:
    """Folder and file are open to nobody else, before and after a cut, and nothing else is left lying there."""
    folder, lock = tmp_path / "state", tmp_path / "runtime" / "x.lock"
    lock.parent.mkdir()
    file = JournalFile(path_in(folder), lock)
    await asyncio.to_thread(file.append, [entry("one")])
    modes = [path.stat().st_mode & 0o777 for path in (folder, path_in(folder), lock)]
    assert modes == [0o700, 0o600, 0o600]
    await asyncio.to_thread(file.append, [entry(str(n), "x" * LONGEST["result"]) for n in range(2 * KEPT)])
    before = path_in(folder).stat().st_ino
    await asyncio.to_thread(file.append, [entry("last")])
    assert path_in(folder).stat().st_ino != before
    assert path_in(folder).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in folder.iterdir()] == [path_in(folder).name]


async def test_two_instances_have_two_journals(tmp_path: Path) -> None:
    """On a shared volume nobody reads another instance's changes."""
    await add(journal_in(tmp_path), "mine")
    assert await journal_in(tmp_path, "DE-2").entries() == []


@pytest.mark.parametrize(("directory", "instance_id"), [(None, "DE-1"), ("", "DE-1"), ("{}", "")])
async def test_without_a_place_it_lives_as_long_as_the_server(
    directory: str | None, instance_id: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Without a folder or an instance there is a journal all the same, bounded, and no fault."""
    journal = Journal(journal_file(directory and directory.format(tmp_path), instance_id, None), LOG)
    await add(journal, *map(str, range(KEPT + 3)))
    assert await whats(journal) == [str(n) for n in reversed(range(3, KEPT + 3))]
    assert await asyncio.to_thread(os.listdir, tmp_path) == []
    assert caplog.records == []


DAMAGED = [
    b"", b" ", b"\x00\x00\x00\x00", b"{", b"null", b"3", b'"at"', b"[]", b"{}", b"[" * 100_000, b"\xff\xfe",
    json.dumps(entry("half")).encode()[:-9],
    *(
        json.dumps({**entry("wrong"), **wrong}).encode()
        for wrong in (
            {"at": "1"}, {"at": 1.5}, {"at": True}, {"at": None}, {"at": -1}, {"at": 10**20}, {"who": 5},
            {"what": None}, {"result": ["x"]}, {"who": ""}, {"what": "\x1b"},
        )
    ),
    b'{"at": ' + b"9" * 10_000 + b', "who": "page", "what": "x", "result": "y"}',
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGED, ids=lambda raw: repr(raw[:30]))
async def test_a_damaged_line_spoils_no_other(damage: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever stands between two entries, half a line included, both are told, and so is what comes after."""
    await add(journal_in(tmp_path), "before")
    with path_in(tmp_path).open("ab") as file:
        file.write(b"\n" + damage)
    journal = journal_in(tmp_path)
    await add(journal, "after")
    assert await whats(journal) == ["after", "before"]
    assert caplog.records == []


@given(st.binary(max_size=400))
def test_any_file_is_lived_with(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Whatever is in the file, reading gives entries that can be shown anywhere."""
    path = tmp_path_factory.mktemp("any") / "DE-1.journal.jsonl"
    path.write_bytes(raw)
    for found in JournalFile(path, None).read():
        assert all(found.values())


def test_it_stays_small(tmp_path: Path) -> None:
    """After thousands of changes the file is bounded and the newest entries are there, in order and without a gap."""
    file = JournalFile(path_in(tmp_path), None)
    size, cuts = 0, 0
    for n in range(0, 6000, 10):
        assert file.append([entry(str(m), "x" * 300) for m in range(n, n + 10)]) == (10, None)
        before, size = size, path_in(tmp_path).stat().st_size
        assert size <= LARGEST + 10_000
        if size < before:
            cuts += 1
            told = [int(found["what"]) for found in file.read()]
            assert told == list(range(told[0], n + 10))
            assert 100 <= len(told) <= KEPT
    assert 2 <= cuts <= 50
    assert len(file.read()) <= KEPT


BIDI, ESCAPE = "\u202e", "\x1b]0;owned\x07\x1b[2J"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"a{ESCAPE}b", "a ]0;owned [2Jb"),
        ("one\r\ntwo\u2028three\tfour", "one two three four"),
        (f"{BIDI}gpj.exe\u200b", "gpj.exe"),
        ("half \ud800 a character", "half a character"),
        ("<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"),
        ("训练 🚀", "训练 🚀"),
        ("x" * 50, "x" * 19 + "…"),
    ],
)
def test_texts_are_one_line_that_commands_nobody(text: str, told: str) -> None:
    """What a terminal would obey, what breaks a line or turns its direction is gone; the rest is text, shortened."""
    assert one_line(text, 20 if len(text) == 50 else 100) == told


@given(st.text(max_size=600))
def test_any_text_can_be_entered(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """What is written is what is read, on one line, within its limits."""
    path = tmp_path_factory.mktemp("texts") / "x.journal.jsonl"
    given_entry = make_entry(AT, f"p{text}", f"w{text}", f"r{text}")
    file = JournalFile(path, None)
    assert file.append([given_entry]) == (1, None)
    assert file.read() == [given_entry]
    assert path.read_bytes().count(b"\n") == 1
    assert all(len(given_entry[key]) <= most for key, most in LONGEST.items())  # type: ignore[literal-required]


def a_file_in_the_way(folder: Path) -> None:
    folder.write_text("somebody's", encoding="utf-8")


def a_folder_in_the_way(folder: Path) -> None:
    path_in(folder).mkdir(parents=True)


def a_pipe_in_the_way(folder: Path) -> None:
    folder.mkdir()
    os.mkfifo(path_in(folder))


def a_link_to_elsewhere(folder: Path) -> None:
    folder.mkdir()
    (folder / "elsewhere").write_text("somebody's", encoding="utf-8")
    path_in(folder).symlink_to(folder / "elsewhere")


def a_full_device(folder: Path) -> None:
    folder.mkdir()
    path_in(folder).symlink_to("/dev/full")


def a_gigabyte_of_something_else(folder: Path) -> None:
    folder.mkdir()
    with path_in(folder).open("wb") as file:
        file.truncate(1 << 30)


def others_file(folder: Path) -> None:
    folder.mkdir()
    path_in(folder).write_bytes(b"")
    os.chown(path_in(folder), 65534, 65534)


def a_file_that_others_can_write(folder: Path) -> None:
    folder.mkdir()
    path_in(folder).write_bytes(b"")
    path_in(folder).chmod(0o666)
    os.chown(folder, 65534, 65534)


@pytest.mark.parametrize(
    "obstacle",
    [
        *(a_folder_in_the_way, a_pipe_in_the_way, a_link_to_elsewhere, a_full_device, a_gigabyte_of_something_else),
        *((others_file, a_file_that_others_can_write) if os.geteuid() == 0 else ()),
    ],
)
async def test_what_is_no_journal_of_ours_is_put_aside(
    obstacle: Callable[[Path], None], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What lies in the journal's place and is another thing is moved, as it is and as the log says; nothing is lost."""
    folder = tmp_path / "state"
    obstacle(folder)
    before = path_in(folder).lstat()
    journal = journal_in(folder)
    await add(journal, "one", "two")
    assert await whats(journal) == ["two", "one"]
    assert await whats(journal_in(folder)) == ["two", "one"]
    aside = path_in(folder).with_name(f"{path_in(folder).name}.damaged-1")
    assert (aside.lstat().st_ino, aside.lstat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    [record] = caplog.records
    assert str(aside) in record.getMessage()
    if (folder / "elsewhere").exists():
        assert (folder / "elsewhere").read_text(encoding="utf-8") == "somebody's"


def test_the_lock_follows_no_link(tmp_path: Path) -> None:
    """A link in the lock's place makes no file where it points to, and the entry is written all the same."""
    lock = tmp_path / "lock"
    lock.symlink_to(tmp_path / "victim")
    file = JournalFile(path_in(tmp_path), lock)
    assert file.append([make_entry(1, "who", "what", "result")]) == (1, None)
    assert not (tmp_path / "victim").exists()


async def test_an_impossible_place_is_said_once_and_lived_without(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where nothing can be written, changes are kept in memory, the log says so once, and nobody's file is touched."""
    folder = tmp_path / "state"
    a_file_in_the_way(folder)
    before = {path: path.lstat() for path in (folder, *folder.rglob("*"))}
    journal = journal_in(folder)
    await add(journal, "one", "two")
    assert await whats(journal) == ["two", "one"]
    await add(journal, "three")
    assert await whats(journal) == ["three", "two", "one"]
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert str(path_in(folder)) in record.getMessage()
    assert "kept in memory" in record.getMessage()
    assert {path: (path.lstat().st_ino, path.lstat().st_size, path.lstat().st_mtime_ns) for path in before} == {
        path: (was.st_ino, was.st_size, was.st_mtime_ns) for path, was in before.items()
    }


async def test_a_pipe_that_somebody_reads_is_no_disk(tmp_path: Path) -> None:
    """What goes into a pipe is gone, so nothing is put there."""
    path = path_in(tmp_path)
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        journal = journal_in(tmp_path)
        await add(journal, "one")
        assert await whats(journal) == ["one"]
        assert os.read(reader, 1) == b""  # the end, for nobody has written and nobody is about to
    finally:
        os.close(reader)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    """Of a file of a gigabyte no more is read than of one of ours."""
    a_gigabyte_of_something_else(tmp_path / "state")
    tracemalloc.start()
    try:
        assert JournalFile(path_in(tmp_path / "state"), None).read() == []
        assert tracemalloc.get_traced_memory()[1] < 8 * LARGEST
    finally:
        tracemalloc.stop()


async def test_what_could_not_be_written_is_written_later(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """When the disk takes lines again, those kept in memory come first; the next failure is said anew."""
    folder = tmp_path / "state"
    a_file_in_the_way(folder)
    journal = journal_in(folder)
    await add(journal, "one", "two")
    folder.unlink()
    await add(journal, "three")
    assert await whats(journal_in(folder)) == ["three", "two", "one"]
    path_in(folder).unlink()
    folder.rmdir()
    a_file_in_the_way(folder)
    await add(journal, "four")
    assert (await whats(journal))[0] == "four"
    assert len(caplog.records) == 2


class HangingFile(JournalFile):
    """A disk that says nothing until it is let go, and then does what was asked."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, None)
        self.free = threading.Event()

    def read(self) -> list[Entry]:
        self.free.wait(30)
        return super().read()

    def append(self, entries: Sequence[Entry]) -> tuple[int, OSError | None]:
        self.free.wait(30)
        return super().append(entries)


async def test_a_hanging_disk_keeps_nobody(tmp_path: Path) -> None:
    """While the disk hangs entries are taken and told; when it goes on they are written, in order."""
    file = HangingFile(path_in(tmp_path))
    journal = Journal(file, LOG)
    await add(journal, "one", "two")
    assert await whats(journal) == ["two", "one"]
    await journal.close()
    file.free.set()
    await until(lambda: path_in(tmp_path).exists() and len(JournalFile(file.path, None).read()) == 2)
    assert await whats(journal) == ["two", "one"]


async def test_who_goes_away_ends_no_entry(tmp_path: Path) -> None:
    """An entry whose caller is cancelled in the middle is written, before the one after it."""
    file = HangingFile(path_in(tmp_path))
    journal = Journal(file, LOG)
    first = asyncio.ensure_future(enter(journal, AT, "page", "one", "Done."))
    await asyncio.sleep(0)
    first.cancel()
    second = asyncio.ensure_future(enter(journal, AT, "page", "two", "Done."))
    await asyncio.sleep(0)
    file.free.set()
    await second
    assert first.cancelled()
    assert await whats(journal_in(tmp_path)) == ["two", "one"]


class FullFile(JournalFile):
    """A disk that is full, until it is not."""

    full = True

    def append(self, entries: Sequence[Entry]) -> tuple[int, OSError | None]:
        return (0, OSError(28, "No space left on device")) if self.full else super().append(entries)


@pytest.mark.parametrize("way", ["in time", "at the end"])
async def test_what_a_full_disk_has_refused_is_written_when_it_can_be(
    way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while, or when the server ends, though nothing new is entered."""
    monkeypatch.setattr("jupyter_autostop.storage.journal.AGAIN", 0.01 if way == "in time" else 600)
    file = FullFile(path_in(tmp_path), None)
    journal = Journal(file, LOG)
    await add(journal, "one", "two")
    assert file.read() == []
    file.full = False
    if way == "at the end":
        await journal.close()
    await until(lambda: [entry["what"] for entry in file.read()] == ["one", "two"])
    assert await whats(journal) == ["two", "one"]


class ThreadFile(JournalFile):
    """Notes in which thread it was asked."""

    threads: list[int]

    def read(self) -> list[Entry]:
        self.threads.append(threading.get_ident())
        return super().read()

    def append(self, entries: Sequence[Entry]) -> tuple[int, OSError | None]:
        self.threads.append(threading.get_ident())
        return super().append(entries)


async def test_the_disk_is_asked_beside_the_event_loop(tmp_path: Path) -> None:
    """Neither reading nor writing happens in the thread that answers everybody."""
    file = ThreadFile(path_in(tmp_path), None)
    file.threads = []
    journal = Journal(file, LOG)
    await add(journal, "one")
    await journal.entries()
    assert len(file.threads) == 2
    assert threading.get_ident() not in file.threads


async def test_simultaneous_entries_keep_their_order(tmp_path: Path) -> None:
    """Entries that are made at once are on disk in the order in which they were made, each once."""
    journal = journal_in(tmp_path)
    names = [str(n) for n in range(100)]
    await asyncio.gather(*(add(journal, name) for name in names))
    assert await whats(journal_in(tmp_path)) == names[::-1]


async def test_another_servers_changes_are_told_too(tmp_path: Path) -> None:
    """Two servers of one instance share the journal, and each tells what the other did."""
    one, two = journal_in(tmp_path), journal_in(tmp_path)
    await add(one, "by one")
    assert await whats(one) == await whats(two) == ["by one"]
    await add(two, "by two")
    await add(one, "by one again")
    assert await whats(one) == await whats(two) == ["by one again", "by two", "by one"]


CHILD = """
import sys
from pathlib import Path
from jupyter_autostop.storage.journal_file import JournalFile, make_entry
file = JournalFile(Path(sys.argv[1]), Path(sys.argv[2]))
for n in range(int(sys.argv[4])):
    added, error = file.append([make_entry(1795000000000, sys.argv[3], str(n), "x" * 390)])
    if error:
        sys.exit(str(error))
    print(n, flush=True)
"""


def child(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    arguments = [str(path_in(folder)), str(folder / "the.lock"), name, str(count)]
    return subprocess.Popen([sys.executable, "-c", CHILD, *arguments], stdout=subprocess.PIPE, text=True)


def test_two_servers_at_once_lose_nothing(tmp_path: Path) -> None:
    """While two processes write, and cut, the same file, no line is damaged and none goes missing."""
    count = 700
    children = [child(tmp_path, name, count) for name in ("left", "right")]
    for process in children:
        process.communicate(timeout=100)
        assert process.returncode == 0
    assert path_in(tmp_path).stat().st_size <= LARGEST + 10_000
    found = JournalFile(path_in(tmp_path), None).read()
    lines = path_in(tmp_path).read_bytes().split(b"\n")
    assert len(found) == min(len([line for line in lines if line]), KEPT)
    for name in ("left", "right"):
        numbers = [int(one["what"]) for one in found if one["who"] == name]
        # One may have ended long before the other, so that nothing of it is left; what is left has no gap.
        assert numbers == list(range(count))[numbers[0] if numbers else count :][: len(numbers)]
    assert {int(one["what"]) for one in found[-1:]} == {count - 1}


def test_a_server_that_stands_still_with_the_lock_stops_nobody(tmp_path: Path) -> None:
    """A process that was halted while it held the lock delays a line and does not keep it out."""
    script = (
        "import fcntl, os, signal, sys\n"
        "file = open(sys.argv[1], 'w')\n"
        "fcntl.flock(file, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "os.kill(os.getpid(), signal.SIGSTOP)\n"
    )
    lock = tmp_path / "the.lock"
    process = subprocess.Popen([sys.executable, "-c", script, str(lock)], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        file = JournalFile(path_in(tmp_path), lock)
        assert file.append([entry("all the same")]) == (1, None)
        assert [one["what"] for one in file.read()] == ["all the same"]
    finally:
        process.kill()
        process.communicate()


def test_a_killed_server_loses_nothing_it_has_entered(tmp_path: Path) -> None:
    """Killed again and again in the middle of writing, the file tells every change that was entered, in order."""
    for round_ in range(4):
        process = child(tmp_path, f"round {round_}", 100_000)
        assert process.stdout is not None
        for line in process.stdout:
            if int(line) == 20 + round_:
                break
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=60)
        last = [*map(int, rest.split()), 20 + round_]
        numbers = [
            int(one["what"]) for one in JournalFile(path_in(tmp_path), None).read() if one["who"] == f"round {round_}"
        ]
        assert numbers == list(range(numbers[0], numbers[-1] + 1))
        assert numbers[-1] >= max(last)


LIMITED = """
import asyncio, json, logging, resource, sys
from jupyter_autostop.storage.journal import Journal, journal_file
async def main():
    journal = Journal(journal_file(sys.argv[1], "DE-1", None), logging.getLogger("x"))
    for n in range(60):
        journal.note(1795000000000 + n, "page", str(n), "Done, " + "x" * 200)
        await journal.secure()
    print(json.dumps([entry["what"] for entry in await journal.entries()]))
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
asyncio.run(main())
"""


def test_a_full_disk_stops_nothing(tmp_path: Path) -> None:
    """When the file cannot grow in the middle of a line, all is told from memory, and what is on disk is whole."""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] != 0
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, json.loads(result.stdout)) == (0, [str(n) for n in reversed(range(60))])
    assert result.stderr.count("kept in memory") == 1
    assert "Traceback" not in result.stderr
    raw = path_in(tmp_path).read_bytes()
    assert len(raw) == 10_000
    told = [int(one["what"]) for one in JournalFile(path_in(tmp_path), None).read()]
    assert told == list(range(len(told)))
    assert 10 <= len(told) < 60
    file = JournalFile(path_in(tmp_path), None)
    assert file.append([entry("after")]) == (1, None)
    assert file.read()[-1]["what"] == "after"


def test_the_largest_entries_are_cut_too(tmp_path: Path) -> None:
    """Entries of four bytes a character do not make every addition a cut, nor the file grow."""
    file = JournalFile(path_in(tmp_path), None)
    long: Any = {key: "🚀" * most for key, most in LONGEST.items()}
    files = set()
    for _ in range(300):
        assert file.append([make_entry(AT, **long)]) == (1, None)
        files.add(path_in(tmp_path).stat().st_ino)
    assert path_in(tmp_path).stat().st_size <= LARGEST + 5000
    assert len(files) <= 10
    assert len(file.read()) >= LARGEST // 2 // 3000
