"""The record on disk: two slots of a fixed size, written in place by turns, so that a full disk stops no update.

Each slot bears a number, a length and a checksum; the newest that is whole counts. What is neither whole nor ours is
put aside, never overwritten. Blocking: to be called beside the event loop.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jupyter_autostop.disk import make_folder, names_in
from jupyter_autostop.domain.record import EMPTY, FORMAT, Record, decode, encode
from jupyter_autostop.storage.files import NotOursError, opened, put_aside

SLOT = 128 * 1024
"""Bytes; a hold takes some 300, the record to go back to as much again."""
RECORD_SIZE = 2 * SLOT
"""Bytes that a new record takes."""
_MAGIC = b"jupyter_autostop keeper 1"
_HEADER = 96
_NUMBERS = re.compile(_MAGIC + rb" ([0-9]{20}) ([0-9]{8}) ([0-9a-f]{8})\n *")
ENDING = ".keeper"


class DamagedRecordError(Exception):
    """What lies in the record's place cannot be read; says what was found."""


def pack(number: int, record: Record, instance_id: str) -> bytes:
    """Return a slot's bytes; raises `ValueError` for a record that is too large."""
    body = encode(record, instance_id)
    if len(body) > SLOT - _HEADER:
        raise ValueError("the record is too large")
    header = b"%s %020d %08d %08x\n" % (_MAGIC, number, len(body), zlib.crc32(b"%d " % number + body))
    return header.ljust(_HEADER, b" ") + body


def _unpack(file: int, at: int) -> tuple[int, Any] | None:
    """Return the number and the JSON of the slot at a place, `None` for an unused one; `ValueError`: it is not whole.

    Only what is used of it is read: the rest of a slot is room.
    """
    header = os.pread(file, _HEADER, at)
    if not header.strip(b"\0"):
        return None
    said = _NUMBERS.fullmatch(header)
    if said is None:
        raise ValueError("no slot of ours")
    number, length, checksum = int(said[1]), int(said[2]), int(said[3], 16)
    body = os.pread(file, min(length, SLOT - _HEADER), at + _HEADER)
    if len(body) != length or zlib.crc32(b"%d " % number + body) != checksum:
        raise ValueError("the checksum is wrong")
    return number, json.loads(body)


@dataclass
class _Found:
    """The newest whole slot, and where the next one goes."""

    number: int = 0
    slot: int = 1
    data: Any = None


def _find(file: int) -> _Found:
    """Return the newest whole slot of an open file; raises `DamagedRecordError` where there is none."""
    found, why = _Found(), []
    for slot in (0, 1):
        try:
            unpacked = _unpack(file, slot * SLOT)
        except (ValueError, RecursionError) as error:
            why.append(str(error) or "not readable")
            continue
        if unpacked is not None and unpacked[0] > found.number:
            found = _Found(unpacked[0], slot, unpacked[1])
    if found.number == 0:
        raise DamagedRecordError(why[0] if why else "it is empty")
    return found


class RecordFile:
    """The record of one instance, in a folder that may be shared with other instances' records."""

    def __init__(self, directory: Path, instance_id: str) -> None:
        self.path = directory / f"{instance_id}{ENDING}"
        self._instance_id = instance_id

    def _read(self) -> _Found:
        try:
            with opened(self.path, os.O_RDONLY, own=True) as file:
                return _find(file)
        except NotOursError as error:
            raise DamagedRecordError(error.strerror) from None

    def load(self) -> Record | None:
        """Return the record, `None` for none; `DamagedRecordError` or `OSError` where one cannot be read."""
        try:
            found = self._read()
        except FileNotFoundError:
            return None
        data = found.data
        try:
            if data["format"] != FORMAT:
                raise DamagedRecordError(f"its format is {data['format']!r:.20}, not {FORMAT}")
            if data["instance"] != self._instance_id:
                raise DamagedRecordError("it is another instance's")
            return decode(data)
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise DamagedRecordError(f"its content makes no sense ({error})") from None

    def save(self, record: Record) -> None:
        """Write the record into the older slot and see it to the disk, or raise `OSError`."""
        try:
            with opened(self.path, os.O_RDWR, own=True) as file:
                found = _find(file)
                content = pack(found.number + 1, record, self._instance_id)
                _write(file, content, (1 - found.slot) * SLOT)
        except (FileNotFoundError, DamagedRecordError):
            self._make(record)

    def _make(self, record: Record) -> None:
        """Make the file at its full size, in one step."""
        make_folder(self.path.parent)
        draft = self.path.with_name(f".{self.path.name}-{os.getpid()}-{os.urandom(4).hex()}")
        try:
            with opened(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL) as file:
                os.posix_fallocate(file, 0, RECORD_SIZE)
                _write(file, pack(1, record, self._instance_id), 0)
            draft.replace(self.path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with suppress(OSError):  # not every file system knows this of a folder
                os.fsync(folder)
        finally:
            os.close(folder)

    def trace(self) -> object:
        """Return what tells this state of the file from another one, without reading it."""
        try:
            found = self.path.lstat()
        except OSError as error:
            return error.errno
        except ValueError:
            return errno.EINVAL
        return found.st_size, found.st_mtime_ns

    def put_aside(self) -> Path:
        """Move what lies in the record's place out of the way, and return where it is now."""
        return put_aside(self.path)


def _write(file: int, content: bytes, at: int) -> None:
    if os.pwrite(file, content, at) < len(content):
        raise OSError(None, "the disk is full")
    os.fsync(file)


def something_kept(directory: Path) -> bool:
    """Tell whether a record in this folder says that something is held or owed, or cannot be read."""
    names = [name for name in names_in(directory) if name.endswith(ENDING)]
    return any(_keeps(RecordFile(directory, name.removesuffix(ENDING))) for name in names)


def _keeps(file: RecordFile) -> bool:
    try:
        return not (file.load() or EMPTY).idle
    except (DamagedRecordError, OSError):
        return True


class Records(Protocol):
    """Where the record is kept. To read it may raise `DamagedRecordError`, all of it `OSError`."""

    def read(self) -> Record | None:
        """Return the record, `None` where there is none. Blocking: to be called beside the event loop."""

    async def load(self) -> Record | None:
        """Return the record, `None` where there is none."""

    async def save(self, record: Record) -> None:
        """Return once it is durable."""

    async def changed(self) -> bool:
        """Tell whether it is another one, or none, since it was last read or written here; costs next to nothing."""

    async def put_aside(self) -> str:
        """Move a damaged one away; return where to."""


class DiskRecords:
    """A `RecordFile`, beside the event loop."""

    def __init__(self, file: RecordFile) -> None:
        self._file = file
        self._seen: object = None

    async def load(self) -> Record | None:
        """Return the record, `None` where there is none."""
        return await asyncio.to_thread(self.read)

    def read(self) -> Record | None:
        """Return the record, `None` where there is none."""
        self._seen = self._file.trace()  # what is written while it is read counts as later
        return self._file.load()

    async def save(self, record: Record) -> None:
        """Return once it is durable."""
        await asyncio.to_thread(self._save, record)

    def _save(self, record: Record) -> None:
        try:
            self._file.save(record)
        finally:
            self._seen = self._file.trace()

    async def changed(self) -> bool:
        """Tell whether the file is another one, or none, since it was last read or written here."""
        return await asyncio.to_thread(self._file.trace) != self._seen

    async def put_aside(self) -> str:
        """Move a damaged one away; return where to."""
        return str(await asyncio.to_thread(self._file.put_aside))


class NoRecords:
    """Stands where there is no place for a record: nothing can be held."""

    def read(self) -> Record:
        """Return the empty record."""
        return EMPTY

    async def load(self) -> Record:
        """Return the empty record."""
        return EMPTY

    async def save(self, record: Record) -> None:  # noqa: ARG002 - nothing is written
        """Refuse."""
        raise OSError(None, "there is no place for it")

    async def changed(self) -> bool:
        """There is nothing to change."""
        return False

    async def put_aside(self) -> str:
        """There is nothing to move."""
        return ""
