"""`%autostop …` and `%%autostop hold`: what a cell can say, in the words of the terminal command."""

from __future__ import annotations

import argparse
import inspect
from typing import TYPE_CHECKING, Any, NoReturn

from IPython.core import magic
from IPython.display import display as _display

from jupyter_autostop.client.actions import seconds_of
from jupyter_autostop.client.hold import add_options, ended, split_options
from jupyter_autostop.client.rendering import marked, report_lines
from jupyter_autostop.errors import ClientError
from jupyter_autostop.kernel import completion
from jupyter_autostop.kernel.cell import Work
from jupyter_autostop.kernel.context import notebook_name, session_name
from jupyter_autostop.kernel.display import Picture, ShownOnce
from jupyter_autostop.kernel.hold import HeldBlock
from jupyter_autostop.kernel.line import LineError, parse_line
from jupyter_autostop.kernel.spoken import NotDoneError, asks_for_help, do, refuse, text_of
from jupyter_autostop.times.duration import DurationError

if TYPE_CHECKING:
    from jupyter_autostop.kernel.line import Line

_HOLD_USAGE = "Write %%autostop hold [--max 8h] [--then stop] [--reason TEXT]."

# A semicolon at the cell's end hides its value; IPython before 8.11 knows no such mark.
_silenced = getattr(magic, "output_can_be_silenced", lambda function: function)


def show(thing: Any) -> None:
    """Show something in the cell, wherever it stands there."""
    _display(thing)  # type: ignore[no-untyped-call]  # as IPython has it


class _HoldParser(argparse.ArgumentParser):
    """Refuses in one sentence."""

    def error(self, message: str) -> NoReturn:
        """Refuse what cannot be understood."""
        refuse(f"{message[:1].upper()}{message[1:].rstrip('.')}. {_HOLD_USAGE}")


def _hold_parser() -> _HoldParser:
    parser = _HoldParser(prog="%%autostop hold", add_help=False, allow_abbrev=False)

    def duration(text: str) -> int:
        try:
            return seconds_of(text)
        except DurationError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    add_options(parser, duration)
    return parser


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
        %autostop off                no auto-stop: the instance runs, and bills, until you stop it
        %autostop on [4h]            auto-stop, from the next start with that running time
        %autostop describe TEXT      change the instance's description; "" clears it
        %autostop holds              what keeps this run going: holds and extensions
        %autostop end [ID]           end a hold or an extension before its time; the only one needs no ID
        %autostop stop [--yes]       stop the instance now; asks first, which --yes answers
        %autostop journal [-n 20]    what was changed, when, by which means, with what result; the newest last
        %autostop doctor             what does not work yet, and what to do about it
        %autostop help               this text
        %autostop version            the version of this package

        %%autostop hold [--max 8h] [--then stop] [--reason TEXT]
        …                            the instance is not stopped while this cell runs; it ends with the cell, with the
                                     kernel, or after --max; then all is as before or, with --then stop, it stops

        What stands behind a # with a blank before it is a comment, in a description as well: write describe "Run #7".
        Quotes around words group them and go. A line returns what it shows: state = %autostop status; a semicolon at
        its end shows nothing. What is refused is raised as one sentence.
        """
        __tracebackhide__ = True
        try:
            words = parse_line(line)
            if asks_for_help(words.words):
                return self._shown(Picture.of_text(inspect.cleandoc(self.autostop.__doc__ or "")), silent=words.silent)
            if cell is not None:
                return self._hold(words, cell)
            return self._shown(do(words), silent=words.silent)
        except (ClientError, DurationError, LineError) as error:
            raise NotDoneError(str(error)) from None

    def _shown(self, thing: Any, *, silent: bool) -> Any:
        """Show what came of a line in its place, and return what code can use."""
        if not silent:
            show(thing)
        if not isinstance(thing, ShownOnce):
            return None
        if not silent and self.shell:
            thing.note_shown(self.shell.execution_count)
        return thing

    def _hold(self, line: Line, cell: str) -> Any:
        """Run a cell under a hold and return the value of its last line, as a cell without the magic would show it."""
        __tracebackhide__ = True
        name = line.words[0] if line.words else ""
        if name.casefold() != "hold":
            instead = f"write %autostop {name} with one % in a line of its own" if name else "write %%autostop hold"
            refuse(f"Only a hold takes a whole cell; {instead}.")
        args, more = _hold_parser().parse_known_args(split_options(line.words[1:]))
        if more:
            refuse(f"“{more[0][:40]}” is nothing that %%autostop hold knows. {_HOLD_USAGE}")
        notebook = notebook_name()
        if args.reason:
            reason = text_of([args.reason], line.comment)
        else:  # the cell's own text might be a secret
            reason = f"a cell of {notebook}" if notebook else "a cell"
        by_server = notebook if not args.reason and notebook == session_name() else None
        # Before anything is held: a cell with a mistake in it needs no hold.
        work = Work(self.shell, cell)
        held = HeldBlock(args.max, args.then, reason, by_server)
        held.shows = True
        with held:
            show(Picture([marked(held.begun(), emulated=held.emulated)]))
            value = work.run()
        if held.state:
            show(Picture(report_lines(ended(held.state, held.remark))))
        return value


def load(shell: Any) -> None:
    """Teach an IPython the magic."""
    shell.register_magics(AutostopMagics)
    completion.load(shell)


def unload(shell: Any) -> None:
    """Let an IPython forget the magic."""
    for kind in ("line", "cell"):
        shell.magics_manager.magics[kind].pop("autostop", None)
    completion.unload(shell)
