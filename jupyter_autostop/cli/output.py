"""Where a command prints: whatever the encoding, the reader or the disk of its output, it says what went wrong.

Standard output is what was asked for, so a failure of it is one of the command's. Standard error is told beside it,
and what cannot be told there ends nothing.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

FAILED = 1
READER_GONE = 128 + signal.SIGPIPE
"""What a shell says of a program whose reader has gone away."""


class Writable(Protocol):
    """What lines are written to."""

    def write(self, text: str, /) -> Any:
        """Write a text."""

    def flush(self) -> Any:
        """See it out."""


class OutputError(Exception):
    """Standard output cannot be written; `error` says why."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.error = error


class Output:
    """Standard output, each text at once; raises `OutputError`, so that no other error is taken for one of its."""

    def write(self, text: str) -> None:
        """Write a text."""
        try:
            sys.stdout.write(text)
        except OSError as error:
            raise OutputError(error) from None
        self.flush()

    def flush(self) -> None:
        """See out what argparse has left in the buffer."""
        try:
            sys.stdout.flush()
        except OSError as error:
            raise OutputError(error) from None


class Remarks:
    """Standard error: a remark that has no place to go stops no work."""

    def write(self, text: str) -> None:
        """Write a text, where that can be done."""
        with suppress(OSError):
            sys.stderr.write(text)
            sys.stderr.flush()

    def flush(self) -> None:
        """Nothing is kept back."""


def say(text: str) -> None:
    """Print a line at once, whoever reads it."""
    Output().write(f"{text}\n")


def remark(text: str) -> None:
    """Print a line to standard error."""
    Remarks().write(f"{text}\n")


def as_json(answer: Any, indent: int | None = None) -> str:
    """Return JSON in ASCII: any terminal and any file can carry it, and nothing in it moves a cursor."""
    return json.dumps(answer, indent=indent).replace("\x7f", "\\u007f")


def say_json(answer: Any) -> None:
    """Print an answer for scripts."""
    say(as_json(answer, indent=2))


def _prepare() -> None:
    """Let both streams write any text, escaped where their encoding has no sign for it, also where one is closed."""
    if sys.stdout is None:
        # Every write fails as on a closed descriptor, and no socket comes to stand in its place.
        sys.stdout = io.TextIOWrapper(io.FileIO(os.open(os.devnull, os.O_RDONLY), "w"), "utf-8")
    if sys.stderr is None:
        sys.stderr = io.TextIOWrapper(io.FileIO(os.open(os.devnull, os.O_WRONLY), "w"), "utf-8")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _give_up(error: OSError) -> int:
    """Tell why nothing more is printed, unless that is the reader's own doing; return the exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What is left in the buffer must not be tried again at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if isinstance(error, BrokenPipeError):
        return READER_GONE
    remark(f"Cannot write the output: {error.strerror}. What was asked for may have been done.")
    return FAILED


def printing(run: Callable[[], int]) -> int:
    """Run a command and return its exit status, or that of an output which cannot be written."""
    _prepare()
    try:
        try:
            return run()
        finally:
            Output().flush()  # a command's help waits in the buffer
    except OutputError as failure:
        return _give_up(failure.error)
