"""One emulated instance: its statuses, its run, and the stop time of that run.

The machine has no timers: it says when something is due, and is stepped from there (`Emulator.settle`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from jupyter_autostop.emulator.behaviour import Behaviour
from jupyter_autostop.emulator.message import PlatformError
from jupyter_autostop.emulator.rules import AutoStopEdit
from jupyter_autostop.emulator.shape import documented, remove_path, set_path

RUNNING, STOPPING, STOPPED, STARTING, RESTARTING = "RUNNING", "STOPPING", "STOPPED", "STARTING", "RESTARTING"

# Which code refuses an action or an edit, by status; what is missing here is 6347, or as said at the place.
_BUSY = {
    STARTING: (6306, "The instance is starting."),
    STOPPING: (6308, "The instance is being stopped."),
    RESTARTING: (6357, "Another operation is in progress on the instance."),
}
_NOT_NOW = (6347, "This cannot be done in the current status of the instance.")
_NOT_RUNNING = (6327, "The instance is not running.")
_ALREADY_STOPPED = (6307, "The instance has been stopped.")


@dataclass(frozen=True)
class Times:
    """How many seconds the instance spends on the way from one status to the next."""

    start: float = 3.0
    stop: float = 2.0
    restart: float = 3.0


@dataclass
class Run:
    """From RUNNING to STOPPING: since when (ms), the duration in force (s), and when it ends by itself (ms)."""

    started: int
    duration: int
    stop_at: int | None


@dataclass
class Instance:
    """An instance; all times in epoch ms, `duration` in s."""

    id: str
    name: str
    description: str
    created: int
    updated: int
    status: str = STOPPED
    enable: bool = True
    duration: int = 3600
    prompt: bool = True
    run: Run | None = None
    times: Times = field(default_factory=Times)
    becomes: tuple[int, str] | None = None
    moving: list[tuple[int, int]] = field(default_factory=list)
    """Durations (s) that will count for this run, each from its moment (ms) on."""
    raw: dict[str, Any] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)

    def next_event(self) -> int | None:
        """Return when something is due, if anything is."""
        if self.becomes:
            return self.becomes[0]
        moments = [at for at, _ in self.moving[:1]]
        if self.run and self.run.stop_at is not None:
            moments.append(self.run.stop_at)
        return min(moments, default=None)

    def step(self, at: int) -> str:
        """Do what is due `at`; returns it in words."""
        if self.becomes:
            status = self.becomes[1]
            self.enter(status, at)
            return "The instance is running." if status == RUNNING else "The instance is stopped."
        if self.run and self.moving and self.moving[0][0] <= at:
            self.run.duration = self.moving.pop(0)[1]
            if self.run.stop_at is not None and self.enable:
                self.run.stop_at = max(at, self.run.started + self.run.duration * 1000)
            return "The duration that was set counts for this run now."
        self.leave(STOPPING, STOPPED, self.times.stop, at)
        return "Its time is up: the instance is stopping."

    def enter(self, status: str, at: int) -> None:
        """Be in a status for good; a run begins with RUNNING and ends with anything else."""
        self.status, self.becomes, self.updated = status, None, at
        if status != RUNNING:
            self.run = None
            self.moving.clear()
        elif not self.run:
            self.run = Run(at, self.duration, at + self.duration * 1000 if self.enable else None)

    def leave(self, over: str, to: str, seconds: float, at: int) -> None:
        """Be in the status `over` for some seconds, then in `to`."""
        self.enter(over, at)
        self.becomes = at + round(seconds * 1000), to

    def act(self, action: str, at: int) -> None:
        """Start, stop or restart; a wrong status raises its code."""
        refusal = _BUSY.get(self.status)
        if action == "start" and self.status in (STOPPED, "START_FAILED"):
            self.leave(STARTING, RUNNING, self.times.start, at)
        elif action == "stop" and self.status == RUNNING:
            self.leave(STOPPING, STOPPED, self.times.stop, at)
        elif action == "restart" and self.status == RUNNING:
            self.leave(RESTARTING, RUNNING, self.times.restart, at)
        elif action == "stop" and self.status == STOPPED:
            raise PlatformError(*_ALREADY_STOPPED)
        elif action in ("stop", "restart"):
            raise PlatformError(*(refusal or _NOT_RUNNING))
        else:
            raise PlatformError(*(refusal or _NOT_NOW))

    def check_editable(self, behaviour: Behaviour) -> None:
        """Raise unless the description and auto_stop can be changed in this status."""
        late = self.status == STOPPING and behaviour.edit_while_stopping
        if self.status not in (RUNNING, STOPPED) and not late:
            raise PlatformError(*_BUSY.get(self.status, _NOT_NOW))

    def set_auto_stop(self, edit: AutoStopEdit, behaviour: Behaviour, at: int, *, merge: bool) -> None:
        """Take a new setting: for this run as `behaviour` says, for the next start in full."""
        enable = (self.enable if merge else False) if edit.enable is None else edit.enable
        prompt = (self.prompt if merge else True) if edit.prompt is None else edit.prompt
        duration = self.duration if edit.duration is None else edit.duration
        stop_now = False
        if self.run:
            counts = behaviour.duration_applies == "now"
            if counts and behaviour.moves_after:
                counts = False
                self.moving.append((at + round(behaviour.moves_after * 1000), duration))
            in_force = duration if counts else self.run.duration
            stop_at = self.run.stop_at
            if enable and (in_force != self.run.duration or (stop_at is None and not self.enable)):
                stop_at = self.run.started + in_force * 1000
                if stop_at <= at:
                    stop_at, stop_now = _passed(behaviour, at, in_force)
            elif not enable and behaviour.disable_applies == "now":
                stop_at = None
            self.run.duration, self.run.stop_at = in_force, stop_at
        self.enable, self.duration, self.prompt, self.updated = enable, duration, prompt, at
        if stop_now:
            self.leave(STOPPING, STOPPED, self.times.stop, at)

    def answer(self, now: int) -> dict[str, Any]:
        """Return the instance as GET and PUT show it."""
        data = documented(self.id)
        auto_stop: dict[str, Any] = {"duration": self.duration, "enable": self.enable, "prompt": self.prompt}
        if self.run and self.run.stop_at is not None:
            auto_stop["remain_time"] = max(0, (self.run.stop_at - now) // 1000)
            auto_stop["stop_timestamp"] = self.run.stop_at
        data["spec"]["auto_stop"] = auto_stop
        data.update(
            name=self.name,
            description=self.description,
            status=self.status,
            creation_timestamp=str(self.created),
            latest_update_timestamp=str(self.updated),
        )
        for path, value in self.raw.items():
            set_path(data, path, value)
        for path in self.removed:
            remove_path(data, path)
        return data


def _passed(behaviour: Behaviour, at: int, duration: int) -> tuple[int | None, bool]:
    """Return the stop time, and whether to stop now, where the run's own stop time has passed."""
    if behaviour.reenable == "refuse":
        raise PlatformError(6346, "The auto stop time must be later than the current time.")
    if behaviour.reenable == "count_anew":
        return at + duration * 1000, False
    return None, behaviour.reenable == "stop"
