"""How many small mistakes the tests would notice: `make mutants`, or `python tests/tools/mutants.py times/duration`.

mutmut changes one thing at a time inside a function and runs the tests that call it; what it leaves alone, module
and class level (fields, limits, allow-lists), is in `mutants_declared.py`. Both work on a copy, never on this tree.
Not changed: decorated functions (mutmut cannot), type annotations, and a line that is nothing but prose, since a
test of its letters would be a second copy of it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import libcst as cst
from mutants_declared import HYPOTHESIS, Mutant, change, run_declared
from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import read_functions_from_index
from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).parents[2]
PACKAGE = "jupyter_autostop"
PROMISE = 85
"""Percent of the changes in each module that some test notices."""
AT_ONCE = int(os.environ.get("AT_ONCE", "2"))
LONGEST_RUN = 1800
"""Seconds for one module; each change has a limit of its own, a multiple of what its tests take."""
COVERED_BY = {
    "service/requests": ("test_shown", "test_models"),
    "platforms/modelarts/models": ("test_wire", "test_secrets"),
    "times/duration": ("test_duration",),
    "times/clock": ("test_platform_time",),
    "platforms/modelarts/signing": ("test_signing",),
    "platforms/clock": ("test_platform_time",),
    "platforms/modelarts/auth": ("test_signing",),
    "platforms/modelarts/refusals": ("test_cloud_http", "test_retries", "test_codes"),
    "platforms/modelarts/client": ("test_cloud_http", "test_retries", "test_cloud_way", "test_cloud_faults"),
    "platforms/modelarts/connection": (
        "test_cloud_http",
        "test_retries",
        "test_cloud_way",
        "test_cloud_faults",
        "test_tls",
    ),
    "platforms/modelarts/endpoint": ("test_cloud_way",),
    "client/server_info": ("test_ways_in_finding",),
    "client/discovery": ("test_ways_in_finding",),
    "client/transport": ("test_local_http", "test_client_requests", "test_ways_in_finding"),
    "storage/slots": ("test_record", "test_holds_adversity"),
    "client/client": ("test_ways_in_finding", "test_client_requests"),
}
SAME_IN_ANY_CASE = re.compile(r"""headers(\[|\.get\(|=\{| = .*\{)|^SIGNED = |\.decode\("ascii"\)""")
"""Names of headers and encodings: a change of their case alone is none, so it is not counted."""
UNTOUCHED = (
    r"""^\s*(\w+=)?(["'])[^{]* [^{]*\2,?$""",  # a line of prose
    r"^\w+ = (Literal\[.*\]|TypeVar\(.*\))$",  # a type by a name, which only the type checker reads
    r"os\.kill\(pid, 0\)",  # a signal in earnest would end the run itself
    r"_BOOTTIME",  # the two clocks differ only on a machine that has been suspended
)
SETTINGS = """\
[mutmut]
source_paths=jupyter_autostop
only_mutate=jupyter_autostop/{module}.py
do_not_mutate_patterns=
    {untouched}
pytest_add_cli_args=
    {options}
pytest_add_cli_args_test_selection=
    {tests}
timeout_multiplier=8
timeout_constant=2
use_git_change_detection=false
"""


def copy_the_tree(folder: Path) -> None:
    """Copy what the tests of a module need, and nothing that was built."""
    ignore = shutil.ignore_patterns("__pycache__", "labextension", ".artifacts")
    for name in (PACKAGE, "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", folder)


def run_functions(module: str, tests: list[str]) -> list[Mutant]:
    """Let mutmut change the functions of a module of the copy that is the current directory."""
    lists = {"untouched": UNTOUCHED, "options": HYPOTHESIS, "tests": tests}
    settings = SETTINGS.format(module=module, **{name: "\n    ".join(values) for name, values in lists.items()})
    Path("setup.cfg").write_text(settings, encoding="utf-8")
    shutil.rmtree("mutants", ignore_errors=True)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(AT_ONCE)]
    # The same order of the tests in each run.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=LONGEST_RUN, check=False, errors="replace"
    )
    path = Path(PACKAGE, f"{module}.py")
    results = SourceFileMutationData(path=path)
    results.load()
    if done.returncode or None in results.exit_code_by_key.values():
        told = "\n".join(line for line in done.stdout.splitlines() if line.isprintable() and line[:1].isascii())
        sys.exit(f"mutmut failed on {module} ({done.returncode}):\n{told[-3000:]}\n{done.stderr[-3000:]}")
    source = path.read_text(encoding="utf-8").splitlines()
    return [
        Mutant(*where(name, path, source), status_by_exit_code[code or 0])
        for name, code in results.exit_code_by_key.items()
    ]


def where(name: str, path: Path, source: list[str]) -> tuple[int, str]:
    """Return the line of the original that a mutant of mutmut's changes, and the change."""
    functions = read_functions_from_index(name, path)
    assert functions is not None, name
    before, after = (cst.Module([function]).code.strip() for function in functions)
    # Out of its class a method is indented less, so lines are compared without the indentation.
    lines = [line.strip() for line in before.splitlines()]
    stripped = [line.strip() for line in source]
    begin = next(at for at in range(len(source)) if stripped[at : at + len(lines)] == lines)
    line, what = change(before, after)
    return begin + line, what


def is_a_change(mutant: Mutant) -> bool:
    """Tell whether something else than the case of a name that has none was changed."""
    before, _, after = mutant.what.partition("  →  ")
    return before.lower() != after.lower() or not SAME_IN_ANY_CASE.search(before)


def tell(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - printing is its purpose


def main(modules: list[str]) -> int:
    """Print a line for each module and what survived in it; 1 where one misses the promise."""
    missed = 0
    for module in modules or COVERED_BY:
        tests = [str(next((ROOT / "tests").rglob(f"{name}.py")).relative_to(ROOT)) for name in COVERED_BY[module]]
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            copy_the_tree(Path(folder))
            os.chdir(folder)
            mutants = run_functions(module, tests)
            mutants += run_declared(Path(PACKAGE, f"{module}.py"), tests, AT_ONCE)
            os.chdir(ROOT)
        mutants = [mutant for mutant in mutants if is_a_change(mutant)]
        lived = sorted((mutant.line, mutant.what, mutant.result) for mutant in mutants if not mutant.noticed)
        killed = len(mutants) - len(lived)
        late = sum(mutant.result == "timeout" for mutant in mutants)
        percent = 100 * killed / len(mutants)
        verdict = "ok" if percent >= PROMISE else "MISSED"
        missed += verdict != "ok"
        tell(
            f"{module}: {len(mutants)} mutants, {killed} killed ({late} by the time limit), {len(lived)} survived, "
            f"{percent:.1f} % ({verdict}, promised {PROMISE} %)"
        )
        for line, what, result in lived:
            tell(f"  {PACKAGE}/{module}.py:{line}: {what}{'  (no test calls it)' if result == 'no tests' else ''}")
    return min(missed, 1)


if __name__ == "__main__":
    # Ended politely, it takes its copies with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(sys.argv[1:]))
