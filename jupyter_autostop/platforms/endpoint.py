"""Which addresses a request may go to: `https`, or plain `http` that stays on this machine."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from jupyter_autostop.errors import NotConfiguredError

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.?")


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _is_host(host: str | None) -> bool:
    """Tell whether anything can be asked for under this name or address; name servers refuse other names badly."""
    if not host or ":" not in host:
        return bool(_NAME.fullmatch(host or ""))
    try:
        return not ipaddress.IPv6Address(host).scope_id  # which no URL carries
    except ValueError:
        return False


def unusable(setting: str) -> NotConfiguredError:
    """Return the error about a setting that is no address to send credentials to."""
    return NotConfiguredError(
        f"The setting `{setting}` is no usable address.",
        code="configuration_invalid",
        hint=f"Give `{setting}` as https://host; plain http is for an emulator on this machine only.",
    )


def check_base_url(url: str, setting: str) -> str:
    """Return `url` without a trailing slash, or raise: `https` only, loopback excepted, nothing but host and path."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - a bad port shows when it is read
        plain = parts.scheme == "http" and is_loopback(parts.hostname)
        ok = (parts.scheme == "https" or plain) and _is_host(parts.hostname) and not set("?#@") & set(url)
    except ValueError:
        ok = False
    if not ok or not url.isascii() or any(char.isspace() for char in url):
        raise unusable(setting)
    return url.rstrip("/")
