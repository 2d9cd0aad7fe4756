"""How an answer reaches its client, or fails to: one connection, from the received request on."""

from __future__ import annotations

import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, cast

from tornado.httputil import HTTPHeaders, HTTPServerRequest, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError

from jupyter_autostop.emulator.message import Answer

if TYPE_CHECKING:
    from tornado.http1connection import HTTP1Connection

_CHUNK = 256 * 1024


class Delivery:
    """Sends one answer well, badly or not at all. Everything but `send` takes the connection away from the server."""

    def __init__(self, request: HTTPServerRequest) -> None:
        self._connection = cast("HTTP1Connection", request.connection)
        self._with_body = request.method != "HEAD"

    def send(self, answer: Answer) -> None:
        """Send the answer and keep the connection for the next request."""
        start = ResponseStartLine("", answer.status, answer.reason)
        # Not awaited: the future of a write whose client has gone is never resolved.
        self._connection.write_headers(start, HTTPHeaders(answer.headers), answer.body if self._with_body else None)
        self._connection.finish()

    def take(self) -> IOStream:
        """Take the bare connection; who takes it must close it."""
        return self._connection.detach()

    def abandon(self) -> None:
        """Close the connection, unless it was taken."""
        self._connection.close()

    def reset(self) -> None:
        """Close the connection so that the client sees a reset."""
        _reset(self.take())

    async def cut(self, answer: Answer) -> None:
        """Send the head and half of the body, then reset."""
        body = answer.body
        await self._raw(answer.head() + body[: len(body) // 2], finish=_reset)

    async def close_after(self, answer: Answer) -> None:
        """Send the answer and close the connection, which the answer did not announce."""
        await self._raw(answer.head() + answer.body)

    async def drip(self, answer: Answer, pause: Callable[[], Awaitable[None]]) -> None:
        """Send the head at once and the body byte by byte, with a pause before each."""
        body = answer.body
        await self._raw(answer.head(), *(body[at : at + 1] for at in range(len(body))), pause=pause)

    async def pour(self, answer: Answer, size: int) -> None:
        """Send `size` bytes of something like JSON under the answer's head."""
        if "Content-Length" in answer.headers:
            answer.headers["Content-Length"] = str(size)
        whole, rest = divmod(size, _CHUNK)
        await self._raw(answer.head(), *([b"[" * _CHUNK] * whole), b"[" * rest)

    async def _raw(
        self,
        *parts: bytes,
        pause: Callable[[], Awaitable[None]] | None = None,
        finish: Callable[[IOStream], None] = IOStream.close,
    ) -> None:
        stream = self.take()
        try:
            for number, part in enumerate(parts):
                if pause and number:
                    await pause()
                await stream.write(part)
        except StreamClosedError:
            return
        except BaseException:
            stream.close()
            raise
        finish(stream)


def _reset(stream: IOStream) -> None:
    if not stream.closed():
        # Lingering for zero seconds makes close() send a reset.
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.close()
