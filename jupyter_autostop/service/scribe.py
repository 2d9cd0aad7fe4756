"""What of a write is entered in the journal: whatever was sent, and what was refused for something others did."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from jupyter_autostop.errors import AutostopError, ForbiddenError, InvalidInputError, NotConfiguredError
from jupyter_autostop.platforms.writer import Writer
from jupyter_autostop.state import ENDED_WITH_OWNER, Outcome
from jupyter_autostop.storage.journal import Journal

OURSELVES = "this server"
_QUIET = (InvalidInputError, ForbiddenError, NotConfiguredError)
"""Refusals that say to whoever asked all there is to say, unless something had been sent."""
_OVER = ("hold_not_found", ENDED_WITH_OWNER)
"""Codes of ending what has ended."""

Write = Callable[[], Awaitable[Outcome]]


class Scribe:
    """Runs writes and enters what became of them. Assumes that no other write is under way.

    Whoever runs a write sees to it that the journal is secured before anybody is told what became of it.
    """

    def __init__(self, journal: Journal, writer: Writer) -> None:
        self._journal = journal
        self._writer = writer
        self._last_of_ours = ("", "")

    async def people(self, write: Write, who: str, what: str) -> Outcome:
        """Run and enter what somebody asked for."""
        sent = self._writer.sent
        self._last_of_ours = ("", "")
        try:
            outcome = await write()
        except AutostopError as error:
            if self._writer.sent != sent or not (isinstance(error, _QUIET) or error.code in _OVER):
                self._enter(who, what, f"Failed: {error.message} ({error.code})")
            raise
        except asyncio.CancelledError:
            ending = "Not known" if self._writer.sent != sent else "Not done"
            self._enter(who, what, f"{ending}: this server was shut down before the answer came.")
            raise
        if self._writer.sent != sent or outcome["effect"] != "none" or outcome["clamped"]:
            self._enter(who, what, outcome["message"])
        return outcome

    def noted(self, what: str, result: str) -> None:
        """Enter what this server has done of its own accord; the same again and again is entered once."""
        if (what, result) != self._last_of_ours:
            self._last_of_ours = (what, result)
            self._enter(OURSELVES, what, result)

    def _enter(self, who: str, what: str, result: str) -> None:
        self._journal.note(self._writer.platform.time.now_ms(), who, what, result)
