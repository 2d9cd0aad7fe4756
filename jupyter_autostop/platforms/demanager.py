"""The old generation of the ModelArts API: `/v1/{project_id}/demanager/instances/{instance_id}`."""

from __future__ import annotations

import re
from urllib.parse import quote

from pydantic import ValidationError

from jupyter_autostop.errors import BadAnswerError, NotConfiguredError
from jupyter_autostop.platforms.http import Answer, CloudHttp
from jupyter_autostop.platforms.port import PlatformName, Reading
from jupyter_autostop.platforms.time import PlatformClock
from jupyter_autostop.wire import Instance, UpdateRequest

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


class Demanager:
    """One instance of the old generation."""

    name: PlatformName = "demanager"

    def __init__(self, http: CloudHttp, time: PlatformClock, project_id: str, instance_id: str) -> None:
        project = quote(check_id(project_id, "project_id"), safe="")
        instance = quote(check_id(instance_id, "instance_id"), safe="")
        self._http = http
        self._path = f"/v1/{project}/demanager/instances/{instance}"
        self.time = time

    @property
    def emulated(self) -> bool:
        """Whether the last answer came from an emulator."""
        return self._http.emulated

    async def read(self) -> Reading:
        """GET the instance."""
        answer = await self._http.call("GET", self._path)
        return Reading(_instance(answer), answer.sent, answer.received)

    async def update(self, request: UpdateRequest) -> None:
        """PUT a change; the answer's echo proves nothing, so it is not looked at."""
        await self._http.call("PUT", self._path, request.body())

    async def stop(self) -> None:
        """POST the action `stop`."""
        await self._http.call("POST", f"{self._path}/action", {"action": "stop"})

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()


def _instance(answer: Answer) -> Instance:
    try:
        return Instance.model_validate(answer.data)
    except (ValidationError, RecursionError) as error:
        where = ""
        if isinstance(error, ValidationError):
            # Beyond the field's own name pydantic lists the types it has tried.
            where = ".".join(part for part in map(str, error.errors()[0]["loc"]) if part.isidentifier())
        raise BadAnswerError(
            f"The answer from ModelArts is not an instance{f' (at {where[:80]})' if where else ''}.",
        ) from None
