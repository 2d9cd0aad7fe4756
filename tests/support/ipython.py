"""A real IPython in this process, beside a fake of its server."""

from __future__ import annotations

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from fake_autostop import FakeAutostop, running_fake
from IPython.core.displayhook import DisplayHook
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import RichOutput, capture_output
from traitlets.config import Config


class CollectingHook(DisplayHook):
    """Keeps what a cell's last line shows, as a front end would get it."""

    def write_format_data(self, format_dict: dict[str, Any], md_dict: Any = None) -> None:
        self._kept = [RichOutput(format_dict, md_dict)]

    def take(self) -> list[RichOutput]:
        kept, self._kept = getattr(self, "_kept", []), []
        return kept


class Cell:
    """What became of a cell: what it printed, displayed and returned, and its error."""

    def __init__(self, shell: InteractiveShell, text: str) -> None:
        with capture_output() as said:
            self.result = shell.run_cell(text, store_history=True)
        self.stdout, self.stderr = said.stdout, said.stderr
        self.outputs: list[RichOutput] = [*said.outputs, *shell.displayhook.take()]
        self.error = self.result.error_in_exec or self.result.error_before_exec

    @property
    def texts(self) -> list[str]:
        return [output.data["text/plain"] for output in self.outputs]

    @property
    def html(self) -> str:
        return "".join(output.data.get("text/html", "") for output in self.outputs)


class Notebook:
    """Runs cells."""

    def __init__(self, shell: InteractiveShell, fake: FakeAutostop, environment: dict[str, str]) -> None:
        self.shell = shell
        self.fake = fake
        self.environment = environment

    def renew(self, patch: pytest.MonkeyPatch) -> None:
        """Forget every name, and what the fake has been told; find it again."""
        for name, value in self.environment.items():
            patch.setenv(name, value)
        self.shell.reset(new_session=False)
        self.fake.__init__()  # type: ignore[misc]  # as new, at its old address

    def run(self, text: str) -> Cell:
        return Cell(self.shell, text)


@contextmanager
def running_ipython(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    """Run an IPython with the extension loaded; it finds a fake of its server."""
    patch.setenv("IPYTHONDIR", str(folder / "ipython"))
    # Jedi writes the files of its cache in place: another process that reads one meanwhile gets no completion at all.
    patch.setattr("jedi.settings.cache_directory", str(folder / "jedi"))
    # The fake shares this process with the cells: on a busy machine it may take more than a moment to answer.
    patch.setattr("jupyter_autostop.client.client.PROOF", 60.0)
    fake = FakeAutostop()
    with running_fake(folder / "runtime", fake) as environment:
        config = Config(
            {
                "HistoryManager": {"enabled": False},
                "InteractiveShell": {"colors": "nocolor"},
            }
        )
        shell = InteractiveShell.instance(config=config, displayhook_class=CollectingHook)
        try:
            shell.run_line_magic("load_ext", "jupyter_autostop")
            yield Notebook(shell, fake, environment)
        finally:
            shell.run_line_magic("unload_ext", "jupyter_autostop")
            shell.atexit_operations()
            atexit.unregister(shell.atexit_operations)
            InteractiveShell.clear_instance()
