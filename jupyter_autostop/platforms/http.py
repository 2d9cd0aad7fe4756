"""Calls to the cloud: one client, one total time limit per call, bounded answers, typed errors."""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
from contextlib import aclosing
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import httpx

from jupyter_autostop.clock import Clock
from jupyter_autostop.errors import (
    AutostopError,
    BadAnswerError,
    ClockSkewError,
    CredentialsError,
    NoAnswerError,
    NotConfiguredError,
    ThrottledError,
    UnavailableError,
)
from jupyter_autostop.platforms.auth import CloudAuth
from jupyter_autostop.platforms.credentials import Credentials
from jupyter_autostop.platforms.endpoint import check_base_url, is_loopback
from jupyter_autostop.platforms.refusals import refusal, retry_after
from jupyter_autostop.platforms.time import PlatformClock, parse_http_date

LONGEST_BODY = 2 * 1024 * 1024
"""Bytes; an instance takes a few thousand."""
TRIES = 3
SKEW_LIMIT = 15 * 60
"""Seconds by which a signature's date may be off (API signing guide)."""
_SURROGATE = re.compile("[\ud800-\udfff]")
EMULATOR_HEADER = "X-Autostop-Emulator"


@dataclass(frozen=True)
class Answer:
    """A successful answer: its JSON, and when (monotonic s) it was asked for and came."""

    data: Any
    sent: float
    received: float


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Leave out keys that are no Unicode text: nobody documented them, and nothing can carry them."""
    return {key: value for key, value in pairs if key.isascii() or not _SURROGATE.search(key)}


class CloudHttp:
    """The only place that talks to the cloud.

    A GET is tried again, with jitter, on what may pass; a write never is. Within a `Retry-After` nothing is sent.
    `timeout` (s) covers a call with its retries. Fakes come in as `transport`.
    """

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        project_id: str,
        *,
        clock: Clock,
        time: PlatformClock,
        timeout: float = 10.0,
        ca_file: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._base_url = check_base_url(base_url, "endpoint")
        parts = urlsplit(self._base_url)
        self._plain = parts.scheme == "http"
        self._loopback = is_loopback(parts.hostname)
        self._host = httpx.URL(self._base_url).netloc.decode("ascii")
        self._credentials = credentials
        self._project_id = project_id
        self._clock = clock
        self._time = time
        self._timeout = timeout
        self._ca_file = ca_file
        self._transport = transport
        self._client: httpx.AsyncClient | None = None
        self._rest_until = float("-inf")
        self.emulated = False

    async def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send one request below the endpoint and return its JSON, or raise a typed error.

        `path` is already quoted. An error with `maybe_applied` leaves open whether a write took effect.
        """
        refused: list[AutostopError] = []
        try:
            return await asyncio.wait_for(self._tries(method, path, body, refused), self._timeout)
        except asyncio.TimeoutError:
            if refused:  # the time ran out before the next try: why the last one failed says more
                raise refused[-1] from None
            error = NoAnswerError(f"ModelArts did not answer within {self._timeout:g} s.")
            error.maybe_applied = method != "GET"
            raise error from None

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        if self._client:
            client, self._client = self._client, None
            await client.aclose()

    async def _tries(self, method: str, path: str, body: Any, refused: list[AutostopError]) -> Answer:
        tries = TRIES if method == "GET" else 1
        for attempt in range(1, tries + 1):
            try:
                return await self._once(method, path, body)
            except (UnavailableError, NoAnswerError) as error:
                wait = 0.2 * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, no secret
                rest = self._rest_until - self._clock.monotonic()
                if attempt == tries or rest > 0:
                    raise
                refused.append(error.with_traceback(None))
            await asyncio.sleep(wait)
            refused.clear()
        raise AssertionError("unreachable")

    def _open(self) -> httpx.AsyncClient:
        if self._client is None:
            verify: ssl.SSLContext | bool = True
            if self._plain:
                # Nothing to verify on plain loopback; a context that trusts nobody is made in no time.
                verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            elif self._ca_file:
                try:
                    verify = ssl.create_default_context(cafile=self._ca_file)
                except OSError as error:
                    why = error.strerror or "no certificate in it"
                    raise NotConfiguredError(
                        f"The certificate file {self._ca_file} cannot be used: {why}.",
                        code="configuration_invalid",
                        hint="Point `ca_file` at a readable PEM file with the cloud's certificate authority.",
                    ) from error
            self._client = self._new_client(verify)
        return self._client

    def _new_client(self, verify: ssl.SSLContext | bool) -> httpx.AsyncClient:
        try:
            return httpx.AsyncClient(
                timeout=self._timeout,
                follow_redirects=False,
                verify=verify,
                trust_env=not self._loopback,
                transport=self._transport,
                # Each call stands for itself; a cookie would outlive it, and could not even be sent back safely.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                # Compressed answers could be small on the way and huge here.
                headers={"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "jupyter_autostop"},
            )
        except (ImportError, ValueError, OSError) as error:
            # Their words may hold the proxy's password.
            raise NotConfiguredError(
                "The proxy or certificate settings in this server's environment cannot be used.",
                code="configuration_invalid",
                hint="Look at HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE and SSL_CERT_DIR.",
            ) from error

    async def _once(self, method: str, path: str, body: Any) -> Answer:
        sent = self._clock.monotonic()
        if sent < self._rest_until:
            raise ThrottledError("ModelArts asked not to be called for a while.", retry_after=self._rest_until - sent)
        client = self._open()
        content = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        request = client.build_request(
            method,
            self._base_url + path,
            content=content,
            headers={"Content-Type": "application/json"},
        )
        auth = CloudAuth(self._credentials, self._host, self._project_id, self._time.now)
        time_known = self._time.known
        try:
            response = await client.send(request, auth=auth, stream=True)
            try:
                raw = await self._body(response)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            raise self._unreachable(error) from error
        except httpx.TimeoutException as error:
            raise self._lost("ModelArts did not answer in time.", method) from error
        except httpx.TransportError as error:
            raise self._lost("The connection to ModelArts broke before its answer came.", method) from error
        except BadAnswerError as error:
            error.maybe_applied = method != "GET"
            raise
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            # Bytes that are not what their headers say, or a redirect to no address at all.
            broken = BadAnswerError("The answer from ModelArts cannot be read.")
            broken.maybe_applied = method != "GET"
            raise broken from error
        received = self._clock.monotonic()
        date = parse_http_date(response.headers.get("Date"))
        if date is not None:
            self._time.observe(date, sent, received)
        self.emulated = EMULATOR_HEADER in response.headers
        return self._read(response, raw, method, Answer(None, sent, received), signed_by_wall_clock=not time_known)

    async def _body(self, response: httpx.Response) -> bytes:
        chunks = bytearray()
        async with aclosing(response.aiter_bytes()) as body:  # type: ignore[type-var]  # it is a generator
            async for chunk in body:
                chunks += chunk
                if len(chunks) > LONGEST_BODY:
                    raise BadAnswerError(f"The answer from ModelArts is larger than {LONGEST_BODY // 1024} KiB.")
        return bytes(chunks)

    def _read(
        self,
        response: httpx.Response,
        raw: bytes,
        method: str,
        answer: Answer,
        *,
        signed_by_wall_clock: bool,
    ) -> Answer:
        status = response.status_code
        try:
            data = json.loads(raw, object_pairs_hook=_object) if raw.strip() else None
        except (ValueError, RecursionError):
            data = None
            if response.is_success:
                error: AutostopError = BadAnswerError("The answer from ModelArts is not JSON.")
                error.maybe_applied = method != "GET"
                raise error from None
        if response.is_success:
            return Answer(data, answer.sent, answer.received)
        if response.is_redirect:
            raise BadAnswerError(f"ModelArts answered with a redirect (HTTP {status}), which is not followed.")
        rest = retry_after(response, self._time)
        if rest is not None and status in (429, 503):
            self._rest_until = max(self._rest_until, self._clock.monotonic() + rest)
        error = refusal(response, data, rest, self._credentials.mask)
        # A throttled write was turned away at the door; one that was given up on may be under way.
        given_up = isinstance(error, (NoAnswerError, UnavailableError)) and not isinstance(error, ThrottledError)
        error.maybe_applied = method != "GET" and given_up
        if isinstance(error, CredentialsError) and signed_by_wall_clock and abs(self._time.skew()) > SKEW_LIMIT:
            minutes = round(abs(self._time.skew()) / 60)
            raise ClockSkewError(
                f"{error.message} This machine's clock is {minutes} min off.",
                code=error.code,
                hint="Set this machine's clock; from now on requests are dated by the cloud's.",
                request_id=error.request_id,
            )
        raise error

    def _lost(self, message: str, method: str) -> NoAnswerError:
        error = NoAnswerError(message)
        error.maybe_applied = method != "GET"
        return error

    def _unreachable(self, error: httpx.TransportError) -> NoAnswerError:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            return NoAnswerError(
                "ModelArts cannot be reached safely: nobody trusted here vouches for its certificate.",
                code="untrusted_certificate",
                hint="For a private cloud, point `ca_file` at its certificate authority; verification stays on.",
            )
        hint = "Is the emulator running? Start it with `jupyter autostop emulator`." if self._plain else None
        return NoAnswerError("ModelArts cannot be reached: no connection.", hint=hint)
