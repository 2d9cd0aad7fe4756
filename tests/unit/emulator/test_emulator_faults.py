"""Faults on request: each kind does what its name says, as often as it was asked for, and then is over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulator_support import BY_TOKEN, HOUR, INSTANCE, LOGIN, Cloud, code, login_body

from jupyter_autostop.emulator.faults import KINDS, Fault

EDIT = {"description": "changed"}
BROKEN = (httpx.ReadError, httpx.RemoteProtocolError)


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def description(cloud: Cloud) -> str:
    return cloud.emulator.instance.description


def test_a_status_replaces_the_answer_once(cloud: Cloud) -> None:
    """With the given headers and body; the request is not carried out, and the next one is as always."""
    cloud.fault(kind="status", status=429, headers={"Retry-After": "7"}, body={"error_code": "APIGW.0308"})
    answer = cloud.put(EDIT)
    assert code(answer) == (429, "APIGW.0308")
    assert answer.headers["Retry-After"] == "7"
    assert description(cloud) != "changed"
    assert cloud.put(EDIT).status_code == 200
    assert [(seen["status"], seen["fault"]) for seen in cloud.seen()] == [(429, "status"), (200, None)]


@pytest.mark.parametrize("status", [204, 401, 500, 503, 599])
def test_a_status_without_a_body_has_a_plausible_one(cloud: Cloud, status: int) -> None:
    """An error body as ModelArts sends them, and none where HTTP allows none."""
    cloud.fault(kind="status", status=status)
    answer = cloud.request("GET", INSTANCE)
    assert answer.status_code == status
    assert (answer.content == b"") if status == 204 else answer.json()["error_code"]


def test_with_apply_a_replaced_answer_hides_a_write_that_happened(cloud: Cloud) -> None:
    """A 500 after the change: what a client must not take for "nothing happened"."""
    cloud.fault(kind="status", status=500, apply=True)
    assert cloud.put(EDIT).status_code == 500
    assert description(cloud) == "changed"


def test_times_method_and_path_choose_the_requests(cloud: Cloud) -> None:
    """Two PUTs whose path is found by the expression; GETs pass."""
    cloud.fault(kind="status", status=503, method="put", path=r"/instances/DE-[^/]+$", times=2)
    assert cloud.request("GET", INSTANCE).status_code == 200
    assert cloud.request("PUT", INSTANCE + "/action").status_code == 405
    assert [cloud.put(EDIT).status_code for _ in range(3)] == [503, 503, 200]


def test_zero_times_is_until_cleared(cloud: Cloud) -> None:
    """DELETE ends it; GET shows what is still to come."""
    cloud.fault(kind="status", times=0)
    assert {cloud.request("GET", INSTANCE).status_code for _ in range(5)} == {500}
    shown = cloud.control("GET", "/faults").json()
    assert [fault["kind"] for fault in shown["faults"]] == ["status"]
    assert shown["kinds"] == KINDS
    # Each field but the kind is named, so that nobody has to guess how a fault is made to last.
    assert {name for names in shown["fields"] for name in names.split(", ")} == set(shown["faults"][0]) - {"kind"}
    assert cloud.control("DELETE", "/faults").json() == {"faults": []}
    assert cloud.request("GET", INSTANCE).status_code == 200


def test_faults_come_in_the_order_they_were_asked_for(cloud: Cloud) -> None:
    """One after the other."""
    for status in (500, 502):
        cloud.fault(kind="status", status=status)
    assert [cloud.request("GET", INSTANCE).status_code for _ in range(3)] == [500, 502, 200]


def test_html_with_200(cloud: Cloud) -> None:
    """A proxy's page instead of JSON."""
    cloud.fault(kind="html")
    answer = cloud.request("GET", INSTANCE)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.text.startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(("body", "content"), [([1, None], b"[1, null]"), ("{half", b"{half"), (None, b"null")])
def test_a_body_is_sent_as_given(cloud: Cloud, body: Any, content: bytes) -> None:
    """Any JSON, or a text that is none."""
    cloud.fault(kind="body", body=body)
    answer = cloud.request("GET", INSTANCE)
    assert (answer.status_code, answer.content) == (200, content)


@pytest.mark.parametrize("kind", ["body", "alter"])
@pytest.mark.parametrize("name", ["Content-Length", "content-length"])
def test_a_length_that_lies_is_sent_as_given(
    cloud: Cloud, kind: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """More announced than sent: the client sees the connection end too early; or less, and the rest is lost on it."""
    cloud.fault(kind=kind, body="{   }", headers={name: "100000"})
    with pytest.raises(httpx.RemoteProtocolError, match="100000"):
        cloud.request("GET", INSTANCE)
    cloud.fault(kind=kind, body="{   }", headers={name: "1"})
    answer = cloud.request("GET", INSTANCE)
    assert (answer.status_code, answer.content) == (200, b"{")
    assert "The emulator failed" not in caplog.text


def test_huge_sends_as_much_as_was_asked_for(cloud: Cloud) -> None:
    """50 MB unless told otherwise."""
    cloud.fault(kind="huge", size=1_000_001)
    assert len(cloud.request("GET", INSTANCE).content) == 1_000_001
    cloud.fault(kind="huge")
    answer = cloud.begin("GET", INSTANCE)
    assert len(cloud.run(answer_of(answer)).content) == 50 * 1024 * 1024


async def answer_of(task: asyncio.Task[httpx.Response]) -> httpx.Response:
    return await task


def test_huge_ends_when_the_client_has_had_enough(cloud: Cloud) -> None:
    """A client that hangs up is not poured at for ever, and the emulator goes on."""
    cloud.fault(kind="huge", size=900_000_000)

    async def sip() -> None:
        async with cloud.client.stream("GET", INSTANCE, headers=BY_TOKEN) as answer:
            async for chunk in answer.aiter_bytes():
                assert chunk.startswith(b"[")
                return

    cloud.run(sip())
    cloud.until(lambda: not cloud.server._tasks)
    assert cloud.request("GET", INSTANCE).status_code == 200


def test_redirect_points_elsewhere(cloud: Cloud) -> None:
    """302 with a Location; 307 to a place of one's choice."""
    cloud.fault(kind="redirect")
    answer = cloud.request("GET", INSTANCE)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://elsewhere.example.com/")
    cloud.fault(kind="redirect", status=307, location="http://127.0.0.1:9/")
    answer = cloud.request("PUT", INSTANCE, json=EDIT)
    assert (answer.status_code, answer.headers["Location"]) == (307, "http://127.0.0.1:9/")
    assert description(cloud) != "changed"


@pytest.mark.parametrize("apply", [False, True])
def test_hang_reads_and_never_answers(cloud: Cloud, apply: bool) -> None:
    """Not an hour later either; with apply the request was carried out nevertheless."""
    cloud.fault(kind="hang", apply=apply)
    waiting = cloud.begin("PUT", INSTANCE, json=EDIT)
    cloud.until(lambda: bool(cloud.server._hanging))
    cloud.clock.advance(HOUR)
    assert cloud.seen()[0]["status"] is None
    assert not waiting.done()
    assert (description(cloud) == "changed") is apply
    waiting.cancel()
    cloud.run(asyncio.wait({waiting}))
    # The client has gone: the emulator does not keep its connection.
    cloud.until(lambda: not cloud.server._hanging)


def test_reset_breaks_the_connection_and_does_nothing(cloud: Cloud) -> None:
    """The client cannot know that."""
    cloud.fault(kind="reset")
    with pytest.raises(httpx.ReadError):
        cloud.put(EDIT)
    assert description(cloud) != "changed"
    assert cloud.seen()[0] | {"at": 0} == {
        "method": "PUT", "path": INSTANCE, "query": {}, "body": EDIT, "at": 0, "status": None, "fault": "reset",
        "user_id": None, "ignored": [],
    }  # fmt: skip


def test_a_lost_answer_belongs_to_a_write_that_was_carried_out(cloud: Cloud) -> None:
    """The connection breaks as with a reset, but the change is there."""
    cloud.fault(kind="lost_answer", method="PUT")
    with pytest.raises(httpx.ReadError):
        cloud.put(EDIT)
    assert cloud.get()["description"] == "changed"


def test_a_late_write_lands_after_the_client_gave_up(cloud: Cloud) -> None:
    """At its time, and in its order among what else was due: here before the run's own stop."""
    cloud.fault(kind="late", seconds=30, method="PUT")
    with pytest.raises(httpx.ReadError):
        cloud.set(enable=False)
    cloud.clock.advance(29)
    assert cloud.auto_stop()["enable"] is True
    cloud.clock.advance(2 * HOUR)
    answer = cloud.get()
    assert answer["status"] == "RUNNING"
    assert answer["spec"]["auto_stop"]["enable"] is False
    assert int(answer["latest_update_timestamp"]) == cloud.now() - (2 * HOUR - 1) * 1000


def test_a_late_write_that_is_not_allowed_any_more_does_nothing(cloud: Cloud) -> None:
    """It lands after the stop and is refused without a word; one without credentials never lands."""
    cloud.fault(kind="late", seconds=HOUR + 1, method="PUT", times=2)
    with pytest.raises(httpx.ReadError):
        cloud.put(EDIT)
    with pytest.raises(httpx.ReadError):
        cloud.request("PUT", INSTANCE, json=EDIT, headers={})
    cloud.clock.advance(2 * HOUR)
    assert cloud.get()["status"] == "STOPPED"
    assert description(cloud) != "changed"


def test_slow_answers_after_its_time_on_the_clock(cloud: Cloud) -> None:
    """The request is carried out at once, the answer is dated when it is given."""
    cloud.fault(kind="slow", seconds=5)
    waiting = cloud.begin("PUT", INSTANCE, json=EDIT)
    cloud.until(lambda: cloud.clock.sleepers == 1)
    assert description(cloud) == "changed"
    assert not waiting.done()
    cloud.clock.advance(5)
    answer = cloud.run(answer_of(waiting))
    assert answer.status_code == 200
    assert answer.headers["Date"] == "Tue, 14 Nov 2023 22:13:25 GMT"


def test_drip_sends_byte_by_byte(cloud: Cloud) -> None:
    """The head comes at once, then a byte each `seconds`; the whole is the real answer."""
    cloud.fault(kind="drip", seconds=2)
    body = bytearray()

    async def drink() -> None:
        async with cloud.client.stream("GET", INSTANCE, headers=BY_TOKEN) as answer:
            async for chunk in answer.aiter_raw():
                body.extend(chunk)

    drinking = cloud.loop.create_task(drink())
    for count in range(1, 4):
        cloud.until(lambda: cloud.clock.sleepers == 1)
        cloud.clock.advance(2)
        cloud.until(lambda count=count: len(body) == count)
    assert body == b'{"a'
    while not drinking.done():
        cloud.until(lambda: cloud.clock.sleepers == 1 or drinking.done())
        cloud.clock.advance(2)
    assert b'"status": "RUNNING"' in body


def test_cut_breaks_off_in_the_middle_of_the_body(cloud: Cloud) -> None:
    """The head is good, the body ends half way; the request was carried out."""
    cloud.fault(kind="cut")
    with pytest.raises(BROKEN):
        cloud.put(EDIT)
    assert description(cloud) == "changed"


def test_close_gives_the_answer_and_hangs_up_unannounced(cloud: Cloud) -> None:
    """The answer is whole and says nothing of closing; the connection is not there for a next request."""
    cloud.fault(kind="close")

    async def read_to_the_end() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", cloud.server.port)
        token = BY_TOKEN["X-Auth-Token"]
        writer.write(f"GET {INSTANCE} HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: {token}\r\n\r\n".encode())
        everything = await reader.read()
        writer.close()
        await writer.wait_closed()
        return everything

    head, _, body = cloud.run(asyncio.wait_for(read_to_the_end(), 60)).partition(b"\r\n\r\n")
    assert json.loads(body)["status"] == "RUNNING"
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection" not in head.lower()


def test_wrong_date_is_off_by_its_seconds(cloud: Cloud) -> None:
    """Only the header; or it is no date at all."""
    cloud.fault(kind="wrong_date", seconds=-3600)
    answer = cloud.request("GET", INSTANCE)
    assert answer.headers["Date"] == "Tue, 14 Nov 2023 21:13:20 GMT"
    assert answer.json()["spec"]["auto_stop"]["remain_time"] == HOUR
    cloud.fault(kind="wrong_date", headers={"Date": "soon"})
    assert cloud.request("GET", INSTANCE).headers["Date"] == "soon"


def test_an_altered_answer_has_other_fields_than_the_real_one(cloud: Cloud) -> None:
    """Wrong types, nulls and missing parts, in one answer only; the instance is as it was, and a PUT is carried out."""
    cloud.fault(
        kind="alter",
        times=2,
        set={"spec.auto_stop.duration": "3600", "spec.auto_stop.enable": None, "status": 7},
        remove=["spec.auto_stop.remain_time", "user"],
    )
    for answer in (cloud.request("GET", INSTANCE), cloud.put(EDIT)):
        assert answer.status_code == 200
        body = answer.json()
        stop = (int(cloud.clock.time()) + HOUR) * 1000
        assert body["spec"]["auto_stop"] == {"duration": "3600", "enable": None, "prompt": True, "stop_timestamp": stop}
        assert body["status"] == 7
        assert "user" not in body
    assert cloud.get()["spec"]["auto_stop"]["duration"] == HOUR
    assert description(cloud) == "changed"
    cloud.fault(kind="alter", remove=["spec.auto_stop"])
    assert "auto_stop" not in cloud.get()["spec"]


def test_an_altered_refusal_is_a_refusal_still(cloud: Cloud) -> None:
    """The status stays."""
    cloud.fault(kind="alter", set={"error_msg": None}, remove=["error_code"])
    answer = cloud.request("GET", INSTANCE, headers={})
    assert (answer.status_code, answer.json()["error_msg"], "error_code" in answer.json()) == (401, None, False)


@pytest.mark.parametrize("kind", ["status", "html", "alter", "close", "drip"])
@pytest.mark.parametrize("name", ["Date", "date"])
def test_a_header_can_be_taken_away(cloud: Cloud, kind: str, name: str) -> None:
    """With null for a value, however it is spelt: an answer without a date."""
    cloud.fault(kind=kind, headers={name: None}, seconds=0)
    answer = cloud.request("GET", INSTANCE)
    assert "Date" not in answer.headers
    assert "X-Request-Id" in answer.headers
    assert "Date" in cloud.request("GET", INSTANCE).headers


@pytest.mark.parametrize("kind", ["alter", "close"])
def test_a_header_comes_in_the_place_of_the_answers_own(cloud: Cloud, kind: str) -> None:
    """Once, however it is spelt."""
    cloud.fault(kind=kind, method="POST", headers={"x-subject-token": "another"})
    assert cloud.login().headers.get_list("X-Subject-Token") == ["another"]


@pytest.mark.parametrize("kind", ["alter", "huge"])
def test_an_answer_can_come_without_its_length(cloud: Cloud, kind: str) -> None:
    """In chunks, or until the connection ends: its size is known when it has been read."""
    cloud.fault(kind=kind, headers={"Content-Length": None}, size=600_000)
    answer = cloud.request("GET", INSTANCE)
    assert "Content-Length" not in answer.headers
    assert len(answer.content) == 600_000 if kind == "huge" else answer.json()["status"] == "RUNNING"


@pytest.mark.parametrize(
    "value",
    [
        "7",
        "0",
        "-1",
        "1.5",
        "soon",
        "",
        "99999999999",
        "Tue, 14 Nov 2023 22:14:20 GMT",
        "Tue, 14 Nov 2023 21:13:20 GMT",
    ],
)
def test_every_form_of_retry_after_is_sent_as_given(cloud: Cloud, value: str) -> None:
    """Seconds, a date to come or gone by, and nonsense; or none at all, with 429 and with 503."""
    for status in (429, 503):
        cloud.fault(kind="status", status=status, headers={"Retry-After": value})
        answer = cloud.request("GET", INSTANCE)
        assert (answer.status_code, answer.headers["Retry-After"]) == (status, value)
        cloud.fault(kind="status", status=status)
        assert "Retry-After" not in cloud.request("GET", INSTANCE).headers


@pytest.mark.parametrize("status", [400, 429, 500, 503, 599])
def test_a_failing_login_looks_like_iams_own(cloud: Cloud, status: int) -> None:
    """`{"error": {"code", "message", "title"}}`, and no token; the next one succeeds."""
    cloud.fault(kind="status", status=status, path=f"{LOGIN}$")
    assert cloud.request("GET", INSTANCE).status_code == 200
    answer = cloud.login()
    assert answer.status_code == answer.json()["error"]["code"] == status
    assert set(answer.json()["error"]) == {"code", "message", "title"}
    assert "X-Subject-Token" not in answer.headers
    assert cloud.login().status_code == 201
    assert [(seen["status"], seen["fault"]) for seen in cloud.seen()] == [(200, None), (status, "status"), (201, None)]


@pytest.mark.parametrize(("kind", "issued"), [("reset", 0), ("cut", 1), ("lost_answer", 1), ("hang", 0), ("late", 0)])
def test_a_login_can_come_to_nothing(cloud: Cloud, kind: str, issued: int) -> None:
    """No answer, half of one, or one too late; the token was issued or not, as with a write."""
    cloud.fault(kind=kind, method="POST", seconds=5)
    waiting = cloud.loop.create_task(cloud.client.post(LOGIN, json=login_body()))
    if kind == "hang":
        cloud.until(lambda: bool(cloud.server._hanging))
        waiting.cancel()
    cloud.run(asyncio.wait({waiting}))
    assert waiting.cancelled() or isinstance(waiting.exception(), BROKEN)
    assert cloud.control("GET", "/tokens").json()["issued"] == issued
    cloud.clock.advance(5)
    assert cloud.control("GET", "/tokens").json()["issued"] == (1 if kind == "late" else issued)


def test_a_login_can_be_slow_close_and_be_answered_with_a_page(cloud: Cloud) -> None:
    """What spoils an answer spoils this one."""
    cloud.fault(kind="slow", seconds=5)
    waiting = cloud.loop.create_task(cloud.client.post(LOGIN, json=login_body()))
    cloud.until(lambda: cloud.clock.sleepers == 1)
    assert not waiting.done()
    cloud.clock.advance(5)
    answer = cloud.run(answer_of(waiting))
    assert answer.headers["Date"] == "Tue, 14 Nov 2023 22:13:25 GMT"
    assert answer.json()["token"]["issued_at"] == "2023-11-14T22:13:20.000000Z"
    cloud.fault(kind="close")
    assert cloud.login().status_code == 201
    cloud.fault(kind="html", status=201)
    answer = cloud.login()
    assert (answer.status_code, answer.text[:15]) == (201, "<!DOCTYPE html>")


@pytest.mark.parametrize("kind", ["status", "html", "body", "redirect", "slow", "cut", "close", "wrong_date"])
def test_a_fault_comes_before_the_credentials_are_looked_at(cloud: Cloud, kind: str) -> None:
    """But what gives the real answer gives the real refusal."""
    cloud.fault(kind=kind, seconds=0, status=418 if kind in ("status", "html", "body", "redirect") else None)
    if kind == "cut":
        with pytest.raises(BROKEN):
            cloud.request("GET", INSTANCE, headers={})
    else:
        real = kind in ("slow", "close", "wrong_date")
        assert cloud.request("GET", INSTANCE, headers={}).status_code == (401 if real else 418)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (None, "The body must be JSON"),
        ([], "must be a JSON object"),
        ({}, 'with a "kind"'),
        ({"kind": "earthquake"}, "There is no fault 'earthquake'"),
        ({"kind": "status", "colour": 1}, "Unknown key 'colour'"),
        ({"kind": "status", "status": 99}, "status is a whole number"),
        ({"kind": "status", "status": True}, "status is a whole number"),
        ({"kind": "status", "times": -1}, "times is a whole number"),
        ({"kind": "status", "path": "("}, "path is no regular expression"),
        ({"kind": "status", "path": 1}, "path has the wrong type"),
        ({"kind": "status", "headers": {"X-A": "1\r\nX-B: 2"}}, "cannot be a header"),
        ({"kind": "status", "headers": {"X A": "1"}}, "cannot be a header"),
        ({"kind": "slow", "seconds": "1"}, "seconds is a number"),
        ({"kind": "slow", "seconds": 1e300}, "seconds is a number of some sense"),
        ({"kind": "huge", "size": -1}, "size is a whole number"),
        ({"kind": "status", "headers": {"X A": None}}, "cannot be a header"),
        ({"kind": "status", "headers": None}, "headers has the wrong type"),
        ({"kind": "redirect", "location": None}, "location has the wrong type"),
        ({"kind": "alter", "set": ["status"]}, "set has the wrong type"),
        ({"kind": "alter", "remove": {"status": 1}}, "remove has the wrong type"),
        ({"kind": "alter", "remove": [1]}, "remove is a list like"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_in_words(cloud: Cloud, fault: Any, words: str) -> None:
    """And none is added."""
    answer = cloud.control("POST", "/faults", fault)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert cloud.emulator.faults.shown() == []


def test_a_fault_can_be_asked_for_in_process(cloud: Cloud) -> None:
    """`Emulator.faults` is the same list; what the caller holds is not used up."""
    fault = Fault("status", status=502)
    for _ in range(2):
        cloud.emulator.faults.add(fault)
        assert cloud.request("GET", INSTANCE).status_code == 502
    assert fault.times == 1


def test_stop_ends_everything_that_waits() -> None:
    """Hanging, slow and dripping clients are all cut off; no task is left on the loop and the port is free again."""
    with Cloud() as cloud:
        for kind in ("hang", "slow", "drip", "hang"):
            cloud.fault(kind=kind)
        waiting = [cloud.begin("GET", INSTANCE) for _ in range(4)]
        cloud.until(lambda: cloud.clock.sleepers == 2 and len(cloud.server._hanging) == 2)
        cloud.run(cloud.server.stop())
        cloud.run(asyncio.wait(waiting))
        assert all(isinstance(task.exception(), BROKEN) for task in waiting)
        cloud.run(asyncio.sleep(0))
        assert asyncio.all_tasks(cloud.loop) == set()
        with pytest.raises(httpx.ConnectError):
            cloud.request("GET", INSTANCE)
        cloud.run(cloud.server.stop())
        cloud.run(cloud.server.start())
        assert cloud.request("GET", INSTANCE).status_code == 200
