"""Blocking calls of the product inside an event loop: refused where they happen, and remembered.

Remembered too, since an error that is raised in a background task may be lost.
"""

from __future__ import annotations

import inspect
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from blockbuster import BlockBuster, BlockBusterFunction
from paths import TESTS

import jupyter_autostop

PACKAGE = str(Path(jupyter_autostop.__file__).parent) + os.sep
TESTS = str(TESTS) + os.sep
ALSO = (
    *((os, name) for name in ("open", "fsync", "lstat", "chmod", "utime")),
    *((socket, name) for name in ("getaddrinfo", "create_connection")),
    (ssl.SSLContext, "load_verify_locations"),
    (subprocess.Popen, "__init__"),
    (subprocess.Popen, "wait"),
)
"""What the library does not watch by itself, and we could come to use."""
ALLOWED = (
    # While a Jupyter server is set up nobody is served yet, and outside of tests no loop runs.
    ("jupyter_server/serverapp.py", {"initialize"}),
    # The capability file comes before the first request and goes after the last one, as Jupyter's own file beside it.
    ("jupyter_autostop/server/app.py", {"_publish_capability"}),
    ("jupyter_autostop/server/auth.py", {"withdraw"}),
    # A log line is written where it arises, as in every other part of a Jupyter server.
    ("logging/__init__.py", {"emit"}),
)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame:
        yield frame
        frame = frame.f_back


class BlockingCalls:
    """Watches while active; `seen` holds each call as `os.fsync in memory.save`, in order."""

    def __init__(self, package: str = PACKAGE) -> None:
        self.seen: list[str] = []
        self._package = package
        self._buster = BlockBuster()
        for owner, name in ALSO:
            self._buster.functions[f"{owner.__name__}.{name}"] = BlockBusterFunction(owner, name)
        for function in self._buster.functions.values():
            for file, names in ALLOWED:
                function.can_block_in(file, names)
            function.can_block_predicate = partial(
                self._may_block, function.full_name, function.can_block_predicate, function.can_block_functions
            )

    def _may_block(
        self,
        name: str,
        harmless: Callable[..., bool],
        allowed: list[tuple[str, Iterable[str]]],
        *args: Any,
        **options: Any,
    ) -> bool:
        """Tell whether a call may be made: it does not block, is none of the product's, or is allowed."""
        if harmless(*args, **options):
            return True
        ours, in_coroutine = None, False
        for frame in _frames(sys._getframe(1)):
            file, function = frame.f_code.co_filename, frame.f_code.co_name
            if any(file.endswith(ending) and function in names for ending, names in allowed):
                return True
            if file.startswith(self._package):
                ours = ours or f"{Path(file).stem}.{function}"
                in_coroutine = in_coroutine or bool(frame.f_code.co_flags & inspect.CO_COROUTINE)
            elif file.startswith(TESTS) and not in_coroutine:
                # A test's own call: of something that blocks, or of a function that no loop of the product calls so.
                return True
        if ours is None:
            return True
        self.seen.append(f"{name} in {ours}")
        return False

    @contextmanager
    def active(self) -> Iterator[BlockingCalls]:
        """Watch every event loop of this process meanwhile."""
        self._buster.activate()
        try:
            yield self
        finally:
            self._buster.deactivate()
