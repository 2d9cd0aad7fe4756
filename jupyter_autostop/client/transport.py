"""The way to a local server: TCP, TLS or a unix socket, each step within a limit, and never a proxy in between."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_autostop.client.certificate import CERTFILE, KEYFILE, NO_CERTIFICATE, ClientCertificate
from jupyter_autostop.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jupyter_autostop.client.server_info import Server

LONGEST_ANSWER = 4 * 1024 * 1024
"""Bytes; a State takes a few thousand."""
_BEGIN, _END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"


class UnreachableError(ClientError):
    """There is no way to the server, so it was asked for nothing."""


def _left(until: float) -> float:
    """Return the seconds until a time of the monotonic clock; a socket takes none for "do not wait"."""
    return max(0.001, until - time.monotonic())


def _addresses(server: Server, until: float) -> list[tuple[int, Any]]:
    """Return families and addresses. Looking a name up knows no limit of its own, so it is done beside."""
    if server.sock:
        return [(socket.AF_UNIX, server.sock)]
    found: list[tuple[int, Any]] = []
    failed: list[Exception] = []

    def look_up() -> None:
        try:
            answers = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            failed.append(error)
        else:
            found.extend((answer[0], answer[4]) for answer in answers)

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(_left(until))
    if failed:
        raise OSError(getattr(failed[0], "errno", None), getattr(failed[0], "strerror", None) or "no such host")
    return found


def open_socket(server: Server, until: float) -> socket.socket:
    """Return a connected socket before a time of the monotonic clock, or raise `OSError`."""
    error: OSError = TimeoutError()
    for family, address in _addresses(server, until):
        door = socket.socket(family, socket.SOCK_STREAM)
        door.settimeout(_left(until))
        try:
            door.connect(address)
        except OSError as refused:
            door.close()
            error = refused
        else:
            return door
    raise error


def _own_certificate(server: Server) -> bytes | None:
    """Return the certificate that the server says it shows, `None` where it says nothing that can be read."""
    if not server.certfile:
        return None
    try:
        _, begin, rest = Path(server.certfile).read_text(encoding="utf-8", errors="replace").partition(_BEGIN)
        return ssl.PEM_cert_to_DER_cert(begin + rest.partition(_END)[0] + _END)
    except (OSError, ValueError):
        return None


def _usual_context(cafile: str | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=cafile)
    except OSError as error:
        why = error.strerror if isinstance(error, FileNotFoundError) else "no certificate in it that can be read"
        raise UnreachableError(
            f"The certificate file {cafile} cannot be used: {why}.", hint="Name a PEM file with --cacert FILE."
        ) from error


def _handshake(context: ssl.SSLContext, door: socket.socket, server: Server) -> ssl.SSLSocket:
    """Begin TLS; a server of plain HTTP may wait for more instead of saying that it understands nothing."""
    try:
        return context.wrap_socket(door, server_hostname=server.host)
    except TimeoutError:
        raise UnreachableError(
            f"What answers at {server.url} does not begin TLS in time.",
            hint="Give its address with http:// if it is a Jupyter server without a certificate.",
        ) from None


def _secured(door: socket.socket, server: Server, cafile: str | None, own: ClientCertificate) -> ssl.SSLSocket:
    """Return the socket behind TLS, to a server that is surely the one meant.

    A server of this user's names its certificate in its capability file, and must show exactly that one: nobody
    needs to vouch for it, and a name for 127.0.0.1 in it is not needed. Any other is verified as usual.
    """
    known = _own_certificate(server)
    if known is None:
        context = _usual_context(cafile)
        own.trust(context)
        own.load(context)
        return _handshake(context, door, server)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # what is verified is below, before anything is said
    own.load(context)
    secured = _handshake(context, door, server)
    if secured.getpeercert(binary_form=True) != known:
        secured.close()
        raise UnreachableError(
            f"What answers at {server.url} does not show the certificate in {server.certfile}.",
            hint="If the certificate was renewed, restart the Jupyter server.",
        )
    return secured


def tls_refusal(server: Server, error: ssl.SSLError, own: ClientCertificate) -> UnreachableError:
    """Return what a server means that breaks TLS off; in TLS 1.3 it does so when it is asked for the first thing."""
    reason = str(error.reason or "").replace("_", " ").lower()
    if "certificate required" in reason or "handshake failure" in reason:
        return UnreachableError(
            f"The server at {server.url} wants a certificate of its clients: {own.load(_any_context()) or reason}.",
            hint=f"Name the files in {CERTFILE} and {KEYFILE}, as JupyterHub does where its `internal_ssl` is on.",
        )
    if "alert" in reason:
        return UnreachableError(
            f"The server at {server.url} does not take this client's certificate: {reason}.",
            hint=f"It is the one in {CERTFILE}; its authority must be known to that server."
            if own.certificate
            else f"Set {CERTFILE} and {KEYFILE} if it wants one of its clients.",
        )
    return UnreachableError(
        f"What answers at {server.url} does not speak TLS: {reason or error}.",
        hint="Give its address with http:// if it is a Jupyter server without a certificate.",
    )


def broken_off(server: Server, own: ClientCertificate) -> UnreachableError:
    """Return what is told where a server ends TLS without a word, as one may that is shown no certificate."""
    unusable = own.load(_any_context()) if own.certificate else ""
    return UnreachableError(
        f"The server at {server.url} broke the secured connection off, and said nothing"
        f"{f'; {unusable}' if unusable else ''}.",
        hint=f"It may want a certificate of its clients: name the files in {CERTFILE} and {KEYFILE}.",
    )


def _any_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _unreachable(server: Server, error: Exception, own: ClientCertificate) -> UnreachableError:
    if isinstance(error, ssl.SSLCertVerificationError) and "expired" in error.verify_message:
        return UnreachableError(
            f"The certificate of {server.url} has expired.",
            hint="Renew it, or look at this machine's date, and restart the Jupyter server.",
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnreachableError(
            f"Nobody trusted here vouches for the certificate of {server.url}: {error.verify_message}.",
            hint="Name its certificate authority with --cacert FILE or SSL_CERT_FILE.",
        )
    if isinstance(error, ssl.SSLError) and error.reason:
        return tls_refusal(server, error, own)
    if isinstance(error, (TimeoutError, socket.timeout)):
        why = "no connection in time"
    else:
        why = getattr(error, "strerror", None) or str(error)
    return UnreachableError(
        f"The Jupyter server at {server.url} cannot be reached: {why}.",
        hint="Is it still running? See `jupyter server list`.",
    )


class Answer:
    """A response that was read; `data` is its JSON object, `None` where it is none."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        raw = response.read(LONGEST_ANSWER)
        self.status = response.status
        self.cookies: list[str] = response.headers.get_all("Set-Cookie") or []
        try:
            data = json.loads(raw)
        except (ValueError, RecursionError):
            data = None
        self.data: dict[str, Any] | None = data if isinstance(data, dict) else None


class Conversation:
    """A connection to a server that has been opened by `until`, a time of the monotonic clock; and again if it closes.

    Raises `UnreachableError`, after which nothing was said, and else what `http.client` raises, `OSError` included.
    """

    def __init__(
        self, server: Server, until: float, cafile: str | None = None, own: ClientCertificate = NO_CERTIFICATE
    ) -> None:
        self._server = server
        self._own = own
        self._cafile = cafile
        self._connection = http.client.HTTPConnection("localhost" if server.sock else server.host, server.port or None)
        # By itself it would come back without TLS and without a limit.
        self._connection.auto_open = 0
        self._open(until)

    def _open(self, until: float) -> None:
        door = None
        try:
            door = open_socket(self._server, until)
            door.settimeout(_left(until))
            self._connection.sock = (
                _secured(door, self._server, self._cafile, self._own) if self._server.secure else door
            )
        except (OSError, ValueError, ClientError) as error:
            if door is not None:
                door.close()
            if isinstance(error, ClientError):  # has its words already
                raise
            raise _unreachable(self._server, error, self._own) from error

    def ask(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None = None, *, timeout: float
    ) -> Answer:
        """Send a request and return its answer; `timeout` (s) is for each step."""
        if self._connection.sock is None:
            self._open(time.monotonic() + timeout)
        self._connection.sock.settimeout(timeout)
        self._connection.request(method, path, content, dict(headers))
        with self._connection.getresponse() as response:
            return Answer(response)

    def ask_within(self, seconds: float, path: str, headers: Mapping[str, str]) -> Answer:
        """Return the answer to a GET, or raise `TimeoutError` once so many seconds have passed in all."""
        passed = threading.Event()

        def cut(door: socket.socket) -> None:
            passed.set()
            with suppress(OSError):  # closed at this very moment
                # Not TLS's own farewell, which would wait for the other side.
                socket.socket.shutdown(door, socket.SHUT_RDWR)

        # However slowly the other side drips, each step being within its limit.
        timer = threading.Timer(seconds, cut, [self._connection.sock])
        timer.daemon = True
        timer.start()
        try:
            answer = self.ask("GET", path, headers, timeout=seconds)
        except (OSError, http.client.HTTPException) as error:
            if passed.is_set() or isinstance(error, socket.timeout):
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
        return answer

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
