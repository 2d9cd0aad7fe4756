"""Which addresses a request may go to: `https`, or plain `http` that stays on this machine."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from jupyter_autostop.errors import NotConfiguredError


def is_loopback(host: str | None) -> bool:
    """Tell whether a host name or address stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
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
        host = parts.hostname
        plain = parts.scheme == "http" and is_loopback(host)
        ok = (parts.scheme == "https" or plain) and host and not set("?#@") & set(url)
    except ValueError:
        ok = False
    if not ok or not url.isascii() or any(char.isspace() for char in url):
        raise unusable(setting)
    return url.rstrip("/")
