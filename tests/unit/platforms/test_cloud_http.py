"""What the cloud answers and what becomes of it: data or a typed error with the platform's words, nothing leaked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from email.utils import formatdate
from typing import Any

import pytest
from fake_cloud import KEY, TOKEN, Cloud
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_autostop.errors import (
    AutostopError,
    BadAnswerError,
    CredentialsError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    UnavailableError,
)
from jupyter_autostop.platforms.credentials.base import Credentials
from jupyter_autostop.platforms.modelarts.client import check_id
from jupyter_autostop.platforms.modelarts.connection import LONGEST_BODY

DATE = formatdate(1_795_002_000, usegmt=True)


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


@pytest.mark.parametrize(
    "body", [b"<html>", b"{", b"\xff\xfe", b"[" * 100_000, b"NaN1", b"x" * (LONGEST_BODY + 1)], ids=len
)
async def test_a_success_that_is_no_json_is_a_bad_answer(body: bytes) -> None:
    """200 alone makes no answer; a change may have been applied all the same, a look changes nothing."""
    for method in ("GET", "PUT"):
        error = await Cloud((200, body)).error(method)
        assert isinstance(error, BadAnswerError)
        told = "is larger than 2048 KiB." if len(body) > LONGEST_BODY else "is not JSON."
        assert error.message == f"The answer from ModelArts {told}"
        assert error.maybe_applied is (method == "PUT")


async def test_what_is_no_error_is_passed_on() -> None:
    """JSON of any type and an empty body are for the adapter to judge; `error_code` in a success is no error."""
    for body, data in ((b"", None), (b"[]", []), (b"7", 7), (b'{"error_code": "x"}', {"error_code": "x"})):
        assert (await Cloud((200, body)).call()).data == data


async def test_a_name_that_is_no_text_is_left_out() -> None:
    """Half a character as a field's name, which nothing could carry on, takes no other field with it, at any depth."""
    body = b'{"\\ud800": 1, "id": "x", "\xc3\xa9": {"\\udfff\\ud800": 2, "ok\\ud83d\\ude00": 3}}'
    assert (await Cloud((200, body)).call()).data == {"id": "x", "é": {"ok😀": 3}}


async def test_an_answer_of_2_mib_is_read_and_a_longer_one_is_not() -> None:
    """The limit is told with the refusal."""
    assert LONGEST_BODY == 2 * 1024 * 1024
    assert (await Cloud((200, b"7".rjust(LONGEST_BODY))).call()).data == 7
    error = await Cloud((200, b"7".rjust(LONGEST_BODY + 1))).error()
    assert error.message == "The answer from ModelArts is larger than 2048 KiB."
    assert error.maybe_applied


async def test_an_answer_knows_when_it_was_asked_for_and_came() -> None:
    """By the clock that never leaps; the platform's own time is learned from it, within the time it took."""
    cloud = Cloud((200, {}, {"Date": DATE}))
    begun = cloud.clock.monotonic()
    cloud.each = lambda: cloud.clock.turn(4)
    answer = await cloud.call()
    assert (answer.sent, answer.received) == (begun, begun + 4)
    assert abs(cloud.time.now() - 1_795_002_000) <= 4


@pytest.mark.parametrize("value", ["", "a/b", "..", "a b", "a\n", "é", "{project_id}", "x" * 65], ids=str.encode)
def test_what_is_no_id_becomes_no_part_of_an_address(value: str) -> None:
    """It is refused by the name of its setting, with the way to the right one."""
    with pytest.raises(NotConfiguredError) as caught:
        check_id(value, "instance_id")
    assert "`instance_id` is no id" in caught.value.message
    assert caught.value.code == "configuration_invalid"
    assert caught.value.hint == "Copy the instance id from the ModelArts console."
    for good in ("0a-B", "x" * 64):
        assert check_id(good, "instance_id") == good


async def test_the_project_is_filled_in() -> None:
    """By the setting, else by what the credentials say; where neither does, nothing is sent and that is told."""
    of_key = replace(KEY, project_id="of-key")
    for cloud, project in (
        (Cloud((200, {}), project_id="p-1", credentials=of_key), "p-1"),
        (Cloud((200, {}), project_id="", credentials=of_key), "of-key"),
    ):
        await cloud.http.call("GET", "/v1/{project_id}/x/{project_id}")
        assert cloud.requests[0].url.path == f"/v1/{project}/x/{project}"
    nobody = Cloud((200, {}), project_id="")
    with pytest.raises(NotConfiguredError, match="does not know the project") as caught:
        await nobody.http.call("GET", "/v1/{project_id}")
    assert "`project_id`" in caught.value.hint
    assert nobody.requests == []
    with pytest.raises(NotConfiguredError, match="`project_id` is no id"):
        await Cloud((200, {}), project_id="a/b").http.call("GET", "/v1/{project_id}")


async def test_content_goes_out_as_it_is_meant() -> None:
    """Short, and with its letters; where there is none, nothing."""
    cloud = Cloud((200, {}))
    await cloud.http.call("PUT", "/v1/x", {"description": "é", "spec": {"a": 1}})
    await cloud.http.call("GET", "/v1/x")
    assert [request.content for request in cloud.requests] == ['{"description":"é","spec":{"a":1}}'.encode(), b""]


async def test_a_signed_request_names_its_project() -> None:
    """The setting's, or that of the credentials."""
    for project_id, credentials in (("p1", KEY), ("", replace(KEY, project_id="p1"))):
        cloud = Cloud((200, {}), credentials=credentials, project_id=project_id)
        await cloud.call()
        assert cloud.requests[0].headers["X-Project-Id"] == "p1"
        assert "x-project-id" in cloud.requests[0].headers["Authorization"]
        await cloud.http.close()


async def test_an_emulator_says_so() -> None:
    """Each answer tells anew whether it is a real cloud's."""
    cloud = Cloud((200, {}, {"X-Autostop-Emulator": "1"}), (200, {}))
    assert not cloud.http.emulated
    await cloud.call()
    assert cloud.http.emulated
    await cloud.call()
    assert not cloud.http.emulated


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
