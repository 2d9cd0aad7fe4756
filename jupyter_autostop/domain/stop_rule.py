"""When this run is stopped, and by whom: one rule, for what is shown and for what is done.

Pure. Times in epoch ms on the platform's clock, lengths in s.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from jupyter_autostop.domain.record import Hold, Record
from jupyter_autostop.state import EXTENSION


@dataclass(frozen=True)
class Stop:
    """The next stop of this run: when (ms), and who sees to it."""

    at: int
    kept_by: Literal["platform", "server"]


def next_stop(record: Record, own: int | None, now: int, grace: int, *, defers: bool) -> Stop | None:
    """Return the sooner stop of this run: the platform's, at `own`, or this server's; `None`: nothing stops it."""
    server = stop_by_server(record, now, grace, defers=defers)
    if own is not None and (server is None or own <= server):
        return Stop(own, "platform")
    return None if server is None else Stop(server, "server")


def stop_by_server(record: Record, now: int, grace: int, *, defers: bool) -> int | None:
    """Return when this server stops the instance as things stand (ms), whatever the platform does; `None`: never.

    `grace` in s; `defers`: the platform lets a run length count from the next start.
    """
    if record.over:
        return None
    if record.off == "intent":
        # Until it is known what came of it, what stood before counts.
        return None if record.old is None else stop_by_server(record.old, now, grace, defers=defers)
    if not record.holds:
        return None if record.stop_at is None else max(record.floor, record.stop_at)
    last = record.last
    if record.ours:
        return max(record.floor, _follows(record, last, now, grace, defers=defers))
    # The platform stops this run later, or others have left it without a stop.
    return max(record.floor, last.until) if last.then == "stop" else None


def _follows(record: Record, last: Hold, now: int, grace: int, *, defers: bool) -> int:
    """Return when a run is stopped that is held by us.

    By the platform, where auto-stop can be put back on when the hold ends. Else what is confirmed of an open hold
    is the time that was asked for; once that has come, `restore` adds the grace (s), so that nobody is cut off.
    """
    if last.then == "stop":
        return last.until
    back = record.back_in_time(last.until, grace, defers=defers)
    if back is not None:
        return back
    return last.until if now < last.until else last.until + grace * 1000


def begun(record: Record, hold: Hold) -> Record:
    """Return the record once a hold has begun: the end of the last one decides, and no stop that was decided before.

    Where that end is a stop, whoever begins it may bring the stop nearer; an extension never does.
    """
    left = replace(record.with_hold(hold), stop_at=None)
    if hold.then == "stop" and hold.id != EXTENSION and left.last == hold:
        return replace(left, floor=min(left.floor, hold.until))
    return left
