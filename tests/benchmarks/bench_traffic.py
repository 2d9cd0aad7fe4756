"""Clients for the benchmark: bare sockets, since a full HTTP client would take more time than the server."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from processes import JupyterServer
from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

Ask = Callable[..., Awaitable[bytes]]


def as_at_a_cloud(python: str) -> tuple[str, ...]:
    """Return the options with which a server of ours looks as often as it does at a real cloud; peers take none."""
    return ("--AutostopApp.refresh_interval=60",) if python == sys.executable else ()


@dataclass(frozen=True)
class Site:
    """A server and what opens it."""

    url: str
    headers: dict[str, str]

    @classmethod
    def of(cls, server: JupyterServer) -> Site:
        """Return a Jupyter server's."""
        return cls(server.url, {"Authorization": f"token {server.token}"})

    @asynccontextmanager
    async def connection(self, route: str, method: str = "GET") -> AsyncIterator[Ask]:
        """Open one connection and yield a function that sends one request after the other and returns the answers."""
        url = urlsplit(self.url + route)
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": url.netloc, **self.headers}.items())
        path = f"{url.path}?{url.query}" if url.query else url.path
        reader, writer = await asyncio.open_connection(url.hostname, url.port)

        async def ask(body: Any = None) -> bytes:
            content = b"" if body is None else json.dumps(body).encode()
            kind = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n" if content else ""
            writer.write(f"{method} {path} HTTP/1.1\r\n{lines}{kind}\r\n".encode() + content)
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            assert head.startswith(("http/1.1 200", "http/1.1 201")), head
            return await reader.readexactly(int(head.partition("content-length:")[2].partition("\r\n")[0]))

        try:
            yield ask
        finally:
            writer.close()

    async def ask(self, route: str, method: str = "GET", body: Any = None) -> Any:
        """Send one request and return the JSON of its answer."""
        async with self.connection(route, method) as ask:
            return json.loads(await ask(body))

    async def events(self) -> WebSocketClientConnection:
        """Listen to the server's events, as every open page does."""
        url = f"ws{self.url.removeprefix('http')}api/events/subscribe"
        return await websocket_connect(HTTPRequest(url, headers=self.headers))


async def timed(ask: Ask, body: Any = None) -> float:
    """Return the milliseconds of one request."""
    begun = time.perf_counter()
    await ask(body)
    return (time.perf_counter() - begun) * 1000


async def flat_out(site: Site, route: str, clients: int, seconds: float) -> list[float]:
    """Return the ms of each request that so many clients get answered, each asking again at once."""
    taken: list[float] = []
    end = time.perf_counter() + seconds

    async def one() -> None:
        async with site.connection(route) as ask:
            while time.perf_counter() < end:
                taken.append(await timed(ask))

    await asyncio.gather(*(one() for _ in range(clients)))
    return taken


async def open_pages(site: Site, count: int, seconds: float, *routes: str) -> list[list[float]]:
    """Keep so many pages open: each listens for events and reads each route once a second; returns the ms by route."""
    taken: list[list[float]] = [[] for _ in routes]
    async with AsyncExitStack() as stack:
        asks = []
        for _ in range(count):
            stack.callback((await site.events()).close)
            asks.append([await stack.enter_async_context(site.connection(route)) for route in routes])
        end = time.perf_counter() + seconds

        async def read(number: int) -> None:
            await asyncio.sleep(number / count)  # evenly spread over the second
            pairs = list(zip(asks[number], taken, strict=True))
            if number % 2:
                pairs.reverse()  # no route is always the first
            while time.perf_counter() < end:
                for ask, times in pairs:
                    times.append(await timed(ask))
                await asyncio.sleep(1)

        await asyncio.gather(*(read(number) for number in range(count)))
    return taken


def percentile(taken: list[float], percent: int) -> float:
    return statistics.quantiles(taken, n=100)[percent - 1]
