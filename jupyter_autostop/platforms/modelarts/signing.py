"""The cloud's AK/SK request signature, `SDK-HMAC-SHA256`.

Source: Huawei Cloud's API signing guide; the test vectors were computed with the vendor's SDK.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Iterable, Mapping
from urllib.parse import quote, unquote

ALGORITHM = "SDK-HMAC-SHA256"
DATE_FORMAT = "%Y%m%dT%H%M%SZ"


def sdk_date(epoch: float) -> str:
    """Format epoch seconds as `X-Sdk-Date`, e.g. `20240102T030405Z`."""
    return time.strftime(DATE_FORMAT, time.gmtime(epoch))


def _canonical_path(path: str) -> str:
    """Encode each segment and end with a slash: the signature wants one, the request has none."""
    segments = (quote(unquote(segment), safe="~") for segment in path.split("/"))
    joined = "/".join(segments)
    return joined if joined.endswith("/") else joined + "/"


def _canonical_query(query: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{quote(key, safe='~')}={quote(value, safe='~')}" for key, value in sorted(query))


def sign(
    secret_key: str,
    method: str,
    path: str,
    query: Iterable[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
) -> tuple[str, str]:
    """Return the signed header names, joined by `;`, and the hex signature of one request.

    `headers` are exactly those to be signed and must contain `X-Sdk-Date`; `path` is the URL's own,
    without the query.
    """
    signed = {name.lower(): value.strip() for name, value in headers.items()}
    names = ";".join(sorted(signed))
    canonical = "\n".join(
        (
            method.upper(),
            _canonical_path(path),
            _canonical_query(query),
            "".join(f"{name}:{signed[name]}\n" for name in sorted(signed)),
            names,
            hashlib.sha256(body).hexdigest(),
        ),
    )
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"{ALGORITHM}\n{signed['x-sdk-date']}\n{digest}"
    return names, hmac.digest(secret_key.encode(), to_sign.encode(), "sha256").hex()


def authorization(access_key: str, names: str, signature: str) -> str:
    """Return the value of the `Authorization` header."""
    return f"{ALGORITHM} Access={access_key}, SignedHeaders={names}, Signature={signature}"
