"""What an answer means for this run: whether, when and by which setting it will be stopped."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import DATA

from jupyter_autostop.domain.record import ROUNDING
from jupyter_autostop.domain.run import Run, overdue, read_run
from jupyter_autostop.platforms.modelarts.models import Instance

NOW = 1_795_000_000_000
HOUR = 3_600_000
STOP = NOW + 2 * HOUR
THREE = {"enable": True, "duration": 7200, "prompt": True}


def instance(auto_stop: Any, status: str = "RUNNING", **more: Any) -> Instance:
    return Instance.model_validate({"id": "DE-1", "status": status, "spec": {"auto_stop": auto_stop}, **more})


def run_of(auto_stop: Any, now: int = NOW, *, known: bool = True, before: int | None = None) -> Run:
    return read_run(instance(auto_stop), now, now_is_platforms=known, before=before)


def told(stop: int | None, remain: int | None, **more: Any) -> dict[str, Any]:
    return {**THREE, "stop_timestamp": stop, "remain_time": remain, **more}


# What the answer says; the platform's time now and whether it is known; the stop time believed.
BELIEVED: dict[str, tuple[dict[str, Any], int, bool, int]] = {
    "both agree": (told(STOP, 7200), NOW, True, STOP),
    "they differ by rounding only": (told(STOP, 7199), NOW, True, STOP),
    "remain_time is smaller": (told(STOP, 3600), NOW, True, NOW + HOUR),
    "stop_timestamp is smaller": (told(STOP, 9000), NOW, True, STOP),
    "stop_timestamp alone": (told(STOP, None), NOW, True, STOP),
    "remain_time alone": (told(None, 7200), NOW, True, STOP),
    "the Date is an hour ahead": (told(STOP, 7200), NOW + HOUR, True, STOP),
    "the Date is an hour behind": (told(STOP, 7200), NOW - HOUR, True, NOW + HOUR),
    "no Date, this clock right": (told(STOP, 7200), NOW, False, STOP),
    "no Date, this clock an hour ahead": (told(STOP, 7200), NOW + HOUR, False, STOP + HOUR),
    "no Date, this clock an hour behind": (told(STOP, 7200), NOW - HOUR, False, STOP - HOUR),
    "no Date, stop_timestamp alone": (told(STOP, None), NOW, False, STOP),
    "no Date, remain_time alone": (told(None, 7200), NOW, False, STOP),
    "enable is false and it still stops": (told(STOP, 7200, enable=False), NOW, True, STOP),
    "enable is not said and it stops": ({"stop_timestamp": STOP}, NOW, True, STOP),
    "the stop has passed": (told(NOW - 5000, 0), NOW, True, NOW - 5000),
    "the stop has passed long ago": (told(NOW - 5 * HOUR, 0), NOW, True, NOW - 5 * HOUR),
    "remain_time is negative": (told(None, -60), NOW, True, NOW - 60_000),
    "stop_timestamp is in seconds": (told(STOP // 1000, 7200), NOW, True, STOP),
    "stop_timestamp is in microseconds": (told(STOP * 1000, 7200), NOW, True, STOP),
    "stop_timestamp is 0": (told(0, 7200), NOW, True, STOP),
    "stop_timestamp is -1": (told(-1, 7200), NOW, True, STOP),
    "remain_time is absurd": (told(STOP, 10**15), NOW, True, STOP),
}


@pytest.mark.parametrize(("auto_stop", "now", "known", "stop"), BELIEVED.values(), ids=BELIEVED.keys())
def test_the_stop_time_believed(auto_stop: dict[str, Any], now: int, known: bool, stop: int) -> None:
    """Of what the answer says the earlier is believed, and only the platform's own clock counts."""
    assert run_of(auto_stop, now, known=known) == Run("deadline", stop_timestamp=stop)


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("remain", [10**12, 10**15, 10**400], ids=["10^12", "10^15", "10^400"])
@pytest.mark.parametrize("stop", [None, STOP])
def test_a_believed_stop_time_is_a_timestamp(stop: int | None, remain: int, known: bool) -> None:
    """An absurd `remain_time` gives no deadline beyond what a timestamp in ms, of 13 digits, can say."""
    believed = run_of(told(stop, remain), known=known).stop_timestamp
    assert believed is None or 10**12 <= believed < 10**13


PASSING = ("UNAVAILABLE", "RESIZING", "RESTARTING")
AT_REST = (
    *("CREATE_QUEUING", "CREATING", "CREATE_FAILED", "START_QUEUING", "READY_TO_START", "STARTING", "START_FAILED"),
    *("STOPPING", "STOPPED", "DELETED", "RESIZE_FAILED"),
)
"""The other statuses that the documents name, but RUNNING."""

# What the answer says, and the code of the problem.
UNKNOWN: dict[str, tuple[Any, str]] = {
    "no auto_stop at all": (None, "no_auto_stop"),
    "an empty auto_stop": ({}, "no_auto_stop"),
    "only duration": ({"duration": 7200}, "no_auto_stop"),
    "enable is null": ({"enable": None, "duration": 7200, "prompt": True}, "no_auto_stop"),
    "on, without a time": (THREE, "no_stop_time"),
    "on, with nulls": (told(None, None), "no_stop_time"),
    "on, with nonsense": (told(5, None), "no_stop_time"),
    "off, with nonsense": (told(0, None, enable=False), "no_stop_time"),
}


@pytest.mark.parametrize("kind", ["IDLE", "idle"])
def test_an_idle_rule_has_no_time_and_is_said_to_be_one(kind: str) -> None:
    """A lease that ends with idleness is no deadline and no "off"; a stop time beside it counts, and so does off."""

    def read(auto_stop: dict[str, Any], **lease: Any) -> Run:
        answer = {"id": "DE-1", "status": "RUNNING", "spec": {"auto_stop": auto_stop}, "lease": {"type": kind, **lease}}
        return read_run(Instance.model_validate(answer), NOW, now_is_platforms=True)

    run = read(THREE, enable=True, create_at=NOW, duration=3_600_000)
    assert (run.kind, run.stop_timestamp) == ("unknown", None)
    assert run.problem is not None
    assert run.problem["code"] == "idle_rule"
    assert read(told(STOP, None), enable=True) == Run("deadline", stop_timestamp=STOP)
    assert read({**THREE, "enable": False}, enable=True) == Run("off")
    for lease in ({"enable": False}, {"type": "TIMING"}, {"type": 5}):
        other = read(THREE, **lease).problem
        assert other is not None
        assert other["code"] == "no_stop_time"


@pytest.mark.parametrize(("auto_stop", "code"), UNKNOWN.values(), ids=UNKNOWN.keys())
def test_what_is_not_said_is_unknown_and_not_off(auto_stop: Any, code: str) -> None:
    """Without a stop time, and without being told that there is none, nobody can tell; the problem says so."""
    run = run_of(auto_stop)
    assert (run.kind, run.stop_timestamp) == ("unknown", None)
    assert run.problem is not None
    assert run.problem["code"] == code
    assert run.problem["message"]
    assert run.problem["hint"]


def test_an_instance_without_spec_is_unknown() -> None:
    """The whole spec may be missing too."""
    run = read_run(Instance.model_validate({"id": "DE-1", "status": "RUNNING"}), NOW, now_is_platforms=True)
    assert run.kind == "unknown"


def test_a_problem_never_says_on_where_the_platform_says_off() -> None:
    """`enable: false` beside a meaningless stop time is not told as "auto-stop is on"."""
    problem = run_of(told(0, 0, enable=False)).problem
    assert problem is None or "Auto-stop is on" not in problem["message"]


@pytest.mark.parametrize(
    "auto_stop",
    [{**THREE, "enable": False}, {"enable": False}, told(None, None, enable=False), told(None, 0, enable=False)],
    ids=str,
)
def test_off_is_off(auto_stop: dict[str, Any]) -> None:
    """Only `enable: false` without a stop time is off."""
    assert run_of(auto_stop) == Run("off")


@pytest.mark.parametrize("status", PASSING)
def test_a_passing_status_hides_no_stop_time(status: str) -> None:
    """Where the documents do not say whether the run goes on, a stop time that is given counts."""
    run = read_run(instance(told(STOP, 7200), status), NOW, now_is_platforms=True)
    assert run == Run("deadline", stop_timestamp=STOP)
    assert read_run(instance(THREE, status), NOW, now_is_platforms=True) == Run("not_running")


def test_off_with_a_time_left_is_not_off() -> None:
    """`enable: false` beside a `remain_time` still stops, as it does beside a `stop_timestamp`."""
    assert run_of(told(None, 7200, enable=False)) == Run("deadline", stop_timestamp=NOW + 7_200_000)


@pytest.mark.parametrize("status", ["HIBERNATING", "", "running"])
def test_an_undocumented_status_hides_no_stop_time(status: str) -> None:
    """With a stop time the run is taken to have one; without, nobody can tell, whatever auto_stop says."""
    run = read_run(instance(told(STOP, 7200), status), NOW, now_is_platforms=True)
    assert run == Run("deadline", stop_timestamp=STOP)
    for auto_stop in (None, THREE, {**THREE, "enable": False}):
        run = read_run(instance(auto_stop, status), NOW, now_is_platforms=True)
        assert (run.kind, run.problem["code"]) == ("unknown", "unknown_status")


@pytest.mark.parametrize("status", AT_REST)
@pytest.mark.parametrize("auto_stop", [None, THREE, told(STOP, 7200)], ids=["nothing", "three keys", "five keys"])
def test_what_does_not_run_has_no_deadline(status: str, auto_stop: Any) -> None:
    """CREATING, STOPPED and all others but RUNNING have no run, whatever auto_stop says."""
    assert read_run(instance(auto_stop, status), NOW, now_is_platforms=True) == Run("not_running")


def test_the_sample_of_the_reference_page() -> None:
    """The documents' own numbers give the stop time they name."""
    text = (DATA / "sample_instance.json").read_text(encoding="utf-8")
    sample = Instance.model_validate(json.loads(text))
    now = 1594891408723 - 3266_400
    assert read_run(sample, now, now_is_platforms=True) == Run("deadline", stop_timestamp=1594891408723)


def test_what_is_shown_does_not_flicker() -> None:
    """A `remain_time` that tells the shown moment anew, rounded, leaves it; one that tells another does not."""
    assert run_of(told(None, 7199), before=STOP).stop_timestamp == STOP
    assert run_of(told(None, 7190), before=STOP).stop_timestamp == STOP - 10_000
    assert run_of(told(STOP, 3600), before=STOP).stop_timestamp == NOW + HOUR


@settings(deadline=None)
@given(
    st.integers(NOW - HOUR, NOW + 24 * HOUR), st.integers(-60, 86400), st.integers(-HOUR, HOUR), st.booleans(),
    st.none() | st.integers(NOW - HOUR, NOW + 24 * HOUR),
)  # fmt: skip
def test_time_left_is_never_more_than_either_tells(
    stop: int, remain: int, clock_error: int, known: bool, before: int | None
) -> None:
    """Whatever the clocks say, the time shown as left exceeds neither telling by more than rounding."""
    now = NOW + clock_error
    left = (run_of(told(stop, remain), now, known=known, before=before).stop_timestamp or 0) - now
    assert left <= remain * 1000 + ROUNDING
    assert not known or left <= stop - now + ROUNDING


def test_the_problem_of_a_passed_stop_time() -> None:
    """A stop time that passed without a stop has its own words, and what to do."""
    assert overdue()["code"] == "overdue"
    assert overdue()["message"]
    assert "Save" in overdue()["hint"]
