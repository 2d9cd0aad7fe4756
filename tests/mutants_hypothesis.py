"""A pytest plugin for `mutants.py`: the same examples in each run, and no time spent on shortening a failing one."""

from __future__ import annotations

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate), print_blob=False
)
