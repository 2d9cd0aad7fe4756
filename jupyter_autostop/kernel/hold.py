"""`with hold(...)`: while the block runs, this instance is not stopped; afterwards all is as before, or it stops."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from jupyter_autostop.client.actions import seconds_of
from jupyter_autostop.client.hold import ENDINGS, Holding, ended
from jupyter_autostop.client.rendering import aside, report_text
from jupyter_autostop.foreign_text import printable
from jupyter_autostop.kernel.context import open_client, owner
from jupyter_autostop.storage.work_lock import WorkLock

if TYPE_CHECKING:
    from datetime import timedelta
    from types import TracebackType

    from jupyter_autostop.state import State


class HeldBlock:
    """A hold for a block of code, to be used once: `with hold(max="8h"): train()`.

    `until` (epoch ms) is its ceiling once it has begun, `state` the State when it has ended. It says what the block
    does to the instance; whoever `shows` that better does so where the block succeeds.
    """

    def __init__(self, longest: int | None, then: str, reason: str | None, notebook: str | None = None) -> None:
        self._holding = Holding(open_client, longest=longest, then=then, reason=reason, notebook=notebook)
        self.state: State | None = None
        self.remark = ""
        self.shows = False

    def __repr__(self) -> str:
        if self._holding.hold is None:
            return "<a hold that has not begun; write: with hold(...):>"
        return "<a hold that is over>" if self.state else "<a hold>"

    @property
    def until(self) -> int | None:
        """Until when it holds at most (epoch ms), `None` before it has begun."""
        return self._holding.hold["until"] if self._holding.hold else None

    @property
    def emulated(self) -> bool:
        """Whether it holds an emulated instance."""
        return self._holding.emulated

    def begun(self) -> str:
        """Say that it has begun, and until when it holds at most."""
        return self._holding.begun("this cell")

    def _say(self, line: str) -> None:
        # Below the cell, whatever became of it.
        print(aside(line, emulated=self.emulated), file=sys.stderr, flush=True)  # noqa: T201

    def __enter__(self) -> HeldBlock:  # noqa: PYI034 - Self is newer than Python 3.9
        __tracebackhide__ = True
        if self._holding.hold is not None:
            raise RuntimeError("A hold is good for one block; ask for another one.")
        self._holding.begin(owner(), WorkLock.take(os.environ))
        if self._holding.remark and not self.shows:
            self._say(self._holding.remark)
        return self

    async def __aenter__(self) -> HeldBlock:  # noqa: PYI034 - as above
        """Begin as `with` does, in a thread, so that the loop goes on; what is cancelled holds nothing."""
        import asyncio  # noqa: PLC0415 - takes long to load, and whoever writes `async with` has it

        __tracebackhide__ = True
        begins = asyncio.ensure_future(asyncio.to_thread(self.__enter__))
        try:
            return await asyncio.shield(begins)
        except asyncio.CancelledError:
            await asyncio.wait({begins})
            if begins.exception() is None:
                await asyncio.to_thread(self.__exit__, None, None, None)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End the hold as `with` does, in a thread that goes on where this is cancelled."""
        import asyncio  # noqa: PLC0415 - as above

        __tracebackhide__ = True
        if not self._holding.is_ours:
            return  # the threads of the loop have stayed with the parent
        await asyncio.shield(asyncio.to_thread(self.__exit__, kind, error, traceback))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """End the hold; an error of the block goes on its way, whatever becomes of that.

        A child that was forked inside the block leaves it as well, and the hold is its parent's to end.
        """
        __tracebackhide__ = True
        if not self._holding.is_ours:
            return
        try:
            release = self._holding.end()
        except KeyboardInterrupt:
            self._say("The end of the hold is not confirmed yet; it is tried on. Look with %autostop status.")
            if error is None:
                raise
            return
        self.state, self.remark = release.state, release.remark
        # What is to follow must not depend on whether the work has failed.
        told = release.state if not self.shows or error is not None else None
        follows = report_text(ended(told, release.remark)) if told else ""
        if release.remark or follows:
            self._say(f"{release.remark} {follows}".strip())
        if release.error:
            next_try = "" if release.refused else " It is tried again until it is."
            why = printable(release.error.message)
            self._say(f"The hold could not be ended: {why}{next_try} Look with %autostop status.")


def hold(max: str | timedelta | None = None, then: str = "restore", reason: str | None = None) -> HeldBlock:  # noqa: A002 - as it reads best
    """Keep this instance from being stopped while a block runs, as in `with autostop.hold(max="8h"): train()`.

    It ends with the block, also if that raises or is interrupted, and with the kernel, and after `max` at the latest
    (default: what the site allows). `then` is "restore", all is as before, or "stop": the instance stops after the
    work. `reason` is shown to everybody on this server. What follows is said on standard error at the end. Raises
    `ClientError`, before the block begins, where the instance cannot be held.
    """
    longest = None if max is None else seconds_of(max)
    if then not in ENDINGS:
        raise ValueError(f"“{str(then)[:40]}” cannot follow a hold; write restore or stop.")
    return HeldBlock(longest, then, reason)
