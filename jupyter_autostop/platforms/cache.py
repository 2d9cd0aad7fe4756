"""What is known of the instance now: the last answer, why a later one is missing, and the State made of both."""

from __future__ import annotations

import hashlib
import json
from copy import copy
from dataclasses import replace
from typing import Any

from jupyter_autostop.domain.policy import Policy, limits
from jupyter_autostop.domain.record import EMPTY, ROUNDING, Record
from jupyter_autostop.domain.run import (
    ENDED,
    Run,
    cut_short,
    damaged,
    differing,
    follows,
    learn_run,
    next_start,
    overdue,
    read_run,
    setting,
    stopping,
    unkept,
    unsettled,
)
from jupyter_autostop.domain.stop_rule import Stop, next_stop, stop_by_server
from jupyter_autostop.errors import AutostopError, CredentialsError, NoAnswerError
from jupyter_autostop.platforms.base import Platform, Reading
from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.modelarts.public_fields import shown_instance
from jupyter_autostop.state import AutoStopState, Deadline, NextStart, Outcome, Problem, RunTimes, State
from jupyter_autostop.storage.run_history import LiveMemory, Memory, MemoryFile

_UNASKED = Run(
    "unknown",
    problem={"code": "not_asked", "message": "ModelArts has not been asked yet.", "hint": ""},
)


def part_version(part: Any) -> str:
    """Return a short fingerprint of one part of the instance; equal parts have equal ones."""
    return hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()[:12]


class Snapshot:
    """The last confirmed answer and what it means. Time left is derived when asked for, never stored."""

    def __init__(self, platform: Platform, policy: Policy, memory: MemoryFile) -> None:
        self._platform = platform
        self._policy = policy
        self._live = LiveMemory(memory)
        self._asked = 0
        self._answered = 0
        self._failed = 0
        self._record = EMPTY
        self._holds: list[dict[str, Any]] = []
        self._shown: dict[str, Any] | None = None
        self._version = ""
        self.instance: Instance | None = None
        self.run = _UNASKED
        self.confirmed_at: int | None = None
        self.received = float("-inf")
        """When the last answer came (monotonic s)."""
        self.error: AutostopError | None = None
        self.refusals = 0
        """How often in a row the credentials were refused."""
        self.trouble: Problem | None = None
        """Why what is held or owed is not in order yet."""
        self.damage = ""
        """What was found in the place of the keeper's record, until a person acts."""
        self.unkept = ""
        """What the disk does not do for the keeper's record, which then stands in memory only."""

    @property
    def record(self) -> Record:
        """What is held and owed, as it was when it was last looked at."""
        return self._record

    @record.setter
    def record(self, record: Record) -> None:
        if record is not self._record:
            self._record = record
            self._holds = [hold.shown() for hold in record.holds if not record.over]

    @property
    def memory(self) -> Memory:
        """What is remembered over a restart."""
        return self._live.now

    async def remember(self, memory: Memory) -> None:
        """Keep `memory`, and return once it is on disk, where that can be done."""
        self._live.note(memory)
        await self._live.secure()

    async def close(self) -> None:
        """See what is remembered to the disk."""
        await self._live.secure()

    async def refresh(self) -> bool:
        """Ask the platform, keep what it says, or why it said nothing; tell whether it answered."""
        try:
            await self.read()
        except AutostopError:
            return False
        return True

    async def read(self) -> Instance:
        """Ask the platform and return its answer; an error is kept as the State's problem and raised."""
        self._asked += 1
        turn = self._asked
        try:
            reading = await self._platform.read()
        except AutostopError as error:
            if turn < self._answered:
                raise  # a later question has been answered meanwhile
            # A copy has no frames, which would keep a signed request alive until the next success.
            self.error, self._failed = copy(error), turn
            self.refusals = self.refusals + 1 if isinstance(error, CredentialsError) else 0
            raise
        if turn < self._answered:
            return reading.instance  # asked before the one that is known, so possibly from before a write
        self._answered = turn
        self.error = None
        self.refusals = 0
        self._keep(reading)
        return reading.instance

    def _keep(self, reading: Reading) -> None:
        """Take an answer in, at one go: what it taught of the run goes to the disk behind the caller's back."""
        self._bear_out(reading)
        now = self._platform.time.now_ms()
        before = self.run.stop_timestamp
        self.instance = reading.instance
        self.confirmed_at = now
        self.received = reading.received
        self.run = read_run(reading.instance, now, now_is_platforms=self._platform.time.known, before=before)
        # Made when somebody asks for them.
        self._shown, self._version = None, ""
        memory = self.memory
        stop = self.run.stop_timestamp
        if stop is not None:
            # The same stop time is the same run, whatever passing status was seen meanwhile.
            anew = memory.ended and memory.run is not None and abs(stop - memory.run.stop_timestamp) > ROUNDING
            known, another = learn_run(None if anew else memory.run, reading.instance, stop, now)
            defers = memory.defers and (anew or not follows(memory.run, known))
            self._live.note(replace(memory, run=known, serial=memory.serial + another, ended=False, defers=defers))
        elif reading.instance.status in ENDED and not memory.ended:
            self._live.note(replace(memory, ended=True))

    def _bear_out(self, reading: Reading) -> None:
        """Let what the platform reckons with as the time be a witness to what it dates its answers by."""
        auto_stop = reading.instance.auto_stop
        stop = auto_stop.stop_timestamp if auto_stop else None
        remain = auto_stop.remain_time if auto_stop else None
        if stop is not None and remain is not None and remain > 0:
            self._platform.time.bear_out(stop / 1000 - remain, reading.sent, reading.received)

    @property
    def questions(self) -> int:
        """How often the platform has been asked."""
        return self._asked

    def silent_since(self, questions: int) -> AutostopError | None:
        """Return the error if the last word is that one asked after so many questions was not answered in time."""
        return copy(self.error) if isinstance(self.error, NoAnswerError) and self._failed > questions else None

    @property
    def asked(self) -> bool:
        """Whether the platform has answered, or failed to, at least once."""
        return self.instance is not None or self.error is not None

    def deadline(self) -> Deadline | None:
        """Return when this run is stopped, and by whom, whether or not that time has passed."""
        stop = None if self.stopping else self.next_stop(self._record)
        return None if stop is None else {"stop_timestamp": stop.at, "kept_by": stop.kept_by}

    def next_stop(self, record: Record) -> Stop | None:
        """Return when this run would be stopped with such a record, and by whom; `None`: by nothing."""
        if self.run.kind == "not_running":
            return None
        own, now = self.run.stop_timestamp, self._platform.time.now_ms()
        return next_stop(record, own, now, self._policy.grace, defers=self.memory.defers)

    def stop_of(self, record: Record) -> int | None:
        """Return when this server would stop a run with such a record, whatever the platform does; `None`: never."""
        return stop_by_server(record, self._platform.time.now_ms(), self._policy.grace, defers=self.memory.defers)

    @property
    def stopping(self) -> bool:
        """Whether this server has decided to stop this run."""
        return self._record.sent is not None and not self._record.over

    def stops_at(self, now: int) -> int | None:
        """Return the time of the stop (ms) that is still to come at `now`."""
        deadline = self.deadline()
        return deadline["stop_timestamp"] if deadline and deadline["stop_timestamp"] > now else None

    def seconds_left(self) -> float | None:
        """Return the seconds to the deadline, negative once it has passed; `None` where there is none."""
        deadline = self.deadline()
        return None if deadline is None else deadline["stop_timestamp"] / 1000 - self._platform.time.now()

    def version(self) -> str:
        """Return the State's version: one part of the auto-stop setting, one of the description."""
        if self.instance is None:
            return "0.0"
        if not self._version:
            parts = (setting(self.instance), self.instance.description)
            self._version = ".".join(part_version(part) for part in parts)
        return self._version

    def _said(self) -> AutoStopState | None:
        auto_stop = self.instance.auto_stop if self.instance else None
        if auto_stop is None:
            return None
        return {
            "enable": auto_stop.enable,
            "duration": auto_stop.duration,
            "prompt": auto_stop.prompt,
            "stop_timestamp": auto_stop.stop_timestamp,
            "remain_time": auto_stop.remain_time,
        }

    def _problem(self, *, passed: bool, kept_by: str) -> Problem | None:
        error = self.error
        if error is not None:
            return {"code": error.code, "message": error.message, "hint": error.hint}
        asks = self._record.asks and self.run.kind == "off"
        if (self.damage or asks) and not self.stopping:
            off = self.run.kind == "off" and self.deadline() is None
            return damaged(self.damage or "the journal says more", off=off)
        if self.trouble is not None:
            return self.trouble
        if self.unkept and not self._record.idle and not passed and not self.stopping:
            return unkept(self.unkept)
        if self.stopping or (passed and kept_by == "server"):
            return stopping()
        if passed:
            return overdue()
        if self.run.kind == "off" and self._record.off in ("intent", "ending") and self._record.stop_at is None:
            return unsettled()
        if kept_by == "platform" and self._is_cut_short():
            return cut_short()
        return self.run.problem

    def _is_cut_short(self) -> bool:
        """Tell whether a hold relies on a stop time of the platform that has been moved nearer since it began."""
        record, own = self._record, self.run.stop_timestamp
        relies = record.off == "no" and record.holds and not record.over and not record.pending
        return bool(relies) and own is not None and own < record.last.until - ROUNDING

    def _run_times(self) -> RunTimes | None:
        """Return the moments of the run that goes on, `None` where no run is known."""
        if self.run.kind == "not_running" or (self.run.stop_timestamp is None and not self._record.ours):
            return None
        known = self.memory.run
        own = self.run.stop_timestamp
        # Auto-stop is off by our doing: what people set comes back when the last hold ends.
        platform = own if own is not None else self._record.back_at(defers=self.memory.defers)
        return {"started_at": known.start if known else None, "platform_stop": platform, "hard_stop": None}

    def _next_start(self) -> NextStart | None:
        """Return the setting of the next start where it differs from this run's, whoever keeps this run."""
        if self.instance is None:
            return None
        known, prior = self.memory.run, self._record.prior
        if self.run.stop_timestamp is None and known is not None and self._record.ours and prior is not None:
            return differing(known, {"enable": True, "duration": prior.duration})
        waiting = next_start(known if self.run.stop_timestamp is not None else None, self.instance, self.run)
        if waiting and known and prior and waiting["duration"] == self._record.probe:
            # A length that this server has only tried out goes back before the next start.
            return differing(known, {"enable": waiting["enable"], "duration": prior.duration})
        return waiting

    def state(self, outcome: Outcome | None = None) -> State:
        """Return the State as of now."""
        now = self._platform.time.now_ms()
        deadline = self.deadline()
        stop = deadline["stop_timestamp"] if deadline else None
        passed = stop is not None and stop <= now
        if self._shown is None and self.instance is not None:
            self._shown = shown_instance(self.instance)
        return {
            "instance": self._shown,
            "auto_stop": self._said(),
            "deadline": None if passed else deadline,
            "next_start": self._next_start(),
            "run": self._run_times(),
            "holds": self._holds,
            "outcome": outcome,
            "limits": limits(
                self._policy,
                self.run,
                self.memory.run,
                now,
                defers=self.memory.defers,
                asked=self.instance is not None,
                stop=stop,
                held=deadline is not None and deadline["kept_by"] == "server",
                ours=self._record.off in ("intent", "ending") and self._record.stop_at is None,
                sent=self.stopping,
            ),
            "version": self.version(),
            "server_time": now,
            "confirmed_at": self.confirmed_at,
            "stale": self.instance is not None and self.error is not None,
            "problem": self._problem(passed=passed, kept_by=deadline["kept_by"] if deadline else ""),
            "platform": self._platform.name,
            "emulated": self._platform.emulated,
        }

    def lasting(self) -> dict[str, Any]:
        """Return the State without what merely passes with time: equal as long as nothing else has changed."""
        state = self.state()
        limit = {key: value for key, value in state["limits"].items() if key != "until"}
        said = {**state["auto_stop"], "remain_time": None} if state["auto_stop"] else None
        passing = {"limits": limit, "auto_stop": said, "server_time": 0, "confirmed_at": 0, "outcome": None}
        return {**state, **passing}
