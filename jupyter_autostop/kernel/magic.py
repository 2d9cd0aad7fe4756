"""`%autostop …` and `%%autostop hold`: what a cell can say, in the words of the terminal command."""

from __future__ import annotations

import argparse
import re
import shlex
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core import magic
from IPython.core.error import UsageError
from IPython.display import display as _display

try:
    from IPython.core.completer import SimpleCompletion, context_matcher
except ImportError:  # before IPython 8.6
    context_matcher = None  # type: ignore[assignment]

from jupyter_autostop import wishes
from jupyter_autostop.duration import DurationError
from jupyter_autostop.errors import ClientError
from jupyter_autostop.holding import ENDINGS, add_options, ended
from jupyter_autostop.kernel import api
from jupyter_autostop.kernel.cell import Work
from jupyter_autostop.kernel.hold import hold
from jupyter_autostop.kernel.home import notebook_name, open_client
from jupyter_autostop.kernel.picture import Picture, state_picture
from jupyter_autostop.wishes import seconds_of
from jupyter_autostop.words import NO_JOURNAL, check_lines, journal_line, marked, report_lines

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = ("status", "extend", "until", "off", "on", "describe", "journal", "doctor")
_EXAMPLES = {"extend": ["1h", "2h", "4h"], "on": ["4h"], "until": ["18:00"]}
"""What a completion offers behind a command."""
_COMPLETED = r"\s*%{1,2}autostop\b"
_HOLD_USAGE = "Write %%autostop hold [--max 8h] [--then stop] [--reason TEXT]."
_BARE = ("status", "off", "journal", "doctor")
"""Commands with nothing behind them."""


# A semicolon at the cell's end hides its value; IPython before 8.11 knows no such mark.
_silenced = getattr(magic, "output_can_be_silenced", lambda function: function)


def show(thing: Any) -> None:
    """Show something in the cell, wherever it stands there."""
    _display(thing)  # type: ignore[no-untyped-call]  # as IPython has it


class _HoldParser(argparse.ArgumentParser):
    """Refuses in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Refuse what cannot be understood."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}. {_HOLD_USAGE}")


def _hold_parser() -> _HoldParser:
    parser = _HoldParser(prog="%%autostop hold", add_help=False, allow_abbrev=False)

    def duration(text: str) -> int:
        try:
            return seconds_of(text)
        except DurationError as error:
            raise argparse.ArgumentTypeError(str(error).rstrip(".")) from None

    add_options(parser, duration)
    return parser


def _sentence(error: ClientError) -> str:
    return " ".join(part for part in (error.message, error.hint) if part)


def _status(_rest: str) -> Picture:
    return state_picture(wishes.status(open_client()))


def _extend(rest: str) -> Picture:
    seconds = seconds_of(rest)
    return state_picture(wishes.extend(open_client(), seconds))


def _until(rest: str) -> Picture:
    client = open_client()
    moment = wishes.read_until(client, rest)
    return state_picture(wishes.until(client, moment), moment.remark)


def _off(_rest: str) -> Picture:
    return state_picture(wishes.off(open_client()))


def _on(rest: str) -> Picture:
    seconds = seconds_of(rest, wishes.RUN_LENGTHS) if rest else None
    return state_picture(wishes.on(open_client(), seconds))


def _describe(rest: str) -> Picture:
    if not rest:
        raise UsageError('Write the new description behind it; %autostop describe "" clears it.')
    return state_picture(wishes.describe(open_client(), "" if rest in ('""', "''") else rest))


def _journal(_rest: str) -> Picture:
    entries = open_client().journal()["entries"]
    return Picture([journal_line(entry) for entry in entries] or [NO_JOURNAL])


def _doctor(_rest: str) -> Picture:
    return Picture([line for check in open_client().doctor()["checks"] for line in check_lines(check)])


_DO: dict[str, Callable[[str], Picture]] = {
    "status": _status,
    "extend": _extend,
    "until": _until,
    "off": _off,
    "on": _on,
    "describe": _describe,
    "journal": _journal,
    "doctor": _doctor,
}


def _command(line: str) -> Any:
    """Do what a line says and return what is to be shown of it."""
    name, _, rest = line.strip().partition(" ")
    rest = rest.strip()
    if not name:
        return api.panel()
    if name == "hold":
        raise UsageError("A hold is for a whole cell: write %%autostop hold into its first line.")
    if name not in _DO:
        raise UsageError(f"“{name[:40]}” is nothing that %autostop can do; it can {', '.join(COMMANDS)}.")
    if rest and name in _BARE:
        raise UsageError(f"%autostop {name} takes nothing behind it, not “{rest[:40]}”.")
    return _DO[name](rest)


@magic.magics_class
class AutostopMagics(magic.Magics):
    """The magic of both kinds."""

    @magic.line_cell_magic
    @_silenced
    def autostop(self, line: str, cell: str | None = None) -> Any:
        """See and move the time at which this instance stops.

        %autostop                    the panel, whose buttons work while a cell runs
        %autostop status             when it stops, in how long, and who sees to it
        %autostop extend 2h          let this run last longer; also 30 minutes, 1h30, 1:30 (1 h 30 min), 1.5h
        %autostop until 18:00        let it last until the next 18:00; also 6pm, tomorrow 9:00, 18:00 Asia/Shanghai
        %autostop off                no auto-stop: the instance runs, and bills, until somebody stops it
        %autostop on [4h]            auto-stop, from the next start with that running time
        %autostop describe TEXT      change the instance's description
        %autostop journal            what was changed, when, by which means, with what result
        %autostop doctor             what does not work yet, and what to do about it

        %%autostop hold [--max 8h] [--then stop] [--reason TEXT]
        …                            the instance is not stopped while this cell runs; it ends with the cell, with the
                                     kernel, or after --max; then all is as before or, with --then stop, it stops
        """
        __tracebackhide__ = True
        try:
            if cell is not None:
                return self._hold(line, cell)
            show(_command(line))
        except ClientError as error:
            raise UsageError(_sentence(error)) from None
        except DurationError as error:
            raise UsageError(str(error)) from None

    def _hold(self, line: str, cell: str) -> Any:
        """Run a cell under a hold and return the value of its last line, as a cell without the magic would show it."""
        __tracebackhide__ = True
        name, _, rest = line.strip().partition(" ")
        if name != "hold":
            instead = f"write %autostop {name} with one % in a line of its own" if name else "write %%autostop hold"
            raise UsageError(f"Only a hold takes a whole cell; {instead}.")
        try:
            args, more = _hold_parser().parse_known_args(shlex.split(rest))
        except ValueError:
            raise UsageError("There is a quotation mark without its partner.") from None
        if more:
            raise UsageError(f"“{more[0][:40]}” is nothing that %%autostop hold knows. {_HOLD_USAGE}")
        # Before anything is held: a cell with a mistake in it needs no hold.
        work = Work(self.shell, cell)
        held = hold(None if args.max is None else timedelta(seconds=args.max), args.then, args.reason or _reason())
        held.shows = True
        with held:
            show(Picture([marked(held.begun(), emulated=held.emulated)]))
            value = work.run()
        if held.state:
            show(Picture(report_lines(ended(held.state))))
        return value


def _reason() -> str:
    """Return what a hold is for where nobody says so; the cell's text might be a secret."""
    name = notebook_name()
    return f"a cell of {name}" if name else "a cell"


def complete(_shell: Any, event: Any) -> list[str]:
    """Return what can stand behind `%autostop` or `%%autostop`, for IPython's completer."""
    return _offers(event.line)


def _offers(line: str) -> list[str]:
    magic_word, _, typed = line.lstrip().partition(" ")
    words = typed.split()
    at_first = not words or (len(words) == 1 and not typed.endswith(" "))
    if magic_word == "%%autostop":
        if at_first:
            return ["hold"]
        before = words[-1] if typed.endswith(" ") else words[-2]
        return list(ENDINGS) if before == "--then" else ["--max", "--then", "--reason"]
    return list(COMMANDS) if at_first else _EXAMPLES.get(words[0], [])


def _alone(context: Any) -> Any:
    """Offer the same and nothing else: behind a magic no name of Python's can stand, which a hook cannot say."""
    line = context.text_until_cursor
    offers = _offers(line) if re.match(_COMPLETED, line) else []
    fitting = [SimpleCompletion(word, type="magic") for word in offers if word.startswith(context.token)]
    return {"completions": fitting, "ordered": True, "suppress": True}


_matchers = [] if context_matcher is None else [context_matcher(identifier="autostop")(_alone)]


def load(shell: Any) -> None:
    """Teach an IPython the magic."""
    shell.register_magics(AutostopMagics)
    shell.set_hook("complete_command", complete, re_key=_COMPLETED)
    if shell.Completer is not None:
        shell.Completer.custom_matchers[:0] = _matchers


def unload(shell: Any) -> None:
    """Let an IPython forget the magic."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("autostop", None)
    shell.strdispatchers["complete_command"].regexs.pop(re.compile(_COMPLETED), None)
    for matcher in _matchers if shell.Completer is not None else []:
        if matcher in shell.Completer.custom_matchers:
            shell.Completer.custom_matchers.remove(matcher)
