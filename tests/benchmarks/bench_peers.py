"""The peers, each installed from PyPI by name into an environment of its own below this one's, with JupyterLab."""

from __future__ import annotations

import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

OURS = ("jupyter_autostop", "jupyter-autostop/instance")
"""Our module, and the route that is measured."""


@dataclass(frozen=True)
class Peer:
    """A Jupyter server extension that shows something in JupyterLab, as ours does."""

    package: str
    module: str
    route: str
    labextension: str

    @property
    def folder(self) -> Path:
        return Path(sys.prefix) / f"bench-{self.package}"

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def install(self, constraints: Path) -> None:
        """Make the environment, unless it is there; the Jupyter in it is the same as ours."""
        ready = self.folder / ".ready"
        if ready.exists():
            return
        venv.create(self.folder, with_pip=True, clear=True)
        command = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        packages = [self.package, "jupyterlab", "ipykernel"]
        subprocess.run([*command, "--constraint", constraints, *packages], check=True, stdout=sys.stderr)
        ready.touch()


PEERS = (
    Peer("jupyter-resource-usage", "jupyter_resource_usage", "api/metrics/v1", "@jupyter-server/resource-usage"),
    Peer("jupyter-keepalive", "jupyter_keepalive", "ext-keepalive", "@minrk/jupyter-keepalive"),
)


def install_peers(folder: Path) -> None:
    """Make every peer's environment; `folder` is for files that nobody needs afterwards."""
    frozen = subprocess.check_output([sys.executable, "-m", "pip", "freeze"], text=True)
    constraints = folder / "constraints.txt"
    constraints.write_text("\n".join(line for line in frozen.splitlines() if "==" in line), encoding="utf-8")
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda peer: peer.install(constraints), PEERS))
