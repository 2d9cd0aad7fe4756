"""What a Jupyter server does for us while it starts: little, and nothing that could keep it waiting."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT
from processes import own_environment

HERE = Path(__file__).parent
START = """
import json, sys
asked, watching = [], []
def note(event, arguments):
    # Where it is to listen itself, Jupyter looks up; that is not ours, and stays at home.
    itself = event == "socket.getaddrinfo" and arguments[0] == "localhost"
    if watching and not itself and event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        asked.append([event, repr(arguments)])
sys.addaudithook(note)
from jupyter_server.serverapp import ServerApp
server = ServerApp()
server.initialize(argv=["--allow-root", "--no-browser", "--port=0"], find_extensions=False)
before = set(sys.modules)
watching.append(True)
server.extension_manager.add_extension("jupyter_autostop", enabled=True)
server.extension_manager.link_extension("jupyter_autostop")
server.extension_manager.load_extension("jupyter_autostop")
async def come_to_rest():
    from pathlib import Path
    capability = list(Path(server.runtime_dir).glob("jpautostop-*.json"))
    assert len(capability) == 1, capability
server.io_loop.run_sync(come_to_rest, timeout=30)
assert "jupyter_autostop" in server.extension_manager.extensions
json.dump({"asked": asked, "imported": sorted(set(sys.modules) - before)}, sys.stdout)
"""
HEAVY = {
    "httpx",
    "httpcore",
    "pydantic",
    "pydantic_core",
    "jupyter_autostop.service.service",
    "jupyter_autostop.service.requests",
}


def test_loading_asks_nobody_and_imports_little(tmp_path: Path) -> None:
    """With a cloud set up, nobody is connected to and no name looked up; what is heavy comes with the first look."""
    cloud = {
        "JUPYTER_AUTOSTOP_REGION": "cn-north-4",
        "JUPYTER_AUTOSTOP_PROJECT_ID": "p1",
        "JUPYTER_AUTOSTOP_INSTANCE_ID": "DE-1",
        "JUPYTER_AUTOSTOP_TOKEN": "token",
    }
    run = subprocess.run(
        [sys.executable, "-c", START],
        env={**own_environment(tmp_path), **cloud},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["asked"] == []
    assert "jupyter_autostop.server.app" in found["imported"]
    assert not HEAVY & set(found["imported"])


@pytest.mark.parametrize("first", ["test_doctor.py::test_all_is_well", "test_routes.py::test_patch"])
def test_the_first_request_keeps_nobody_waiting(tmp_path: Path, first: str) -> None:
    """What is heavy is imported beside the event loop, whichever route is asked first in a new process."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-c", str(ROOT / "pyproject.toml"), str(HERE / first)],
        cwd=tmp_path,
        env=own_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stdout
