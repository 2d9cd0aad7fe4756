"""A forked child has a copy of what its parent holds, and leaves it alone, whichever way it ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_autostop import FakeAutostop, running_fake
from processes import own_environment


class Forking:
    """Runs a program whose children leave, beside a fake of its server."""

    def __init__(self, folder: Path, environment: dict[str, str], fake: FakeAutostop) -> None:
        self.folder, self.environment, self.fake = folder, environment, fake

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        script = self.folder / "script.py"  # which multiprocessing can import again
        script.write_text(code, encoding="utf-8")
        return subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", script],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forking]:
    folder = tmp_path_factory.mktemp("forks")
    fake = FakeAutostop()
    with running_fake(folder / "runtime", fake) as environment:
        yield Forking(folder, {**own_environment(folder), **environment}, fake)


@pytest.fixture
def forking(served: Forking) -> Forking:
    served.fake.__init__()  # type: ignore[misc]  # as new, at its old address
    return served


HELD = """
import contextlib, multiprocessing, os, sys
import jupyter_autostop as autostop

def work(*_):
    return 0

def main():
    with autostop.hold(max="1h", reason="parent"):
        {body}
        print(len(autostop.status()["holds"]), "held", os.getpid() == PARENT)

if __name__ == "__main__":
    PARENT = os.getpid()
    main()
"""
BODIES = {
    "exit": "os.fork() or sys.exit(0); os.wait()",
    "raise": "os.fork() or 1 / 0; os.wait()",
    "return": "\n        if os.fork() == 0: return\n        os.wait()",
    "twice": "\n        if os.fork() == 0:\n            os.fork() or sys.exit(0)\n            os.wait()\n"
    "            sys.exit(0)\n        os.wait()",
    "fork": "multiprocessing.get_context('fork').Pool(2).map(work, range(4))",
    "fork, then exit": "\n        child = multiprocessing.get_context('fork').Process(target=sys.exit)\n"
    "        child.start(); child.join()",
    "forkserver": "\n        child = multiprocessing.get_context('forkserver').Process(target=work)\n"
    "        child.start(); child.join()",
}


@pytest.mark.parametrize("way", BODIES)
def test_a_hold_is_its_parents(forking: Forking, way: str) -> None:
    """It lasts until the parent leaves, and ends once; the child says nothing of it."""
    result = forking.run(HELD.format(body=BODIES[way]))
    assert "1 held True" in result.stdout.splitlines()
    assert "held False" not in result.stdout
    assert len(forking.fake.ended) == 1
    assert [method for method, _, _ in forking.fake.wishes].count("DELETE") == 1
    assert result.stderr.count("The hold has ended") == 1


def test_a_child_leaves_asynchronous_code(forking: Forking) -> None:
    """At once: the threads that the loop had are not in the child."""
    result = forking.run("""
import asyncio, os, sys
import jupyter_autostop as autostop

async def main():
    async with autostop.hold(max="1h", reason="parent"):
        child = os.fork()
        if child:
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(autostop.status()["holds"]))
    if not child:
        os._exit(5)

asyncio.run(main())
""")
    assert result.stdout == "5 1\n"
    assert len(forking.fake.ended) == 1


def test_a_child_has_holds_of_its_own(forking: Forking) -> None:
    """A block that it enters itself is its own, also one that was made before the fork."""
    result = forking.run("""
import os, sys
import jupyter_autostop as autostop
block = autostop.hold(max="1h")
if os.fork() == 0:
    with block:
        print(os.getpid(), flush=True)
    sys.exit(0)
os.wait()
""")
    [wish] = [body for method, _, body in forking.fake.wishes if method == "POST"]
    assert wish["pid"] == int(result.stdout)
    assert forking.fake.ended == [wish["id"]]


def test_a_child_watches_no_stop(forking: Forking) -> None:
    """A callback that forks comes back in two processes, and one of them goes on; the other knows no callbacks."""
    forking.fake.stop = forking.fake.state()["server_time"] + 60_000
    result = forking.run("""
import os, threading
import jupyter_autostop as autostop
parent, done = os.getpid(), threading.Event()

def save():
    if os.fork() == 0:
        return
    os.wait()
    done.set()

handle = autostop.on_stop_soon(save, before="10m")
done.wait(30)
handle.cancel()
handle._thread.join(30)
autostop.on_stop_soon(lambda: None, before="1s")
if os.fork() == 0:
    print(len(autostop.on_stop_soon.all()), flush=True)
    os._exit(0)
os.wait()
print(len(autostop.on_stop_soon.all()), flush=True)
""")
    said = result.stdout.splitlines()
    assert sum("save has run" in line for line in said) == 1
    assert [line for line in said if line.isdigit()] == ["0", "1"]


def test_a_childs_hold_ends_with_the_child(forking: Forking) -> None:
    """Where its parent is a kernel, that goes on for longer."""
    forking.run("""
import os
from ipykernel.kernelapp import IPKernelApp
import jupyter_autostop as autostop
IPKernelApp.instance(connection_file="kernel-abc.json")
with autostop.hold(max="1h"):
    pass
if os.fork() == 0:
    with autostop.hold(max="1h"):
        pass
    os._exit(0)
os.wait()
""")
    wishes = [body for method, _, body in forking.fake.wishes if method == "POST"]
    assert [wish.get("kernel_id") for wish in wishes] == ["abc", None]
    assert wishes[0]["pid"] != wishes[1]["pid"]
