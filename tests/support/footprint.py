"""What a process holds: open files, tasks, threads, objects of the product, memory."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def _give_back_free_memory() -> None:
    """Have the C library hand free memory to the system: how much it keeps depends on the tests that ran before."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:  # musl has none
        trim(0)


def _is_ours(thing: object) -> bool:
    module = str(type(thing).__module__)
    return module.startswith("jupyter_autostop.") and not module.startswith("jupyter_autostop.emulator")


@dataclass(frozen=True)
class Footprint:
    """Counts, and the memory in bytes."""

    files: int
    tasks: int
    threads: int
    objects: dict[str, int]
    memory: int

    @classmethod
    def now(cls) -> Footprint:
        """Return this process's footprint, once everything that nobody holds is gone."""
        gc.collect()
        gc.collect()
        _give_back_free_memory()
        return cls(
            files=len(list(Path("/proc/self/fd").iterdir())),
            tasks=len(asyncio.all_tasks()),
            threads=len(list(Path("/proc/self/task").iterdir())),
            objects=dict(Counter(type(thing).__qualname__ for thing in gc.get_objects() if _is_ours(thing))),
            memory=int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE,
        )
