"""The event loop belongs to everybody: nothing blocks it, no coroutine is forgotten, no route is left open.

`conftest.nothing_blocks` watches every test; here it is shown that the watching works.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from blockbuster import BlockingError
from blocking import BlockingCalls
from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import JupyterServerAuthWarning
from paths import ROOT, TESTS
from processes import emulated, running_emulator, running_jupyter

PRODUCT = """
import asyncio, io, os, pathlib, socket, ssl, subprocess, sys, tempfile, time

HERE = pathlib.Path(__file__).parent

def sleep(): time.sleep(0)
def look(): return os.stat(HERE)
def open_file(): os.close(os.open(__file__, os.O_RDONLY))
def read(): return pathlib.Path(__file__).read_text()
def write(): (HERE / "written").write_text("x")
def make(): tempfile.mkstemp(dir=HERE)
def sync():
    with tempfile.TemporaryFile() as file: os.fsync(file.fileno())
def resolve(): socket.getaddrinfo("localhost", 80)
def connect(): socket.create_connection(("127.0.0.1", 9))
def certificates(): ssl.create_default_context(cafile=__file__)
def run(): subprocess.run([sys.executable, "-c", ""])

async def call(name):
    return globals()[name]()

async def call_beside(name):
    return await asyncio.to_thread(globals()[name])

async def not_blocking():
    "What is quick, or waits without keeping the loop."
    one, other = socket.socketpair()
    with one, other:
        one.setblocking(False)
        other.setblocking(False)
        one.send(b"x")
        other.recv(1)
    io.BytesIO(b"x").read()
    await asyncio.sleep(0)
"""
BLOCKING = ["sleep", "look", "open_file", "read", "write", "make", "sync", "resolve", "connect", "certificates", "run"]


class TestTheWatch:
    """Somebody's package, watched as ours is."""

    @pytest.fixture
    def product(self, tmp_path: Path) -> Any:
        # Not below the tests, whose own calls are their own business.
        path = tmp_path / "product.py"
        path.write_text(PRODUCT, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("watched_product", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    @pytest.fixture
    def watch(self, tmp_path: Path) -> BlockingCalls:
        return BlockingCalls(str(tmp_path))

    @pytest.mark.parametrize("name", BLOCKING)
    async def test_refuses_and_remembers(self, product: Any, watch: BlockingCalls, name: str) -> None:
        """Each kind of blocking call in a coroutine ends in an error where it is made, and is remembered."""
        with watch.active():
            with pytest.raises(BlockingError):
                await product.call(name)
            assert watch.seen[0].endswith(f" in product.{name}")

    async def test_remembers_what_got_lost(self, product: Any, watch: BlockingCalls) -> None:
        """A call by the loop itself, whose error nobody sees, is remembered all the same."""
        loop, errors = asyncio.get_running_loop(), []
        handler = loop.get_exception_handler()
        loop.set_exception_handler(lambda _, context: errors.append(context))
        try:
            with watch.active():
                loop.call_soon(product.read)
                await asyncio.sleep(0)
        finally:
            loop.set_exception_handler(handler)
        assert watch.seen
        assert len(errors) == 1

    @pytest.mark.parametrize("name", ["sleep", "read", "write", "sync", "resolve"])
    async def test_lets_threads_and_tests_be(self, product: Any, watch: BlockingCalls, name: str) -> None:
        """What is done beside the loop, or called by a test directly, blocks nobody."""
        with watch.active():
            await product.call_beside(name)
            getattr(product, name)()
        assert watch.seen == []

    async def test_lets_pass_what_does_not_block(self, product: Any, watch: BlockingCalls) -> None:
        """Sockets without waiting, and files that are none, are nothing to refuse."""
        with watch.active():
            await product.not_blocking()
        assert watch.seen == []


MISTAKES = """
import asyncio, gc, logging
from jupyter_autostop.storage.run_history import Memory, MemoryFile

async def forgotten():
    pass

async def test_forgets_a_coroutine():
    forgotten()
    gc.collect()

def test_forgets_one_without_a_loop():
    forgotten()
    gc.collect()

async def test_blocks_the_loop(tmp_path):
    file = MemoryFile(str(tmp_path), "DE-1", logging.getLogger("mistakes"), "one")
    asyncio.get_running_loop().call_soon(file.save, Memory())
    await asyncio.sleep(0.01)

async def test_makes_no_mistake(tmp_path):
    file = MemoryFile(str(tmp_path), "DE-1", logging.getLogger("mistakes"), "one")
    await asyncio.to_thread(file.save, Memory())
"""


def test_mistakes_fail_under_our_settings(tmp_path: Path) -> None:
    """With this project's pytest settings a forgotten coroutine and a blocked loop fail the test, and nothing else."""
    (tmp_path / "test_mistakes.py").write_text(MISTAKES, encoding="utf-8")
    settings = ["-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path), "-p", "conftest"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *settings, "-q", "--tb=no", "-rA", str(tmp_path / "test_mistakes.py")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    said = {
        (line.split()[0], line.split()[1].partition("::")[2])
        for line in run.stdout.splitlines()
        if line.startswith(("PASSED", "FAILED", "ERROR"))
    }
    failed = {name for outcome, name in said if outcome in ("FAILED", "ERROR")}
    assert failed == {"test_forgets_a_coroutine", "test_forgets_one_without_a_loop", "test_blocks_the_loop"}, run.stdout
    assert ("PASSED", "test_makes_no_mistake") in said


class Bare(APIHandler):
    """A handler whose author has forgotten to say who may ask."""

    def get(self) -> None:
        """Answer anybody."""


class TestUndecorated:
    """A server that lets nobody in who is not logged in."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        jp_server_config["ServerApp"] |= {"allow_unauthenticated_access": False}
        return jp_server_config

    def test_a_route_without_a_decorator_is_an_error(self, jp_serverapp: Any) -> None:
        """Under this project's pytest settings Jupyter's warning about an open route is an error."""
        with pytest.raises(JupyterServerAuthWarning, match="GET of Bare"):
            jp_serverapp.web_app.add_handlers(".*$", [("/bare", Bare)])


EXTENSION = """
from jupyter_server.base.handlers import APIHandler

class Bare(APIHandler):
    def get(self):
        pass

def _jupyter_server_extension_points():
    return [{"module": "bare_extension"}]

def _load_jupyter_server_extension(serverapp):
    serverapp.web_app.add_handlers(".*$", [(serverapp.base_url + "bare", Bare)])
"""


def test_no_route_of_ours_is_warned_about(tmp_path: Path) -> None:
    """A real server warns in its log about another extension's open route, and about none of ours."""
    (tmp_path / "bare_extension.py").write_text(EXTENSION, encoding="utf-8")
    arguments = (
        "--ServerApp.allow_unauthenticated_access=False",
        "--ServerApp.jpserver_extensions={'bare_extension': True}",
    )
    with running_emulator() as endpoint:
        settings = {**emulated(endpoint), "PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "default"}
        with running_jupyter(tmp_path, *arguments, settings=settings) as server, server.client() as client:
            assert client.get("jupyter-autostop/instance").status_code == 200
    log = (tmp_path / "server.log").read_text(encoding="utf-8")
    warned = [line for line in log.splitlines() if " registered for " in line]
    assert "JupyterServerAuthWarning" in log
    assert any("GET of Bare" in line for line in warned)
    assert not [line for line in warned if "autostop" in line.lower()]
