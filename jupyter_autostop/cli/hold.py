"""`jupyter autostop hold -- COMMAND…`: while the command runs, this instance is not stopped.

The command is made first and let go once it is held, so that the server can watch its process from the beginning: what
ends it, ends the hold, even if this program is killed. Signals are passed on, and its exit status becomes ours.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from jupyter_autostop.cli.command_process import Command, fill_standard_streams
from jupyter_autostop.client.client import RefusedError
from jupyter_autostop.client.hold import Holding, ended
from jupyter_autostop.client.rendering import report_text
from jupyter_autostop.disk import is_file
from jupyter_autostop.foreign_text import printable
from jupyter_autostop.label import label
from jupyter_autostop.process import claim
from jupyter_autostop.storage.work_lock import WorkLock

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jupyter_autostop.client.client import LocalClient
    from jupyter_autostop.errors import ClientError

_SEES_TO_IT = "The server sees that the command has ended, and ends the hold."
_NEXT_SEES_TO_IT = "A Jupyter server that runs on this state folder sees that the command has ended, and ends the hold."
_UNSEEN = "No server can see that the command has ended: the hold lasts until its time."
_SHIELDED = "The command runs as another user, so signals do not reach it: it goes on, and so does the hold."


def _what_for(words: Sequence[str]) -> str:
    """Return what to show as the reason: program and script, no arguments, since these may be secret."""
    shown = [label(words[0])]
    if len(words) > 1 and is_file(words[1]):
        shown.append(label(words[1]))
    return " ".join(shown).strip()


def _what_follows(holding: Holding, error: ClientError | None = None) -> str:
    """Say who ends a hold that was not ended from here; `error`: why it was not."""
    if not holding.is_seen:
        return _UNSEEN
    # One that has answered is there; whether any other is, this program cannot know.
    return _SEES_TO_IT if isinstance(error, RefusedError) else _NEXT_SEES_TO_IT


def run_held(
    words: Sequence[str],
    connect: Callable[[], LocalClient],
    say: Callable[[str, bool], None],
    *,
    longest: int | None,
    then: str,
    reason: str | None,
) -> int:
    """Run a command under a hold and return its exit status.

    `say` tells that the hold has begun and ended, and whether the instance is an emulated one.

    Raises `ClientError` where it cannot be held; the command is not run then.
    """
    fill_standard_streams()
    lock = WorkLock.take(os.environ)
    command = Command(words, lock)
    holding = Holding(connect, longest=longest, then=then, reason=reason or _what_for(words))
    try:
        holding.begin(claim(command.pid), lock)
    except BaseException:
        command.give_up()
        raise
    say(holding.begun(label(words[0]) or "the command"), holding.emulated)
    status = command.run(with_lock=holding.by_lock, refused=lambda: say(_SHIELDED, holding.emulated))
    try:
        release = holding.end()
    except KeyboardInterrupt:
        say(f"Its end is not confirmed yet. {_what_follows(holding)}", holding.emulated)
        return status
    if release.error:
        why = printable(release.error.message)
        say(f"The hold could not be ended from here: {why} {_what_follows(holding, release.error)}", holding.emulated)
    elif release.state:
        said = report_text(ended(release.state, release.remark))
        say(f"{release.remark} {said}".lstrip(), holding.emulated)
    return status
