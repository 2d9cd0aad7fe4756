"""The emulated platform as a whole: its instances, its switches, its clock; no network.

What time brings (a stop, the end of a transition, a write that lands late) is worked out when somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.behaviour import Behaviour
from jupyter_autostop.emulator.faults import Faults
from jupyter_autostop.emulator.gate import Gate, Keys
from jupyter_autostop.emulator.history import History
from jupyter_autostop.emulator.iam import Iam, Login
from jupyter_autostop.emulator.instance import RUNNING, STOPPED, Instance, Run, Times
from jupyter_autostop.emulator.message import Answer, PlatformError, Refusal, SettingError
from jupyter_autostop.emulator.permissions import Permissions
from jupyter_autostop.emulator.record import Record
from jupyter_autostop.emulator.rules import LONGEST_DURATION, Edit
from jupyter_autostop.times.clock import Clock
from jupyter_autostop.times.duration import format_duration

HOUR = 3600
NAME = "example-notebook"
DESCRIPTION = "Example notebook of the ModelArts emulator"


def check_remaining(remaining: float) -> None:
    """Raise `SettingError` unless a running instance can have this many seconds left."""
    if not 1 <= remaining <= LONGEST_DURATION:
        raise SettingError(f"An instance stops 1 s to 24 h ({LONGEST_DURATION} s) from now, not {remaining:.0f} s.")


class Emulator:
    """A project with one running instance; its auto-stop is due `remaining` seconds from now.

    `on_change` is told each change of the state: when (epoch ms) and what, in a sentence.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        remaining: float = HOUR,
        behaviour: Behaviour | None = None,
        times: Times | None = None,
        keys: Keys | None = None,
        on_change: Callable[[int, str], object] | None = None,
    ) -> None:
        self.clock = clock
        self.behaviour = behaviour or Behaviour()
        self.times = times or Times()
        self.gate = Gate(keys or Keys(), clock)
        self.iam = Iam(self.gate.keys, self.gate.tokens)
        self.permissions = Permissions()
        self.faults = Faults()
        self.record = Record()
        self.history = History()
        self.date_offset = 0.0
        self.on_change = on_change
        self.instances: dict[str, Instance] = {}
        self._landing: list[tuple[int, Callable[[], object]]] = []
        instance = self.add(defaults.INSTANCE_ID, name=NAME, description=DESCRIPTION, status=RUNNING)
        self.set_remaining(instance, remaining)

    @property
    def project_id(self) -> str:
        """The only project there is."""
        return self.gate.keys.project_id

    @property
    def instance(self) -> Instance:
        """The instance that is there from the beginning."""
        return self.instances[defaults.INSTANCE_ID]

    def now(self) -> int:
        """Return the platform's time in epoch ms."""
        return int(self.clock.time() * 1000)

    def add(self, instance_id: str, *, name: str, description: str = "", status: str = STOPPED) -> Instance:
        """Add an instance as if it had just been created."""
        now = self.now()
        instance = Instance(instance_id, name, description, created=now, updated=now, times=self.times)
        instance.enter(status, now)
        self.instances[instance_id] = instance
        return instance

    def set_remaining(self, instance: Instance, remaining: float) -> None:
        """Make a run end by itself so many seconds from now.

        It has a legal duration (whole hours) and began that much earlier; an instance that was not running is.
        """
        check_remaining(remaining)
        now = self.now()
        stop_at = now + round(remaining * 1000)
        instance.duration = int(-(-remaining // HOUR)) * HOUR
        instance.enable = True
        instance.enter(RUNNING, now)
        started = stop_at - instance.duration * 1000
        instance.run = Run(started, instance.duration, stop_at)
        instance.created = min(instance.created, started)
        instance.updated = max(instance.created, started)

    def settle(self) -> None:
        """Catch up with the clock: everything due is done in the order, and at the time, it was due."""
        now = self.now()
        while True:
            due = [(at, instance) for instance in self.instances.values() if (at := instance.next_event()) is not None]
            event = min(due, key=lambda pair: pair[0], default=None)
            landing = min(self._landing, key=lambda pair: pair[0], default=None)
            if landing and landing[0] <= now and (event is None or landing[0] <= event[0]):
                self._landing.remove(landing)
                landing[1]()
            elif event and event[0] <= now:
                at, instance = event
                self.tell(at, instance.step(at), instance)
            else:
                return

    def land_later(self, seconds: float, write: Callable[[int], object]) -> None:
        """Let a write happen so many seconds from now, whether it is then allowed or not; it is given that time."""
        at = self.now() + round(seconds * 1000)

        def land() -> None:
            try:
                write(at)
            except Refusal as refusal:
                self.tell(at, f"A late write was refused: {refusal.message}")

        self._landing.append((at, land))

    def tell(self, at: int, what: str, instance: Instance | None = None) -> None:
        """Report a change of the state, and note it."""
        self.history.add(at, what, instance)
        if self.on_change:
            self.on_change(at, what)

    def set_times(self, times: Times) -> None:
        """Let every transition that begins from now on take as long as this."""
        self.times = times
        for instance in self.instances.values():
            instance.times = times

    def get(self, instance_id: str) -> Instance:
        """Return an instance or raise 6309."""
        try:
            return self.instances[instance_id]
        except KeyError:
            raise PlatformError(6309, "The instance does not exist.") from None

    def update(self, instance_id: str, edit: Edit, at: int) -> dict[str, Any]:
        """Change description and auto_stop, both or neither; returns the instance as it is then."""
        instance = self.get(instance_id)
        if edit.empty and self.behaviour.empty_update == "refuse":
            raise PlatformError(6335, "The request changes nothing: both description and auto_stop are missing.")
        instance.check_editable(self.behaviour)
        if edit.auto_stop:
            instance.set_auto_stop(edit.auto_stop, self.behaviour, at, merge=self.behaviour.merge_partial)
            state = "on" if instance.enable else "off"
            set_to = f"{state}, {format_duration(instance.duration)} from each start"
            self.tell(at, f"Auto-stop was set: {set_to}.", instance)
        if edit.description is not None:
            instance.description, instance.updated = edit.description, at
            self.tell(at, f"The description was set: {edit.description}", instance)
        return instance.answer(at)

    def log_in(self, login: Login, at: int) -> Answer:
        """Issue a token to the IAM user."""
        answer = self.iam.log_in(login, at)
        self.tell(at, f"The IAM user logged in: a token for {format_duration(round(self.gate.tokens.lifetime))}.")
        return answer

    def act(self, instance_id: str, action: str, at: int) -> dict[str, str]:
        """Start, stop or restart an instance."""
        instance = self.get(instance_id)
        before = instance.status
        instance.act(action, at)
        self.tell(at, f"Asked to {action}: the instance is {instance.status}.", instance)
        return {"current_status": instance.status, "previous_state": before}
