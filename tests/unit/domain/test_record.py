"""The keeper's record on disk: two slots written by turns, whole or not believed, and never another's overwritten."""

from __future__ import annotations

import json
import os
import re
import resource
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jupyter_autostop.domain.record import EMPTY, MOST_HOLDS, Hold, Owner, Pending, Record, Setting, decode, encode
from jupyter_autostop.storage.slots import SLOT, DamagedRecordError, NoRecords, RecordFile, pack, something_kept

NOW = 1_795_000_000_000
OLD = replace(EMPTY, probe=7201, prior=Setting(True, 3600, True))
RECORD = Record(
    off="yes",
    prior=Setting(True, 3600, False),
    t0=NOW,
    start=NOW - 3_600_000,
    run="boot:1",
    holds=(
        Hold("a", NOW + 1, "stop", Owner("kernel", "1-ab", "k-1", 5, "77"), NOW, "training “é”"),
        Hold("extension", NOW + 2, "restore", Owner("person"), NOW),
    ),
    stop_at=NOW + 3,
    floor=NOW + 2,
    sent=NOW + 4,
    pending=(Pending("off", NOW),),
    probe=7201,
    seen=3600,
    asks=True,
    old=OLD,
)


HEADER = pack(7, RECORD, "DE-1").partition(b"{")[0]
NUMBER, LENGTH, CHECKSUM = HEADER.split()[3:]


def file_in(directory: Path, instance: str = "DE-1") -> RecordFile:
    return RecordFile(directory, instance)


@pytest.mark.parametrize("record", [EMPTY, RECORD, OLD], ids=["empty", "full", "owed"])
def test_what_is_saved_is_loaded(record: Record, tmp_path: Path) -> None:
    """All of it comes back, however often it is saved, from a folder that is made and a file that is its owner's."""
    directory = tmp_path / "state" / "deeper"
    for _ in range(5):
        file_in(directory).save(record)
        assert file_in(directory).load() == record
    [path] = directory.iterdir()
    assert path.stat().st_size == 2 * SLOT
    assert path.stat().st_mode & 0o077 == 0
    assert something_kept(directory) is not record.idle


def test_the_first_time_there_is_nothing(tmp_path: Path) -> None:
    """No file is an empty record, and calls for nothing."""
    assert file_in(tmp_path).load() is None
    assert not something_kept(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


def test_a_torn_write_leaves_the_one_before(tmp_path: Path) -> None:
    """Wherever a write is cut off, into a slot never used or a used one, the record before it is read."""
    file = file_in(tmp_path)
    file.save(OLD)
    for last, now in ((OLD, RECORD), (RECORD, OLD), (OLD, RECORD)):
        before = file.path.read_bytes()
        file.save(now)
        after = file.path.read_bytes()
        changed = [at for at in range(len(after)) if after[at] != before[at]]
        # Each byte of the header, and a choice of those of the content.
        for cut in [*changed[:40], *changed[:: len(changed) // 50 + 1], changed[-1]]:
            file.path.write_bytes(after[:cut] + before[cut:])
            assert file.load() == last
        file.path.write_bytes(after)
        assert file.load() == now


def test_content_that_came_without_its_header_is_not_there(tmp_path: Path) -> None:
    """A disk may write the rest of a slot before its beginning: the record before it counts, and is added to."""
    file = file_in(tmp_path)
    file.save(OLD)
    file.save(RECORD)
    raw = bytearray(file.path.read_bytes())
    raw[SLOT : SLOT + len(HEADER)] = bytes(len(HEADER))
    file.path.write_bytes(raw)
    assert file.load() == OLD
    file.save(RECORD)
    assert file.load() == RECORD
    raw[: len(HEADER)] = bytes(len(HEADER))
    file.path.write_bytes(raw)
    with pytest.raises(DamagedRecordError):
        file.load()


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        (LENGTH, b"%08d" % SLOT),
        (LENGTH, b"99999999"),
        (LENGTH, b"9" * len(HEADER[HEADER.index(LENGTH) :])),
        (LENGTH, b"-0000001"),
        (LENGTH, b"-9999999"),
        (LENGTH, b"00000000"),
        (LENGTH, b"0000001x"),
        (LENGTH, b"        "),
        (NUMBER, b"-%019d" % 7),
        (NUMBER, b"%020d" % 0),
        (NUMBER, b"9" * 20),
        (NUMBER, b"%019de" % 7),
        (CHECKSUM, b"-%07x" % 7),
        (CHECKSUM, b"00000000"),
        (CHECKSUM, b"nonsense"),
        (b"keeper", b"KEEPER"),
    ],
)
@pytest.mark.parametrize("slot", [0, 1])
def test_a_header_that_makes_no_sense_is_not_believed(slot: int, said: bytes, instead: bytes, tmp_path: Path) -> None:
    """Whatever numbers stand in it: the other slot counts, and where both are like that, it is said."""
    spoilt = HEADER.replace(said, instead, 1)[: len(HEADER)] + pack(7, RECORD, "DE-1")[len(HEADER) :]
    slots = [spoilt.ljust(SLOT, b"\0"), pack(6, OLD, "DE-1").ljust(SLOT, b"\0")]
    file = file_in(tmp_path)
    file.path.write_bytes(b"".join(slots if slot == 0 else reversed(slots)))
    assert file.load() == OLD
    file.save(EMPTY)
    assert file.load() == EMPTY
    file.path.write_bytes(slots[0] * 2)
    with pytest.raises(DamagedRecordError):
        file.load()


@pytest.mark.parametrize("number", [0, -7], ids=["none", "negative"])
def test_a_whole_slot_of_a_number_that_we_never_give_is_not_believed(number: int, tmp_path: Path) -> None:
    """The count begins at 1; a checksum that is right makes no difference."""
    file = file_in(tmp_path)
    file.path.write_bytes(pack(number, RECORD, "DE-1"))
    with pytest.raises(DamagedRecordError):
        file.load()


def test_a_file_cut_short_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    """What is whole of it counts; where nothing is, that is said; and the next record finds its room again."""
    file = file_in(tmp_path)
    file.save(OLD)
    one = file.path.read_bytes()[:SLOT].rstrip(b"\0")
    file.save(RECORD)
    raw = file.path.read_bytes()
    end = len(raw.rstrip(b"\0"))
    lengths = {end: RECORD, end - 1: OLD, SLOT + len(HEADER): OLD, SLOT + 10: OLD, SLOT: OLD, len(one): OLD}
    for length, record in lengths.items():
        file.path.write_bytes(raw[:length])
        assert file.load() == record
        file.save(EMPTY)
        assert file.load() == EMPTY
    for length in (len(one) - 1, len(HEADER), len(HEADER.rstrip()), 30, 1):
        file.path.write_bytes(raw[:length])
        with pytest.raises(DamagedRecordError):
            file.load()


def test_an_update_takes_no_room(tmp_path: Path) -> None:
    """Updates stay within the blocks that the file was made with: a full disk cannot stop them."""
    file = file_in(tmp_path)
    file.save(EMPTY)
    made = file.path.stat()
    for _ in range(10):
        file.save(RECORD)
    now = file.path.stat()
    assert (now.st_ino, now.st_size, now.st_blocks) == (made.st_ino, made.st_size, made.st_blocks)
    assert made.st_blocks * 512 >= 2 * SLOT


def test_as_many_holds_as_there_may_be_fit(tmp_path: Path) -> None:
    """The longest record there can be is not too long, with the one to go back to inside it."""
    owner = Owner("kernel", "9" * 20, "k" * 64, 2**31, "9" * 20)
    holds = tuple(Hold(f"{n:064}", NOW, "restore", owner, NOW, "x" * 200) for n in range(MOST_HOLDS))
    record = replace(RECORD, holds=holds, old=None)
    file_in(tmp_path).save(record)
    assert file_in(tmp_path).load() == record


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is empty"),
        (b"\0" * 2 * SLOT, "it is empty"),
        (b" " * 2 * SLOT, "no slot of ours"),
        (b"X" * 2 * SLOT, "no slot of ours"),
        (b"{}", "no slot of ours"),
        (b"jupyter_autostop keeper 1 1 2 3\n{}", "no slot of ours"),
        (pack(1, RECORD, "DE-1")[:-1], "the checksum is wrong"),
    ],
    ids=["nothing", "zeros", "spaces", "noise", "another's", "half a header", "half a record"],
)
def test_what_is_no_record_is_said_and_put_aside(content: bytes, why: str, tmp_path: Path) -> None:
    """What cannot be read is an error with a reason, kept aside by name, and a new record can be made."""
    file = file_in(tmp_path)
    file.path.write_bytes(content)
    with pytest.raises(DamagedRecordError, match=f"^{why}$"):
        file.load()
    assert something_kept(tmp_path)
    aside = file.put_aside()
    assert aside.read_bytes() == content
    file.save(RECORD)
    assert file.load() == RECORD
    for _ in range(2):
        file.path.write_bytes(content)
        file.put_aside()
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"DE-1.keeper.damaged-{n}" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2, "why": "its format is 2, not 1"},
        {"instance": "DE-2", "why": "it is another instance's"},
        {"off": "maybe", "why": "its content makes no sense ('maybe' is unknown)"},
        {"holds": [{}]},
        {"holds": None},
        {"t0": "soon"},
        {"floor": None},
        {"prior": {"enable": 1, "duration": 3600, "prompt": True}},
        {"pending": [{"kind": "off", "at": 1.5}]},
        {"pending": [{"kind": "nothing", "at": 1}]},
    ],
    ids=str,
)
def test_a_record_that_makes_no_sense_is_damaged(
    changes: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A whole slot of another format, another instance or with wrong values is not believed."""
    data = {**json.loads(encode(RECORD, "DE-1")), **changes}
    why = data.pop("why", "its content makes no sense")
    monkeypatch.setattr("jupyter_autostop.storage.slots.encode", lambda *_: json.dumps(data).encode())
    file_in(tmp_path).save(RECORD)
    with pytest.raises(DamagedRecordError, match=re.escape(why)):
        file_in(tmp_path).load()


def test_what_lies_on_disk_stays_readable(tmp_path: Path) -> None:
    """A record outlives the version that wrote it: 2 slots of 128 KiB, a line of 96 bytes and JSON."""
    content = {"off": "no", "prior": {"enable": True, "duration": 3600, "prompt": True}, "t0": None, "start": None}
    content |= {"run": "", "over": False, "holds": [], "stop_at": None, "floor": 0, "sent": None, "pending": []}
    content |= {"probe": 7201, "seen": None, "asks": False, "old": None, "format": 1, "instance": "DE-1"}
    for slot in (0, 1):
        body = json.dumps(content).encode()
        number = b"%d" % (slot + 8)
        head = b"jupyter_autostop keeper 1 %s %08d %08x\n"
        head %= number.zfill(20), len(body), zlib.crc32(number + b" " + body)
        with file_in(tmp_path).path.open("ab") as file:
            file.write((head.ljust(96) + body).ljust(131072, b"\0"))
        assert file_in(tmp_path).load() == replace(OLD, probe=7201 + slot)
        content["probe"] = 7202


def test_the_folder_is_its_owners(tmp_path: Path) -> None:
    """What is held, by whom and why is nobody else's business."""
    file_in(tmp_path / "state").save(RECORD)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_a_write_that_does_not_fit_is_told(tmp_path: Path) -> None:
    """A disk that takes a part of it is an error with its reason; the record before it counts, and no draft is left."""
    file = file_in(tmp_path)
    file.save(OLD)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (SLOT + 200, hard))
    try:
        with pytest.raises(OSError, match="the disk is full") as told:
            file.save(RECORD)
        with pytest.raises(OSError, match=r"File too large"):
            file_in(tmp_path, "DE-2").save(RECORD)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert told.value.strerror == "the disk is full"
    assert file.load() == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["DE-1.keeper"]


def test_a_record_of_any_length_is_kept_or_refused(tmp_path: Path) -> None:
    """What fills its slot to the last byte is kept; what is one byte longer is refused, and the one before counts."""
    file = file_in(tmp_path)
    bare = len(pack(1, replace(EMPTY, run="x"), "DE-1")) - 1
    full, longer = (replace(EMPTY, run="x" * (SLOT - bare + more)) for more in (0, 1))
    for _ in range(2):
        file.save(full)
        assert file.load() == full
        with pytest.raises(ValueError, match="too large"):
            file.save(longer)
        assert file.load() == full


async def test_without_a_place_nothing_is_kept() -> None:
    """Where there is no folder for it there is no record, a new one is refused, and nothing is moved."""
    records = NoRecords()
    assert await records.load() == EMPTY
    with pytest.raises(OSError, match="no place") as refused:
        await records.save(RECORD)
    assert refused.value.strerror == "there is no place for it"
    assert await records.put_aside() == ""


def test_two_instances_have_two_records(tmp_path: Path) -> None:
    """The record of another instance on a shared volume is left alone."""
    file_in(tmp_path, "DE-2").save(RECORD)
    file = tmp_path / "DE-2.keeper"
    before = file.read_bytes()
    assert file_in(tmp_path).load() is None
    file_in(tmp_path).save(OLD)
    assert file.read_bytes() == before


def test_a_link_or_a_pipe_is_not_written_through(tmp_path: Path) -> None:
    """What stands in the record's place and is no file of ours keeps nobody waiting, and its target is not touched."""
    target = tmp_path / "somebody's"
    target.write_text("theirs", encoding="utf-8")
    (tmp_path / "DE-1.keeper").symlink_to(target)
    with pytest.raises(OSError, match="it is a link"):
        file_in(tmp_path).save(RECORD)
    assert target.read_text(encoding="utf-8") == "theirs"
    os.mkfifo(tmp_path / "DE-3.keeper")
    with pytest.raises(DamagedRecordError, match="it is a pipe"):
        file_in(tmp_path, "DE-3").load()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(list(json.loads(encode(RECORD, "DE-1")))), JSON))
def test_any_json_is_a_record_or_an_error(changes: dict[str, Any]) -> None:
    """Whatever JSON stands there, it decodes to a record that encodes again, or is told to be none."""
    try:
        record = decode({**json.loads(encode(RECORD, "DE-1")), **changes})
    except (ValueError, TypeError, KeyError, RecursionError):
        return
    assert decode(json.loads(encode(record, "DE-1"))) == record
