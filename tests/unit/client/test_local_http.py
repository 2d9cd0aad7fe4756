"""The way to a local server on the wire: which certificate is taken for it, how long and how much is heard."""

from __future__ import annotations

import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from test_ways_in_finding import STATE, Door, home, raw_door, served, write
from test_ways_in_finding import door as one_door
from test_ways_in_finding import runtime as runtime_folder

from jupyter_autostop.client.client import LocalClient, connect
from jupyter_autostop.client.discovery import parse_server_url
from jupyter_autostop.client.server_info import Server
from jupyter_autostop.client.transport import LONGEST_ANSWER, Conversation, UnreachableError
from jupyter_autostop.errors import ClientError

door, runtime = one_door, runtime_folder


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> Path:
    """The server's file: its key, its certificate for another name than is asked for, and its authority's."""
    issued = authority.issue_cert("elsewhere.example")
    path = tmp_path / "server.pem"
    path.write_bytes(issued.private_key_and_cert_chain_pem.bytes() + authority.cert_pem.bytes())
    return path


@pytest.fixture
def secure_door(authority: trustme.CA, certificate: Path) -> Iterator[Door]:
    """A door behind TLS, with the certificate that `certificate` had; `localhost` gets one that names it."""
    own, named = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(certificate)
    authority.issue_cert("localhost").configure_cert(named)

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name == "localhost":
            connection.context = named

    own.sni_callback = choose
    door = Door()
    door.http.socket = own.wrap_socket(door.http.socket, server_side=True)
    with served(door):
        yield door


def client_of(runtime: Path, port: int, certfile: Path, host: str = "127.0.0.1") -> LocalClient:
    """Return a client of a server of ours that says it shows this certificate."""
    here = {"secure": True, "certfile": str(certfile), "hostname": host}
    write(runtime, os.getppid(), port, token="of file", secret="capability", **here)
    return connect(home(runtime, os.getppid()))


class TestTheCertificate:
    """Ours shows the very one that its file names; any other one is vouched for, for its name; else nothing is said."""

    def test_ones_own_needs_nobody(self, secure_door: Door, runtime: Path, certificate: Path) -> None:
        """It is found in a file that holds the key and others too, and what names it has is no matter."""
        certificate.write_bytes(b"\xff\xfe a remark\n" + certificate.read_bytes())
        assert client_of(runtime, secure_door.port, certificate).instance() == STATE

    def test_another_one_is_told_nothing(
        self, secure_door: Door, runtime: Path, authority: trustme.CA, certificate: Path
    ) -> None:
        """Even if somebody trusted vouches for it: it is not the one."""
        certificate.write_bytes(authority.issue_cert("elsewhere.example").private_key_and_cert_chain_pem.bytes())
        with pytest.raises(UnreachableError, match=f"does not show the certificate in {certificate}") as caught:
            client_of(runtime, secure_door.port, certificate).instance()
        assert f"https://127.0.0.1:{secure_door.port}/b/" in str(caught.value)
        assert "restart" in caught.value.hint
        assert secure_door.seen == []

    @pytest.mark.parametrize("content", [None, b"", b"no certificate", b"\xff"])
    def test_a_file_that_names_none(
        self, secure_door: Door, runtime: Path, certificate: Path, content: bytes | None
    ) -> None:
        """Then it is verified as any server is, and nobody trusted here vouches for it."""
        certificate.unlink()
        if content is not None:
            certificate.write_bytes(content)
        client = client_of(runtime, secure_door.port, certificate)
        with pytest.raises(UnreachableError, match="vouches for the certificate of https") as caught:
            client.instance()
        assert "--cacert" in caught.value.hint
        assert secure_door.seen == []

    def test_an_authority_that_vouches(
        self, secure_door: Door, runtime: Path, authority: trustme.CA, tmp_path: Path
    ) -> None:
        """The one given opens a server of any address, by the name that its certificate has and no other."""
        given = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(given))
        url = f"https://{{}}:{secure_door.port}/b/"
        assert connect(home(runtime), url.format("localhost"), cafile=str(given)).instance() == STATE
        seen = len(secure_door.seen)
        with pytest.raises(UnreachableError, match="Nobody trusted here vouches"):
            connect(home(runtime), url.format("127.0.0.1"), cafile=str(given)).instance()
        with pytest.raises(UnreachableError, match="Nobody trusted here vouches"):
            connect(home(runtime), url.format("localhost")).instance()
        assert len(secure_door.seen) == seen

    @pytest.mark.parametrize(("content", "why"), [(None, "No such file"), (b"none", "no certificate in it")])
    def test_a_file_that_is_no_authority(
        self, secure_door: Door, runtime: Path, tmp_path: Path, content: bytes | None, why: str
    ) -> None:
        """It is named with what is wrong with it; nothing is verified by anything else instead."""
        given = tmp_path / "ca.pem"
        if content is not None:
            given.write_bytes(content)
        with pytest.raises(UnreachableError, match=f"certificate file {given} cannot be used: {why}") as caught:
            connect(home(runtime), f"https://localhost:{secure_door.port}/b/", cafile=str(given)).instance()
        assert "--cacert" in caught.value.hint
        assert secure_door.seen == []


def test_a_door_that_never_says_who_it_is(tmp_path: Path) -> None:
    """What takes the connection and leaves TLS unanswered is given up in time, and that is what is said."""
    over = threading.Event()
    with raw_door(lambda _: over.wait(20) and None) as (port, _):
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match="does not begin TLS in time") as caught:
            Conversation(Server("127.0.0.1", port, "/", secure=True), begun + 0.2)
        assert "http://" in caught.value.hint
        assert time.monotonic() - begun < 10
        over.set()


@pytest.mark.parametrize("body", [[1], b"{}".rjust(LONGEST_ANSWER + 1)], ids=["a list", "endless"])
def test_what_is_no_answer(door: Door, runtime: Path, body: Any) -> None:
    """JSON that is no object, and more than 4 MiB, is no answer of our routes: one line says so."""
    assert LONGEST_ANSWER == 4 * 1024 * 1024
    door.answer = lambda *_: (200, body)
    write(runtime, os.getppid(), door.port)
    with pytest.raises(ClientError):
        connect(home(runtime, os.getppid())).instance()


def test_whom_a_request_is_for(door: Door, tmp_path: Path) -> None:
    """A server that lets in nobody who calls it by a strange name is called by its own; `localhost` by its socket."""
    talk = Conversation(Server("127.0.0.1", door.port, "/b/"), time.monotonic() + 5)
    for _ in range(2):
        assert talk.ask("GET", "/b/api", {}, timeout=5).status == 200
    talk.close()
    assert {headers["Host"] for _, _, headers in door.seen} == {f"127.0.0.1:{door.port}"}
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        talk = Conversation(parse_server_url(f"http+unix://{path.replace('/', '%2F')}/b/"), time.monotonic() + 5)
        caller, _ = listener.accept()
        with caller:
            caller.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")
            assert talk.ask("GET", "/b/api", {}, timeout=5).status == 204
            assert b"\r\nHost: localhost\r\n" in caller.recv(65536)
        talk.close()


def test_a_server_that_closes_after_each_answer(door: Door) -> None:
    """It is called again, by the same way and within the limit."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
    with raw_door(lambda caller: caller.sendall(answer)) as (port, heard):
        talk = Conversation(Server("127.0.0.1", port, "/"), time.monotonic() + 5)
        for _ in range(3):
            assert talk.ask("POST", "/x", {}, b"body", timeout=5).data == {}
        assert len(heard) == 3
        talk.close()
