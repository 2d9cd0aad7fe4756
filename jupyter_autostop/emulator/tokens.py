"""The tokens that IAM has issued: how long each is good for, and an end for all of them."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from jupyter_autostop.emulator.message import GatewayError

DAY = 86400
"""Seconds a token is good for (IAM, obtaining a user token)."""
_BYTES = 1500
"""Of randomness: makes a token as long as IAM's, some thousand characters."""
_KEPT = 10_000
"""Tokens remembered; the oldest go first."""


@dataclass(frozen=True)
class Token:
    """What a token is good for: until when (epoch ms), and whether for the project or for global services only."""

    expires: int
    for_project: bool


class Tokens:
    """Each is good for the `lifetime` (s) that was set when it was issued; `issued` counts them."""

    def __init__(self) -> None:
        self.lifetime: float = DAY
        self.issued = 0
        self._known: dict[str, Token] = {}

    def issue(self, at: int, *, for_project: bool) -> tuple[str, Token]:
        """Return a new token and what it is good for."""
        text = "MII" + secrets.token_urlsafe(_BYTES)
        token = self._known[text] = Token(at + round(self.lifetime * 1000), for_project)
        self.issued += 1
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return text, token

    def check(self, text: str, at: int) -> bool:
        """Tell whether a token is one of these; raise the gateway's refusal where it is good no more, or not here."""
        token = self._known.get(text)
        if token is None:
            return False
        if at >= token.expires:
            raise GatewayError(401, "0307", "The token must be updated.")
        if not token.for_project:
            raise GatewayError(403, "0302", "The token gives no access to this project; its scope is another.")
        return True

    def revoke(self) -> None:
        """Know none of them any more."""
        self._known.clear()

    def good(self, at: int) -> int:
        """Return how many are good."""
        return sum(at < token.expires for token in self._known.values())
