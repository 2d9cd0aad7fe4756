"""What follows when holds end, and what an answer of the platform means for what is held: pure rules, no waiting.

Times in epoch ms, lengths in s.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from jupyter_autostop.domain.record import EMPTY, ROUNDING, Off, Record, Setting
from jupyter_autostop.domain.run import NOTICEABLE, KnownRun, setting
from jupyter_autostop.domain.stop_rule import stop_by_server
from jupyter_autostop.platforms.modelarts.models import Instance


def moved(stop: int, before: int, wanted: int) -> bool:
    """Tell whether a stop time (ms) has moved because `wanted` ms more were asked for, and not by rounding."""
    return stop - before > max(ROUNDING, min(NOTICEABLE, wanted // 2))


def people_chose(instance: Instance) -> Setting | None:
    """Return the setting an answer shows, `None` where it does not tell all that a return to it needs."""
    shown = setting(instance)
    if shown["enable"] is None or shown["duration"] is None:
        return None
    return Setting(shown["enable"], shown["duration"], shown["prompt"] is not False)


def settled(record: Record, now: int) -> Record:
    """Return the record without the writes that cannot take effect any more."""
    return replace(record, pending=tuple(write for write in record.pending if write.may_land(now)))


def fallen_back(record: Record) -> Record | None:
    """Return the record with the longer run length that stood before the one under way, `None` where none did.

    The run that goes on needs it, since somebody was told that it lasts that long; its return stays owed.
    """
    old = record.old
    if old is None or old.probe is None:
        return None
    return replace(record, probe=old.probe, t0=None if record.t0 is None else old.t0, old=None)


def standing_before(record: Record, instance: Instance) -> Record | None:
    """Return the record that stood before the one under way, `None` where an answer does not show its run length."""
    before = fallen_back(record)
    return before if before is not None and setting(instance)["duration"] == before.probe else None


def paid_back(record: Record) -> Record:
    """Return the record without a run length of ours that would be owed a return.

    With it goes that a run is over: what is noted next is of the next run, and would count as ended from the start.
    """
    return replace(record, prior=None, probe=None, t0=None, old=None, over=False)


def over(record: Record) -> Record:
    """Return what is left once the run that was held is over: the settings that are owed, and nothing of the holds."""
    if record.prior is None or (record.off == "no" and record.probe is None):
        return replace(EMPTY, pending=record.pending)
    # Whether an unconfirmed off arrived, the next look will tell; what people chose is known either way.
    off: Off = "ending" if record.off != "no" else "no"
    # A longer run length that was under way may have come to nothing, and the one before it stand.
    old = Record(probe=record.old.probe) if record.old is not None and record.old.probe is not None else None
    left = Record(off=off, prior=record.prior, probe=record.probe, seen=record.seen, old=old)
    return replace(left, pending=record.pending, run=record.run, over=True)


def another(record: Record, run: str, started: int) -> Record:
    """Return the record for a run that has inherited a setting of ours, and began at `started` (at the latest)."""
    left = replace(over(record), run=run, over=False)
    if left.prior is None or left.off == "no":
        return left
    return replace(left, start=started, t0=started + left.prior.duration * 1000)


def ended_early(
    record: Record, ids: Collection[str], now: int, grace: int, *, shown: int | None, defers: bool, by_person: bool
) -> Record:
    """Return the record after some holds were ended before their time: the stop comes no nearer than the grace (s).

    `shown`: the deadline until then (ms; `None`: nothing stopped this run), which may be sooner than that.
    """
    left = record.without(*ids)
    if len(left.holds) == len(record.holds):
        return record
    if record.off == "intent" and record.old is not None:
        # What goes back to the record before must not begin the hold anew.
        old = ended_early(record.old, ids, now, grace, shown=shown, defers=defers, by_person=by_person)
        left = replace(left, old=old)
    nearest = now + grace * 1000
    if left.holds:
        stop = stop_by_server(replace(left, floor=0), now, grace, defers=defers) or left.last.until
        soonest = max(nearest, stop)
        return replace(left, floor=soonest if shown is None else min(max(left.floor, shown), soonest))
    left = replace(left, floor=min(left.floor, nearest), off="ending" if record.ours else left.off)
    return replace(left, stop_at=nearest) if record.last.then == "stop" and not by_person else left


def expired(record: Record, now: int, grace: int, *, defers: bool) -> Record:
    """Return the record after the holds whose time has come have ended; the last one to go decides what follows.

    That is the stop that was shown, or after a `restore` where the platform cannot keep the run any more, one after
    the grace (s).
    """
    left = record.without(*(hold.id for hold in record.holds if hold.until <= now))
    if left.holds or not record.holds:
        return left
    last = record.last
    restores = last.then == "restore"
    given_back = restores and record.back_in_time(last.until, grace, defers=defers) is not None
    stop = None if given_back else stop_by_server(record, now, grace, defers=defers)
    if stop is not None and restores and now - last.until > ROUNDING:
        # Nobody was there to end it in time, so the grace counts from now.
        stop = max(stop, now + grace * 1000)
    return replace(left, stop_at=stop, off="ending" if record.ours else left.off)


def threatened(record: Record, instance: Instance, known: KnownRun | None) -> Record:
    """Return the record where auto-stop was seen on while a write is open that says it is off: it may yet undo that.

    What is seen then is what people chose, and is to be put back should it be gone.
    """
    chosen = people_chose(instance)
    open_ = any(write.kind == "rest" for write in record.pending)
    if not open_ or record.off != "no" or chosen is None or not chosen.enable:
        return record
    ours = record.prior or chosen  # what that write brings along, and nobody has chosen
    owed = replace(record, prior=chosen, seen=ours.duration)
    if record.over:
        return replace(owed, off="ending")
    owed = replace(owed, off="intent", old=replace(record, pending=()))
    return owed if known is None else replace(owed, t0=known.stop_timestamp, start=known.start)


def adopted(record: Record, instance: Instance) -> Record:
    """Return the record with what somebody else has set meanwhile taken for what people chose."""
    prior, shown = record.prior, setting(instance)
    if prior is None:
        return record
    duration = shown["duration"]
    if duration is not None and duration not in (record.seen, record.probe):
        prior = replace(prior, duration=duration)
        record = replace(record, seen=duration)
    if shown["prompt"] is not None:
        prior = replace(prior, prompt=shown["prompt"])
    return replace(record, prior=prior)


def rolled_back(record: Record, *, off: bool) -> Record:
    """Return the record after a hold that was never confirmed, by whether the platform shows auto-stop off."""
    old = record.old or EMPTY
    if not off:
        return replace(old, pending=record.pending)
    state = replace(record, old=None, holds=old.holds, off="yes" if old.holds else "ending")
    return replace(state, stop_at=old.stop_at)
