"""When a run began, learned from its first consistent answer, and the setting that waits for the next start."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_autostop.domain.run import KnownRun, Run, learn_run, next_start
from jupyter_autostop.platforms.modelarts.models import Instance

NOW = 1_795_000_000_000
HOUR = 3_600_000
START = NOW - HOUR // 2
STOP = START + 2 * HOUR
KNOWN = KnownRun(START, STOP, 7200)


def instance(created: Any = str(START - 59_000), **auto_stop: Any) -> Instance:
    auto_stop = {"enable": True, "duration": 7200, "prompt": True, **auto_stop}
    return Instance.model_validate(
        {"id": "DE-1", "status": "RUNNING", "creation_timestamp": created, "spec": {"auto_stop": auto_stop}}
    )


# The answer and its stop time; the start that it tells.
FIRST: dict[str, tuple[Instance, int, int | None]] = {
    "start lies between creation and now": (instance(), STOP, START),
    "start is now, to the rounding": (instance(), NOW + 2 * HOUR + 1500, NOW + 1500),
    "start lies after now": (instance(duration=3600), STOP, None),
    "start lies before the creation": (instance(duration=14400), STOP, None),
    "creation is not told": (instance(created=None), STOP, START),
    "creation is no number": (instance(created="2020-07-16"), STOP, START),
    "creation has other digits": (instance(created="١٢٣"), STOP, START),
    "duration is not told": (instance(duration=None), STOP, None),
}


@pytest.mark.parametrize(("answer", "stop", "start"), FIRST.values(), ids=FIRST.keys())
def test_the_first_answer_tells_the_start(answer: Instance, stop: int, start: int | None) -> None:
    """Stop time less duration is the start, where that lies between creation and now; else nobody knows it."""
    duration = answer.auto_stop.duration if answer.auto_stop else None
    assert learn_run(None, answer, stop, NOW) == (KnownRun(start, stop, duration), True)


def test_a_creation_time_of_a_thousand_digits_does_no_harm() -> None:
    """A number too long to be read is no creation time, and no crash."""
    learned, _ = learn_run(None, instance(created="9" * 5000), STOP, NOW)
    assert learned.stop_timestamp == STOP


# What was known; the later answer and its stop time; what is known then, and whether it is another run.
LATER: dict[str, tuple[KnownRun, Instance, int, KnownRun, bool]] = {
    "nothing has changed": (KNOWN, instance(), STOP, KNOWN, False),
    "the same to the rounding": (KNOWN, instance(), STOP - 2000, KNOWN, False),
    "duration changed, stop did not move": (KNOWN, instance(duration=3600), STOP, KNOWN, False),
    "stop moved along with duration": (
        *(KNOWN, instance(duration=10800), STOP + HOUR),
        *(KnownRun(START, STOP + HOUR, 10800), False),
    ),
    "a run that began after the known one ended": (
        *(KNOWN, instance(), STOP + 3 * HOUR),
        *(KnownRun(STOP + HOUR, STOP + 3 * HOUR, 7200), True),
    ),
    "stop moved, duration did not": (
        *(KNOWN, instance(), STOP + 10 * 60_000),
        *(KnownRun(START + 10 * 60_000, STOP + 10 * 60_000, 7200), False),
    ),
    "both moved, and not together": (
        *(KNOWN, instance(duration=7800), STOP + HOUR // 2),
        *(KnownRun(None, STOP + HOUR // 2, 7800), False),
    ),
    "the start was not known and stays so": (
        *(KnownRun(None, STOP, 14400), instance(), STOP),
        *(KnownRun(None, STOP, 14400), False),
    ),
    "duration is not told any more": (
        *(KNOWN, instance(duration=None), STOP + HOUR),
        *(KnownRun(None, STOP + HOUR, None), False),
    ),
}


@pytest.mark.parametrize(("known", "answer", "stop", "then", "another"), LATER.values(), ids=LATER.keys())
def test_a_later_answer(known: KnownRun, answer: Instance, stop: int, then: KnownRun, another: bool) -> None:
    """A moved stop time is this run's or another's; a changed duration alone is neither."""
    now = NOW if not another else STOP + HOUR + 1000
    assert learn_run(known, answer, stop, now) == (then, another)


def waiting(answer: Instance, known: KnownRun | None = KNOWN, kind: Any = "deadline") -> Any:
    return next_start(known, answer, Run(kind, stop_timestamp=STOP if kind == "deadline" else None))


def test_a_changed_duration_waits_for_the_next_start() -> None:
    """A duration other than the one in force is told as the next start's, shorter or longer."""
    for seconds in (3600, 7203, 86400):
        assert waiting(instance(duration=seconds)) == {"enable": True, "duration": seconds}


def test_auto_stop_switched_off_under_a_run_waits_for_the_next_start() -> None:
    """While this run still has its stop time, `enable: false` is the next start's, start known or not."""
    for known in (KNOWN, KnownRun(None, STOP, None)):
        answer = instance(enable=False, duration=None)
        assert waiting(answer, known) == {"enable": False, "duration": None}


@pytest.mark.parametrize("duration", [7198, 7200, 7202])
def test_the_duration_in_force_does_not_wait(duration: int) -> None:
    """What differs from this run by no more than rounding is nothing to tell."""
    assert waiting(instance(duration=duration)) is None


def test_nothing_is_guessed_about_the_next_start() -> None:
    """Without a deadline, a known run, its start, or a duration, nothing is said."""
    changed = instance(duration=3600)
    assert waiting(changed, None) is None
    assert waiting(changed, KnownRun(None, STOP, 7200)) is None
    assert waiting(instance(duration=None)) is None
    assert [waiting(changed, kind=kind) for kind in ("off", "not_running", "unknown")] == [None] * 3
    assert waiting(Instance.model_validate({"id": "DE-1", "status": "RUNNING"})) is None
