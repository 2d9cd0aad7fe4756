"""The platform's clock: learned from the `Date` of answers, carried on a clock that never jumps."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import pytest
from conftest import ManualClock
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_autostop.platforms.clock import PlatformClock, parse_http_date
from jupyter_autostop.times.clock import SystemClock

NINE = 1795510800.0
"""2026-11-24 09:00:00 UTC."""


class Platform:
    """A platform whose clock is `ahead` of the steady clock, and what it learns who asks it."""

    def __init__(self, clock: ManualClock, ahead: float) -> None:
        self.clock = clock
        self.ahead = ahead
        self.learned = PlatformClock(clock)

    def now(self) -> float:
        return self.clock.monotonic() + self.ahead

    def ask(self, there: float = 0.0, back: float = 0.0) -> None:
        """Exchange one request and answer that take so long on the way."""
        sent = self.clock.monotonic()
        self.clock.turn(there)
        date = float(math.floor(self.now()))
        self.clock.turn(back)
        self.learned.observe(date, sent, self.clock.monotonic())

    def reckon(self, seconds: float) -> None:
        """Tell the time that the platform reckons with."""
        self.learned.bear_out(seconds, self.clock.monotonic(), self.clock.monotonic())

    def error(self) -> float:
        return abs(self.learned.now() - self.now())


async def test_this_machines_own_clock() -> None:
    """The wall clock is the system's; the steady one counts on while the machine is suspended; waiting waits."""
    machine = SystemClock()
    steady = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    begun = time.time(), time.clock_gettime(steady)
    seen = machine.time(), machine.monotonic()
    await machine.sleep(0.05)
    assert machine.monotonic() >= begun[1] + 0.05
    ended = time.time(), time.clock_gettime(steady)
    assert all(before <= now <= after for before, now, after in zip(begun, seen, ended, strict=True))


def test_before_the_first_answer_this_machine_tells_the_time(clock: ManualClock) -> None:
    """Nothing learned: the wall clock, right or wrong, and no skew to speak of."""
    learned = PlatformClock(clock)
    clock.wall_error = 3600
    assert not learned.known
    assert learned.now() == clock.time()
    assert learned.skew() == 0


@pytest.mark.parametrize("wall_error", [-3600, 0, 3600, 10**6])
def test_this_machines_wall_clock_does_not_count(clock: ManualClock, wall_error: float) -> None:
    """A wall clock that is wrong, or is set meanwhile, changes nothing once the platform has answered."""
    platform = Platform(clock, 1_795_000_000.25)
    platform.ask()
    clock.wall_error = wall_error
    clock.turn(1234.5)
    assert platform.learned.known
    assert platform.error() <= 0.5
    assert abs(platform.learned.skew() - (clock.time() - platform.now())) <= 0.5
    assert platform.learned.now_ms() == math.floor(platform.learned.now() * 1000)


def test_answers_narrow_it(clock: ManualClock) -> None:
    """A Date has whole seconds only; many of them, at different parts of a second, tell the time far better."""
    platform = Platform(clock, 1_795_000_000.37)
    errors = []
    for _ in range(40):
        platform.ask()
        errors.append(platform.error())
        clock.turn(10.03)
    assert errors[0] > 0.05
    assert errors[-1] <= 0.03


def test_a_slow_answer_spoils_nothing(clock: ManualClock) -> None:
    """After quick answers a very slow one does not make the time worse."""
    platform = Platform(clock, 1_795_000_000.5)
    platform.ask(0.01, 0.01)
    before = platform.error()
    platform.ask(9.0, 0.0)
    assert platform.error() <= max(before, 0.51)


LEAPS = [-315_360_000.0, -86400.0, -3600.0, -2.5, 2.5, 14_400.0, 86400.0, 315_360_000.0]


@pytest.mark.parametrize("leap", LEAPS)
def test_a_clock_that_was_set_is_followed_once_it_has_held(clock: ManualClock, leap: float) -> None:
    """Answers that agree for a minute are believed, and a single one, or many in a moment, are not."""
    platform = Platform(clock, 1_795_000_000.5)
    for _ in range(20):
        platform.ask(0.02, 0.02)
        clock.turn(1.07)
    platform.ahead += leap
    for _ in range(50):
        platform.ask()
    assert platform.error() == pytest.approx(abs(leap), abs=1.04)
    assert platform.learned.doubted
    clock.turn(59)
    platform.ask()
    assert platform.error() == pytest.approx(abs(leap), abs=1.04)
    clock.turn(1)
    platform.ask()
    assert platform.error() <= 1.04
    assert platform.learned.sure
    assert not platform.learned.doubted


def test_two_answers_far_apart_are_not_enough(clock: ManualClock) -> None:
    """A gateway that answers wrongly once an hour, twice in a row, has two answers and a long time between them."""
    platform = Platform(clock, 1_795_000_000.5)
    platform.ask()
    platform.ahead += 3600
    platform.ask()
    clock.turn(3600)
    platform.ask()
    assert platform.error() == pytest.approx(3600, abs=1)


@pytest.mark.parametrize("leap", LEAPS)
def test_a_wrong_date_is_never_believed_while_the_right_one_is_told_too(clock: ManualClock, leap: float) -> None:
    """Two gateways that answer by turns, or several that are wrong each in its own way, move nothing for ever."""
    platform = Platform(clock, 1_795_000_000.5)
    platform.ask()
    for wrongs in ((leap, leap, 0.0), (leap, leap * 2, leap * 3)):
        for step in range(120):
            wrong = wrongs[step % 3]
            platform.ahead += wrong
            platform.ask()
            platform.ahead -= wrong
            assert platform.error() <= 1
            assert platform.learned.surely_ms() <= platform.now() * 1000 + 1
            clock.turn(10)


@pytest.mark.parametrize("leap", LEAPS)
@pytest.mark.parametrize("wall_error", [0.0, 86400.0, -315_360_000.0])
def test_a_virtual_machine_that_was_suspended_knows_the_time_at_once(
    clock: ManualClock, leap: float, wall_error: float
) -> None:
    """Its steady clock stood still; the wall clock, right or wrong, moves by as much as the platform's."""
    platform = Platform(clock, clock.time() - clock.monotonic() + 0.5)
    clock.wall_error = wall_error
    platform.ask()
    platform.ahead += leap
    clock.wall_error += leap
    platform.ask()
    assert platform.error() <= 1
    # What moves by another amount bears nothing out.
    platform.ahead += 7200
    clock.wall_error += 3600
    platform.ask()
    assert platform.error() == pytest.approx(7200, abs=1)


@pytest.mark.parametrize("wrong", LEAPS[:3] + LEAPS[5:])
def test_a_wrong_first_answer_is_got_over(clock: ManualClock, wrong: float) -> None:
    """It is shown, and nothing is done by it; this machine's clock puts the next answer in its place at once."""
    platform = Platform(clock, clock.time() - clock.monotonic() + wrong)
    platform.ask()
    assert platform.error() <= 1
    assert platform.learned.doubted
    assert platform.learned.surely_ms() <= min(platform.now(), clock.time()) * 1000
    platform.ahead -= wrong
    platform.ask()
    assert platform.error() <= 1
    assert platform.learned.sure


@pytest.mark.parametrize("wall_error", [-315_360_000, -86400, 86400, 315_360_000])
def test_a_wrong_machine_is_outvoted(clock: ManualClock, wall_error: float) -> None:
    """The platform is shown to be right by three answers in a minute, or at once by what it reckons with."""
    platform = Platform(clock, clock.time() - clock.monotonic())
    clock.wall_error = wall_error
    platform.ask()
    assert not platform.learned.sure
    reckoning = Platform(clock, platform.ahead)
    reckoning.ask()
    reckoning.reckon(reckoning.now() + 1.5)
    for _ in range(2):
        clock.turn(30)
        platform.ask()
    for learned in (platform.learned, reckoning.learned):
        assert learned.sure
        assert learned.surely_ms() == pytest.approx(platform.now() * 1000, abs=1001)


def test_what_the_platform_reckons_with_is_a_witness(clock: ManualClock) -> None:
    """It speaks for a leap, or against it; alone, and against an answer that was borne out, it moves nothing."""
    platform = Platform(clock, clock.time() - clock.monotonic() + 0.5)
    platform.ask()
    platform.reckon(platform.now() + 3600)
    assert platform.error() <= 1
    platform.ahead += 3600
    platform.ask()
    platform.reckon(platform.now() - 3600)
    assert not platform.learned.doubted
    platform.ask()
    assert platform.error() == pytest.approx(3600, abs=1)
    platform.reckon(platform.now())
    assert platform.error() <= 1
    # A wrong first answer, the platform's reckoning and this machine's clock: two against one.
    wrong = Platform(clock, clock.time() - clock.monotonic() + 315_360_000)
    wrong.ask()
    wrong.reckon(clock.time())
    assert abs(wrong.learned.now() - clock.time()) <= 2
    assert wrong.learned.sure


@pytest.mark.parametrize("off", [0.0, 3600.0])
def test_an_emulator_says_that_its_clock_was_turned(clock: ManualClock, off: float) -> None:
    """People turn it, and see at once what comes of it; a `Date` that differs from it is as wrong as any."""
    learned = PlatformClock(clock)
    learned.observe(NINE, clock.monotonic(), clock.monotonic(), turned_to=NINE)
    turned = NINE + 14_400
    learned.observe(turned + off, clock.monotonic(), clock.monotonic(), turned_to=turned + 0.7)
    assert learned.now() == (NINE + 0.5 if off else turned + 0.5)


def test_a_signature_is_dated_by_the_last_answer(clock: ManualClock) -> None:
    """Who sent it checks the date by its own clock, believed or not."""
    platform = Platform(clock, 1_795_000_000.5)
    assert platform.learned.said() == clock.time()
    platform.ask()
    platform.ahead += 3600
    platform.ask()
    assert abs(platform.learned.said() - platform.now()) <= 0.5


@pytest.mark.parametrize("dates", [(NINE, NINE + 1), (NINE + 1, NINE)], ids=["forwards", "backwards"])
def test_two_dates_that_share_one_moment_tell_it_exactly(clock: ManualClock, dates: tuple[float, float]) -> None:
    """A second that has just begun by one answer and just ended by another: it is that very moment."""
    learned = PlatformClock(clock)
    for date in dates:
        learned.observe(date, clock.monotonic(), clock.monotonic())
    assert learned.now() == NINE + 1


@pytest.mark.parametrize("wall_error", [-3600, 0, 3600])
def test_what_has_surely_come(clock: ManualClock, wall_error: float) -> None:
    """Whatever must not be early goes by the earliest time that the answers allow; before them, by this machine's."""
    platform = Platform(clock, 1_795_000_000.5)
    clock.wall_error = wall_error
    assert platform.learned.surely_ms() == platform.learned.now_ms() == math.floor(clock.time() * 1000)
    for there, back in ((0.0, 0.0), (0.3, 0.2), (4.0, 0.0), (0.0, 0.0)):
        platform.ask(there, back)
        for _ in range(3):
            now = platform.now() * 1000
            assert now - 1000 - (there + back) * 1000 - 1 <= platform.learned.surely_ms() <= now
            clock.turn(100.4)


WAY = st.floats(0, 10)
JUMP = st.just(0.0) | st.floats(25, 100_000) | st.floats(-100_000, -25)  # more than the way there and back
STEP = st.tuples(st.floats(0, 100_000), WAY, WAY, st.just(0.0) | st.floats(-100_000, 100_000))


@settings(deadline=None, max_examples=200)
@given(st.floats(10**9, 3 * 10**9), st.lists(st.tuples(st.floats(0, 100_000), WAY, WAY, JUMP), min_size=1, max_size=12))
def test_it_is_never_off_by_more_than_a_second_and_the_way(
    ahead: float, steps: list[tuple[float, float, float, float]]
) -> None:
    """Right after an answer, whatever this machine and the platform jumped by together, within 1 s plus the way."""
    platform = Platform(ManualClock(), ahead)
    for pause, there, back, jump in steps:
        platform.clock.turn(pause)
        platform.ahead += jump
        platform.clock.wall_error += jump
        platform.ask(there, back)
        assert platform.error() <= 1 + there + back + 1e-5


@settings(deadline=None, max_examples=200)
@given(st.lists(STEP, min_size=1, max_size=12))
def test_what_is_sure_is_never_ahead_of_the_earliest_witness(steps: list[tuple[float, float, float, float]]) -> None:
    """Whatever the dates say, nothing comes sooner than by the time that was known before, until one has held."""
    platform = Platform(ManualClock(10**9), 1_795_000_000)
    for _ in range(3):
        platform.ask()
        platform.clock.turn(30)
    assert platform.learned.sure
    for pause, there, back, jump in steps:
        platform.clock.turn(pause % 5)
        platform.ahead += jump
        platform.ask(there % 0.2, back % 0.2)
        platform.ahead -= jump
        assert platform.learned.surely_ms() <= platform.now() * 1000 + 1401  # the first date's rounding, and the way


@pytest.fixture(params=["UTC", "Asia/Shanghai", "America/New_York"])
def zone(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run under another local time zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 24 Nov 2026 09:00:00 GMT",
        "Tuesday, 24-Nov-26 09:00:00 GMT",
        "Tue, 24 Nov 2026 17:00:00 +0800",
        "24 Nov 2026 09:00:00 UTC",
    ],
)
def test_an_http_date(text: str, zone: str) -> None:
    """The forms of HTTP, wherever this machine stands."""
    assert parse_http_date(text) == NINE


@pytest.mark.parametrize(
    "text",
    [
        "Tue, 24 Nov 2026 09:00:00",
        "Tue, 24 Nov 2026 09:00:00 -0000",
        "Tue, 24 Nov 2026 09:00:00 GMT, Tue, 24 Nov 2026 09:00:00 GMT",
    ],
)
def test_a_date_without_a_usable_zone_is_not_local(text: str, zone: str) -> None:
    """A Date whose zone is missing, or that a proxy has sent twice, is GMT or nothing, never this machine's zone."""
    assert parse_http_date(text) in (NINE, None)


@pytest.mark.parametrize(
    "text",
    [None, "", " ", "now", "0", "-1", "1795510800", "1.5", "5, 10", "Tue", "Tue, 24", "24 Nov 2026", ",,,", "\x00",
     "Tue, 99 Nov 2026 09:00:00 GMT", "Tue, 24 Nov 2026 99:00:00 GMT", "Tue, 24 Nov 99999999 09:00:00 GMT",
     "Tue, 24 Nov 2026 09:00:00 +9999", "<html>", "9" * 10_000],
)  # fmt: skip
def test_what_is_no_date(text: str | None) -> None:
    """Garbage is no date."""
    assert parse_http_date(text) is None


PIECES = st.sampled_from(
    ["Tue,", "24", "Nov", "2026", "09:00:00", "9:0", "GMT", "+0800", "-0000", "-", ":", ",", "٣", "1e5"]
)


@settings(deadline=None, max_examples=300)
@given(st.text() | st.lists(PIECES, max_size=8).map(" ".join))
def test_any_text_is_a_date_or_none(text: str) -> None:
    """No header makes it fail."""
    date = parse_http_date(text)
    assert date is None or math.isfinite(date)
