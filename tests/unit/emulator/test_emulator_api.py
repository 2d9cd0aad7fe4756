"""The emulator keeps what the pages of the old generation's API document."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from emulator_support import BY_TOKEN, HOUR, INSTANCE, INSTANCES, START, Cloud, code

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.instance import Times

# Every field of the update page's sample answer, as dotted paths to its leaves.
SAMPLE = """
ai_project.id creation_timestamp description flavor flavor_details.name flavor_details.params.CPU
flavor_details.params.GPU flavor_details.params.gpu_type flavor_details.params.memory flavor_details.status
flavor_details.type id latest_update_timestamp name profile.de_type profile.description profile.flavor_type profile.id
profile.name profile.provision.annotations.category profile.provision.annotations.flavor
profile.provision.annotations.type profile.provision.spec.engine profile.provision.spec.params.annotations
profile.provision.spec.params.image_name profile.provision.spec.params.image_tag
profile.provision.spec.params.namespace profile.provision.type spec.annotations.target_domain spec.annotations.url
spec.auto_stop.duration spec.auto_stop.enable spec.auto_stop.prompt spec.auto_stop.remain_time
spec.auto_stop.stop_timestamp spec.extend_params spec.failed_reasons spec.repository spec.storage.location.path
spec.storage.location.volume_size spec.storage.location.volume_unit spec.storage.type status user.id user.name
workspace.id
"""


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def leaves(data: dict[str, Any], above: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in data.items():
        found |= leaves(value, f"{above}{key}.") if isinstance(value, dict) else {above + key}
    return found


def test_a_running_instance_has_every_field_of_the_documented_sample(cloud: Cloud) -> None:
    """No field is missing, none invented; timestamps are strings of 13 digits, the stop time and what is left ints."""
    answer = cloud.get()
    assert leaves(answer) == set(SAMPLE.split())
    assert answer["id"] == defaults.INSTANCE_ID
    assert answer["status"] == "RUNNING"
    for key in ("creation_timestamp", "latest_update_timestamp"):
        assert isinstance(answer[key], str)
        assert len(answer[key]) == 13
        assert answer[key].isdigit()
    auto_stop = answer["spec"]["auto_stop"]
    assert {key: type(value) for key, value in auto_stop.items()} == {
        "duration": int, "enable": bool, "prompt": bool, "remain_time": int, "stop_timestamp": int,
    }  # fmt: skip


def test_remain_time_is_what_lies_between_the_date_and_the_stop_time(cloud: Cloud) -> None:
    """`remain_time` counts whole seconds down to a `stop_timestamp` that stands still."""
    assert cloud.auto_stop()["remain_time"] == HOUR
    cloud.clock.advance(100.5)
    answer = cloud.request("GET", INSTANCE)
    auto_stop = answer.json()["spec"]["auto_stop"]
    assert auto_stop["stop_timestamp"] == (START + HOUR) * 1000
    assert auto_stop["remain_time"] == HOUR - 101
    assert parsedate_to_datetime(answer.headers["Date"]) == datetime.fromtimestamp(START + 100, timezone.utc)


def test_every_answer_is_dated_numbered_and_marked_as_emulated(cloud: Cloud) -> None:
    """Also refusals and the control routes carry `Date`, `X-Request-Id` and the emulator's header."""
    paths = [INSTANCE, f"{INSTANCES}/DE-no", "/v1/nowhere", "/_emulator", "/_emulator/nothing"]
    answers = [cloud.request("GET", path) for path in paths] + [cloud.request("GET", INSTANCE, headers={})]
    for answer in answers:
        assert answer.headers["X-Autostop-Emulator"] == "1"
        assert answer.headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == len(answers)


def test_the_instance_stops_when_its_time_is_up(cloud: Cloud) -> None:
    """At the stop time it is STOPPING, a little later STOPPED, and then shows only duration, enable and prompt."""
    cloud.clock.advance(HOUR - 0.001)
    assert cloud.get()["status"] == "RUNNING"
    cloud.clock.advance(0.001)
    assert cloud.get()["status"] == "STOPPING"
    assert set(cloud.auto_stop()) == {"duration", "enable", "prompt"}
    cloud.clock.advance(2)
    stopped = cloud.get()
    assert stopped["status"] == "STOPPED"
    assert set(stopped["spec"]["auto_stop"]) == {"duration", "enable", "prompt"}
    assert stopped["latest_update_timestamp"] == str(int((START + HOUR + 2) * 1000))


def test_a_long_time_without_a_look_comes_to_the_same(cloud: Cloud) -> None:
    """What was due is done at the time it was due, not at the time somebody looks."""
    cloud.clock.advance(30 * HOUR)
    answer = cloud.get()
    assert answer["status"] == "STOPPED"
    assert answer["latest_update_timestamp"] == str(int((START + HOUR + 2) * 1000))


def test_a_new_duration_on_a_running_instance_waits_for_the_next_start(cloud: Cloud) -> None:
    """The answer shows the new duration, the stop time of this run stays; the next run has it."""
    answer = cloud.set(enable=True, duration=2 * HOUR).json()
    assert answer["spec"]["auto_stop"]["duration"] == 2 * HOUR
    assert answer["spec"]["auto_stop"]["stop_timestamp"] == (START + HOUR) * 1000
    cloud.clock.advance(HOUR + 100)
    cloud.act("start")
    cloud.clock.advance(3)
    auto_stop = cloud.auto_stop()
    assert auto_stop["stop_timestamp"] == (START + HOUR + 103 + 2 * HOUR) * 1000
    assert auto_stop["remain_time"] == 2 * HOUR


def test_start_stop_and_restart_pass_through_their_statuses(cloud: Cloud) -> None:
    """Each action answers both statuses; a run begins when RUNNING is reached."""
    answer = cloud.act("stop")
    assert answer.json() == {"current_status": "STOPPING", "previous_state": "RUNNING"}
    cloud.clock.advance(2)
    assert cloud.get()["status"] == "STOPPED"
    assert cloud.act("start").json() == {"current_status": "STARTING", "previous_state": "STOPPED"}
    assert set(cloud.auto_stop()) == {"duration", "enable", "prompt"}
    cloud.clock.advance(3)
    assert cloud.auto_stop()["stop_timestamp"] == (START + 5 + HOUR) * 1000
    cloud.clock.advance(600)
    assert cloud.act("restart").json() == {"current_status": "RESTARTING", "previous_state": "RUNNING"}
    cloud.clock.advance(3)
    assert cloud.auto_stop()["stop_timestamp"] == (START + 608 + HOUR) * 1000


def test_transition_times_are_the_constructors() -> None:
    """An emulator can be as slow as the cloud, or immediate."""
    with Cloud(times=Times(start=59, stop=0, restart=0)) as cloud:
        cloud.act("stop")
        assert cloud.get()["status"] == "STOPPED"
        cloud.act("start")
        cloud.clock.advance(58)
        assert cloud.get()["status"] == "STARTING"
        cloud.clock.advance(1)
        assert cloud.get()["status"] == "RUNNING"


def test_a_run_without_auto_stop_has_no_stop_time_and_does_not_stop(cloud: Cloud) -> None:
    """With `enable` false there is neither `stop_timestamp` nor `remain_time`, in this run and in the next."""
    answer = cloud.set(enable=False, prompt=False).json()
    assert answer["spec"]["auto_stop"] == {"duration": HOUR, "enable": False, "prompt": False}
    cloud.clock.advance(48 * HOUR)
    assert cloud.get()["status"] == "RUNNING"
    cloud.act("restart")
    cloud.clock.advance(3)
    assert cloud.auto_stop() == {"duration": HOUR, "enable": False, "prompt": False}


def test_settings_of_a_stopped_instance_count_from_its_start(cloud: Cloud) -> None:
    """A stopped instance can be changed, and nothing of it takes effect before the start."""
    cloud.act("stop")
    cloud.clock.advance(2)
    assert cloud.set(enable=True, duration=4 * HOUR).status_code == 200
    assert cloud.auto_stop() == {"duration": 4 * HOUR, "enable": True, "prompt": True}
    cloud.act("start")
    cloud.clock.advance(3)
    assert cloud.auto_stop()["remain_time"] == 4 * HOUR


def test_a_description_alone_leaves_auto_stop_alone(cloud: Cloud) -> None:
    """The documented sample request changes the description and the modification time, nothing else."""
    before = cloud.get()
    cloud.clock.advance(1)
    answer = cloud.put({"description": "This is for test."})
    assert answer.status_code == 200
    assert answer.json()["description"] == "This is for test."
    after = cloud.get()
    assert after["spec"]["auto_stop"] == {**before["spec"]["auto_stop"], "remain_time": HOUR - 1}
    assert int(after["latest_update_timestamp"]) == int(cloud.now())


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_an_unknown_instance_is_6309_with_status_400(cloud: Cloud, method: str) -> None:
    """Not 404: that is how ModelArts documents it."""
    answer = cloud.request(method, f"{INSTANCES}/DE-0", json={})
    assert code(answer) == (400, "ModelArts.6309")
    assert code(cloud.request("POST", f"{INSTANCES}/DE-0/action", json={"action": "stop"})) == (400, "ModelArts.6309")


@pytest.mark.parametrize(("method", "path"), [("DELETE", INSTANCE), ("GET", f"{INSTANCE}/action"), ("POST", INSTANCES)])
def test_what_is_not_offered_is_405(cloud: Cloud, method: str, path: str) -> None:
    """DELETE above all: an emulator has nothing to delete, and a client of ours never sends it."""
    answer = cloud.request(method, path)
    assert answer.status_code == 405
    assert set(answer.json()) == {"error_message", "error_code"}
    assert answer.headers["Allow"]
    assert cloud.get()["status"] == "RUNNING"


def test_a_head_request_is_answered_without_a_body(cloud: Cloud) -> None:
    """HEAD is not offered either, and does not upset the connection."""
    assert cloud.request("HEAD", INSTANCE).content == b""
    assert cloud.get()["status"] == "RUNNING"


def test_the_list_filters_sorts_and_pages(cloud: Cloud) -> None:
    """By status and workspace, by name (default) or creation, both ways; `total_count` is of all that match."""
    for name in ("zeta", "alpha"):
        cloud.clock.advance(1)
        cloud.emulator.add(f"DE-{name}", name=name)

    def names(**query: Any) -> tuple[int, list[str]]:
        answer = cloud.request("GET", INSTANCES, params={"de_type": "Notebook", **query}).json()
        assert set(answer) == {"total_count", "instances"}
        return answer["total_count"], [instance["name"] for instance in answer["instances"]]

    assert names() == (3, ["alpha", "example-notebook", "zeta"])
    assert names(order="desc") == (3, ["zeta", "example-notebook", "alpha"])
    assert names(sortby="creation_timestamp") == (3, ["example-notebook", "zeta", "alpha"])
    assert names(status="STOPPED") == (2, ["alpha", "zeta"])
    assert names(offset=1, limit=1) == (3, ["example-notebook"])
    assert names(limit=0, offset=2) == (3, ["zeta"])
    assert names(workspace_id="0", status="RUNNING") == (1, ["example-notebook"])
    assert names(workspace_id="7") == (0, [])


@pytest.mark.parametrize(
    ("query", "number"),
    [
        ("", 6335),
        ("de_type=notebook", 6336),
        ("de_type=Notebook&sortby=id", 6336),
        ("de_type=Notebook&order=up", 6336),
        ("de_type=Notebook&offset=-1", 6336),
        ("de_type=Notebook&limit=many", 6336),
    ],
)
def test_a_list_query_that_makes_no_sense_is_refused(cloud: Cloud, query: str, number: int) -> None:
    """`de_type` is mandatory, the rest has few values."""
    answer = cloud.request("GET", f"{INSTANCES}?{query}")
    assert code(answer) == (400, f"ModelArts.{number}")


@pytest.mark.parametrize(
    ("remaining", "duration"),
    [(1, HOUR), (360, HOUR), (HOUR, HOUR), (HOUR + 1, 2 * HOUR), (5400, 2 * HOUR), (86400, 24 * HOUR)],
)
def test_a_remaining_time_makes_a_run_with_a_legal_duration(remaining: int, duration: int) -> None:
    """The run began earlier instead: with 6 min left of 1 h, 54 min ago."""
    with Cloud(remaining=remaining) as cloud:
        auto_stop = cloud.auto_stop()
        assert auto_stop["duration"] == duration
        assert auto_stop["remain_time"] == remaining
        assert cloud.control("GET", "/instance").json()["state"]["run"] == {
            "started": (START + remaining - duration) * 1000,
            "duration": duration,
            "stop_at": (START + remaining) * 1000,
        }


@pytest.mark.parametrize("remaining", [0, -5, 86401])
def test_a_remaining_time_out_of_range_names_the_limit(remaining: int) -> None:
    """1 s to 24 h."""
    with pytest.raises(ValueError, match=r"1 s to 24 h \(86400 s\)"):
        Cloud(remaining=remaining)


def test_the_record_holds_what_was_sent_but_no_header(cloud: Cloud) -> None:
    """Method, path, query, JSON body, the status answered and when; a token has no place to appear in."""
    cloud.put({"description": "x"})
    cloud.request("GET", f"{INSTANCES}?de_type=Notebook", headers={})
    seen = cloud.seen()
    assert seen[0] == {
        "method": "PUT", "path": INSTANCE, "query": {}, "body": {"description": "x"}, "at": START * 1000,
        "status": 200, "fault": None, "user_id": None, "ignored": [],
    }  # fmt: skip
    assert seen[1]["status"] == 401
    assert seen[1]["query"] == {"de_type": "Notebook"}
    assert BY_TOKEN["X-Auth-Token"] not in str(seen)
    cloud.control("DELETE", "/requests")
    assert cloud.seen() == []
