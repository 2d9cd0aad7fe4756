"""The keeper in real servers: killed at every step, two on one record, on a full disk, told to end.

The platform's own history tells afterwards whether the run was ever left without a stop that somebody would see to,
whether it was stopped too early or never, and whether the settings came back.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from keeper_rig import HOUR, PRIOR, Rig, Server
from nursery import Nursery

GRACE = 900
TOLERANCE = 2000
"""ms by which two tellings of one moment may differ."""


@dataclass(frozen=True)
class Point:
    """Where a server is killed: at its `number`th request or file step, before or after that counts (or half way)."""

    kind: str
    number: int
    when: str


def points(kind: str, number: int) -> list[Point]:
    """Return every way to die at the `number`th request or file step."""
    return [Point(kind, number, when) for when in (("before", "after") if kind == "request" else ("before", "half"))]


Act = Callable[[Rig, Server], None]
"""What a server does until it is killed; returns when it is done."""


def act_beside(act: Act, rig: Rig, server: Server) -> threading.Thread:
    """Let a server act, and give up once it is dead."""

    def run() -> None:
        try:
            act(rig, server)
        except httpx.TransportError:
            # Its end may be seen in the connection before it is seen in the process.
            rig.until(lambda: server.ended)
        except Exception:
            if not server.ended:
                raise

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def strike(rig: Rig, server: Server, point: Point, act: Act) -> bool:
    """Kill a server at a point of what it does; return whether it got that far."""
    rig.cloud.control("DELETE", "requests")
    if point.kind == "request":
        rig.cloud.fault("hang", skip=point.number - 1, apply=point.when == "after")
        thread = act_beside(act, rig, server)
        rig.until(lambda: rig.cloud.held_up or not thread.is_alive())
        reached = rig.cloud.held_up
    else:
        rig.arm()
        thread = act_beside(act, rig, server)
        rig.until(lambda: server.ended or not thread.is_alive())
        reached = server.ended
        rig.arm(armed=False)
    server.end()
    thread.join()
    rig.cloud.heal()
    return reached


def starting(rig: Rig, point: Point) -> Server:
    """Start the server that is to be killed."""
    return rig.server(at=point.number, when=point.when) if point.kind == "file" else rig.server()


def see_through(rig: Rig, server: Server, promised: int) -> None:
    """See a run to its end: not before what was promised (ms), and not without the settings of before."""
    cloud = rig.cloud
    state: dict[str, Any] = {}

    def settled() -> bool:
        nonlocal state
        state = server.look()
        if state["deadline"] or cloud.stopped_at:
            return True
        # An unanswered write is waited for.
        cloud.advance(5)
        return False

    rig.until(settled)
    if not cloud.stopped_at:
        deadline = state["deadline"]["stop_timestamp"]
        assert deadline >= promised - TOLERANCE
        if state["deadline"]["kept_by"] == "platform":
            assert abs((cloud.stop_at or 0) - deadline) <= TOLERANCE
        else:
            assert cloud.stop_at is None
            assert state["auto_stop"]["enable"] is False
        if (left := deadline - cloud.now() - 20_000) > 0:
            cloud.advance(left / 1000)
            server.look()
        assert cloud.stopped_at is None or cloud.stopped_at >= deadline - TOLERANCE
        rig.until(lambda: stopped(rig, server))
        assert (cloud.stopped_at or 0) >= deadline - TOLERANCE
    assert (cloud.stopped_at or 0) >= promised - TOLERANCE
    settings_back(rig, server)


def stopped(rig: Rig, server: Server) -> bool:
    """Tell whether the instance stops; if not, let the time come at which it is to be stopped."""
    deadline = server.look()["deadline"]
    if rig.cloud.stopped_at:
        return True
    left = deadline["stop_timestamp"] - rig.cloud.now() if deadline else 0
    # Where it is due and does not come, an unanswered write is waited for.
    rig.cloud.advance(left / 1000 + 0.5 if left > 0 else 2)
    return False


def settings_back(rig: Rig, server: Server) -> None:
    """Wait until the settings are those of before, for whatever time an unanswered write takes."""

    def back() -> bool:
        # Somebody looks: a server left alone does so once in a minute, of which the platform's leaps know nothing.
        if not server.look()["holds"] and rig.cloud.setting == PRIOR:
            return True
        rig.cloud.advance(5)
        return False

    rig.until(back)


def restart(rig: Rig) -> Server:
    """Start a server again; where a run was left without a stop, it looks at it before anybody asks."""
    cloud = rig.cloud
    alone = cloud.state["status"] == "RUNNING" and cloud.stop_at is None
    cloud.control("DELETE", "requests")
    server = rig.server()
    if alone:
        rig.until(lambda: cloud.requests)
    return server


def extend(rig: Rig, server: Server) -> None:
    """Extend by two hours, which the platform does not do."""
    answer = server.ask("POST", "extend", {"by": 2 * HOUR})
    assert answer.status_code == 200, answer.text


def held(rig: Rig, server: Server, until: int, **body: Any) -> dict[str, Any]:
    """Hold the run until then."""
    answer = server.ask("POST", "holds", {"until": until, **body})
    assert answer.status_code == 201, answer.text
    state = server.look()
    assert state["deadline"] == {"stop_timestamp": until, "kept_by": "server"}
    assert rig.cloud.stop_at is None
    return answer.json()


def own_stop(rig: Rig) -> int:
    """Return the platform's own stop time of the run."""
    stop_at = rig.cloud.stop_at
    assert stop_at is not None
    return stop_at


@dataclass(frozen=True)
class Story:
    """Something that a server does and is killed at: what comes before, and when the run then may end at the earliest.

    `prepare` returns the moment (ms) promised before the act begins; `act` may bring it nearer by `nearer`.
    """

    prepare: Callable[[Rig, Server], int]
    act: Act
    nearer: Callable[[Rig, int], int] = lambda _, promised: promised


def nothing_held(rig: Rig, server: Server) -> int:
    server.look()
    return own_stop(rig)


def release(rig: Rig, server: Server) -> None:
    """End the hold by hand."""
    (hold,) = server.ask("GET", "instance").json()["holds"]
    answer = server.ask("DELETE", f"holds/{hold['id']}")
    assert answer.status_code == 200, answer.text


def held_early(rig: Rig, server: Server, **body: Any) -> int:
    """Hold until an hour after the platform's own stop time, which is still to come."""
    until = own_stop(rig) + HOUR * 1000
    held(rig, server, until, **body)
    return until


def held_late(rig: Rig, server: Server, **body: Any) -> int:
    """Hold, and let the platform's own stop time pass."""
    until = held_early(rig, server, **body)
    rig.cloud.advance(HOUR + 600)
    server.look()
    return until


def held_to_stop(rig: Rig, server: Server) -> int:
    """Hold so that the run is stopped at its end."""
    return held_late(rig, server, then="stop")


def the_platforms(rig: Rig, promised: int) -> int:
    """The platform's own stop time, an hour before what was promised."""
    return promised - HOUR * 1000


def after_grace(rig: Rig, promised: int) -> int:
    """The grace, from now."""
    return min(promised, rig.cloud.now() + GRACE * 1000)


def expire(rig: Rig, server: Server) -> None:
    """Let the time of the hold come, and wait until all is over."""
    (hold,) = server.ask("GET", "instance").json()["holds"]
    rig.cloud.advance((hold["until"] - rig.cloud.now()) / 1000 + 1)
    server.look()
    rig.until(lambda: rig.cloud.stopped_at or server.ended)
    settings_back(rig, server)


STORIES = {
    "extend": Story(nothing_held, extend),
    "release before the platform's own stop time": Story(held_early, release, the_platforms),
    "release after it": Story(held_late, release, after_grace),
    "the time has come": Story(held_to_stop, expire),
}
REENABLE = ("refuse", "stop", "count_anew", "accept")


def tell(rig: Rig, story: Story, point: Point) -> bool:
    """Let a server be killed at a point of a story, start it again, and see the run through."""
    server = starting(rig, point)
    promised = story.prepare(rig, server)
    nearer = story.nearer(rig, promised)
    reached = strike(rig, server, point, story.act)
    if reached:
        see_through(rig, restart(rig), nearer)
    return reached


def walk(nursery: Nursery, folder: Path, story: Story, kind: str, numbers: Iterator[int], **switches: Any) -> int:
    """Kill at one point after the other, each with a new platform and record, until the end of the story."""
    reached = 0
    for number in numbers:
        for point in points(kind, number):
            with ExitStack() as stack:
                place = folder / f"{kind}-{number}-{point.when}"
                place.mkdir()
                rig = Rig(stack, nursery, place)
                rig.cloud.turn(**switches)
                try:
                    if not tell(rig, story, point):
                        return reached
                except Exception as error:
                    raise AssertionError(f"{point}: {json.dumps(rig.cloud.events[-12:], indent=1)}") from error
                reached += 1
    return reached


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STORIES)
def test_killed_at_some_requests(nursery: Nursery, tmp_path: Path, name: str) -> None:
    """Before or after the platform has taken it: the run has a stop, not too early, and the settings come back."""
    assert walk(nursery, tmp_path, STORIES[name], "request", itertools.count(1, 4)) >= 1


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", STORIES)
def test_killed_at_some_file_steps(nursery: Nursery, tmp_path: Path, name: str) -> None:
    """Before a write, a sync or a replacement, and half through a write."""
    assert walk(nursery, tmp_path, STORIES[name], "file", itertools.count(1, 9)) >= 1


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["request", "file"])
@pytest.mark.parametrize("reenable", REENABLE)
@pytest.mark.parametrize("edit_while_stopping", [False, True])
@pytest.mark.parametrize("name", STORIES)
def test_killed_anywhere_on_any_platform(
    nursery: Nursery, tmp_path: Path, name: str, kind: str, reenable: str, *, edit_while_stopping: bool
) -> None:
    """The whole product: each story, each platform, each point."""
    switches = {"reenable": reenable, "edit_while_stopping": edit_while_stopping}
    # A release after the platform's own stop time is a look at the platform, and no write to it.
    least = 2 if kind == "request" and name == "release after it" else 4
    assert walk(nursery, tmp_path, STORIES[name], kind, itertools.count(1), **switches) >= least
