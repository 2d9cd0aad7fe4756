"""What the cloud answers and what becomes of it: typed errors, who is asked again, who is left alone, nothing leaked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from conftest import ManualClock
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_autostop.errors import (
    AutostopError,
    BadAnswerError,
    CredentialsError,
    InvalidInputError,
    NoAnswerError,
    NotFoundError,
    ThrottledError,
    UnavailableError,
)
from jupyter_autostop.platforms.credentials import Credentials
from jupyter_autostop.platforms.http import LONGEST_BODY, LONGEST_REST, Answer, CloudHttp
from jupyter_autostop.platforms.signing import sdk_date
from jupyter_autostop.platforms.time import PlatformClock

KEY = Credentials("key", access_key="canary-AKID", secret_key="canary-SK-5f3a", security_token="canary-ST==")
TOKEN = Credentials("token", token="canary-token-" + "MIIF" * 500)
PATIENCE = 20
"""Seconds after which a test, not the product, gives up."""


class Cloud:
    """Answers by a script, one entry for each request and the last one for ever, and the client that asks it."""

    def __init__(
        self, *answers: Any, clock: ManualClock | None = None, credentials: Credentials = KEY, **more: Any
    ) -> None:
        self.clock = clock or ManualClock()
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.each: Callable[[], None] = lambda: None
        self.time = PlatformClock(self.clock)
        settings_: dict[str, Any] = {
            "clock": self.clock,
            "time": self.time,
            "transport": httpx.MockTransport(self.serve),
        }
        self.http = CloudHttp("http://127.0.0.1:9", credentials, "p1", **settings_, **more)

    def serve(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.each()
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, *headers = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, content=content, headers=headers[0] if headers else None)

    async def call(self, method: str = "GET") -> Answer:
        return await asyncio.wait_for(self.http.call(method, "/v1/x", {} if method != "GET" else None), PATIENCE)

    async def error(self, method: str = "PUT") -> Any:
        """Return the error a call ends with, complete as the error contract wants it, nothing of ours in it."""
        with pytest.raises(AutostopError) as caught:
            await self.call(method)
        error = caught.value
        assert error.status in (400, 404, 409, 502, 503, 504)
        assert error.code
        assert error.message
        assert error.hint
        assert "canary" not in f"{error!r} {error} {json.dumps(error.payload())}"
        return error


# The four bodies, as their senders write them; what they become.
BODIES: dict[str, tuple[int, Any, type[AutostopError], str, str | None]] = {
    "this API": (
        *(400, {"error_message": "The instance does not exist.", "error_code": "ModelArts.6309"}),
        *(NotFoundError, "ModelArts.6309", None),
    ),
    "gateway": (
        *(401, {"error_msg": "Incorrect IAM authentication", "error_code": "APIGW.0301", "request_id": "r-1"}),
        *(CredentialsError, "APIGW.0301", "r-1"),
    ),
    "IAM": (
        *(401, {"error": {"code": "ModelArts.6401", "message": "Illegal token", "title": "Unauthorized"}}),
        *(CredentialsError, "ModelArts.6401", None),
    ),
    "HTML": (502, b"<html><h1>502 Bad Gateway</h1></html>", UnavailableError, "unavailable", None),
    "nothing": (404, b"", NotFoundError, "not_found", None),
    "a code of an unknown kind": (400, {"error_code": {"x": 1}, "error_msg": [1]}, InvalidInputError, "invalid", None),
    "a list": (500, ["error_code"], UnavailableError, "unavailable", None),
}


@pytest.mark.parametrize(("status", "body", "kind", "code", "request_id"), BODIES.values(), ids=BODIES.keys())
async def test_each_error_body_is_understood(
    status: int, body: Any, kind: type[AutostopError], code: str, request_id: str | None
) -> None:
    """Each shape becomes its class with the platform's code and request id; its words are passed on."""
    error = await Cloud((status, body)).error()
    assert (type(error), error.code, error.request_id) == (kind, code, request_id)
    words = [text for text in ("does not exist", "Incorrect IAM", "Illegal token") if text in json.dumps(str(body))]
    assert all(text in error.message for text in words)
    header = {"X-Request-Id": "r-2"}
    assert (await Cloud((status, body, header)).error()).request_id == (request_id or "r-2")


ECHOES: dict[str, Callable[[str], Any]] = {
    "message": lambda secret: {"error_code": "APIGW.0301", "error_msg": f"bad credential {secret}, {secret}"},
    "message, cut off": lambda secret: {"error_code": "ModelArts.6309", "error_message": f"{'x' * 290} {secret}"},
    "IAM": lambda secret: {"error": {"code": "x", "message": secret}},
    "code": lambda secret: {"error_code": secret, "error_msg": "x"},
    "request id": lambda secret: {"error_code": "x", "error_msg": "x", "request_id": secret},
    "HTML": lambda secret: f"<html>{secret}</html>".encode(),
    "elsewhere": lambda secret: {secret: secret},
}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES.keys())
@pytest.mark.parametrize("name", ["access_key", "secret_key", "security_token", "token"])
async def test_an_echoed_secret_is_not_passed_on(echo: Callable[[str], Any], name: str) -> None:
    """A server that repeats our secrets in an error, wherever and cut off wherever, tells nobody."""
    credentials = TOKEN if name == "token" else KEY
    for status in (400, 401, 500):
        await Cloud((status, echo(getattr(credentials, name))), credentials=credentials).error()


@pytest.mark.parametrize("credentials", [KEY, TOKEN], ids=["key", "token"])
async def test_a_secret_echoed_as_request_id_is_not_passed_on(credentials: Credentials) -> None:
    """The request id of the answer's header is no way out for a secret either, however long."""
    header = {"X-Request-Id": credentials.token or credentials.secret_key}
    await Cloud((400, {"error_code": "x"}, header), credentials=credentials).error()


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
    bad = Cloud((500, {}), (504, {}), (503, {"error_code": "x"}))
    _, error = await asyncio.gather(good.call(), bad.error("GET"))
    assert len(good.requests) == len(bad.requests) == 3
    assert (type(error), error.code) == (UnavailableError, "x")


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
    error = await cloud.error("GET" if rest else "PUT")
    assert isinstance(error, UnavailableError)
    assert len(cloud.requests) == 1
    if rest:
        assert rest - 1 <= error.retry_after <= rest + 1
        for _ in range(2):
            for method in ("GET", "PUT", "POST"):
                refused = await cloud.error(method)
                assert isinstance(refused, ThrottledError)
                assert 1 <= refused.retry_after <= error.retry_after
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


@pytest.mark.parametrize("hours", [-1, 1])
async def test_a_wrong_clock_is_told_from_wrong_credentials(hours: int) -> None:
    """A 401 to a signature dated by a clock an hour off says so; from then on the cloud's own time dates them."""
    clock = ManualClock()
    clock.wall_error = hours * 3600
    date = formatdate(clock.time() - clock.wall_error, usegmt=True)
    cloud = Cloud((401, {"error_code": "APIGW.0301"}, {"Date": date}), clock=clock)
    first, second = await cloud.error("GET"), await cloud.error("GET")
    assert "60 min off" in f"{first.message} {first.hint}"
    assert "min off" not in f"{second.message} {second.hint}"
    dates = [request.headers["X-Sdk-Date"] for request in cloud.requests]
    assert dates == [sdk_date(clock.time()), sdk_date(clock.time() - clock.wall_error)]


@pytest.mark.parametrize(
    "body", [b"<html>", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN1", b"x" * (LONGEST_BODY + 1)], ids=len
)
async def test_a_success_that_is_no_json_is_a_bad_answer(body: bytes) -> None:
    """200 alone makes no answer."""
    assert isinstance(await Cloud((200, body)).error("GET"), BadAnswerError)


async def test_what_is_no_error_is_passed_on() -> None:
    """JSON of any type and an empty body are for the adapter to judge; `error_code` in a success is no error."""
    for body, data in ((b"", None), (b"[]", []), (b"7", 7), (b'{"error_code": "x"}', {"error_code": "x"})):
        assert (await Cloud((200, body)).call()).data == data


HEADERS = st.sampled_from(
    ["Date", "Retry-After", "Location", "Content-Encoding", "Set-Cookie", "X-Request-Id", "Content-Type"]
)
VALUES = st.sampled_from(["5", "gzip, br", "a=b", DATE, "Tue", "//", "identity", "https://[", "text/html;charset=\xff"])
PARTS = st.sampled_from(["error_code", "error_msg", "error_message", "error", "code", "message", "request_id"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just(KEY.secret_key),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PARTS, inner, max_size=4),
)
CONTENT = st.binary(max_size=40) | ANYTHING.map(lambda value: json.dumps(value).encode())


@settings(deadline=None, max_examples=200)
@given(st.integers(200, 599), CONTENT, st.lists(st.tuples(HEADERS, VALUES | st.text(max_size=20)), max_size=3))
def test_any_answer_is_data_or_a_typed_error(status: int, content: bytes, headers: list[tuple[str, str]]) -> None:
    """Whatever status, body and headers come, the call ends with data or one of our errors, without our secrets."""
    encoded = [(name.encode(), value.encode("utf-8", "replace")) for name, value in headers]

    async def run() -> None:
        cloud = Cloud((status, content, encoded))
        if 200 <= status < 300:
            try:
                await cloud.call("PUT")
            except BadAnswerError:
                await cloud.error()
        else:
            await cloud.error()
        await cloud.http.close()

    asyncio.run(run())
