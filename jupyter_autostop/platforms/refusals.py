"""From an error answer of the cloud to an error of ours: its code, plain words, a way out, the request id."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx

from jupyter_autostop.errors import AutostopError, UnavailableError
from jupyter_autostop.platforms.codes import meaning
from jupyter_autostop.platforms.time import PlatformClock, parse_http_date

LONGEST_REST = 3600.0
"""Seconds; a longer `Retry-After` is cut to this."""
_LONGEST_WORDS = 300
_USUAL_REST = 5.0


def retry_after(response: httpx.Response, time: PlatformClock) -> float | None:
    """Return the seconds a `Retry-After` asks for (a number or a date), `None` where it makes no sense."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_REST)
    date = parse_http_date(text)
    return None if date is None else min(max(date - time.now(), 0.0), LONGEST_REST)


def _parts(data: Any, mask: Callable[[str], str]) -> tuple[str | None, str | None, str | None]:
    """Return code, message and request id of the documented error bodies, masked before they are cut."""
    if not isinstance(data, dict):
        return None, None, None
    inner = data.get("error")
    if isinstance(inner, dict):  # IAM
        data = {"error_code": inner.get("code"), "error_msg": inner.get("message")}
    parts = (
        data.get("error_code"),
        data.get("error_message") or data.get("error_msg"),
        data.get("request_id"),
    )
    code, message, request_id = (
        mask(str(part))[:_LONGEST_WORDS] if isinstance(part, (str, int)) else None for part in parts
    )
    return code, message, request_id


def refusal(response: httpx.Response, data: Any, rest: float | None, mask: Callable[[str], str]) -> AutostopError:
    """Return the error that an answer means; `rest` is its `Retry-After`, `mask` hides our secrets in its words."""
    code, words, request_id = _parts(data, mask)
    kind, sentence, hint = meaning(response.status_code, code)
    if words:
        clean = "".join(char if char.isprintable() else " " for char in words)
        sentence = f"{sentence} (It says: {clean.strip()})"
    more: dict[str, Any] = {
        "code": code or None,
        "hint": hint,
        "request_id": request_id or mask(response.headers.get("X-Request-Id", ""))[:_LONGEST_WORDS] or None,
    }
    if issubclass(kind, UnavailableError):
        more["retry_after"] = _USUAL_REST if rest is None else rest
    return kind(sentence, **more)
