"""The cloud over a real connection that misbehaves: a typed error within the total time limit, never a second write."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from contextlib import nullcontext
from typing import Any

import httpx
import pytest
from raw_server import INSTANCE, PATIENCE, TOKEN, UPDATE, Exchange, RawServer, Script, cloud, failure

from jupyter_autostop.errors import AutostopError, BadAnswerError, NoAnswerError


async def silent(exchange: Exchange) -> None:
    await exchange.stay_silent()


async def dripping_head(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\n")
    await exchange.drip(b"X-Drip: drip\r\n")


async def dripping_body(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    await exchange.drip(b" ")


async def dripping_chunks(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    await exchange.drip(b"1\r\n \r\n")


async def endless_continue(exchange: Exchange) -> None:
    await exchange.drip(b"HTTP/1.1 100 Continue\r\n\r\n")


async def half_then_silent(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + INSTANCE)
    await exchange.stay_silent()


async def reset_at_once(exchange: Exchange) -> None:
    exchange.reset()


async def reset_in_body(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + INSTANCE)
    exchange.reset()


async def short_body(exchange: Exchange) -> None:
    await exchange.answer(INSTANCE[:10], "Content-Length: 100")
    exchange.writer.close()


async def cut_off_body(exchange: Exchange) -> None:
    await exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n" + INSTANCE)
    exchange.writer.close()


async def closed_without_a_word(exchange: Exchange) -> None:
    exchange.writer.close()


async def no_http(exchange: Exchange) -> None:
    await exchange.send(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    exchange.writer.close()


async def huge_header(exchange: Exchange) -> None:
    await exchange.answer(INSTANCE, f"X-Huge: {'x' * 500_000}")


async def broken_gzip(exchange: Exchange) -> None:
    await exchange.answer(INSTANCE, "Content-Encoding: gzip")


async def error_in_gzip(exchange: Exchange) -> None:
    await exchange.answer(b"oops", "Content-Encoding: gzip", status="500 Oops")


FAULTS = (
    *(silent, dripping_head, dripping_body, dripping_chunks, endless_continue, half_then_silent, reset_at_once),
    *(reset_in_body, short_body, cut_off_body, closed_without_a_word, no_http, huge_header),
    *(broken_gzip, error_in_gzip),
)
HANGING = {silent, dripping_head, dripping_body, dripping_chunks, endless_continue, half_then_silent}
"""What only the total limit ends, so that it is a short one there; elsewhere it has no part in it."""
LOST = set(FAULTS) - {huge_header, broken_gzip, error_in_gzip}


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("script", FAULTS, ids=lambda script: script.__name__)
async def test_a_broken_answer_ends_in_a_typed_error(script: Script, method: str) -> None:
    """Whatever goes wrong on the way ends within the total limit, a write is sent once and may have been applied."""
    async with RawServer(script) as server:
        error = await failure(cloud(server.url, timeout=0.5 if script in HANGING else 10), method)
        requests = len(server.requests)
    if script in LOST:
        assert isinstance(error, NoAnswerError)
    if method == "PUT":
        assert requests == 1
        assert error.maybe_applied
    else:
        assert not error.maybe_applied


@pytest.mark.parametrize("encoding", ["gzip", "GZIP ", "deflate", "br", "gzip, gzip"])
async def test_a_packed_answer_is_not_unpacked(encoding: str) -> None:
    """What was asked not to be packed is refused unread: unpacking takes any time and memory the other side likes."""

    async def script(exchange: Exchange) -> None:
        await exchange.answer(gzip.compress(INSTANCE), f"Content-Encoding: {encoding}")

    async with RawServer(script) as server:
        error = await failure(cloud(server.url, timeout=10), "GET")
    assert isinstance(error, BadAnswerError)
    assert "compressed" in error.message


@pytest.mark.parametrize("chunked", [True, False])
async def test_a_body_of_50_mb_is_not_swallowed(chunked: bool) -> None:
    """An answer beyond the cap is given up long before its end."""
    sent = 0
    megabyte = bytes(1024 * 1024)

    async def script(exchange: Exchange) -> None:
        nonlocal sent
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {50 * len(megabyte)}"
        await exchange.send(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode())
        for _ in range(50):
            await exchange.send((b"100000\r\n%b\r\n" if chunked else b"%b") % megabyte)
            sent += 1

    async with RawServer(script) as server:
        error = await failure(cloud(server.url, timeout=10), "GET")
        assert isinstance(error, BadAnswerError)
        assert len(server.requests) == 1
    assert sent < 50


async def test_a_small_answer_that_unpacks_to_50_mb_is_refused() -> None:
    """Nobody has asked for compression; what comes compressed all the same is held to the same cap."""
    packed = gzip.compress(bytes(50 * 1024 * 1024))
    async with RawServer(lambda exchange: exchange.answer(packed, "Content-Encoding: gzip")) as server:
        error = await failure(cloud(server.url, timeout=10), "PUT")
        assert b"gzip" not in server.requests[0]
    assert isinstance(error, BadAnswerError)


async def test_nobody_there_is_said_so() -> None:
    """A refused connection is told as such, with the way out, and a write was certainly not applied."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # so that nobody else takes the port meanwhile
        for method in ("GET", "PUT"):
            error = await failure(cloud(f"http://127.0.0.1:{nobody.getsockname()[1]}", timeout=10), method)
            assert isinstance(error, NoAnswerError)
            assert not error.maybe_applied
    assert "emulator" in error.hint


async def test_a_connection_that_does_not_come_is_known_before_the_time_is_up() -> None:
    """Nothing has been sent then, so a write was certainly not applied."""
    with socket.socket() as busy, socket.socket() as first, socket.socket() as second:
        busy.bind(("127.0.0.1", 0))
        busy.listen(0)
        for waiting in (first, second):  # as many as it lets wait: who comes now gets no answer at all
            waiting.setblocking(False)
            waiting.connect_ex(busy.getsockname())
        error = await failure(cloud(f"http://127.0.0.1:{busy.getsockname()[1]}", timeout=1), "PUT")
    assert isinstance(error, NoAnswerError)
    assert not error.maybe_applied


async def test_a_connection_closed_meanwhile_costs_no_write() -> None:
    """A kept connection that the cloud has closed is noticed: the write goes over a new one, once."""
    gone = asyncio.Event()

    async def script(exchange: Exchange) -> None:
        await exchange.answer(INSTANCE)
        exchange.writer.close()
        gone.set()

    async with RawServer(script) as server:
        platform = cloud(server.url, timeout=10)
        await platform.read()
        await asyncio.wait_for(gone.wait(), PATIENCE)
        await platform.update(UPDATE)
        assert [request.split()[0] for request in server.requests] == [b"GET", b"PUT"]
        assert TOKEN.encode() in server.requests[1]
        await platform.close()


async def test_a_connection_is_kept() -> None:
    """Calls one after the other share a connection."""
    writers: set[Any] = set()

    async def script(exchange: Exchange) -> None:
        writers.add(exchange.writer)
        await exchange.answer(INSTANCE)

    async with RawServer(script) as server:
        platform = cloud(server.url, timeout=10)
        for _ in range(3):
            await platform.read()
        assert len(writers) == 1
        await platform.close()


COOKIES = [
    "session=1",
    "session=1; Path=/; Domain=127.0.0.1; HttpOnly",
    "session=1; Path=/; Max-Age=100000; Version=1",
    "session=\xe9\xff; Path=/",
    "\xe9=1",
    "",
]


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "503 Busy"])
async def test_no_cookie_is_sent_back(status: str) -> None:
    """Each call stands for itself: a cookie, be it of bytes that no header may hold, changes nothing in the next."""

    async def script(exchange: Exchange) -> None:
        last = len(exchange.server.requests) > len(COOKIES)
        cookie = "x=1" if last else COOKIES[len(exchange.server.requests) - 1]
        headers = (f"Set-Cookie: {cookie}", "Set-Cookie: other=\xfc; Path=/", "Location: /v1/elsewhere")
        await exchange.answer(INSTANCE, *headers, status="200 OK" if last else status)

    async with RawServer(script) as server:
        platform = cloud(server.url, timeout=10)
        for _ in COOKIES:
            with nullcontext() if status == "200 OK" else pytest.raises(AutostopError):
                await platform.update(UPDATE)
        await platform.read()
        assert len(server.requests) == len(COOKIES) + 1
        assert [b"cookie" in request.lower() for request in server.requests] == [False] * len(server.requests)
        await platform.close()


async def test_the_headers_of_an_answer_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever logs everything does not write down the token that IAM hands out; other people's answers are theirs."""
    caplog.set_level("DEBUG")
    async with RawServer(lambda exchange: exchange.answer(INSTANCE, "X-Subject-Token: canary")) as server:
        platform = cloud(server.url, timeout=10)
        for _ in range(2):
            await platform.read()
        await platform.close()
        assert "receive_response_body.complete" in caplog.text
        assert "canary" not in caplog.text
        async with httpx.AsyncClient(trust_env=False) as other:
            await other.get(server.url)
        assert "canary" in caplog.text


async def test_what_is_sent() -> None:
    """A request says what it is, what it wants and who asks, and bears its content; a look has none."""
    async with RawServer(lambda exchange: exchange.answer(INSTANCE, "Content-Encoding: Identity")) as server:
        platform = cloud(f"{server.url}/gateway", timeout=10)
        await platform.update(UPDATE)
        await platform.read()
        await platform.close()
        (change, content), (look, nothing) = (request.split(b"\r\n\r\n") for request in server.requests)
    assert json.loads(content) == UPDATE.body()
    assert nothing == b""
    for method, request in ((b"PUT", change), (b"GET", look)):
        first, *lines = request.split(b"\r\n")
        assert first == method + b" /gateway/v1/p1/demanager/instances/DE-1 HTTP/1.1"
        headers = {name.lower(): value for name, value in (line.split(b": ", 1) for line in lines)}
        assert headers[b"host"] == server.url.removeprefix("http://").encode()
        assert headers[b"content-type"] == headers[b"accept"] == b"application/json"
        assert headers[b"accept-encoding"] == b"identity"
        assert headers[b"user-agent"] == b"jupyter_autostop"
