"""Where a request to the cloud may go: the configured host alone, verified, by the proxies meant for it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from raw_server import INSTANCE, PATIENCE, TOKEN, Exchange, RawServer, cloud, failure

from jupyter_autostop.errors import AutostopError, BadAnswerError, NotConfiguredError
from jupyter_autostop.platforms.modelarts.demanager import Demanager
from jupyter_autostop.platforms.modelarts.endpoint import check_base_url, is_loopback


@pytest.mark.parametrize(
    "status", ["300 Choices", "301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
async def test_a_redirect_is_not_followed(status: str, method: str) -> None:
    """The host that a redirect names is never asked, and gets no token."""
    async with RawServer(lambda exchange: exchange.answer(INSTANCE)) as other:

        async def script(exchange: Exchange) -> None:
            await exchange.answer(b"", f"Location: {other.url}/v1/p1", status=status)

        async with RawServer(script) as server:
            error = await failure(cloud(server.url, timeout=10), method)
            assert isinstance(error, BadAnswerError)
            assert "redirect" in error.message
            assert len(server.requests) == 1
        assert other.requests == []


LOCATIONS = [
    "",
    "//",
    "http://",
    "http://[",
    "https://[::1",
    "https://xn--a/",
    "https://a:b:c/",
    "\x7f",
    "\xe9",
    "x" * 60_000,
]


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("location", LOCATIONS, ids=lambda location: ascii(location[:20]))
async def test_a_redirect_to_nonsense_is_a_typed_error(location: str, method: str) -> None:
    """A Location that is no address at all is no reason to stumble; what it hides may have been applied."""

    async def script(exchange: Exchange) -> None:
        await exchange.answer(b"", f"Location: {location}", status="302 Found")

    async with RawServer(script) as server:
        error = await failure(cloud(server.url, timeout=10), method)
    assert error.maybe_applied is (method == "PUT" and "redirect" not in error.message)


async def test_a_proxy_is_never_asked_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """The way to an emulator on this machine leads past every proxy of the environment."""
    async with RawServer(lambda exchange: exchange.answer(b"")) as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with RawServer(lambda exchange: exchange.answer(INSTANCE)) as server:
            platform = cloud(server.url, timeout=10)
            await platform.read()
            await platform.close()
            assert len(server.requests) == 1
        assert proxy.requests == []


async def test_a_proxy_is_used_for_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Towards the cloud HTTPS_PROXY is honoured, and the proxy sees the host and nothing else."""

    async def script(exchange: Exchange) -> None:
        await exchange.answer(b"", status="502 Bad Gateway")
        exchange.writer.close()

    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with RawServer(script) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        error = await failure(cloud("https://modelarts.example.com", timeout=2), "PUT")
        [request] = proxy.requests
    assert "the proxy in this server's environment does not lead there" in error.message
    assert not error.maybe_applied, "nothing has been sent to the cloud"
    assert request.startswith(b"CONNECT modelarts.example.com:443 ")
    assert TOKEN.encode() not in request


@pytest.mark.parametrize(
    ("settings", "asked"),
    [
        ({"ALL_PROXY": "http://{}"}, True),
        ({"https_proxy": "{}"}, True),
        ({"HTTP_PROXY": "http://{}"}, False),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": "modelarts.invalid"}, False),
        ({"HTTPS_PROXY": "http://{}", "no_proxy": "other.invalid, .modelarts.invalid"}, False),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": "*"}, False),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": "https://modelarts.invalid"}, False),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": "all://modelarts.invalid,x"}, False),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": "http://modelarts.invalid"}, True),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": "modelarts.invalid:443"}, False),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": "modelarts.invalid:8443"}, True),
        ({"HTTPS_PROXY": "http://{}", "NO_PROXY": "other.invalid,arts.invalid"}, True),
    ],
    ids=lambda value: " ".join(f"{name}={text}" for name, text in value.items()) if isinstance(value, dict) else "",
)
async def test_which_proxy_is_used(settings: dict[str, str], asked: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's names for proxies, in both writings, and its exceptions, count as they do elsewhere."""

    async def script(exchange: Exchange) -> None:
        await exchange.answer(b"", status="502 Bad Gateway")
        exchange.writer.close()

    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    async with RawServer(script) as proxy:
        for name, value in settings.items():
            monkeypatch.setenv(name, value.format(proxy.url.removeprefix("http://")))
        await failure(cloud("https://modelarts.invalid", timeout=2), "PUT")
        assert bool(proxy.requests) is asked


@pytest.mark.parametrize("exception", ["2001:db8::1", "[2001:db8::1]", "https://[2001:db8::1]"])
async def test_an_exception_may_be_an_ipv6_address(exception: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is written, no proxy is asked for it."""
    async with RawServer(lambda exchange: exchange.answer(b"", status="502 Bad Gateway")) as proxy:
        for asked in (True, False):
            monkeypatch.setenv("HTTPS_PROXY", proxy.url)
            monkeypatch.setenv("NO_PROXY", "" if asked else exception)
            monkeypatch.delenv("no_proxy", raising=False)
            proxy.requests.clear()
            await failure(cloud("https://[2001:db8::1]", timeout=2), "PUT")
            assert bool(proxy.requests) is asked


async def test_an_id_that_was_found_counts_where_the_answer_bears_it() -> None:
    """What answers for a guess with another instance is not believed; a set id is whatever people set."""
    async with RawServer(lambda exchange: exchange.answer(INSTANCE)) as server:
        platform = cloud(server.url, timeout=10)
        guesses = [
            Demanager(platform._http, platform.time, "p1", name, guessed=guessed)
            for name, guessed in (("DE-2", True), ("DE-1", True), ("DE-2", False))
        ]
        with pytest.raises(BadAnswerError, match="another instance than the one whose id was found") as caught:
            await guesses[0].read()
        assert caught.value.code == "another_instance"
        assert "`instance_id`" in caught.value.hint
        assert [(await guess.read()).instance.id for guess in guesses[1:]] == ["DE-1", "DE-1"]
        await platform.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("HTTPS_PROXY", "socks5://127.0.0.1:1"), ("HTTPS_PROXY", "ftp://127.0.0.1:1"), ("SSL_CERT_FILE", "/nowhere.pem")],
)
async def test_an_unusable_environment_is_a_typed_error(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy or certificate setting of the environment that cannot be used is said, not a crash."""
    monkeypatch.setenv(name, value)
    platform = cloud("https://modelarts.example.com", timeout=2)
    with pytest.raises(AutostopError) as caught:
        await asyncio.wait_for(platform.read(), PATIENCE)
    await platform.close()
    assert caught.value.message.startswith("The proxy or certificate settings in this server's environment")
    assert caught.value.code == "configuration_invalid"
    assert name in caught.value.hint


GOOD = {
    "https://modelarts.cn-north-4.myhuaweicloud.com": "https://modelarts.cn-north-4.myhuaweicloud.com",
    "https://modelarts.example.com/": "https://modelarts.example.com",
    "https://modelarts.example.com:8443/gateway/": "https://modelarts.example.com:8443/gateway",
    "HTTPS://MODELARTS.example.com": "HTTPS://MODELARTS.example.com",
    "https://modelarts.example.com/X/": "https://modelarts.example.com/X",
    "http://127.0.0.1:8900": "http://127.0.0.1:8900",
    "http://localhost:8900/": "http://localhost:8900",
    "http://[::1]:8900": "http://[::1]:8900",
}


@pytest.mark.parametrize(("url", "base"), GOOD.items(), ids=GOOD.keys())
def test_a_usable_endpoint(url: str, base: str) -> None:
    """Https anywhere, plain http on this machine; a slash at the end makes no difference."""
    assert check_base_url(url, "endpoint") == base


USERINFO = ["https://user@host", "https://user:pw@host", "https://:pw@host", "https://@host", "http://x@127.0.0.1"]
MORE_THAN_HOST_AND_PATH = ["https://host?a=b", "https://host/?", "https://host?", "https://host#x", "https://host#"]
PLAIN = [
    "http://modelarts.example.com", "http://10.0.0.1", "http://0.0.0.0", "http://127.0.0.1.evil.com",
    "http://localhost.evil.com", "http://evil.com/127.0.0.1", "http://[::2]",
]  # fmt: skip
NO_ADDRESS = [
    "", "host", "modelarts.example.com", "//host", "https://", "https:///path", "ftp://host", "file:///etc/passwd",
    "https://host:99999", "https://host:x", "https://[::1", "https://ho st", "https://host\n", "\thttps://host",
    "https://höst", "javascript:alert(1)", "https://a..b", "https://-host", "https://.host", "https://[fe80::1%eth0]",
    f"https://{'x' * 64}.example", f"https://{'x.' * 127}example", "https://[x:y]", "https://[v1.a:b]",
]  # fmt: skip


@pytest.mark.parametrize("url", USERINFO + MORE_THAN_HOST_AND_PATH + PLAIN + NO_ADDRESS, ids=ascii)
def test_an_unusable_endpoint(url: str) -> None:
    """Plain http elsewhere, user names, queries and what is no address are refused, naming the setting."""
    with pytest.raises(NotConfiguredError) as caught:
        check_base_url(url, "endpoint")
    assert "`endpoint`" in caught.value.message
    assert "`endpoint`" in caught.value.hint
    assert caught.value.code == "configuration_invalid"
    assert "pw" not in str(caught.value.payload())


def test_an_encoded_name_that_means_nothing() -> None:
    """A name that only the HTTP client can tell from a good one is refused before anything is asked of it."""
    with pytest.raises(NotConfiguredError, match="`endpoint`"):
        cloud("https://xn--a", timeout=2)


def test_what_stays_on_this_machine() -> None:
    """The whole loopback network, by address or by the one name."""
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.8.9.10", "::1"))
    assert not [host for host in (None, "", "localhost.", "0.0.0.0", "::", "10.0.0.1", "a") if is_loopback(host)]  # noqa: S104


@pytest.mark.parametrize("kind", ["missing", "a folder", "no certificate"])
async def test_an_unusable_certificate_file_is_named(kind: str, tmp_path: Path) -> None:
    """A `ca_file` that cannot be used is said, with its path and what to do, and nothing is sent."""
    ca_file = tmp_path / "ca.pem"
    if kind == "a folder":
        ca_file.mkdir()
    if kind == "no certificate":
        ca_file.write_text("no certificate", encoding="ascii")
    platform = cloud("https://modelarts.example.com", ca_file=str(ca_file))
    with pytest.raises(NotConfiguredError) as caught:
        await platform.read()
    await platform.close()
    assert str(ca_file) in caught.value.message
    assert "`ca_file`" in caught.value.hint
    assert TOKEN not in str(caught.value.payload())
