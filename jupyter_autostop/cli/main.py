"""`jupyter autostop …` in a terminal. Exit status 0: done, 1: refused or failed, 2: misuse."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NoReturn

from jupyter_autostop import SERVER_PYTHON
from jupyter_autostop.cli.commands import DONE, FAILED, MISUSE, run_command
from jupyter_autostop.cli.output import Output, as_json, printing, remark, say, say_json
from jupyter_autostop.client.actions import RUN_LENGTHS
from jupyter_autostop.client.client import connect, installed_version
from jupyter_autostop.client.hold import Words, add_options, split_options
from jupyter_autostop.client.reader_zone import tz_trouble
from jupyter_autostop.client.rendering import aside, marked
from jupyter_autostop.errors import AutostopError, ClientError
from jupyter_autostop.times.duration import DAY, HOUR, DurationError, parse_duration
from jupyter_autostop.times.moments import read_moment
from jupyter_autostop.times.zones import machine_zone

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from _typeshed import SupportsWrite

    from jupyter_autostop.client.client import LocalClient

_OWN_PROGRAMS = ("serve", "emulator", "demo")
"""Commands that ask no server and so have nothing to say in JSON."""
_BEYOND_LIMITS = {"duration_range", "until_passed", "until_range"}
"""Codes of lengths and times that only the server can tell to be impossible: misuse as those that anybody can tell."""
_TOKEN = re.compile(r"(?i)(token(?:=|%3d))[^\s'\"&#]+")
_BEFORE = ("-o", "--output", "--server", "--cacert")
"""Options that may stand before the command, each with a word of its own."""
INTERRUPTED = 130
"""What a shell says of a program that Ctrl-C has ended."""


def _duration(text: str, likely: tuple[int, int] = (1, DAY)) -> int:
    try:
        return parse_duration(text, likely)
    except DurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _until(text: str) -> str:
    """Return a text that is a time; whether it has passed, the platform's clock decides."""
    try:
        read_moment(text, round(time.time() * 1000), machine_zone())
    except DurationError as error:
        if error.kind != "range":
            raise argparse.ArgumentTypeError(str(error)) from None
    return text


def _every(text: str) -> int:
    seconds = _duration(text, (1, HOUR))
    if seconds > HOUR:
        raise argparse.ArgumentTypeError("look at least once an hour (1h)")
    return seconds


def _run_length(text: str) -> int:
    return _duration(text, RUN_LENGTHS)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError("give a whole number, 0 or more")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):  # noqa: PLR2004 - TCP's limit
        raise argparse.ArgumentTypeError("a port is a number from 0 (any free one) to 65535")
    return int(text)


def _typed(text: str) -> str:
    """Return a text as it was typed, also where Python's locale has no letters for the terminal's bytes."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return os.fsencode(text).decode("utf-8", "replace")
    return text


class _Version(argparse.Action):
    """Tells the version, which is looked up only now."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        """Print it and leave."""
        say(f"jupyter_autostop {installed_version()}")
        parser.exit()


class _Helpful(argparse.ArgumentParser):
    """Prints its help as any other answer, where argparse keeps quiet about an output that takes none."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Name the nearest of the words that are known beside one that is not."""
        try:
            super()._check_value(action, value)
        except argparse.ArgumentError as error:
            near = get_close_matches(str(value), map(str, action.choices or ()), 1)
            if near and "maybe you meant" not in error.message:  # as newer versions of Python say
                error.message += f"; is {near[0]} meant?"
            raise

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        """Print it to standard output."""
        (file or Output()).write(self.format_help())


class _Parser(_Helpful):
    """Repeats no token of an address that stands where it cannot be understood."""

    def error(self, message: str) -> NoReturn:
        """Refuse with exit status 2."""
        super().error(_TOKEN.sub(r"\1…", message))


class _JsonParser(_Helpful):
    """Tells misuse as an error object."""

    def error(self, message: str) -> NoReturn:
        """Refuse with exit status 2."""
        message = _TOKEN.sub(r"\1…", message)
        say_json({"message": message, "code": "usage", "hint": f"See {self.prog} --help.", "request_id": None})
        self.exit(MISUSE)


def _as_meant(argv: Sequence[str]) -> list[str]:
    """Return the arguments as they are meant where argparse would take them otherwise.

    A length or time with a minus in front is no option, so that those who refuse it get it; and an option of `hold` may
    have several words, also behind a `=`.
    """
    words = iter(argv)
    command = ""
    for word in words:
        if word in _BEFORE:
            next(words, None)
        elif not word.startswith("-"):
            command = word
            break
    if command == "hold":
        at = argv.index("--") if "--" in argv else len(argv)
        return [*split_options(argv[:at]), *argv[at:]]
    if command not in ("extend", "until", "on"):
        return list(argv)
    return [f" {word}" if re.match(r"-[0-9.:]", word) else word for word in argv]


def _wants_json(argv: Sequence[str]) -> bool:
    """Tell whether JSON is asked for, also by arguments that cannot be understood otherwise."""
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    flags = [at for at, word in enumerate(words) if word in ("-o", "--output")]
    return bool({"-ojson", "--output=json"} & set(words)) or any(words[at + 1 : at + 2] == ["json"] for at in flags)


def _parser(kind: type[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    parser = kind(
        prog="jupyter autostop",
        description="See and move the stop time of the cloud notebook instance that a Jupyter server runs in.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="tell the version of this package and leave")
    output: dict[str, Any] = {"choices": ["text", "json"], "help": "json for scripts"}
    parser.add_argument("-o", "--output", default="text", **output)
    server: dict[str, Any] = {"metavar": "URL", "help": "the Jupyter server to speak to, if it cannot be found out"}
    parser.add_argument("--server", **server)
    cacert: dict[str, Any] = {"metavar": "FILE", "help": "PEM file that vouches for the certificate of --server"}
    parser.add_argument("--cacert", **cacert)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def server_command(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        # Not given here, what was given before the command stays.
        command.add_argument("-o", "--output", default=argparse.SUPPRESS, **output)
        command.add_argument("--server", default=argparse.SUPPRESS, **server)
        command.add_argument("--cacert", default=argparse.SUPPRESS, **cacert)
        command.set_defaults(misuse=command.error)
        return command

    server_command("status", "say when the instance stops")
    extend = server_command("extend", "let this run last longer")
    words: dict[str, Any] = {"action": Words, "metavar": "DURATION"}
    text = "how much longer: 2h, 30 minutes, 1h30, 1:30 or 1.5h"
    extend.add_argument("by", nargs="+", help=text, parse=_duration, **words)
    until = server_command("until", "let this run last until a time")
    words_of_time: dict[str, Any] = {"action": Words, "parse": _until, "metavar": "TIME"}
    until.add_argument(
        "until",
        nargs="+",
        help="18:00 (the next one), 6pm, tomorrow 9:00, 18:00 Asia/Shanghai or 2026-11-24T09:00",
        **words_of_time,
    )
    server_command("off", "switch auto-stop off")
    on = server_command("on", "switch auto-stop on")
    text = "running time from each start: 1h to 24h"
    on.add_argument("duration", nargs="*", help=text, parse=_run_length, **words)
    describe = server_command("describe", "change the instance's description")
    describe.add_argument("text", nargs="+", type=_typed, help="the new description; '' clears it")
    hold = server_command("hold", "keep this instance from being stopped while a command runs")
    hold.usage = "%(prog)s [--max DURATION] [--then restore|stop] [--reason TEXT] -- COMMAND …"
    add_options(hold, _duration, _typed)
    hold.add_argument(
        "words", nargs=argparse.REMAINDER, metavar="-- COMMAND …", help="the command, whose exit status is given back"
    )
    watch = server_command("watch", "keep telling when the instance stops, until it has or Ctrl-C")
    watch.add_argument("--every", type=_every, default=20, metavar="DURATION", help="between looks at the server (20s)")
    server_command("holds", "tell what keeps this run going: holds and extensions")
    end = server_command("end", "end a hold or an extension before its time")
    end.add_argument(
        "id", nargs="?", metavar="ID", help="as `holds` shows it, or its beginning; the only one needs none"
    )
    stop = server_command("stop", "stop the instance now")
    stop.add_argument("-y", "--yes", action="store_true", help="do not ask first")
    journal = server_command("journal", "tell what was changed, when, by which means and with what result, newest last")
    journal.add_argument("-n", dest="last", type=_count, metavar="NUMBER", help="only the newest so many")
    server_command("doctor", "check what this needs to work, and say what to do about the rest")
    _add_own_programs(commands)
    return parser


def _add_own_programs(commands: Any) -> None:
    """Add the commands that are no question to a server."""
    text = "run a Jupyter server with nothing but this extension, where there is no JupyterLab to load it"
    commands.add_parser("serve", help=text, description=text)

    emulator = commands.add_parser("emulator", help="run a local ModelArts to try things with")
    emulator.add_argument("--port", type=_port, default=None, help="port on 127.0.0.1")
    emulator.add_argument("--remaining", type=_duration, help="stop the emulated instance this far from now, e.g. 6m")
    demo = commands.add_parser("demo", help="open JupyterLab with the emulator; nothing else needed")
    demo.add_argument("--port", type=_port, default=None, help="port of JupyterLab on 127.0.0.1")
    demo.add_argument("--remaining", type=_duration, help="stop the emulated instance this far from now, e.g. 6m")
    demo.add_argument(
        "--end",
        choices=("kept", "real"),
        default="kept",
        help="what becomes of JupyterLab at the stop: it is kept running, or ends with the instance as in the cloud",
    )


def _error_json(error: AutostopError) -> dict[str, Any]:
    payload = error.payload()
    state = getattr(error, "state", None)
    return {**payload, "state": state} if state else payload


def _held(args: argparse.Namespace, words: list[str], connect_: Callable[[], LocalClient]) -> int:
    from jupyter_autostop.cli.hold import run_held  # noqa: PLC0415 - for this command only

    def say(line: str, emulated: bool) -> None:
        in_json = args.output == "json"
        told = as_json({"message": marked(line, emulated=emulated)}) if in_json else aside(line, emulated=emulated)
        remark(told)  # standard output is the command's

    return run_held(words, connect_, say, longest=args.max, then=args.then, reason=args.reason)


def _with_server(args: argparse.Namespace) -> int:
    def to_server() -> LocalClient:
        return connect(os.environ, args.server, cafile=args.cacert)

    if args.command != "doctor" and (trouble := tz_trouble()):
        remark(trouble)
    try:
        if args.command == "hold":
            return _held(args, args.words[1:], to_server)
        return run_command(args, to_server)
    except ClientError as error:
        if args.output == "json":
            say_json(_error_json(error))
        else:
            remark(" ".join(part for part in (error.message, error.hint) if part))
        return MISUSE if error.code in _BEYOND_LIMITS else FAILED


def _serve(options: list[str]) -> int:
    from jupyter_autostop.server.app import AutostopApp  # noqa: PLC0415 - loads Jupyter Server

    # Whoever works over SSH in a container is often its root, and has said what to run.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    AutostopApp.launch_instance([*root, *options])  # type: ignore[no-untyped-call]  # as Jupyter Server has it
    return DONE


def _own_program(args: argparse.Namespace) -> int:
    """Run a program that is no question to a server."""
    if args.command == "serve":
        return _serve([])
    if args.command == "emulator":
        from jupyter_autostop.emulator.command import run  # noqa: PLC0415 - loads a web server
        from jupyter_autostop.emulator.defaults import DEFAULT_PORT  # noqa: PLC0415

        return run(DEFAULT_PORT if args.port is None else args.port, args.remaining)
    from jupyter_autostop.cli.demo import run_demo  # noqa: PLC0415 - loads the emulator

    return run_demo(args.port, args.remaining, args.end)


def _check(args: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Refuse what the parser cannot see."""
    if args.command in _OWN_PROGRAMS and args.output == "json":
        parser.error(f"-o json is not for {args.command}")
    if args.command in _OWN_PROGRAMS and (args.server or args.cacert):
        parser.error(f"{args.command} speaks to no Jupyter server, so --server and --cacert are not for it")
    if args.command == "hold" and (args.words[:1] != ["--"] or args.words[1:2] in ([], [""])):
        args.misuse("write the command behind --, e.g. jupyter autostop hold --max 8h -- python train.py")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    return printing(lambda: _run(argv))


def _run(argv: Sequence[str] | None) -> int:
    argv = sys.argv[1:] if argv is None else argv
    parser = _parser(_JsonParser if _wants_json(argv) else _Parser)
    if argv and argv[0] in _OWN_PROGRAMS and sys.version_info < SERVER_PYTHON:
        parser.error(f"{argv[0]} needs Python 3.10 or newer; here are the commands that ask a server")
    if argv[:1] == ["serve"]:
        # Everything behind it is for Jupyter Server, which has its own help.
        return _serve(list(argv[1:]))
    args = parser.parse_args(_as_meant(argv))
    _check(args, parser)
    if args.command in _OWN_PROGRAMS:
        return _own_program(args)
    try:
        return _with_server(args)
    except DurationError as error:
        args.misuse(str(error))
        return MISUSE
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
