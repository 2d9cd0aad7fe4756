"""`jupyter autostop emulator`: the emulator in the foreground, until Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable

from jupyter_autostop.cli.output import say
from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.clock import OffsetClock
from jupyter_autostop.emulator.message import SettingError
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.emulator.state import HOUR, Emulator
from jupyter_autostop.times.duration import format_duration
from jupyter_autostop.times.zones import machine_zone

DONE, FAILED = 0, 1
_LOOK_EVERY = 0.5
"""Seconds between looks at the clock, so that a stop is told when it comes."""
_MOVED = 5000
"""ms between the emulator's clock and this machine's from which a time says whose it is."""


def run(port: int, remaining: int | None, out: Callable[[str], object] = say) -> int:
    """Run the emulator on a port (0: any free one) until interrupted; returns the exit status.

    The instance runs, and stops `remaining` seconds from now (1 h).
    """
    remaining = HOUR if remaining is None else remaining
    try:
        return asyncio.run(_serve(port, remaining, out))
    except SettingError as error:
        out(str(error))
        return FAILED
    except KeyboardInterrupt:
        return DONE


def _clock_time(ms: int) -> str:
    zone = machine_zone()
    return f"{zone.local(ms / 1000):%H:%M:%S} {zone.label(ms // 1000)}"


async def _serve(port: int, remaining: int, out: Callable[[str], object]) -> int:
    def tell(at: int, what: str) -> None:
        whose = " (by the emulator's own clock)" if abs(at - time.time() * 1000) > _MOVED else ""
        # What came over the network must not steer the terminal.
        said = "".join(char if char.isprintable() else "?" for char in what)
        out(f"{_clock_time(at)}  {said}{whose}")

    emulator = Emulator(OffsetClock(), remaining=remaining)
    emulator.on_change = tell
    server = EmulatorServer(emulator, port)
    try:
        await server.start()
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        out(f"Port {port} of this machine cannot be used ({why}); choose another with --port, or --port 0 for any.")
        return FAILED
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        # Not in a thread, and not on Windows; there Ctrl-C comes as KeyboardInterrupt.
        with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
            loop.add_signal_handler(number, ended.set)
    try:
        for line in _introduction(server, remaining):
            out(line)
        while not ended.is_set():
            emulator.settle()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(ended.wait(), _LOOK_EVERY)
    finally:
        await server.stop()
    out("The emulator has ended.")
    return DONE


def _introduction(server: EmulatorServer, remaining: int) -> list[str]:
    instance = server.emulator.instance
    stop_at = instance.run.stop_at if instance.run else None
    return [
        f"A ModelArts emulator runs at {server.url} (Ctrl-C ends it).",
        f"  project   {server.emulator.project_id}",
        f"  instance  {instance.id}",
        f"  It stops by itself at {_clock_time(stop_at or 0)}, in {format_duration(remaining)}.",
        "To point a Jupyter server at it:",
        "  export JUPYTER_AUTOSTOP_PLATFORM=emulator",
        f"  export JUPYTER_AUTOSTOP_ENDPOINT={server.url}",
        f"Its control routes are listed at {server.url}/_emulator, the example keys and login in {defaults.__name__}.",
    ]
