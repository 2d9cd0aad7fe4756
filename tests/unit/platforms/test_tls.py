"""The hop to the cloud is verified: by the system's authorities, or by a private cloud's own, never not at all."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from jupyter_autostop.errors import NoAnswerError, NotConfiguredError
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.credentials.base import Credentials
from jupyter_autostop.platforms.modelarts.client import CloudHttp
from jupyter_autostop.times.clock import SystemClock

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nConnection: close\r\n\r\n" + b'{"ok":true}'


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def certified(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    """Return what a server of these names shows, for which the authority vouches."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def file_of(authority: trustme.CA, folder: Path) -> str:
    """Return the path of a file that makes the authority known."""
    path = str(folder / "ca.pem")
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture
def private_cloud(
    authority: trustme.CA, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> Iterator[tuple[str, list[bytes]]]:
    """A cloud on https, vouched for by its own authority; with the requests it gets."""
    context = certified(authority, "127.0.0.1", "localhost")
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        await writer.drain()
        writer.close()

    server = jp_asyncio_loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0, ssl=context))
    yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
    server.close()


def http_to(url: str, ca_file: str = "") -> CloudHttp:
    clock = SystemClock()
    credentials = Credentials("test", token="canary-token")
    return CloudHttp(url, credentials, "p", clock=clock, time=PlatformClock(clock), timeout=5, ca_file=ca_file)


async def test_a_private_authority_by_file(
    private_cloud: tuple[str, list[bytes]], authority: trustme.CA, tmp_path: Path
) -> None:
    """With the authority's file the private cloud is spoken to."""
    url, seen = private_cloud
    http = http_to(url, file_of(authority, tmp_path))
    assert (await http.call("GET", "/v1")).data == {"ok": True}
    assert b"canary-token" in seen[0]
    await http.close()


async def test_an_unknown_authority_gets_nothing(private_cloud: tuple[str, list[bytes]], tmp_path: Path) -> None:
    """Without it, or with another one's, nothing is sent, and the way out is named."""
    url, seen = private_cloud
    for ca_file in ("", file_of(trustme.CA(), tmp_path)):
        http = http_to(url, ca_file)
        with pytest.raises(NoAnswerError) as caught:
            await http.call("GET", "/v1")
        assert caught.value.code == "untrusted_certificate"
        assert caught.value.message.startswith("ModelArts cannot be reached safely")
        assert "ca_file" in caught.value.hint
        await http.close()
    assert seen == []


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file or directory"), ("no certificate at all", "no certificate in it that can be read")],
)
async def test_a_file_that_is_no_authority(tmp_path: Path, content: str | None, why: str) -> None:
    """A missing or senseless file is named, and verification is not given up."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    http = http_to("https://127.0.0.1:9", str(path))
    with pytest.raises(NotConfiguredError) as caught:
        await http.call("GET", "/v1")
    assert caught.value.message == f"The certificate file {path} cannot be used: {why}."
    assert caught.value.code == "configuration_invalid"
    assert "`ca_file`" in caught.value.hint
    await http.close()


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("way", ["in plain", "in half an answer", "wants a certificate"])
async def test_what_breaks_once_tls_stands_is_a_typed_error(
    way: str, method: str, authority: trustme.CA, tmp_path: Path
) -> None:
    """Bytes that are no TLS, or a peer that wants to know who we are: an answer that is lost, and no fault of ours."""
    context = certified(authority, "127.0.0.1")
    if way == "wants a certificate":
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if way == "in half an answer":
            writer.write(ANSWER[:-4])
            await writer.drain()
            await asyncio.sleep(0)
        # Past the encryption, as a box in between that gives up.
        os.write(writer.get_extra_info("socket").fileno(), b"HTTP/1.1 502 Bad Gateway\r\n\r\n")

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    http = http_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", file_of(authority, tmp_path))
    with pytest.raises(NoAnswerError, match="The connection to ModelArts broke") as caught:
        await http.call(method, "/v1")
    assert caught.value.maybe_applied is (method == "PUT")
    await http.close()
    server.close()


async def test_a_certificate_of_another_host_is_called_so(authority: trustme.CA, tmp_path: Path) -> None:
    """Whoever vouches for it: it is the address that is wrong, or what answers there."""
    context = certified(authority, "elsewhere.example")
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0, ssl=context)
    http = http_to(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", file_of(authority, tmp_path))
    with pytest.raises(NoAnswerError, match="shows the certificate of another host") as caught:
        await http.call("PUT", "/v1")
    assert caught.value.code == "untrusted_certificate"
    assert "`endpoint`" in caught.value.hint
    assert not caught.value.maybe_applied
    await http.close()
    server.close()
