"""What was shown last is when it is stopped: over owners, ways of ending, the platform's stop, orders of holds.

The servers are the product's own classes, in the trial's world, where nothing goes wrong here.
"""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trial_walk import Walk
from trial_world import GRACE, HOUR, START

from jupyter_autostop.domain.record import EMPTY, Hold, Owner, Record, Setting
from jupyter_autostop.domain.rules import ended_early, expired
from jupyter_autostop.domain.stop_rule import Stop, begun, next_stop, stop_by_server
from jupyter_autostop.service.requests import Extend, HoldWish
from jupyter_autostop.state import EXTENSION, Deadline

MINUTE = 60_000
TOLD = 1000
"""ms within which two tellings of one moment are one."""
OWNERS: dict[str, dict[str, Any]] = {"person": {}, "kernel": {"kernel_id": "k1"}, "command": {"pid": 1}}
ENDS = ["time", "owner", "page", "script"]
OWN = ["after", "before", "none", "moved later", "moved nearer", "moves at once"]
ORDERS = ["alone", "earlier stop", "earlier restore", "later stop", "later restore", "extended"]


class Day:
    """One server, one hold that is looked at, and what is shown of it."""

    def __init__(self, own: str) -> None:
        at_once = own in ("moved later", "moved nearer", "moves at once")
        self.walk = Walk(random.Random(1), kind="accept", applies_now=at_once, disables_now=True)  # noqa: S311
        self.world = self.walk.world
        self.server = self.world.servers[0]
        if own == "none":
            self.world.console(False, 3600)
        if own == "moved nearer":
            self.world.console(True, 10_800)
        self.began = self.world.now
        self.stopped_at: int | None = None

    def hold(self, name: str, minutes: float, then: str, **owner: Any) -> int:
        """Hold until so many minutes from the beginning; return until when."""
        until = self.began + round(minutes * MINUTE)
        wish = HoldWish.model_validate({"until": until, "id": name, "then": then, **owner})
        self.act("hold", self.server.holds.hold(wish))
        return until

    def act(self, name: str, story: Any) -> Any:
        """Do what people or programs do, and return what they are told."""
        self.walk.wishes()
        done = self.server.do(name, story)
        assert not isinstance(done, Exception), done
        return done

    def release(self, name: str, *, by_person: bool) -> None:
        self.act("release", self.server.holds.release(name, by_person=by_person))

    @property
    def shown(self) -> Deadline | None:
        """What is shown now to whoever looks, whether or not its time has come."""
        self.server.look()
        return self.server.snapshot.deadline()

    def pass_time(self, minutes: float) -> list[tuple[int, Deadline]]:
        """Let time pass by five minutes; return when what was shown, until the stop."""
        seen = []
        end = self.world.now + round(minutes * MINUTE)
        while self.world.now < end and self.stopped_at is None:
            shown = self.shown
            if shown is not None and shown["stop_timestamp"] > self.world.now:
                seen.append((self.world.now, shown))
            moments = [self.world.now + 5 * MINUTE, end, shown["stop_timestamp"] if shown else 0]
            self.world.advance((min(at for at in moments if at > self.world.now) - self.world.now) / 1000)
            self.server.step()
            if self.world.model.status != "RUNNING":
                self.stopped_at = (self.world.model.changes_at or 0) - 5000
        return seen


def begin(own: str, order: str, then: str, owner: dict[str, Any]) -> tuple[Day, int]:
    """Begin a day with its holds; return it, and until when the one that is looked at was asked for."""
    day = Day(own)
    length = 100 if own == "before" else 50
    if order.startswith("earlier"):
        day.hold("other", length - 10, order.removeprefix("earlier "))
    until = day.hold("mine", length, then, **owner)
    if order.startswith("later"):
        day.hold("other", length + 5, order.removeprefix("later "))
    if order == "extended" and day.shown is not None:
        # From what is shown, so that it outlasts it in any case.
        day.act("extend", day.server.extensions.extend(Extend(by=240), None))
    return day, until


def end(day: Day, how: str) -> None:
    """End the hold in the middle, unless its time is to do that."""
    if how != "time":
        day.world.ghost.ending.add("mine")
    if how == "owner":
        day.world.ended |= {"k1", "1"}
        day.server.step()
    elif how != "time":
        day.release("mine", by_person=how == "page")


DAYS = [
    pytest.param(own, order, how, id=f"{own}, {order}, {how}")
    for own, order, how in itertools.product(OWN, ORDERS, ENDS)
]


@pytest.mark.parametrize(("own", "order", "how"), DAYS)
def test_what_was_shown_last_is_when_it_is_stopped(own: str, order: str, how: str) -> None:
    """By whomever; later only by the grace, where a `restore` comes to its time and the platform's stop has passed."""
    for (name, owner), then in itertools.product(OWNERS.items(), ("stop", "restore")):
        if how == "owner" and name == "person":
            continue
        day, _ = begin(own, order, then, owner)
        day.pass_time(10)
        if own.startswith("moved"):
            day.world.console(True, 10_800 if own == "moved later" else 3600)
        day.pass_time(10)
        before, ended_at = day.shown, day.world.now
        end(day, how)
        after = day.shown
        if before and after and how != "time":
            nearest = min(before["stop_timestamp"], ended_at + GRACE * 1000)
            assert after["stop_timestamp"] >= nearest - TOLD, (name, then)
        seen = day.pass_time(7 * 60)
        assert (day.stopped_at is None) == (not seen or seen[-1][1] is None), (name, then)
        for at, shown in seen:
            late = (day.stopped_at or 0) - shown["stop_timestamp"]
            restores = shown["kept_by"] == "server" and (then == "restore" or order.endswith("restore"))
            assert -TOLD <= late <= (GRACE * 1000 if restores else 0) + TOLD, (name, then, at - day.began, shown)


@pytest.mark.parametrize("owner", OWNERS)
@pytest.mark.parametrize("own", OWN)
def test_a_hold_that_ends_in_a_stop_ends_the_run(own: str, owner: str) -> None:
    """At its time, shown from its begin on, with nothing sent where the platform is later: that stays on, as a net."""
    day = Day(own)
    ours, was = own in ("before", "none"), day.world.model.stop_at
    until = day.hold("mine", 100 if own == "before" else 50, "stop", **OWNERS[owner])
    assert day.shown == {"stop_timestamp": until, "kept_by": "server"}
    assert (day.world.model.enable, day.world.model.stop_at) == (not ours, None if ours else was)
    day.pass_time(3 * 60)
    assert abs((day.stopped_at or 0) - until) <= TOLD


@pytest.mark.parametrize("own", OWN)
def test_an_extension_outlasts_a_hold_that_ends_in_a_stop(own: str) -> None:
    """By what was asked for, from what was shown, and not until the platform's own stop time."""
    day, until = begin(own, "alone", "stop", OWNERS["kernel"])
    day.act("extend", day.server.extensions.extend(Extend(by=300), None))
    assert day.shown == {"stop_timestamp": until + 5 * MINUTE, "kept_by": "server"}
    end(day, "owner")
    assert day.shown == {"stop_timestamp": until + 5 * MINUTE, "kept_by": "server"}
    day.pass_time(3 * 60)
    assert abs((day.stopped_at or 0) - until - 5 * MINUTE) <= TOLD


@pytest.mark.parametrize("own", OWN)
def test_an_extension_beyond_both(own: str) -> None:
    """It outlasts the hold that would stop the run before, whoever keeps it now, and whatever becomes of the hold."""
    day, until = begin(own, "alone", "stop", OWNERS["kernel"])
    target = until + 150 * MINUTE
    done = day.act("extend", day.server.extensions.extend(Extend(by=150 * 60), None))
    assert own != "moves at once" or done["message"].startswith("Extended by 2 h 30 min, ")
    assert day.shown is not None
    assert abs(day.shown["stop_timestamp"] - target) <= 2 * TOLD
    end(day, "owner")
    assert day.shown is not None
    assert abs(day.shown["stop_timestamp"] - target) <= 2 * TOLD
    day.pass_time(5 * 60)
    assert abs((day.stopped_at or 0) - target) <= 2 * TOLD


@pytest.mark.parametrize("own", ["after", "none"])
def test_an_extension_within_a_hold_that_ends_in_a_stop_is_noted(own: str) -> None:
    """It shortens nothing, and counts once the hold has ended early."""
    day, until = begin(own, "alone", "stop", OWNERS["kernel"])
    day.act("extend", day.server.extensions.extend(Extend(until=until - 5 * MINUTE), None))
    assert day.shown == {"stop_timestamp": until, "kept_by": "server"}
    end(day, "owner")
    assert day.shown == {"stop_timestamp": until - 5 * MINUTE, "kept_by": "server"}


# The rule by itself


NOW = START + HOUR
TIMES = st.integers(NOW - HOUR, NOW + 3 * HOUR)


def a_hold(name: str, until: int, then: Any) -> Hold:
    return Hold(EXTENSION if name == "e" else name, until, "stop" if name == "e" else then, Owner("person"), START)


HOLDS = st.builds(a_hold, st.sampled_from("abce"), TIMES, st.sampled_from(["stop", "restore"]))


@st.composite
def records(draw: st.DrawFn, holds: int = 3) -> Record:
    """A record as operations leave it: with holds open or a stop decided, kept by the platform, by us, by nobody."""
    open_ = draw(st.lists(HOLDS, max_size=holds, unique_by=lambda hold: hold.id))
    ours = draw(st.booleans())
    return Record(
        off=("yes" if open_ else "ending") if ours else "no",
        prior=Setting(True, 3600, True) if ours else None,
        t0=draw(TIMES) if ours else None,
        start=START if ours else None,
        holds=tuple(open_),
        stop_at=None if open_ else draw(st.none() | TIMES),
        floor=draw(st.just(0) | TIMES),
    )


def at(stop: Stop | None) -> float:
    """Return when a run is stopped; never is later than anything."""
    return float("inf") if stop is None else stop.at


def seen(record: Record, own: int | None, now: int = NOW) -> Stop | None:
    return next_stop(record, own, now, GRACE, defers=False)


@given(records(), st.none() | TIMES, HOLDS)
def test_only_a_hold_that_ends_in_a_stop_brings_it_nearer(record: Record, own: int | None, hold: Hold) -> None:
    """When it begins: to its own time and no nearer. The stop that was decided before is called off."""
    before, after = at(seen(record, own)), at(seen(begun(record, hold), own))
    assert begun(record, hold).stop_at is None
    if hold.then == "stop" and begun(record, hold).last == hold and hold.id != EXTENSION:
        assert after == min(hold.until, hold.until if own is None else own)
    elif hold.id == EXTENSION and hold.until >= before and record.hold(EXTENSION) is None:
        assert after >= before


@given(records(), st.none() | TIMES, st.booleans())
def test_an_early_end_leaves_the_grace(record: Record, own: int | None, by_person: bool) -> None:
    """Of one or of all holds, by whomever: no nearer than the grace, or what was shown."""
    before = at(seen(record, own))
    shown = None if before == float("inf") else round(before)
    for ids in [[hold.id] for hold in record.holds] + [[hold.id for hold in record.holds]]:
        after = ended_early(record, ids, NOW, GRACE, shown=shown, defers=False, by_person=by_person)
        if after.off != "ending" or after.stop_at is not None:  # else it is the platform's again, where it is in time
            assert at(seen(after, own)) >= min(before, NOW + GRACE * 1000)


@given(records(), st.none() | TIMES, st.integers(0, HOUR))
def test_time_alone_moves_it_no_nearer(record: Record, own: int | None, later: int) -> None:
    """What is shown of open holds is what is done once they have come to their time, or the grace after it."""
    if not record.holds:
        return
    before, now = seen(record, own), record.last.until + later
    left = expired(record, now, GRACE, defers=False)
    assert left.holds == ()
    if left.off == "ending" and left.stop_at is None:
        assert before is not None
        # The platform gets it back, in time, or was seen to stop it sooner.
        assert before.at in (record.back_at(defers=False), record.floor, own)
        return
    after = seen(left, own, now)
    if record.last.then == "stop":
        assert after == before
    elif record.ours:
        assert at(before) <= at(after) <= max(at(before), now) + GRACE * 1000
    else:
        assert after == before


@given(records(), st.none() | TIMES)
def test_what_is_shown_is_the_sooner_of_two_stops(record: Record, own: int | None) -> None:
    """The server acts at its own and no sooner; an off under way changes nothing of it until it is seen."""
    server = stop_by_server(record, NOW, GRACE, defers=False)
    both = [stop for stop in (own, server) if stop is not None]
    assert at(seen(record, own)) == min(both, default=float("inf"))
    assert seen(replace(EMPTY, off="intent", old=record), own) == seen(record, own)
