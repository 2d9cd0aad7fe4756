"""The platform's clock, learned from the `Date` of its answers and carried on a clock that never jumps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timezone
from email.utils import parsedate_to_datetime

from jupyter_autostop.times.clock import Clock

HOLDS = 60.0
"""Seconds for which answers must agree before they are believed against the time that was known before."""
ANSWERS = 3
"""How many answers must agree in that time."""
NEAR = 1.0
"""Seconds by which two clocks may differ and still agree."""
RECKONING = 2.0
"""Seconds by which a stop time and the time that remains until then may be rounded."""


def parse_http_date(text: str | None) -> float | None:
    """Return the epoch seconds of an HTTP date, or `None` where it is none."""
    if not text:
        return None
    try:
        date = parsedate_to_datetime(text)
        # HTTP dates are GMT, also where the zone got lost.
        return (date if date.tzinfo else date.replace(tzinfo=timezone.utc)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


@dataclass(frozen=True)
class _Claim:
    """By how many seconds the platform's clock is ahead of the steady one, as answers in a row have it.

    `since`: when the first of them came (steady s). `borne_out`: whether there is a second witness to it.
    """

    low: float
    high: float
    since: float
    answers: int = 1
    borne_out: bool = False

    def meets(self, other: _Claim, margin: float = 0.0) -> bool:
        """Tell whether both can be true."""
        return self.low <= other.high + margin and other.low <= self.high + margin

    def shows(self, ahead: float) -> bool:
        """Tell whether another clock that is so much ahead agrees."""
        return self.low - NEAR <= ahead <= self.high + NEAR

    def moved(self, seconds: float) -> _Claim:
        """Return the claim that the same clock makes once it was set."""
        return replace(self, low=self.low + seconds, high=self.high + seconds)

    def joined(self, other: _Claim) -> _Claim:
        """Return what both leave possible."""
        return replace(self, low=max(self.low, other.low), high=min(self.high, other.high), answers=self.answers + 1)

    def has_held(self, now: float) -> bool:
        """Tell whether enough answers have said the same for long enough."""
        return self.answers >= ANSWERS and now - self.since >= HOLDS


class PlatformClock:
    """What time it is at the platform; before its first answer, what this machine's wall clock says.

    A `Date` has whole seconds, so one answer narrows the offset to a second plus the way there and back; the
    intersection over answers narrows it further. An answer outside of it means that a clock was set, or that a
    gateway dates its answers wrongly for a while. One witness is not enough to stop an instance by, so:

    - It is followed at once where a second witness of another kind bears it out: this machine's wall clock shows the
      same time, or has moved by as much (a virtual machine was suspended, and its steady clock with it); the time that
      the platform reckons with (`bear_out`); an emulator, which tells beside its `Date` that its clock was turned.
    - Else it is followed once it has held for `HOLDS` seconds and `ANSWERS` answers, with none in between that fits
      the time known before. Until then `now` goes on as it was.
    - The first answer is shown at once, since this machine's clock may be wrong by years.

    What cannot be undone goes by `surely_ms`: the earliest time that any witness still in question allows.
    A suspended machine needs no second witness where the system counts its steady clock on (see `SystemClock`).
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._believed: _Claim | None = None
        self._rival: _Claim | None = None
        """What contradicts `_believed`, and may yet be borne out."""
        self._last: _Claim | None = None
        self._wall = 0.0
        """By how much the wall clock was ahead of the steady one at the last answer that fitted."""

    @property
    def known(self) -> bool:
        """Whether the platform has told its time."""
        return self._believed is not None

    @property
    def sure(self) -> bool:
        """Whether the time that is shown has been borne out by a second witness."""
        return self._believed is not None and self._believed.borne_out

    @property
    def doubted(self) -> bool:
        """Whether there is a witness against the time that is shown, or none for it."""
        return self._rival is not None or (self.known and not self.sure)

    def observe(self, date: float, sent: float, received: float, *, turned_to: float | None = None) -> None:
        """Learn from an answer dated `date` (epoch s) to a request sent and received at these monotonic seconds.

        `turned_to`: the time (epoch s) that an emulator gives beside it.
        """
        said = self._last = _Claim(date - received, date + 1 - sent, received)
        turned = turned_to is not None and abs(turned_to - date) <= NEAR
        self._weigh(said, backed=turned or self._wall_agrees(said))

    def bear_out(self, seconds: float, sent: float, received: float) -> None:
        """Take what the platform reckons with as the time (epoch s) for a second witness to what it dates answers by.

        That is its stop time less the time that it says remains, in an answer asked for and received at these
        monotonic seconds.
        """
        reckoned = _Claim(seconds - received - RECKONING, seconds - sent + RECKONING, received)
        if self._rival is not None and reckoned.meets(self._rival):
            self._believe(self._rival)
        elif self._believed is not None and reckoned.meets(self._believed):
            self._believe(self._believed)
        elif self._wall_agrees(reckoned) and not self.sure:
            self._believe(reckoned)

    def _weigh(self, said: _Claim, *, backed: bool) -> None:
        believed = self._believed
        if believed is None:
            believed = said
        elif said.meets(believed):
            believed = believed.joined(said)
        else:
            rival = said if self._rival is None or not said.meets(self._rival) else self._rival.joined(said)
            if not backed and not rival.has_held(said.since):
                self._rival = rival
                return
            believed, backed = rival, True
        self._believed, self._rival, self._wall = believed, None, self._wall_ahead()
        if backed or believed.has_held(said.since):
            self._believe(believed)

    def _believe(self, claim: _Claim) -> None:
        self._believed, self._rival = replace(claim, borne_out=True), None
        self._wall = self._wall_ahead()

    def _wall_ahead(self) -> float:
        return self._clock.time() - self._clock.monotonic()

    def _wall_agrees(self, said: _Claim) -> bool:
        """Tell whether this machine's wall clock shows the same time, or has moved as the platform's did."""
        ahead = self._wall_ahead()
        if said.shows(ahead):
            return True
        moved = ahead - self._wall
        return self._believed is not None and abs(moved) > NEAR and said.meets(self._believed.moved(moved), NEAR)

    def now(self) -> float:
        """Return epoch seconds."""
        return self._time_of(self._believed)

    def said(self) -> float:
        """Return epoch seconds by the last answer alone, believed or not; who sent it checks a signature's date by it.

        `now` where there was none.
        """
        return self._time_of(self._last)

    def _time_of(self, claim: _Claim | None) -> float:
        return self._clock.time() if claim is None else self._clock.monotonic() + (claim.low + claim.high) / 2

    def now_ms(self) -> int:
        """Return epoch milliseconds."""
        return int(self.now() * 1000)

    def surely_ms(self) -> int:
        """Return epoch milliseconds that the platform has certainly reached; what must not be early goes by them."""
        if self._believed is None:
            return self.now_ms()
        ahead = [claim.low for claim in (self._believed, self._rival) if claim is not None]
        if not self._believed.borne_out:
            ahead.append(self._wall_ahead())
        return int((self._clock.monotonic() + min(ahead)) * 1000)

    def skew(self) -> float:
        """Return by how many seconds this machine's wall clock is ahead of the platform's (0 while unknown)."""
        return self._clock.time() - self.now()
