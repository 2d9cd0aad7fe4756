"""The local client: speaks to the autostop routes of a Jupyter server, getting in whichever way the server allows.

Standard library only, so that a kernel of any environment can carry it. Proxies are never asked: the way is local.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
import time
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jupyter_autostop.client.certificate import NO_CERTIFICATE, ClientCertificate
from jupyter_autostop.client.discovery import find_server
from jupyter_autostop.client.server_info import CAPABILITY_HEADER, KERNEL_HEADER, Server
from jupyter_autostop.client.transport import Answer, Conversation, UnreachableError, broken_off, tls_refusal
from jupyter_autostop.errors import ClientError
from jupyter_autostop.foreign_text import clean_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PROOF = 1.2
"""Seconds in which a server must show that it is one; what comes after that may wait for the platform."""
LOOK_TIMEOUT = 30.0
"""Seconds; a hub that says nothing keeps its servers waiting for 20 before another way in is tried."""
WRITE_TIMEOUT = 120.0
"""Seconds; a write is up to three calls to the platform."""
_LONGEST = {"": 4096}
"""Characters of a text in an answer, which any server may give that is named with --server."""
_GOOD = range(200, 300)
_REDIRECTS = range(300, 400)
_REFUSALS = (401, 403)


class RefusedError(ClientError):
    """The local server answered with an error of the contract; `payload` is its JSON."""

    def __init__(self, status: int, payload: dict[str, Any]) -> None:
        super().__init__(
            str(payload.get("message") or f"The Jupyter server refused (HTTP {status})."),
            code=str(payload.get("code") or "refused"),
            hint=str(payload.get("hint") or ""),
            request_id=payload.get("request_id"),
        )
        self.http_status = status
        self.state = payload.get("state")


class NoWayInError(UnreachableError):
    """The server refused every way in, so nothing was done."""

    default_code = "no_way_in"


class MissingExtensionError(UnreachableError):
    """The server does not know our routes, so nothing was done."""

    default_code = "no_extension"


def _asks_who(answer: Answer) -> bool:
    """Whether the answer is about who asks: nothing was done, and another way in may be tried."""
    if answer.status in _REDIRECTS:
        return True  # to a page to log in at
    if _login_is_away(answer):
        return True
    return answer.status in _REFUSALS and (answer.data or {}).get("code") in (None, "forbidden", "xsrf")


def _login_is_away(answer: Answer) -> bool:
    """Whether the server could not find out who asks."""
    return (answer.data or {}).get("code") == "login_unavailable"


def _sendable(secret: str) -> bool:
    return bool(secret) and secret.isascii() and secret.isprintable()


def installed_version() -> str:
    """Return the version of this package, "unknown" where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - takes a while to load

    try:
        return version("jupyter_autostop")
    except PackageNotFoundError:
        return "unknown"


class LocalClient:
    """Speaks to one server. Every method returns the parsed JSON or raises `ClientError`.

    `means` says who asks, "terminal", "kernel" or "script", which the server's journal tells. `hub_token` is what
    JupyterHub gave to the server that started this process; `cafile` vouches for a server that has a certificate of its
    own, and `certificate` is shown to one that wants one of its clients. For a `kernel_id` the State names the time
    zone of the page that shows its notebook.
    """

    def __init__(
        self,
        server: Server,
        *,
        means: str = "terminal",
        hub_token: str = "",
        cafile: str | None = None,
        kernel_id: str | None = None,
        certificate: ClientCertificate = NO_CERTIFICATE,
    ) -> None:
        self._server = server
        self._means = means
        self._hub_token = hub_token
        self._cafile = cafile
        self._certificate = certificate
        self._headers = {
            "Accept": "application/json",
            "User-Agent": f"jupyter_autostop/{installed_version()} ({means})",
        }
        if kernel_id is not None:
            self._headers[KERNEL_HEADER] = kernel_id

    def instance(self, *, refresh: bool = False, within: float | None = None) -> Any:
        """Return the State, `refresh`: once the platform was asked; `within` so many seconds, or not at all."""
        return self._call("GET", "instance?refresh=1" if refresh else "instance", timeout=within)

    def change(self, change: dict[str, Any]) -> Any:
        """PATCH the instance and return the State."""
        return self._call("PATCH", "instance", change)

    def extend(self, **extend: int) -> Any:
        """Extend `by` seconds or `until` an epoch time in ms and return the State."""
        return self._call("POST", "extend", extend)

    def hold(self, **wish: Any) -> Any:
        """Keep this run going `until` (epoch ms) and return the Hold; with an `id` of ours a second try is harmless."""
        return self._call("POST", "holds", wish)

    def release(self, hold_id: str, *, by_person: bool = False) -> Any:
        """End a hold and return the State; `by_person`: a person has asked for it, and not the end of the work."""
        return self._call("DELETE", f"holds/{quote(hold_id, safe='')}{'?by=person' if by_person else ''}")

    def stop(self) -> Any:
        """Stop the instance now and return the State."""
        return self._call("POST", "stop")

    def journal(self) -> Any:
        """Return what was changed, newest first, as `{"entries": […]}`."""
        return self._call("GET", "journal")

    def doctor(self) -> Any:
        """Return each check with its result, as `{"checks": […]}`."""
        return self._call("GET", "doctor")

    def _call(self, method: str, route: str, body: Any = None, *, timeout: float | None = None) -> Any:
        answer = self._outcome(method, route, body, timeout)
        if isinstance(answer, ClientError):
            # From here, where no variable holds a secret, whatever the traceback shows.
            raise answer from None
        return answer

    def _outcome(self, method: str, route: str, body: Any, timeout: float | None) -> Any:
        """Return the answer, or what is wrong without the frames in which it was found out."""
        try:
            return self._try(method, route, body, timeout)
        except ClientError as error:
            return _alone(error)

    def _try(self, method: str, route: str, body: Any, timeout: float | None) -> Any:
        until = time.monotonic() + PROOF
        try:
            return self._ask(until, method, route, body, timeout)
        except UnreachableError as error:
            server = self._server
            # A server that has loaded the extension is not passed over because it is busy.
            lacks_it = isinstance(error, MissingExtensionError) or not server.secret
            if server.fallback is None or not lacks_it or time.monotonic() >= until:
                raise
            self._server = server.fallback
        return self._ask(until, method, route, body, timeout)

    def _ask(self, until: float, method: str, route: str, body: Any, timeout: float | None) -> Any:
        server, tried = self._server, []
        unanswered: Answer | None = None
        path = server.path(f"jupyter-autostop/{route}")
        content = None if body is None else json.dumps(body).encode()
        headers = {**self._headers, **({} if content is None else {"Content-Type": "application/json"})}
        timeout = timeout or (LOOK_TIMEOUT if method == "GET" else WRITE_TIMEOUT)
        talk = Conversation(server, until, self._cafile, self._certificate)
        try:
            self._prove(talk, until)
            for way, credentials in self._ways(talk, method):
                answer = talk.ask(method, path, {**headers, **credentials}, content, timeout=timeout)
                if not _asks_who(answer):
                    return self._read(answer)
                tried.append(way)
                unanswered = answer if _login_is_away(answer) else unanswered
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ClientError(
                f"The Jupyter server at {server.url} did not answer.",
                hint="Try again in a moment."
                if method == "GET"
                else "What became of the request is not known; look with `jupyter autostop status`.",
            ) from error
        finally:
            talk.close()
        if unanswered is not None:
            return self._read(unanswered)
        raise self._no_way_in(tried)

    def _prove(self, talk: Conversation, until: float) -> None:
        """Find out whether a Jupyter server answers, before it is told any secret and before anybody waits for it."""
        url, perhaps = self._server.url, ""
        try:
            answer = talk.ask_within(max(0.01, until - time.monotonic()), self._server.path("api"), self._headers)
        except TimeoutError as error:
            raise UnreachableError(
                f"The Jupyter server at {url} takes connections and says nothing.",
                hint="It is stopped or very busy; nothing was asked of it. Try again in a moment.",
            ) from error
        except (ConnectionError, ssl.SSLEOFError) as error:
            if self._server.secure:
                raise broken_off(self._server, self._certificate) from error
            # So does a server that wants TLS break off when it is spoken to in plain.
            answer, perhaps = None, "" if self._server.sock else ", or one that is reached by https:// alone"
        except ssl.SSLError as error:
            raise tls_refusal(self._server, error, self._certificate) from error
        except (OSError, http.client.HTTPException, ValueError):
            answer = None
        if answer and ("version" in (answer.data or {}) or answer.status in _REFUSALS or answer.status in _REDIRECTS):
            return
        raise UnreachableError(
            f"What answers at {url} is no Jupyter server{perhaps}.",
            hint="Give the address as `jupyter server list` shows it, base URL included, with --server URL.",
        )

    def _ways(self, talk: Conversation, method: str) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the ways in, from the one that is meant for people's own programs to the one that needs nothing."""
        server = self._server
        if _sendable(server.token):
            yield "its token", {"Authorization": f"token {server.token}"}
        # Of use to the server that has it from JupyterHub, and nobody else's business.
        if server.own and _sendable(self._hub_token) and self._hub_token != server.token:
            yield "JUPYTERHUB_API_TOKEN", {"Authorization": f"token {self._hub_token}"}
        if _sendable(server.secret):
            yield "its capability file", {CAPABILITY_HEADER: server.secret}
        yield "no login", {} if method == "GET" else self._xsrf_pair(talk)

    def _xsrf_pair(self, talk: Conversation) -> dict[str, str]:
        """Return the cookie and header that a page of this server would write with; no page logs us in."""
        answer = talk.ask("GET", self._server.path("login"), self._headers, timeout=LOOK_TIMEOUT)
        for cookie in answer.cookies:
            try:
                morsel = SimpleCookie(cookie).get("_xsrf")
            except CookieError:
                continue
            if morsel is not None and _sendable(morsel.value):
                return {"Cookie": f"_xsrf={morsel.value}", "X-XSRFToken": morsel.value}
        return {}

    def _no_way_in(self, tried: list[str]) -> NoWayInError:
        hint = "Its log says why."
        if self._means == "terminal":
            hint = "Give its token with --server 'URL?token=…', as `jupyter server list` shows it."
        if not self._server.secret:
            hint = f"It has no capability file that can be read here: is jupyter_autostop loaded there? {hint}"
        return NoWayInError(
            f"The Jupyter server at {self._server.url} does not let this {self._means} in (tried: {', '.join(tried)}).",
            hint=hint,
        )

    def _read(self, answer: Answer) -> Any:
        """Return what was asked for, or raise what came instead."""
        data, url = clean_json(answer.data, _LONGEST), self._server.url
        if answer.status in _GOOD and data is not None:
            return data
        if data is not None and "code" in data:
            if data["code"] == "not_authorized":
                data["hint"] = "That is a rule of the Jupyter server; ask whoever runs it."
            raise RefusedError(answer.status, data)
        if answer.status == http.client.NOT_FOUND:
            raise MissingExtensionError(
                f"The Jupyter server at {url} does not know jupyter_autostop.",
                hint="Install it in that server's environment and restart the server (see `jupyter server extension "
                "list`), or run `jupyter autostop serve` beside it.",
            )
        raise ClientError(
            f"The Jupyter server at {url} gave an answer that makes no sense (HTTP {answer.status}).",
            hint="Its log may say more.",
        )


def _alone(error: ClientError) -> ClientError:
    """Return an error without its causes and frames, whose variables hold what lets us in."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _client(
    environ: Mapping[str, str], url: str | None, means: str, cafile: str | None, kernel_id: str | None
) -> LocalClient | ClientError:
    try:
        server = find_server(environ, url, means=means)
    except ClientError as error:
        return _alone(error)
    return LocalClient(
        server,
        means=means,
        hub_token=environ.get("JUPYTERHUB_API_TOKEN", ""),
        cafile=cafile,
        kernel_id=kernel_id,
        certificate=ClientCertificate.of(environ),
    )


def connect(
    environ: Mapping[str, str],
    url: str | None = None,
    *,
    means: str = "terminal",
    cafile: str | None = None,
    kernel_id: str | None = None,
) -> LocalClient:
    """Return a client of the server this process belongs to, or of the one a URL names."""
    found = _client(environ, url, means, cafile, kernel_id)
    if isinstance(found, ClientError):
        # A traceback that shows variables shows neither tokens of the environment nor that of the address.
        del environ, url
        raise found from None
    return found


def connect_process(kernel_id: str | None) -> LocalClient:
    """Return a client of the server that started this process, which is a kernel where it has an id."""
    found = _client(os.environ, None, "script" if kernel_id is None else "kernel", None, kernel_id)
    if isinstance(found, ClientError):
        raise found from None
    return found
