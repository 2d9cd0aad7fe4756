"""What stands between a terminal or kernel and its server: certificates on both sides, the wrong scheme, no home."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import trustme
from test_ways_in_finding import STATE, Door, home, served, write
from test_ways_in_finding import runtime as runtime_folder

from jupyter_autostop.client.client import connect
from jupyter_autostop.client.server_info import known_servers, running_servers
from jupyter_autostop.errors import ClientError

runtime = runtime_folder


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def identity(authority: trustme.CA, folder: Path) -> dict[str, str]:
    """Return the environment of a server under JupyterHub's `internal_ssl`, which has a key and a certificate."""
    issued = authority.issue_cert("client.example")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    return {
        "JUPYTERHUB_SSL_KEYFILE": str(folder / "key.pem"),
        "JUPYTERHUB_SSL_CERTFILE": str(folder / "cert.pem"),
    }


@contextmanager
def secure(
    authority: trustme.CA, *, wants: bool = False, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3, **more: Any
) -> Iterator[Door]:
    """Yield a door behind TLS; `wants` a certificate of its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", **more).configure_cert(context)
    context.maximum_version = newest
    if wants:
        authority.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
    door = Door()
    # Each handshake is its own thread's affair, as in a server that goes on after a refusal.
    door.http.socket = context.wrap_socket(door.http.socket, server_side=True, do_handshake_on_connect=False)
    with served(door):
        yield door


def refusal(environ: dict[str, str], url: str, cafile: str | None = None) -> ClientError:
    with pytest.raises(ClientError) as caught:
        connect(environ, url, cafile=cafile).instance()
    assert "the-token" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
class TestAServerThatWantsACertificate:
    """As under JupyterHub's `internal_ssl`."""

    def test_is_shown_it(
        self, authority: trustme.CA, runtime: Path, tmp_path: Path, ca_file: str, newest: ssl.TLSVersion
    ) -> None:
        """The hub's variables name key and certificate, and the authority that vouches for the server."""
        with secure(authority, wants=True, newest=newest) as door:
            environ = {**home(runtime), **identity(authority, tmp_path), "JUPYTERHUB_SSL_CLIENT_CA": ca_file}
            assert connect(environ, f"https://localhost:{door.port}/b/?token=the-token").instance() == STATE

    def test_and_there_is_none(
        self, authority: trustme.CA, runtime: Path, ca_file: str, newest: ssl.TLSVersion
    ) -> None:
        """It is said that one is wanted, and not that it is no Jupyter server."""
        with secure(authority, wants=True, newest=newest) as door:
            error = refusal(home(runtime), f"https://localhost:{door.port}/b/?token=the-token", ca_file)
        assert "no Jupyter server" not in str(error)
        assert "JUPYTERHUB_SSL_CERTFILE" in str(error)
        assert "certificate of its clients" in str(error)
        assert door.seen == []

    def test_and_does_not_take_it(
        self, authority: trustme.CA, runtime: Path, tmp_path: Path, ca_file: str, newest: ssl.TLSVersion
    ) -> None:
        """One of another authority's: the file is named whose certificate it was."""
        with secure(authority, wants=True, newest=newest) as door:
            environ = {**home(runtime), **identity(trustme.CA(), tmp_path)}
            error = refusal(environ, f"https://localhost:{door.port}/b/?token=the-token", ca_file)
        assert "no Jupyter server" not in str(error)
        assert "JUPYTERHUB_SSL_CERTFILE" in error.hint

    @pytest.mark.parametrize("content", [None, "nonsense"])
    def test_and_the_file_is_no_good(
        self,
        authority: trustme.CA,
        runtime: Path,
        tmp_path: Path,
        ca_file: str,
        newest: ssl.TLSVersion,
        content: str | None,
    ) -> None:
        """Only where one is wanted does it matter."""
        environ = {**home(runtime), **identity(authority, tmp_path)}
        (tmp_path / "cert.pem").unlink()
        if content is not None:
            (tmp_path / "cert.pem").write_text(content, encoding="ascii")
        with secure(authority, wants=True, newest=newest) as door:
            assert "certificate of its clients" in str(refusal(environ, f"https://localhost:{door.port}/b/", ca_file))
        with secure(authority, newest=newest) as door:
            assert connect(environ, f"https://localhost:{door.port}/b/", cafile=ca_file).instance() == STATE


@pytest.mark.parametrize("spoilt", ["missing key", "key of another", "nothing"])
def test_a_server_that_breaks_off_and_a_certificate_that_cannot_be_used(
    authority: trustme.CA, runtime: Path, tmp_path: Path, ca_file: str, spoilt: str
) -> None:
    """The file is named only where something is wrong with it."""
    environ = {**home(runtime), **identity(authority, tmp_path)}
    if spoilt == "missing key":
        (tmp_path / "key.pem").unlink()
    elif spoilt == "key of another":
        authority.issue_cert("other.example").private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def break_off() -> None:
            with listening.accept()[0] as door, context.wrap_socket(door, server_side=True) as secured:
                secured.recv(1)

        thread = threading.Thread(target=break_off)
        thread.start()
        error = refusal(environ, f"https://localhost:{listening.getsockname()[1]}/b/", ca_file)
        thread.join()
    assert "broke the secured connection off" in str(error)
    assert (f"{tmp_path / 'cert.pem'} cannot be used: " in str(error)) == (spoilt != "nothing")


def test_an_expired_certificate(authority: trustme.CA, runtime: Path, ca_file: str) -> None:
    """It has expired, which no other authority would mend."""
    past = datetime(2020, 1, 1, tzinfo=timezone.utc)
    with secure(authority, not_before=past, not_after=past + timedelta(days=1)) as door:
        error = refusal(home(runtime), f"https://localhost:{door.port}/b/", ca_file)
    assert error.message == f"The certificate of https://localhost:{door.port}/b/ has expired."


def test_the_wrong_scheme(authority: trustme.CA, runtime: Path, ca_file: str) -> None:
    """Plain words to a server behind TLS, and TLS to one without: the other scheme is named."""
    with secure(authority) as door:
        assert "https://" in refusal(home(runtime), f"http://localhost:{door.port}/b/").message
    with served(Door()) as plain:
        error = refusal(home(runtime), f"https://localhost:{plain.port}/b/", ca_file)
    assert "does not speak TLS" in error.message
    assert "http://" in error.hint


def ask(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "jupyter_autostop", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_no_home() -> None:
    """Where Python finds no home, with an address it works, and without one there is one line."""
    bare = {key: value for key, value in os.environ.items() if not key.startswith(("JUPYTER", "XDG_"))}
    # As for a user without HOME whom no list of users has.
    bare["HOME"] = "~"
    with served(Door()) as door:
        door.answer = lambda *_: (404, {})
        named = ask(bare, "--server", f"http://127.0.0.1:{door.port}/b/?token=t", "status")
    assert "does not know jupyter_autostop" in named.stderr
    assert named.stderr.count("\n") == 1
    found = ask(bare, "status")
    assert found.stderr.startswith("No Jupyter server of yours is running")
    assert found.stderr.count("\n") == 1


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    """Whatever lies in the runtime folder's place: no server is known."""
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    for folder in (tmp_path / "file", tmp_path / "loop", tmp_path / ("x" * 300)):
        assert running_servers(folder) == []
        assert known_servers({"JUPYTER_RUNTIME_DIR": str(folder)}) == []


class TestPlantedFiles:
    """Files that others have put beside those of a server."""

    def test_an_address_of_others_gets_no_token(self, runtime: Path) -> None:
        """A capability file that names another host than the runtime file is not of this server."""
        write(runtime, os.getpid(), 8888, token="the-token", secret="planted")
        ours = runtime / f"jpautostop-{os.getpid()}.json"
        ours.write_text(ours.read_text(encoding="utf-8").replace('"127.0.0.1"', '"10.6.6.6"'), encoding="utf-8")
        [server] = running_servers(runtime)
        assert (server.host, server.token, server.secret) == ("127.0.0.1", "the-token", "")

    def test_files_of_others_are_not_for_root(self, runtime: Path) -> None:
        """What another user has put beside root's file opens nothing; in a folder of that user's it may be used."""
        as_root = os.geteuid() == 0
        others = 65534 if as_root else os.geteuid()  # nobody else can give a file away
        write(runtime, os.getpid(), 8888, token="the-token", secret="planted")
        ours, theirs = runtime / f"jpautostop-{os.getpid()}.json", runtime / f"jpserver-{os.getpid()}.json"
        os.chown(ours, others, -1)
        [server] = running_servers(runtime)
        assert (server.token, server.secret) == ("the-token", "" if as_root else "planted")
        os.chown(theirs, others, -1)
        assert len(running_servers(runtime)) == (0 if as_root else 1)
        os.chown(runtime, others, -1)
        assert [server.secret for server in running_servers(runtime)] == ["planted"]


def variables(error: BaseException | None) -> Iterator[str]:
    """Yield the variables of every frame that a traceback of this error could show, its causes' too, but the first."""
    while error is not None:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        for frame in frames[1:]:
            yield f"{frame.f_code.co_qualname if hasattr(frame.f_code, 'co_qualname') else ''} {frame.f_locals!r}"
        error = error.__cause__ or error.__context__


@pytest.mark.parametrize("way", ["lost in the middle", "refused", "no server", "another program"])
def test_a_traceback_shows_nothing_that_lets_us_in(runtime: Path, way: str) -> None:
    """However much of its frames is shown, and in a notebook it is one line."""
    environ = {**home(runtime, os.getpid()), "JUPYTERHUB_API_TOKEN": "canary-of-the-hub"}

    def answer(*_: Any) -> tuple[int, Any]:
        if way == "refused":
            return 403, {"message": "No.", "code": "policy", "hint": "", "request_id": None}
        if way == "another program":
            return 500, b"<html>"
        raise ConnectionAbortedError

    with served(Door()) as door:
        door.answer = answer
        door.http.handle_error = lambda *_: None  # type: ignore[method-assign]
        if way != "no server":
            write(runtime, os.getpid(), door.port, token="canary-token", secret="canary-secret")
        with pytest.raises(ClientError) as caught:
            connect(environ, means="kernel").extend(by=60)
    shown = "\n".join(variables(caught.value))
    assert shown
    assert "canary" not in shown
    assert caught.value._render_traceback_() == [f"{type(caught.value).__name__}: {caught.value}"]
