"""Real processes for tests and figures: an emulator, a Jupyter server; each ended by whoever started it."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from jupyter_client import BlockingKernelClient

ENDPOINT = "export JUPYTER_AUTOSTOP_ENDPOINT="
PATIENCE = 600
"""Tenths of a second that a program may take to start."""


@dataclass(frozen=True)
class JupyterServer:
    """A running Jupyter server, and the environment that a terminal in it would have."""

    url: str
    token: str
    pid: int
    folder: Path
    environment: dict[str, str]

    def client(self) -> httpx.Client:
        """Return an HTTP client that is logged in."""
        headers = {"Authorization": f"token {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=60)


def own_environment(folder: Path) -> dict[str, str]:
    """Return an environment that sees no settings of whoever runs this and leaves nothing behind."""
    ours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("JUPYTER", "JPY_", "HUAWEICLOUD_SDK_", "IPYTHON"))
    }
    labconfig = folder / "config" / "labconfig"
    labconfig.mkdir(parents=True, exist_ok=True)
    page = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (labconfig / "page_config.json").write_text(json.dumps(page), encoding="utf-8")
    return {
        **ours,
        "HOME": str(folder),
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTER_AUTOSTOP_STATE_DIR": str(folder / "state"),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))),
    }


@contextmanager
def ended(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process of ours when leaving, politely first."""
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds, or fail."""
    pause = threading.Event()
    for _ in range(PATIENCE):
        if condition():
            return
        pause.wait(0.1)
    raise AssertionError("What was waited for did not come.")


@contextmanager
def running_emulator(*arguments: str) -> Iterator[str]:
    """Run `jupyter autostop emulator` on a free port and yield its address."""
    command = [sys.executable, "-m", "jupyter_autostop", "emulator", "--port", "0", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    with ended(process):
        assert process.stdout is not None
        lines = iter(process.stdout)
        endpoint = next((line.strip().removeprefix(ENDPOINT) for line in lines if ENDPOINT in line), "")
        assert endpoint, "the emulator did not start"
        # What it tells later must be read, or it would wait for a reader.
        threading.Thread(target=lambda: [None for _ in lines], daemon=True).start()
        yield endpoint


@contextmanager
def running_jupyter(
    folder: Path,
    *arguments: str,
    module: str = "jupyter_server",
    settings: dict[str, str] | None = None,
    python: str = sys.executable,
    login: Sequence[str] | None = None,
    listen: str = "--ServerApp.port=0",
) -> Iterator[JupyterServer]:
    """Run a Jupyter server in a folder of its own; `settings` are added to its environment.

    `login` are the options of another way to log in than by a token.
    """
    token = "" if login is not None else secrets.token_hex(8)
    login = [f"--IdentityProvider.token={token}"] if login is None else login
    environment = own_environment(folder)
    work = folder / "work"
    work.mkdir(exist_ok=True)
    command = [
        *(python, "-m", module, "--no-browser", "--allow-root", "--ServerApp.ip=127.0.0.1"),
        *(*login, f"--ServerApp.root_dir={work}", listen, *arguments),
    ]
    with (folder / "server.log").open("ab") as log:
        process = subprocess.Popen(
            command, env={**environment, **(settings or {})}, stdout=log, stderr=subprocess.STDOUT
        )
    with ended(process):
        file = folder / "runtime" / f"jpserver-{process.pid}.json"
        pause = threading.Event()
        for _ in range(PATIENCE):
            assert process.poll() is None, (folder / "server.log").read_text(encoding="utf-8")
            try:
                url = json.loads(file.read_text(encoding="utf-8"))["url"]
                break
            except (OSError, ValueError):
                pause.wait(0.1)
        else:
            raise AssertionError((folder / "server.log").read_text(encoding="utf-8"))
        yield JupyterServer(url, token, process.pid, folder, environment)


def is_ready(channels: BlockingKernelClient) -> bool:
    """Return whether a kernel answers; one that is still starting is taken for dead by the library."""
    try:
        channels.wait_for_ready(timeout=60)
    except RuntimeError:
        return False
    return True


@contextmanager
def running_kernel(server: JupyterServer, client: httpx.Client) -> Iterator[Callable[[str], str]]:
    """Start a kernel as JupyterLab does, through `client`; yields what runs code in it and returns what it printed."""
    kernel = client.post("api/kernels", json={"name": "python3"}).raise_for_status().json()["id"]
    channels = BlockingKernelClient(connection_file=str(server.folder / "runtime" / f"kernel-{kernel}.json"))
    channels.load_connection_file()
    channels.start_channels()

    def run(code: str) -> str:
        said: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            said.append(content.get("text", "") or "\n".join(content.get("traceback", [])))

        channels.execute_interactive(code, output_hook=hear, timeout=60)
        return "".join(said)

    try:
        wait_for(lambda: is_ready(channels))
        yield run
    finally:
        channels.stop_channels()
        client.delete(f"api/kernels/{kernel}")


def emulated(endpoint: str) -> dict[str, str]:
    """Return the environment variables that point a Jupyter server at an emulator."""
    return {"JUPYTER_AUTOSTOP_PLATFORM": "emulator", "JUPYTER_AUTOSTOP_ENDPOINT": endpoint}
