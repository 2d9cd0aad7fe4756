"""Who asks, as far as a request tells."""

from __future__ import annotations

from typing import Any

import pytest
from jupyter_server.auth import User

from jupyter_autostop.server.actor import means, person, who_asks

RANDOM = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("agent", "by"),
    [
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7)", "page"),
        ("jupyter_autostop/0.1.0 (terminal)", "terminal"),
        ("jupyter_autostop/1.0.0rc1+local (kernel)", "kernel"),
        ("jupyter_autostop/0.1.0 (script)", "script"),
        ("jupyter_autostop/0.1.0 (this server)", "script"),
        ("curl/8.5 Mozilla/5.0", "script"),
        ("", "script"),
    ],
)
def test_by_which_means(agent: str, by: str) -> None:
    """A browser is a page, our own client says what it runs in, everything else is a script."""
    assert means(agent) == by


@pytest.mark.parametrize(
    ("user", "name"),
    [
        (User("ada"), "ada"),
        (User("ada", name="Ada Lovelace"), "Ada Lovelace"),
        (User("ada", display_name="Ada L."), "Ada L."),
        (User(RANDOM, "Anonymous Io", "Anonymous Io"), ""),
        (User(RANDOM), ""),
        (User(RANDOM, "Ada", "Ada"), "Ada"),
        (User("ada", display_name="x" * 100), "x" * 39 + "…"),
        (User("ada", display_name="A\x1b[2J\nda\u202e"), "A [2J da"),
        ("ada", ""),
        (None, ""),
    ],
)
def test_the_person(user: Any, name: str) -> None:
    """A name is told where the identity provider knows one, and not where it has drawn one."""
    assert person(user) == name
    assert who_asks("Mozilla/5.0", user) == (f"page ({name})" if name else "page")
