"""A pytest plugin for `mutants.py`: the same examples and the same ids in each run, and no shortening of an example."""

from __future__ import annotations

import sys

from hypothesis import Phase, settings

settings.register_profile(
    "mutants", derandomize=True, database=None, phases=(Phase.explicit, Phase.generate), print_blob=False
)


def pytest_unconfigure() -> None:
    """Have the tests loaded anew by the next run in this process.

    Of a loaded one pytest escapes once more what an id function has returned; by its first id a test with a backslash
    is then not found, and a run that finds no such test looks like one that has noticed the change.
    """
    for name in [name for name in sys.modules if name.startswith("test_")]:
        del sys.modules[name]
