"""Calls to ModelArts: authenticated, within one time limit each, tried again only where that is harmless."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import anyio
import httpx

from jupyter_autostop.errors import (
    AutostopError,
    BadAnswerError,
    ClockSkewError,
    CredentialsError,
    NoAnswerError,
    NotConfiguredError,
    ThrottledError,
    UnavailableError,
)
from jupyter_autostop.platforms.base import person_waits_since
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.credentials.base import Credentials, CredentialSource
from jupyter_autostop.platforms.modelarts.auth import CloudAuth
from jupyter_autostop.platforms.modelarts.connection import Connection, Response
from jupyter_autostop.platforms.modelarts.refusals import refusal, retry_after
from jupyter_autostop.times.clock import Clock

TRIES = 3
ROOM = 0.1
"""The part of a write's time limit that must be left after a `Retry-After` was waited out."""
SKEW_LIMIT = 15 * 60
"""Seconds by which a signature's date may be off (API signing guide)."""
PROJECT = "{project_id}"
"""Stands in a path for the project's id, which may come with the credentials."""
EMULATOR_HEADER = "X-Autostop-Emulator"
_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


def check_id(value: str, setting: str) -> str:
    """Return an id that can become a part of a URL, or raise naming the setting."""
    if not _ID.fullmatch(value):
        raise NotConfiguredError(
            f"The setting `{setting}` is no id: letters, digits and hyphens only, at most 64.",
            code="configuration_invalid",
            hint=f"Copy the {setting.replace('_', ' ')} from the ModelArts console.",
        )
    return value


class _LeapError(CredentialsError):
    """A signature was refused whose date may have been the reason; `other_date` may be the right one."""

    other_date: Callable[[], float]


@dataclass(frozen=True)
class Answer:
    """A successful answer: its JSON, and when (monotonic s) it was asked for and came."""

    data: Any
    sent: float
    received: float


class CloudHttp:
    """The only place that calls ModelArts.

    A GET is tried again, with jitter, on what may pass; a write never is. Within a `Retry-After` nothing is sent: who
    asks is told how long that is, but a person's write waits it out where that fits the write's time limit.
    A 401, which nothing has come of, is answered once with renewed credentials, where the source has other ones, and
    once with another date, where the platform's answers differ in what time it is.
    `timeout` (s) covers a call with its retries. Fakes come in as `transport`; `jitter` draws a factor between two.
    """

    def __init__(
        self,
        base_url: str,
        credentials: CredentialSource,
        project_id: str,
        *,
        clock: Clock,
        time: PlatformClock,
        timeout: float = 10.0,
        ca_file: str = "",
        transport: httpx.AsyncBaseTransport | None = None,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._connection = Connection(
            base_url,
            name="ModelArts",
            setting="endpoint",
            clock=clock,
            time=time,
            timeout=timeout,
            ca_file=ca_file,
            transport=transport,
        )
        self._source = credentials
        self._project_id = project_id
        self._clock = clock
        self._time = time
        self._timeout = timeout
        self._jitter = jitter
        self._rest_until = float("-inf")
        self._worked: Credentials | None = None
        self.emulated = False

    async def call(self, method: str, path: str, body: Any = None) -> Answer:
        """Send one request below the endpoint and return its JSON, or raise a typed error.

        `path` is already quoted; `PROJECT` in it is filled in. An error with `maybe_applied` leaves open whether a
        write took effect.
        """
        begun = asyncio.get_running_loop().time()
        # Has a time limit of its own: nothing has been sent while a login hangs.
        try:
            credentials = await self._source.get()
        except AutostopError as unknown:
            unknown.asked = False
            raise
        left = self._timeout - (asyncio.get_running_loop().time() - begun)
        refused: list[AutostopError] = []
        try:
            with anyio.fail_after(left):
                return await self._tries(method, path, body, credentials, refused)
        except TimeoutError:
            if refused:  # the time ran out before the next try: why the last one failed says more
                raise refused[-1] from None
            error = NoAnswerError(f"ModelArts{self._connection.way} did not answer within {self._timeout:g} s.")
            error.maybe_applied = method != "GET"
            raise error from None

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        await self._connection.close()
        await self._source.close()

    async def _tries(
        self, method: str, path: str, body: Any, credentials: Credentials, refused: list[AutostopError]
    ) -> Answer:
        tries = TRIES if method == "GET" else 1
        attempt, renewed, leapt, date = 1, False, False, self._time.said
        while True:
            try:
                return await self._once(method, path, body, credentials, date)
            except (UnavailableError, NoAnswerError) as error:
                if attempt == tries or self._rest() > self._patience():
                    raise
                refused.append(error.with_traceback(None))
                # Many servers that met the same fault do not come back all at once.
                await asyncio.sleep(0.2 * 2**attempt * self._jitter(0.5, 1.5))
                attempt += 1
            except _LeapError as error:
                if leapt:
                    raise
                refused.append(error.with_traceback(None))
                leapt, date = True, error.other_date
            except CredentialsError as error:
                if renewed or isinstance(error, ClockSkewError):
                    raise
                refused.append(error.with_traceback(None))
                other = await self._source.renew(credentials, worked=self._worked == credentials)
                if other is None:
                    raise
                credentials, renewed = other, True
            refused.clear()

    def _rest(self) -> float:
        """Return the seconds for which nothing is to be sent; none are left where it is not positive."""
        return self._rest_until - self._clock.monotonic()

    def _patience(self) -> float:
        """Return the seconds that may be waited now: a person's write takes its time limit, background work none."""
        since = person_waits_since.get()
        return 0.0 if since is None else since + self._timeout * (1 - ROOM) - self._clock.monotonic()

    async def _wait_out(self) -> None:
        """Return once something may be sent, or raise where that takes too long."""
        while (rest := self._rest()) > 0:
            if rest > self._patience():
                seconds = math.ceil(rest)
                raise ThrottledError(f"ModelArts asked not to be called for another {seconds} s.", retry_after=seconds)
            await self._clock.sleep(rest)

    async def _once(
        self, method: str, path: str, body: Any, credentials: Credentials, date: Callable[[], float]
    ) -> Answer:
        await self._wait_out()
        now = self._clock.monotonic()
        project_id = self._project_id or credentials.project_id
        if PROJECT in path:
            if not project_id:
                raise NotConfiguredError(
                    "This server does not know the project of its instance.",
                    hint="Set `project_id` (JUPYTER_AUTOSTOP_PROJECT_ID) and restart the Jupyter server.",
                )
            path = path.replace(PROJECT, quote(check_id(project_id, "project_id"), safe=""))
        content = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        auth = CloudAuth(credentials, self._connection.host, project_id, date)
        time_known, dated = self._time.known, date()
        response = await self._connection.exchange(method, path, content, auth)
        dated += self._clock.monotonic() - now
        self.emulated = EMULATOR_HEADER in response.headers
        try:
            answer = self._read(response, method, credentials, signed_by_wall_clock=not time_known)
        except CredentialsError as error:
            others = (other for other in (self._time.said, self._time.now) if abs(other() - dated) > SKEW_LIMIT)
            other_date = next(others, None)
            if other_date is None or not time_known or credentials.token:
                raise
            leap = _LeapError(error.message, code=error.code, hint=error.hint, request_id=error.request_id)
            leap.other_date = other_date
            raise leap from None
        except AutostopError:
            if response.status in (400, 403, 404):
                self._worked = credentials  # let in, and then refused something
            raise
        self._worked = credentials
        return answer

    def _read(self, response: Response, method: str, credentials: Credentials, *, signed_by_wall_clock: bool) -> Answer:
        try:
            data = response.json()
        except ValueError:
            data = None
            if response.good:
                error: AutostopError = BadAnswerError("The answer from ModelArts is not JSON.")
                error.maybe_applied = method != "GET"
                raise error from None
        if response.good:
            return Answer(data, response.sent, response.received)
        if 300 <= response.status < 400:  # noqa: PLR2004 - HTTP's redirects
            raise BadAnswerError(f"ModelArts answered with a redirect (HTTP {response.status}), which is not followed.")
        rest = retry_after(response, self._time.now())
        if rest is not None and response.status in (429, 503):
            self._rest_until = max(self._rest_until, self._clock.monotonic() + rest)
        error = refusal(response, data, rest, credentials.mask)
        # A throttled write was turned away at the door; one that was given up on may be under way.
        given_up = isinstance(error, (NoAnswerError, UnavailableError)) and not isinstance(error, ThrottledError)
        error.maybe_applied = method != "GET" and given_up
        dated_wrong = signed_by_wall_clock and not credentials.token and abs(self._time.skew()) > SKEW_LIMIT
        if isinstance(error, CredentialsError) and dated_wrong:
            minutes = round(abs(self._time.skew()) / 60)
            raise ClockSkewError(
                f"{error.message} This machine's clock is {minutes} min off.",
                code=error.code,
                hint="Set this machine's clock; from now on requests are dated by the cloud's.",
                request_id=error.request_id,
            )
        raise error
