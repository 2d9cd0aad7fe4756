"""Which addresses a request may go to: `https`, or plain `http` that stays on this machine."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from difflib import get_close_matches
from urllib.parse import urlsplit

from jupyter_autostop.errors import NotConfiguredError

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PUBLIC = re.compile(r"(?:modelarts|iam)\.([a-z0-9-]+)\.myhuaweicloud\.(?:com|cn)")
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


REGIONS = (
    *("cn-north-1", "cn-north-2", "cn-north-4", "cn-north-9", "cn-north-11", "cn-north-12", "cn-south-1"),
    *("cn-east-3", "cn-east-4", "cn-southwest-2", "cn-southwest-3"),
    *("ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "af-south-1", "af-north-1"),
    *("la-south-2", "la-north-2", "sa-brazil-1", "tr-west-1", "me-east-1"),
)
"""Regions of the public cloud that are known; there may be others by now."""


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str:
    """Return the known name that is most like `name`, empty where none is."""
    by_lower = {one.lower(): one for one in known}
    found = get_close_matches(name.lower(), by_lower, n=1, cutoff=likeness)
    return by_lower[found[0]] if found else ""


def region_hint(region: str) -> str:
    """Return what to do about a region that is not known, empty for a known one."""
    if region in REGIONS:
        return ""
    better = nearest(region, REGIONS)
    meant = f"did you mean {better}? Other" if better else "the"
    return f"The region {region} is not known: {meant} regions are {', '.join(sorted({*REGIONS} - {better}))}."


def region_hint_for(host: str) -> str:
    """Return what to do where `host` cannot be reached and is named by a region that is not known, empty otherwise."""
    named = _PUBLIC.fullmatch(host)
    return region_hint(named[1]) if named else ""


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
