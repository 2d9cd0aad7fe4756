"""What this server must still know of an instance after a restart: one small JSON file in `state_dir`.

When its run began, and whether its platform defers a longer duration to the next start. Losing the file costs a
question to the platform, never work or money; what must not be lost is in the keeper's record.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_autostop.disk import make_folder
from jupyter_autostop.domain.run import KnownRun
from jupyter_autostop.storage.files import NotOursError, atomic_write, put_aside, read_end

_FORMAT = 1
_LARGEST = 64 * 1024
"""Bytes; the file has some hundred."""
SAVE_PATIENCE = 5.0
"""Seconds that a change waits for a disk that hangs, before it goes on as with one that refuses."""


@dataclass(frozen=True)
class Memory:
    """All that is remembered; `serial` counts the runs seen, `container` marks this container's life.

    `ended`: since `run` was learned the instance was seen between two runs.
    """

    container: str = ""
    serial: int = 0
    run: KnownRun | None = None
    ended: bool = False
    defers: bool = False


def _decode(data: Any) -> Memory:
    if data["format"] != _FORMAT:
        raise ValueError(f"format {data['format']!r}")
    run = data["run"]
    memory = Memory(
        container=str(data["container"]),
        serial=data["serial"],
        run=None if run is None else KnownRun(**run),
        ended=bool(data["ended"]),
        defers=bool(data["defers"]),
    )
    optional = [] if memory.run is None else [memory.run.start, memory.run.duration]
    numbers = [memory.serial] + ([] if memory.run is None else [memory.run.stop_timestamp])
    if not all(type(n) is int for n in numbers) or not all(n is None or type(n) is int for n in optional):
        raise TypeError("a number is no whole number")
    return memory


class MemoryFile:
    """The memory of one instance on disk; one that cannot be read or written is said in the log and lived without."""

    def __init__(self, directory: str | None, instance_id: str, log: logging.Logger, container: str) -> None:
        self._path = Path(directory) / f"{instance_id}.json" if directory and instance_id else None
        self._container = container
        self._log = log

    @property
    def kept(self) -> bool:
        """Whether there is a file at all."""
        return self._path is not None

    def load(self) -> Memory:
        """Return what is remembered; another life of the container means that another run has begun."""
        memory = Memory()
        if self._path:
            try:
                _, raw = read_end(self._path, _LARGEST, own=True)
                memory = _decode(json.loads(raw.decode("utf-8")))
            except FileNotFoundError:
                pass
            except NotOursError as error:
                self._put_aside(self._path, error)
            except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
                self._log.warning("jupyter_autostop: %s cannot be used and starts anew (%s)", self._path, error)
        if memory.container != self._container:
            memory = replace(memory, container=self._container, serial=memory.serial + 1, run=None)
        return memory

    def _put_aside(self, path: Path, error: NotOursError) -> None:
        try:
            where = put_aside(path)
        except OSError as refusal:
            self._log.warning("jupyter_autostop: %s cannot be used (%s), nor moved (%s)", path, error, refusal)
        else:
            self._log.warning("jupyter_autostop: %s was not used (%s); it is now %s", path, error, where)

    def save(self, memory: Memory) -> None:
        """Replace the file in one step, so that a crash leaves the old one or the new one."""
        if self._path is None:
            return
        try:
            make_folder(self._path.parent)
            atomic_write(self._path, json.dumps({"format": _FORMAT, **asdict(memory)}).encode())
        except OSError as error:
            self._log.warning("jupyter_autostop: %s cannot be written (%s)", self._path, error.strerror or error)


class LiveMemory:
    """The memory at hand, read once, and its way to the disk: beside the event loop, and the newest always last.

    Making one reads the file, so a service is made in a thread of its own.
    """

    def __init__(self, file: MemoryFile) -> None:
        self._file = file
        self.now = self._saved = file.load()
        self._saving: asyncio.Task[None] | None = None

    def note(self, memory: Memory) -> None:
        """Keep `memory`, and have it saved in a moment."""
        self.now = memory
        if memory != self._saved and self._file.kept and (self._saving is None or self._saving.done()):
            self._saving = asyncio.create_task(self._save())

    async def secure(self) -> None:
        """Return once what was noted is saved or the log says why it is not; who goes away ends nothing."""
        saving = self._saving
        if saving is None or saving.done():
            return
        done, _ = await asyncio.wait({saving}, timeout=SAVE_PATIENCE)
        if done:
            saving.result()

    async def _save(self) -> None:
        """Save until nothing newer was noted meanwhile: one at a time, so that none overtakes another."""
        while self._saved != self.now:
            memory = self.now
            await asyncio.to_thread(self._file.save, memory)
            self._saved = memory
