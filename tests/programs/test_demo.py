"""`jupyter autostop demo` where it cannot be had as asked for: it says why, in a line."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from processes import own_environment

COMMAND = [sys.executable, "-m", "jupyter_autostop", "demo"]


def test_an_emulator_that_does_not_start(tmp_path: Path) -> None:
    """What it says is passed on: the limit."""
    command = [*COMMAND, "--remaining", "48h"]
    result = subprocess.run(
        command, env=own_environment(tmp_path), capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (1, "")
    assert result.stdout == (
        "The emulator did not start. An instance stops 1 s to 24 h (86400 s) from now, not 172800 s.\n"
    )


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """JupyterLab takes the next one, which is said before its address."""
    # With the settings of this machine's user left aside.
    environment = {**own_environment(tmp_path), "PYTHONUNBUFFERED": "1"}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with subprocess.Popen(
            [*COMMAND, "--port", str(port)], env=environment, stdout=subprocess.PIPE, text=True
        ) as demo:
            assert demo.stdout is not None
            try:
                said = []
                for line in demo.stdout:
                    said.append(line)
                    if "What happens" in line:
                        break
                [shown] = (line.partition("terminal:  ")[2] for line in said if "--server http" in line)
                answer = subprocess.run(
                    ["sh", "-c", shown], env=environment, capture_output=True, text=True, timeout=60, check=False
                )
                folder = Path(said[-2].strip())
                existed = folder.is_dir()
            finally:
                os.kill(demo.pid, signal.SIGINT)
                demo.communicate(timeout=60)
    told = re.search(
        r"Port (\d+) of this machine is taken, so JupyterLab has chosen (\d+)\.\n\n  Open  (\S+)", "".join(said)
    )
    assert told, said
    assert told[1] == str(port)
    assert f":{told[2]}/" in told[3]
    assert demo.returncode == 0
    # What it says can be done is done: the command finds the demo, and the folder goes with it.
    assert (answer.returncode, answer.stdout.startswith("[emulator] Stops at ")) == (0, True)
    assert "Ctrl-C ends the demo and deletes its work folder" in said[-3]
    assert (existed, folder.exists()) == (True, False)


def test_a_real_end_takes_jupyterlab_along(tmp_path: Path) -> None:
    """With `--end real` the server is gone without a word at the stop, and comes back at the same address."""
    environment = {**own_environment(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, "--remaining", "10s", "--end", "real"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        lines = iter(demo.stdout)
        try:
            opened = next(found for line in lines if (found := re.search(r"Open  (http://\S+?/)lab", line)))
            assert httpx.get(f"{opened[1]}api", trust_env=False).status_code == 200
            emulator = next(found for line in lines if (found := re.search(r"(http://\S+)/_emulator", line)))[1]
            again = next(line for line in lines if "curl" in line)
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"{opened[1]}api", trust_env=False)
            assert again.strip() == f"""curl -X PATCH {emulator}/_emulator/instance -d '{{"status": "RUNNING"}}'"""
            httpx.patch(f"{emulator}/_emulator/instance", json={"status": "RUNNING"}, trust_env=False)
            assert any("JupyterLab runs again" in line for line in lines)
            assert httpx.get(f"{opened[1]}api", trust_env=False).status_code == 200
        finally:
            os.kill(demo.pid, signal.SIGINT)
            demo.communicate(timeout=60)
    assert demo.returncode == 0
