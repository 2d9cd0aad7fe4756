"""The front end: its own unit tests, and the weight of what is shipped."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

from paths import ROOT

SOURCES = ROOT / "labextension"
BUILT = ROOT / "jupyter_autostop" / "labextension" / "static"
RAW, PACKED = 120 * 1024, 45 * 1024
"""Bytes of JavaScript."""


def test_the_typescript_tests(tmp_path: Path) -> None:
    """Every unit test of every spec file runs and passes; none is skipped, narrowed away or left for later."""
    assert (SOURCES / "node_modules").is_dir(), "The front end's packages are missing: `make` installs them."
    report = tmp_path / "jest.json"
    # jlpm, which comes with the package jupyter-builder, is found beside this Python.
    command = [str(Path(sys.executable).with_name("jlpm")), "test", "--ci", "--json", f"--outputFile={report}"]
    ran = subprocess.run(command, cwd=SOURCES, capture_output=True, text=True, timeout=110, check=False)
    said = ran.stdout + ran.stderr
    assert ran.returncode == 0, said
    found = json.loads(report.read_text(encoding="utf-8"))
    assert found["success"] is True, said
    assert found["numPassedTests"] == found["numTotalTests"] > 0, said
    specs = {path.name for path in (SOURCES / "test").rglob("*.spec.ts")}
    assert {Path(result["name"]).name for result in found["testResults"]} == specs, said


def test_the_weight() -> None:
    """The built JavaScript stays within 120 KB raw and 45 KB packed, the worst that a page would have to load."""
    scripts = [path.read_bytes() for path in BUILT.glob("*.js")]
    assert scripts, "The front end is not built: `make` builds it."
    assert sum(len(script) for script in scripts) <= RAW
    assert sum(len(gzip.compress(script)) for script in scripts) <= PACKED
