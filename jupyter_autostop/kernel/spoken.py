"""The commands of `%autostop`, in the words of the terminal command: each takes the words behind its name."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core.error import UsageError

from jupyter_autostop.client import actions
from jupyter_autostop.client.actions import seconds_of
from jupyter_autostop.client.client import installed_version
from jupyter_autostop.client.rendering import NOT_STOPPED
from jupyter_autostop.kernel import api
from jupyter_autostop.kernel.context import ask, open_client
from jupyter_autostop.kernel.display import Picture, ShownState

if TYPE_CHECKING:
    from collections.abc import Callable

    from jupyter_autostop.kernel.line import Line

HELP_WORDS = ("help", "--help", "-h", "?")
_VERSION_WORDS = ("version", "--version")
_LONGEST = 40
"""Characters of a text that a refusal repeats."""


class NotDoneError(UsageError):
    """What a cell asked for was not done; shown as one sentence by every front end and by what runs notebooks."""

    def _render_traceback_(self) -> list[str]:
        return [f"{type(self).__name__}: {self}"]


def asks_for_help(words: list[str]) -> bool:
    """Tell whether a line asks for help: in general, or as the terminal takes it behind a command."""
    return bool(words) and (words[0].casefold() in HELP_WORDS or words[1:] in (["--help"], ["-h"]))


def refuse(sentence: str) -> NoReturn:
    """Raise a refusal."""
    raise NotDoneError(sentence)


def text_of(words: list[str], comment: str) -> str:
    """Return words as the text that they are; refuse a `#7` behind them, which may be meant to belong to it."""
    text = " ".join(words)
    if comment and not comment[1:2].isspace() and comment != "#":
        shown = comment[:_LONGEST]
        refuse(f"A comment begins at “{shown}”. Put a text with a # into quotes, or a blank behind the # of a comment.")
    return text


def _status(_line: Line) -> Any:
    return ShownState(actions.status(open_client()))


def _extend(line: Line) -> Any:
    seconds = seconds_of(" ".join(line.words))
    return ShownState(actions.extend(open_client(), seconds))


def _until(line: Line) -> Any:
    client = open_client()
    moment = actions.read_until(client, " ".join(line.words))
    return ShownState(actions.until(client, moment), moment.remark)


def _off(_line: Line) -> Any:
    return ShownState(actions.off(open_client()))


def _on(line: Line) -> Any:
    seconds = seconds_of(" ".join(line.words), actions.RUN_LENGTHS) if line.words else None
    return ShownState(actions.on(open_client(), seconds))


def _describe(line: Line) -> Any:
    text = text_of(line.words, line.comment)
    if not line.words:
        refuse('Write the new description behind it; %autostop describe "" clears it.')
    return ShownState(actions.describe(open_client(), text))


def _holds(_line: Line) -> Any:
    return api.holds()


def _end(line: Line) -> Any:
    if len(line.words) > 1:
        refuse("Name one hold, as %autostop holds shows it: %autostop end ID.")
    return ShownState(actions.end(open_client(), line.words[0] if line.words else None))


def _stop(line: Line) -> Any:
    if line.words not in ([], ["--yes"]):
        refuse(f"%autostop stop takes --yes or nothing, not “{' '.join(line.words)[:_LONGEST]}”.")
    way_out = "Write %autostop stop --yes."
    state = actions.stop(open_client(), None if line.words else lambda question: ask(question, way_out))
    return Picture([NOT_STOPPED]) if state is None else ShownState(state)


def _journal(line: Line) -> Any:
    words = line.words
    last = words[1] if words[:1] == ["-n"] and len(words) > 1 else ""
    if words and not (len(words) <= 2 and last.isascii() and last.isdigit()):  # noqa: PLR2004 - the option and its value
        refuse(f"%autostop journal takes -n and a number or nothing, not “{' '.join(words)[:_LONGEST]}”.")
    return api.journal(int(last) if last else None)


def _doctor(_line: Line) -> Any:
    return api.doctor()


_DO: dict[str, Callable[[Line], Any]] = {
    "status": _status,
    "extend": _extend,
    "until": _until,
    "off": _off,
    "on": _on,
    "describe": _describe,
    "holds": _holds,
    "end": _end,
    "stop": _stop,
    "journal": _journal,
    "doctor": _doctor,
}
COMMANDS = tuple(_DO)
_BARE = ("status", "off", "holds", "doctor")
"""Commands with nothing behind them."""


def do(line: Line) -> Any:
    """Do what a line says and return what came of it."""
    if not line.words:
        return api.panel()
    name, rest = line.words[0].casefold(), line._replace(words=line.words[1:])
    if name in _VERSION_WORDS:
        return Picture([f"jupyter_autostop {installed_version()}"])
    if name == "hold":
        refuse("A hold is for a whole cell: write %%autostop hold into its first line.")
    if name not in _DO:
        near = get_close_matches(name.strip("-"), COMMANDS, 1)
        meant = f" Is %autostop {near[0]} meant?" if near else ""
        refuse(f"“{name[:_LONGEST]}” is nothing that %autostop can do; it can {', '.join(COMMANDS)}.{meant}")
    if rest.words and name in _BARE:
        refuse(f"%autostop {name} takes nothing behind it, not “{' '.join(rest.words)[:_LONGEST]}”.")
    return _DO[name](rest)
