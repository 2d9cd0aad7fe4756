"""Who may come in: with an IAM token, or with a signature that is computed again and compared.

Source: the API signing guide; the codes are those of the API Gateway.
"""

from __future__ import annotations

import calendar
import hmac
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.message import GatewayError, Request, SettingError
from jupyter_autostop.emulator.tokens import Tokens
from jupyter_autostop.platforms.modelarts.signing import ALGORITHM, DATE_FORMAT, sign
from jupyter_autostop.times.clock import Clock

DATE_TOLERANCE = 15 * 60
"""Seconds by which X-Sdk-Date may be off (API signing guide)."""
LOCK_AFTER = 5
LOCK_SECONDS = 5 * 60
_AUTHORIZATION = re.compile(
    rf"{ALGORITHM} Access=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]+)",
    re.ASCII,
)
_ALWAYS_SIGNED = ("host", "x-sdk-date")
# What says who asks must not be exchangeable behind the signature's back.
_SIGNED_IF_SENT = ("x-project-id", "x-security-token")


# What rotates, and what each can be made of: a header's characters, or none that could not be sent.
_KEY = re.compile(r"[!-+\--~]+")
_REPLACEABLE = {
    "access_key": _KEY,
    "secret_key": _KEY,
    "security_token": _KEY,
    "token": _KEY,
    "iam_password": re.compile(r"[^\ud800-\udfff]+"),
}


@dataclass
class Keys:
    """What the emulator accepts; with `temporary`, the access key only together with its security token."""

    access_key: str = defaults.ACCESS_KEY
    secret_key: str = defaults.SECRET_KEY
    security_token: str = defaults.SECURITY_TOKEN
    token: str = defaults.TOKEN
    project_id: str = defaults.PROJECT_ID
    temporary: bool = False
    iam_user: str = defaults.IAM_USER
    iam_password: str = defaults.IAM_PASSWORD
    iam_domain: str = defaults.IAM_DOMAIN
    region: str = defaults.REGION

    def replace(self, changes: Any) -> list[str]:
        """Put new ones in the place of some, whose names are returned; a `SettingError` repeats no value.

        Tokens that the old password got stay good until they are revoked.
        """
        known = (*_REPLACEABLE, "temporary")
        if not isinstance(changes, dict) or not changes:
            raise SettingError(f"The body must be a JSON object with any of {', '.join(known)}.")
        for name, value in changes.items():
            if name not in known:
                raise SettingError(f"There is no key {name!r}; known are {', '.join(known)}.")
            if name == "temporary":
                if not isinstance(value, bool):
                    raise SettingError("temporary is true or false.")
            elif not isinstance(value, str) or not _REPLACEABLE[name].fullmatch(value):
                raise SettingError(
                    f"{name} is a text, of ASCII characters without spaces and commas where it is a key."
                )
        for name, value in changes.items():
            setattr(self, name, value)
        return list(changes)


def _refused(why: str) -> GatewayError:
    return GatewayError(401, "0301", f"Incorrect IAM authentication information: {why}")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), expected.encode())


class Gate:
    """Checks each request; `LOCK_AFTER` bad signatures in a row lock the access key for `LOCK_SECONDS`."""

    def __init__(self, keys: Keys, clock: Clock) -> None:
        self.keys = keys
        self.tokens = Tokens()
        self._clock = clock
        self._bad = 0
        self._locked_until = float("-inf")

    def check(self, request: Request) -> None:
        """Raise the gateway's 401 unless the request proves who sends it."""
        token = request.headers.get("x-auth-token")
        if token is not None:
            if not _same(token, self.keys.token) and not self.tokens.check(token, int(self._clock.time() * 1000)):
                raise _refused("the token is wrong or has expired")
            return
        if "authorization" not in request.headers:
            raise _refused("neither X-Auth-Token nor a signature was sent")
        self._check_signed(request)

    def replace_keys(self, changes: Any) -> list[str]:
        """Rotate keys, as the platform does with those of a notebook; a new access key is not locked."""
        replaced = self.keys.replace(changes)
        if "access_key" in replaced:
            self._bad, self._locked_until = 0, float("-inf")
        return replaced

    def check_project(self, project_id: str) -> None:
        """Raise the gateway's 403 for somebody else's project."""
        if project_id != self.keys.project_id:
            raise GatewayError(403, "0302", "The credentials give no access to this project.")

    def _check_signed(self, request: Request) -> None:
        match = _AUTHORIZATION.fullmatch(request.headers["authorization"].strip())
        if not match:
            raise _refused("the Authorization header is malformed")
        access_key, names, signature = match.groups()
        if not _same(access_key, self.keys.access_key):
            raise _refused("there is no such access key")
        now = self._clock.time()
        if now < self._locked_until:
            raise _refused("the access key is locked after too many bad signatures; wait 5 minutes")
        _check_names(request.headers, names.split(";"))
        _check_date(request.headers["x-sdk-date"], now)
        self._check_who(request.headers)
        if self._good(request, names, signature):
            self._bad = 0
            return
        self._bad += 1
        if self._bad >= LOCK_AFTER:
            self._bad, self._locked_until = 0, now + LOCK_SECONDS
        raise _refused("the signature does not match")

    def _check_who(self, sent: Mapping[str, str]) -> None:
        security_token = sent.get("x-security-token")
        if security_token is None and self.keys.temporary:
            raise _refused("a temporary access key needs X-Security-Token")
        if security_token is not None and not _same(security_token, self.keys.security_token):
            raise _refused("the security token is wrong or has expired")
        if "x-project-id" in sent:
            self.check_project(sent["x-project-id"])

    def _good(self, request: Request, names: str, signature: str) -> bool:
        signed = {name: request.headers[name] for name in names.split(";")}
        expected_names, expected = sign(
            self.keys.secret_key,
            request.method,
            request.path,
            request.query,
            signed,
            request.body,
        )
        return names == expected_names and _same(signature, expected)


def _check_names(sent: Mapping[str, str], names: list[str]) -> None:
    for name in _ALWAYS_SIGNED:
        if name not in names or name not in sent:
            raise _refused(f"the header {name} must be sent and signed")
    for name in _SIGNED_IF_SENT:
        if name in sent and name not in names:
            raise _refused(f"the header {name} must be signed")
    if missing := [name for name in names if name not in sent]:
        raise _refused(f"the signed header {missing[0]} was not sent")


def _check_date(text: str, now: float) -> None:
    try:
        date = calendar.timegm(time.strptime(text, DATE_FORMAT))
    except ValueError:
        raise _refused("X-Sdk-Date is no date like 20240102T030405Z") from None
    if abs(now - date) > DATE_TOLERANCE:
        raise _refused("X-Sdk-Date is more than 15 minutes off")
