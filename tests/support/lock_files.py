"""The file of the operation lock, as whoever holds it has signed it."""

from __future__ import annotations

from pathlib import Path


def held_longer(runtime: Path, seconds: float) -> int:
    """Have the one lock in a runtime folder be held since `seconds` before; returns the process that holds it."""
    [lock] = runtime.glob("*.keeper.lock")
    pid, started, since = lock.read_text(encoding="ascii").split()
    lock.write_text(f"{pid} {started} {float(since) - seconds:.3f}", encoding="ascii")
    return int(pid)
