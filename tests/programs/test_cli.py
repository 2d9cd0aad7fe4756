"""`jupyter autostop …` as people run it: a real command, a real Jupyter server, an emulator."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from processes import JupyterServer, emulated, ended, own_environment, running_emulator, running_jupyter, wait_for

from jupyter_autostop.emulator import defaults


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "50m") as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def server(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    folder = tmp_path_factory.mktemp("jupyter")
    with running_jupyter(folder, settings=emulated(endpoint)) as server:
        yield server


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter_autostop", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def instance(endpoint: str) -> Any:
    with httpx.Client(base_url=endpoint, trust_env=False, headers={"X-Auth-Token": defaults.TOKEN}) as client:
        return client.get(f"/v1/{defaults.PROJECT_ID}/demanager/instances/{defaults.INSTANCE_ID}").json()


def test_the_whole_round(server: JupyterServer, endpoint: str) -> None:
    """Each command does what it says at the platform, says the new fact, and exits 0 only if it is so."""
    stops = instance(endpoint)["spec"]["auto_stop"]["stop_timestamp"] / 1000
    most = stops - time.time()
    status = run(server.environment, "status")
    assert status.returncode == 0
    assert status.stdout.startswith("[emulator] Stops at ")
    assert status.stdout.endswith(", kept by ModelArts\n")
    left = re.search(r"\(in ([0-9]+) min\)", status.stdout)
    assert left
    # The server knows the platform's time to a second.
    assert (stops - time.time() - 1) // 60 <= int(left[1]) <= (most + 1) // 60 < 50

    described = run(server.environment, "describe", "Tuning", "run", "7,", "lr", "sweep")
    assert (described.returncode, instance(endpoint)["description"]) == (0, "Tuning run 7, lr sweep")

    off = run(server.environment, "off")
    assert (off.returncode, instance(endpoint)["spec"]["auto_stop"]["enable"]) == (0, False)
    assert "until you stop it" in off.stdout
    assert "until you stop it" in run(server.environment, "status").stdout

    on = run(server.environment, "on", "4h")
    assert on.returncode == 0
    assert instance(endpoint)["spec"]["auto_stop"]["duration"] == 14400
    assert "From the next start a run lasts 4 h." in on.stdout

    extended = run(server.environment, "extend", "2h")
    assert extended.returncode == 0
    assert re.fullmatch(
        r"\[emulator\] Extended to .*\d\d:\d\d UTC \(2 h (49|50) min\)\. "
        r"Kept by this server; ModelArts' own auto-stop is off until then\.\n",
        extended.stdout,
    )
    # The running time counts only from the next start, so auto-stop went off for this run.
    assert instance(endpoint)["spec"]["auto_stop"] == {"enable": False, "duration": 14400, "prompt": True}

    until = run(server.environment, "until", "2099-01-01T00:00")
    assert "the limit leaves 21 h " in until.stdout
    assert "(23 h 59 min). Kept by this server; " in until.stdout

    back = run(server.environment, "on")
    assert back.returncode == 0
    assert "what was held has ended. This run stops at " in back.stdout
    assert run(server.environment, "status").stdout.count("kept by ModelArts") == 1
    assert instance(endpoint)["spec"]["auto_stop"]["stop_timestamp"]


def test_a_platform_that_extends(tmp_path: Path) -> None:
    """Where the stop time really moves, extend says so and exits 0."""
    with running_emulator("--remaining", "50m") as endpoint:
        httpx.patch(f"{endpoint}/_emulator/behaviour", json={"duration_applies": "now"}, trust_env=False)
        with running_jupyter(tmp_path, settings=emulated(endpoint)) as other:
            extended = run(other.environment, "extend", "1h30m")
    assert extended.returncode == 0
    assert "Extended by 1 h 30 min, to " in extended.stdout


def test_json_for_scripts(server: JupyterServer) -> None:
    """`-o json` prints the State, or the error of the contract with the State at hand, and nothing else."""
    status = run(server.environment, "status", "-o", "json")
    assert json.loads(status.stdout)["emulated"] is True
    refused = run(server.environment, "describe", "R&D", "-o", "json")
    assert refused.returncode == 1
    assert json.loads(refused.stdout)["code"] == "description_characters"
    assert refused.stderr == ""
    impossible = run(server.environment, "on", "30h", "-o", "json")
    assert (impossible.returncode, impossible.stderr) == (2, "")
    assert json.loads(impossible.stdout)["code"] == "duration_range"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["extend", "2"], "2m or 2h"),
        (["extend", "90"], "write 90m."),
        (["on", "2"], "write 2h."),
        (["on", "30"], "has no unit; write 2h"),
        (["on", "30h"], "Choose one from 1 h to 24 h"),
        (["on", "30m"], "A running duration is at least 1 h; 30 min is shorter."),
        (["extend", "-1h"], "“-1h” is not a duration"),
        (["-o", "text", "until", "-1:30"], "“-1:30” is not a time"),
        (["hold", "--max", "30h", "--", "false"], "longer than this site allows"),
        (["extend", "soon"], "not a duration"),
        (["until", "25:00"], "not a time"),
        (["until", "2020-01-01T00:00"], "has passed"),
        (["on", "later"], "not a duration"),
        (["describe"], "required"),
        (["fly"], "invalid choice"),
        (["stauts"], "is status meant?"),
        (["hold", "--then", "stopp", "--", "true"], "is stop meant?"),
        ([], "required"),
        (["emulator", "--port", "70000"], "65535"),
    ],
)
def test_misuse_is_2(server: JupyterServer, arguments: list[str], words: str) -> None:
    """What cannot be meant is refused on the spot with the way out, exit status 2, and no traceback."""
    result = run(server.environment, *arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_refusal_is_1_with_the_reason(server: JupyterServer) -> None:
    """What the server or the site refuses is one line with the limit and the way out."""
    refused = run(server.environment, "describe", "x" * 513)
    assert refused.returncode == 1
    assert "513 characters; the limit is 512" in refused.stderr


def test_no_server(tmp_path: Path) -> None:
    """Without a server there is one line that says so and what to do."""
    result = run(own_environment(tmp_path), "status")
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "No Jupyter server" in result.stderr


def test_a_server_without_the_extension(tmp_path: Path) -> None:
    """A server that does not know us is named, with what to do."""
    disabled = "--ServerApp.jpserver_extensions={'jupyter_autostop': False}"
    with running_jupyter(tmp_path, disabled) as server:
        result = run(server.environment, "status")
    assert result.returncode == 1
    assert "does not know jupyter_autostop" in result.stderr


def test_its_own_server_among_several(server: JupyterServer, tmp_path: Path) -> None:
    """With several servers, a kernel's or terminal's own is taken by process id; a stranger must choose."""
    environment = {**own_environment(tmp_path), "JUPYTER_RUNTIME_DIR": server.environment["JUPYTER_RUNTIME_DIR"]}
    (tmp_path / "work").mkdir()
    with running_jupyter(tmp_path) as other:
        runtime = Path(server.environment["JUPYTER_RUNTIME_DIR"])
        copy = runtime / f"jpserver-{other.pid}.json"
        copy.write_bytes((tmp_path / "runtime" / copy.name).read_bytes())
        (runtime / "jpserver-99999999.json").write_text("{", encoding="utf-8")
        choose = run(environment, "status")
        assert choose.returncode == 1
        assert "Several" in choose.stderr
        mine = run({**environment, "JPY_PARENT_PID": str(server.pid)}, "status")
        assert mine.stdout.startswith("[emulator]")
        theirs = run({**environment, "JPY_PARENT_PID": str(other.pid)}, "status")
        assert "This server is not configured yet" in theirs.stdout
        assert theirs.returncode == 1
        named = run(environment, "status", "--server", f"{server.url}lab?token={server.token}")
        assert named.stdout.startswith("[emulator]")
        elsewhere = {**environment, "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
        wrong = run(elsewhere, "status", "--server", server.url)
        assert wrong.returncode == 1
        assert "does not let this terminal in" in wrong.stderr
        assert "token" in wrong.stderr
        copy.unlink()


def test_the_emulators_port_is_taken(endpoint: str, tmp_path: Path) -> None:
    """A taken port is one sentence."""
    result = run(own_environment(tmp_path), "emulator", "--port", endpoint.rpartition(":")[2])
    assert result.returncode == 1
    assert "Traceback" not in result.stderr + result.stdout


def test_serve(endpoint: str, tmp_path: Path) -> None:
    """`serve` is a Jupyter server with this extension and no other, which the command then finds by itself."""
    environment = own_environment(tmp_path)
    command = [sys.executable, "-m", "jupyter_autostop", "serve", "--ServerApp.port=0"]
    with (tmp_path / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            command, env={**environment, **emulated(endpoint)}, stdout=log, stderr=log, cwd=tmp_path
        )
    with ended(process):
        file = tmp_path / "runtime" / f"jpserver-{process.pid}.json"
        wait_for(lambda: file.exists() and file.read_text(encoding="utf-8").strip() != "")
        info = json.loads(file.read_text(encoding="utf-8"))
        result = run(environment, "status")
        assert result.stdout.startswith("[emulator] ")
        with httpx.Client(
            base_url=info["url"], trust_env=False, headers={"Authorization": f"token {info['token']}"}
        ) as client:
            assert client.get("jupyter-autostop/instance").status_code == 200
            assert client.get("lab").status_code == 404
    assert "Traceback" not in (tmp_path / "serve.log").read_text(encoding="utf-8")
