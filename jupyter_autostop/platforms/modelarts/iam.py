"""Logging in with an IAM user's password: a token, kept while it is good.

Source: IAM's API reference, "obtaining a user token through password authentication": `POST /v3/auth/tokens`,
answered with 201 and the token in `X-Subject-Token`, good for 24 h.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import datetime
from typing import Any

import httpx

from jupyter_autostop.errors import (
    AutostopError,
    BadAnswerError,
    CredentialsError,
    NoAnswerError,
    ThrottledError,
    UnavailableError,
)
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.credentials.base import (
    IAM_DOMAIN,
    IAM_PASSWORD,
    IAM_USER,
    Credentials,
    PasswordLogin,
    is_header_safe,
)
from jupyter_autostop.platforms.masking import mask_secrets
from jupyter_autostop.platforms.modelarts.connection import Connection, Response
from jupyter_autostop.platforms.modelarts.refusals import error_parts, retry_after
from jupyter_autostop.times.clock import Clock
from jupyter_autostop.times.duration import format_duration

LIFETIME = 24 * 3600
"""Seconds that a token is good for where the answer does not say."""
RENEW_BEFORE = 600
"""Seconds before its end at which a token is renewed, at most a tenth of its life."""
RETRY_RENEWAL = 60
"""Seconds between tries to renew a token that is still good."""
YOUNG = 60
"""Seconds; a token that is refused from the start is not answered with another login before."""
LOGIN_PAUSE = 300
"""Seconds before a refused login is tried again: an account locks after some wrong passwords."""
_WHERE = "Check the setting `iam_endpoint` (or `region`) and the network of this machine."
_PATH = "/v3/auth/tokens"
_CHECK = f"Check {IAM_USER}, {IAM_PASSWORD} and {IAM_DOMAIN} and restart the Jupyter server."


def _data(response: Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _expiry(data: Any) -> float | None:
    """Return `token.expires_at` (ISO 8601, UTC) as epoch seconds, `None` where it makes no sense."""
    try:
        text = data["token"]["expires_at"]
        # Python 3.10 reads neither the Z nor six digits with it.
        return datetime.fromisoformat(text[:19] + "+00:00").timestamp()
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def _project(data: Any) -> str:
    try:
        project_id = data["token"]["project"]["id"]
    except (KeyError, TypeError):
        return ""
    return project_id if isinstance(project_id, str) else ""


class IamLogin:
    """A password that becomes a token when one is needed, one login at a time.

    `project` is the scope, `{"name": region}` or `{"id": …}`. `timeout` (s) covers a login.
    """

    source = f"the IAM login of {IAM_USER}"

    def __init__(
        self,
        base_url: str,
        login: PasswordLogin,
        project: dict[str, str],
        *,
        clock: Clock,
        timeout: float,
        ca_file: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        # IAM's clock dates the token's end; what is left of its life counts on a clock that never jumps.
        self._time = PlatformClock(clock)
        self._connection = Connection(
            base_url,
            name="IAM",
            setting="iam_endpoint",
            clock=clock,
            time=self._time,
            timeout=timeout,
            ca_file=ca_file,
            transport=transport,
        )
        self._login = login
        self._project = project
        self._clock = clock
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._token: Credentials | None = None
        self._since = float("-inf")
        self._ends = self._renew_at = float("-inf")
        self._rest_until = float("-inf")
        self._refusal: AutostopError | None = None

    async def get(self) -> Credentials:
        """Return the token, a new one shortly before the old one ends."""
        async with self._lock:
            now = self._clock.monotonic()
            if self._token is None or now >= self._ends:
                return await self._new_token()
            if now >= self._renew_at:
                # The old one is good for a while yet, should IAM be away.
                self._renew_at = now + RETRY_RENEWAL
                with suppress(AutostopError):
                    return await self._new_token()
            return self._token

    async def renew(self, refused: Credentials, *, worked: bool) -> Credentials | None:
        """Return another token than the refused one; `None` where that one is new and no good: a login is no help."""
        async with self._lock:
            if self._token is None or self._token.token == refused.token:
                if not worked and self._clock.monotonic() - self._since < YOUNG:
                    return None
                return await self._new_token()
            return self._token

    async def about(self) -> tuple[str, str]:
        """Return since when the token is there, and for how long."""
        now = self._clock.monotonic()
        if self._token is None or now >= self._ends:
            return "not logged in at the moment", ""
        since, left = format_duration(int(now - self._since)), format_duration(int(self._ends - now))
        return f"logged in {since} ago, good for {left} more", ""

    async def close(self) -> None:
        """Close the connections."""
        await self._connection.close()

    async def _new_token(self) -> Credentials:
        left = self._rest_until - self._clock.monotonic()
        if self._refusal is not None and left > 0:
            refusal = self._refusal
            more = {"retry_after": left} if isinstance(refusal, UnavailableError) else {}
            raise type(refusal)(
                refusal.message, code=refusal.code, hint=refusal.hint, request_id=refusal.request_id, **more
            )
        try:
            response = await asyncio.wait_for(self._connection.exchange("POST", _PATH, self._body()), self._timeout)
        except asyncio.TimeoutError:
            raise NoAnswerError(
                f"IAM{self._connection.way} did not answer within {self._timeout:g} s.", hint=_WHERE
            ) from None
        except (NoAnswerError, BadAnswerError) as error:
            # Nothing of a write of the instance is on its way: only the login failed.
            error.maybe_applied = False
            raise
        if response.status == 201:  # noqa: PLR2004 - HTTP's created
            return self._take(response)
        self._refusal, rest = self._refused(response)
        self._rest_until = self._clock.monotonic() + rest
        raise self._refusal

    def _body(self) -> bytes:
        login = self._login
        user = {"name": login.user, "password": login.password, "domain": {"name": login.domain}}
        identity = {"methods": ["password"], "password": {"user": user}}
        return json.dumps({"auth": {"identity": identity, "scope": {"project": self._project}}}).encode()

    def _take(self, response: Response) -> Credentials:
        """Keep and return the token of an answer, and how long it is good for."""
        data = _data(response)
        token = response.headers.get("X-Subject-Token", "").strip()
        if not is_header_safe(token):
            raise BadAnswerError("IAM let this server in, but its answer holds no token.", hint=_WHERE)
        ends = _expiry(data)
        life = LIFETIME if ends is None else max(ends - self._time.now(), 0.0)
        now = self._clock.monotonic()
        self._since, self._ends = now, now + life
        self._renew_at = self._ends - min(RENEW_BEFORE, life / 10)
        expires_at = None if ends is None else int(ends * 1000)
        self._token = Credentials(self.source, token=token, project_id=_project(data), expires_at=expires_at)
        self._refusal = None
        return self._token

    def _mask(self, text: str) -> str:
        return mask_secrets(text, self._login.password, self._token.token if self._token else "")

    def _refused(self, response: Response) -> tuple[AutostopError, float]:
        """Return what a refused login means, and the seconds for which it is not tried again."""
        code, said, request_id = error_parts(response, _data(response), self._mask)
        status = response.status
        # IAM repeats the HTTP status as its code; only codes such as IAM.0101 tell more.
        more: dict[str, Any] = {"code": code if code and not code.isdigit() else None, "request_id": request_id}
        rest = retry_after(response, self._time.now())
        if status == 429:  # noqa: PLR2004 - HTTP's too many requests
            rest = 5.0 if rest is None else rest
            return ThrottledError(f"IAM is getting too many requests.{said}", retry_after=rest, **more), rest
        if status >= 500:  # noqa: PLR2004 - HTTP's server errors
            rest = 0.0 if rest is None else rest
            return UnavailableError(f"IAM is not available (HTTP {status}).{said}", retry_after=rest, **more), rest
        if status in (400, 401, 403):
            more["code"] = more["code"] or "login_refused"
            hint = f"{_CHECK} Until then the login is tried every {LOGIN_PAUSE // 60} min: too many lock the account."
            return CredentialsError(f"IAM refuses the login.{said}", hint=hint, **more), LOGIN_PAUSE
        return BadAnswerError(f"Unexpected answer from IAM (HTTP {status}).{said}", hint=_WHERE, **more), 0.0
