"""From an error answer of the cloud to an error of ours: its code, plain words, a way out, the request id."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jupyter_autostop.errors import AutostopError, UnavailableError
from jupyter_autostop.foreign_text import one_line
from jupyter_autostop.platforms.clock import parse_http_date
from jupyter_autostop.platforms.modelarts.connection import Response
from jupyter_autostop.platforms.modelarts.errors import meaning

LONGEST_REST = 3600.0
"""Seconds; a longer `Retry-After` is cut to this."""
_LONGEST_WORDS = 300
_LONGEST_ID = 64
_USUAL_REST = 5.0
_CODE = re.compile(r"(?:ModelArts|APIGW|APIG|IAM)\.[0-9]{4,8}")
"""The cloud's codes, as the OpenAPI document has them; of anything else in their place nobody knows what it is."""


def retry_after(response: Response, now: float) -> float | None:
    """Return the seconds a `Retry-After` asks for (a number or a date), `None` where it makes no sense.

    A date is reckoned from that of the same answer; `now` (epoch s) stands in where that has none.
    """
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), LONGEST_REST)
    date = parse_http_date(text)
    if date is None:
        return None
    answered = parse_http_date(response.headers.get("Date"))
    return min(max(date - (now if answered is None else answered), 0.0), LONGEST_REST)


def error_parts(response: Response, data: Any, mask: Callable[[str], str]) -> tuple[str | None, str, str | None]:
    """Return the code, the words (` (It says: …)`, empty where there are none) and the request id of an error answer.

    The documented bodies are understood; everything is masked before it is cleaned and cut.
    """
    data = data if isinstance(data, dict) else {}
    inner = data.get("error")
    if isinstance(inner, dict):  # IAM
        data = {"error_code": inner.get("code"), "error_msg": inner.get("message")}
    parts = (
        data.get("error_code"),
        data.get("error_message") or data.get("error_msg"),
        data.get("request_id") or response.headers.get("X-Request-Id"),
    )
    code, words, request_id = (
        one_line(mask(str(part)), longest) if isinstance(part, (str, int)) else ""
        for part, longest in zip(parts, (_LONGEST_WORDS, _LONGEST_WORDS, _LONGEST_ID), strict=True)
    )
    if code and not _CODE.fullmatch(code):
        # IAM repeats the HTTP status there, which says nothing new.
        words, code = words if code.isdigit() else f"{code}: {words}"[:_LONGEST_WORDS], ""
    return code or None, f" (It says: {words})" if words else "", request_id or None


def refusal(response: Response, data: Any, rest: float | None, mask: Callable[[str], str]) -> AutostopError:
    """Return the error that an answer means; `rest` is its `Retry-After`, `mask` hides our secrets in its words."""
    code, said, request_id = error_parts(response, data, mask)
    kind, sentence, hint = meaning(response.status, code)
    more: dict[str, Any] = {"code": code, "hint": hint, "request_id": request_id}
    if issubclass(kind, UnavailableError):
        more["retry_after"] = _USUAL_REST if rest is None else rest
    return kind(f"{sentence}{said}", **more)
