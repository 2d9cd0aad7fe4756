"""Our secrets, found in what others echo, however they have written them down: as JSON, in an address, as base64."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from html.entities import codepoint2name

_MASK = "********"
_SHORTEST_SECRET = 4
_SHORTEST_CODED = 6
"""Characters; a shorter piece of base64 could be anything."""


def mask_secrets(text: str, *secrets: str) -> str:
    """Return `text` without any of these secrets that an answer has echoed, in any common writing."""
    # The longest first: one may contain another.
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = _pattern(secret).sub(_MASK, text)
    return text


@lru_cache(maxsize=16)
def _pattern(secret: str) -> re.Pattern[str]:
    spelled = "".join(_writings(char) for char in secret)
    return re.compile("|".join([spelled, *_coded(secret)]))


def _writings(char: str) -> str:
    """Return what matches a character as it is, and escaped as in JSON, Python, an address, HTML or a wrong charset.

    Backslashes may be escaped themselves, as of JSON inside of JSON.
    """
    if char.isascii() and char.isalnum():
        return char  # which nothing escapes
    # Bounded, or a text of nothing else would take hours.
    plain = r"(?:\\{4}|\\\\|\\)" if char == "\\" else rf"\\{{0,7}}{re.escape(char)}"
    code = ord(char)
    raw = char.encode("utf-8", "surrogatepass")
    units = char.encode("utf-16-be", "surrogatepass")
    pairs = [units[at : at + 2].hex() for at in range(0, len(units), 2)]
    ways = [
        plain,
        "(?i:" + "".join(rf"\\{{1,7}}u{pair}" for pair in pairs) + ")",
        "(?i:" + "".join(f"%(?:25)?{byte:02x}" for byte in raw) + ")",
        "(?i:" + "".join(rf"\\{{1,7}}x{byte:02x}" for byte in raw) + ")",
        rf"(?i:\\{{1,7}}u{code:08x})",
        f"(?i:&#0*{code};|&#x0*{code:x};)",
    ]
    if code in codepoint2name:
        ways.append(f"&{codepoint2name[code]};")
    if code < 256:  # noqa: PLR2004 - Latin-1
        ways.append(rf"(?i:\\{{1,7}}x{code:02x}|%(?:25)?{code:02x})")
    if char == " ":
        ways.append(r"\+")
    if not char.isascii():
        ways += [re.escape(raw.decode(charset, "replace")) for charset in ("latin-1", "cp1252")]
    return f"(?:{'|'.join(ways)})"


def _coded(secret: str) -> list[str]:
    """Return what matches a secret in hexadecimal and, wherever it begins in what was encoded, in base64."""
    raw = secret.encode("utf-8", "surrogatepass")
    found = [f"(?i:{raw.hex()})"]
    for before in range(3):
        coded = b64encode(bytes(before) + raw).decode().rstrip("=")
        # Without the characters at both ends that other bytes have a part in.
        core = coded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        if len(core) >= _SHORTEST_CODED:
            found.append("".join({"+": "[+-]", "/": r"(?:\\{0,7}/|_)"}.get(char, char) for char in core))
    return found
