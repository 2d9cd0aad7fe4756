"""`jupyter autostop demo`: JupyterLab with an emulated instance, in a folder of its own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jupyter_autostop.duration import HOUR

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

EXAMPLE = Path(__file__).parent / "example.ipynb"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DONE, FAILED = 0, 1
_PATIENCE = 60.0
"""Seconds that JupyterLab may take to listen."""
_ENDPOINT = "export JUPYTER_AUTOSTOP_ENDPOINT="


class _EndedError(Exception):
    """Ctrl-C or a polite request to end."""


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # an impatient second one must not disturb the ending
    raise _EndedError


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _environment(folder: Path, endpoint: str) -> dict[str, str]:
    """Return the environment of a JupyterLab that knows no settings of the user's and leaves none behind."""
    labconfig = folder / "config" / "labconfig"
    labconfig.mkdir(parents=True)
    # The news toast lies over the status bar, and a demo has no news.
    page = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (labconfig / "page_config.json").write_text(json.dumps(page), encoding="utf-8")
    foreign = ("JUPYTER_AUTOSTOP_", "HUAWEICLOUD_SDK_")
    ours = {key: value for key, value in os.environ.items() if not key.startswith(foreign)}
    return {
        **ours,
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_AUTOSTOP_STATE_DIR": str(folder / "state"),
        "JUPYTER_AUTOSTOP_PLATFORM": "emulator",
        "JUPYTER_AUTOSTOP_ENDPOINT": endpoint,
        # So that `!jupyter autostop` in a cell is this one.
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
    }


def _start_emulator(remaining: int) -> tuple[subprocess.Popen[str], Iterator[str]]:
    command = [sys.executable, "-m", "jupyter_autostop", "emulator", "--port", "0", "--remaining", f"{remaining}s"]
    # A session of its own: Ctrl-C is for us, and we end it when JupyterLab has ended.
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)  # noqa: S603 - ours
    return process, iter(process.stdout or ())


def _start_lab(folder: Path, port: int | None, token: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    work = folder / "work"
    work.mkdir()
    shutil.copy(EXAMPLE, work / EXAMPLE.name)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", f"--IdentityProvider.token={token}"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={work}"),
        *([f"--ServerApp.port={port}"] if port is not None else []),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    with (folder / "jupyterlab.log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - ours
            command, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _wait_for(path: Path, process: subprocess.Popen[bytes]) -> str | None:
    """Return the address in a server's runtime file once it is there, `None` if the server ended first."""
    pause = threading.Event()
    for _ in range(int(_PATIENCE / 0.1)):
        if process.poll() is not None:
            return None
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["url"])
        except (OSError, ValueError):
            pause.wait(0.1)  # not there yet, or half written
    return None


def _run(folder: Path, port: int | None, remaining: int, started: list[subprocess.Popen[bytes]]) -> int:
    from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 - only a demo needs it

    emulator, lines = _start_emulator(remaining)
    started.append(emulator)  # type: ignore[arg-type]  # to be ended, whatever it prints
    endpoint, said = "", ""
    for line in lines:
        said = line.strip()
        if said.startswith(_ENDPOINT):
            endpoint = said.removeprefix(_ENDPOINT)
            break
    if not endpoint:
        _say(f"The emulator did not start. {said}".rstrip())
        return FAILED
    token = secrets.token_hex(16)
    lab = _start_lab(folder, port, token, _environment(folder, endpoint))
    started.append(lab)
    _say("JupyterLab is starting with an emulated ModelArts instance …")
    url = _wait_for(Path(jupyter_runtime_dir()) / f"jpserver-{lab.pid}.json", lab)
    if url is None:
        _say("JupyterLab did not start; its last words were:")
        _say("".join((folder / "jupyterlab.log").read_text(encoding="utf-8", errors="replace").splitlines(True)[-5:]))
        return FAILED
    if port and urlsplit(url).port != port:
        _say(f"Port {port} of this machine is taken, so JupyterLab has chosen {urlsplit(url).port}.")
    _say(f"\n  Open  {url}lab/tree/{EXAMPLE.name}?token={token}\n")
    program = os.path.relpath(Path(sys.executable).parent / "jupyter-autostop")
    _say("The countdown stands in the status bar at the bottom; the notebook shows what else there is.")
    _say(f"In another terminal:  {program} status")
    _say(f"The emulator's switches and faults:  {endpoint}/_emulator")
    _say("Nothing here reaches a cloud. Ctrl-C ends the demo. What happens to the emulated instance:")
    threading.Thread(target=_follow, args=(lines,), daemon=True).start()
    lab.wait()
    _say("JupyterLab has ended.")
    return DONE


def _follow(lines: Iterator[str]) -> None:
    """Print what the emulator tells of its instance, as it happens."""
    next(lines, None)  # the last line of its introduction
    for line in lines:
        _say(f"  {line.rstrip()}")


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def run_demo(port: int | None, remaining: int | None) -> int:
    """Run the demo until Ctrl-C; returns the exit status."""
    if find_spec("jupyterlab") is None or find_spec("ipykernel") is None:
        _say("The demo needs JupyterLab and ipykernel: pip install 'jupyter_autostop[demo]'")
        return FAILED
    started: list[subprocess.Popen[bytes]] = []
    for number in SIGNALS:
        signal.signal(number, _end)
    with tempfile.TemporaryDirectory(prefix="autostop-demo-", ignore_cleanup_errors=True) as folder:
        try:
            return _run(Path(folder), port, HOUR if remaining is None else remaining, started)
        except _EndedError:
            _say("\nEnding the demo …")
            return DONE
        finally:
            for process in reversed(started):
                process.terminate()
            for process in reversed(started):
                _wait_or_kill(process)
