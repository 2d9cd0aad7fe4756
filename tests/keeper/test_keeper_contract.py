"""The keeper as its users and a hostile platform meet it: real servers, the contract's routes."""

from __future__ import annotations

import threading
from typing import Any

import httpx
import pytest
from keeper_rig import HOUR, PRIOR, Rig, Server

GRACE = 900
TOLERANCE = 2000


@pytest.fixture
def server(rig: Rig) -> Server:
    return rig.server()


def refused(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """Check that an answer is the contract's error, and return it."""
    assert answer.status_code in statuses, answer.text
    error: dict[str, Any] = answer.json()
    assert set(error) >= {"message", "code", "hint", "request_id"}
    assert error["message"].endswith(".")
    assert "Traceback" not in answer.text
    return error


def own_stop(rig: Rig) -> int:
    assert rig.cloud.stop_at is not None
    return rig.cloud.stop_at


def hold(rig: Rig, server: Server, minutes: float = 60, **body: Any) -> dict[str, Any]:
    """Hold until so many minutes after the platform's own stop time, or after now where there is none."""
    until = int((rig.cloud.stop_at or rig.cloud.now()) + minutes * 60_000)
    answer = server.ask("POST", "holds", {"until": until, **body})
    assert answer.status_code == 201, answer.text
    return answer.json()


def untouched(rig: Rig, server: Server, stop_at: int) -> None:
    """Check that the run is the platform's, as it was."""
    assert (rig.cloud.stop_at, rig.cloud.setting) == (stop_at, PRIOR)
    state = server.look()
    assert state["holds"] == []
    assert state["deadline"] == {"stop_timestamp": stop_at, "kept_by": "platform"}


# What may be asked for


BAD = [
    {},
    [],
    {"until": None},
    {"until": True},
    {"until": "18:00"},
    {"until": 1.5},
    {"until": 0},
    {"until": -1},
    {"until": 10**30},
    {"id": 7},
    {"id": ""},
    {"id": "x" * 300},
    {"id": "../../etc"},
    {"id": "a/b"},
    {"kernel_id": 5},
    {"kernel_id": ""},
    {"kernel_id": "x" * 5000},
    {"reason": 5},
    {"reason": "x" * 100_000},
    {"then": "explode"},
    {"then": None},
    {"pid": 0},
    {"pid": -1},
    {"pid": True},
    {"pid": 10**20},
    {"pid": "1"},
    {"owner": {"kind": "person"}},
    {"for": 3600},
]


def test_a_wish_that_makes_no_sense_is_refused(rig: Rig, server: Server) -> None:
    """With the contract's error, and nothing changes."""
    stop = own_stop(rig)
    for body in BAD:
        whole = {"until": stop + 60_000, **body} if isinstance(body, dict) and body and "for" not in body else body
        refused(server.ask("POST", "holds", whole), 400, 404)
    untouched(rig, server, stop)


def test_a_hold_in_the_past_or_beyond_the_ceiling_is_refused(rig: Rig) -> None:
    """The ceiling is named in `limits.until`."""
    server = rig.server("--AutostopApp.max_extension=7200")
    stop = own_stop(rig)
    refused(server.ask("POST", "holds", {"until": rig.cloud.now() - 1000}), 400)
    assert server.look()["limits"]["until"][1] <= rig.cloud.now() + 7200_000 + 5000
    refused(server.ask("POST", "holds", {"until": stop + 7200_000}), 400)
    untouched(rig, server, stop)
    assert hold(rig, server, 55)["until"] == stop + 55 * 60_000


def test_a_retry_with_the_same_id_is_harmless(rig: Rig, server: Server) -> None:
    """The same Hold again, and the platform is written to once."""
    first = hold(rig, server, id="mine", reason="training")
    puts = [seen for seen in rig.cloud.requests if seen["method"] == "PUT"]
    again = server.ask("POST", "holds", {"until": first["until"], "id": "mine", "reason": "training"})
    assert (again.status_code, again.json()) == (201, first)
    assert [seen for seen in rig.cloud.requests if seen["method"] == "PUT"] == puts
    assert server.look()["holds"] == [first]


def test_an_unknown_hold_cannot_be_ended(rig: Rig, server: Server) -> None:
    """404, also the second time; the State stays."""
    refused(server.ask("DELETE", "holds/none"), 404)
    made = hold(rig, server)
    assert server.ask("DELETE", f"holds/{made['id']}").status_code == 200
    refused(server.ask("DELETE", f"holds/{made['id']}"), 404)
    assert rig.cloud.setting == PRIOR


def test_many_holds_come_to_an_end(rig: Rig, server: Server) -> None:
    """As many as may be, each with as long a reason in as long letters as may be: a limit is named, nothing is lost."""
    stop = own_stop(rig)
    reason = "\N{GRINNING FACE}" * 512
    while server.ask("POST", "holds", {"until": stop + 60_000, "id": "a", "reason": reason}).status_code != 201:
        reason = reason[: len(reason) // 2]
        assert reason
    made = ["a"]
    for number in range(400):
        answer = server.ask("POST", "holds", {"until": stop + 60_000, "id": f"hold-{number}", "reason": reason})
        if answer.status_code != 201:
            refused(answer, 400, 409)
            break
        made.append(f"hold-{number}")
    else:
        raise AssertionError("There is no limit.")
    assert len(made) >= 100
    assert len(server.look()["holds"]) == len(made)
    for name in made:
        assert server.ask("DELETE", f"holds/{name}").status_code == 200
    untouched(rig, server, stop)


def test_fifty_wishes_at_once(rig: Rig, server: Server) -> None:
    """Each is answered, all are there, and one write switched auto-stop off."""
    stop = own_stop(rig)
    answers: list[int] = []

    def wish(number: int) -> None:
        answers.append(server.ask("POST", "holds", {"until": stop + number * 60_000, "id": f"n{number}"}).status_code)

    threads = [threading.Thread(target=wish, args=(number,)) for number in range(1, 51)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [201] * 50
    state = server.look()
    assert len(state["holds"]) == 50
    assert state["deadline"] == {"stop_timestamp": stop + 50 * 60 * 1000, "kept_by": "server"}
    offs = [
        seen
        for seen in rig.cloud.requests
        if seen["method"] == "PUT" and seen["body"]["spec"]["auto_stop"]["enable"] is False
    ]
    assert len(offs) == 1


def test_a_hold_that_the_platform_keeps_anyway(rig: Rig, server: Server) -> None:
    """Until before its own stop time: that one stays, and the hold is shown."""
    made = hold(rig, server, -30)
    state = server.look()
    assert state["holds"] == [made]
    assert state["deadline"] == {"stop_timestamp": rig.cloud.stop_at, "kept_by": "platform"}
    assert rig.cloud.setting == PRIOR
    assert server.ask("DELETE", f"holds/{made['id']}").status_code == 200
    untouched(rig, server, own_stop(rig))


def test_a_stopped_instance_cannot_be_held(rig: Rig, server: Server) -> None:
    """409, with the State; so it is while it stops."""
    until = own_stop(rig) + 60_000
    for status in ("STOPPING", "STOPPED"):
        rig.cloud.console(status=status)
        assert refused(server.ask("POST", "holds", {"until": until}), 409)["state"]["holds"] == []
        refused(server.ask("POST", "extend", {"by": 3600}), 409)


def test_nothing_is_held_once_a_stop_was_asked_for(rig: Rig, server: Server) -> None:
    """While the stop is under way, although the platform may still say RUNNING."""
    made = hold(rig, server)
    rig.cloud.fault("queued", method="POST", seconds=20)
    assert server.ask("POST", "stop").status_code in (202, 502, 504)
    refused(server.ask("POST", "holds", {"until": made["until"] + 60_000}), 409, 503)
    rig.cloud.advance(20)
    rig.until(lambda: server.look() and rig.cloud.stopped_at and rig.cloud.setting == PRIOR)


def test_a_site_without_holds(rig: Rig) -> None:
    """`allow_hold` false: 403, an extension does what the platform does, and the interface is told why."""
    server = rig.server("--AutostopApp.allow_hold=False")
    stop = own_stop(rig)
    refused(server.ask("POST", "holds", {"until": stop + 60_000}), 403)
    answer = server.ask("POST", "extend", {"by": 3600})
    assert answer.json()["outcome"]["effect"] == "next_start"
    assert "hold" in server.look()["limits"]["why_not"]
    untouched(rig, server, stop)


# An extension


def test_the_next_run_is_held_though_the_last_one_was_put_in_order(rig: Rig, server: Server) -> None:
    """A run length that went back while the instance was stopped has nothing to do with what the next run is told."""
    rig.cloud.turn(duration_applies="now")
    assert server.ask("POST", "extend", {"by": HOUR}).json()["outcome"]["effect"] == "now"
    rig.cloud.console(status="STOPPED")
    rig.until(lambda: server.look() and rig.cloud.setting == PRIOR)
    rig.until(lambda: any("back to" in entry["what"] for entry in server.ask("GET", "journal").json()["entries"]))
    rig.cloud.console(status="RUNNING")
    rig.cloud.turn(duration_applies="next_start")
    stop = own_stop(rig)
    state = server.ask("POST", "extend", {"by": HOUR}).json()
    assert state["outcome"]["effect"] == "held"
    assert abs(state["deadline"]["stop_timestamp"] - (stop + HOUR * 1000)) <= TOLERANCE
    assert [hold["id"] for hold in server.look()["holds"]] == ["extension"]


def test_an_extension_is_held_and_says_who_keeps_it(rig: Rig, server: Server) -> None:
    """`effect` held, `kept_by` server, counted from the shown deadline; the next one from there; the probe was odd."""
    stop = own_stop(rig)
    for more in (1, 2):
        state = server.ask("POST", "extend", {"by": HOUR}).json()
        assert state["outcome"]["effect"] == "held"
        assert state["deadline"]["kept_by"] == "server"
        assert abs(state["deadline"]["stop_timestamp"] - (stop + more * HOUR * 1000)) <= TOLERANCE
    puts = [seen["body"]["spec"]["auto_stop"] for seen in rig.cloud.requests if seen["method"] == "PUT"]
    assert [put["enable"] for put in puts] == [True, False]
    assert puts[0]["duration"] % 60
    assert puts[1]["duration"] == HOUR
    assert server.look()["auto_stop"]["enable"] is False


def test_an_extension_never_shortens(rig: Rig, server: Server) -> None:
    """`effect` none, and the deadline stays, held or not."""
    stop = own_stop(rig)
    assert server.ask("POST", "extend", {"until": stop - 60_000}).json()["outcome"]["effect"] == "none"
    untouched(rig, server, stop)
    server.ask("POST", "extend", {"until": stop + HOUR * 1000})
    state = server.ask("POST", "extend", {"until": stop + 60_000}).json()
    assert state["outcome"]["effect"] == "none"
    assert state["deadline"] == {"stop_timestamp": stop + HOUR * 1000, "kept_by": "server"}


def test_an_extension_that_the_platform_does_itself(rig: Rig, server: Server) -> None:
    """`effect` now, the platform keeps it, and the old duration is owed at the next start."""
    rig.cloud.turn(duration_applies="now")
    stop = own_stop(rig)
    state = server.ask("POST", "extend", {"by": HOUR}).json()
    assert state["outcome"]["effect"] == "now"
    assert state["deadline"]["kept_by"] == "platform"
    assert own_stop(rig) >= stop + HOUR * 1000 - TOLERANCE


@pytest.mark.parametrize("route", ["extend", "holds"])
def test_a_platform_that_goes_on_showing_the_stop_time(rig: Rig, server: Server, route: str) -> None:
    """`enable: false` for the next start only: never "held", and the settings are put back at once."""
    rig.cloud.turn(disable_applies="next_start")
    stop = own_stop(rig)
    answer = server.ask("POST", route, {"until": stop + HOUR * 1000})
    if answer.status_code == 200:
        assert answer.json()["outcome"]["effect"] == "next_start"
    else:
        refused(answer, 409, 502)
    rig.until(lambda: server.look() and rig.cloud.setting == PRIOR)
    untouched(rig, server, stop)


# While it is held


def test_the_description_is_edited_beside_a_hold(rig: Rig, server: Server) -> None:
    """Nothing but the description is sent."""
    made = hold(rig, server)
    before = rig.cloud.setting
    answer = server.ask("PATCH", "instance", {"description": "in the night"})
    assert answer.status_code == 200
    assert answer.json()["holds"] == [made]
    assert rig.cloud.setting == before


def test_the_person_switches_on_during_a_hold(rig: Rig, server: Server) -> None:
    """The holds end; the platform's stop time counts, being later than the grace."""
    stop = own_stop(rig)
    hold(rig, server)
    answer = server.ask("PATCH", "instance", {"auto_stop": {"enable": True, "duration": HOUR}})
    assert answer.status_code == 200, answer.text
    untouched(rig, server, stop)


def test_the_person_switches_off_during_a_hold(rig: Rig, server: Server) -> None:
    """The holds end, and nothing stops this run: neither then nor later."""
    made = hold(rig, server)
    answer = server.ask("PATCH", "instance", {"auto_stop": {"enable": False}})
    assert answer.status_code == 200, answer.text
    state = answer.json()
    assert (state["holds"], state["deadline"], state["problem"]) == ([], None, None)
    rig.cloud.advance((made["until"] - rig.cloud.now()) / 1000 + 10)
    server.look()
    server.end()
    assert rig.server().look()["deadline"] is None
    assert rig.cloud.setting == (False, HOUR, True)
    assert rig.cloud.state["status"] == "RUNNING"


def test_the_person_stops_during_a_hold(rig: Rig, server: Server) -> None:
    """Now, and the settings come back."""
    hold(rig, server)
    answer = server.ask("POST", "stop")
    assert answer.status_code == 202, answer.text
    rig.until(lambda: server.look() and rig.cloud.stopped_at and rig.cloud.setting == PRIOR)
    assert server.look()["holds"] == []


def test_the_console_switches_on_during_a_hold(rig: Rig, server: Server) -> None:
    """That is never undone: the holds end, and somebody is told."""
    hold(rig, server)
    rig.cloud.console(auto_stop={"enable": True})
    stop = own_stop(rig)
    state = server.look()
    rig.until(lambda: not server.look()["holds"])
    untouched(rig, server, stop)
    entries = server.ask("GET", "journal").json()["entries"]
    assert state["problem"] or len(entries) >= 2


def test_the_console_chooses_another_duration_during_a_hold(rig: Rig, server: Server) -> None:
    """It is what goes back at the end; the hold goes on."""
    made = hold(rig, server)
    rig.cloud.console(auto_stop={"duration": 3 * HOUR, "prompt": False})
    assert server.look()["holds"] == [made]
    assert server.ask("DELETE", f"holds/{made['id']}").status_code == 200
    rig.until(lambda: server.look() and rig.cloud.setting == (True, 3 * HOUR, False))


def test_a_hold_stops_no_other_run(rig: Rig, server: Server) -> None:
    """The instance is stopped and started at the console: the new run has its own stop time, and the settings."""
    made = hold(rig, server)
    rig.cloud.act("stop")
    rig.until(lambda: server.look()["instance"]["status"] in ("STOPPING", "STOPPED"))
    rig.cloud.advance(5)
    rig.until(lambda: not server.look()["holds"])
    rig.cloud.act("start")
    rig.cloud.advance(3)
    rig.until(lambda: server.look() and rig.cloud.stop_at)
    assert rig.cloud.setting == PRIOR
    stop = own_stop(rig)
    rig.cloud.advance((made["until"] - rig.cloud.now()) / 1000 + 10 if made["until"] < stop else 0)
    state = server.look()
    assert state["holds"] == []
    assert state["deadline"] == {"stop_timestamp": stop, "kept_by": "platform"}


# The end of a hold


def test_a_late_release_leaves_the_grace(rig: Rig, server: Server) -> None:
    """The platform's own stop time has passed: a stop after 15 min, shown, kept by this server; then it comes."""
    made = hold(rig, server, 120)
    rig.cloud.advance(HOUR + 600)
    server.look()
    answer = server.ask("DELETE", f"holds/{made['id']}")
    assert answer.status_code == 200, answer.text
    deadline = answer.json()["deadline"]
    due = rig.cloud.now() + GRACE * 1000
    assert deadline["kept_by"] == "server"
    assert abs(deadline["stop_timestamp"] - due) <= 10_000
    rig.cloud.advance(GRACE - 15)
    server.look()
    assert rig.cloud.stopped_at is None
    rig.cloud.advance(16)
    rig.until(lambda: server.look() and rig.cloud.stopped_at and rig.cloud.setting == PRIOR)
    assert rig.cloud.stopped_at >= deadline["stop_timestamp"]


@pytest.mark.parametrize("reenable", ["count_anew", "accept", "stop"])
def test_a_late_release_on_any_platform(rig: Rig, server: Server, reenable: str) -> None:
    """Whatever switching on does after the run's own stop time: the run stops, but not before the grace is over."""
    rig.cloud.turn(reenable=reenable)
    made = hold(rig, server, 120)
    rig.cloud.advance(HOUR + 600)
    server.look()
    released = rig.cloud.now()
    assert server.ask("DELETE", f"holds/{made['id']}").status_code == 200
    deadline = server.look()["deadline"]
    assert deadline is not None
    rig.cloud.advance((deadline["stop_timestamp"] - rig.cloud.now()) / 1000 + 1)
    rig.until(lambda: server.look() and rig.cloud.stopped_at)
    assert rig.cloud.stopped_at >= min(released + GRACE * 1000, deadline["stop_timestamp"]) - TOLERANCE
    rig.until(lambda: server.look() and rig.cloud.setting == PRIOR)


def test_an_extension_in_the_grace(rig: Rig, server: Server) -> None:
    """It takes the stop away again: a new deadline, kept by this server."""
    made = hold(rig, server, 120)
    rig.cloud.advance(HOUR + 600)
    server.look()
    server.ask("DELETE", f"holds/{made['id']}")
    state = server.ask("POST", "extend", {"by": HOUR}).json()
    assert state["outcome"]["effect"] == "held"
    rig.cloud.advance(GRACE + 60)
    later = server.look()["deadline"]
    assert later == state["deadline"]
    assert rig.cloud.stopped_at is None


def test_one_of_several_holds_ends(rig: Rig, server: Server) -> None:
    """The deadline jumps nearer, but by no less than the grace; the other hold is still there."""
    near = hold(rig, server, 1, id="near")
    far = server.ask("POST", "holds", {"until": near["until"] + HOUR * 1000, "id": "far"}).json()
    assert server.look()["deadline"]["stop_timestamp"] == far["until"]
    rig.cloud.advance((near["until"] - rig.cloud.now()) / 1000 - 60)
    server.look()
    state = server.ask("DELETE", "holds/far").json()
    left = state["deadline"]["stop_timestamp"] - rig.cloud.now()
    assert left >= GRACE * 1000 - 10_000


@pytest.mark.parametrize(("then", "more"), [("restore", GRACE), ("stop", 0)])
def test_what_follows_when_its_time_has_come(rig: Rig, server: Server, then: str, more: int) -> None:
    """The platform's own stop time has passed: `stop` stops the run at once, `restore` after the grace, shown."""
    until = hold(rig, server, then=then)["until"]
    assert server.look()["deadline"] == {"stop_timestamp": until, "kept_by": "server"}
    rig.cloud.advance((until - rig.cloud.now()) / 1000 + 1)
    if more:
        rig.until(lambda: not server.look()["holds"])
        deadline = server.look()["deadline"]
        assert deadline["kept_by"] == "server"
        assert deadline["stop_timestamp"] >= until + more * 1000
        rig.cloud.advance((deadline["stop_timestamp"] - rig.cloud.now()) / 1000)
    rig.until(lambda: server.look() and rig.cloud.stopped_at)
    assert rig.cloud.stopped_at >= until + more * 1000
    rig.until(lambda: server.look() and rig.cloud.setting == PRIOR)


@pytest.mark.parametrize("killed", [False, True], ids=["one server", "killed and started again"])
def test_a_hold_that_ends_in_a_stop_before_the_platforms_own(rig: Rig, server: Server, killed: bool) -> None:
    """Its time is the stop time that is shown, and the run ends then; auto-stop stays on, as a net."""
    own = own_stop(rig)
    until = hold(rig, server, -40, then="stop")["until"]
    shown = {"stop_timestamp": until, "kept_by": "server"}
    assert server.look()["deadline"] == shown
    assert (rig.cloud.stop_at, rig.cloud.setting) == (own, PRIOR)
    told = server.ask("GET", "journal").json()["entries"][0]["result"]
    assert told.endswith(", by this server; ModelArts' own auto-stop stays on, and would come later.")
    if killed:
        server.end()
        server = rig.server()
        assert server.look()["deadline"] == shown
    rig.cloud.advance((until - rig.cloud.now()) / 1000 - 5)
    assert server.look()["deadline"] == shown
    assert rig.cloud.stopped_at is None
    rig.cloud.advance(5)
    rig.until(lambda: server.look() and rig.cloud.stopped_at)
    assert until <= (rig.cloud.stopped_at or 0) < own
    assert rig.cloud.setting == PRIOR


def test_an_extension_of_a_hold_that_ends_in_a_stop(rig: Rig, server: Server) -> None:
    """By what was asked for, and not until the platform's own stop time."""
    own = own_stop(rig)
    until = hold(rig, server, -40, then="stop")["until"]
    state = server.ask("POST", "extend", {"by": 600}).json()
    assert state["deadline"] == {"stop_timestamp": until + 600_000, "kept_by": "server"}
    assert (state["outcome"]["effect"], rig.cloud.stop_at) == ("now", own)


def test_a_hold_that_is_over_while_the_platform_can_still_keep_the_run(rig: Rig, server: Server) -> None:
    """`restore` by hand: the platform's own stop time, not a second later, not a second nearer."""
    stop = own_stop(rig)
    made = hold(rig, server, then="restore")
    assert server.ask("DELETE", f"holds/{made['id']}").status_code == 200
    untouched(rig, server, stop)


# What a platform does to it


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("kind", ["lost_answer", "reset", "late", "queued", "status"])
def test_a_write_that_goes_wrong(rig: Rig, server: Server, kind: str, number: int) -> None:
    """At any PUT of an extension: what is said is what is so, and 40 s later the run has one stop time, or a keeper."""
    stop = own_stop(rig)
    more = {"seconds": 20} if kind in ("late", "queued") else {"status": 500} if kind == "status" else {}
    rig.cloud.fault(kind, method="PUT", skip=number, **more)
    answer = server.ask("POST", "extend", {"until": stop + HOUR * 1000})
    if answer.status_code == 200 and answer.json()["outcome"]["effect"] == "held":
        assert rig.cloud.stop_at is None
        assert answer.json()["deadline"] == {"stop_timestamp": stop + HOUR * 1000, "kept_by": "server"}
    for _ in range(8):
        rig.cloud.advance(5)
        server.look()

    def settled() -> bool:
        state = server.look()
        deadline = state["deadline"]
        if deadline is None:
            return False
        if deadline["kept_by"] == "platform":
            return bool(rig.cloud.stop_at == deadline["stop_timestamp"] == stop and rig.cloud.setting == PRIOR)
        return rig.cloud.stop_at is None and bool(deadline["stop_timestamp"] >= stop)

    rig.until(settled)


@pytest.mark.parametrize("kind", ["lost_answer", "reset", "status", "hang"])
def test_a_stop_that_goes_wrong(rig: Rig, kind: str) -> None:
    """It is sent again, with what went wrong shown meanwhile, until the instance stops."""
    server = rig.server("--AutostopApp.request_timeout=5")
    until = hold(rig, server, then="stop")["until"]
    more = {"status": 503} if kind == "status" else {}
    rig.cloud.fault(kind, method="POST", times=2, **more)
    rig.cloud.advance((until - rig.cloud.now()) / 1000)

    def stopped() -> bool:
        if server.look() and rig.cloud.stopped_at:
            return True
        rig.cloud.advance(5)
        return False

    rig.until(stopped)
    rig.until(lambda: server.look() and rig.cloud.setting == PRIOR)


def test_an_outage_over_the_deadline(rig: Rig) -> None:
    """The platform is away at the time: a problem is shown, and the stop comes when it is back."""
    server = rig.server("--AutostopApp.request_timeout=4")
    until = hold(rig, server, then="stop")["until"]
    rig.cloud.fault("status", status=503, times=0)
    rig.cloud.advance((until - rig.cloud.now()) / 1000 + 60)
    state = server.look()
    assert state["problem"] is not None
    rig.cloud.heal()
    rig.until(lambda: server.look() and rig.cloud.stopped_at)
    rig.until(lambda: server.look() and rig.cloud.setting == PRIOR)


def test_an_answer_without_auto_stop_ends_no_hold(rig: Rig, server: Server) -> None:
    """The platform says nothing of it for a while: the hold stays, and so does the deadline it keeps."""
    made = hold(rig, server)
    for removed in (["spec.auto_stop"], ["spec.auto_stop.enable"], ["spec"]):
        rig.cloud.console(remove=removed)
        assert [known["id"] for known in server.look()["holds"]] == [made["id"]]
        rig.cloud.console(reset=True)
    state = server.look()
    assert state["deadline"] == {"stop_timestamp": made["until"], "kept_by": "server"}


def test_a_damaged_record_is_put_aside_and_said(rig: Rig, server: Server) -> None:
    """Auto-stop goes on where the run's own stop time is still to come; the damaged file is kept."""
    hold(rig, server)
    server.end()
    state_dir = rig.folder / "state"
    (record,) = (path for path in state_dir.iterdir() if path.suffix == ".keeper")
    record.write_bytes(b"\xff" * 1000)
    server = rig.server()
    rig.until(lambda: server.look()["problem"] or rig.cloud.stop_at)
    rig.until(lambda: rig.cloud.setting[0] or server.look()["problem"])
    assert any("damaged" in path.name for path in state_dir.iterdir())


def test_a_read_of_the_state_changes_nothing(rig: Rig, server: Server) -> None:
    """GETs, held or not, with or without a refresh."""
    hold(rig, server)
    rig.cloud.control("DELETE", "requests")
    for route in ("instance", "instance?refresh=1", "journal", "doctor"):
        assert server.ask("GET", route).status_code == 200
    writes = [seen for seen in rig.cloud.requests if seen["method"] == "PUT" and seen["body"]]
    assert writes == []
