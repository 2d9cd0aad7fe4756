"""Our secrets in what others echo: found however they are written there."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_iam import Iam

from jupyter_autostop.platforms.credentials.base import PasswordLogin
from jupyter_autostop.platforms.masking import mask_secrets

HARD = "pä\"ss\\wo/rd € 😀'x"
WRITINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "JSON": json.dumps,
    "JSON, its letters as they are": lambda secret: json.dumps(secret, ensure_ascii=False),
    "JSON, upper case": lambda secret: json.dumps(secret).replace("\\u00e4", "\\u00E4"),
    "JSON, its slashes escaped": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "JSON in JSON": lambda secret: json.dumps(json.dumps({"password": secret})),
    "an address": quote,
    "an address, all of it": lambda secret: quote(secret, safe=""),
    "a form": quote_plus,
    "an address in an address": lambda secret: quote(quote(secret, safe=""), safe=""),
    "an address in lower case": lambda secret: quote(secret, safe="").replace("%C3%A4", "%c3%a4"),
    "Python": repr,
    "Python, in ASCII": ascii,
    "bytes of Python": lambda secret: str(secret.encode()),
    "HTML": html.escape,
    "XML": lambda secret: secret.encode("ascii", "xmlcharrefreplace").decode(),
    "the wrong charset": lambda secret: secret.encode().decode("latin-1"),
    "base64": lambda secret: b64encode(secret.encode()).decode(),
    "base64 of a login": lambda secret: b64encode(f"lin:{secret}".encode()).decode(),
    "base64 of another login": lambda secret: b64encode(f"ada:{secret}@".encode()).decode(),
    "base64 for addresses": lambda secret: urlsafe_b64encode(f"li:{secret}".encode()).decode(),
    "hexadecimal": lambda secret: secret.encode().hex().upper(),
}


@pytest.mark.parametrize("write", WRITINGS.values(), ids=WRITINGS)
@pytest.mark.parametrize("secret", [HARD, 'only-"', "\\\\\\abc", "MIIF+/=abc", "a    b", "pass word"])
def test_a_secret_in_any_writing(secret: str, write: Callable[[str], str]) -> None:
    """Nothing of it is left but, in base64, what the bytes around it have a part in."""
    written = write(secret)
    masked = mask_secrets(f"It was {written}, was it?", secret)
    assert "********" in masked
    assert len(masked) <= len("It was ********, was it?") + 30
    assert written not in masked
    assert secret not in masked


@given(st.text(min_size=4, max_size=12).filter(lambda text: not text.isspace()), st.text(max_size=40))
def test_what_is_no_secret_stays(secret: str, text: str) -> None:
    """Any text that has none of it in it, whatever the secret is made of."""
    assert secret not in mask_secrets(f"{text}{secret}{text}", secret)
    assert mask_secrets(f"a{len(text)}", "none-of-it") == f"a{len(text)}"


@pytest.mark.parametrize("text", ["\\" * 200_000, "%" * 200_000, "&#0" + "0" * 200_000, "p\\\\" * 60_000], ids=len)
def test_a_long_text_is_looked_through_once(text: str) -> None:
    """Nothing that an answer may hold keeps the server busy: the looking takes as long as the text is."""
    assert mask_secrets(text, HARD, "\\\\\\\\\\\\") in (text, mask_secrets(text, "\\\\\\\\\\\\"))


@pytest.mark.parametrize("body", ["password {}", '{{"password": {}}}'], ids=["words", "JSON"])
async def test_a_password_that_iam_repeats(body: str) -> None:
    """The JSON that it was sent, told in the words of a refusal, shows no password with quotes and umlauts."""
    iam = Iam(login=PasswordLogin("lin", HARD, "a-company"))
    written = json.dumps(HARD)
    iam.answer = lambda: httpx.Response(401, json={"error": {"code": 401, "message": body.format(written)}})
    error = await iam.error()
    assert "********" in error.message
    assert "u00e4" not in error.message
    assert "wo/rd" not in error.message
