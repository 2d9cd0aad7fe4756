"""One way to one address of the cloud: a bounded answer or a typed error, and nothing kept from call to call."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import re
import ssl
from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlsplit

import httpx

from jupyter_autostop.clock import Clock
from jupyter_autostop.errors import BadAnswerError, NoAnswerError, NotConfiguredError
from jupyter_autostop.platforms.endpoint import check_base_url, is_loopback, unusable
from jupyter_autostop.platforms.time import PlatformClock, parse_http_date

LONGEST_BODY = 2 * 1024 * 1024
"""Bytes; an instance takes a few thousand."""
_SURROGATE = re.compile("[\ud800-\udfff]")
_exchanging = contextvars.ContextVar("autostop_exchanging", default=False)


class _WithoutHeaders(logging.Filter):
    """Keeps the headers of our answers out of the log: IAM hands out its token in one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through what is not ours, or shows no headers."""
        return not (_exchanging.get() and "receive_response_headers" in str(record.msg))


# At DEBUG the HTTP library writes every response header down.
logging.getLogger("httpcore.http11").addFilter(_WithoutHeaders())


class _NoCookies(CookieJar):
    """Each call stands for itself: a cookie would outlive it, and could not even be sent back safely."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Take none, so that there are none to send."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Leave out keys that are no Unicode text: nobody documented them, and nothing can carry them."""
    return {key: value for key, value in pairs if key.isascii() or not _SURROGATE.search(key)}


@dataclass(frozen=True)
class Response:
    """An HTTP answer of any status; `sent` and `received` are monotonic seconds."""

    status: int
    headers: Mapping[str, str]
    raw: bytes
    sent: float
    received: float

    @property
    def good(self) -> bool:
        """Whether what was asked for was done."""
        return 200 <= self.status < 300  # noqa: PLR2004 - HTTP's success

    def json(self) -> Any:
        """Return the body's JSON, `None` for an empty one; `ValueError` where it is none."""
        try:
            return json.loads(self.raw, object_pairs_hook=_object) if self.raw.strip() else None
        except RecursionError:
            raise ValueError("too deep") from None


class Connection:
    """Speaks to `base_url`, named `name` in sentences and `setting` in advice; learns the time from each answer.

    `timeout` (s) bounds each step on the wire; a limit for the whole is the caller's. Fakes come in as `transport`.
    """

    def __init__(
        self,
        base_url: str,
        *,
        name: str,
        setting: str,
        clock: Clock,
        time: PlatformClock,
        timeout: float,
        ca_file: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = check_base_url(base_url, setting)
        parts = urlsplit(self._base_url)
        self._plain = parts.scheme == "http"
        self._loopback = is_loopback(parts.hostname)
        try:
            url = httpx.URL(self._base_url)
            url.host  # noqa: B018 - an encoded name that means nothing shows when it is read
            self.host = url.netloc.decode("ascii")
        except (httpx.InvalidURL, ValueError):
            raise unusable(setting) from None
        self.name = name
        self._clock = clock
        self.time = time
        self._timeout = timeout
        self._ca_file = ca_file
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._opening = asyncio.Lock()

    async def exchange(
        self, method: str, path: str, content: bytes | None = None, auth: httpx.Auth | None = None
    ) -> Response:
        """Send one request and return its answer, whatever its status; `path` is already quoted.

        An error with `maybe_applied` leaves open whether a write took effect.
        """
        client = await self._open()
        sent = self._clock.monotonic()
        url, headers = self._base_url + path, {"Content-Type": "application/json"}
        request = client.build_request(method, url, content=content, headers=headers)
        ours = _exchanging.set(True)
        try:
            response = await client.send(request, auth=auth, stream=True)
            try:
                raw = await self._body(response)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._unreachable(error) from error
        except httpx.TimeoutException as error:
            raise self._lost(f"{self.name} did not answer in time.", method) from error
        except httpx.TransportError as error:
            raise self._lost(f"The connection to {self.name} broke before its answer came.", method) from error
        except BadAnswerError as error:
            error.maybe_applied = method != "GET"
            raise
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # Bytes that are not what their headers say, or a redirect to no address at all.
            broken = BadAnswerError(f"The answer from {self.name} cannot be read.")
            broken.maybe_applied = method != "GET"
            raise broken from error
        finally:
            _exchanging.reset(ours)
        received = self._clock.monotonic()
        date = parse_http_date(response.headers.get("Date"))
        if date is not None:
            self.time.observe(date, sent, received)
        return Response(response.status_code, response.headers, raw, sent, received)

    async def close(self) -> None:
        """Close the connections; a later exchange opens new ones."""
        if self._client:
            client, self._client = self._client, None
            await client.aclose()

    async def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            async with self._opening:
                if self._client is None:
                    # Reading the trusted certificates takes a while.
                    self._client = await asyncio.to_thread(self._new_client)
        return self._client

    def _verify(self) -> ssl.SSLContext | bool:
        if self._plain:
            # Nothing to verify on plain loopback; a context that trusts nobody is made in no time.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not self._ca_file:
            return True
        try:
            return ssl.create_default_context(cafile=self._ca_file)
        except OSError as error:
            why = "no certificate in it that can be read" if isinstance(error, ssl.SSLError) else error.strerror
            raise NotConfiguredError(
                f"The certificate file {self._ca_file} cannot be used: {why}.",
                code="configuration_invalid",
                hint="Point `ca_file` at a readable PEM file with the cloud's certificate authority.",
            ) from error

    def _new_client(self) -> httpx.AsyncClient:
        verify = self._verify()
        try:
            return httpx.AsyncClient(
                timeout=self._timeout,
                follow_redirects=False,
                verify=verify,
                trust_env=not self._loopback,
                transport=self._transport,
                cookies=_NoCookies(),
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "jupyter_autostop"},
            )
        except (ImportError, ValueError, OSError) as error:
            # Their words may hold the proxy's password.
            raise NotConfiguredError(
                "The proxy or certificate settings in this server's environment cannot be used.",
                code="configuration_invalid",
                hint="Look at HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
            ) from error

    async def _body(self, response: httpx.Response) -> bytes:
        """Return the bytes as they came: unpacking what nobody asked to be packed could take any time and memory."""
        if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
            raise BadAnswerError(f"The answer from {self.name} is compressed, which it was asked not to be.")
        chunks = bytearray()
        async with aclosing(response.aiter_bytes()) as body:  # type: ignore[type-var]  # it is a generator
            async for chunk in body:
                chunks += chunk
                if len(chunks) > LONGEST_BODY:
                    raise BadAnswerError(f"The answer from {self.name} is larger than {LONGEST_BODY // 1024} KiB.")
        return bytes(chunks)

    def _lost(self, message: str, method: str) -> NoAnswerError:
        error = NoAnswerError(message)
        error.maybe_applied = method != "GET"
        return error

    def _unreachable(self, error: httpx.TransportError) -> NoAnswerError:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return NoAnswerError(
                f"{self.name} cannot be reached safely: nobody trusted here vouches for its certificate.",
                code="untrusted_certificate",
                hint="For a private cloud, point `ca_file` at its certificate authority; verification stays on.",
            )
        hint = None
        if self._plain:
            hint = "Is the emulator running? Start it with `jupyter autostop emulator`."
        return NoAnswerError(f"{self.name} cannot be reached: no connection.", hint=hint)
