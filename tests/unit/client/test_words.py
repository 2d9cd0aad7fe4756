"""The State in one line of words, for a terminal and a cell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, cast

import pytest

from jupyter_autostop.client.reader_zone import tz_trouble, whose_zone
from jupyter_autostop.client.rendering import (
    ago,
    aside,
    check_lines,
    is_unknown,
    journal_line,
    report_lines,
    report_text,
    status_line,
)
from jupyter_autostop.domain.messages import OFF
from jupyter_autostop.state import State
from jupyter_autostop.times.moments import clock_time, utc_time

NOW = 1_795_507_200_000
"""2026-11-24 08:00:00 UTC, a Tuesday; 16:00 in Shanghai."""
MINUTE = 60_000
HOUR = 60 * MINUTE
STOP = NOW + 2 * HOUR + 13 * MINUTE
HOLD = {"id": "h", "until": NOW + HOUR, "then": "restore", "reason": "", "owner": {"kind": "command"}}
LOST = {"code": "no_answer", "message": "ModelArts did not answer within 10 s.", "hint": "Check the network."}

TROUBLE = {
    "code": "throttled",
    "message": "What is held or owed is not in order yet. Not now.",
    "hint": "It is tried again.",
}


@pytest.fixture(autouse=True)
def shanghai() -> Iterator[None]:
    """Read every time in one zone, whatever this machine's is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Shanghai")
        time.tzset()
        yield
    time.tzset()


def state(stop: int | None = None, status: str | None = "RUNNING", kept_by: str = "platform", **more: Any) -> State:
    given = {
        "instance": None if status is None else {"id": "DE-1", "status": status},
        "deadline": None if stop is None else {"stop_timestamp": stop, "kept_by": kept_by},
        "server_time": NOW,
        "confirmed_at": NOW,
        "auto_stop": None,
        "next_start": None,
        "holds": [],
        "stale": False,
        "problem": None,
        "emulated": False,
        **more,
    }
    return cast("State", given)


LINES: dict[str, tuple[State, str]] = {
    "running": (state(STOP), "Stops at 18:13 CST (in 2 h 13 min), kept by ModelArts"),
    "kept by the server": (
        state(STOP, kept_by="server", auto_stop={"enable": False}),
        ("Stops at 18:13 CST (in 2 h 13 min), kept by this server; ModelArts' own auto-stop is off until then"),
    ),
    "stopped sooner by the server": (
        state(STOP, kept_by="server", auto_stop={"enable": True}),
        "Stops at 18:13 CST (in 2 h 13 min), kept by this server",
    ),
    "soon": (state(NOW + 9 * MINUTE + 42_999), "Stops at 16:09 CST (in 9 min 42 s), kept by ModelArts"),
    "in a moment": (state(NOW + 1), "Stops at 16:00 CST (in 0 s), kept by ModelArts"),
    "tomorrow": (state(NOW + 26 * HOUR), "Stops at Wed 25 Nov 18:00 CST (in 26 h), kept by ModelArts"),
    "just after midnight": (state(NOW + 8 * HOUR), "Stops at Wed 25 Nov 00:00 CST (in 8 h), kept by ModelArts"),
    "emulated": (state(STOP, emulated=True), "[emulator] Stops at 18:13 CST (in 2 h 13 min), kept by ModelArts"),
    "held": (
        state(STOP, holds=[HOLD, {**HOLD, "reason": "lr\x1bsweep", "owner": {"kind": "kernel"}, "then": "stop"}]),
        (
            "Stops at 18:13 CST (in 2 h 13 min), kept by ModelArts; held until 17:00 CST by a command; "
            "held until 17:00 CST by a kernel, then it stops: lr sweep"
        ),
    ),
    "extended": (
        state(STOP, kept_by="server", holds=[{**HOLD, "id": "extension", "owner": {"kind": "person"}}]),
        "Stops at 18:13 CST (in 2 h 13 min), kept by this server",
    ),
    "off": (state(), OFF),
    "off, emulated": (state(emulated=True), f"[emulator] {OFF}"),
    "stopped": (state(status="STOPPED"), "The instance is stopped."),
    "stopped, its stop time past": (
        state(status="STOPPED", problem={"code": "overdue", "message": "This server is stopping it.", "hint": ""}),
        "The instance is stopped.",
    ),
    "stopping": (state(status="STOPPING"), "The instance is stopping."),
    "stopping, what is kept not in order": (
        state(status="STOPPING", problem=TROUBLE),
        "The instance is stopping. What is held or owed is not in order yet. Not now. It is tried again.",
    ),
    "stopping, its stop time past": (
        state(status="STOPPING", problem={"code": "overdue", "message": "It has passed.", "hint": "Save your work."}),
        "The instance is stopping. It has passed. Save your work.",
    ),
    "stopped, what is kept not in order": (
        state(status="STOPPED", problem=TROUBLE),
        "The instance is stopped. What is held or owed is not in order yet. Not now. It is tried again.",
    ),
    "restarting, what is kept not in order": (
        state(status="RESTARTING", problem=TROUBLE),
        "The instance is restarting. What is held or owed is not in order yet. Not now. It is tried again.",
    ),
    "stopping when it last answered": (
        state(status="STOPPING", problem=LOST, stale=True),
        "It is not known when this instance stops. ModelArts did not answer within 10 s. Check the network.",
    ),
    "a status that is not documented": (
        state(status="HIBERNATED", problem={"code": "unknown_status", "message": "It is “HIBERNATED”.", "hint": ""}),
        "It is not known when this instance stops. It is “HIBERNATED”.",
    ),
    "starting": (state(status="STARTING"), "The instance is starting."),
    "restarting": (state(status="RESTARTING"), "The instance is restarting."),
    "another status": (state(status="CREATE_FAILED"), "The instance is not running (status CREATE_FAILED)."),
    "longer from the next start": (
        state(STOP, next_start={"enable": True, "duration": 14400}),
        "Stops at 18:13 CST (in 2 h 13 min), kept by ModelArts; from the next start a run lasts 4 h",
    ),
    "off from the next start": (
        state(STOP, next_start={"enable": False, "duration": None}),
        "Stops at 18:13 CST (in 2 h 13 min), kept by ModelArts; from the next start auto-stop is off",
    ),
    "unknown": (
        state(problem=LOST, stale=True),
        "It is not known when this instance stops. ModelArts did not answer within 10 s. Check the network.",
    ),
    "never asked": (
        state(status=None, confirmed_at=None, problem={**LOST, "message": "Not asked.", "hint": ""}),
        "It is not known when this instance stops. Not asked.",
    ),
    "stale": (
        state(STOP, stale=True, confirmed_at=NOW - 5 * MINUTE, problem=LOST),
        (
            "Stops at 18:13 CST (in 2 h 13 min), kept by ModelArts; last confirmed 5 min ago. "
            "ModelArts did not answer within 10 s. Check the network."
        ),
    ),
}


@pytest.mark.parametrize(("given", "line"), LINES.values(), ids=LINES.keys())
def test_each_state_has_its_line(given: State, line: str) -> None:
    """One line, plain words, local times, time left rounded down."""
    assert status_line(given) == line


def test_off_is_said_only_of_a_running_instance_without_a_problem() -> None:
    """A null deadline with a problem is unknown, and what does not run is not "off" either."""
    assert [name for name, (given, _) in LINES.items() if OFF in status_line(given)] == ["off", "off, emulated"]
    unknown = [name for name, (given, _) in LINES.items() if is_unknown(given)]
    assert unknown == [
        "stopping when it last answered",
        "a status that is not documented",
        "unknown",
        "never asked",
    ]


def test_no_line_is_two() -> None:
    """Whatever the state, it is one line."""
    assert not [name for name, (given, _) in LINES.items() if "\n" in status_line(given)]


def test_the_clock_is_the_readers() -> None:
    """The same moment reads differently in another zone, and daylight saving is the moment's own."""
    assert clock_time(STOP, NOW) == "18:13 CST"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        assert clock_time(STOP, NOW) == "11:13 CET"
        summer = 1_782_900_000_000  # 2026-07-01 10:00 UTC
        assert clock_time(summer, NOW) == "Wed 1 Jul 12:00 CEST"


def test_a_zone_without_a_name_is_told_as_utc_and_an_offset() -> None:
    """What systems call “+08” reads as no zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Singapore")
        time.tzset()
        assert status_line(state(STOP)) == "Stops at 18:13 UTC+8 (in 2 h 13 min), kept by ModelArts"
        patch.setenv("TZ", "Asia/Beijing")
        time.tzset()
        assert status_line(state(STOP)) == "Stops at 10:13 UTC (in 2 h 13 min), kept by ModelArts"


def test_a_state_of_a_notebook_is_told_in_the_zone_of_its_page() -> None:
    """Where a page tells its zone; a zone that cannot be looked up here is told in this machine's."""
    assert status_line(state(STOP, zone="America/New_York", holds=[HOLD])) == (
        "Stops at 05:13 EST (in 2 h 13 min), kept by ModelArts; held until 04:00 EST by a command"
    )
    for zone in (None, "Mars/Olympus"):
        assert status_line(state(STOP, zone=zone)) == "Stops at 18:13 CST (in 2 h 13 min), kept by ModelArts"


def test_whose_zone_a_time_is_read_in_is_said_where_it_may_surprise() -> None:
    """In a notebook always, and in a terminal only where its `TZ` is none."""
    assert whose_zone(state(STOP)) == ""
    assert whose_zone(state(STOP, zone="Asia/Tokyo")) == "Read in the time zone of the page, Asia/Tokyo."
    assert whose_zone(state(STOP, zone=None)) == "No open page tells its time zone; read in this machine's, CST."
    assert whose_zone(state(STOP, zone="Mars/Olympus")) == (
        "The time zone of the page, Mars/Olympus, cannot be looked up in this kernel's environment; "
        "read in this machine's, CST."
    )
    assert tz_trouble() == ""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "Asia/Beijing")
        trouble = (
            "TZ=Asia/Beijing is no time zone that this machine knows, so its times are UTC. "
            "Set one such as TZ=Asia/Shanghai."
        )
        assert tz_trouble() == trouble
        assert whose_zone(state(STOP, zone=None)) == (
            f"No open page tells its time zone; read in this machine's, UTC. {trouble}"
        )


def test_a_stale_line_with_a_next_start_reads_as_sentences() -> None:
    """What comes after the hint's full stop does not go on with a semicolon."""
    waiting = {"enable": True, "duration": 14400}
    line = status_line(state(STOP, stale=True, confirmed_at=NOW - 5 * MINUTE, problem=LOST, next_start=waiting))
    assert "4 h" in line
    assert ".;" not in line


def test_a_report_is_marked_once_a_line() -> None:
    """What became of a write and what is so: one mark for each line, and in one line none but the speaker's."""
    given = state(STOP, emulated=True, outcome={"effect": "now", "message": "Done.", "clamped": False})
    line = "Stops at 18:13 CST (in 2 h 13 min), kept by ModelArts"
    assert report_lines(given) == ["[emulator] Done.", f"[emulator] {line}"]
    assert aside(report_text(given), emulated=True) == f"[autostop emulator] Done. {line}"
    assert aside("Done.", emulated=False) == "[autostop] Done."


def test_an_extension_is_said_once() -> None:
    """In one line, its stop time in the reader's zone; what waits for the next start, or is wrong, is said as well."""
    done = f"Extended to {utc_time(STOP, NOW)} (2 h 13 min). Kept by this server; ModelArts' own auto-stop is off."
    outcome = {"effect": "held", "message": done, "clamped": False}
    held = state(STOP, kept_by="server", auto_stop={"enable": False}, outcome=outcome, emulated=True)
    assert "10:13 UTC" in done
    assert report_lines(held) == [f"[emulator] {done}".replace("10:13 UTC", "18:13 CST")]
    on = {"effect": "now", "message": f"Auto-stop is on. This run stops at {utc_time(STOP, NOW)}.", "clamped": False}
    waiting = state(STOP, outcome=on, next_start={"enable": True, "duration": 14400})
    assert report_lines(waiting) == [
        "Auto-stop is on. This run stops at 18:13 CST. From the next start a run lasts 4 h."
    ]
    stale = {**held, "stale": True, "problem": LOST, "emulated": False}
    first, second = report_lines(cast("State", stale))
    assert first.startswith("Extended to 18:13 CST")
    assert second.endswith("Check the network.")
    moved_since = {**held, "deadline": {"stop_timestamp": STOP + HOUR, "kept_by": "server"}}
    assert len(report_lines(cast("State", moved_since))) == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s ago"), (0, "0 s ago"), (59, "59 s ago"), (60, "1 min ago"), (3599, "59 min ago"), (3600, "1 h ago"),
     (86399, "23 h ago"), (86400, "1 d ago"), (30 * 86400, "30 d ago")],
)  # fmt: skip
def test_how_long_ago(seconds: int, words: str) -> None:
    """The largest whole unit, rounded down, never negative."""
    assert ago(NOW - seconds * 1000, NOW) == words


def test_a_journal_entry_is_one_line() -> None:
    """When, in the reader's zone, who, what, and with what result."""
    entry = {"at": NOW + 2000, "who": "page (Ada)", "what": "auto-stop off", "result": "Auto-stop is off."}
    assert journal_line(entry) == "2026-11-24 16:00:02 CST  page (Ada)  auto-stop off: Auto-stop is off."


@pytest.mark.parametrize(
    ("ok", "hint", "lines"),
    [
        (True, "", ["ok  Clock: It is 5 s off."]),
        (True, "Set it.", ["ok  Clock: It is 5 s off."]),
        (False, "Set it.", ["!!  Clock: It is 5 s off.", "      Set it."]),
        (False, "", ["!!  Clock: It is 5 s off."]),
        (None, "Set it.", ["--  Clock: It is 5 s off.", "      Set it."]),
    ],
)
def test_a_check_and_what_to_do(ok: Any, hint: str, lines: list[str]) -> None:
    """What is well is one line, and what is not says below what to do."""
    assert check_lines({"name": "clock", "ok": ok, "message": "It is 5 s off.", "hint": hint}) == lines


def test_a_hint_that_is_a_list_has_a_line_for_each() -> None:
    """In a report; a status stays one line."""
    problem = {"code": "not_configured", "message": "Not configured yet.", "hint": "Set:\n- A\n- B"}
    given = cast("State", {**state(problem=problem), "outcome": None})
    first = "It is not known when this instance stops. Not configured yet."
    assert report_lines(given) == [first, "Set:", "- A", "- B"]
    assert status_line(given) == f"{first} Set: - A - B"
