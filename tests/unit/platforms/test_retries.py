"""Who is asked again and who is not: reads within the time limit, writes never, nobody within a `Retry-After`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from conftest import ManualClock
from fake_cloud import KEY, TOKEN, Cloud
from fakes import until

from jupyter_autostop.errors import CredentialsError, NoAnswerError, ThrottledError, UnavailableError
from jupyter_autostop.platforms.base import person_waits_since
from jupyter_autostop.platforms.credentials.base import Credentials
from jupyter_autostop.platforms.modelarts.connection import LONGEST_BODY
from jupyter_autostop.platforms.modelarts.refusals import LONGEST_REST
from jupyter_autostop.platforms.modelarts.signing import sdk_date


@pytest.mark.parametrize("status", [400, 401, 403, 404])
async def test_a_refusal_is_not_tried_again(status: int) -> None:
    """What will not get better is asked once: bad signatures in a row would lock the key."""
    cloud = Cloud((status, {}))
    assert (await cloud.error("GET")).status == {400: 400, 404: 404}.get(status, 502)
    assert len(cloud.requests) == 1


PASSING = [
    (500, {}),
    (502, b"<html>"),
    (503, {}),
    (504, {}),
    (408, {}),
    (429, {}),
    httpx.ReadError("reset"),
    httpx.RemoteProtocolError("cut"),
    httpx.ConnectError("no"),
]


async def test_a_read_is_tried_again_and_signed_afresh() -> None:
    """What may pass is tried again with a signature of its own, until the answer comes."""

    async def one(fault: Any) -> None:
        cloud = Cloud(fault, (200, {"id": "x"}))
        cloud.each = lambda: cloud.clock.turn(2)
        assert (await cloud.call()).data == {"id": "x"}
        assert len({request.headers["Authorization"] for request in cloud.requests}) == 2

    await asyncio.gather(*(one(fault) for fault in PASSING))


async def test_a_burst_of_faults_ends() -> None:
    """Two faults in a row are got over; for ever they end with the last one, after three tries."""
    good = Cloud((503, {}), (502, b""), (200, {}))
    bad = Cloud((500, {}), (504, {}), (503, {"error_code": "ModelArts.6102"}))
    _, error = await asyncio.gather(good.call(), bad.error("GET"))
    assert len(good.requests) == len(bad.requests) == 3
    assert (type(error), error.code) == (UnavailableError, "ModelArts.6102")
    assert not error.maybe_applied, "a look changes nothing"


async def test_the_pauses_differ() -> None:
    """Each pause is drawn anew between half and one and a half of its length."""
    drawn: list[tuple[float, float]] = []

    def jitter(least: float, most: float) -> float:
        drawn.append((least, most))
        return 0.0 if len(drawn) < 3 else 1e9

    cloud = Cloud((503, {}), jitter=jitter)
    await cloud.error("GET")
    assert drawn == [(0.5, 1.5), (0.5, 1.5)]
    hanging = Cloud((503, {}), jitter=jitter, timeout=0.2)
    await hanging.error("GET")
    assert len(hanging.requests) == 1, "the next try waits as long as was drawn"


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_write_is_sent_once(method: str) -> None:
    """Whatever becomes of a write, nobody repeats it blindly; the error tells whether it may have been applied."""
    for fault in PASSING:
        cloud = Cloud(fault)
        error = await cloud.error(method)
        assert len(cloud.requests) == 1
        assert error.maybe_applied or fault in ((408, {}), (429, {}), PASSING[-1])
    for certain in ((429, {}), httpx.ConnectError("no")):
        assert not (await Cloud(certain).error(method)).maybe_applied
    for refusal in ((400, {}), (401, {}), (403, {}), (404, {}), (307, b"")):
        assert not (await Cloud(refusal).error(method)).maybe_applied
    for nonsense in ((200, b"<html>"), (200, b"{"), (200, b"x" * (LONGEST_BODY + 1))):
        assert (await Cloud(nonsense).error(method)).maybe_applied


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (httpx.ReadError("reset"), "The connection to ModelArts broke before its answer came."),
        (httpx.ConnectTimeout("slow"), "ModelArts cannot be reached: no connection."),
    ],
)
async def test_what_became_of_a_write_is_said(fault: Exception, words: str) -> None:
    """An answer that does not come leaves open whether it was applied; where there was no connection it was not."""
    for method in ("PUT", "GET"):
        error = await Cloud(fault).error(method)
        assert (type(error), error.message) == (NoAnswerError, words)
        assert error.maybe_applied is (method == "PUT" and "no connection" not in words)


async def test_a_write_the_platform_gave_up_waiting_for_may_have_been_applied() -> None:
    """408, ModelArts.6100: its own back end was too slow, so only a read can tell what became of the write."""
    for body in ({}, {"error_code": "ModelArts.6100", "error_msg": "Request timed out."}):
        error = await Cloud((408, body)).error()
        assert isinstance(error, NoAnswerError)
        assert error.maybe_applied


async def test_the_total_limit_covers_the_tries() -> None:
    """With less time than the tries take, the call still ends typed, and in its time."""
    cloud = Cloud((503, {}), timeout=0.3)
    assert isinstance(await cloud.error("GET"), (NoAnswerError, UnavailableError))


DATE = formatdate(1_795_002_000, usegmt=True)
NEVER = None
# What `Retry-After` says; for how many seconds nothing is sent (None: it says nothing).
RESTS: dict[str, tuple[list[str], float | None]] = {
    "seconds": (["120"], 120),
    "spaces around": ([" 7 "], 7),
    "a date": ([formatdate(1_795_002_000 + 90, usegmt=True)], 90),
    "a date far away": (["Fri, 31 Dec 9999 23:59:59 GMT"], LONGEST_REST),
    "huge": (["86400"], LONGEST_REST),
    "huger": (["9" * 400], LONGEST_REST),
    "zero": (["0"], NEVER),
    "a date gone by": ([formatdate(1_795_002_000 - 90, usegmt=True)], NEVER),
    "negative": (["-5"], NEVER),
    "a float": (["1.5"], NEVER),
    "other digits": (["١٢"], NEVER),
    "garbage": (["soon"], NEVER),
    "empty": ([""], NEVER),
    "missing": ([], NEVER),
}


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(("values", "rest"), RESTS.values(), ids=RESTS.keys())
async def test_within_retry_after_nothing_is_sent(status: int, values: list[str], rest: float | None) -> None:
    """Neither a read nor a write goes out before the time asked for, and no nonsense keeps us waiting."""
    headers = [(b"Retry-After", value.encode()) for value in values]
    cloud = Cloud((status, {}, [(b"Date", DATE.encode()), *headers]), (200, {}))
    start = cloud.clock.monotonic()
    error = await cloud.error("GET" if rest else "PUT")
    assert type(error) is (ThrottledError if status == 429 else UnavailableError)
    assert len(cloud.requests) == 1
    if rest:
        assert rest - 1 <= error.retry_after <= rest + 1
        for _ in range(2):
            for method in ("GET", "PUT", "POST"):
                refused = await cloud.error(method)
                assert isinstance(refused, ThrottledError)
                assert refused.message == f"ModelArts asked not to be called for another {refused.retry_after} s."
                assert refused.hint == f"Try again in {refused.retry_after} s."
                assert 1 <= refused.retry_after <= error.retry_after
                begun = cloud.clock.monotonic() - start
                assert refused.retry_after == pytest.approx(error.retry_after - begun, abs=1.1)
                assert not refused.maybe_applied
            cloud.clock.turn(rest / 2 - 1)
        assert len(cloud.requests) == 1
        cloud.clock.turn(4)
    await cloud.call("PUT")
    assert len(cloud.requests) == 2


async def test_retry_after_twice_is_a_typed_error() -> None:
    """Two of them, as proxies make them, are lived with, and the client is told a time."""
    error = await Cloud((429, {}, [("Retry-After", "5"), ("Retry-After", "10")])).error()
    assert isinstance(error, ThrottledError)
    assert 1 <= error.retry_after <= 10


@pytest.mark.parametrize("off", [-315_360_000, -3600, 3600, 315_360_000])
async def test_the_date_of_a_retry_after_goes_by_that_of_its_answer(off: int) -> None:
    """A gateway whose clock is off tells both dates by it."""
    headers = {"Date": formatdate(1_795_002_000 + off), "Retry-After": formatdate(1_795_002_007 + off)}
    cloud = Cloud((200, {}, {"Date": DATE}), (429, {}, headers))
    await cloud.call()
    assert (await cloud.error()).retry_after == 7


@contextmanager
def a_person_waits(clock: ManualClock) -> Iterator[None]:
    """Act for a person who has begun to wait now."""
    token = person_waits_since.set(clock.monotonic())
    try:
        yield
    finally:
        person_waits_since.reset(token)


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
@pytest.mark.parametrize(
    "value", ["1", "8", formatdate(1_795_002_003, usegmt=True)], ids=["a second", "just fits", "a date"]
)
async def test_a_persons_write_waits_out_what_fits(method: str, value: str) -> None:
    """Nothing is sent before the time asked for; then it is sent, once, and what follows waits no more."""
    cloud = Cloud((429, {}, {"Date": DATE, "Retry-After": value}), (200, {"id": "x"}), timeout=10)
    rest = (await cloud.error()).retry_after
    with a_person_waits(cloud.clock):
        waiting = asyncio.ensure_future(cloud.call(method))
    await cloud.clock.pass_time(rest - 0.1)
    assert len(cloud.requests) == 1
    await cloud.clock.pass_time(0.2)
    assert (await waiting).data == {"id": "x"}
    await cloud.call()
    assert len(cloud.requests) == 3


async def test_a_persons_look_that_is_throttled_is_repeated_when_it_may_be() -> None:
    """The look before a write meets a short rest, and so does the second try; a write that was sent is not repeated."""
    throttled = (429, {}, {"Retry-After": "2"})
    cloud = Cloud(throttled, throttled, (200, {"id": "x"}), jitter=lambda *_: 0.0)
    with a_person_waits(cloud.clock):
        waiting = asyncio.ensure_future(cloud.call())
    for _ in range(2):
        await until(lambda: cloud.clock._sleepers)
        await cloud.clock.pass_time(2)
    assert (await waiting).data == {"id": "x"}
    assert len(cloud.requests) == 3
    cloud = Cloud(throttled)
    with a_person_waits(cloud.clock):
        assert (await cloud.error("PUT")).hint == "Try again in 2 s."
    assert len(cloud.requests) == 1


@pytest.mark.parametrize(("value", "seconds"), [("10", 10), ("9.5", 5), ("3600", 3600), ("9" * 400, 3600)])
async def test_what_does_not_fit_is_refused_at_once(value: str, seconds: int) -> None:
    """A person is told when it will work, rounded up; what they waited before counts, and so does room to be sent."""
    cloud = Cloud((429, {}, {"Retry-After": value}), (200, {}), timeout=10)
    with a_person_waits(cloud.clock):
        first = await cloud.error()
        assert (first.retry_after, first.hint) == (seconds, f"Try again in {seconds} s.")
        if seconds == 5:
            return  # no whole number of seconds: nothing was asked for
        cloud.clock.turn(0.5)
        second = await cloud.error()
        assert second.message == f"ModelArts asked not to be called for another {seconds} s."
        cloud.clock.turn(seconds - 5)
        assert (await cloud.error()).retry_after == 5
    assert len(cloud.requests) == 1


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_wrong_clock_is_told_from_wrong_credentials(hours: int) -> None:
    """A 401 to a signature dated by a clock an hour off says so; from then on the cloud's own time dates them."""
    clock = ManualClock()
    clock.wall_error = hours * 3600
    date = formatdate(clock.time() - clock.wall_error, usegmt=True)
    cloud = Cloud((401, {"error_code": "APIGW.0301", "request_id": "r-1"}, {"Date": date}), clock=clock)
    first, second = await cloud.error("GET"), await cloud.error("GET")
    assert "60 min off" in f"{first.message} {first.hint}"
    assert (first.code, first.request_id) == (second.code, second.request_id) == ("APIGW.0301", "r-1")
    assert "min off" not in f"{second.message} {second.hint}"
    dates = [request.headers["X-Sdk-Date"] for request in cloud.requests]
    assert dates == [sdk_date(clock.time()), sdk_date(clock.time() - clock.wall_error)]


@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_clock_of_the_cloud_that_leaps_costs_no_refusal(method: str) -> None:
    """The 401, of which nothing has come, tells the new time: the same request goes out once more, dated by that."""
    clock = ManualClock()

    def dated(leap: int) -> dict[str, str]:
        return {"Date": formatdate(clock.time() + leap, usegmt=True)}

    refused = (401, {"error_code": "APIGW.0301"})
    cloud = Cloud((200, {}, dated(0)), (*refused, dated(3600)), (200, {"id": "x"}, dated(3600)), clock=clock)
    await cloud.call()
    assert (await cloud.call(method)).data == {"id": "x"}
    assert cloud.requests[2].headers["X-Sdk-Date"] == sdk_date(clock.time() + 3600)
    # Once; and what is refused for another reason than its date is not sent again.
    for answers, credentials, sent in (
        ([dated(3600)], KEY, 3),
        ([dated(3600), dated(7200)], KEY, 3),
        ([dated(600)], KEY, 2),
        ([dated(3600)], TOKEN, 2),
    ):
        script = [(*refused, answer) for answer in answers]
        cloud = Cloud((200, {}, dated(0)), *script, clock=clock, credentials=credentials)
        await cloud.call()
        error = await cloud.error(method)
        assert (error.code, len(cloud.requests)) == ("APIGW.0301", sent)


class Renewing:
    """A source that has as many other credentials as it is given, and writes down when it is asked for one."""

    def __init__(self, *others: Credentials) -> None:
        self.now = Credentials("first", token="canary-first")
        self.others = list(others)
        self.asked: list[tuple[str, bool]] = []
        self.closed = False

    async def get(self) -> Credentials:
        return self.now

    async def renew(self, refused: Credentials, *, worked: bool) -> Credentials | None:
        self.asked.append((refused.token, worked))
        self.now = self.others.pop(0) if self.others else self.now
        return self.now if self.now != refused else None

    async def close(self) -> None:
        self.closed = True


SECOND, THIRD = (Credentials("other", token=f"canary-{name}") for name in ("second", "third"))
REFUSED: tuple[int, dict[str, str]] = (401, {})


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize(
    ("before", "worked"),
    [([], False), ([(200, {})], True), ([(403, {})], True), ([(404, {})], True), ([(400, {})], True)],
)
async def test_refused_credentials_are_renewed_once(method: str, before: list[Any], worked: bool) -> None:
    """A 401, of which nothing has come, is answered with others; their source is told if the old ones worked."""
    source = Renewing(SECOND, THIRD)
    cloud = Cloud(*before, REFUSED, (200, {"id": "x"}), credentials=source)
    for status, _ in before:
        await (cloud.call(method) if status == 200 else cloud.error(method))
    assert (await cloud.call(method)).data == {"id": "x"}
    assert source.asked == [("canary-first", worked)]
    tokens = [request.headers["X-Auth-Token"] for request in cloud.requests]
    assert tokens == ["canary-first"] * (len(before) + 1) + ["canary-second"]
    await cloud.http.close()
    assert source.closed


async def test_credentials_refused_for_good_end_the_call() -> None:
    """After the second refusal, or where there are no others, the refusal is what is told."""
    for source, tries in ((Renewing(SECOND, THIRD), 2), (Renewing(), 1)):
        cloud = Cloud(REFUSED, credentials=source)
        assert isinstance(await cloud.error(), CredentialsError)
        assert len(cloud.requests) == tries
        assert source.asked == [("canary-first", False)]
