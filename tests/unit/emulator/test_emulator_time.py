"""The emulator's clock at any rate, the length of transitions, and the history of what happened."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from emulator_support import HOUR, START, Cloud, ManualClock

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.clock import OffsetClock


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def test_a_clock_runs_at_its_rate_from_when_that_was_set() -> None:
    """Faster, slower, not at all; what has passed before stays as it was, and so do the moves."""
    below = ManualClock()
    clock = OffsetClock(offset=-100, clock=below)
    passed = []
    begun = clock.time(), clock.monotonic()
    for rate in (1.0, 60.0, 0.5, 0.0):
        clock.set_rate(rate)
        before = clock.time(), clock.monotonic()
        below.advance(10)
        clock.advance(3)
        passed.append((clock.time() - before[0], clock.monotonic() - before[1]))
    assert passed == [(13, 13), (603, 603), (8, 8), (3, 3)]
    assert (clock.time() - begun[0], clock.monotonic() - begun[1]) == (627, 627)


def test_a_sleeper_waits_by_the_rate_and_wakes_when_it_changes() -> None:
    """A day that has begun to pass at no rate at all is over at once at a great one."""

    async def story() -> None:
        clock = OffsetClock()
        clock.set_rate(0)
        begun = clock.monotonic()
        sleeping = asyncio.get_running_loop().create_task(clock.sleep(86400))
        for _ in range(10):
            await asyncio.sleep(0)
        assert not sleeping.done()
        assert clock.monotonic() == begun
        clock.set_rate(100_000_000)
        await asyncio.wait_for(sleeping, 60)
        assert clock.monotonic() - begun >= 86400

    asyncio.run(story())


def test_the_rate_is_set_on_request(cloud: Cloud) -> None:
    """`PATCH clock`; at 0 time stands still, and can still be moved."""
    cloud.emulator.clock = clock = OffsetClock()
    assert cloud.control("PATCH", "/clock", {"rate": 0}).json()["rate"] == 0
    now = cloud.control("GET", "/clock").json()["now"]
    assert cloud.control("GET", "/clock").json()["now"] == now
    assert cloud.control("POST", "/clock", {"advance": 90}).json()["now"] == now + 90_000
    assert cloud.control("PATCH", "/clock", {"rate": 3600}).json()["rate"] == clock.rate == 3600


@pytest.mark.parametrize("body", [{}, [], {"rate": -1}, {"rate": "1"}, {"rate": 1e9}, {"rate": True}, {"advance": 1}])
def test_a_rate_that_makes_no_sense_is_refused(cloud: Cloud, body: Any) -> None:
    """With a sentence; time goes on as it did."""
    cloud.emulator.clock = clock = OffsetClock()
    answer = cloud.control("PATCH", "/clock", body)
    assert answer.status_code == 400
    assert "rate" in answer.json()["message"]
    assert clock.rate == 1


def test_a_clock_without_a_rate_says_so(cloud: Cloud) -> None:
    """409, with a sentence; the rate is shown as null."""
    assert cloud.control("GET", "/clock").json()["rate"] is None
    answer = cloud.control("PATCH", "/clock", {"rate": 2})
    assert (answer.status_code, answer.json()["message"][-1]) == (409, ".")


def test_transitions_take_as_long_as_they_are_told(cloud: Cloud) -> None:
    """From the next one on; those named change, the others stay."""
    assert cloud.control("PATCH", "/times", {"stop": 600}).json() == {"start": 3, "stop": 600, "restart": 3}
    cloud.act("stop")
    cloud.control("PATCH", "/times", {"stop": 1, "start": 0})
    cloud.clock.advance(599)
    assert cloud.get()["status"] == "STOPPING"
    cloud.clock.advance(1)
    assert cloud.get()["status"] == "STOPPED"
    cloud.act("start")
    assert cloud.get()["status"] == "RUNNING"
    assert cloud.control("GET", "/times").json() == {"start": 0, "stop": 1, "restart": 3}


def test_a_transition_that_has_begun_unseen_takes_what_it_took(cloud: Cloud) -> None:
    """The run ended ten seconds ago, and nobody has looked since."""
    cloud.clock.advance(HOUR + 10)
    cloud.control("PATCH", "/times", {"stop": 600})
    assert cloud.get()["status"] == "STOPPED"


@pytest.mark.parametrize("body", [{}, [], {"stop": -1}, {"stop": None}, {"stop": 86401}, {"pause": 1}])
def test_a_transition_that_makes_no_sense_is_refused(cloud: Cloud, body: Any) -> None:
    """With a sentence, and nothing changes."""
    answer = cloud.control("PATCH", "/times", body)
    assert (answer.status_code, answer.json()["message"][-1]) == (400, ".")
    assert cloud.control("GET", "/times").json() == {"start": 3, "stop": 2, "restart": 3}


def test_the_history_tells_what_happened_and_what_was_true_then(cloud: Cloud) -> None:
    """Each at its own time, also what nobody was looking at."""
    cloud.set(enable=True, duration=2 * HOUR, prompt=False)
    cloud.clock.advance(HOUR + 10)
    cloud.act("start")
    cloud.clock.advance(5)
    events = cloud.control("GET", "/history").json()["events"]
    end, start = START + HOUR, START + HOUR + 10
    assert [(event["at"] / 1000, event["status"], event["stop_at"]) for event in events] == [
        (START, "RUNNING", end * 1000),
        (end, "STOPPING", None),
        (end + 2, "STOPPED", None),
        (start, "STARTING", None),
        (start + 3, "RUNNING", (start + 3 + 2 * HOUR) * 1000),
    ]
    assert "Its time is up" in events[1]["what"]
    auto_stop = {"instance": defaults.INSTANCE_ID, "enable": True, "duration": 2 * HOUR, "prompt": False}
    assert all(event.items() >= auto_stop.items() for event in events)


def test_the_history_can_be_forgotten(cloud: Cloud) -> None:
    """What was due before is forgotten too; a login is of no instance."""
    cloud.clock.advance(2 * HOUR)
    assert cloud.control("DELETE", "/history").json() == {"events": []}
    cloud.login()
    (event,) = cloud.control("GET", "/history").json()["events"]
    assert "logged in" in event["what"]
    assert (event["instance"], event["status"]) == (None, None)
