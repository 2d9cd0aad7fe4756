"""A proxy between this server and the cloud: what goes wrong is put down to whom it belongs, with host and port."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress

import pytest
import trustme
from raw_server import UPDATE, Exchange, RawServer, cloud

from jupyter_autostop.errors import AutostopError, NoAnswerError

CLOUD = "https://modelarts.invalid"
Script = Callable[[Exchange], Awaitable[None]]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


async def through(
    proxy: str, patch: pytest.MonkeyPatch, name: str = "HTTPS_PROXY", timeout: float = 8
) -> AutostopError:
    """Return how a write ends that goes through this proxy; whatever it is, no password is in it."""
    patch.setenv(name, proxy)
    platform = cloud(CLOUD, timeout=timeout)
    with pytest.raises(AutostopError) as caught:
        await platform.update(UPDATE)
    await platform.close()
    error = caught.value
    assert "canary" not in f"{error.payload()}"
    return error


def closed_port(family: int = socket.AF_INET) -> int:
    """Return a port of this machine at which nothing listens."""
    with closing(socket.socket(family)) as door:
        door.bind(("127.0.0.1" if family == socket.AF_INET else "::1", 0))
        return int(door.getsockname()[1])


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
@pytest.mark.parametrize("login", ["", "lin:canary-p%40ss@"])
async def test_nothing_listens(name: str, login: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the proxy that takes no connection, and not the cloud; nothing was sent to that."""
    port = closed_port()
    error = await through(f"http://{login}127.0.0.1:{port}", monkeypatch, name)
    assert error.message == (
        f"ModelArts cannot be reached: the proxy in this server's environment takes no connection: 127.0.0.1:{port}."
    )
    assert "HTTPS_PROXY" in error.hint
    assert not error.maybe_applied


async def test_an_ipv6_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its address stands in brackets."""
    port = closed_port(socket.AF_INET6)
    assert (await through(f"http://[::1]:{port}", monkeypatch)).message.endswith(f" takes no connection: [::1]:{port}.")


async def test_a_name_that_no_host_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy's, or the cloud's own: each is named."""
    proxys = await through("proxy.invalid:3128", monkeypatch)
    assert proxys.message.endswith(" has a name that no host has: proxy.invalid:3128.")
    monkeypatch.setenv("NO_PROXY", "*")
    own = await through("proxy.invalid:3128", monkeypatch)
    assert own.message.startswith("ModelArts cannot be reached: there is no host modelarts.invalid,")
    assert "`region`" in own.hint


async def test_a_proxy_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that does not come about in time is the proxy's too."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as door:
        address = door.getsockname()
        waiting = [socket.socket() for _ in range(8)]
        for other in waiting:
            other.setblocking(False)
            other.connect_ex(address)
        error = await through(f"http://127.0.0.1:{address[1]}", monkeypatch)
        for other in waiting:
            other.close()
    assert error.message.endswith(f" takes no connection: 127.0.0.1:{address[1]}.")


async def hang(exchange: Exchange) -> None:
    await asyncio.sleep(20)


async def hang_up(exchange: Exchange) -> None:
    exchange.writer.close()


async def no_http(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-x\r\n\r\n")
    exchange.writer.close()


async def refuse(exchange: Exchange) -> None:
    await exchange.answer(b"", status="403 Forbidden")


async def want_login(exchange: Exchange) -> None:
    await exchange.answer(b"", "Proxy-Authenticate: Basic", status="407 Proxy Authentication Required")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (refuse, "the proxy in this server's environment does not lead there: {}."),
        (want_login, "the proxy in this server's environment wants another name and password: {}."),
        (hang_up, "the proxy in this server's environment broke the connection off: {}."),
        (no_http, "the proxy in this server's environment broke the connection off: {}."),
        (hang, "ModelArts through the proxy {} did not answer within 3 s."),
    ],
)
async def test_what_a_proxy_does(script: Script, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It refuses, it wants to know who we are, it goes away, it is none, it says nothing."""
    async with RawServer(script) as proxy:
        address = proxy.url.removeprefix("http://")
        error = await through(f"http://lin:canary@{address}", monkeypatch, timeout=3 if script is hang else 8)
    assert isinstance(error, NoAnswerError)
    assert words.format(address) in error.message


@pytest.mark.parametrize("speaks_tls", [False, True])
async def test_tls_behind_the_proxy_is_the_clouds(speaks_tls: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the tunnel stands, a certificate or a broken connection is the other end's, with the proxy on the way."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("modelarts.invalid").configure_cert(context)

    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with suppress(OSError):  # it is not trusted
            if speaks_tls:
                await writer.start_tls(context)
            else:
                await reader.read(1)
                writer.write(b"220 mail ready\r\n")
                await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    error = await through(f"http://{address}", monkeypatch)
    await over.wait()
    server.close()
    assert f"modelarts.invalid through the proxy {address}: " in error.message
    assert ("vouches for its certificate" if speaks_tls else "TLS") in error.message


async def test_a_socks_proxy_is_said_to_need_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which package it takes, and which proxy is meant."""
    error = await through("socks5://lin:canary@127.0.0.1:1080", monkeypatch, "ALL_PROXY")
    assert error.message.endswith(
        " cannot be used through the proxy 127.0.0.1:1080, since a SOCKS proxy needs the package socksio."
    )


async def test_an_exception_is_told_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where NO_PROXY names the cloud's host, no sentence speaks of a proxy."""
    port = closed_port()
    monkeypatch.setenv("NO_PROXY", "modelarts.invalid")
    assert "proxy" not in (await through(f"http://127.0.0.1:{port}", monkeypatch)).message
