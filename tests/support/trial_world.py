"""A world for the keeper: a platform with faults, servers that crash, people, a console, a clock; all in memory.

Nothing here waits: a call returns at once, and time passes where the world lets it. The servers are the product's own
classes; only what they stand on is made here. `Crash` may come between any two steps of theirs.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.domain.record import EMPTY, Hold, Owner, Record
from jupyter_autostop.errors import (
    AutostopError,
    ConflictError,
    InvalidInputError,
    NoAnswerError,
    ThrottledError,
    UnavailableError,
)
from jupyter_autostop.keeper.extender import Reach
from jupyter_autostop.keeper.reconciler import Keeper
from jupyter_autostop.platforms.base import Reading
from jupyter_autostop.platforms.cache import Snapshot
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.modelarts.models import Instance, UpdateRequest
from jupyter_autostop.platforms.writer import Writer
from jupyter_autostop.service.extend import Extensions
from jupyter_autostop.service.hold import Holds
from jupyter_autostop.service.requests import HoldWish
from jupyter_autostop.service.update import Changes
from jupyter_autostop.storage.run_history import Memory, MemoryFile

START = 1_795_000_000_000
GRACE = 900
HOUR = 3_600_000
LOG = logging.getLogger("jupyter_autostop.trial")
LOG.setLevel(logging.CRITICAL + 1)


class Crash(BaseException):
    """The server is gone, at once."""


class ViolationError(AssertionError):
    """A rule is broken."""


def run(story: Coroutine[Any, Any, Any]) -> Any:
    """Run what never has to wait to its end."""
    try:
        story.send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("something waited")


@lru_cache(maxsize=4096)
def _instance(status: str, enable: bool, duration: int, stop: int | None, remain: int | None, created: int) -> Instance:
    auto_stop: dict[str, Any] = {"enable": enable, "duration": duration, "prompt": True}
    if stop is not None:
        auto_stop |= {"stop_timestamp": stop, "remain_time": remain}
    data = {"id": "DE-1", "status": status, "creation_timestamp": str(created), "spec": {"auto_stop": auto_stop}}
    return Instance.model_validate(data)


@dataclass
class Model:
    """What is true at the platform; times in ms."""

    kind: str
    applies_now: bool
    disables_now: bool = True
    status: str = "RUNNING"
    enable: bool = True
    duration: int = 3600
    in_force: int = 3600
    started: int = START
    stop_at: int | None = START + HOUR
    changes_at: int | None = None
    moves_after: int = 0
    moving: tuple[int, int] | None = None
    """When which duration counts for this run, though it is shown already."""

    def settle(self, now: int) -> list[str]:
        """Let happen what time brings; return the transitions."""
        seen = []
        while True:
            if self.changes_at is not None and self.changes_at <= now:
                at = self.changes_at
                self.changes_at = None
                if self.status == "STOPPING":
                    self.status = "STOPPED"
                else:
                    self.status, self.started, self.in_force = "RUNNING", at, self.duration
                    self.stop_at = at + self.duration * 1000 if self.enable else None
                seen.append(self.status)
            elif self.moving is not None and self.moving[0] <= min(now, self.stop_at or now):
                self.stop_at, self.in_force, self.moving = self.stops_at, self.moving[1], None
            elif self.status == "RUNNING" and self.stop_at is not None and self.stop_at <= now:
                self.leave(self.stop_at)
                seen.append("STOPPING")
            else:
                return seen

    @property
    def stops_at(self) -> int | None:
        """When this run stops once all that was set has taken its effect."""
        if self.moving is None or self.stop_at is None or not self.enable:
            return self.stop_at
        at, length = self.moving
        stop = self.started + length * 1000
        if stop > at or self.kind in ("refuse", "stop"):
            return max(stop, at)
        return at + length * 1000 if self.kind == "count_anew" else None

    def leave(self, at: int) -> None:
        """Begin to stop."""
        self.status, self.stop_at, self.changes_at, self.moving = "STOPPING", None, at + 5_000, None

    def set(self, enable: bool, duration: int, now: int) -> None:
        """Take a setting, by the rules of this kind of platform; a refusal is raised."""
        if self.status not in ("RUNNING", "STOPPED"):
            raise ConflictError("not now", code="ModelArts.6308")
        at_once = False
        if self.status == "RUNNING":
            in_force = duration if self.applies_now else self.in_force
            if self.moves_after and self.applies_now and in_force != (self.moving or (0, self.in_force))[1]:
                in_force, self.moving = self.in_force, (now + self.moves_after, in_force)
            elif self.moving:
                in_force = self.in_force
            stop_at = self.stop_at
            if enable and (in_force != self.in_force or (stop_at is None and not self.enable)):
                stop_at = self.started + in_force * 1000
                if stop_at <= now:
                    if self.kind == "refuse":
                        raise InvalidInputError("later than now", code="ModelArts.6346")
                    at_once = self.kind == "stop"
                    stop_at = now + in_force * 1000 if self.kind == "count_anew" else None
            elif not enable and self.disables_now:
                stop_at = None
            self.in_force, self.stop_at = in_force, stop_at
        self.enable, self.duration = enable, duration
        if at_once:
            self.leave(now)


@dataclass
class Ghost:
    """What an observer knows who sees everything: the rules are checked against this."""

    chosen: tuple[bool, int] = (True, 3600)
    """The setting people last chose."""
    vague: bool = False
    """A console's write came where KEEPER.md says that it cannot be seen, or is lost."""
    unseen: bool = False
    """A console's off came while auto-stop was off by us, or was owed: it cannot be told from ours."""
    by_us: bool = False
    """Whether auto-stop is off by a write of the keeper's own."""
    floor: int = 0
    """The deadline last confirmed to anyone; lowered by what may lower it."""
    console_on: int = -1
    """When the console last switched auto-stop on, counted in acts."""
    acts: int = 0
    wished: int = -1
    """When somebody last asked for an extension or hold, counted in acts."""
    wishes_in_run: int = 0
    ending: set[str] = field(default_factory=set)
    """Holds whose owner has ended, or that somebody ends, and that are in the record still."""
    noticed: int | None = None
    """Since when a stop has been in the record, in this run."""
    stops: dict[str, int] = field(default_factory=dict)
    """The holds that are to end in a stop, and until when they were asked for."""
    graced: int = 0
    """Until when the grace of the last early end of a hold reaches."""


class World:
    """Everything there is. `rng` decides faults, crashes and interruptions; `reached` counts crash points."""

    def __init__(self, rng: random.Random, makers: tuple[type[Keeper], type[Reach]], **traits: Any) -> None:
        self.rng = rng
        self.makers = makers
        self.now = START + 60_000
        self.model = Model(rng.choice(["refuse", "stop", "count_anew", "accept"]), rng.random() < 0.2)
        self.model.disables_now = rng.random() < 0.95
        for name, value in traits.items():
            setattr(self.model, name, value)
        self.ghost = Ghost()
        self.container = 1
        self.outside = False
        """Whether the servers stand outside of the instance: they outlive its stop, and see each of its steps.

        Nothing but that tells them one run from the next, so they do not crash.
        """
        self.stored = EMPTY
        self.gone = False
        """Whether somebody has emptied the record's folder."""
        self.memory: Memory | None = None
        self.landing: list[tuple[int, int, Any]] = []
        self.servers: list[Server] = []
        self.lock_of: Server | None = None
        self.locking = True
        self.ended: set[str] = set()
        self.faults = 0.0
        self.crashes = 0.0
        self.meddling = 0.0
        self.reached: Counter[str] = Counter()
        self.story: list[str] = []
        self.count = 0
        self.consoles = 0
        self.interrupt: Callable[[Server], None] = lambda server: server.step()

    # Time

    def advance(self, seconds: float) -> None:
        """Let time pass, and what is due at the platform happen."""
        end = self.now + round(seconds * 1000)
        while True:
            moments = [at for at, _, _ in self.landing if at <= end]
            self.now = min(moments) if moments else end
            due = [item for item in self.landing if item[0] <= self.now]
            self.landing = [item for item in self.landing if item[0] > self.now]
            self._settle()
            for _, _, land in due:
                land()
                self._settle()
            if not moments:
                return

    def _settle(self) -> None:
        for status in self.model.settle(self.now):
            self.tell(f"   the instance is {status}")
            if status == "STOPPED":
                self._container_is_gone()
            if status == "RUNNING":
                self.container += 1
                self.ghost.by_us = self.ghost.by_us and not self.model.enable
                self.ghost.floor, self.ghost.wishes_in_run, self.ghost.noticed = 0, 0, None

    @property
    def marker(self) -> str:
        """What tells one life of the servers' machine from another."""
        return "outside" if self.outside else str(self.container)

    def _container_is_gone(self) -> None:
        if self.outside:
            return
        for server in self.servers:
            server.alive = False
        self.servers.clear()
        self.lock_of = None
        self.ended.clear()

    def tell(self, what: str) -> None:
        self.story.append(f"{(self.now - START) / 1000:9.1f}  {what}")

    # Points where a server can be hit

    def point(self, server: Server, what: str) -> None:
        """Let something come between two steps of a server: a crash, the console, time."""
        if not server.alive:
            raise Crash
        if self.crashes and self.rng.random() < self.crashes:
            self.reached[f"{server.doing}: {what}"] += 1
            self.tell(f"   CRASH of {server.name} at {server.doing}: {what}")
            server.die()
            raise Crash
        if self.meddling and self.rng.random() < self.meddling:
            self.meddle(server)

    def meddle(self, server: Server) -> None:
        """Act in the middle of somebody else's operation."""
        act = self.rng.randrange(4)
        if act == 0:
            self.advance(self.rng.choice([1, 5, 31]))
        elif act == 1:
            self.console(self.rng.random() < 0.6, self.rng.choice([3600, 7200, 10800]), meddles=True)
        else:
            others = [other for other in self.servers if other is not server and other.doing == "nothing"]
            if others:
                self.tell(f"   meanwhile {others[0].name}")
                self.interrupt(others[0])

    # The console

    def console(self, enable: bool, duration: int, *, meddles: bool = False) -> None:
        """Set the auto-stop setting as the cloud's own page does."""
        ghost, model = self.ghost, self.model
        was, was_duration = (model.stops_at, model.enable), model.duration
        try:
            model.set(enable, duration, self.now)
        except AutostopError:
            return
        self.tell(f"   console: {'on' if enable else 'off'}, {duration} s")
        if not enable and not was[1] and duration == was_duration:
            return  # nothing to be seen
        busy = meddles or bool(self.landing) or bool(self.stored.pending)
        if enable or was[1]:
            ghost.chosen = (enable, duration)
        else:
            # Off while it is off already: only the duration can be seen.
            ghost.chosen = (ghost.chosen[0], duration)
            ghost.unseen = ghost.unseen or ghost.by_us
        if not enable and self.stored.off != "no":
            ghost.unseen = True
            # Where it is again as it was seen last, what was set in between cannot be told at all.
            ghost.vague = ghost.vague or duration == self.stored.seen
        ghost.vague = ghost.vague or busy
        # Between our look and our write nobody can tell which of the two was first.
        if enable and not was[1] and not meddles:
            ghost.console_on = ghost.acts
        if (enable and not was[1]) or was[0] != model.stops_at:
            ghost.floor = 0
        if model.stop_at is not None or model.status != "RUNNING" or (was[1] and not enable):
            ghost.by_us = False
        self.consoles += 1

    def ends_in_a_stop(self) -> int | None:
        """Return when this run is to end by the hold that is the last to go, `None` where none is to end so."""
        holds = self.stored.holds
        return self.ghost.stops.get(max(holds, key=lambda hold: hold.until).id) if holds else None

    def lower(self, floor: int) -> None:
        """A deadline may come as near as this."""
        self.ghost.floor = min(self.ghost.floor, floor)


class FakeClock:
    """The world's time; waiting lets it pass."""

    def __init__(self, world: World) -> None:
        self._world = world

    def time(self) -> float:
        return self._world.now / 1000

    def monotonic(self) -> float:
        return self._world.now / 1000

    async def sleep(self, seconds: float) -> None:
        self._world.advance(seconds)


class ExactTime(PlatformClock):
    """Knows the platform's time."""

    def __init__(self, world: World) -> None:
        super().__init__(FakeClock(world))
        self._world = world

    known = sure = True  # type: ignore[assignment]

    def now(self) -> float:
        return self._world.now / 1000

    def now_ms(self) -> int:
        return self._world.now

    def surely_ms(self) -> int:
        return self._world.now


class TrialPlatform:
    """The platform as one server meets it, with its faults."""

    name = "demanager"
    emulated = False

    def __init__(self, world: World, server: Server) -> None:
        self._world = world
        self._server = server
        self.time = ExactTime(world)

    async def read(self) -> Reading:
        world, model = self._world, self._world.model
        world.point(self._server, "before a look")
        if world.rng.random() < world.faults:
            raise NoAnswerError("no answer")
        stop = model.stop_at if model.status == "RUNNING" else None
        remain = None if stop is None else max(0, stop - world.now) // 1000
        instance = _instance(model.status, model.enable, model.duration, stop, remain, START - 59_000)
        self._server.looked = world.consoles
        self._server.early = model.moving is not None
        world.point(self._server, "after a look")
        return Reading(instance, world.now / 1000, world.now / 1000)

    async def update(self, request: UpdateRequest) -> None:
        assert request.spec is not None
        assert request.spec.auto_stop is not None
        sent = request.spec.auto_stop
        enable, duration = bool(sent.enable), sent.duration or 0
        what = "on" if enable else "off"
        persons = self._server.persons
        act = lambda: self._world_put(enable, duration, persons=persons)  # noqa: E731 - it may come late
        await self._write(f"put {what}", act, f"{what}, {duration} s")

    async def stop(self) -> None:
        persons = self._server.persons
        await self._write("stop", lambda: self._world_stop(persons=persons), "stop")

    def _world_put(self, enable: bool, duration: int, *, persons: bool) -> None:
        world, model, ghost = self._world, self._world.model, self._world.ghost
        before, was_on = model.stops_at, model.enable
        was_in_force = model.moving[1] if model.moving else model.in_force
        model.set(enable, duration, world.now)
        if model.status == "STOPPING" and world.now < ghost.floor:
            raise ViolationError("R2: a setting of ours stopped the instance before the deadline that was shown")
        # A run whose time was counted anew does not tell its start any more, and so not what a length would bring.
        told = before is None or before == model.started + was_in_force * 1000
        then = model.stops_at
        unclaimed = world.stored.off == "no" and world.stored.t0 is None and not world.stored.holds
        if unclaimed and enable and (then or 0) >= world.now + GRACE * 1000:
            ghost.floor = 0  # what is owed may be put back in a later run
        if told and then is not None and then != before and then < ghost.floor:
            raise ViolationError("R2: a setting of ours brought the stop before the deadline that was shown")
        if not enable:
            # An on of the console between our look and our write is lost: nobody can see it (R4's limit).
            lost = was_on and self._server.looked != world.consoles
            ghost.by_us = not persons and not lost and (ghost.by_us or was_on)
        elif model.stop_at is not None or model.status != "RUNNING":
            ghost.by_us = False
        if not enable and not persons and ghost.console_on >= ghost.wished > -1:
            raise ViolationError("R6: an on of the console was undone")
        if not enable and not persons and ghost.wished == -1:
            raise ViolationError("R6: switched off without anybody's wish")

    def _world_stop(self, *, persons: bool) -> None:
        world, ghost = self._world, self._world.ghost
        if world.model.status != "RUNNING":
            raise ConflictError("not running", code="ModelArts.6307")
        if not persons:
            if world.now < ghost.floor:
                raise ViolationError(f"R2: stopped {(ghost.floor - world.now) / 1000:.0f} s before the deadline shown")
            if not ghost.wishes_in_run and (ghost.noticed is None or world.now < ghost.noticed + GRACE * 1000):
                raise ViolationError("R5: a hold of another run stopped this one")
        world.model.leave(world.now)

    async def _write(self, what: str, act: Any, words: str) -> None:
        world, server = self._world, self._server
        world.point(server, f"before {what}")
        fault = world.rng.random()
        world.tell(f"   {server.name} sends {words}")
        if fault < world.faults:
            way = world.rng.randrange(4)
            if way == 0:
                raise ThrottledError("not now")
            error = NoAnswerError("no answer")
            error.maybe_applied = True
            if way == 1:
                self._quietly(act)
            elif way == 2:
                at = world.now + world.rng.choice([500, 3_000, 12_000, 29_000])
                world.count += 1
                world.landing.append((at, world.count, lambda: self._land(act, words)))
            world.tell(f"   … no answer ({['', 'done', 'late', 'never'][way]})")
            world.point(server, f"after {what}, unanswered")
            raise error
        act()
        world.point(server, f"after {what}")

    def _quietly(self, act: Any) -> None:
        try:
            act()
        except AutostopError:
            self._world.tell("   … refused")

    def _land(self, act: Any, words: str) -> None:
        self._world.tell(f"   lands late: {words}")
        self._quietly(act)


class TrialRecords:
    """The record on the world's disk."""

    def __init__(self, world: World, server: Server) -> None:
        self._world = world
        self._server = server
        self._seen: Record | None = None

    def read(self) -> Record | None:
        self._seen = None if self._world.gone else self._world.stored
        return self._seen

    async def load(self) -> Record | None:
        return self.read()

    async def changed(self) -> bool:
        return self._seen != (None if self._world.gone else self._world.stored)

    async def save(self, record: Record) -> None:
        writes = "+".join(write.kind for write in record.pending)
        what = f"saving {record.off}{' ' + writes if writes else ''}{' sent' if record.sent else ''}"
        self._world.point(self._server, f"before {what}")
        ghost = self._world.ghost
        begun = {hold.id for hold in record.holds} - {hold.id for hold in self._world.stored.holds}
        self._world.stored = self._seen = record
        self._world.gone = False
        wished = self._world.ends_in_a_stop()
        if wished is not None and begun & ghost.stops.keys():
            self._world.lower(wished)  # whoever begins such a hold brings the stop nearer
        if gone := ghost.ending - {hold.id for hold in record.holds}:
            ghost.ending -= gone
            # The grace counts from when the end was seen, not from when a slow disk has taken it.
            ghost.graced = self._server.began + GRACE * 1000
            self._world.lower(ghost.graced)
        if record.stop_at is None and record.sent is None:
            ghost.noticed = None
        elif ghost.noticed is None:
            ghost.noticed = self._server.began
        self._world.point(self._server, f"after {what}")

    async def put_aside(self) -> str:
        return "aside"


class TrialLocks:
    """One operation at a time on this machine."""

    def __init__(self, world: World, server: Server) -> None:
        self._world = world
        self._server = server
        self.me = server.name

    @asynccontextmanager
    async def operation(self, first: Callable[[], Any]) -> AsyncIterator[Any]:
        world = self._world
        if world.locking and world.lock_of is not None:
            raise UnavailableError("busy", code="busy")
        world.lock_of = self._server
        try:
            yield first()
        finally:
            if world.lock_of is self._server:
                world.lock_of = None

    async def present(self, server: str) -> bool:
        return any(other.name == server for other in self._world.servers)

    async def alone(self) -> bool:
        return self._world.servers == [self._server]

    async def close(self) -> None:
        pass


class TrialOwners:
    """Kernels and commands of this container."""

    def __init__(self, world: World, server: Server) -> None:
        self._world = world
        self._server = server

    async def make(self, wish: HoldWish) -> Owner:
        if wish.kernel_id is not None:
            return Owner("kernel", self._server.name, wish.kernel_id, 1)
        return Owner("person") if wish.pid is None else Owner("command", self._server.name, pid=wish.pid, started="1")

    async def gone(self, holds: tuple[Hold, ...]) -> list[str]:
        names = {server.name for server in self._world.servers}
        return [hold.id for hold in holds if self._has_ended(hold.owner, names)]

    def ended_with_owner(self, hold_id: str) -> bool:
        return False

    def _has_ended(self, owner: Owner, names: set[str]) -> bool:
        if owner.kind == "kernel":
            if owner.server not in names:
                return True  # a kernel ends with its server
            return owner.server == self._server.name and (owner.kernel_id or "") in self._world.ended
        mine = owner.server == self._server.name or owner.server not in names
        return owner.kind == "command" and mine and str(owner.pid) in self._world.ended


class TrialMemory(MemoryFile):
    """What the last server remembered, or nothing."""

    def __init__(self, world: World) -> None:
        super().__init__(None, "DE-1", LOG, world.marker)
        self._world = world

    def load(self) -> Memory:
        remembered = self._world.memory
        if remembered is None:
            return super().load()
        if remembered.container == self._container:
            return remembered
        return replace(remembered, container=self._container, serial=remembered.serial + 1, run=None)


@dataclass
class TrialLife:
    """The container's life, as a server in it sees it."""

    world: World
    marker: str = field(init=False)

    def __post_init__(self) -> None:
        self.marker = self.world.marker

    def age(self) -> float | None:
        return (self.world.now - (0 if self.world.outside else self.world.model.started)) / 1000


class Server:
    """A Jupyter server in the container: the product's keeper, extensions and changes."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.doing = "nothing"
        self.persons = False
        keeper_class, reach_class = world.makers
        platform: Any = TrialPlatform(world, self)
        policy = Policy(grace=GRACE)
        self.snapshot = Snapshot(platform, policy, TrialMemory(world))
        writer = Writer(platform, self.snapshot, FakeClock(world))
        locks = TrialLocks(world, self)
        owners = TrialOwners(world, self)
        self.keeper = keeper_class(writer, policy, TrialRecords(world, self), locks, owners, TrialLife(world), LOG)
        reach = reach_class(self.keeper, policy)
        self.extensions = Extensions(self.keeper, policy, reach)
        self.holds = Holds(self.keeper, policy, reach)
        self.changes = Changes(self.keeper, policy)
        self.looked = 0
        self.early = False
        """Whether the last look came before all that was set had taken its effect."""
        self.began = world.now

    def die(self) -> None:
        """Be gone, whatever was under way."""
        self.alive = False
        if self in self.world.servers:
            self.world.servers.remove(self)
        # Its kernels end with it, and what they held.
        holds = self.world.stored.holds
        owned = (hold.id for hold in holds if hold.owner.kind == "kernel" and hold.owner.server == self.name)
        self.world.ghost.ending.update(owned)
        if self.world.lock_of is self:
            self.world.lock_of = None
        self.world.memory = self.snapshot.memory if self.world.rng.random() < 0.5 else None

    def do(self, doing: str, story: Coroutine[Any, Any, Any], *, persons: bool = False) -> Any:
        """Run an operation; an error by contract is returned, a crash too."""
        if not self.alive:
            story.close()
            return None
        self.doing, self.persons, self.looked, self.began = doing, persons, -1, self.world.now
        try:
            return run(story)
        except Crash as crash:
            return crash
        except AutostopError as error:
            self.world.tell(f"   {self.name}: {error.code}: {error.message}")
            return error
        finally:
            self.doing, self.persons = "nothing", False
            self.keeper.notes.clear()

    def step(self) -> None:
        """Do what time calls for, and be looked at."""
        if self.keeper.record.idle and self.world.stored.idle:
            return
        done = self.do("step", self.keeper.step())
        self.observe(done)

    def see_to_the_record(self) -> None:
        """Do what the vigil does every few seconds."""

        async def see_to_it() -> None:
            if await self.keeper.disturbed():
                await self.keeper.mend()

        self.do("mend", see_to_it())

    def look(self) -> None:
        """Be looked at, as by a page that asks for fresh news."""

        async def look() -> None:
            await self.snapshot.refresh()
            await self.keeper.peek()

        self.do("look", look())

    def shown(self) -> int | None:
        """Return the deadline that a person who looks now is told, unless what has not arrived yet will change it."""
        if not self.alive or self.snapshot.error is not None:
            return None
        if self.world.landing or self.world.model.moving or self.early or self.looked != self.world.consoles:
            return None
        deadline = self.snapshot.deadline()
        return None if deadline is None else deadline["stop_timestamp"]

    def observe(self, done: Any) -> None:
        """Note what a person who looks now is told."""
        if isinstance(done, (Crash, AutostopError)):
            return
        stop, ghost, wished = self.shown(), self.world.ghost, self.world.ends_in_a_stop()
        if stop is not None and wished is not None and stop > max(wished, ghost.floor, ghost.graced) + 1000:
            raise ViolationError(f"R7: a hold ends in a stop, and {(stop - wished) / 1000:.0f} s later was shown")
        if stop is not None and stop > self.world.now:
            if stop < ghost.floor:
                raise ViolationError(f"R2: the deadline shown came nearer by {(ghost.floor - stop) / 1000:.0f} s")
            ghost.floor = stop
