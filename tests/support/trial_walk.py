"""What can happen in the trial's world, the rules that must hold after each of it, and how a history ends."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

from trial_world import GRACE, HOUR, START, Crash, Server, ViolationError, World

from jupyter_autostop.domain.record import EMPTY
from jupyter_autostop.errors import AutostopError
from jupyter_autostop.keeper.extender import Reach
from jupyter_autostop.keeper.reconciler import Keeper
from jupyter_autostop.service.requests import AutoStopChange, Change, Extend, HoldWish

LENGTHS = [3600, 5400, 7200, 10800]
PAUSES = [1, 20, 31, 120, 600, 850, 920, 1800, 3600, 7200, 4 * 3600]


class Walk:
    """Acts in a world, and checks the rules after each act."""

    def __init__(
        self,
        rng: random.Random,
        makers: tuple[type[Keeper], type[Reach]] = (Keeper, Reach),
        *,
        outside: bool = False,
        **traits: Any,
    ) -> None:
        self.world = World(rng, makers, **traits)
        self.world.outside = outside
        self.rng = rng
        self.names = 0
        self.least_meddling = 0.0
        self.world.interrupt = self.interrupt
        self.start_server()

    # Servers

    def start_server(self) -> None:
        """Start a server in the container, if there is one."""
        world = self.world
        if world.model.status != "RUNNING" or len(world.servers) > 1:
            return
        self.names += 1
        server = Server(world, f"server{self.names}")
        world.tell(f"{server.name} starts")
        world.servers.append(server)
        server.step()

    def interrupt(self, server: Server) -> None:
        """Let a server act while another one is in the middle of something."""
        if self.rng.random() < 0.5:
            server.step()
        else:
            self.extend(server)

    def crash(self) -> None:
        """Kill a server between two operations."""
        if self.world.servers and not self.world.outside:
            server = self.rng.choice(self.world.servers)
            self.world.tell(f"{server.name} is killed")
            server.die()

    def shut_down(self) -> None:
        """End a server cleanly."""
        if not self.world.servers or self.world.outside:
            return
        server = self.rng.choice(self.world.servers)
        self.world.tell(f"{server.name} is shut down")
        if len(self.world.servers) == 1:
            self.world.lower(0)
        server.do("shutdown", server.keeper.hand_back())
        if server.alive:
            server.die()

    def empty_folder(self) -> None:
        """Take the record away under servers that live, which see to it before anything else happens."""
        world = self.world
        if not world.servers or world.stored.idle:
            return
        calm = world.faults, world.crashes, world.meddling
        world.faults = world.crashes = world.meddling = 0.0
        for server in world.servers:
            server.see_to_the_record()
        world.tell("the folder is emptied")
        world.stored, world.gone = EMPTY, True
        for server in world.servers:
            server.see_to_the_record()
        world.faults, world.crashes, world.meddling = calm

    def trouble(self) -> None:
        """Change how much goes wrong."""
        world, rng = self.world, self.rng
        world.faults = rng.choice([0.0, 0.0, 0.15, 0.5])
        world.crashes = 0.0 if world.outside else rng.choice([0.0, 0.03, 0.1, 0.25])
        world.meddling = max(self.least_meddling, rng.choice([0.0, 0.0, 0.0, 0.05]))

    # People, kernels, terminals

    def wishes(self) -> None:
        """Note that somebody asks for something."""
        ghost = self.world.ghost
        ghost.acts += 1
        ghost.wished = ghost.acts
        ghost.wishes_in_run += 1

    def _held(self, server: Server, done: Any, consoles: int) -> None:
        """R3: held is said only of what is off at the platform."""
        if isinstance(done, (Crash, AutostopError)) or done is None:
            return
        outcome = done[1] if isinstance(done, tuple) else done
        self.world.tell(f"   told: {outcome['effect']}")
        if outcome["effect"] == "held" and consoles == self.world.consoles:
            model = self.world.model
            if model.enable or (model.stop_at is not None and model.status == "RUNNING"):
                raise ViolationError("R3: held was said while the platform would stop this run")
        if outcome["effect"] == "unconfirmed":
            return
        server.observe(done)

    def extend(self, server: Server | None = None) -> None:
        """Extend the run, from any server."""
        if not self.world.servers:
            return
        server, consoles = server or self.rng.choice(self.world.servers), self.world.consoles
        seconds = self.rng.choice([600, 3600, 7200, 4 * 3600])
        by_until = self.rng.random() < 0.5
        wish = Extend(until=self.world.now + seconds * 1000) if by_until else Extend(by=seconds)
        self.world.tell(f"extend {'until now +' if by_until else 'by'} {seconds} s, {server.name}")
        self.wishes()
        self._held(server, server.do("extend", server.extensions.extend(wish, None)), consoles)

    def hold(self) -> None:
        """Hold the run, by a person, a kernel or a command."""
        if not self.world.servers:
            return
        server, consoles = self.rng.choice(self.world.servers), self.world.consoles
        self.names += 1
        more: dict[str, Any] = self.rng.choice([{}, {"kernel_id": f"k{self.names}"}, {"pid": self.names}])
        wish = HoldWish(
            until=self.world.now + self.rng.choice([300, 1800, 3600, 7200, 5 * 3600]) * 1000,
            id=f"h{self.names}",
            then=self.rng.choice(["restore", "restore", "stop"]),
            **more,
        )
        self.world.tell(f"hold {wish.id} for {(wish.until - self.world.now) // 1000} s, {wish.then} {more}")
        self.wishes()
        if wish.then == "stop" and wish.id:
            self.world.ghost.stops[wish.id] = wish.until
        self._held(server, server.do("hold", server.holds.hold(wish)), consoles)

    def release(self) -> None:
        """End a hold early."""
        holds = self.world.stored.holds
        if not holds or not self.world.servers:
            return
        server, hold = self.rng.choice(self.world.servers), self.rng.choice(holds)
        self.world.tell(f"release {hold.id}")
        self.world.ghost.ending.add(hold.id)
        by_person = self.rng.random() < 0.5
        done = server.do("release", server.holds.release(hold.id, by_person=by_person))
        server.observe(done)

    def owner_ends(self) -> None:
        """End a kernel or command that holds."""
        owned = [hold for hold in self.world.stored.holds if hold.owner.kind != "person"]
        if not owned:
            return
        hold = self.rng.choice(owned)
        owner = hold.owner
        name = owner.kernel_id or str(owner.pid)
        self.world.tell(f"{owner.kind} {name} ends")
        self.world.ghost.ending.add(hold.id)
        self.world.ended.add(name)
        self.steps()

    def _patch(self, words: str, chosen: tuple[bool, int], floor: int, **auto_stop: Any) -> None:
        world = self.world
        if not world.servers:
            return
        server = self.rng.choice(world.servers)
        world.tell(words)
        world.lower(floor)
        change = Change(auto_stop=AutoStopChange(**auto_stop))
        done = server.do("patch", server.changes.change(change, None), persons=True)
        if isinstance(done, dict) and done["effect"] != "unconfirmed":
            world.ghost.chosen = chosen
            if not chosen[0]:
                world.ghost.by_us = False
            server.observe(done)
        else:
            world.ghost.vague = True
            if auto_stop.get("enable") is False and world.stored.idle:
                world.ghost.by_us = False

    def turn_off(self) -> None:
        """Switch auto-stop off from here."""
        self._patch("turn off", (False, self.world.ghost.chosen[1]), 0, enable=False)

    def turn_on(self) -> None:
        """Switch auto-stop on from here."""
        floor = self.world.now + GRACE * 1000 if self.world.ghost.by_us else 0
        if self.rng.random() < 0.5:
            self._patch("turn on", (True, self.world.ghost.chosen[1]), floor, enable=True)
        else:
            length = self.rng.choice(LENGTHS)
            self._patch(f"turn on, {length} s", (True, length), floor, enable=True, duration=length)

    def set_length(self) -> None:
        """Set the run length from here."""
        length = self.rng.choice(LENGTHS)
        self._patch(f"length {length} s", (self.world.ghost.chosen[0], length), 0, duration=length)

    def stop(self) -> None:
        """Stop the instance from here."""
        if not self.world.servers:
            return
        server = self.rng.choice(self.world.servers)
        self.world.tell("stop")
        self.world.lower(0)
        self.world.ghost.wishes_in_run += 1
        server.do("stop", server.changes.stop(), persons=True)

    # The console

    def console(self) -> None:
        """Set auto-stop at the console."""
        self.world.tell("console acts")
        self.world.ghost.acts += 1
        self.world.console(self.rng.random() < 0.7, self.rng.choice(LENGTHS))

    def stop_comes_nearer(self) -> None:
        """Move this run's own stop time nearer, by no rule of the platform's and with nothing else to be seen."""
        world, model = self.world, self.world.model
        if model.status == "RUNNING" and model.stop_at is not None and model.stop_at > world.now + 60_000:
            model.stop_at = world.now + (model.stop_at - world.now) // 2
            model.moving = None
            world.lower(0)
            world.consoles += 1
            world.tell("the platform's own stop time comes nearer")

    def console_stop(self) -> None:
        """Stop the instance at the console."""
        if self.world.model.status == "RUNNING":
            self.world.tell("console stops the instance")
            self.world.model.leave(self.world.now)

    def console_start(self) -> None:
        """Start the instance at the console, which takes longer than any write may be late."""
        model = self.world.model
        if model.status == "STOPPED":
            self.world.tell("console starts the instance")
            model.status, model.changes_at = "STARTING", self.world.now + 40_000

    # Time

    def steps(self) -> None:
        """Let every server do what is due."""
        for server in list(self.world.servers):
            server.step()
            self.check()

    def _next(self, end: int, interval: int) -> int:
        record, now = self.world.stored, self.world.now
        moments = [hold.until for hold in record.holds]
        moments += [write.at + 30_000 for write in record.pending]
        moments += [record.stop_at, record.floor] if record.stop_at else []
        if self.world.outside:
            model = self.world.model
            moments += [moment for moment in (model.changes_at, model.stop_at) if moment is not None]
        return min([end, now + interval, *(moment for moment in moments if moment > now)])

    def pass_time(self, seconds: float, interval: int = 600_000) -> None:
        """Let time pass; servers act when something is due, and now and then."""
        end = self.world.now + round(seconds * 1000)
        while self.world.now < end:
            moment = self._next(end, interval)
            before = self._told()
            self.world.advance((moment - self.world.now) / 1000)
            self.steps()
            self._as_told(before)

    def _told(self) -> dict[str, int]:
        """Return the deadline that each server shows, where nothing is in the way of its coming true."""
        world = self.world
        ending = world.ghost.ending & {hold.id for hold in world.stored.holds}
        late = world.landing or world.model.moving or world.stored.pending
        if world.faults or world.crashes or world.meddling or late or ending:
            return {}
        for server in world.servers:
            server.look()
            self._says_if_cut_short(server)
        # What a look finds done by others is acted on at once.
        shown = ((server.name, server.shown()) for server in world.servers if not server.keeper.calls_for_step())
        return {name: stop for name, stop in shown if stop is not None and stop > world.now}

    def _says_if_cut_short(self, server: Server) -> None:
        """R3: nobody is left to believe in a hold that the platform's own stop comes before."""
        record, own, shown = self.world.stored, self.world.model.stop_at, server.shown()
        if not record.holds or shown is None or own is None or server.keeper.calls_for_step():
            return
        if own < record.last.until - 1000 and server.snapshot.state()["problem"] is None:
            raise ViolationError(f"R3: the stop comes {(record.last.until - own) / 1000:.0f} s before a hold's end")

    def _as_told(self, before: dict[str, int]) -> None:
        """A deadline that was shown is what happens: time alone moves it no nearer, and no farther than the grace."""
        now, model = self._told(), self.world.model
        for name, stop in before.items():
            if model.status != "RUNNING" or name not in now:
                continue
            # Where time is counted anew, nobody can tell before to what a run comes whose time had passed once.
            anew = model.kind == "count_anew" and now[name] == model.stop_at > stop
            grace = stop < now[name] <= self.world.now + GRACE * 1000 + 1000  # a `restore` has come to its time
            if abs(now[name] - stop) > 1000 and not anew and not grace:
                raise ViolationError(f"R2: the deadline shown moved by {(now[name] - stop) / 1000:.0f} s by itself")

    def wait(self) -> None:
        """Let some time pass."""
        seconds = self.rng.choice(PAUSES)
        self.world.tell(f"{seconds} s pass")
        self.pass_time(seconds)

    def wait_for_something(self) -> None:
        """Let time pass to just before or after the next thing that matters."""
        world = self.world
        moments = [hold.until for hold in world.stored.holds]
        moments += [moment for moment in (world.stored.stop_at, world.model.stop_at, world.stored.t0) if moment]
        moments = [moment for moment in moments if moment > world.now]
        if moments:
            moment = self.rng.choice(moments) + self.rng.choice([-61_000, -1000, 0, 1000, 30_000])
            if moment > world.now:
                world.tell("time passes to something")
                self.pass_time((moment - world.now) / 1000)

    # Rules

    def check(self) -> None:
        """R1: what we have left without a stop is in the record."""
        world = self.world
        model, stored = world.model, world.stored
        if (
            model.status == "RUNNING"
            and model.stop_at is None
            and world.ghost.by_us
            and stored.off == "no"
            and not stored.sent
        ):
            raise ViolationError("R1: a run was left without a stop, and no record says so")

    def finish(self) -> None:
        """When nothing goes wrong any more, all comes to a good end: R1 and R4."""
        world = self.world
        world.faults = world.crashes = world.meddling = 0.0
        world.tell("from here nothing goes wrong")
        world.lock_of = None
        self.pass_time(32)
        for _ in range(40):
            if world.model.status != "RUNNING" or (world.stored.idle and world.model.stop_at is not None):
                break
            if not world.servers:
                self.start_server()
            if not world.stored.holds and not world.stored.pending and world.stored.stop_at is None:
                self.pass_time(61, 30_000)
                if world.stored.idle or world.stored.off == "no":
                    break
            record = world.stored
            moments = [hold.until for hold in record.holds] + ([record.stop_at, record.floor] if record.stop_at else [])
            ahead = [moment - world.now for moment in moments if moment > world.now]
            self.pass_time(min(ahead, default=60_000) / 1000 + 1)
        model = world.model
        if model.status == "RUNNING" and model.stop_at is None and world.ghost.by_us:
            raise ViolationError("R1: a run of ours never gets a stop")
        self._next_run()

    def _next_run(self) -> None:
        world = self.world
        self.console_stop()
        self.pass_time(10)
        self.console_start()
        self.pass_time(50)
        self.start_server()
        self.pass_time(120, 30_000)
        model, ghost = world.model, world.ghost
        if model.status != "RUNNING":
            raise ViolationError("R5: the next run was stopped")
        if model.stop_at is None and ghost.by_us:
            raise ViolationError("R1: the next run has no stop")
        shown = (ghost.chosen[0] if ghost.unseen else model.enable, model.duration)
        if not ghost.vague and shown != ghost.chosen:
            raise ViolationError(
                f"R4: people chose {ghost.chosen}, and in the next run it is {model.enable, model.duration}"
            )
        if not world.stored.idle:
            raise ViolationError("R4: the record never comes to rest")


ACTS: dict[str, int] = {
    "extend": 6,
    "hold": 6,
    "release": 4,
    "owner_ends": 3,
    "turn_off": 1,
    "turn_on": 2,
    "set_length": 1,
    "stop": 1,
    "console": 2,
    "stop_comes_nearer": 1,
    "console_stop": 1,
    "console_start": 4,
    "wait": 7,
    "wait_for_something": 7,
    "start_server": 9,
    "crash": 2,
    "shut_down": 1,
    "empty_folder": 1,
    "trouble": 4,
}


def history(
    seed: int,
    makers: tuple[type[Keeper], type[Reach]] = (Keeper, Reach),
    *,
    acts: int = 30,
    meddling: float = 0.0,
    **traits: Any,
) -> tuple[Counter[str], str]:
    """Walk one history; return the crash points reached, and what was violated."""
    rng = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    walk = Walk(rng, makers, **traits)
    walk.least_meddling = walk.world.meddling = meddling
    names, weights = list(ACTS), list(ACTS.values())
    try:
        for act in rng.choices(names, weights, k=acts):
            getattr(walk, act)()
            walk.check()
        walk.finish()
    except ViolationError as violation:
        return walk.world.reached, f"{violation}\n" + "\n".join(walk.world.story)
    return walk.world.reached, ""


__all__ = ["HOUR", "START", "Walk", "history"]
