"""One way to one address of the cloud: a bounded answer or a typed error, and nothing kept from call to call."""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import os
import re
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast
from urllib.parse import urlsplit

import httpx

from jupyter_autostop.disk import expand_user, shown
from jupyter_autostop.errors import BadAnswerError, NoAnswerError, NotConfiguredError
from jupyter_autostop.platforms.clock import PlatformClock, parse_http_date
from jupyter_autostop.platforms.modelarts.endpoint import check_base_url, is_loopback, region_hint_for, unusable
from jupyter_autostop.platforms.modelarts.proxy import SETTINGS, Progress, environments_proxy, proxy_name
from jupyter_autostop.storage.files import opened
from jupyter_autostop.times.clock import Clock

LONGEST_BODY = 2 * 1024 * 1024
"""Bytes; an instance takes a few thousand."""
EMULATOR_CLOCK = "X-Autostop-Emulator-Clock"
_EPOCH_MS = re.compile(r"-?[0-9]{1,15}")
_HEADERS = httpx.Headers(
    {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "Content-Type": "application/json",
        "User-Agent": "jupyter_autostop",
    }
)
_url = lru_cache(maxsize=16)(httpx.URL)  # there are only a few, and each is taken apart anew otherwise
_SURROGATE = re.compile("[\ud800-\udfff]")
_exchanging = contextvars.ContextVar("autostop_exchanging", default=False)


class _WithoutHeaders(logging.Filter):
    """Keeps the headers of our answers out of the log: IAM hands out its token in one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let through what is not ours, or shows no headers."""
        return not (_exchanging.get() and "receive_response_headers" in str(record.msg))


# At DEBUG the HTTP library writes every response header down.
logging.getLogger("httpcore.http11").addFilter(_WithoutHeaders())


def _is_no_host(error: BaseException | None) -> bool:
    """Whether an error came of a name that nothing knows."""
    while error is not None:
        if isinstance(error, socket.gaierror):
            return True
        error = error.__cause__ or error.__context__
    return False


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


def trusted(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts the certificate authorities in a file, or raise naming the file. Blocking."""
    try:
        # As text: the library would wait for whoever writes into a pipe.
        with opened(expand_user(ca_file), os.O_RDONLY) as file:
            text = os.pread(file, LONGEST_BODY, 0).decode("ascii", "ignore")
        # An empty one would stand for those that everybody trusts.
        return ssl.create_default_context(cadata=text or "nothing")
    except OSError as error:
        why = "no certificate in it that can be read" if isinstance(error, ssl.SSLError) else error.strerror
        raise NotConfiguredError(
            f"The certificate file {shown(ca_file)} cannot be used: {why}.",
            code="configuration_invalid",
            hint="Point `ca_file` at a readable PEM file with the cloud's certificate authority.",
        ) from error


class Connection:
    """Speaks to `base_url`, named `name` in sentences and `setting` in advice; learns the time from each answer.

    A limit of `timeout` (s) for the whole is the caller's, a connection may take half of it. Fakes come in as
    `transport`. What a client of the HTTP library does beyond its transport is not wanted here: it redirects, it keeps
    cookies.
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
            self._address = httpx.URL(self._base_url)
            self._address.host  # noqa: B018 - an encoded name that means nothing shows when it is read
            self.host = self._address.netloc.decode("ascii")
        except (httpx.InvalidURL, ValueError):
            raise unusable(setting) from None
        self.name = name
        self._setting = setting
        self._region_hint = region_hint_for(parts.hostname or "")
        self._clock = clock
        self.time = time
        # A connection that does not come is known early: nothing has been sent then.
        self._limits = {"timeout": httpx.Timeout(None, connect=timeout / 2).as_dict()}
        self._ca_file = ca_file
        self._proxy = "" if self._loopback else proxy_name(environments_proxy(self._base_url))
        self._given = self._transport = transport
        self._opening = asyncio.Lock()

    @property
    def way(self) -> str:
        """In words, the proxy that stands between, empty for none: ` through the proxy 10.0.0.1:3128`."""
        return f" through the proxy {self._proxy}" if self._proxy else ""

    async def exchange(
        self,
        method: str,
        path: str,
        content: bytes | None = None,
        prove: Callable[[httpx.Request], None] | None = None,
    ) -> Response:
        """Send one request and return its answer, whatever its status; `path` is already quoted.

        `prove` puts onto the request what says who sends it. An error with `maybe_applied` leaves open whether a write
        took effect.
        """
        transport = self._transport or await self._open()
        sent = self._clock.monotonic()
        url = _url(self._base_url + path)
        progress = Progress()
        extensions = {**self._limits, "trace": progress.trace} if self._proxy else self._limits
        request = httpx.Request(method, url, content=content, headers=_HEADERS, extensions=extensions)
        if prove is not None:
            prove(request)
        ours = _exchanging.set(True)
        try:
            response = await transport.handle_async_request(request)
            try:
                raw = await self._body(response)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
            raise self._unreachable(error, progress) from error
        except (httpx.TransportError, OSError) as error:
            if self._proxy and not progress.beyond_proxy:  # nothing has been sent to the cloud
                raise self._unreachable(error, progress) from error
            # What is wrong with TLS once it stands comes as it is, past the HTTP library.
            lost = NoAnswerError(f"The connection to {self.name}{self.way} broke before its answer came.")
            lost.maybe_applied = method != "GET"
            raise lost from error
        except BadAnswerError as error:
            error.maybe_applied = method != "GET"
            raise
        finally:
            _exchanging.reset(ours)
        received = self._clock.monotonic()
        date = parse_http_date(response.headers.get("Date"))
        if date is not None:
            self.time.observe(date, sent, received, turned_to=self._turned_to(response))
        return Response(response.status_code, response.headers, raw, sent, received)

    def _turned_to(self, response: httpx.Response) -> float | None:
        """Return what an emulator's clock shows (epoch s), which people turn; `None` where no emulator answers."""
        text = response.headers.get(EMULATOR_CLOCK, "")
        return int(text) / 1000 if self._plain and _EPOCH_MS.fullmatch(text) else None

    async def close(self) -> None:
        """Close the connections; a later exchange opens new ones."""
        if self._transport:
            transport, self._transport = self._transport, self._given
            await transport.aclose()

    async def _open(self) -> httpx.AsyncBaseTransport:
        async with self._opening:
            if self._transport is None:
                # Reading the trusted certificates takes a while.
                self._transport = await asyncio.to_thread(self._new_transport)
        return self._transport

    def _verify(self) -> ssl.SSLContext | bool:
        if self._plain:
            # Nothing to verify on plain loopback; a context that trusts nobody is made in no time.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if not self._ca_file:
            return True
        return trusted(self._ca_file)

    def _new_transport(self) -> httpx.AsyncHTTPTransport:
        verify = self._verify()
        try:
            proxy = None if self._loopback else environments_proxy(self._base_url)
            return httpx.AsyncHTTPTransport(verify=verify, proxy=proxy)
        except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
            why = ", since a SOCKS proxy needs the package socksio" if isinstance(error, ImportError) else ""
        # Without the error itself: its words may hold the proxy's password.
        raise NotConfiguredError(
            f"The proxy or certificate settings in this server's environment cannot be used{self.way}{why}.",
            code="configuration_invalid",
            hint=f"Look at {SETTINGS}, SSL_CERT_FILE and SSL_CERT_DIR.",
        )

    async def _body(self, response: httpx.Response) -> bytes:
        """Return the bytes as they came: unpacking what nobody asked to be packed could take any time and memory."""
        if response.headers.get("Content-Encoding", "").strip().lower() not in ("", "identity"):
            raise BadAnswerError(f"The answer from {self.name} is compressed, which it was asked not to be.")
        chunks = bytearray()
        async for chunk in cast("httpx.AsyncByteStream", response.stream):
            chunks += chunk
            if len(chunks) > LONGEST_BODY:
                raise BadAnswerError(f"The answer from {self.name} is larger than {LONGEST_BODY // 1024} KiB.")
        return bytes(chunks)

    def _unreachable(self, error: Exception, progress: Progress) -> NoAnswerError:
        if self._proxy and not progress.beyond_proxy:
            return self._proxys_fault(error)
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            why = "nobody trusted here vouches for its certificate"
            hint = "For a private cloud, point `ca_file` at its certificate authority"
            if "certificate has expired" in str(error):
                why, hint = "its certificate has expired", "Tell whoever runs it, and check this machine's date"
            if "certificate is not valid for" in str(error):
                why = "what answers shows the certificate of another host"
                hint = f"Check `{self._setting}`: it must name the host as its certificate does"
            return NoAnswerError(
                f"{self.name} cannot be reached safely at {self.host}{self.way}: {why}.",
                code="untrusted_certificate",
                hint=f"{hint}; verification stays on.",
            )
        if _is_no_host(error):
            return NoAnswerError(
                f"{self.name} cannot be reached: there is no host {self.host}, as far as this machine can find out.",
                hint=self._region_hint or f"Check `{self._setting}` or `region`, and the network of this machine.",
            )
        why = "what answers there does not speak TLS" if "[SSL" in str(error) else "no connection"
        emulator = "Is the emulator running? Start it with `jupyter autostop emulator`."
        is_it = self._plain and self._setting == "endpoint"
        at = "" if self._loopback else f" at {self.host}{self.way}"
        unknown = self._region_hint or None
        return NoAnswerError(f"{self.name} cannot be reached{at}: {why}.", hint=emulator if is_it else unknown)

    def _proxys_fault(self, error: Exception) -> NoAnswerError:
        """Return the error of a proxy that does not lead to the cloud; nothing was sent to it."""
        if isinstance(error, httpx.ProxyError):
            wants_login = str(error).startswith("407")
            what = "wants another name and password" if wants_login else "does not lead there"
        elif _is_no_host(error):
            what = "has a name that no host has"
        elif "CERTIFICATE_VERIFY_FAILED" in str(error):
            what = "shows a certificate that is not trusted here"
        elif isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout)):
            what = "takes no connection"
        else:
            what = "broke the connection off"
        return NoAnswerError(
            f"{self.name} cannot be reached: the proxy in this server's environment {what}: {self._proxy}.",
            hint=f"Look at {SETTINGS}; what is changed there counts from the next start.",
        )
