"""Whatever text comes to be a part of an address or a header: a typed refusal, or exactly the request that was meant.

Looked at where it counts, in the bytes that arrive at a socket.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
from fake_cloud import Cloud
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from raw_server import INSTANCE, PATIENCE, TOKEN, UPDATE, Exchange, RawServer, cloud
from traitlets.config import Config

from jupyter_autostop.client.client import LocalClient
from jupyter_autostop.client.discovery import find_server
from jupyter_autostop.errors import AutostopError, ClientError, NotConfiguredError, UnavailableError
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.credentials import base as names
from jupyter_autostop.platforms.credentials.base import PasswordLogin, TakenSecrets
from jupyter_autostop.platforms.modelarts.client import CloudHttp
from jupyter_autostop.platforms.modelarts.connection import Connection
from jupyter_autostop.platforms.modelarts.endpoint import check_base_url, is_loopback
from jupyter_autostop.platforms.modelarts.iam import IamLogin
from jupyter_autostop.server.app import AutostopApp
from jupyter_autostop.server.factory import find_setup, iam_endpoint, modelarts_endpoint
from jupyter_autostop.times.clock import SystemClock

PIECES = st.sampled_from(
    [
        *("\r\n", "\n", "\r", "\0", "\t", " ", "\x7f", "\x85", "\u2028", "\ud800", "é", "中", "😀"),
        *("/", "\\", "..", "/../", "//", "%", "%0d%0a", "%2f", "%00", "?", "#", "@", ":", ";", "&", "=", "'", '"', "*"),
        *("\r\nX-Evil: 1", "\r\n\r\nGET /evil HTTP/1.1\r\n", "@evil.example", "evil.example", "http://", "[::1]"),
        *("a", "Z", "0", "-", "DE-1", "cn-north-4", "lab", "{project_id}"),
    ]
)
NASTY = st.lists(PIECES | st.characters(), max_size=5).map("".join)
USUAL = {"deadline": None, "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]}


@dataclass(frozen=True)
class Request:
    """A request, read as strictly as can be."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, raw: bytes) -> Request:
        """Return the request that these bytes are: one line, headers each named once, nothing smuggled in."""
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        match = re.fullmatch(r"([A-Z]+) (/[!-~]*) HTTP/1\.1", first)
        assert match, raw
        fields = [re.fullmatch(r"([!-9;-~]+): ?([\x20-\x7e\xa0-\xff]*)", line) for line in lines]
        assert all(fields), raw
        pairs = [(field[1].lower(), field[2]) for field in fields if field]
        assert len({name for name, _ in pairs}) == len(pairs), raw
        headers = dict(pairs)
        assert len(body) == int(headers.get("content-length", "0")), raw
        return cls(match[1], match[2], headers, body)


class Target:
    """A cloud that answers every request with an instance, and what it was asked."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.server = RawServer(self._answer)
        self.headers: tuple[str, ...] = ()
        self.body, self.status = INSTANCE, "200 OK"

    async def _answer(self, exchange: Exchange) -> None:
        await exchange.answer(self.body, *self.headers, status=self.status)

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    def taken(self) -> list[Request]:
        """Return what came since the last time, all of it meant for this host."""
        found = [Request.parse(raw) for raw in self.server.requests]
        self.server.requests.clear()
        assert all(request.headers["host"] == self.host for request in found)
        return found

    def run(self, coroutine: Any) -> Any:
        """Run something that asks; return what it gives, or the typed error it ends with."""

        async def guarded() -> Any:
            try:
                return await asyncio.wait_for(coroutine, PATIENCE)
            except AutostopError as error:
                return error

        return self._loop.run_until_complete(guarded())


@pytest.fixture
def target(jp_asyncio_loop: asyncio.AbstractEventLoop) -> Iterator[Target]:
    target = Target(jp_asyncio_loop)
    jp_asyncio_loop.run_until_complete(target.server.__aenter__())
    yield target
    jp_asyncio_loop.run_until_complete(target.server.__aexit__(None, None, None))


CLOUD_HEADERS = {
    *("host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length"),
    *("x-auth-token", "authorization", "x-sdk-date", "x-project-id", "x-security-token", "x-modelarts-user-id"),
}
ENVIRONMENT = st.fixed_dictionaries(
    {},
    optional={
        name: NASTY | st.sampled_from(["AKID", "secret"])
        for name in (names.AK, names.SK, names.SECURITY_TOKEN, names.TOKEN)
    },
)
PROFILE = st.fixed_dictionaries(
    {"ak": NASTY | st.just("AKID"), "sk": NASTY | st.just("secret")},
    optional={"security_token": NASTY, "project_id": NASTY | st.just("p1")},
)
ID = NASTY.filter(bool) | st.sampled_from(["DE-1", "p1", "x" * 64, "x" * 65])


def check_cloud_request(request: Request, instance: str, project: str) -> None:
    assert request.method in ("GET", "PUT")
    assert request.target == f"/v1/{project}/demanager/instances/{instance}"
    assert request.headers.keys() <= CLOUD_HEADERS
    assert ("x-auth-token" in request.headers) != ("authorization" in request.headers)


@settings(**USUAL, max_examples=200)
@given(
    instance=ID,
    project=ID | st.just(""),
    environ=ENVIRONMENT,
    profile=st.none() | PROFILE,
    credentials=st.sampled_from(["given", "token"]),
)
def test_ids_keys_and_tokens(
    target: Target,
    tmp_path: Path,
    instance: str,
    project: str,
    environ: dict[str, str],
    profile: dict[str, str] | None,
    credentials: str,
) -> None:
    """Any id, key, token, profile: refused in words, or the path is the two ids and each header has one value."""
    file = tmp_path / "profile"
    lines = ["[basic]", *(f"{key} = {value}" for key, value in (profile or {}).items())]
    file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    file.chmod(0o600)
    given_settings = {"instance_id": instance, "project_id": project, "endpoint": target.url, "state_dir": ""}
    app = AutostopApp(config=Config({"AutostopApp": {**given_settings, "credentials_file": str(file)}}))
    variables = {names.TOKEN: TOKEN} if credentials == "token" else dict(environ)
    app.credentials = TakenSecrets(variables).credentials(variables)
    clock = SystemClock()
    setup = find_setup(app, clock, PlatformClock(clock))
    for ask in (setup.platform.read(), setup.platform.update(UPDATE), setup.platform.close()):
        target.run(ask)
    found = target.taken()
    assert len(found) in (0, 2)
    known = project or (profile or {}).get("project_id", "").strip()
    for request in found:
        check_cloud_request(request, instance, known)
        secret = request.headers.get("x-auth-token", "")
        assert secret in ("", TOKEN, environ.get(names.TOKEN, "").strip())
    if credentials == "token" and re.fullmatch(r"[A-Za-z0-9-]{1,64}", instance + project) and project:
        assert found, "what is in order is sent"


@settings(**USUAL, max_examples=300)
@given(
    st.sampled_from(["", *"/\\?#@;:% "]).flatmap(lambda first: NASTY.map(lambda text: first + text if first else ""))
)
def test_an_endpoint_with_something_behind_it(target: Target, suffix: str) -> None:
    """Any text behind host and port is refused, or stands in front of our path, sent to that host."""
    try:
        platform = cloud(f"{target.url}{suffix}", timeout=5)
    except NotConfiguredError:
        return
    target.run(platform.read())
    target.run(platform.close())
    for request in target.taken():
        assert request.target.endswith("/v1/p1/demanager/instances/DE-1")
        assert unquote(request.target).startswith("/")
        assert request.headers.keys() <= CLOUD_HEADERS
        assert request.headers["x-auth-token"] == TOKEN


PARTS = st.sampled_from(
    [
        *("http://", "https://", "HTTP://", "//", "/", "\\", ":", "@", "?", "#", ";", "%", "%40", "%2f", "[", "]", "."),
        *("localhost", "127.0.0.1", "127.1", "0x7f.1", "[::1]", "[::1%25eth0]", "evil.example", "80", "443", "a:b"),
        *("\t", "\n", " ", "\0", "é", "。", "\u200b", "xn--a", "xn--bcher-kva.example", "-", "_", "a" * 64),
    ]
)


@settings(deadline=None, max_examples=500)
@given(st.sampled_from(["http://", "https://"]), st.lists(PARTS, max_size=6).map("".join) | st.text(max_size=20))
def test_the_host_that_is_checked_is_the_host_that_is_asked(scheme: str, rest: str) -> None:
    """No address is read as one host by the check and as another by the HTTP client."""
    clock = SystemClock()
    try:
        connection = Connection(
            scheme + rest, name="it", setting="endpoint", clock=clock, time=PlatformClock(clock), timeout=1
        )
    except NotConfiguredError:
        return
    base = check_base_url(scheme + rest, "endpoint")
    checked, asked = urlsplit(base), httpx.URL(f"{base}/v1/x")
    assert connection.host == asked.netloc.decode("ascii")
    assert (asked.scheme, asked.raw_host.decode().lower()) == (checked.scheme, checked.hostname)
    # The HTTP client leaves out the port that goes without saying.
    assert asked.port == (None if checked.port == {"http": 80, "https": 443}[asked.scheme] else checked.port)
    assert not asked.userinfo
    assert asked.path.endswith("/v1/x")
    assert not asked.query
    assert not asked.fragment
    assert asked.scheme == "https" or is_loopback(asked.host)


@settings(deadline=None)
@given(NASTY | st.from_regex(r"[a-z0-9-]{1,40}"))
def test_a_region(region: str) -> None:
    """Any region is refused, or is one label of the cloud's own host names."""
    try:
        urls = [modelarts_endpoint(region), iam_endpoint(region)]
    except NotConfiguredError:
        return
    for url, service in zip(urls, ("modelarts", "iam"), strict=True):
        parsed = httpx.URL(check_base_url(url, "endpoint"))
        assert re.fullmatch(rf"{service}\.[a-z0-9-]+\.myhuaweicloud\.(com|cn)", parsed.host)
        assert parsed.host.split(".")[1] == region
        assert parsed.raw_path == b"/"


HEADER_TEXT = st.text(st.characters(max_codepoint=0xFF, exclude_characters="\r\n\0"), max_size=20)


@settings(**USUAL)
@given(
    user=NASTY,
    password=NASTY,
    domain=NASTY,
    token=HEADER_TEXT | NASTY.filter(lambda text: text.isprintable() and text.isascii()) | st.just("MIIF.token"),
    project=NASTY | st.just("p1") | st.none() | st.integers(),
)
def test_an_iam_login(target: Target, user: str, password: str, domain: str, token: str, project: Any) -> None:
    """Any login is a JSON body and nothing else; any token and project in the answer is refused, or sent as it is."""
    clock = SystemClock()
    login = PasswordLogin(user, password, domain)
    time = PlatformClock(clock)
    iam = IamLogin(target.url, login, {"name": "cn-north-4"}, clock=clock, timeout=5)
    http = CloudHttp(target.url, iam, "", clock=clock, time=time, timeout=5)
    target.status, target.headers = "201 Created", (f"X-Subject-Token: {token}",)
    target.body = json.dumps({"token": {"project": {"id": project}}}).encode()
    target.run(http.call("GET", "/v1/{project_id}/demanager/instances/DE-1"))
    target.run(http.close())
    first, *more = target.taken()
    assert (first.method, first.target) == ("POST", "/v3/auth/tokens")
    assert first.headers.keys() <= CLOUD_HEADERS - {"x-auth-token", "authorization"}
    sent = json.loads(first.body)["auth"]["identity"]["password"]["user"]
    assert sent == {"name": user, "password": password, "domain": {"name": domain}}
    for request in more:
        check_cloud_request(request, "DE-1", project)
        assert request.headers["x-auth-token"] == token.strip()
    if token == "MIIF.token" and project == "p1":
        assert more, "what is in order is sent"


@settings(deadline=None, max_examples=150)
@given(
    st.text(max_size=20).map(lambda text: text.encode("utf-8", "replace"))
    | st.integers(-(10**12), 10**12).map(lambda number: str(number).encode())
    | st.sampled_from([b"1e9", b"\xb2", b"0x10", b"Wed, 21 Oct 2015 07:28:00 GMT", b"Fri, 31 Dec 9999 23:59:59 GMT"]),
    st.sampled_from([429, 503]),
)
def test_any_retry_after_is_a_few_seconds(header: bytes, status: int) -> None:
    """Whatever the platform asks for, what we pass on is a whole number of seconds, an hour at most."""

    async def run() -> None:
        cloud = Cloud((status, {}, [(b"Retry-After", header)]))
        error = await cloud.error()
        assert isinstance(error, UnavailableError)
        assert type(error.retry_after) is int
        assert 1 <= error.retry_after <= 3600
        await cloud.http.close()

    asyncio.run(run())


LOCAL_HEADERS = {
    *("host", "accept", "accept-encoding", "user-agent", "content-type", "content-length"),
    *("authorization", "x-autostop-capability", "cookie", "x-xsrftoken"),
}
ROUTES = ("api", "login", "jupyter-autostop/instance")


def check_local_requests(target: Target, base: str, secrets: set[str]) -> None:
    """Assert that what a local client has sent is for our routes below `base`, with no secret but its own."""
    for request in target.taken():
        assert request.headers.keys() <= LOCAL_HEADERS
        assert request.method in ("GET", "PATCH")
        below = f"/{base.strip('/')}/" if base.strip("/") else "/"
        assert unquote(request.target) in {unquote(below) + route for route in ROUTES}
        given_secret = request.headers.get("authorization", "").removeprefix("token ")
        assert {given_secret, request.headers.get("x-autostop-capability", "")} <= {"", *secrets}


def ask_locally(target: Target, environ: dict[str, str], url: str | None = None) -> None:
    """Find a server and ask it, as a kernel does; nothing but a `ClientError` may come of it."""

    def ask() -> None:
        for act in (LocalClient.instance, lambda client: client.change({"description": "x"})):
            with suppress(ClientError):
                act(LocalClient(find_server(environ, url), hub_token=environ.get("JUPYTERHUB_API_TOKEN", "")))

    target.run(asyncio.to_thread(ask))


@settings(**USUAL, max_examples=150)
@given(
    base=st.one_of(st.just("/"), NASTY, NASTY.map(lambda text: f"/{text}/")),
    token=NASTY | st.just("good-token"),
    hub_token=NASTY,
    hostname=st.sampled_from(["127.0.0.1", "", "*", "127.0.0.1\r\nX-Evil: 1", "127.0.0.1 evil", "127.0.0.1\0"]),
    cookie=HEADER_TEXT,
    status=st.sampled_from(["200 OK", "403 Forbidden", "302 Found"]),
)
def test_a_runtime_file(
    target: Target, tmp_path: Path, base: str, token: str, hub_token: str, hostname: str, cookie: str, status: str
) -> None:
    """Whatever a runtime file says, a kernel asks that server for our routes below its base URL, or says why not."""
    _, _, port = target.host.partition(":")
    file = tmp_path / f"jpserver-{os.getpid()}.json"
    known = {"hostname": hostname, "port": int(port), "base_url": base, "secure": False, "token": token}
    file.write_text(json.dumps({**known, "pid": os.getpid(), "url": target.url}), encoding="utf-8")
    target.body, target.status = b'{"version": "2.0"}', status
    target.headers = (f"Set-Cookie: _xsrf={cookie}; Path=/", "Location: http://evil.example/")
    environ = {
        "JUPYTER_RUNTIME_DIR": str(tmp_path),
        "JPY_PARENT_PID": str(os.getpid()),
        "JUPYTERHUB_API_TOKEN": hub_token,
    }
    ask_locally(target, environ)
    check_local_requests(target, base, {token, hub_token})


@settings(**USUAL, max_examples=150)
@given(
    st.sampled_from(["", *"/\\?#@;:% "]).flatmap(lambda first: NASTY.map(lambda text: first + text if first else "")),
    NASTY | st.just("good-token"),
)
def test_a_server_url(target: Target, tmp_path: Path, suffix: str, token: str) -> None:
    """Whatever stands behind host and port of `--server`, that server alone is asked, for our routes, or nobody is."""
    target.body = b'{"version": "2.0"}'
    ask_locally(target, {"JUPYTER_RUNTIME_DIR": str(tmp_path)}, f"{target.url}{suffix}?token={token}")
    for request in target.taken():
        assert request.headers.keys() <= LOCAL_HEADERS
        assert request.target.endswith(tuple(f"/{route}" for route in ROUTES))
