"""What a platform can do to somebody who keeps a run's deadline in its place."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulator_support import HOUR, INSTANCE, START, Cloud, code

REENABLE = ("refuse", "stop", "count_anew", "accept")
DURATION = ("next_start", "now")
STOPS = START + HOUR
"""Of the run that is going on, which has an hour's duration."""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def turn(cloud: Cloud, **switches: Any) -> None:
    assert cloud.control("PATCH", "/behaviour", switches).status_code == 200


def lose(cloud: Cloud, body: Any, **fault: Any) -> None:
    """Send a write whose connection is reset."""
    method = "POST" if "action" in body else "PUT"
    cloud.fault(method=method, **fault)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        cloud.request(method, INSTANCE + "/action" * (method == "POST"), json=body)


OFF = {"spec": {"auto_stop": {"enable": False, "duration": HOUR, "prompt": True}}}


@pytest.mark.parametrize(("reenable", "applies"), [*itertools.product(REENABLE, DURATION)])
def test_switching_on_after_the_runs_own_stop_time(cloud: Cloud, reenable: str, applies: str) -> None:
    """All four ways, with durations that count for this run or for the next; the duration sent is the one before."""
    turn(cloud, reenable=reenable, duration_applies=applies)
    assert cloud.set(enable=False).status_code == 200
    cloud.clock.advance(2 * HOUR)
    assert cloud.get()["status"] == "RUNNING"
    answer = cloud.set(enable=True, duration=HOUR)
    if reenable == "refuse":
        assert code(answer) == (400, "ModelArts.6346")
        assert cloud.auto_stop() == {"enable": False, "duration": HOUR, "prompt": True}
        return
    instance = answer.json()
    assert instance["spec"]["auto_stop"]["enable"] is True
    assert instance["status"] == ("STOPPING" if reenable == "stop" else "RUNNING")
    remains = {"count_anew": HOUR}.get(reenable)
    assert instance["spec"]["auto_stop"].get("remain_time") == remains
    if reenable == "count_anew":
        cloud.clock.advance(HOUR)
        assert cloud.get()["status"] == "STOPPING"


@pytest.mark.parametrize("reenable", REENABLE)
def test_a_duration_that_counts_at_once_reaches_beyond_the_passed_time(cloud: Cloud, reenable: str) -> None:
    """Switched on with a longer one, the run has run start + that one, in each of the four ways."""
    turn(cloud, reenable=reenable, duration_applies="now")
    cloud.set(enable=False)
    cloud.clock.advance(2 * HOUR)
    assert cloud.set(enable=True, duration=3 * HOUR).json()["spec"]["auto_stop"]["remain_time"] == HOUR


def test_switching_off_twice_over(cloud: Cloud) -> None:
    """After the run's own stop time has passed too; on again, each of the ways is decided anew."""
    turn(cloud, reenable="accept")
    cloud.set(enable=False)
    cloud.clock.advance(2 * HOUR)
    cloud.set(enable=True)
    assert cloud.set(enable=False).json()["spec"]["auto_stop"] == {"enable": False, "duration": HOUR, "prompt": True}
    turn(cloud, reenable="count_anew")
    assert cloud.set(enable=True).json()["spec"]["auto_stop"]["remain_time"] == HOUR
    assert cloud.set(enable=False).status_code == 200
    turn(cloud, reenable="refuse")
    assert code(cloud.set(enable=True)) == (400, "ModelArts.6346")


def test_switching_off_too_late_is_refused(cloud: Cloud) -> None:
    """At the run's own stop time it is stopping already, and the setting stays on."""
    cloud.clock.advance(HOUR)
    assert code(cloud.set(enable=False)) == (400, "ModelArts.6308")
    cloud.clock.advance(2)
    assert cloud.auto_stop()["enable"] is True


@pytest.mark.parametrize("applies", DURATION)
def test_an_odd_second_is_shown_as_it_was_sent(cloud: Cloud, applies: str) -> None:
    """So a probe can be told from what a person chose: in the answer, in the record, and in the next run."""
    turn(cloud, duration_applies=applies)
    cloud.set(enable=True, duration=2 * HOUR + 1)
    assert cloud.auto_stop()["duration"] == 2 * HOUR + 1
    assert cloud.auto_stop()["remain_time"] == (2 * HOUR + 1 if applies == "now" else HOUR)
    sent = [seen["body"]["spec"]["auto_stop"]["duration"] for seen in cloud.seen() if seen["method"] == "PUT"]
    assert sent == [2 * HOUR + 1]
    cloud.act("restart")
    cloud.clock.advance(3)
    assert cloud.auto_stop()["remain_time"] == 2 * HOUR + 1


def test_a_write_that_lands_after_the_run_has_ended_is_for_the_next(cloud: Cloud) -> None:
    """A late "off" taken by a stopped instance: the next run has no stop time."""
    lose(cloud, OFF, kind="late", seconds=HOUR + 10)
    cloud.clock.advance(HOUR + 5)
    assert cloud.auto_stop()["enable"] is True
    cloud.clock.advance(5)
    assert cloud.auto_stop()["enable"] is False
    cloud.act("start")
    cloud.clock.advance(48 * HOUR)
    assert cloud.get()["status"] == "RUNNING"


def test_a_write_that_lands_in_another_run_hits_that_one(cloud: Cloud) -> None:
    """A late stop too, as long as nobody has waited for it."""
    lose(cloud, OFF, kind="late", seconds=10)
    lose(cloud, {"action": "stop"}, kind="late", seconds=20)
    cloud.act("restart")
    cloud.clock.advance(9)
    assert cloud.auto_stop()["remain_time"] == HOUR - 6
    cloud.clock.advance(1)
    assert cloud.auto_stop() == {"enable": False, "duration": HOUR, "prompt": True}
    cloud.clock.advance(10)
    assert cloud.get()["status"] == "STOPPING"


def test_a_write_that_lands_while_the_instance_stops(cloud: Cloud) -> None:
    """By the same switch as one that is sent then."""
    for editable, enable in ((False, True), (True, False)):
        turn(cloud, edit_while_stopping=editable)
        lose(cloud, OFF, kind="late", seconds=1)
        cloud.act("stop")
        cloud.clock.advance(1)
        assert (cloud.get()["status"], cloud.auto_stop()["enable"]) == ("STOPPING", enable)
        cloud.control("PATCH", "/instance", {"status": "RUNNING", "auto_stop": {"enable": True}})


def test_a_queued_write_is_answered_before_it_counts(cloud: Cloud) -> None:
    """200 with the old values, which are true until then; a look in between is answered as ever."""
    cloud.fault(kind="queued", method="PUT", seconds=5)
    answer = cloud.put(OFF)
    assert (answer.status_code, answer.json()) == (200, cloud.get())
    assert answer.json()["spec"]["auto_stop"]["enable"] is True
    cloud.clock.advance(5)
    assert cloud.auto_stop()["enable"] is False
    cloud.fault(kind="queued", seconds=5, skip=1)
    before = cloud.get()
    answer = cloud.act("stop")
    assert answer.json() == {"current_status": "RUNNING", "previous_state": "RUNNING"}
    assert cloud.get() == before
    cloud.clock.advance(5)
    assert cloud.get()["status"] == "STOPPING"


def test_a_queued_request_that_is_refused_says_so_at_once(cloud: Cloud) -> None:
    """By what the gateway checks; a GET is never queued."""
    cloud.fault(kind="queued", times=0)
    assert code(cloud.request("PUT", INSTANCE, json=OFF, headers={})) == (401, "APIGW.0301")
    assert code(cloud.request("PUT", INSTANCE + "0", json=OFF)) == (400, "ModelArts.6309")
    assert cloud.get()["status"] == "RUNNING"
    cloud.clock.advance(10)
    assert cloud.auto_stop()["enable"] is True


def test_a_fault_lets_the_first_requests_through(cloud: Cloud) -> None:
    """`skip` of those that it would hit; another fault may hit them, and the others are not counted."""
    cloud.fault(kind="status", status=503, method="PUT", skip=2)
    cloud.fault(kind="status", status=429, method="PUT", skip=1)
    answers = [(cloud.get(), cloud.put(OFF).status_code)[1] for _ in range(4)]
    assert answers == [200, 429, 503, 200]


def test_a_console_write_between_a_look_and_a_write_is_lost(cloud: Cloud) -> None:
    """There is no ETag: whoever sends the whole setting as last read overwrites what came in between."""
    cloud.fault(kind="slow", method="GET", seconds=1)
    looking = cloud.begin("GET", INSTANCE)
    cloud.until(lambda: cloud.clock.sleepers == 1)
    cloud.control("PATCH", "/instance", {"auto_stop": {"duration": 5 * HOUR}})
    cloud.clock.advance(1)
    seen = cloud.run(asyncio.wait_for(looking, 60)).json()["spec"]["auto_stop"]
    assert seen["duration"] == HOUR
    cloud.set(enable=False, duration=seen["duration"])
    cloud.control("PATCH", "/instance", {"auto_stop": {"enable": True}})
    assert cloud.auto_stop()["duration"] == HOUR


def test_a_run_that_the_console_begins_anew_knows_nothing_of_the_last(cloud: Cloud) -> None:
    """Stopped and running again: the setting of now counts from now, also one that was off."""
    cloud.set(enable=False, duration=2 * HOUR)
    cloud.clock.advance(3 * HOUR)
    for status in ("STOPPED", "RUNNING"):
        cloud.control("PATCH", "/instance", {"status": status})
    assert cloud.auto_stop() == {"enable": False, "duration": 2 * HOUR, "prompt": True}
    assert cloud.set(enable=True, duration=2 * HOUR).json()["spec"]["auto_stop"]["remain_time"] == 2 * HOUR
    run = cloud.control("GET", "/instance").json()["state"]["run"]
    assert run["started"] == cloud.now()
