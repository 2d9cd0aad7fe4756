"""The old generation of the ModelArts API: `/v1/{project_id}/demanager/instances/{instance_id}`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from jupyter_autostop.errors import BadAnswerError, PermissionRefusedError
from jupyter_autostop.platforms.base import PlatformName, Reading
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.modelarts.client import PROJECT, Answer, CloudHttp, check_id
from jupyter_autostop.platforms.modelarts.models import Instance, UpdateRequest


class Demanager:
    """One instance of the old generation; without a `project_id`, in the project of the credentials.

    A `guessed` id counts only where the answer bears it too.
    """

    name: PlatformName = "demanager"

    def __init__(
        self, http: CloudHttp, time: PlatformClock, project_id: str, instance_id: str, *, guessed: bool = False
    ) -> None:
        project = quote(check_id(project_id, "project_id"), safe="") if project_id else PROJECT
        instance = quote(check_id(instance_id, "instance_id"), safe="")
        self._http = http
        self._path = f"/v1/{project}/demanager/instances/{instance}"
        self._must_be = instance_id if guessed else ""
        self.time = time

    @property
    def emulated(self) -> bool:
        """Whether the last answer came from an emulator."""
        return self._http.emulated

    async def _call(self, action: str, method: str, path: str, body: Any = None) -> Answer:
        """Call what needs the IAM action `modelarts:notebook:<action>`; a refusal names it."""
        try:
            return await self._http.call(method, path, body)
        except PermissionRefusedError as error:
            error.hint = f"Ask the account's administrator for the IAM action modelarts:notebook:{action}."
            raise

    async def read(self) -> Reading:
        """GET the instance."""
        answer = await self._call("get", "GET", self._path)
        instance = _instance(answer)
        if self._must_be and instance.id != self._must_be:
            raise BadAnswerError(
                "ModelArts answers with another instance than the one whose id was found here.",
                code="another_instance",
                hint="Set `instance_id`; the ModelArts console shows it.",
            )
        return Reading(instance, answer.sent, answer.received)

    async def update(self, request: UpdateRequest) -> None:
        """PUT a change; the answer's echo proves nothing, so it is not looked at."""
        await self._call("update", "PUT", self._path, request.body())

    async def stop(self) -> None:
        """POST the action `stop`."""
        await self._call("action", "POST", f"{self._path}/action", {"action": "stop"})

    async def try_update(self) -> None:
        """PUT a change of nothing: every key of the request is optional (update API, Table 2)."""
        await self._call("update", "PUT", self._path, {})

    async def try_action(self) -> None:
        """POST an action that is none of the documented ones."""
        await self._call("action", "POST", f"{self._path}/action", {"action": "none"})

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
