"""Finding a server and the order of the ways in: many servers, stale files, doors at which nobody answers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from processes import ended

from jupyter_autostop.client.client import PROOF, LocalClient, NoWayInError, RefusedError, connect
from jupyter_autostop.client.discovery import FINDING, find_server, parse_server_url
from jupyter_autostop.client.server_info import running_servers
from jupyter_autostop.client.transport import UnreachableError
from jupyter_autostop.errors import ClientError
from jupyter_autostop.process import started
from jupyter_autostop.storage.runtime_dir import runtime_folder

STATE = {"emulated": True}
PAIR = "2|0a|1b|1700000000"


class Door:
    """A server of our own making, which writes down who wanted in and answers as it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.bodies: list[bytes] = []
        self.cookies = [f"_xsrf={PAIR}; Path=/b/"]
        self.answer: Callable[[str, str, Any], tuple[int, Any]] = lambda *_: (200, STATE)
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                door.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                door.seen.append((self.command, self.path, dict(self.headers)))
                if self.path == "/b/api":
                    status, body = 200, {"version": "2.0.0"}
                elif self.path == "/b/login":
                    status, body = 404, {}
                else:
                    status, body = door.answer(self.command, self.path, self.headers)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                if self.path == "/b/login":
                    for cookie in door.cookies:
                        self.send_header("Set-Cookie", cookie)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's name

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]

    def ways(self) -> list[str]:
        """Return by which way each request for our routes wanted in."""
        return [
            headers.get("Authorization")
            or headers.get("X-Autostop-Capability")
            or headers.get("X-XSRFToken", "nothing")
            for _, path, headers in self.seen
            if "autostop" in path
        ]


@contextmanager
def served(door: Door) -> Iterator[Door]:
    """Answer at a door meanwhile."""
    thread = threading.Thread(target=door.http.serve_forever, args=[0.01])
    thread.start()
    try:
        yield door
    finally:
        door.http.shutdown()
        door.http.server_close()
        thread.join()


@pytest.fixture
def door() -> Iterator[Door]:
    with served(Door()) as door:
        yield door


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    folder = tmp_path / "runtime"
    folder.mkdir()
    return folder


def write(folder: Path, pid: int, port: int, *, secret: str = "", **more: Any) -> None:
    """Write the runtime file of a server, with its capability file if it has one."""
    address = {"pid": pid, "hostname": "127.0.0.1", "port": port, "sock": "", "base_url": "/b/", "secure": False}
    (folder / f"jpserver-{pid}.json").write_text(json.dumps({**address, "token": "", **more}), encoding="utf-8")
    if secret:
        ours = {**address, "started": started(pid), "secret": secret, **more}
        (folder / f"jpautostop-{pid}.json").write_text(json.dumps(ours), encoding="utf-8")


def home(folder: Path, parent: int | None = None, **more: str) -> dict[str, str]:
    """Return the environment of a kernel of the process `parent`."""
    own = {} if parent is None else {"JPY_PARENT_PID": str(parent)}
    return {"JUPYTER_RUNTIME_DIR": str(folder), **own, **more}


@contextmanager
def raw_door(answer: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[bytes]]]:
    """Listen, hear what each caller says first, and answer with whatever; yields the port and what was heard."""
    heard: list[bytes] = []
    over = threading.Event()

    def serve() -> None:
        while True:
            caller, _ = listener.accept()
            with caller:
                if over.is_set():
                    return
                heard.append(caller.recv(65536))
                answer(caller)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            over.set()
            socket.create_connection(listener.getsockname()).close()
            thread.join()


@contextmanager
def closed_door() -> Iterator[int]:
    """Yield a port at which nobody listens, and which nobody else can take meanwhile."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        yield nobody.getsockname()[1]


class TestTheOrder:
    """Token, JupyterHub's token, capability, XSRF pair: each only after the one before was refused."""

    ALL = ("token of file", "token of hub", "capability", PAIR)

    @pytest.mark.parametrize("good", range(4))
    def test_each_way_after_the_one_before(self, door: Door, runtime: Path, good: int) -> None:
        """A write is refused with 403 or 401 until the way that this server takes, and is then not sent again."""

        def answer(_method: str, _path: str, headers: Any) -> tuple[int, Any]:
            shown = self.ALL[good] in headers.values()
            refusal = [(403, {"code": "forbidden"}), (401, b"<html>"), (403, {"code": "xsrf"}), (302, b"")][good]
            return (200, STATE) if shown else refusal

        door.answer = answer
        write(runtime, os.getppid(), door.port, token="of file", secret="capability")
        client = connect(home(runtime, os.getppid(), JUPYTERHUB_API_TOKEN="of hub"), means="kernel")
        assert client.change({"description": "x"}) == STATE
        assert door.ways() == list(self.ALL[: good + 1])
        pairs = [headers.get("Cookie") for _, path, headers in door.seen if "autostop" in path]
        assert pairs == [*([None] * min(good + 1, 3)), *([f"_xsrf={PAIR}"] if good == 3 else [])]
        assert all(headers["User-Agent"].endswith(" (kernel)") for _, _, headers in door.seen)
        assert all("Authorization" not in headers for _, path, headers in door.seen if "autostop" not in path)

    def test_a_look_needs_no_pair(self, door: Door, runtime: Path) -> None:
        """Where nothing is needed nothing is sent, and no page is asked for a cookie."""
        write(runtime, os.getppid(), door.port)
        assert connect(home(runtime, os.getppid())).instance(refresh=True) == STATE
        assert [path for _, path, _ in door.seen] == ["/b/api", "/b/jupyter-autostop/instance?refresh=1"]
        assert door.ways() == ["nothing"]

    @pytest.mark.parametrize(
        ("status", "body"),
        [
            (403, {"code": "policy", "message": "This site does not allow it.", "hint": ""}),
            (403, {"code": "not_authorized", "message": "No.", "hint": ""}),
            (409, {"code": "conflict", "message": "Changed meanwhile.", "hint": "", "state": STATE}),
            (500, {"code": "error", "message": "Broken.", "hint": ""}),
            (502, b"<html>bad gateway</html>"),
            (503, {"code": "unavailable", "message": "Later.", "hint": ""}),
            (200, b"not JSON"),
        ],
    )
    def test_any_other_answer_is_final(self, door: Door, runtime: Path, status: int, body: Any) -> None:
        """Only a refusal of who asks leads to another way: what may have been applied is sent once."""
        door.answer = lambda *_: (status, body)
        write(runtime, os.getppid(), door.port, token="of file", secret="capability")
        with pytest.raises(ClientError) as error:
            connect(home(runtime, os.getppid())).extend(by=60)
        assert door.ways() == ["token of file"]
        assert isinstance(error.value, RefusedError) is isinstance(body, dict)

    @pytest.mark.parametrize("opens", [True, False])
    def test_a_login_that_is_away(self, door: Door, runtime: Path, opens: bool) -> None:
        """Where the server cannot find out who asks, the next way is tried; if none does, that is what is said."""
        away = {"code": "login_unavailable", "message": "JupyterHub is away.", "hint": "Later."}

        def answer(_method: str, _path: str, headers: Any) -> tuple[int, Any]:
            if "Authorization" in headers:
                return 503, away
            shown = headers.get("X-Autostop-Capability") == "capability"
            return (200, STATE) if shown and opens else (403, {"code": "forbidden"})

        door.answer = answer
        write(runtime, os.getppid(), door.port, token="of file", secret="capability")
        client = connect(home(runtime, os.getppid()), means="kernel")
        if opens:
            assert client.change({"description": "x"}) == STATE
            assert door.ways() == ["token of file", "capability"]
        else:
            with pytest.raises(RefusedError, match="JupyterHub is away") as error:
                client.change({"description": "x"})
            assert (error.value.http_status, error.value.code, error.value.hint) == (503, "login_unavailable", "Later.")
            assert door.ways() == ["token of file", "capability", PAIR]

    def test_a_lost_answer_is_final(self, door: Door, runtime: Path) -> None:
        """A connection that breaks after a write says that nothing is known, and nothing is sent again."""

        def answer(*_: Any) -> tuple[int, Any]:
            raise ConnectionError

        door.answer = answer
        door.http.handle_error = lambda *_: None  # type: ignore[method-assign]  # it would print a traceback
        write(runtime, os.getppid(), door.port, token="of file", secret="capability")
        with pytest.raises(ClientError, match="did not answer") as error:
            connect(home(runtime, os.getppid())).extend(by=60)
        assert "not known" in error.value.hint
        assert door.ways() == ["token of file"]

    def test_the_hubs_token_is_for_ones_own_server(self, door: Door, runtime: Path) -> None:
        """A server that did not start this process, or that a URL names, is not shown JupyterHub's token."""
        door.answer = lambda *_: (403, {"code": "forbidden"})
        hub = {"JUPYTERHUB_API_TOKEN": "of hub"}
        with socket.create_server(("127.0.0.1", 0)) as stranger:
            write(runtime, 1, stranger.getsockname()[1], token="of file")
            write(runtime, os.getpid(), door.port, token="of file")
            for url in (f"http://localhost:{door.port}/b/lab", f"http://127.0.0.1:{door.port}/b/?token=of+url"):
                with pytest.raises(NoWayInError, match="tried: its token, no login"):
                    connect(home(runtime, **hub), url).instance()
        assert "token of hub" not in door.ways()
        assert door.ways() == ["token of file", "nothing", "token of url", "nothing"]


class TestDoors:
    """Files that say there is a server where there is none, or another."""

    @pytest.mark.parametrize("way", ["silent", "dripping"])
    def test_nobody_answers(self, runtime: Path, way: str) -> None:
        """A door that opens and says nothing, or one byte at a time for ever, is one line, and is told no secret."""
        over = threading.Event()

        def answer(caller: socket.socket) -> None:
            with suppress(OSError):  # which is how the caller ends it
                while not over.wait(0.05):
                    caller.send(b"H" if way == "dripping" else b"")

        with raw_door(answer) as (port, heard):
            write(runtime, os.getppid(), port, token="of file", secret="capability")
            with pytest.raises(UnreachableError, match="takes connections and says nothing"):
                connect(home(runtime, os.getppid())).extend(by=60)
            over.set()
            assert len(heard) == 1
            assert heard[0].startswith(b"GET /b/api HTTP/1.1\r\n")
            assert b"of file" not in heard[0]
            assert b"capability" not in heard[0].lower()

    def test_the_limits_add_up(self) -> None:
        """Finding, connecting and being answered leave of two seconds what a program takes to start."""
        assert FINDING + PROOF <= 1.7

    @pytest.mark.parametrize(
        "said",
        [
            b"SSH-2.0-OpenSSH_9.2\r\n",
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}",
            b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"version": ',
            b"HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n<html>Nginx</html>",
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}",
            b"",
        ],
    )
    def test_another_program(self, runtime: Path, said: bytes) -> None:
        """Whatever answers in a dead server's place is found out before it is told the token."""
        with raw_door(lambda caller: caller.sendall(said)) as (port, heard):
            write(runtime, os.getppid(), port, token="of file")
            with pytest.raises(UnreachableError, match="no Jupyter server"):
                connect(home(runtime, os.getppid())).instance()
            assert [b"of file" in words for words in heard] == [False]

    def test_nobody_is_there(self, runtime: Path) -> None:
        """A file whose process id lives on in another program leads to one line."""
        with closed_door() as port:
            write(runtime, os.getppid(), port)
            with pytest.raises(UnreachableError, match=r"cannot be reached: Connection refused\.") as error:
                connect(home(runtime, os.getppid())).instance()
        assert "jupyter server list" in error.value.hint
        with pytest.raises(UnreachableError, match=r"cannot be reached: no such host\."):
            connect(home(runtime), f"http://{'x' * 64}.invalid:8888/").instance()
        with pytest.raises(UnreachableError, match=r"cannot be reached: No such file"):
            connect(home(runtime), "http+unix://%2Fno%2Fsuch.sock/").instance()

    def test_a_busy_server_that_has_us_is_not_passed_over(self, door: Door, runtime: Path) -> None:
        """Only a server without the extension gives way to `serve`, not one that is out of reach for a moment."""
        with closed_door() as gone:
            write(runtime, 1, door.port, secret="of serve", serve=True)
            write(runtime, os.getppid(), gone, secret="capability")
            with pytest.raises(UnreachableError, match="Connection refused"):
                connect(home(runtime, os.getppid())).instance()
            write(runtime, os.getppid(), gone)
            (runtime / f"jpautostop-{os.getppid()}.json").unlink()
            assert connect(home(runtime, os.getppid())).instance() == STATE


class TestFiles:
    """The runtime files, as other programs and crashes leave them."""

    @pytest.mark.parametrize(
        "what", ["damaged", "list", "deep", "long", "link", "pipe", "folder", "another's", "no port", "dead"]
    )
    def test_only_what_can_be_read_and_lives(self, runtime: Path, tmp_path: Path, what: str) -> None:
        """Dead, damaged, foreign and endless files are passed over without a word, and without waiting."""
        pid = 99999999 if what == "dead" else os.getppid()
        write(runtime, os.getpid(), 8888, token="x")
        write(runtime, pid, 8889)
        file = runtime / f"jpserver-{pid}.json"
        good = file.read_text(encoding="utf-8")
        (tmp_path / "elsewhere").write_text(good, encoding="utf-8")
        file.unlink()
        if what == "link":
            file.symlink_to(tmp_path / "elsewhere")
        elif what == "pipe":
            os.mkfifo(file)
        elif what == "folder":
            file.mkdir()
        else:
            other = good.replace(f'"pid": {pid}', f'"pid": {os.getpid()}')
            texts = {"damaged": "{", "list": "[]", "deep": "[" * 60000, "another's": other, "dead": good}
            texts["long"] = good.rjust(64 * 1024 + 1)
            file.write_text(texts.get(what, good.replace("8889", "0")), encoding="utf-8")
        assert [server.pid for server in running_servers(runtime)] == [os.getpid()]

    def test_no_folder(self, runtime: Path) -> None:
        """Where Jupyter has never run there are no servers, and pages to open are no runtime files."""
        (runtime / "jpserver-1-open.html").touch()
        assert running_servers(runtime) == running_servers(runtime / "nothing") == []

    def test_a_process_id_used_again(self, runtime: Path) -> None:
        """Files of a killed server whose process id came back are not believed, those of the newer server are."""
        write(runtime, os.getpid(), 8888, secret="old", token="old", started="1")
        stale = runtime / f"jpautostop-{os.getpid()}.json"
        os.utime(stale, ns=(2 * 10**18, 2 * 10**18))
        assert running_servers(runtime) == []
        theirs = (runtime / f"jpserver-{os.getpid()}.json").stat().st_mtime_ns
        os.utime(stale, ns=(theirs, theirs))
        assert running_servers(runtime) == []
        os.utime(stale, ns=(10**18, 10**18))
        (server,) = running_servers(runtime)
        assert (server.token, server.secret) == ("old", "")

    @pytest.mark.parametrize("other", [{"port": 8889}, {"sock": "/a.sock"}, {"base_url": "/c/"}, {"pid": 1}], ids=str)
    def test_a_capability_opens_the_server_that_wrote_it(self, runtime: Path, other: dict[str, Any]) -> None:
        """What a capability file says of another address is not told at the one in the runtime file."""
        write(runtime, os.getpid(), 8888, token="t")
        address = {"pid": os.getpid(), "port": 8888, "sock": "", "base_url": "/b/", "hostname": "127.0.0.1"}
        ours = {**address, "secure": False, "started": started(os.getpid()), "secret": "x"}
        for more, secret in (({}, "x"), (other, "")):
            (runtime / f"jpautostop-{os.getpid()}.json").write_text(json.dumps({**ours, **more}), encoding="utf-8")
            (server,) = running_servers(runtime)
            assert (server.url, server.token, server.secret) == ("http://127.0.0.1:8888/b/", "t", secret)

    @pytest.mark.parametrize(
        ("said", "url"),
        [
            ({"base_url": "/", "secure": True}, "https://127.0.0.1:8888/"),
            ({"base_url": ""}, "http://127.0.0.1:8888/"),
            ({"base_url": "/user/MAX"}, "http://127.0.0.1:8888/user/MAX/"),
            ({"hostname": "::1"}, "http://[::1]:8888/b/"),
            ({"sock": "/run/a b.sock", "port": 0}, "http+unix://%2Frun%2Fa%20b.sock/b/"),
            ({"hostname": "a b"}, None),
            ({"hostname": "a\x1b[2J"}, None),
            ({"base_url": "/b\x7f/"}, None),
            ({"port": "soon"}, None),
        ],
        ids=str,
    )
    def test_where_a_server_listens(self, runtime: Path, said: dict[str, Any], url: str | None) -> None:
        """The address is the one that its files say; one that no terminal could show is none."""
        write(runtime, os.getpid(), 8888)
        file = runtime / f"jpserver-{os.getpid()}.json"
        info = json.loads(file.read_text(encoding="utf-8"))
        file.write_text(json.dumps({**info, "certfile": "/cert.pem", **said}), encoding="utf-8")
        assert [(server.url, server.certfile) for server in running_servers(runtime)] == [(url, "/cert.pem")] * bool(
            url
        )

    def test_under_which_names(self, runtime: Path) -> None:
        """A server at home goes by every name of home; another machine's does not."""
        for hostname, known in (("localhost", "t"), ("10.1.2.3", "")):
            write(runtime, os.getpid(), 8888, hostname=hostname, token="t")
            for name in ("localhost", "127.0.0.1", "[::1]"):
                assert find_server(home(runtime), f"http://{name}:8888/b/").token == known
            assert find_server(home(runtime), f"http://{hostname}:8888/b/").token == "t"

    def test_the_capability_file_alone_is_enough(self, runtime: Path) -> None:
        """A server whose runtime file somebody removed is still found by its own."""
        write(runtime, os.getpid(), 8888, secret="x")
        (runtime / f"jpserver-{os.getpid()}.json").unlink()
        (server,) = running_servers(runtime)
        assert (server.url, server.secret) == ("http://127.0.0.1:8888/b/", "x")

    @pytest.mark.parametrize(
        ("given", "host"),
        [("", "127.0.0.1"), ("*", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1")],  # noqa: S104 - as in the file
    )
    def test_all_interfaces(self, runtime: Path, given: str, host: str) -> None:
        """A server that listens everywhere is spoken to at home, and may be named by its machine."""
        write(runtime, os.getpid(), 8888, hostname=given, url="http://Machine.Example:8888/b/", token="t")
        assert find_server(home(runtime)).host == host
        named = find_server(home(runtime), "http://machine.example:8888/b/lab/tree/x")
        assert (named.host, named.token) == (host, "t")
        assert find_server(home(runtime), "http://other.example:8888/b/").token == ""


@pytest.mark.parametrize("alone", [False, True], ids=["with jupyter_core", "without"])
@pytest.mark.parametrize(
    ("said", "folder"),
    [
        ({}, "home/.local/share/jupyter/runtime"),
        ({"XDG_DATA_HOME": "xdg"}, "xdg/jupyter/runtime"),
        ({"XDG_DATA_HOME": "xdg", "JUPYTER_DATA_DIR": "data"}, "data/runtime"),
        ({"JUPYTER_DATA_DIR": "data", "JUPYTER_RUNTIME_DIR": "run"}, "run"),
    ],
    ids=str,
)
def test_the_runtime_folder(
    alone: bool, said: dict[str, str], folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is where Jupyter puts it, also in a kernel's environment that has nothing of Jupyter."""
    for name in ("XDG_DATA_HOME", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.delenv(name, raising=False)
    for name, place in {"HOME": "home", **said}.items():
        monkeypatch.setenv(name, str(tmp_path / place))
    if alone:
        monkeypatch.setitem(sys.modules, "jupyter_core.paths", None)
    assert runtime_folder(os.environ) == tmp_path / folder


def test_when_a_process_started() -> None:
    """The system's ticks since it was booted, whatever name the process gives itself; nothing for one that is none."""
    rename = "open('/proc/self/comm', 'wb').write(b'\\xff) S 1 (2) 3'); print(flush=True); input()"
    with (
        subprocess.Popen(
            [sys.executable, "-S", "-c", f"input(); {rename}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as sleeper,
        ended(sleeper),
    ):
        assert sleeper.stdin is not None
        assert sleeper.stdout is not None
        before = started(sleeper.pid)
        assert 0 < int(started(os.getpid())) <= int(before)
        assert int(before) <= time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")
        sleeper.stdin.write(b"\n")
        sleeper.stdin.flush()
        sleeper.stdout.readline()
        assert started(sleeper.pid) == before
    assert started(99999999) == ""


@pytest.fixture
def strangers() -> Iterator[list[int]]:
    """The ids of living processes that are none of our forebears."""
    with ExitStack() as stack:
        sleepers = [subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE) for _ in range(3)]
        for sleeper in sleepers:
            stack.enter_context(ended(sleeper))
            stack.enter_context(sleeper.stdin)
        yield [sleeper.pid for sleeper in sleepers]


class TestChoice:
    """Which one, if there are several."""

    def test_ones_own(self, runtime: Path) -> None:
        """By id for a kernel; by descent for a terminal; by address where nothing else tells."""
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            write(runtime, 1, one.getsockname()[1])
            write(runtime, os.getpid(), two.getsockname()[1])
            assert find_server(home(runtime, 1)).pid == 1
            assert find_server(home(runtime, os.getpid())).pid == os.getpid()
            # Not a forebear, and no server: nothing to go by but the address.
            (runtime / "jpserver-1.json").unlink()
            write(runtime, os.getppid(), one.getsockname()[1])
            assert find_server(home(runtime, 99999999)).pid == os.getppid()

    def test_by_address(self, runtime: Path, strangers: list[int]) -> None:
        """A terminal inside tmux knows its server by the variable that Jupyter set, if that is one of this user's."""
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            port, other = one.getsockname()[1], two.getsockname()[1]
            write(runtime, strangers[0], port)
            write(runtime, strangers[1], other)
            for address, found in ((f"http://127.0.0.1:{port}/b/", port), (f"http://localhost:{other}/b/", other)):
                assert find_server(home(runtime, JUPYTER_SERVER_URL=address)).port == found
            with pytest.raises(ClientError) as caught:
                find_server(home(runtime), means="kernel")
            # As a kernel can show it: a traceback has no other place for the way out.
            assert 'put the address of the one that is meant into os.environ["JUPYTER_SERVER_URL"]' in str(caught.value)
            for useless in ("http://127.0.0.1:1/b/", "nonsense", ""):
                with pytest.raises(ClientError, match="Several"):
                    find_server(home(runtime, JUPYTER_SERVER_URL=useless))

    def test_none_by_guess(self, runtime: Path, strangers: list[int]) -> None:
        """Several that live are named in one line; one among dead ones is it; `serve` comes before the others."""
        with pytest.raises(ClientError, match="No Jupyter server of yours is running"):
            find_server(home(runtime))
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
            port, other = one.getsockname()[1], two.getsockname()[1]
            first, second, third = strangers
            write(runtime, first, port)
            write(runtime, second, other)
            with pytest.raises(ClientError, match=f":{port}/b/.*:{other}/b/|:{other}/b/.*:{port}/b/") as error:
                find_server(home(runtime))
            assert "--server" in error.value.hint
            write(runtime, second, 9)
            assert find_server(home(runtime)).pid == first
            write(runtime, second, other, serve=True, secret="x")
            assert find_server(home(runtime)).pid == second
            own = find_server(home(runtime, first))
            assert (own.pid, own.own) == (first, True)
            assert own.fallback is not None
            assert own.fallback.pid == second
            write(runtime, third, other, serve=True, secret="y")
            assert find_server(home(runtime, first)).fallback is None
            with pytest.raises(ClientError, match="Several"):
                find_server(home(runtime))


@pytest.mark.parametrize(
    ("url", "where"),
    [
        ("http://127.0.0.1:8888/?token=x", ("127.0.0.1", 8888, "/", False, "", "x")),
        ("https://[::1]/user/me/lab?token=x%20y", ("::1", 443, "/user/me/", True, "", "x y")),
        ("http://h/user/labrador/tree/lab/x.ipynb", ("h", 80, "/user/labrador/", False, "", "")),
        ("http://h:1/b", ("h", 1, "/b/", False, "", "")),
        ("http+unix://%2FTmp%2Fa:1.sock/b/?token=x", ("localhost", 0, "/b/", False, "/Tmp/a:1.sock", "x")),
    ],
)
def test_addresses(url: str, where: tuple[Any, ...]) -> None:
    """A URL is read as `jupyter server list` and a browser's address bar show it."""
    server = parse_server_url(url)
    assert (server.host, server.port, server.base_url, server.secure, server.sock, server.token) == where
    assert "x" not in repr(server).replace("lab/x", "").replace("+unix", "") or not server.token


@pytest.mark.parametrize(
    "url",
    [
        *("", "8888", "ftp://h/", "http://", "http://h:99999999/", "http+unix:///b", "http://h/?token=a%0d%0aX:%201"),
        *("http://a b/", "http://a\x7f/", "http://a\u2028b/"),
    ],
)
def test_no_addresses(url: str) -> None:
    """What is no address, or would smuggle a header in, is one line with an example."""
    with pytest.raises(ClientError, match="no address of a Jupyter server"):
        parse_server_url(url)


def test_a_client_tells_no_secret() -> None:
    """No repr shows a token or a capability."""
    server = replace(parse_server_url("http://h/?token=canary"), secret="canary")
    assert "canary" not in repr(server) + repr(LocalClient(server)) + str(vars(LocalClient(server)))


def test_an_address_alone_tells_no_more() -> None:
    """Of a server that only a URL names nothing is supposed that a file would say; its path is quoted once."""
    server = parse_server_url("http://h/user/a%40b/ö x/")
    assert (server.token, server.secret, server.certfile, server.pid) == ("", "", "", None)
    assert (server.serve, server.own, server.names, server.fallback) == (False, False, frozenset(), None)
    assert server.path("api") == "/user/a%40b/%C3%B6%20x/api"
    assert parse_server_url("http://h/(a)/~b@c:d,e;f=g+h!*'$&/").path("api") == "/(a)/~b@c:d,e;f=g+h!*'$&/api"
