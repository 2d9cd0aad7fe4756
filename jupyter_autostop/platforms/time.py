"""The platform's clock, learned from the `Date` of its answers and carried on a clock that never jumps."""

from __future__ import annotations

from datetime import timezone
from email.utils import parsedate_to_datetime

from jupyter_autostop.clock import Clock


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


class PlatformClock:
    """What time it is at the platform; before its first answer, what this machine's wall clock says.

    A `Date` has whole seconds, so one answer narrows the offset to a second plus the way there and back; the
    intersection over answers narrows it further. An answer outside of it means that a clock was set: start anew.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._low = float("-inf")
        self._high = float("inf")

    @property
    def known(self) -> bool:
        """Whether the platform has told its time."""
        return self._low != float("-inf")

    def observe(self, date: float, sent: float, received: float) -> None:
        """Learn from an answer dated `date` (epoch s) to a request sent and received at these monotonic seconds."""
        low, high = date - received, date + 1 - sent
        if low > self._high or high < self._low:
            self._low, self._high = low, high
        else:
            self._low, self._high = max(low, self._low), min(high, self._high)

    def now(self) -> float:
        """Return epoch seconds."""
        if not self.known:
            return self._clock.time()
        return self._clock.monotonic() + (self._low + self._high) / 2

    def now_ms(self) -> int:
        """Return epoch milliseconds."""
        return int(self.now() * 1000)

    def surely_ms(self) -> int:
        """Return epoch milliseconds that the platform has certainly reached; what must not be early goes by them."""
        return int((self._clock.monotonic() + self._low) * 1000) if self.known else self.now_ms()

    def skew(self) -> float:
        """Return by how many seconds this machine's wall clock is ahead of the platform's (0 while unknown)."""
        return self._clock.time() - self.now()
