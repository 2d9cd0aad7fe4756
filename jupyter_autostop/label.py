"""Short names for texts that people read, made from what programs call their files and functions.

What is made here fits wherever it is put, so that no name can keep the work from being done.
"""

from __future__ import annotations

import re

from jupyter_autostop.foreign_text import printable

LONGEST = 80
"""Characters; two of these and some words fit into a hold's reason."""


def shortened(text: str, longest: int = LONGEST) -> str:
    """Return a text on one printable line, its middle left out where it is long: the end tells most of a file."""
    line = " ".join(printable(text).split())
    if len(line) <= longest:
        return line
    end = longest // 2
    return f"{line[: longest - end - 1].rstrip()}…{line[-end:].lstrip()}"


def label(path: str) -> str:
    """Return the last part of a path of any system, shortened; empty for one that has no part to show."""
    parts = (shortened(part) for part in re.split(r"[/\\]", path))
    return next((part for part in reversed(list(parts)) if part), "")
