"""Looking at files and folders that may be anything: unreadable, unreachable, or without an answer.

`pathlib`'s own predicates raise for most of what can be wrong with a disk, so they are not used in this package.
Standard library only: kernels carry it too.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

PATIENCE_S = 5.0
"""How long a look at a disk may take; a mount whose server is gone may not answer at all."""
_LONGEST_SHOWN = 300
_T = TypeVar("_T")
_hanging: dict[str, threading.Event] = {}
"""What is set once a disk has answered, by what it is asked about."""
_asking = threading.local()
"""What a thread of `within` asks about."""


def is_there(path: str | Path) -> bool:
    """Tell whether anything can be seen at `path`, a link to nowhere included."""
    return os.path.lexists(path)


def is_file(path: str | Path) -> bool:
    """Tell whether a regular file can be seen at `path`."""
    return os.path.isfile(path)  # noqa: PTH113 - pathlib's raises


def expand_user(path: str) -> Path:
    """Return `path` with the home folder in the place of a leading `~`, where it is known."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises where there is no home


def absolute(path: str) -> str:
    """Return `path` from the root on; unchanged where the working folder is gone."""
    try:
        return os.path.abspath(path)  # noqa: PTH100 - pathlib's raises
    except OSError:
        return path


def shown(path: str | Path) -> str:
    """Return a path as it can be printed anywhere: in part if it is long, and with what is no text written out."""
    text = os.fspath(path).encode("utf-8", "backslashreplace").decode()
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[: _LONGEST_SHOWN // 2]}…{text[-_LONGEST_SHOWN // 2 :]}"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def make_folder(path: Path) -> None:
    """Make a folder for its owner alone, unless it is there; raise `OSError` where that cannot be done."""
    with no_odd_names():
        path.mkdir(mode=0o700, parents=True, exist_ok=True)


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder; none where it cannot be looked into."""
    try:
        return os.listdir(folder)  # noqa: PTH208 - pathlib's gives paths
    except (OSError, ValueError):
        return []


@contextmanager
def no_odd_names() -> Iterator[None]:
    """Turn the `ValueError` of a name that no file can have into an `OSError`, as all else that is wrong with one."""
    try:
        yield
    except ValueError:
        raise OSError(errno.EINVAL, "no file can have this name") from None


def within(patience_s: float, about: object, call: Callable[[], _T]) -> _T:
    """Return what `call` returns in a thread of its own; `TimeoutError` (an `OSError`) where it takes too long.

    A call to a dead mount cannot be ended: its thread ends with it or with the process. Until then no other
    is made for a call about the same, so that there are never many.
    """
    key = str(about)
    if key in getattr(_asking, "keys", ()):
        return call()  # within such a call already
    answer: list[_T] = []
    failure: list[BaseException] = []
    done = threading.Event()

    def run() -> None:
        _asking.keys = {key}
        try:
            answer.append(call())
        except BaseException as error:  # noqa: BLE001 - raised again below
            failure.append(error)
        finally:
            if _hanging.get(key) is done:
                del _hanging[key]
            done.set()

    earlier = _hanging.get(key)
    if earlier is not None and not earlier.wait(patience_s):
        raise TimeoutError(errno.ETIMEDOUT, "it does not answer")
    _hanging[key] = done
    threading.Thread(target=run, daemon=True, name="autostop-disk").start()
    if not done.wait(patience_s):
        raise TimeoutError(errno.ETIMEDOUT, "it does not answer")
    if failure:
        raise failure[0]
    return answer[0]
