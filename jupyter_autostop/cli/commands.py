"""What each command asks of the server, how the answer is told, and with which exit status."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from jupyter_autostop.cli.output import Output, Remarks, remark, say, say_json
from jupyter_autostop.client import actions
from jupyter_autostop.client.rendering import (
    NO_JOURNAL,
    NOT_STOPPED,
    doctor_lines,
    hold_lines,
    journal_line,
    latest,
    report_lines,
)
from jupyter_autostop.errors import ClientError

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable

    from jupyter_autostop.client.client import LocalClient
    from jupyter_autostop.state import State

DONE, FAILED, MISUSE = 0, 1, 2


def run_command(args: Namespace, connect: Callable[[], LocalClient]) -> int:
    """Run a command that speaks to a server and return its exit status.

    Raises `ClientError` for what the server refuses, and `DurationError` for a time that has passed by its clock.
    """
    as_json = args.output == "json"
    if args.command == "watch":
        return _watch(connect, args.every, as_json=as_json)
    client = connect()
    if args.command == "journal":
        return _journal(client.journal(), args.last, as_json=as_json)
    if args.command == "doctor":
        return _doctor(client.doctor(), as_json=as_json)
    if args.command == "holds":
        return _holds(client.instance(), as_json=as_json)
    state = _ask(client, args)
    if state is None:
        remark(NOT_STOPPED)
        return FAILED
    _report(state, as_json=as_json)
    return DONE if actions.is_so(args.command, state) else FAILED


def _ask(client: LocalClient, args: Namespace) -> State | None:
    """Send what the command asks for and return the State that came back; `None` for a no to a question."""
    if args.command == "extend":
        return actions.extend(client, args.by)
    if args.command == "until":
        moment = actions.read_until(client, args.until)
        if moment.remark:
            remark(moment.remark)
        return actions.until(client, moment)
    if args.command == "off":
        return actions.off(client)
    if args.command == "on":
        return actions.on(client, args.duration)
    if args.command == "describe":
        return actions.describe(client, " ".join(args.text))
    if args.command == "end":
        return actions.end(client, args.id)
    if args.command == "stop":
        return actions.stop(client, None if args.yes else _agrees)
    return actions.status(client)


def _agrees(question: str) -> bool:
    """Ask the person at this terminal; standard output is for the answer of the server."""
    if not (sys.stdin and sys.stdin.isatty()):
        raise ClientError(
            f"Cannot ask “{question}”: no person can answer here.", code="not_asked", hint="Give --yes to stop it."
        )
    Remarks().write(f"{question} [y/N] ")
    return sys.stdin.readline().strip().casefold() in ("y", "yes")


def _report(state: State, *, as_json: bool) -> None:
    if as_json:
        say_json(state)
        return
    for line in report_lines(state):
        say(line)


def _holds(state: State, *, as_json: bool) -> int:
    if as_json:
        say_json({"holds": state["holds"]})
    else:
        for line in hold_lines(state):
            say(line)
    return DONE


def _journal(answer: Any, last: int | None, *, as_json: bool) -> int:
    """Print the entries, the newest last, where a terminal shows it; for scripts they are as the route sends them."""
    if as_json:
        say_json(answer if last is None else {**answer, "entries": answer["entries"][:last]})
    elif answer["entries"]:
        for entry in latest(answer["entries"], last):
            say(journal_line(entry))
    else:
        say(NO_JOURNAL)
    return DONE


def _doctor(answer: Any, *, as_json: bool) -> int:
    """Print the checks; what could not be tried (`ok` null) is shown, and is no failure of its own."""
    if as_json:
        say_json(answer)
    else:
        for line in doctor_lines(answer["checks"]):
            say(line)
    return FAILED if any(check["ok"] is False for check in answer["checks"]) else DONE


def _watch(connect: Callable[[], LocalClient], every: int, *, as_json: bool) -> int:
    from jupyter_autostop.cli.watch import JsonLines, Line, Lines, Watch  # noqa: PLC0415 - only needed here
    from jupyter_autostop.times.clock import SystemClock  # noqa: PLC0415 - takes a while to load

    in_place = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    out = Output()
    screen = JsonLines(out, Remarks()) if as_json else Line(out) if in_place else Lines(out)
    try:
        Watch(connect, screen, SystemClock().monotonic, every).run()
    except KeyboardInterrupt:
        pass  # which is how a watch ends
    finally:
        screen.close()
    return DONE
