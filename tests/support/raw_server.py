"""A TCP server on 127.0.0.1 that answers with whatever bytes, as brokenly as a test wants; and a client to meet it."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from conftest import settle

from jupyter_autostop.errors import AutostopError
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.credentials.base import Credentials
from jupyter_autostop.platforms.modelarts.client import CloudHttp
from jupyter_autostop.platforms.modelarts.demanager import Demanager
from jupyter_autostop.platforms.modelarts.models import UpdateRequest
from jupyter_autostop.times.clock import SystemClock

TOKEN = "canary-token-5f3a"
INSTANCE = json.dumps({"id": "DE-1", "status": "RUNNING"}).encode()
UPDATE = UpdateRequest(description="x")
PATIENCE = 20
"""Seconds after which a test, not the product, gives up."""
Script = Callable[["Exchange"], Awaitable[None]]


class Exchange:
    """One request as it came, and the connection to answer on."""

    def __init__(self, server: RawServer, request: bytes, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.request = request
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Send bytes and wait until they are on their way."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"{}", *headers: str, status: str = "200 OK") -> None:
        """Send a whole answer of the usual form."""
        head = [f"HTTP/1.1 {status}", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
        await self.send("\r\n".join([*head, "", ""]).encode("latin-1") + body)

    async def drip(self, data: bytes) -> None:
        """Send one byte after the other, over and over, until the other side or the test has enough."""
        while not self.server.closing.is_set():
            for index in range(len(data)):
                await self.send(data[index : index + 1])
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self.server.closing.wait(), 0.02)

    async def stay_silent(self) -> None:
        """Leave the other side waiting."""
        await self.server.closing.wait()

    def reset(self) -> None:
        """Break the connection without a word."""
        self.writer.transport.abort()


class RawServer:
    """Serves each request by a script and keeps what came; an asynchronous context manager."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.closing = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> RawServer:  # noqa: PYI034 - `Self` is newer than Python 3.10
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.closing.set()
        self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks)
        await self._server.wait_closed()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while not writer.is_closing():
                closing = asyncio.ensure_future(self.closing.wait())
                request = asyncio.ensure_future(self._request(reader))
                await asyncio.wait({closing, request}, return_when=asyncio.FIRST_COMPLETED)
                closing.cancel()
                if not request.done():
                    request.cancel()
                    break
                self.requests.append(await request)
                await self.script(Exchange(self, self.requests[-1], writer))
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        length = [line.split(b":")[1] for line in head.lower().splitlines() if line.startswith(b"content-length:")]
        return head + (await reader.readexactly(int(length[0])) if length else b"")


def cloud(url: str, timeout: float = 0.5, **more: Any) -> Demanager:
    """Return the product's own client of a cloud at `url`, with a token to look out for."""
    clock = SystemClock()
    time = PlatformClock(clock)
    http = CloudHttp(url, Credentials("test", token=TOKEN), "p1", clock=clock, time=time, timeout=timeout, **more)
    return Demanager(http, time, "p1", "DE-1")


async def failure(platform: Demanager, method: str) -> AutostopError:
    """Return how a call ends that cannot end well; complete as the error contract wants it."""
    with pytest.raises(AutostopError) as caught:
        await asyncio.wait_for(platform.read() if method == "GET" else platform.update(UPDATE), PATIENCE)
    await platform.close()
    error = caught.value
    # The traceback keeps a half-read body alive; let go of it while the loop still runs to close it.
    traceback.clear_frames(error.__traceback__)
    await settle()
    assert error.status in (502, 503, 504)
    assert error.code
    assert error.message
    assert error.hint
    assert TOKEN not in f"{error!r} {error.payload()}"
    return error
