"""`jupyter autostop hold -- COMMAND…` as a program, and the fake of a server that it finds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from fake_autostop import FakeAutostop

PYTHON = sys.executable


class Program:
    """The program, and the server it finds."""

    def __init__(self, folder: Path, environment: dict[str, str], fake: FakeAutostop) -> None:
        self.folder, self.environment, self.fake = folder, environment, fake

    def command(self, *words: str, options: tuple[str, ...] = (), first: tuple[str, ...] = ()) -> list[str]:
        return [PYTHON, "-m", "jupyter_autostop", *first, "hold", *options, "--", *words]

    def run(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        command = self.command(*words, **more)
        return subprocess.run(
            command, env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )

    def start(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(*words),
            env=self.environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **more,
        )

    @property
    def wish(self) -> Any:
        return next(body for method, _, body in self.fake.wishes if method == "POST")
