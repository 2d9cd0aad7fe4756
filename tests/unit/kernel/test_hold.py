"""`with hold(...)` beside a fake of its server: whatever becomes of the answers, the hold ends and errors are kept."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from fake_autostop import HOUR, FakeAutostop, running_fake
from processes import wait_for

import jupyter_autostop as autostop
from jupyter_autostop.client.actions import moment_of, seconds_of
from jupyter_autostop.client.client import connect
from jupyter_autostop.client.hold import Holding
from jupyter_autostop.times.duration import DurationError


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAutostop]:
    fake = FakeAutostop()
    with running_fake(tmp_path, fake) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield fake


def interrupt() -> None:
    """Interrupt the main thread where it waits, as Ctrl-C and the stop button do."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def wishes(fake: FakeAutostop, method: str) -> list[Any]:
    return [body for asked, _, body in fake.wishes if asked == method]


def test_a_block(fake: FakeAutostop) -> None:
    """It is held from the first line to the last, and says until when."""
    with autostop.hold(max="2h", then="stop", reason="lr sweep") as held:
        [hold] = fake.holds.values()
        assert (hold["then"], hold["reason"], held.until) == ("stop", "lr sweep", hold["until"])
        assert held.state is None
    assert fake.ended == [hold["id"]]
    assert held.state is not None


def test_it_says_what_it_is(fake: FakeAutostop) -> None:
    """Written without `with`, it says that nothing is held; used twice, it is refused."""
    held = autostop.hold()
    assert repr(held) == "<a hold that has not begun; write: with hold(...):>"
    with held:
        assert repr(held) == "<a hold>"
    assert repr(held) == "<a hold that is over>"
    with pytest.raises(RuntimeError, match="good for one block"), held:
        pass


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"max": "90"}, DurationError, r"write 90m\."),
        ({"max": 90}, DurationError, "has no unit"),
        ({"then": "fly"}, ValueError, "write restore or stop"),
        ({"max": timedelta(0)}, DurationError, "no length"),
    ],
)
def test_misuse(fake: FakeAutostop, options: Any, error: type[Exception], words: str) -> None:
    """Is refused where it is written, before anything is asked for."""
    with pytest.raises(error, match=words):
        autostop.hold(**options)
    assert fake.wishes == []


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (lambda: autostop.end(7), r"7 is no id of a hold, which is a text; write end\('extension'\)\."),  # type: ignore[arg-type]
        (lambda: autostop.describe(b"x"), r"b'x' is no description, which is a text; write describe\("),  # type: ignore[arg-type]
    ],
    ids=["end", "describe"],
)
def test_what_is_no_text(fake: FakeAutostop, wish: Callable[[], object], words: str) -> None:
    """Is refused in one sentence, before the server is asked."""
    with pytest.raises(ValueError, match=words):
        wish()
    assert fake.wishes == []


def test_what_cannot_be_held_does_not_run(fake: FakeAutostop) -> None:
    """The block is not begun."""
    fake.faults = [("POST", 403)]
    ran = []
    with pytest.raises(autostop.ClientError, match="It cannot be"), autostop.hold():
        ran.append(1)
    assert (ran, wishes(fake, "DELETE")) == ([], [])
    fake.longest_hold = HOUR
    with pytest.raises(autostop.ClientError, match=r"A hold of 2 h is longer than this site allows, which is 1 h\."):
        autostop.hold(max="2h").__enter__()


def test_a_lost_answer(fake: FakeAutostop) -> None:
    """Is asked for again with the same id: one hold, which its end ends."""
    fake.faults = [("POST", "lost"), ("DELETE", "lost")]
    with autostop.hold():
        assert len(fake.holds) == 1
    first, again = wishes(fake, "POST")
    assert first == again
    wait_for(lambda: len(wishes(fake, "DELETE")) == 2)  # the second is told that there is none, which will do
    assert fake.holds == {}


@pytest.mark.parametrize("faults", [["lost", "lost"], ["lost", 503], [504]])
def test_a_hold_that_nobody_knows_of_is_ended(fake: FakeAutostop, faults: list[Any]) -> None:
    """Where it may have begun and the block does not run, it is not left behind."""
    fake.faults = [("POST", fault) for fault in faults]
    with pytest.raises(autostop.ClientError), autostop.hold():
        pass
    wait_for(lambda: wishes(fake, "DELETE"))
    wait_for(lambda: fake.holds == {})


def test_an_interrupt_while_it_begins(fake: FakeAutostop) -> None:
    """As above: whatever the server makes of the question, it is ended."""
    fake.before_answer = lambda method, _route: interrupt() if method == "POST" else None
    with pytest.raises(KeyboardInterrupt), autostop.hold():
        pass
    wait_for(lambda: wishes(fake, "DELETE"))
    wait_for(lambda: fake.holds == {})


def test_a_program_is_no_kernel(fake: FakeAutostop) -> None:
    """The server's journal tells a plain Python program from a notebook."""
    autostop.status()
    [agent] = fake.agents
    assert agent.endswith(" (script)")


def test_ended_by_somebody_else(fake: FakeAutostop, capsys: pytest.CaptureFixture[str]) -> None:
    """It is over, and that it did not last as long as the work is said."""
    with autostop.hold() as held:
        fake.holds.clear()
    assert held.state is not None
    assert len(wishes(fake, "DELETE")) == 1
    said = capsys.readouterr().err
    assert said.startswith("[autostop] The hold was over already, before the work was. Stops at ")


@pytest.mark.parametrize("error", [None, KeyError("mine")])
def test_its_end_is_told(fake: FakeAutostop, capsys: pytest.CaptureFixture[str], error: Exception | None) -> None:
    """In one line below the block, and what follows with it, whether the work has succeeded or not."""
    words = "The hold has ended. As was wished for, this server stops the instance"
    fake.more = {"outcome": {"effect": "now", "message": words, "clamped": False}}
    with contextlib.suppress(KeyError), autostop.hold(then="stop"):
        assert capsys.readouterr().err == ""
        if error:
            raise error
    said = capsys.readouterr().err
    assert said.startswith(f"[autostop] {words} Stops at ")
    assert said.count("\n") == 1


def test_a_stop_that_it_calls_off_is_told(fake: FakeAutostop, capsys: pytest.CaptureFixture[str]) -> None:
    """A new hold in the grace of an earlier one takes the stop away that somebody has wished for."""
    now = fake.state()["server_time"]
    other = {"id": "h", "until": now + HOUR, "then": "stop", "reason": None, "owner": {"kind": "person"}}
    for kept_by, held in (("platform", {}), ("server", {"h": other})):
        fake.more, fake.holds = {"deadline": {"stop_timestamp": now + HOUR, "kept_by": kept_by}}, held
        with autostop.hold():
            assert capsys.readouterr().err == ""
        capsys.readouterr()
    fake.more, fake.holds = {"deadline": {"stop_timestamp": now + HOUR, "kept_by": "server"}}, {}
    with autostop.hold():
        said = capsys.readouterr().err
    assert re.fullmatch(
        r"\[autostop\] The stop that was to come at .* is called off; the end of this hold decides what follows\.\n",
        said,
    )


@pytest.mark.parametrize("status", [503, 409, 403])
def test_a_server_that_is_away_at_the_end(fake: FakeAutostop, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and the block's own error goes on its way; it is tried again where that may help."""
    fake.faults = [("DELETE", status)] * 9
    with pytest.raises(KeyError, match="mine"), autostop.hold():
        raise KeyError("mine")
    said = capsys.readouterr().err
    fake.faults = []
    assert said.startswith("[autostop] The hold could not be ended: It cannot be.")
    assert "has ended" not in said
    assert said.count("\n") == 1
    assert ("It is tried again until it is" in said) == (status != 403)
    if status != 403:
        wait_for(lambda: fake.holds == {})


def test_an_interrupt_at_the_end(fake: FakeAutostop, capsys: pytest.CaptureFixture[str]) -> None:
    """Who does not want to wait is let go, and the hold is ended all the same."""
    go_on = threading.Event()

    def answer(method: str, _route: str) -> None:
        if method == "DELETE":
            interrupt()
            go_on.wait(30)

    fake.before_answer = answer
    with pytest.raises(KeyError, match="mine"), autostop.hold():
        raise KeyError("mine")
    assert "is not confirmed yet" in capsys.readouterr().err
    assert len(fake.holds) == 1
    go_on.set()
    wait_for(lambda: fake.holds == {})


def test_it_tries_on_with_growing_pauses(fake: FakeAutostop, tmp_path: Path) -> None:
    """Until the server says that it is over; at most a minute apart."""
    environment = {"JUPYTER_RUNTIME_DIR": str(tmp_path)}
    pauses: list[float] = []
    holding = Holding(lambda: connect(environment), pause=pauses.append)
    holding.begin({"pid": 1})
    fake.faults = [("DELETE", 503)] * 8
    release = holding.end()
    release.join(30)
    assert pauses == [2, 4, 8, 16, 32, 60, 60, 60]
    assert (release.error, release.state is not None, fake.holds) == (None, True, {})


def test_in_threads_and_below_an_event_loop(fake: FakeAutostop) -> None:
    """Each block has its own hold, wherever it runs."""
    barrier = threading.Barrier(4)

    def work() -> None:
        with autostop.hold():
            barrier.wait(30)
            barrier.wait(30)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    barrier.wait(30)
    assert len(fake.holds) == 3
    barrier.wait(30)
    for thread in threads:
        thread.join(30)
    assert fake.holds == {}

    async def main() -> None:
        with autostop.hold():
            await asyncio.sleep(0)
            assert len(fake.holds) == 1

    asyncio.run(main())
    assert fake.holds == {}


def test_lengths_and_moments() -> None:
    """Texts, and Python's own kinds; a length is rounded up, a time without a zone is this machine's."""
    assert [seconds_of(length) for length in ("1h30m", timedelta(hours=2), timedelta(milliseconds=1))] == [
        5400,
        7200,
        1,
    ]
    at = datetime(2099, 1, 1, tzinfo=timezone.utc)
    assert moment_of(at, 0).ms == moment_of("2099-01-01T00:00Z", 0).ms == 4_070_908_800_000
    assert moment_of(at.astimezone().replace(tzinfo=None), 0).ms == 4_070_908_800_000
    with pytest.raises(DurationError, match="has passed already"):
        moment_of(at, 4_070_908_800_000)
    with pytest.raises(DurationError, match="is no time"):
        moment_of(18, 0)  # type: ignore[arg-type]


def test_a_block_of_asynchronous_code(fake: FakeAutostop) -> None:
    """`async with` holds as `with` does, also where the block fails."""

    async def work() -> list[Any]:
        async with autostop.hold(max="1h", reason="async") as held:
            await asyncio.sleep(0)
            assert held.until is not None
            return [one["reason"] for one in fake.holds.values()]

    async def failing() -> None:
        async with autostop.hold():
            raise KeyError("mine")

    async def cancelled() -> None:
        asked = asyncio.Event()
        loop = asyncio.get_running_loop()
        fake.before_answer = lambda method, _: loop.call_soon_threadsafe(asked.set) if method == "POST" else None
        task = asyncio.create_task(work())
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert asyncio.run(work()) == ["async"]
    with pytest.raises(KeyError, match="mine"):
        asyncio.run(failing())
    asyncio.run(cancelled())
    assert (len(fake.ended), fake.holds) == (3, {})
