"""The routes of the old generation, `/v1/{project_id}/demanager/instances`, and IAM's login, without a network.

Source: the ModelArts API reference, DevEnviron (Old Version): update, query, list and manage an instance.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from jupyter_autostop.emulator import iam, permissions
from jupyter_autostop.emulator.message import Answer, GatewayError, IamError, PlatformError, Refusal, Request
from jupyter_autostop.emulator.rules import read_action, read_object, read_update
from jupyter_autostop.emulator.state import Emulator

_ROUTE = re.compile(r"/v1/([^/]+)/demanager/instances(?:/([^/]+)(/action)?)?")
_METHODS = {"list": ("GET",), "one": ("GET", "PUT"), "action": ("POST",)}
_PERMISSIONS = {
    ("list", "GET"): permissions.LIST,
    ("one", "GET"): permissions.GET,
    ("one", "PUT"): permissions.UPDATE,
    ("action", "POST"): permissions.ACTION,
}
_SORTABLE = ("name", "creation_timestamp")

Operation = Callable[[int], Answer]
"""What a request does, given the time (epoch ms) at which it does it."""


class Api:
    """Answers requests out of an emulator's state."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def answer(self, request: Request) -> Answer:
        """Carry a request out now."""
        emulator = self._emulator
        emulator.settle()
        try:
            return self._operation(request)(emulator.now())
        except Refusal as refusal:
            return refusal.answer()

    def answer_later(self, request: Request, seconds: float) -> None:
        """Check a request now, as the gateway does, and carry it out `seconds` later."""
        emulator = self._emulator
        emulator.settle()
        try:
            emulator.land_later(seconds, self._operation(request))
        except Refusal:
            return

    def answer_at_once(self, request: Request, seconds: float) -> Answer:
        """Carry a write out `seconds` later, as `answer_later`, but answer now, with nothing changed yet."""
        emulator = self._emulator
        emulator.settle()
        match = _ROUTE.fullmatch(request.path)
        if request.method == "GET" or not match or not match[2]:
            return self.answer(request)
        try:
            operation = self._operation(request)
            instance = emulator.get(match[2])
        except Refusal as refusal:
            return refusal.answer()
        emulator.land_later(seconds, operation)
        if match[3]:
            return Answer(200, {"current_status": instance.status, "previous_state": instance.status})
        return Answer(200, instance.answer(emulator.now()))

    def _operation(self, request: Request) -> Operation:
        emulator = self._emulator
        if request.path == iam.PATH:
            return self._login(request)
        match = _ROUTE.fullmatch(request.path)
        if not match:
            raise GatewayError(404, "0101", "The API does not exist or has not been published in the environment.")
        emulator.gate.check(request)
        project_id, instance_id, action = match.groups()
        emulator.gate.check_project(project_id)
        route = "action" if action else "one" if instance_id else "list"
        if request.method not in _METHODS[route]:
            return lambda _: _not_offered(request.method, _METHODS[route])
        # Before the instance and the body are looked at: an invalid request tells what its caller may do.
        emulator.permissions.check(_PERMISSIONS[route, request.method], emulator.behaviour)
        if route == "list":
            return lambda at: Answer(200, self._list(dict(request.query), at))
        if route == "action":
            return lambda at: Answer(200, emulator.act(instance_id, read_action(read_object(request)), at))
        if request.method == "PUT":
            return lambda at: Answer(200, emulator.update(instance_id, read_update(read_object(request)), at))
        return lambda at: Answer(200, emulator.get(instance_id).answer(at))

    def _login(self, request: Request) -> Operation:
        if request.method != "POST":
            refusal = IamError(405, f"{request.method} is not offered here; POST is.").answer()
            return lambda _: Answer(405, refusal.content, {"Allow": "POST"})
        login = iam.read_login(request)
        return lambda at: self._emulator.log_in(login, at)

    def _list(self, query: dict[str, str], at: int) -> dict[str, Any]:
        if "de_type" not in query:
            raise PlatformError(6335, "The parameter de_type is missing.")
        sort_by, order = query.get("sortby", "name"), query.get("order", "asc")
        if query["de_type"] != "Notebook" or sort_by not in _SORTABLE or order not in ("asc", "desc"):
            raise PlatformError(6336, "The value of de_type, sortby or order is invalid.")
        offset, limit = _count(query, "offset"), _count(query, "limit")
        found = [instance.answer(at) for instance in self._emulator.instances.values()]
        if "status" in query:
            found = [answer for answer in found if answer.get("status") == query["status"]]
        if "workspace_id" in query:
            found = [answer for answer in found if answer.get("workspace", {}).get("id") == query["workspace_id"]]
        found.sort(key=lambda answer: str(answer.get(sort_by, "")), reverse=order == "desc")
        # A limit of 0 is documented to return all.
        page = found[offset : offset + limit] if limit else found[offset:]
        return {"total_count": len(found), "instances": page}


def _count(query: dict[str, str], key: str) -> int:
    text = query.get(key, "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):  # noqa: PLR2004 - digits of an int32
        raise PlatformError(6336, f"The value of {key} is invalid.")
    return int(text)


def _not_offered(method: str, offered: tuple[str, ...]) -> Answer:
    body = {
        "error_message": f"{method} is not offered here; {', '.join(offered)} is.",
        "error_code": "APIGW.0101",
    }
    return Answer(405, body, {"Allow": ", ".join(offered)})
