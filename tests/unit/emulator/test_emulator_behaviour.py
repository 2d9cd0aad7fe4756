"""The emulator's switches: every way in which a platform could take a change of auto_stop on a running instance."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from emulator_support import HOUR, START, Cloud, code

from jupyter_autostop.emulator.behaviour import Behaviour


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """A running instance that has an hour left of its four."""
    with Cloud(remaining=HOUR) as cloud:
        cloud.emulator.set_remaining(cloud.emulator.instance, 3 * HOUR + 1)
        cloud.clock.advance(2 * HOUR + 1)
        assert cloud.auto_stop()["remain_time"] == HOUR
        yield cloud


STARTED = START - HOUR + 1
STOPS = (STARTED + 4 * HOUR) * 1000


def turn(cloud: Cloud, **switches: Any) -> None:
    answer = cloud.control("PATCH", "/behaviour", switches)
    assert answer.status_code == 200, answer.text
    assert answer.json() == cloud.control("GET", "/behaviour").json() == {**Behaviour().shown(), **switches}


def test_a_duration_for_the_next_start_leaves_the_stop_time(cloud: Cloud) -> None:
    """The default, as documented, longer and shorter."""
    for hours in (8, 1):
        assert cloud.set(enable=True, duration=hours * HOUR).status_code == 200
        assert cloud.auto_stop()["duration"] == hours * HOUR
        assert cloud.auto_stop()["stop_timestamp"] == STOPS


def test_a_duration_applied_now_moves_the_stop_time(cloud: Cloud) -> None:
    """`duration_applies` now: the stop time is run start + the new duration, and it stays so for this run."""
    turn(cloud, duration_applies="now")
    answer = cloud.set(enable=True, duration=8 * HOUR).json()
    assert answer["spec"]["auto_stop"]["stop_timestamp"] == (STARTED + 8 * HOUR) * 1000
    cloud.clock.advance(2 * HOUR)
    assert cloud.get()["status"] == "RUNNING"
    cloud.set(enable=False, duration=8 * HOUR)
    assert cloud.set(enable=True, duration=8 * HOUR).json()["spec"]["auto_stop"]["remain_time"] == 3 * HOUR


def test_a_duration_applied_now_may_move_the_stop_time_later(cloud: Cloud) -> None:
    """`moves_after`: the setting is shown at once, the stop time that it brings seconds later, if auto-stop is on."""
    turn(cloud, duration_applies="now", moves_after=3)
    assert cloud.set(enable=True, duration=8 * HOUR).json()["spec"]["auto_stop"]["stop_timestamp"] == STOPS
    cloud.clock.advance(2)
    assert (cloud.auto_stop()["duration"], cloud.auto_stop()["stop_timestamp"]) == (8 * HOUR, STOPS)
    cloud.clock.advance(1)
    assert cloud.auto_stop()["stop_timestamp"] == (STARTED + 8 * HOUR) * 1000
    cloud.set(enable=True, duration=6 * HOUR)
    cloud.set(enable=False, duration=6 * HOUR)
    cloud.clock.advance(3)
    assert "stop_timestamp" not in cloud.auto_stop()
    assert cloud.set(enable=True, duration=6 * HOUR).json()["spec"]["auto_stop"]["remain_time"] == 3 * HOUR - 6
    for wrong in (-1, 61, "3", True):
        assert cloud.control("PATCH", "/behaviour", {"moves_after": wrong}).status_code == 400


def test_a_duration_applied_now_that_has_passed_is_refused(cloud: Cloud) -> None:
    """A stop time that is not later than now is 6346, and nothing changes."""
    turn(cloud, duration_applies="now")
    before = cloud.get()
    assert code(cloud.set(enable=True, duration=2 * HOUR)) == (400, "ModelArts.6346")
    assert cloud.get() == before


def test_disabling_lifts_this_runs_stop_time(cloud: Cloud) -> None:
    """The default: no stop time is shown and none is kept."""
    assert "stop_timestamp" not in cloud.set(enable=False).json()["spec"]["auto_stop"]
    cloud.clock.advance(2 * HOUR)
    assert cloud.get()["status"] == "RUNNING"


def test_disabling_for_the_next_start_keeps_this_runs_stop_time(cloud: Cloud) -> None:
    """`disable_applies` next_start: `enable` reads false, this run's stop time is shown and kept; then it is off."""
    turn(cloud, disable_applies="next_start")
    auto_stop = cloud.set(enable=False).json()["spec"]["auto_stop"]
    assert auto_stop["enable"] is False
    assert auto_stop["stop_timestamp"] == STOPS
    cloud.clock.advance(HOUR + 2)
    assert cloud.get()["status"] == "STOPPED"
    cloud.act("start")
    cloud.clock.advance(48 * HOUR)
    assert cloud.get()["status"] == "RUNNING"


def test_reenabling_in_time_gives_back_the_runs_own_stop_time(cloud: Cloud) -> None:
    """Run start + the duration in force; a duration sent along is for the next start."""
    cloud.set(enable=False)
    cloud.clock.advance(HOUR - 1)
    auto_stop = cloud.set(enable=True, duration=24 * HOUR).json()["spec"]["auto_stop"]
    assert auto_stop["stop_timestamp"] == STOPS
    assert auto_stop["remain_time"] == 1


def late(cloud: Cloud) -> Any:
    """Switch off, let the run's own stop time pass, switch on again with a longer duration and a description."""
    cloud.set(enable=False)
    cloud.clock.advance(HOUR)
    auto_stop = {"enable": True, "duration": 6 * HOUR, "prompt": False}
    return cloud.put({"description": "on again", "spec": {"auto_stop": auto_stop}})


def test_reenabling_too_late_is_refused(cloud: Cloud) -> None:
    """The default: 6346, with the description of the same request refused too."""
    assert code(late(cloud)) == (400, "ModelArts.6346")
    answer = cloud.get()
    assert answer["description"] != "on again"
    assert answer["spec"]["auto_stop"] == {"enable": False, "duration": HOUR, "prompt": True}


def test_reenabling_too_late_stops_the_instance(cloud: Cloud) -> None:
    """`reenable` stop: the request is accepted and the instance stops at once."""
    turn(cloud, reenable="stop")
    assert late(cloud).json()["status"] == "STOPPING"
    cloud.clock.advance(2)
    assert cloud.get()["status"] == "STOPPED"
    assert cloud.auto_stop() == {"enable": True, "duration": 6 * HOUR, "prompt": False}


def test_reenabling_too_late_counts_anew(cloud: Cloud) -> None:
    """`reenable` count_anew: the duration in force runs from now."""
    turn(cloud, reenable="count_anew")
    assert late(cloud).json()["spec"]["auto_stop"]["remain_time"] == 4 * HOUR


def test_reenabling_too_late_is_accepted_without_a_stop_time(cloud: Cloud) -> None:
    """`reenable` accept: `enable` reads true and nothing will stop this run; sending it again is no switching on."""
    turn(cloud, reenable="accept")
    assert late(cloud).status_code == 200
    turn(cloud, reenable="refuse")
    assert cloud.set(enable=True, duration=6 * HOUR).status_code == 200
    assert cloud.auto_stop() == {"enable": True, "duration": 6 * HOUR, "prompt": True}
    cloud.clock.advance(48 * HOUR)
    assert cloud.get()["status"] == "RUNNING"


@pytest.mark.parametrize(
    ("sent", "result"),
    [
        ({"duration": 7200}, {"enable": False, "duration": 7200, "prompt": True}),
        ({"prompt": False}, {"enable": False, "duration": 4 * HOUR, "prompt": False}),
        ({"enable": True, "duration": 7200}, {"enable": True, "duration": 7200, "prompt": True}),
        ({}, {"enable": False, "duration": 4 * HOUR, "prompt": True}),
    ],
)
def test_a_partial_auto_stop_falls_back_to_the_documented_defaults(
    cloud: Cloud, sent: dict[str, Any], result: dict[str, Any]
) -> None:
    """So that a client that sends less than all three keys is found out: it has switched auto-stop off."""
    cloud.set(enable=True, duration=4 * HOUR, prompt=False)
    assert cloud.put({"spec": {"auto_stop": sent}}).status_code == 200
    shown = cloud.auto_stop()
    assert {key: shown[key] for key in result} == result


@pytest.mark.parametrize("sent", [{"duration": 7200}, {"prompt": True}, {"enable": False}, {}])
def test_a_partial_auto_stop_can_be_merged(cloud: Cloud, sent: dict[str, Any]) -> None:
    """`merge_partial`: what is missing stays as it was."""
    turn(cloud, merge_partial=True)
    cloud.set(enable=True, duration=4 * HOUR, prompt=False)
    assert cloud.put({"spec": {"auto_stop": sent}}).status_code == 200
    shown = cloud.auto_stop()
    result = {"enable": True, "duration": 4 * HOUR, "prompt": False, **sent}
    assert {key: shown[key] for key in result} == result


def test_enabling_always_needs_a_duration(cloud: Cloud) -> None:
    """Merged or not, the documents call it mandatory."""
    turn(cloud, merge_partial=True)
    assert code(cloud.put({"spec": {"auto_stop": {"enable": True}}})) == (400, "ModelArts.6348")


def test_a_prompt_alone_does_not_move_the_stop_time(cloud: Cloud) -> None:
    """The same triple with another prompt leaves the run as it is."""
    cloud.set(enable=True, duration=4 * HOUR, prompt=False)
    assert cloud.auto_stop() == {
        "enable": True, "duration": 4 * HOUR, "prompt": False, "stop_timestamp": STOPS, "remain_time": HOUR,
    }  # fmt: skip


@pytest.mark.parametrize("body", [{}, {"spec": {}}, {"name": "ignored"}, {"spec": {"colour": 1}}])
def test_an_update_that_asks_for_nothing_is_refused(cloud: Cloud, body: Any) -> None:
    """The default: 6335, in every status; nothing changes."""
    before = cloud.get()
    assert code(cloud.put(body)) == (400, "ModelArts.6335")
    assert cloud.get() == before
    cloud.act("stop")
    assert code(cloud.put(body)) == (400, "ModelArts.6335")


@pytest.mark.parametrize("body", [{}, {"spec": {}}])
def test_an_update_that_asks_for_nothing_can_be_accepted(cloud: Cloud, body: Any) -> None:
    """`empty_update` accept: 200 and the instance, nothing changed, not even the modification time."""
    turn(cloud, empty_update="accept")
    before = cloud.get()
    cloud.clock.advance(60)
    answer = cloud.put(body)
    assert answer.status_code == 200
    assert answer.json() == cloud.get()
    before["spec"]["auto_stop"]["remain_time"] -= 60
    assert cloud.get() == before


def test_a_stopping_instance_can_be_editable(cloud: Cloud) -> None:
    """`edit_while_stopping`: description and auto_stop are taken, for the next start; other statuses stay as strict."""
    auto_stop = {"enable": True, "duration": 6 * HOUR, "prompt": False}
    body = {"description": "late", "spec": {"auto_stop": auto_stop}}
    cloud.act("stop")
    assert code(cloud.put(body)) == (400, "ModelArts.6308")
    turn(cloud, edit_while_stopping=True)
    answer = cloud.put(body)
    assert (answer.status_code, answer.json()["status"]) == (200, "STOPPING")
    assert (answer.json()["description"], cloud.auto_stop()) == ("late", auto_stop)
    assert cloud.control("PATCH", "/instance", {"description": "by hand"}).status_code == 200
    assert code(cloud.act("stop")) == (400, "ModelArts.6308")
    cloud.clock.advance(2)
    assert cloud.get()["status"] == "STOPPED"
    cloud.act("start")
    assert code(cloud.put(body)) == (400, "ModelArts.6306")
    cloud.clock.advance(3)
    assert cloud.auto_stop()["remain_time"] == 6 * HOUR


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"colour": "red"}, "There is no switch 'colour'"),
        ({"reenable": "maybe"}, "reenable is one of"),
        ({"merge_partial": "yes"}, "merge_partial is one of true, false"),
        ({"merge_partial": 1}, "merge_partial is one of"),
        ({"duration_applies": ["now"]}, "duration_applies is one of"),
        ({"reenable": "stop", "disable_applies": None}, "disable_applies is one of"),
        ([], "must be a JSON object"),
    ],
)
def test_a_wrong_switch_is_refused_and_turns_none(cloud: Cloud, body: Any, words: str) -> None:
    """The refusal is a sentence that names what is known."""
    answer = cloud.control("PATCH", "/behaviour", body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert cloud.emulator.behaviour == Behaviour()
