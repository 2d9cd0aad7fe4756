"""A cloud that answers by a script, in the place of the network, and the product's client of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from conftest import ManualClock

from jupyter_autostop.errors import AutostopError
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.credentials.base import Credentials, CredentialSource
from jupyter_autostop.platforms.modelarts.client import Answer, CloudHttp

KEY = Credentials("key", access_key="canary-AKID", secret_key="canary-SK-5f3a", security_token="canary-ST==")
TOKEN = Credentials("token", token="canary-token-" + "MIIF" * 500)
PATIENCE = 20
"""Seconds after which a test, not the product, gives up."""


class Cloud:
    """Answers by a script, one entry for each request and the last one for ever, and the client that asks it."""

    def __init__(
        self,
        *answers: Any,
        clock: ManualClock | None = None,
        credentials: CredentialSource = KEY,
        project_id: str = "p1",
        **more: Any,
    ) -> None:
        self.clock = clock or ManualClock()
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.each: Callable[[], None] = lambda: None
        self.time = PlatformClock(self.clock)
        settings_: dict[str, Any] = {
            "clock": self.clock,
            "time": self.time,
            "transport": httpx.MockTransport(self.serve),
        }
        self.http = CloudHttp("http://127.0.0.1:9", credentials, project_id, **settings_, **more)

    def serve(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.each()
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, body, *headers = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        # As a stream, which nothing unpacks: the answer comes as it would over the wire.
        return httpx.Response(status, stream=httpx.ByteStream(content), headers=headers[0] if headers else None)

    async def call(self, method: str = "GET") -> Answer:
        return await asyncio.wait_for(self.http.call(method, "/v1/x", {} if method != "GET" else None), PATIENCE)

    async def error(self, method: str = "PUT") -> Any:
        """Return the error a call ends with, complete as the error contract wants it, nothing of ours in it."""
        with pytest.raises(AutostopError) as caught:
            await self.call(method)
        error = caught.value
        assert error.status in (400, 404, 409, 502, 503, 504)
        assert error.code
        assert error.message
        assert error.hint
        assert "canary" not in f"{error!r} {error} {json.dumps(error.payload())}"
        return error
