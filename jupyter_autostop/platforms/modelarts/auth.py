"""How a request proves who sends it: each try anew, and only towards the configured host."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from jupyter_autostop.errors import UpstreamError
from jupyter_autostop.platforms.credentials.base import Credentials
from jupyter_autostop.platforms.modelarts.signing import authorization, sdk_date, sign

SIGNED = ("Content-Type", "Host")
"""What is signed of a request's headers, beside those that are added for it."""


class CloudAuth:
    """Sends a ready IAM token, or signs with an access key; `now` is the cloud's clock in epoch seconds."""

    def __init__(self, credentials: Credentials, host: str, project_id: str, now: Callable[[], float]) -> None:
        self._credentials = credentials
        self._host = host
        self._project_id = project_id
        self._now = now

    def __call__(self, request: httpx.Request) -> None:
        """Authenticate one try, unless it has come to point to another host."""
        if request.url.netloc.decode("ascii") != self._host:
            raise UpstreamError("A request to another host than the configured endpoint was stopped before signing.")
        if self._credentials.user_id:
            request.headers["X-Modelarts-User-Id"] = self._credentials.user_id
        if self._credentials.token:
            request.headers["X-Auth-Token"] = self._credentials.token
        else:
            self._sign(request)

    def _sign(self, request: httpx.Request) -> None:
        credentials = self._credentials
        own = {"X-Sdk-Date": sdk_date(self._now())}
        if self._project_id:
            own["X-Project-Id"] = self._project_id
        if credentials.security_token:
            own["X-Security-Token"] = credentials.security_token
        sent = {name: request.headers[name] for name in SIGNED if name in request.headers}
        names, signature = sign(
            credentials.secret_key,
            request.method,
            request.url.raw_path.partition(b"?")[0].decode("ascii"),
            request.url.params.multi_items() if request.url.query else (),
            {**sent, **own},
            request.content,
        )
        request.headers.update({**own, "Authorization": authorization(credentials.access_key, names, signature)})
