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
from urllib.request import ProxyHandler, build_opener

from jupyter_autostop.cli.output import say
from jupyter_autostop.times.duration import HOUR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

EXAMPLE = Path(__file__).parents[1] / "example.ipynb"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DONE, FAILED = 0, 1
_PATIENCE = 60.0
"""Seconds that JupyterLab may take to listen."""
_ENDPOINT = "export JUPYTER_AUTOSTOP_ENDPOINT="
_LOOK_EVERY = 0.5
"""Seconds between looks at the emulated instance where JupyterLab ends with it."""
_GONE = ("STOPPING", "STOPPED")


class _EndedError(Exception):
    """Ctrl-C or a polite request to end."""


def _end(_number: int, _frame: FrameType | None) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # an impatient second one must not disturb the ending
    raise _EndedError


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


def _make_work_folder(folder: Path) -> Path:
    work = folder / "work"
    work.mkdir()
    shutil.copy(EXAMPLE, work / EXAMPLE.name)
    return work


def _start_lab(folder: Path, port: int | None, token: str, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", f"--IdentityProvider.token={token}"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.root_dir={folder / 'work'}"),
        *([f"--ServerApp.port={port}"] if port is not None else []),
        *(["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    with (folder / "jupyterlab.log").open("ab") as log:
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


class _Demo:
    """An emulator, and a JupyterLab that shows its instance; `end` is what becomes of JupyterLab at the stop.

    `"kept"`: it goes on, so that everything can be looked at. `"real"`: it ends with the instance, as in the cloud.
    """

    def __init__(self, folder: Path, port: int | None, end: str, started: list[subprocess.Popen[bytes]]) -> None:
        self._folder = folder
        self._port = port
        self._end = end
        self._started = started
        self._token = secrets.token_hex(16)

    def run(self, remaining: int) -> int:
        """Run until JupyterLab ends; return the exit status."""
        emulator, lines = _start_emulator(remaining)
        self._started.append(emulator)  # type: ignore[arg-type]  # to be ended, whatever it prints
        endpoint, said = "", ""
        for line in lines:
            said = line.strip()
            if said.startswith(_ENDPOINT):
                endpoint = said.removeprefix(_ENDPOINT)
                break
        if not endpoint:
            say(f"The emulator did not start. {said}".rstrip())
            return FAILED
        environment = _environment(self._folder, endpoint)
        _make_work_folder(self._folder)
        say("JupyterLab is starting with an emulated ModelArts instance …")
        lab, url = self._start_lab(environment)
        if url is None:
            return FAILED
        self._introduce(url, endpoint)
        threading.Thread(target=_follow, args=(lines,), daemon=True).start()
        while self._end == "real" and _ends_with_instance(lab, endpoint):
            say("The instance has stopped, and JupyterLab with it, as in the cloud. To start it again:")
            say(f"""  curl -X PATCH {endpoint}/_emulator/instance -d '{{"status": "RUNNING"}}'""")
            _wait_for_status(endpoint, lambda status: status == "RUNNING")
            lab, url = self._start_lab(environment)
            if url is None:
                return FAILED
            say("JupyterLab runs again; reload the page.")
        lab.wait()
        say("JupyterLab has ended.")
        return DONE

    def _start_lab(self, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str | None]:
        """Start JupyterLab and return it with its address, `None` where it does not start, which is said."""
        from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 - only a demo needs it

        lab = _start_lab(self._folder, self._port, self._token, environment)
        self._started.append(lab)
        url = _wait_for(Path(jupyter_runtime_dir()) / f"jpserver-{lab.pid}.json", lab)
        if url is None:
            log = (self._folder / "jupyterlab.log").read_text(encoding="utf-8", errors="replace")
            say("JupyterLab did not start; its last words were:")
            say("".join(log.splitlines(True)[-5:]))
            return lab, None
        chosen = urlsplit(url).port
        if self._port and chosen != self._port:
            say(f"Port {self._port} of this machine is taken, so JupyterLab has chosen {chosen}.")
        # A page that is open finds the next one at the same address.
        self._port = chosen
        return lab, url

    def _introduce(self, url: str, endpoint: str) -> None:
        say(f"\n  Open  {url}lab/tree/{EXAMPLE.name}?token={self._token}\n")
        program = os.path.relpath(Path(sys.executable).parent / "jupyter-autostop")
        say("The countdown stands in the status bar at the bottom; the notebook shows what else there is.")
        say(f"In another terminal:  {program} --server {url} status")
        say(f"The emulator's switches and faults:  {endpoint}/_emulator")
        say("Nothing here reaches a cloud. Ctrl-C ends the demo and deletes its work folder, with all that is in it:")
        say(f"  {self._folder / 'work'}")
        say("What happens to the emulated instance:")


def _status(endpoint: str) -> str:
    """Return the emulated instance's status."""
    # The way is local, so no proxy is asked.
    with build_opener(ProxyHandler({})).open(f"{endpoint}/_emulator/instance", timeout=10) as answer:
        return str(json.load(answer)["state"]["status"])


def _wait_for_status(
    endpoint: str, predicate: Callable[[str], bool], lab: subprocess.Popen[bytes] | None = None
) -> bool:
    """Wait until `predicate` holds of the instance's status; return False if JupyterLab ends before."""
    pause = threading.Event()
    while lab is None or lab.poll() is None:
        if predicate(_status(endpoint)):
            return True
        pause.wait(_LOOK_EVERY)
    return False


def _ends_with_instance(lab: subprocess.Popen[bytes], endpoint: str) -> bool:
    """Kill JupyterLab when the instance stops; return False if it ends by itself before."""
    stopped = _wait_for_status(endpoint, lambda status: status in _GONE, lab)
    if stopped:
        # A container goes without a word: no server says goodbye, and kernels end with it.
        os.killpg(lab.pid, signal.SIGKILL)
        lab.wait()
    return stopped


def _follow(lines: Iterator[str]) -> None:
    """Print what the emulator tells of its instance, as it happens."""
    next(lines, None)  # the last line of its introduction
    for line in lines:
        say(f"  {line.rstrip()}")


def _wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()


def run_demo(port: int | None, remaining: int | None, end: str = "kept") -> int:
    """Run the demo until Ctrl-C; returns the exit status. With `end` "real" JupyterLab ends with its instance."""
    if find_spec("jupyterlab") is None or find_spec("ipykernel") is None:
        say("The demo needs JupyterLab and ipykernel: pip install jupyterlab ipykernel")
        return FAILED
    started: list[subprocess.Popen[bytes]] = []
    for number in SIGNALS:
        signal.signal(number, _end)
    with tempfile.TemporaryDirectory(prefix="autostop-demo-", ignore_cleanup_errors=True) as folder:
        try:
            return _Demo(Path(folder), port, end, started).run(HOUR if remaining is None else remaining)
        except _EndedError:
            say("\nEnding the demo …")
            return DONE
        finally:
            for process in reversed(started):
                process.terminate()
            for process in reversed(started):
                _wait_or_kill(process)
