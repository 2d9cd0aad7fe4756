"""Who asks, as far as a request tells: a record for people, not a proof. Anybody may call himself a page."""

from __future__ import annotations

import re
from typing import Any

from jupyter_autostop.foreign_text import one_line

_OURS = re.compile(r"jupyter_autostop/\S{1,40} \((terminal|kernel|script)\)")
_RANDOM = re.compile(r"[0-9a-f]{32}")
_LONGEST_NAME = 40


def means(user_agent: str) -> str:
    """Return by which means a request came, by its User-Agent: page, terminal, kernel or script."""
    if ours := _OURS.fullmatch(user_agent):
        return ours[1]
    return "page" if user_agent.startswith("Mozilla/") else "script"


def person(user: Any) -> str:
    """Return the name of a Jupyter Server user; empty where the identity provider knows none."""
    given = [getattr(user, key, None) for key in ("display_name", "name", "username")]
    names = [name for name in given if isinstance(name, str) and name]
    # Whoever comes with a token or password only is given a random name, and "Anonymous" with one of Jupiter's moons.
    if names and _RANDOM.fullmatch(names[-1]) and (names[0] == names[-1] or names[0].startswith("Anonymous ")):
        return ""
    return one_line(names[0], _LONGEST_NAME) if names else ""


def who_asks(user_agent: str, user: Any) -> str:
    """Return the journal's `who`: `page`, `terminal (Ada Lovelace)`."""
    name = person(user)
    return f"{means(user_agent)} ({name})" if name else means(user_agent)
