"""`on_stop_soon`: when it looks, when it calls, and what it tells, with a clock to turn; and once in a real thread."""

from __future__ import annotations

import asyncio
import functools
import itertools
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from conftest import ManualClock
from fake_autostop import FakeAutostop, running_fake
from paths import ROOT
from processes import own_environment

import jupyter_autostop as autostop
from jupyter_autostop.errors import ClientError
from jupyter_autostop.kernel.stop_soon import FAR, NEAR, Given, OnStopSoon, StopSoon, Watchman
from jupyter_autostop.state import State
from jupyter_autostop.times.duration import HOUR, MINUTE, DurationError

README = (ROOT / "README.md").read_text(encoding="utf-8")
START = 1_795_000_000_000


class Site:
    """A server whose stop time a test moves, and a watchman who works through the hours in no time."""

    def __init__(self, stop_in: float | None, callback: Callable[[], object] | None = None) -> None:
        self.clock = ManualClock()
        self.looks: list[float] = []
        self.called: list[float] = []
        self.away = False
        self.emulated = False
        self.problem: dict[str, str] | None = None
        self.stop: int | None = None
        self.stop_in(stop_in)
        self.watchman = Watchman(callback or self.save, 10 * MINUTE, self.look, self.clock.monotonic)

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return self.clock.monotonic() - 1000.0

    def stop_in(self, seconds: float | None) -> None:
        self.stop = None if seconds is None else START + int((self.now + seconds) * 1000)

    def look(self) -> State:
        self.looks.append(self.now)
        if self.away:
            raise ClientError("Nobody is there.", hint="Wait.")
        deadline = None if self.stop is None else {"stop_timestamp": self.stop, "kept_by": "platform"}
        state = {
            "deadline": deadline, "server_time": START + int(self.now * 1000), "problem": self.problem,
            "stale": False, "next_start": None, "holds": [], "instance": {"status": "RUNNING"},
            "emulated": self.emulated,
        }  # fmt: skip
        return cast("State", state)

    def save(self) -> None:
        self.called.append(self.now)

    def watch(self, seconds: float) -> None:
        """Let time pass as the thread does."""
        end = self.now + seconds
        while self.now < end:
            self.clock.turn(self.watchman.step())


def test_it_is_called_once_before_the_stop() -> None:
    """At its moment, on the platform's clock, and no second time."""
    site = Site(2 * HOUR)
    site.watch(3 * HOUR)
    assert site.called == [2 * HOUR - 10 * MINUTE]


def test_it_asks_seldom() -> None:
    """In between the time is derived: 12 looks an hour, one a minute near the moment, and one at the moment."""
    site = Site(10 * HOUR)
    site.watch(9 * HOUR)
    assert len(site.looks) <= 9 * HOUR / FAR + 1
    site.watch(51 * MINUTE)
    assert site.called == [10 * HOUR - 10 * MINUTE]
    pauses = [later - earlier for earlier, later in itertools.pairwise(site.looks)]
    assert (max(pauses), min(pauses)) == (FAR, NEAR)


def test_a_stop_that_moves_later_is_waited_for() -> None:
    """Also if it moves in the last minute: there is a look right before each call."""
    site = Site(HOUR)
    site.watch(50 * MINUTE - 30)
    site.stop_in(2 * HOUR)
    moment = site.now + 2 * HOUR - 10 * MINUTE
    site.watch(3 * HOUR)
    assert site.called == [pytest.approx(moment)]


def test_after_a_call_it_waits_for_the_next_stop_time() -> None:
    """Moved after the call, it is called again; by less than a minute, that is rounding."""
    site = Site(HOUR)
    site.watch(52 * MINUTE)
    assert len(site.called) == 1
    assert site.stop is not None
    site.stop += 5000
    site.watch(5 * MINUTE)
    assert len(site.called) == 1
    site.stop_in(HOUR)
    moment = site.now + 50 * MINUTE
    site.watch(2 * HOUR)
    assert site.called[1:] == [pytest.approx(moment)]


def test_a_stop_that_moves_a_little_after_the_call() -> None:
    """It is called in time again: the next look does not wait for longer than a stop time moves at least."""

    def save_and_extend() -> None:
        site.save()
        if len(site.called) == 1:
            site.stop_in(12 * MINUTE)

    site = Site(HOUR, save_and_extend)
    site.watch(HOUR)
    assert site.called == [pytest.approx(50 * MINUTE), pytest.approx(52 * MINUTE)]


def test_a_stop_that_moves_nearer_is_noticed() -> None:
    """Within one look; where its moment has passed, it is called at once."""
    site = Site(10 * HOUR)
    site.watch(HOUR)
    site.stop_in(8 * MINUTE)
    moved = site.now
    site.watch(FAR)
    assert len(site.called) == 1
    assert site.called[0] - moved <= FAR


def test_nearer_than_before_already() -> None:
    """It is called at once."""
    site = Site(3 * MINUTE)
    site.watch(1)
    assert site.called == [0]


def test_no_stop_no_call() -> None:
    """With auto-stop off nothing is called; switched on, it is armed."""
    site = Site(None)
    site.watch(5 * HOUR)
    assert site.called == []
    site.stop_in(HOUR)
    site.watch(HOUR)
    assert len(site.called) == 1


def test_what_is_not_known_is_not_off(capsys: pytest.CaptureFixture[str]) -> None:
    """Without an answer, and with an unknown stop time, the last one counts on; the loss is told once, and its end."""
    site = Site(HOUR)
    site.watch(10 * MINUTE)
    site.away = True
    site.watch(20 * MINUTE)
    told = capsys.readouterr().err
    assert told == "[autostop] on_stop_soon cannot see the stop time, and goes on trying: Nobody is there. Wait.\n"
    site.away, site.problem, stop, site.stop = False, {"code": "x", "message": "Lost.", "hint": ""}, site.stop, None
    site.watch(5 * MINUTE)
    assert capsys.readouterr().err.startswith("[autostop] on_stop_soon sees the stop time again: It is not known")
    site.away = True
    site.watch(HOUR)
    assert site.called == [50 * MINUTE]
    assert stop is not None


def test_it_tells_that_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    """By the function's name, with the time of the stop."""
    site = Site(3 * MINUTE)
    site.watch(1)
    said = capsys.readouterr().out
    assert said.startswith("[autostop] on_stop_soon: Site.save has run in 0 s, since the instance stops at ")


def test_an_emulated_instance_is_called_one(capsys: pytest.CaptureFixture[str]) -> None:
    """In each line, once."""
    site = Site(HOUR)
    site.emulated = True
    site.watch(40 * MINUTE)
    site.away = True
    site.watch(5 * MINUTE)
    site.away = False
    site.watch(10 * MINUTE)
    said = "".join(capsys.readouterr()).splitlines()
    assert len(said) == 3
    assert {line.partition("]")[0] for line in said} == {"[autostop emulator"}
    assert "[emulator]" not in "".join(said)


@pytest.mark.parametrize("error", [ValueError("no space \x1b"), SystemExit(3)])
def test_an_error_is_told(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    """With where it came from, since it is the notebook's own; and the watch goes on."""

    def save() -> None:
        raise error

    site = Site(3 * MINUTE, callback=save)
    site.watch(1)
    said = capsys.readouterr().err
    assert "save failed (" in said
    assert "raise error" in said
    site.stop_in(HOUR)
    site.watch(HOUR)
    assert site.watchman.calls == 2


AROUND = """
import sys
from types import SimpleNamespace
saved = []
torch = SimpleNamespace(save=lambda *what: saved.append(what))
model = SimpleNamespace(state_dict=lambda: "weights")
train_step = lambda *_: 0.1
def batches():
    while not saved:
        yield 1
    yield from range(100)
batches = batches()
{recipe}
[(what, where)] = saved
sys.stdout.write(f"{what['model']} {0 < what['step'] < step} {where}\\n")
"""


def test_the_recipe_of_the_readme(tmp_path: Path) -> None:
    """It saves between two steps, once, where it survives the stop, and goes on training."""
    [recipe] = (text for text in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "on_stop_soon(save" in text)
    fake = FakeAutostop()
    fake.stop = fake.state()["server_time"] + 60_000
    with running_fake(tmp_path / "runtime", fake) as environment:
        command = [sys.executable, "-c", AROUND.replace("{recipe}", recipe)]
        said = subprocess.check_output(command, env={**own_environment(tmp_path), **environment}, text=True, timeout=60)
    # What the watch says of itself comes from its own thread, before or after this.
    assert "weights True /home/ma-user/work/checkpoint.pt" in said.splitlines()


@pytest.mark.parametrize(("callback", "before", "error"), [("no", "10m", TypeError), (print, "10", DurationError)])
def test_misuse(callback: Any, before: str, error: type[Exception]) -> None:
    """Is refused before anything is watched."""
    with pytest.raises(error):
        autostop.on_stop_soon(callback, before)


def ran(callback: Callable[[], object], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what is told of a callback at its moment."""
    site = Site(3 * MINUTE, callback)
    site.watch(1)
    assert site.watchman.calls == 1
    return "".join(capsys.readouterr())


class Saver:
    """An object whose call is a coroutine."""

    def __init__(self) -> None:
        self.saved: list[str] = []

    async def __call__(self, where: str = "here") -> None:
        await asyncio.sleep(0)
        self.saved.append(where)

    async def save(self, where: str = "there") -> None:
        await self(where)


def test_coroutine_functions_are_run(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever comes as one: a function, a method, a partial, an object, and a function that returns an awaitable."""
    saver = Saver()

    async def save() -> None:
        await saver("function")

    partial = functools.partial(saver.save, "partial")
    for callback in (save, saver.save, partial, saver, lambda: saver.save("lambda"), functools.partial(save)):
        assert "has run in 0 s" in ran(callback, capsys)
    assert saver.saved == ["function", "there", "partial", "here", "lambda", "function"]


def test_errors_of_a_coroutine_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    """With its own words, a cancelled one included."""

    async def save() -> None:
        raise OSError("disk full")

    async def cancelled() -> None:
        raise asyncio.CancelledError

    assert "save failed (OSError: disk full)" in ran(save, capsys)
    assert "cancelled failed (NotRunError: it was cancelled before its end)" in ran(cancelled, capsys)


def test_a_generator_that_comes_back_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of it runs, so it has not saved anything."""

    async def several() -> AsyncIterator[int]:
        yield 1

    for given in (lambda: (x for x in ()), several):
        assert "failed (NotRunError: it has returned a generator" in ran(given, capsys)


def writes() -> Iterator[int]:
    yield 1


async def writes_later() -> AsyncIterator[int]:
    yield 1


def write(path: str) -> None:
    del path


class Writer:
    """An object whose call is a generator function."""

    def __call__(self) -> Iterator[int]:
        yield 1

    def write(self, path: str) -> None:
        del path


@pytest.mark.parametrize(
    ("callback", "words"),
    [
        (writes, "A call of writes runs nothing, since it is a generator function"),
        (writes_later, "A call of writes_later runs nothing"),
        (functools.partial(writes), "A call of writes runs nothing"),
        (Writer(), "A call of Writer runs nothing"),
        (
            write,
            "calls write without arguments: missing a required argument: 'path'. Write on_stop_soon(lambda",
        ),
        (Writer().write, "calls Writer.write without arguments: missing a required argument: 'path'"),
        (functools.partial(write, mode=1), "without arguments: "),
        (Watchman, "calls Watchman without arguments: missing a required argument"),
        (writes(), "is called already; leave the brackets away"),
        (3, "is no function"),
    ],
)
def test_what_cannot_be_called_is_refused_at_once(callback: Any, words: str) -> None:
    """And not at the stop, when it is too late."""
    with pytest.raises(TypeError, match=re.escape(words)):
        autostop.on_stop_soon(callback)


def test_a_call_instead_of_a_function_is_refused() -> None:
    """As in on_stop_soon(save()), where save is a coroutine function."""
    given = Saver().save()
    with pytest.raises(TypeError, match="is called already"):
        autostop.on_stop_soon(given)  # type: ignore[arg-type]
    given.close()


def cell(text: str) -> Callable[[], None]:
    """Return the function that a cell defines."""
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(f"def save():\n    {text}", names)  # noqa: S102 - as IPython runs it
    return cast("Callable[[], None]", names["save"])


def test_a_cell_run_again_registers_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The last of the same name is the one that is called; what has no name of its own is known as an object."""
    fake = FakeAutostop()
    with running_fake(tmp_path, fake) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        mine = OnStopSoon()
        first = mine(cell("1"), "10m")
        second = mine(cell("2"), "20m")
        assert capsys.readouterr().out == "[autostop] on_stop_soon: save takes the place of the one given before.\n"
        assert mine.all() == [second]
        assert "cancelled" in repr(first)
        event = threading.Event()
        others = [mine(print), mine(lambda: None), mine(lambda: None), mine(event.set), mine(threading.Event().set)]
        assert mine.all() == [second, *others]
        again = mine(event.set)  # a method of the same object
        assert "set takes the place" in capsys.readouterr().out
        assert mine.all() == [second, *others[:3], others[4], again]
        mine.cancel_all()
        assert mine.all() == []
        third = mine(cell("3"))  # takes nobody's place
        assert capsys.readouterr().out == ""
        mine.cancel_all()
        for handle in (first, second, third, again, *others):
            handle._thread.join(30)
            assert not handle._thread.is_alive()


def test_no_call_once_it_is_cancelled_while_the_server_is_asked() -> None:
    """As when its cell is run again just then: what was replaced would run with the old code."""
    site = Site(5 * MINUTE)

    def look() -> State:
        handle.cancel()
        return site.look()

    watchman = Watchman(site.save, 10 * MINUTE, look, site.clock.monotonic)
    handle = StopSoon(watchman, Given("save", "save", None), 10 * MINUTE, site.clock.monotonic)
    handle.start()._thread.join(30)
    assert not handle._thread.is_alive()
    assert (len(site.looks), site.called, handle.calls) == (1, [], 0)


def test_in_its_own_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Called while this one is busy waiting, and no more once it is cancelled."""
    fake = FakeAutostop()
    fake.stop = fake.state()["server_time"] + 60_000
    threads: list[threading.Thread] = []
    called = threading.Event()

    def save() -> None:
        threads.append(threading.current_thread())
        called.set()

    with running_fake(tmp_path, fake) as environment:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        handle = autostop.on_stop_soon(save, before="10m")
        assert called.wait(30)
        handle.cancel()
        handle._thread.join(30)
    [thread] = threads
    assert thread is not threading.main_thread()
    assert thread.daemon
    assert not thread.is_alive()
    assert repr(handle).startswith("<on_stop_soon: test_in_its_own_thread.<locals>.save, 10 min before each stop;")
    assert "cancelled" in repr(handle)
