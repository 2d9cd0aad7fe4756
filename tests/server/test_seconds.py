"""Settings that are lengths of time, as an administrator writes them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from traitlets import TraitError
from traitlets.config import Config
from traitlets.config.loader import DeferredConfigString

from jupyter_autostop.server.app import AutostopApp

NAMES = ("grace", "max_extension", "refresh_interval", "request_timeout")


def app_with(**settings: Any) -> AutostopApp:
    return AutostopApp(config=Config({"AutostopApp": settings}))


@pytest.mark.parametrize(
    ("name", "written", "seconds"),
    [
        ("grace", "15m", 900),
        ("grace", "15 minutes", 900),
        ("grace", "\uff11\uff15\uff4d", 900),
        ("grace", "1h30", 5400),
        ("grace", "0:10", 600),
        ("grace", "600", 600),
        ("grace", 600, 600),
        ("grace", 600.0, 600),
        ("grace", "0", 0),
        ("grace", timedelta(minutes=20), 1200),
        ("max_extension", "12h", 43200),
        ("max_extension", "2 days", 172800),
        ("refresh_interval", "1m", 60.0),
        ("refresh_interval", "2.5", 2.5),
        ("request_timeout", "20s", 20.0),
        ("request_timeout", "0.5", 0.5),
        ("request_timeout", 1.5, 1.5),
    ],
)
def test_a_length_may_be_written_as_everywhere(name: str, written: Any, seconds: float) -> None:
    """In a configuration file and on a command line; a bare number is seconds, and whole where that is meant."""
    for given_as in (written, DeferredConfigString(str(written))) if isinstance(written, str) else (written,):
        app = app_with(**{name: given_as})
        assert app.faults == {}
        assert getattr(app, name) == seconds
        assert isinstance(getattr(app, name), int if name in ("grace", "max_extension") else float)


@pytest.mark.parametrize(
    ("name", "written", "why"),
    [
        (
            "grace",
            "25h",
            "“25h” is beyond its limits; write seconds, such as 900, or a length, such as 15min, from 0 s",
        ),
        ("grace", -1, "“-1” is beyond its limits"),
        ("grace", 1.5, "“1.5” is no whole number of seconds"),
        ("grace", "15x", "“15x” is no length of time"),
        ("grace", "", "“” is no length of time"),
        ("grace", True, "“True” is no length of time"),
        ("grace", [1], "“[1]” is no length of time"),
        ("grace", "\x1b[2J", "“?[2J” is no length of time"),
        ("max_extension", None, "“None” is no length of time"),
        ("max_extension", "9" * 5000, "is no length of time"),
        ("max_extension", 10**400, "is beyond its limits"),
        ("refresh_interval", "0", "from 1 s to 8760 h."),
        ("refresh_interval", float("nan"), "“nan” is beyond its limits"),
        ("request_timeout", "6m", "such as 5min, from 0.1 s to 5 min."),
        ("request_timeout", float("inf"), "“inf” is beyond its limits"),
    ],
)
def test_another_value_is_refused_with_the_limits_and_a_way_out(name: str, written: Any, why: str) -> None:
    """In a sentence of ours; the default counts meanwhile."""
    app = app_with(**{name: written})
    assert why in app.faults[name]
    assert "trait" not in app.faults[name]
    assert getattr(app, name) == getattr(AutostopApp(), name)


def test_every_wrong_one_is_known() -> None:
    """None hides another."""
    assert set(app_with(**dict.fromkeys(NAMES, "x")).faults) == set(NAMES)


@given(st.sampled_from(NAMES), st.integers() | st.floats() | st.text(max_size=50) | st.timedeltas() | st.none())
def test_any_value_is_taken_within_the_limits_or_refused(name: str, value: Any) -> None:
    """Nothing crashes, and nothing gets past the limits."""
    trait = AutostopApp.class_traits()[name]
    try:
        seconds = trait.validate(None, value)
    except TraitError as error:
        assert "; write seconds, such as" in str(error)  # noqa: PT017 - both outcomes are right
    else:
        assert 0 <= seconds <= 31_536_000
