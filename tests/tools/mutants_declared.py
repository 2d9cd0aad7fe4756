"""Changes of what a module declares outside of functions, which mutmut finds but cannot try: each in a whole run.

A declaration takes effect at import, so each change is written into a copy of the package and tried by a process
of its own, forked from one that has the heavy libraries loaded.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

import httpx  # noqa: F401 - loaded once, for every process forked from this one
import hypothesis  # noqa: F401
import jupyter_server.serverapp  # noqa: F401
import libcst as cst
import pydantic  # noqa: F401
import pytest
from mutmut.mutation.file_mutation import create_mutations, deep_replace

PAUSE = 0.02
HYPOTHESIS = ("-p", "tests.tools.mutants_hypothesis", "--hypothesis-profile=mutants")
"""Options of pytest: whether a test fails is all that is asked, not what the shortest failing example is."""
# What is loaded already cannot be rewritten, which matters to nobody: only the exit code is looked at.
OPTIONS = ("-x", "-q", "-W", "ignore::pytest.PytestAssertRewriteWarning")


@dataclass(frozen=True)
class Mutant:
    """One change of one line, and what became of it: `killed`, `timeout`, `survived`, `no tests`."""

    line: int
    what: str
    result: str

    @property
    def noticed(self) -> bool:
        """Whether some test failed, or never came to an end."""
        return self.result not in ("survived", "no tests")


def change(before: str, after: str) -> tuple[int, str]:
    """Return the first line that differs, counted from 1, and the difference in one line."""
    head, *lines = list(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    first = re.match(r"@@ -(\d+)", head)
    assert first is not None
    old, new = ([line[1:].strip() for line in lines if line[0] == sign] for sign in "-+")
    # What only moved to another line is no difference.
    told = [" ".join(line for line in one if line not in other) for one, other in ((old, new), (new, old))]
    return int(first[1]), f"{told[0]}  →  {told[1] or '(removed)'}"


def declared(source: str, name: str) -> Iterator[str]:
    """Yield the source with one thing changed outside of functions, once for each such thing."""
    module, mutations, _, _ = create_mutations(name, source)
    for mutation in mutations:
        if not isinstance(mutation.contained_by_top_level_function, cst.FunctionDef):
            changed = deep_replace(module, mutation.original_node, mutation.mutated_node)
            assert isinstance(changed, cst.Module)
            yield changed.code


def fork_tests(folder: Path, tests: Sequence[str]) -> int:
    """Run tests in a folder in a process of its own, whose id is returned; it ends with the code of pytest."""
    child = os.fork()
    if child:
        return child
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    try:
        code = int(pytest.main([*OPTIONS, *HYPOTHESIS, *tests]))
    except BaseException:  # noqa: BLE001 - a change that breaks even pytest is noticed
        code = 1
    os._exit(code)


def run_declared(path: Path, tests: Sequence[str], at_once: int) -> list[Mutant]:
    """Try each change of a module of the copy that is the current directory; its copies get the changes."""
    source = path.read_text(encoding="utf-8")
    waiting = list(declared(source, str(path)))
    free = [Path.cwd() / f"declared-{number}" for number in range(at_once)]
    for folder in free:
        for part in (path.parts[0], "tests"):
            shutil.copytree(part, folder / part)
        shutil.copy("pyproject.toml", folder)
    begun = time.monotonic()
    _, status = os.waitpid(fork_tests(free[0], tests), 0)
    if status:
        sys.exit(f"The tests of {path} fail without any change.")
    limit = 10 + 5 * (time.monotonic() - begun)
    mutants = []
    running: dict[int, tuple[str, Path, float]] = {}
    while waiting or running:
        while waiting and free:
            changed, folder = waiting.pop(), free.pop()
            (folder / path).write_text(changed, encoding="utf-8")
            # Python would take a compiled file of the same length and second for that of this change.
            os.utime(folder / path, (len(waiting), len(waiting)))
            running[fork_tests(folder, tests)] = changed, folder, time.monotonic() + limit
        time.sleep(PAUSE)
        for child, (changed, folder, end) in list(running.items()):
            late = time.monotonic() > end
            if late:
                os.kill(child, signal.SIGKILL)
            ended, status = os.waitpid(child, 0 if late else os.WNOHANG)
            if ended:
                del running[child]
                free.append(folder)
                result = "timeout" if late else "killed" if status else "survived"
                mutants.append(Mutant(*change(source, changed), result))
    return mutants
