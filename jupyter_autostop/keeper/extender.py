"""Making this run last: by the platform where it moves the stop time, else held by this server.

The update API says that a longer `duration` counts from the next start. So it is sent, the answer is looked at, and
where the stop time did not move auto-stop goes off for this run and this server keeps the new deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from jupyter_autostop.domain.limits import LONGEST_DURATION
from jupyter_autostop.domain.policy import DEFERS, Policy
from jupyter_autostop.domain.record import EMPTY, ROUNDING, Hold, Record, Setting
from jupyter_autostop.domain.rules import fallen_back, moved, people_chose
from jupyter_autostop.domain.run import NOTICEABLE, next_start, setting
from jupyter_autostop.domain.stop_rule import begun
from jupyter_autostop.errors import AutostopError, ConflictError, InvalidInputError
from jupyter_autostop.keeper.reconciler import Keeper, stop_sent
from jupyter_autostop.platforms.modelarts.models import Instance
from jupyter_autostop.platforms.writer import not_running, outcome
from jupyter_autostop.state import EXTENSION, Outcome
from jupyter_autostop.times.duration import format_duration

UNCONFIRMED = "The {what} was sent, but ModelArts does not tell what became of it; it will be put in order."
_STILL_STOPS = "ModelArts still stops this run at its old time, auto-stop off or not, so it cannot be held."


def _longer(stop: int, before: int) -> str:
    """Say by how much a stop time (ms) has moved; whole minutes are told as such, whatever the rounding of both."""
    seconds = round((stop - before) / 1000)
    minutes = round(seconds / 60)
    return format_duration(minutes * 60 if abs(seconds - minutes * 60) * 1000 <= ROUNDING else seconds)


@dataclass(frozen=True)
class Aim:
    """What is to be reached: a stop no sooner than `target` (ms), where `stop` is the platform's; or else a hold.

    `said`: what is told beforehand. `probed`: the platform has been sent a longer run length for it. `setting_waits`:
    another one waits for the next start already, so none would help.
    """

    target: int
    stop: int
    wish: Hold
    said: str = ""
    probed: bool = False
    setting_waits: bool = False

    @property
    def clamped(self) -> bool:
        """Whether less is to be reached than was asked for."""
        return bool(self.said)

    @property
    def what(self) -> str:
        """Return its name in a sentence."""
        return "extension" if self.wish.id == EXTENSION else "hold"

    @property
    def unconfirmed(self) -> Outcome:
        """Return the outcome of a write of which nobody can tell what came of it."""
        return outcome("unconfirmed", UNCONFIRMED.format(what=self.what))


class Reach:
    """What extensions and holds have in common: the ways to a later stop, and what must be so before one is tried."""

    def __init__(self, keeper: Keeper, policy: Policy) -> None:
        self._keeper = keeper
        self._snapshot = keeper.snapshot
        self._policy = policy

    def check_future(self, until: int, now: int) -> None:
        """Raise for a moment (ms) that has passed."""
        if until <= now:
            raise InvalidInputError(
                "That time has passed already.",
                code="until_passed",
                hint='"until" is in milliseconds since 1970, and must be later than now.',
            )

    def check_running(self, record: Record, before: Instance) -> None:
        """Raise where there is no run any more that could last longer."""
        if self._snapshot.run.kind == "not_running":
            raise not_running(before)
        if record.sent is not None:
            raise stop_sent()

    def person_has_acted(self, done: Outcome) -> None:
        """Take what was found damaged for dealt with, if the run lasts now as somebody has asked for."""
        if done["effect"] in ("now", "held"):
            self._snapshot.damage = ""

    async def reach(self, record: Record, before: Instance, aim: Aim) -> Outcome:
        """Have the platform move its stop time, or hold the run where it does not."""
        memory = self._snapshot.memory
        seen = people_chose(before)
        if seen is None:
            raise ConflictError(
                "ModelArts does not tell the run length, so it cannot be made longer.", code="no_deadline"
            )
        prior = self.prior(record, seen)
        waits = not memory.defers and record.probe is None and await self._setting_waits(before)
        deferring = memory.defers or waits
        probe = self.probe(seen.duration, aim)
        # Where the start is not known, nobody can tell which stop time a run length would bring.
        told = memory.run is not None and memory.run.start is not None
        if not deferring and probe > seen.duration and (told or not self._policy.allow_hold):
            record, done = await self._probe(record, before, aim, prior, replace(seen, duration=probe))
            if done is not None:
                return done
            aim = replace(aim, probed=True)
        elif not self._policy.allow_hold:
            if deferring:
                return outcome("next_start", f"{DEFERS} Nothing was changed.", clamped=aim.clamped)
            return outcome("none", "ModelArts' limit of 24 h for one run is reached.", clamped=True)
        if not self._policy.allow_hold:
            return await self._leave(record, aim, prior)
        if not seen.enable:
            return outcome("next_start", _STILL_STOPS, clamped=aim.clamped)
        return await self.hold(record, replace(aim, setting_waits=waits), prior)

    # By the platform

    async def _setting_waits(self, before: Instance) -> bool:
        """Tell whether a setting waits for the next start, which shows that this platform defers.

        Raises `ConflictError` where it was only about to move the stop time.
        """
        snapshot = self._snapshot

        def waiting() -> bool:
            instance = snapshot.instance
            return instance is not None and next_start(snapshot.memory.run, instance, snapshot.run) is not None

        if not waiting() or setting(before)["enable"] is False:
            return waiting()
        moves = await self._keeper.writer.comes(lambda: not waiting())
        if moves:
            raise ConflictError(
                "Meanwhile the stop time has moved, as somebody else has set it; nothing was overwritten.",
                code="changed_elsewhere",
            )
        return moves is False

    def prior(self, record: Record, seen: Setting) -> Setting:
        """Return the setting that people chose, which is not what we have set ourselves."""
        return record.prior if record.prior is not None and record.probe == seen.duration else seen

    def probe(self, duration: int, aim: Aim) -> int:
        """Return a run length (s) that would do: of odd seconds, so that nobody else's is mistaken for it."""
        longer = duration + -(-(aim.target - aim.stop) // 1000)
        return min(longer | 1, LONGEST_DURATION - 1)

    async def _probe(
        self, record: Record, before: Instance, aim: Aim, prior: Setting, wanted: Setting
    ) -> tuple[Record, Outcome | None]:
        """Send the longer duration and look whether the stop time moved; no outcome yet if it did not."""
        keeper, known = self._keeper, self._snapshot.memory.run
        first = record
        again = first.prior is not None and first.probe == setting(before)["duration"]
        record = replace(
            first,
            prior=prior,
            probe=wanted.duration,
            t0=first.t0 if again and first.t0 is not None else aim.stop,
            start=known.start if known else None,
            run=keeper.life.marker,
            old=replace(first, old=None) if again else None,
        )
        try:
            record, shown = await keeper.put(record, "probe", before, wanted, must=True)
        except AutostopError:
            if not keeper.writer.open:
                await keeper.keep(first)
            raise
        has_moved = await keeper.writer.comes(lambda: self._has_moved(aim)) if shown else None
        stands = setting(self._snapshot.instance)["duration"] == wanted.duration
        if has_moved is None or not stands or self._snapshot.run.kind != "deadline":
            return record, aim.unconfirmed
        if not has_moved:
            if aim.target - aim.stop > 2 * ROUNDING:  # less is not told from rounding
                await self._snapshot.remember(replace(self._snapshot.memory, defers=True))
            return record, None
        return await self._moved(record, aim)

    def _has_moved(self, aim: Aim) -> bool:
        """Tell whether the platform shows a later stop time since it was asked for one."""
        stop = self._snapshot.run.stop_timestamp
        return stop is not None and moved(stop, aim.stop, aim.target - aim.stop)

    async def _moved(self, record: Record, aim: Aim) -> tuple[Record, Outcome | None]:
        """Note that the platform itself has moved the stop time; no outcome yet if that is not enough for a hold."""
        stop = self._snapshot.run.stop_timestamp or aim.stop
        before = min(aim.stop, self._snapshot.stop_of(record) or aim.stop)
        record = replace(record, old=None, stop_at=None)
        said = aim.said
        if aim.target - stop > NOTICEABLE:
            if aim.wish.id != EXTENSION:
                return await self._keeper.keep(record), None
            said = f"ModelArts moved the stop time by less than was asked for. {said}"
        record = await self._keeper.keep(self._fulfilled(record, aim.wish, stop))
        done = "Extended" if aim.what == "extension" else "This run lasts longer"
        words = f"{said}{done} by {_longer(stop, before)}, to {self._keeper.moment(stop)}."
        return record, outcome("now", words, clamped=bool(said))

    def _fulfilled(self, record: Record, wish: Hold, stop: int) -> Record:
        """Return the record with a wish that the platform has fulfilled, by stopping this run at `stop` (ms) only.

        Of an extension nothing more need be known, unless a hold would stop the run before.
        """
        if wish.id != EXTENSION:
            return begun(record, wish)
        if any(hold.then == "stop" for hold in record.holds):
            return begun(record, replace(wish, until=max(wish.until, stop)))
        return record

    async def _leave(self, record: Record, aim: Aim, prior: Setting) -> Outcome:
        """Put the old duration back: this site forbids holding the run."""
        keeper, length = self._keeper, format_duration(prior.duration)
        left = f"The run length at each start is {length}, as before."
        try:
            await keeper.put_back(record)
        except AutostopError as error:
            left = f"The run length could not be put back to {length} yet; it will be tried again. {error.message}"
        else:
            if keeper.record.probe is not None:
                left = f"The run length could not be put back to {length} yet; it will be tried again."
        return outcome("next_start", f"{DEFERS} {left}", clamped=aim.clamped)

    # By this server

    async def hold(self, record: Record, aim: Aim, prior: Setting) -> Outcome:
        """Switch auto-stop off for this run, see it off, and only then say that it is held."""
        keeper, own, before = self._keeper, self._snapshot.run.stop_timestamp, self._snapshot.instance
        if before is None:
            return aim.unconfirmed
        intent = replace(
            record,
            off="intent",
            prior=prior,
            seen=prior.duration,
            t0=own,
            start=None if aim.setting_waits else self._start(before, own),
            run=keeper.life.marker,
            floor=max(record.floor, self._shown_before(record, aim)),
            stop_at=None,
            old=record,
        )
        if aim.probed:
            standing = fallen_back(record)
        else:
            standing = record if record.probe == setting(before)["duration"] else None
        try:
            intent, shown = await keeper.put(intent, "off", before, replace(prior, enable=False), must=True)
        except AutostopError:
            if not keeper.writer.open:
                await self._undo(record, aim)
            raise
        off = await keeper.writer.comes(lambda: self._snapshot.run.kind != "deadline") if shown else None
        if self.is_off(shown=shown):
            held = begun(replace(intent, off="yes", probe=None, old=None), aim.wish)
            await keeper.keep(self.confirmed(held), must=True)
            return self.held(aim.said, aim.what)
        if off is not False or setting(self._snapshot.instance)["enable"]:
            return aim.unconfirmed
        if aim.probed and self._has_moved(aim):
            return await self._moved_late(intent, record, aim)
        await self._switch_on_again(intent, standing)
        return outcome("next_start", f"{_STILL_STOPS} It is on again.", clamped=aim.clamped)

    def _shown_before(self, record: Record, aim: Aim) -> int:
        """Return the deadline (ms) that was shown before anything was tried; 0: none."""
        # What was tried first may have brought the platform's stop nearer than it was.
        own = max(self._snapshot.run.stop_timestamp or 0, aim.stop if aim.probed else 0)
        return min((stop for stop in (own, self._snapshot.stop_of(record)) if stop), default=0)

    def _start(self, shown: Instance, own: int | None) -> int | None:
        """Return when this run began (ms), as far as that is known; where it is not, by the run length shown.

        A shorter one, if somebody sets it while the run is held, may come to count from there.
        """
        known, length = self._snapshot.memory.run, setting(shown)["duration"]
        if known is not None and known.start is not None:
            return known.start
        return None if own is None or length is None else own - length * 1000

    async def _moved_late(self, intent: Record, record: Record, aim: Aim) -> Outcome:
        """The stop time has moved after all, when it was not looked for any more: the platform keeps this run."""
        keeper, known, instance = self._keeper, self._snapshot.memory.run, self._snapshot.instance
        if instance is None or intent.prior is None or record.probe is None:
            return aim.unconfirmed
        wanted = replace(intent.prior, enable=True, duration=record.probe)
        then, shown = await keeper.put(intent, "on", instance, wanted)
        stop = self._snapshot.run.stop_timestamp
        if not shown or stop is None or not self._has_moved(aim):
            return aim.unconfirmed
        run = known and replace(known, start=record.start, stop_timestamp=stop, duration=record.probe)
        await self._snapshot.remember(replace(self._snapshot.memory, run=run, defers=False))
        _, done = await self._moved(replace(record, pending=then.pending), aim)
        return done or outcome("next_start", f"{_STILL_STOPS} It is on again.", clamped=aim.clamped)

    def is_off(self, *, shown: bool) -> bool:
        """Tell whether the platform shows that nothing of its own stops this run."""
        return shown and self._snapshot.run.kind == "off"

    def prior_of_ours(self, record: Record, before: Instance) -> Setting:
        """Return what people chose for a run that has no stop time any more, though auto-stop is on."""
        if record.prior is None or not record.ours or people_chose(before) is None:
            raise ConflictError(
                "The stop time of this run is not known, so it cannot be held.",
                code="no_deadline",
                hint="Refresh, or look at the ModelArts console.",
            )
        return record.prior

    async def _undo(self, record: Record, aim: Aim) -> None:
        """The off was refused: put back what the probe before it has changed; later, if not now."""
        record = await self._keeper.keep(record)
        if aim.probed and record.probe is not None and record.old is None and record.t0 is not None:
            try:
                await self._keeper.put_back(record)
            except AutostopError as error:
                self._keeper.note("run length", f"It could not be put back yet. {error.message}")

    async def _switch_on_again(self, intent: Record, standing: Record | None) -> None:
        """The off has not helped this run, so it must not be left for the next one.

        The run goes on by the longer run length that it had before, if it had one.
        """
        keeper, instance = self._keeper, self._snapshot.instance
        if instance is None or intent.prior is None:
            return
        wanted, left = replace(intent.prior, enable=True), standing
        if left is not None and left.probe is not None:
            wanted = replace(wanted, duration=left.probe)
        else:
            left = replace(intent.old or EMPTY, probe=None, prior=None, old=None)
        record, shown = await keeper.put(intent, "on", instance, wanted)
        await keeper.keep(replace(left, pending=record.pending) if shown else record)

    async def keep_longer(self, record: Record, wish: Hold) -> None:
        """Add a hold for which nothing has to be sent: the platform stops this run later, or not at all."""
        off = "yes" if record.ours else record.off
        record = begun(self.confirmed(record), wish)
        record = replace(record, off=off, asks=False, run=self._keeper.life.marker)
        await self._keeper.keep(self.confirmed(record), must=True)

    def confirmed(self, record: Record) -> Record:
        """Return the record with its deadline as one that was told to somebody."""
        stop = self._snapshot.stop_of(record)
        return record if stop is None else replace(record, floor=max(record.floor, stop))

    def kept(self, said: str) -> Outcome:
        """Say that this server stops this run before the platform does, or others have left it without a stop."""
        moment = self._keeper.moment(self._snapshot.stop_of(self._keeper.record) or 0)
        on = self._snapshot.run.kind == "deadline"
        net = "ModelArts' own auto-stop stays on, and would come later" if on else "at ModelArts auto-stop is off"
        return outcome("now", f"{said}This run now stops at {moment}, by this server; {net}.", clamped=bool(said))

    def held(self, said: str, what: str = "extension") -> Outcome:
        """Say that this server keeps this run, and until when; `what` has brought that about."""
        until = self._snapshot.stop_of(self._keeper.record) or 0
        done = "Extended to" if what == "extension" else "Held until"
        moment = self._keeper.moment(until, "")
        words = f"{done} {moment}. Kept by this server; ModelArts' own auto-stop is off until then."
        return outcome("held", f"{said}{words}", clamped=bool(said))
