"""Virtual environments with other releases of Jupyter's front ends, and our wheel in them."""

from __future__ import annotations

import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Environment:
    """A virtual environment below this one's, with our wheel in it."""

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    def prepare(self, wheel: Path, *packages: str) -> None:
        """Make it with these packages, unless it is there, and give it the present wheel."""
        ready = self.folder / ".ready"
        wanted = " ".join(packages)
        if not ready.exists() or ready.read_text(encoding="utf-8") != wanted:
            venv.create(self.folder, with_pip=True, clear=True)
            self._install(*packages, "ipykernel", wheel)
            ready.write_text(wanted, encoding="utf-8")
        self._install("--force-reinstall", "--no-deps", wheel)

    @contextmanager
    def without(self, part: str) -> Iterator[None]:
        """Take a folder out of it meanwhile."""
        here, away = self.folder / part, self.folder / "away"
        here.rename(away)
        try:
            yield
        finally:
            away.rename(here)

    def _install(self, *packages: str | Path) -> None:
        command = [self.python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages]
        subprocess.run(command, check=True, capture_output=True, timeout=600)
