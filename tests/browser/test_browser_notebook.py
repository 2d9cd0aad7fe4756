"""Adversity in Notebook 7, where the chip in a notebook's toolbar is the countdown: tests shared with JupyterLab."""

from __future__ import annotations

import pytest
import test_browser as lab
from browser import NOTEBOOK, FrontEnd
from test_browser import (
    endpoint,
    open_tab,
    platform,
    server,
    shared,
    tab,
    test_a_platform_that_fails,
    test_a_wrong_clock_does_not_matter,
    test_right_at_once_when_it_comes_back,
)

__all__ = [
    "endpoint",
    "open_tab",
    "platform",
    "server",
    "shared",
    "tab",
    "test_a_platform_that_fails",
    "test_a_wrong_clock_does_not_matter",
    "test_right_at_once_when_it_comes_back",
]
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def front_end() -> FrontEnd:
    """Notebook 7, in the place of JupyterLab."""
    return NOTEBOOK


@pytest.mark.long
class TestLonger:
    """What takes longer, or is nearly the same."""

    test_the_server_restarts = staticmethod(lab.test_the_server_restarts)
    test_what_was_announced_while_cut_off = staticmethod(lab.test_what_was_announced_while_cut_off)
    test_a_frozen_tab_thaws_right = staticmethod(lab.test_a_frozen_tab_thaws_right)
    test_the_time_runs_out = staticmethod(lab.test_the_time_runs_out)
