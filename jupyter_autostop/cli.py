"""`jupyter autostop …` in a terminal. Exit status 0: done, 1: refused or failed, 2: misuse."""

from __future__ import annotations

import argparse
import json
import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from jupyter_autostop.client import LocalClient, find_server
from jupyter_autostop.duration import DurationError, parse_duration, parse_until
from jupyter_autostop.errors import AutostopError, ClientError
from jupyter_autostop.words import is_unknown, marked, status_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from jupyter_autostop.state import State

DONE, FAILED, MISUSE = 0, 1, 2


def _duration(text: str) -> int:
    try:
        return parse_duration(text)
    except DurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _until(text: str) -> int:
    try:
        return int(parse_until(text, datetime.now().astimezone()).timestamp() * 1000)
    except DurationError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) < 65536):  # noqa: PLR2004 - TCP's limit
        raise argparse.ArgumentTypeError("a port is a number from 0 (any free one) to 65535")
    return int(text)


class _Words(argparse.Action):
    """Takes what may be written in several words, `1h 30m`, and parses it as one."""

    def __init__(self, *, parse: Callable[[str], int], **more: Any) -> None:
        super().__init__(**more)
        self._parse = parse

    def __call__(
        self, _parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _option: str | None = None
    ) -> None:
        """Parse, or refuse as misuse."""
        try:
            setattr(namespace, self.dest, self._parse(" ".join(values)) if values else None)
        except argparse.ArgumentTypeError as error:
            raise argparse.ArgumentError(self, str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="jupyter autostop",
        description="See and move the stop time of the cloud notebook instance that a Jupyter server runs in.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def server_command(name: str, text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("-o", "--output", choices=["text", "json"], default="text", help="json for scripts")
        command.add_argument(
            "--server", metavar="URL", help="the Jupyter server to speak to, if it cannot be found out"
        )
        return command

    server_command("status", "say when the instance stops")
    extend = server_command("extend", "let this run last longer")
    words: dict[str, Any] = {"action": _Words, "parse": _duration, "metavar": "DURATION"}
    extend.add_argument("by", nargs="+", help="how much longer: 2h, 90m, 1h30m, 1:30 or 1.5h", **words)
    until = server_command("until", "let this run last until a time")
    words_of_time: dict[str, Any] = {"action": _Words, "parse": _until, "metavar": "TIME"}
    until.add_argument("until", nargs="+", help="18:00 (the next one) or 2026-11-24T09:00", **words_of_time)
    server_command("off", "switch auto-stop off")
    on = server_command("on", "switch auto-stop on")
    on.add_argument("duration", nargs="*", help="running time from each start: 1h to 24h", **words)
    describe = server_command("describe", "change the instance's description")
    describe.add_argument("text", nargs="+", help="the new description; '' clears it")

    text = "run a Jupyter server with nothing but this extension, where there is no JupyterLab to load it"
    commands.add_parser("serve", help=text, description=text)

    emulator = commands.add_parser("emulator", help="run a local ModelArts to try things with")
    emulator.add_argument("--port", type=_port, default=None, help="port on 127.0.0.1")
    emulator.add_argument("--remaining", type=_duration, help="stop the emulated instance this far from now, e.g. 6m")
    demo = commands.add_parser("demo", help="open JupyterLab with the emulator; nothing else needed")
    demo.add_argument("--port", type=_port, default=None, help="port of JupyterLab on 127.0.0.1")
    demo.add_argument("--remaining", type=_duration, help="stop the emulated instance this far from now, e.g. 6m")
    return parser


def _ask(client: LocalClient, args: argparse.Namespace) -> State:
    """Send what the command asks for and return the State that came back."""
    state: State
    if args.command == "extend":
        state = client.extend(by=args.by)
    elif args.command == "until":
        state = client.extend(until=args.until)
    elif args.command == "off":
        state = client.change({"auto_stop": {"enable": False}})
    elif args.command == "on":
        duration = {} if args.duration is None else {"duration": args.duration}
        state = client.change({"auto_stop": {"enable": True, **duration}})
    elif args.command == "describe":
        state = client.change({"description": " ".join(args.text)})
    else:
        state = client.instance()
    return state


def _exit_status(command: str, state: State) -> int:
    """Tell whether what was asked for is so now; for this run, a setting for the next start is not."""
    outcome = state["outcome"]
    if outcome is None:
        return FAILED if is_unknown(state) else DONE
    effect = outcome["effect"]
    if effect == "unconfirmed" or (effect == "none" and outcome["clamped"]):
        return FAILED
    stops_all_the_same = command == "off" and state["deadline"] is not None
    if command == "on" and is_unknown(state):
        return FAILED
    if effect == "next_start" and (command in ("extend", "until") or stops_all_the_same):
        return FAILED
    return DONE


def _report(state: State, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(state, indent=2, ensure_ascii=False))
        return
    line = status_line(state)
    said = state["outcome"]["message"] if state["outcome"] else ""
    if said and said not in line:
        print(marked(said, state))
    print(line)


def _error_json(error: AutostopError) -> dict[str, Any]:
    payload = error.payload()
    state = getattr(error, "state", None)
    return {**payload, "state": state} if state else payload


def _with_server(args: argparse.Namespace) -> int:
    as_json = args.output == "json"
    try:
        state = _ask(LocalClient(find_server(os.environ, args.server)), args)
    except ClientError as error:
        if as_json:
            print(json.dumps(_error_json(error), indent=2, ensure_ascii=False))
        else:
            print(" ".join(part for part in (error.message, error.hint) if part), file=sys.stderr)
        return FAILED
    _report(state, as_json=as_json)
    return _exit_status(args.command, state)


def _serve(options: list[str]) -> int:
    from jupyter_autostop.server.app import AutostopApp  # noqa: PLC0415 - loads Jupyter Server

    # Whoever works over SSH in a container is often its root, and has said what to run.
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    AutostopApp.launch_instance([*root, *options])  # type: ignore[no-untyped-call]  # as Jupyter Server has it
    return DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status."""
    argv = sys.argv[1:] if argv is None else argv
    if argv[:1] == ["serve"]:
        # Everything behind it is for Jupyter Server, which has its own help.
        return _serve(list(argv[1:]))
    args = _parser().parse_args(argv)
    if args.command == "emulator":
        from jupyter_autostop.emulator.command import run  # noqa: PLC0415 - loads a web server
        from jupyter_autostop.emulator.defaults import DEFAULT_PORT  # noqa: PLC0415

        return run(DEFAULT_PORT if args.port is None else args.port, args.remaining)
    if args.command == "demo":
        from jupyter_autostop.demo import run_demo  # noqa: PLC0415 - loads the emulator

        return run_demo(args.port, args.remaining)
    return _with_server(args)


if __name__ == "__main__":
    sys.exit(main())
