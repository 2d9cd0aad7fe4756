"""The proxy in front of the cloud: which one the environment names, what to call it, and how far a request got."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

SETTINGS = "HTTPS_PROXY, ALL_PROXY and NO_PROXY"
"""The variables that decide, as people set them."""


def environments_proxy(address: str) -> str | None:
    """Return the proxy that the environment names for an address, by the standard library's reading of it.

    Its exceptions may be written as addresses too, IPv6 in brackets, and with a port.
    """
    url = urlsplit(address)
    proxies = getproxies()
    proxy = proxies.get(url.scheme) or proxies.get("all")
    exceptions = (entry.strip().rpartition("://") for entry in proxies.get("no", "").split(","))
    meant = (entry.strip("[]") for scheme, _, entry in exceptions if scheme in ("", "all", url.scheme))
    no = {"no": ",".join(meant)}
    host = url.hostname or ""
    if not proxy or any(proxy_bypass(name, no) for name in (host, f"{host}:{url.port or 443}")):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def proxy_name(proxy: str | None) -> str:
    """Return host and port of a proxy's address, and neither name nor password; empty for none."""
    url = urlsplit(proxy or "")
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname or ""
    try:
        port = url.port
    except ValueError:  # no number; the HTTP library refuses it too
        port = None
    return f"{host}:{port}" if port else host


class Progress:
    """How far a request has got, told by the HTTP library while it is under way."""

    def __init__(self) -> None:
        self.beyond_proxy = False
        """Whether the proxy has said that the other end is there."""

    async def trace(self, event: str, _: dict[str, Any]) -> None:
        """Take note of a step; TLS with the other end begins once the tunnel stands."""
        self.beyond_proxy = self.beyond_proxy or event == "proxy.start_tls.started"
