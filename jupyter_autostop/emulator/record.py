"""The requests seen, so that a test can tell what a client sent.

Secrets stay out: of the headers only one that is none is kept, and only the bodies of the instances' routes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

from jupyter_autostop.emulator.message import Request
from jupyter_autostop.emulator.rules import ignored_keys

USER_HEADER = "x-modelarts-user-id"
_WITH_BODY = "/v1/"

LONGEST = 10_000
"""Requests kept; the oldest go first."""


@dataclass
class Seen:
    """A request.

    `body` is its JSON (`None`: none, or not JSON), `ignored` the keys in it that the platform knows nothing of,
    `status` is what was answered, `None` where no answer came or none yet; `at` is epoch ms; `user_id` is what callers
    inside a notebook say they are (`x-modelarts-user-id`).
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    at: int
    status: int | None = None
    fault: str | None = None
    user_id: str | None = None
    ignored: list[str] = field(default_factory=list)


class Record:
    """Requests in the order they came."""

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque(maxlen=LONGEST)

    def add(self, request: Request, at: int) -> Seen:
        """Note a request; the caller fills in what became of it."""
        try:
            body = request.json() if request.body and request.path.startswith(_WITH_BODY) else None
        except ValueError:
            body = None
        seen = Seen(request.method, request.path, dict(request.query), body, at)
        seen.ignored = ignored_keys(request.method, body)
        seen.user_id = request.headers.get(USER_HEADER)
        self._seen.append(seen)
        return seen

    def clear(self) -> None:
        """Forget all."""
        self._seen.clear()

    @property
    def requests(self) -> list[Seen]:
        """All, oldest first."""
        return list(self._seen)

    def shown(self) -> list[dict[str, Any]]:
        """Return all as JSON."""
        return [asdict(seen) for seen in self._seen]
