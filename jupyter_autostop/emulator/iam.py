"""IAM's login with a password, `POST /v3/auth/tokens`, without a network.

Source: the IAM API reference, "Obtaining a User Token Through Password Authentication", and its security settings. How
IAM refuses an unknown project is not documented; here as OpenStack does it, whose API this is.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.gate import Keys
from jupyter_autostop.emulator.message import Answer, IamError, Request
from jupyter_autostop.emulator.tokens import Tokens

PATH = "/v3/auth/tokens"
LOCK_AFTER = 5
LOCK_SECONDS = 15 * 60
"""Of a user, after so many wrong passwords in a row (IAM's default login policy)."""
_MALFORMED = "The request body is invalid."
_WRONG = "The username or password is wrong."
_LOCKED = "The account is locked."
_ELSEWHERE = "The request you have made requires authentication."


@dataclass(frozen=True)
class Login:
    """Who wants a token, and what for: `scope` is ("project" or "domain", "name" or "id", which), or `None`."""

    user: str
    password: str = field(repr=False)
    domain: str
    scope: tuple[str, str, str] | None
    catalog: bool


def read_login(request: Request) -> Login:
    """Return the login asked for, or raise 400."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        body = request.json()
    except ValueError:
        body = None
    # The header is mandatory.
    if media_type != "application/json" or not isinstance(body, dict):
        raise IamError(400, _MALFORMED)
    auth = _inner(body, "auth")
    identity = _inner(auth, "identity")
    if identity.get("methods") != ["password"]:
        raise IamError(400, _MALFORMED)
    user = _inner(_inner(identity, "password"), "user")
    domain = _text(_inner(user, "domain"), "name")
    # Any text after nocatalog= counts.
    catalog = not dict(request.query).get("nocatalog")
    return Login(_text(user, "name"), _text(user, "password"), domain, _scope(auth), catalog)


def _inner(data: dict[str, Any], key: str) -> dict[str, Any]:
    value = data.get(key)
    if not isinstance(value, dict):
        raise IamError(400, _MALFORMED)
    return value


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    if not isinstance(value, str):
        raise IamError(400, _MALFORMED)
    return value


def _scope(auth: dict[str, Any]) -> tuple[str, str, str] | None:
    if not auth.get("scope"):
        return None
    scope = _inner(auth, "scope")
    # Where both are given, the project counts.
    kind = "project" if "project" in scope else "domain"
    given = _inner(scope, kind)
    key = "id" if "id" in given else "name"
    return kind, key, _text(given, key)


class Iam:
    """Issues tokens to the one user there is; `LOCK_AFTER` wrong passwords in a row lock it for `LOCK_SECONDS`."""

    def __init__(self, keys: Keys, tokens: Tokens) -> None:
        self._keys = keys
        self.tokens = tokens
        self._wrong = 0
        self._locked_until = 0

    def log_in(self, login: Login, at: int) -> Answer:
        """Return the answer with a new token, or raise 401; `at` is epoch ms."""
        self._check_user(login, at)
        for_project = self._check_scope(login)
        text, token = self.tokens.issue(at, for_project=for_project)
        return Answer(201, {"token": self._shown(login, at, token.expires, for_project)}, {"X-Subject-Token": text})

    def locked_until(self, at: int) -> int | None:
        """Return when the user can log in again (epoch ms), `None` for at once."""
        return self._locked_until if at < self._locked_until else None

    def _check_user(self, login: Login, at: int) -> None:
        keys = self._keys
        if (login.user, login.domain) != (keys.iam_user, keys.iam_domain):
            raise IamError(401, _WRONG)
        if self.locked_until(at):
            raise IamError(401, _LOCKED)
        if hmac.compare_digest(login.password.encode(errors="replace"), keys.iam_password.encode()):
            self._wrong = 0
            return
        self._wrong += 1
        if self._wrong >= LOCK_AFTER:
            self._wrong, self._locked_until = 0, at + LOCK_SECONDS * 1000
        raise IamError(401, _WRONG)

    def _check_scope(self, login: Login) -> bool:
        """Tell whether the token is for the project; raise where its scope does not exist."""
        if login.scope is None:
            return False
        keys = self._keys
        there = {
            ("project", "name", keys.region),
            ("project", "id", keys.project_id),
            ("domain", "name", keys.iam_domain),
            ("domain", "id", defaults.DOMAIN_ID),
        }
        if login.scope not in there:
            raise IamError(401, _ELSEWHERE)
        return login.scope[0] == "project"

    def _shown(self, login: Login, at: int, expires: int, for_project: bool) -> dict[str, Any]:
        keys = self._keys
        domain = {"id": defaults.DOMAIN_ID, "name": keys.iam_domain}
        token: dict[str, Any] = {
            "expires_at": _iso(expires),
            "issued_at": _iso(at),
            "methods": ["password"],
            "roles": [{"id": "0", "name": "te_admin"}],
            "user": {"domain": domain, "id": defaults.USER_ID, "name": keys.iam_user, "password_expires_at": ""},
        }
        if login.catalog:
            token["catalog"] = []
        if for_project:
            token["project"] = {"domain": domain, "id": keys.project_id, "name": keys.region}
        else:
            token["domain"] = domain
        return token


def _iso(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
