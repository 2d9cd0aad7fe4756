"""What the emulated platform refuses, and with which of the documented codes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from emulator_support import HOUR, INSTANCE, Cloud, code


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


@pytest.mark.parametrize("text", ["", "x" * 512, "Zeit für 训练 🚀", "line\nbreak, `tick` and \\"])
def test_a_description_within_the_limits_is_kept_as_it_is(cloud: Cloud, text: str) -> None:
    """512 characters, any script, empty too."""
    assert cloud.put({"description": text}).json()["description"] == text
    assert cloud.get()["description"] == text


@pytest.mark.parametrize(
    ("body", "number"),
    [
        *(({"description": f"a{char}b"}, 6334) for char in "&<>\"'/"),
        ({"description": "x" * 513}, 6334),
        ({"description": 5}, 6336),
        ({"description": None}, 6336),
        ([], 6336),
        ("text", 6336),
        ({"spec": []}, 6336),
        ({"spec": None}, 6336),
        ({"spec": {"auto_stop": 1}}, 6336),
        ({"spec": {"auto_stop": {"enable": "true", "duration": 3600}}}, 6336),
        ({"spec": {"auto_stop": {"enable": 1, "duration": 3600}}}, 6336),
        ({"spec": {"auto_stop": {"enable": False, "prompt": None}}}, 6336),
        ({"spec": {"auto_stop": {"enable": True, "duration": "3600"}}}, 6336),
        ({"spec": {"auto_stop": {"enable": True, "duration": 3600.0}}}, 6336),
        ({"spec": {"auto_stop": {"enable": True, "duration": True}}}, 6336),
        ({"spec": {"auto_stop": {"enable": True, "duration": None}}}, 6336),
        ({"spec": {"auto_stop": {"enable": True}}}, 6348),
        ({"spec": {"auto_stop": {"enable": True, "duration": 3599}}}, 6349),
        ({"spec": {"auto_stop": {"enable": True, "duration": 86401}}}, 6349),
        ({"spec": {"auto_stop": {"enable": False, "duration": 0}}}, 6349),
        ({"description": "fine", "spec": {"auto_stop": {"enable": True, "duration": 10**30}}}, 6349),
    ],
)
def test_a_body_beyond_the_limits_is_refused_with_its_code_and_changes_nothing(
    cloud: Cloud, body: Any, number: int
) -> None:
    """The documented codes come with HTTP 400 and the body {"error_message", "error_code"}; half a change is none."""
    before = cloud.get()
    answer = cloud.put(body)
    assert code(answer) == (400, f"ModelArts.{number}")
    assert set(answer.json()) == {"error_message", "error_code"}
    assert cloud.get() == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"])
def test_a_body_that_is_no_json_is_refused(cloud: Cloud, content: bytes) -> None:
    """Whatever the bytes are, the answer is 6336."""
    assert code(cloud.request("PUT", INSTANCE, content=content)) == (400, "ModelArts.6336")


@pytest.mark.parametrize("duration", [3600, 86400])
def test_the_limits_of_the_duration_belong_to_it(cloud: Cloud, duration: int) -> None:
    """3600 and 86400 s are legal."""
    assert cloud.set(enable=True, duration=duration).status_code == 200
    assert cloud.auto_stop()["duration"] == duration


def test_half_a_character_in_a_description_is_refused(cloud: Cloud) -> None:
    """A lone surrogate, which JSON can spell, is a forbidden character."""
    answer = cloud.request("PUT", INSTANCE, content=b'{"description": "\\ud800"}')
    assert code(answer) == (400, "ModelArts.6334")


def test_unknown_keys_are_ignored_and_recorded(cloud: Cloud) -> None:
    """The cloud does not mind them; the record shows them, so that a client's slip is found."""
    body = {
        "description": "x",
        "name": "no",
        "spec": {"colour": 1, "auto_stop": {"enable": False, "duration": HOUR, "stop": 1}},
    }
    assert cloud.put(body).status_code == 200
    assert cloud.get()["name"] != "no"
    assert cloud.seen()[0]["ignored"] == ["name", "spec.auto_stop.stop", "spec.colour"]


# How to come into a status, and what is then refused with which code (None: accepted).
STATUSES: dict[str, tuple[list[str | float], dict[str, int | None]]] = {
    "RUNNING": ([], {"put": None, "start": 6347, "stop": None, "restart": None, "queue": 6347}),
    "STOPPING": (["stop"], {"put": 6308, "start": 6308, "stop": 6308, "restart": 6308, "dequeue": 6308}),
    "STOPPED": (["stop", 2.0], {"put": None, "start": None, "stop": 6307, "restart": 6327, "queue": 6347}),
    "STARTING": (["stop", 2.0, "start"], {"put": 6306, "start": 6306, "stop": 6306, "restart": 6306}),
    "RESTARTING": (["restart"], {"put": 6357, "start": 6357, "stop": 6357, "restart": 6357}),
    "FROZEN": (["FROZEN"], {"put": 6347, "start": 6347, "stop": 6327, "restart": 6327}),
    "START_FAILED": (["START_FAILED"], {"put": 6347, "start": None, "stop": 6327, "restart": 6327}),
}


@pytest.mark.parametrize(
    ("status", "what", "number"),
    [(status, what, number) for status, (_, codes) in STATUSES.items() for what, number in codes.items()],
)
def test_a_request_in_the_wrong_status_is_refused_with_its_code(
    cloud: Cloud, status: str, what: str, number: int | None
) -> None:
    """6306 starting, 6307 stopped, 6308 stopping, 6327 not running, 6347 not in this status, 6357 busy otherwise."""
    for step in STATUSES[status][0]:
        if isinstance(step, float):
            cloud.clock.advance(step)
        elif step.islower():
            cloud.act(step)
        else:
            cloud.control("PATCH", "/instance", {"status": step})
    assert cloud.get()["status"] == status
    answer = cloud.put({"description": "x"}) if what == "put" else cloud.act(what)
    if number is None:
        assert answer.status_code == 200
    else:
        assert code(answer) == (400, f"ModelArts.{number}")
        assert cloud.get()["status"] == status


@pytest.mark.parametrize(
    ("body", "number"),
    [({}, 6335), ({"action": "none"}, 6336), ({"action": "destroy"}, 6336), ({"action": []}, 6336), ([], 6336)],
)
def test_an_action_that_is_none_is_refused(cloud: Cloud, body: Any, number: int) -> None:
    """6335 where the property is missing, 6336 where its value is none of the documented."""
    assert code(cloud.request("POST", f"{INSTANCE}/action", json=body)) == (400, f"ModelArts.{number}")
