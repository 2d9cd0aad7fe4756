"""The control routes: the console, the clock, a look inside; for programs on this machine only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulator_support import BY_TOKEN, HOUR, INSTANCE, START, Cloud, ManualClock

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.behaviour import Behaviour
from jupyter_autostop.emulator.clock import OffsetClock
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.emulator.state import Emulator


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def edit(cloud: Cloud, **changes: Any) -> dict[str, Any]:
    answer = cloud.control("PATCH", "/instance", changes)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_root_says_what_this_is(cloud: Cloud) -> None:
    """Ids, switches, clock and routes, and no key."""
    answer = cloud.control("GET")
    about = answer.json()
    assert about["project_id"] == defaults.PROJECT_ID
    assert about["instance_ids"] == [defaults.INSTANCE_ID]
    assert about["behaviour"] == Behaviour().shown()
    assert about["clock"] == {"now": START * 1000, "date_offset": 0.0, "movable": True, "rate": None}
    assert set(about["routes"]) == {
        "/_emulator", "/_emulator/requests", "/_emulator/faults", "/_emulator/behaviour", "/_emulator/clock",
        "/_emulator/history", "/_emulator/instance", "/_emulator/keys", "/_emulator/permissions", "/_emulator/tokens",
        "/_emulator/times",
    }  # fmt: skip
    for secret in (defaults.SECRET_KEY, defaults.TOKEN, defaults.SECURITY_TOKEN, defaults.IAM_PASSWORD):
        assert secret not in answer.text


@pytest.mark.parametrize(
    ("method", "route", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/clock/hands", 404),
        ("GET", "/instance/DE-no", 404),
        ("PATCH", "/instance/a/b", 404),
        ("DELETE", "", 405),
        ("PUT", "/faults", 405),
        ("DELETE", "/instance", 405),
        ("GET", "/keys", 405),
        ("DELETE", "/permissions", 405),
        ("GET", "/tokens/some", 404),
    ],
)
def test_a_wrong_route_or_verb_is_refused_in_words(cloud: Cloud, method: str, route: str, status: int) -> None:
    """JSON with a sentence, as every error of the control routes."""
    answer = cloud.control(method, route)
    assert answer.status_code == status
    assert answer.json()["message"].endswith(".")


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://evil.example.com"}, {"Host": "evil.example.com"}, {"Host": "["}]
)
def test_web_pages_are_kept_out(cloud: Cloud, headers: dict[str, str]) -> None:
    """A page in a browser on this machine can reach the port, by a form or a rebound name; it changes nothing."""
    answer = cloud.request("POST", "/_emulator/faults", json={"kind": "hang"}, headers=headers)
    assert answer.status_code == 403
    assert cloud.emulator.faults.shown() == []


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765"])
def test_every_name_of_this_machine_is_fine(cloud: Cloud, host: str) -> None:
    """`localhost` and loopback addresses."""
    assert cloud.request("GET", "/_emulator", headers={"Host": host}).status_code == 200


def test_the_clock_moves_on_request(cloud: Cloud) -> None:
    """And what was due meanwhile has happened."""
    answer = cloud.control("POST", "/clock", {"advance": HOUR + 2.5})
    assert answer.json()["now"] == (START + HOUR + 2.5) * 1000
    assert cloud.emulator.instance.status == "STOPPED"


def test_the_date_can_be_off_until_told_otherwise(cloud: Cloud) -> None:
    """`date_offset` shifts the `Date` of every answer; the clock itself stays right."""
    cloud.control("POST", "/clock", {"date_offset": -7200})
    answer = cloud.request("GET", INSTANCE)
    assert answer.headers["Date"] == "Tue, 14 Nov 2023 20:13:20 GMT"
    assert answer.json()["spec"]["auto_stop"]["remain_time"] == HOUR
    cloud.control("POST", "/clock", {"date_offset": 0})
    assert cloud.request("GET", INSTANCE).headers["Date"] == "Tue, 14 Nov 2023 22:13:20 GMT"


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"advance": -1},
        {"advance": "1"},
        {"advance": True},
        {"advance": 1e12},
        {"back": 1},
        {"date_offset": None},
    ],
)
def test_a_move_that_makes_no_sense_is_refused(cloud: Cloud, body: Any) -> None:
    """Above all, time never runs backwards."""
    answer = cloud.control("POST", "/clock", body)
    assert answer.status_code == 400
    assert answer.json()["message"]
    assert cloud.clock.time() == START


def test_a_clock_that_cannot_be_moved_says_so(cloud: Cloud) -> None:
    """409, with a sentence."""

    class StandingClock:
        time = ManualClock.time
        monotonic = ManualClock.monotonic
        sleep = ManualClock.sleep
        _now = START

    cloud.emulator.clock = StandingClock()
    assert cloud.control("GET", "/clock").json()["movable"] is False
    assert cloud.control("POST", "/clock", {"advance": 1}).status_code == 409


def test_the_console_changes_settings_like_anybody(cloud: Cloud) -> None:
    """What is not named stays; the rules for a running instance hold for the console too."""
    edit(cloud, auto_stop={"duration": 7200}, description="by hand", name="renamed")
    answer = cloud.get()
    assert (answer["description"], answer["name"]) == ("by hand", "renamed")
    assert answer["spec"]["auto_stop"]["duration"] == 7200
    assert answer["spec"]["auto_stop"]["stop_timestamp"] == (START + HOUR) * 1000
    edit(cloud, auto_stop={"enable": False})
    assert cloud.auto_stop() == {"duration": 7200, "enable": False, "prompt": True}
    edit(cloud, auto_stop={"enable": True})
    assert cloud.auto_stop()["stop_timestamp"] == (START + HOUR) * 1000


def test_the_console_puts_the_stop_time_anywhere(cloud: Cloud) -> None:
    """Even where no rule would: into the past, or nowhere."""
    edit(cloud, auto_stop={"stop_timestamp": int(START + 90) * 1000})
    assert cloud.auto_stop()["remain_time"] == 90
    edit(cloud, auto_stop={"stop_timestamp": None})
    assert cloud.auto_stop() == {"duration": HOUR, "enable": True, "prompt": True}
    edit(cloud, auto_stop={"stop_timestamp": int(START * 1000) - 1})
    assert cloud.get()["status"] == "STOPPING"


def test_the_console_brings_the_stop_near(cloud: Cloud) -> None:
    """`remaining` sets a run that ends so many seconds from now, whatever the instance was before."""
    edit(cloud, status="STOPPED")
    assert set(cloud.auto_stop()) == {"duration", "enable", "prompt"}
    edit(cloud, remaining=360)
    assert cloud.get()["status"] == "RUNNING"
    assert cloud.auto_stop()["remain_time"] == 360


def test_the_console_sets_and_removes_any_field_of_the_answer(cloud: Cloud) -> None:
    """Only what is shown: GET, PUT and list show it so, until `reset`."""
    before = cloud.get()
    state = edit(
        cloud,
        set={"spec.auto_stop.remain_time": "soon", "error_code": "x", "a.b.c": [1], "user": None},
        remove=["profile", "spec.storage.type", "no.such.field", "user.id"],
    )["state"]
    assert state["removed"] == ["no.such.field", "profile", "spec.storage.type", "user.id"]
    listed = cloud.request("GET", INSTANCE.rpartition("/")[0], params={"de_type": "Notebook"}).json()["instances"][0]
    for answer in (cloud.get(), cloud.put({"description": before["description"]}).json(), listed):
        assert answer["spec"]["auto_stop"]["remain_time"] == "soon"
        assert answer["error_code"] == "x"
        assert answer["a"] == {"b": {"c": [1]}}
        assert answer["user"] is None
        assert "profile" not in answer
        assert "type" not in answer["spec"]["storage"]
    edit(cloud, remove=["spec.auto_stop"])
    assert "auto_stop" not in cloud.get()["spec"]
    edit(cloud, reset=True)
    assert cloud.get() == before


def test_a_look_inside_shows_what_is_true_beside_what_is_answered(cloud: Cloud) -> None:
    """The run, the transition under way, and the settings."""
    edit(cloud, remove=["status"])
    cloud.act("stop")
    inside = cloud.control("GET", f"/instance/{defaults.INSTANCE_ID}").json()
    assert "status" not in inside["answer"]
    assert inside["state"]["status"] == "STOPPING"
    assert inside["state"]["becomes"] == {"at": (START + 2) * 1000, "status": "STOPPED"}
    assert inside["state"]["run"] is None


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "must be a JSON object"),
        ({}, "must be a JSON object"),
        ({"colour": 1}, "Unknown key 'colour'"),
        ({"name": 1}, "name is a text"),
        ({"status": None}, "status is a text"),
        ({"remaining": "1h"}, "remaining is a number"),
        ({"remaining": 86401}, "1 s to 24 h"),
        ({"set": []}, "set is an object"),
        ({"remove": "spec"}, "remove is a list"),
        ({"auto_stop": {"stop": 1}}, "auto_stop is an object of"),
        ({"auto_stop": {"stop_timestamp": "1"}}, "whole milliseconds"),
        ({"auto_stop": {"duration": 1}}, "ModelArts.6349"),
        ({"description": "a/b"}, "ModelArts.6334"),
        ({"status": "STOPPED", "auto_stop": {"stop_timestamp": 1}}, "Only a running instance"),
    ],
)
def test_an_edit_that_makes_no_sense_is_refused_in_words(cloud: Cloud, body: Any, words: str) -> None:
    """With the platform's code where it is the platform's rule."""
    answer = cloud.control("PATCH", "/instance", body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_a_body_that_is_no_json_is_refused(cloud: Cloud) -> None:
    """On every control route that takes one."""
    changeable = [
        ("PATCH", route) for route in ("behaviour", "clock", "instance", "keys", "permissions", "times", "tokens")
    ]
    for method, route in [("POST", "faults"), ("POST", "clock"), *changeable]:
        answer = cloud.request(method, f"/_emulator/{route}", content=b"{")
        assert (answer.status_code, answer.json()) == (400, {"message": "The body must be JSON."})


def test_control_requests_are_not_recorded_and_hit_by_no_fault(cloud: Cloud) -> None:
    """Whoever has asked for a fault can still clear it."""
    cloud.fault(kind="hang", times=0, path=".*")
    assert cloud.control("DELETE", "/faults").status_code == 200
    assert cloud.seen() == []


def test_what_breaks_the_emulator_does_not_make_a_client_wait(cloud: Cloud, caplog: pytest.LogCaptureFixture) -> None:
    """The connection is closed and the error is logged."""
    cloud.emulator.record.add = None  # type: ignore[method-assign,assignment]
    with pytest.raises(httpx.RemoteProtocolError):
        cloud.request("GET", INSTANCE)
    assert "The emulator failed over a request." in caplog.text


def test_changes_are_told_as_they_happen(cloud: Cloud) -> None:
    """When and what, in sentences, in the order of time."""
    told: list[tuple[float, str]] = []
    cloud.emulator.on_change = lambda at, what: told.append((at / 1000 - START, what))
    cloud.put({"description": "x", "spec": {"auto_stop": {"enable": True, "duration": 5400, "prompt": True}}})
    cloud.clock.advance(HOUR + 10)
    cloud.act("start")
    cloud.clock.advance(3)
    edit(cloud, name="y")
    assert told == [
        (0, "Auto-stop was set: on, 1 h 30 min from each start."),
        (0, "The description was set: x"),
        (HOUR, "Its time is up: the instance is stopping."),
        (HOUR + 2, "The instance is stopped."),
        (HOUR + 10, "Asked to start: the instance is STARTING."),
        (HOUR + 13, "The instance is running."),
        (HOUR + 13, 'Changed from outside, as by the console: name "y".'),
    ]


def test_what_two_instances_were_due_happens_in_the_order_of_time(cloud: Cloud) -> None:
    """Whichever was added first."""
    other = cloud.emulator.add("DE-other", name="other")
    cloud.emulator.set_remaining(other, 600)
    told: list[float] = []
    cloud.emulator.on_change = lambda at, _: told.append(at / 1000 - START)
    cloud.clock.advance(2 * HOUR)
    cloud.get()
    assert told == [600, 602, HOUR, HOUR + 2]


def test_the_offset_clock_wakes_its_sleepers_when_it_is_moved() -> None:
    """A wait of a day is over as soon as the clock has been moved by one."""

    async def story() -> None:
        clock = OffsetClock(offset=-100)
        before, steady = clock.time(), clock.monotonic()
        sleeping = asyncio.get_running_loop().create_task(clock.sleep(86400))
        await asyncio.sleep(0)
        clock.advance(86399)
        await asyncio.sleep(0)
        assert not sleeping.done()
        clock.advance(1)
        await asyncio.wait_for(sleeping, 60)
        assert clock.time() - before >= 86400
        assert clock.monotonic() - steady >= 86400

    asyncio.run(story())


def test_two_emulators_know_nothing_of_each_other() -> None:
    """Each has its own port, clock and state."""

    async def story() -> None:
        servers = [EmulatorServer(Emulator(OffsetClock())) for _ in range(2)]
        for server in servers:
            await server.start()
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.put(servers[0].url + INSTANCE, json={"description": "first"}, headers=BY_TOKEN)
            answers = [await client.get(server.url + INSTANCE, headers=BY_TOKEN) for server in servers]
        for server in servers:
            await server.stop()
        assert [answer.json()["description"] == "first" for answer in answers] == [True, False]
        assert servers[0].url != servers[1].url

    asyncio.run(story())
