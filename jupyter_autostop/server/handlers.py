"""The local routes: a parse, one await, one finish. `openapi.yaml` beside this file describes them."""

from __future__ import annotations

import asyncio
import json
import re
from http.client import responses
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import allow_unauthenticated, authorized
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_autostop.client.server_info import CAPABILITY_HEADER, KERNEL_HEADER
from jupyter_autostop.errors import AutostopError, ConflictError, ForbiddenError, InvalidInputError, UnavailableError
from jupyter_autostop.server.actor import who_asks
from jupyter_autostop.server.kernels import notebook_of
from jupyter_autostop.server.page_zones import EXPIRY_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType, TracebackType

    from jupyter_server.auth.identity import IdentityProvider

    from jupyter_autostop.server.app import AutostopApp

RESOURCE = "jupyter_autostop"
LONGEST_BODY = 64 * 1024
"""Bytes; the longest sensible body is a description of 512 characters."""
_KERNEL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_VERSION = re.compile(r'(?:W/)?"?([0-9a-f]{1,12}\.[0-9a-f]{1,12})"?')
# What HTTP itself refuses, in the words of the error contract: code, message, way out.
_ROUTES = "The routes are described in jupyter_autostop/server/openapi.yaml, where the package is installed."
_REFUSALS = {
    400: (
        "invalid_query",
        "This Jupyter server cannot read the request.",
        _ROUTES,
    ),
    403: (
        "forbidden",
        "This Jupyter server does not let you do that.",
        "Log in to the Jupyter server, or reload the page.",
    ),
    404: (
        "not_found_here",
        "There is nothing at this address.",
        _ROUTES,
    ),
    405: (
        "method_not_allowed",
        "This address does not take this method.",
        _ROUTES,
    ),
}


def _requests() -> ModuleType:
    """Return the request models, which are heavy and so come with the first request that needs them."""
    from jupyter_autostop.service import requests  # noqa: PLC0415

    return requests


class AutostopHandler(APIHandler):
    """What every route shares: our authorization resource, no activity, errors by contract."""

    auth_resource = RESOURCE
    _track_activity = False

    def initialize(self, app: AutostopApp) -> None:
        """Take the extension that knows the service."""
        self.app = app
        self._shows_capability = CAPABILITY_HEADER in self.request.headers

    @property
    def identity_provider(self) -> IdentityProvider:
        """The server's own, unless a capability is shown: then that alone counts, and a wrong one lets nobody in."""
        return self.app.capability.provider if self._shows_capability else super().identity_provider

    def check_xsrf_cookie(self) -> None:
        """Say of whom the server knows that it was the XSRF token that was missing."""
        try:
            super().check_xsrf_cookie()
        except web.HTTPError as error:
            # JupyterHub asks before it is known who asks.
            known = getattr(self, "_jupyter_current_user", None)
            if error.status_code != 403 or not known:  # noqa: PLR2004 - HTTP's forbidden
                raise
            raise ForbiddenError(
                "The request does not carry this Jupyter server's XSRF token.", code="xsrf", hint="Reload the page."
            ) from None

    async def prepare(self) -> None:  # type: ignore[override]  # as the base class overrides its own
        """Refuse whoever is not logged in, for every verb and however the server treats the rest."""
        try:
            await super().prepare()
        except web.HTTPError as error:
            if error.status_code < 500:  # noqa: PLR2004 - HTTP's faults of a server
                raise
            # JupyterHub's part of this server ends so, when the hub does not answer and nothing is remembered.
            self.current_user = None
            raise UnavailableError(
                "This Jupyter server cannot find out who asks: what people log in by, such as JupyterHub, is away.",
                code="login_unavailable",
                hint="Nothing was done. Try again in a moment; if it stays so, tell whoever runs JupyterHub.",
            ) from error
        if self.request.method != "OPTIONS" and not self.current_user:
            raise web.HTTPError(403)
        self.set_header("Cache-Control", "no-store")

    @allow_unauthenticated  # a preflight carries no credentials
    def options(self, *args: Any, **kwargs: Any) -> None:
        """Name `If-Match` among the headers a page of another origin may send."""
        super().options(*args, **kwargs)
        allowed = self._headers.get("Access-Control-Allow-Headers", "")
        self.set_header("Access-Control-Allow-Headers", f"{allowed}, if-match")
        self.finish()

    def compute_etag(self) -> None:
        """The State holds the time, so no two answers are equal."""

    def body(self) -> Any:
        """Return the request's JSON, `None` for an empty body; anything that is no JSON object is refused."""
        raw = self.request.body
        if len(raw) > LONGEST_BODY:
            raise InvalidInputError(
                f"The body has {len(raw)} bytes; the limit is {LONGEST_BODY}.",
                code="invalid_body",
            )
        if not raw.strip():
            return None
        try:
            data = json.loads(raw.decode("utf-8"))
        except (ValueError, RecursionError):
            raise InvalidInputError("The body is not JSON.", code="invalid_body") from None
        if not isinstance(data, dict):
            raise InvalidInputError("The body is not a JSON object.", code="invalid_body")
        return data

    def required_body(self) -> Mapping[str, Any]:
        """Return the request's JSON object; an empty body asks for nothing."""
        data: Mapping[str, Any] | None = self.body()
        if data is None:
            raise InvalidInputError("The body is empty.", code="invalid_body", hint="Send a JSON object.")
        return data

    def if_match(self) -> str | None:
        """Return the State version a write depends on, `None` where it depends on none."""
        header = self.request.headers.get("If-Match", "*").strip()
        if header == "*":
            return None
        # An empty one too is refused: whoever sends it means to depend on something.
        match = _VERSION.fullmatch(header)
        if match is None:
            raise InvalidInputError(
                "If-Match holds no State version.",
                code="invalid_version",
                hint="Send back the `version` of the State you looked at, or no If-Match at all.",
            )
        return match[1]

    def who(self) -> str:
        """Return who asks, for the journal: by which means, and the person where that is known."""
        return who_asks(self.request.headers.get("User-Agent", ""), self.current_user)

    def finish_state(self, state: Any) -> None:
        """Send the State; that of a kernel tells the time zone of its page as well."""
        kernel = self.request.headers.get(KERNEL_HEADER, "")
        if _KERNEL_ID.fullmatch(kernel):
            state = {**state, "zone": self.app.page_zones.of(kernel)}
        self.finish(json.dumps(state))

    def log_exception(
        self,
        typ: type[BaseException] | None,
        value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        """An answer by contract is no fault: one line, no traceback."""
        if isinstance(value, AutostopError):
            self.log.info("jupyter_autostop: %s %s: %s", self.request.method, value.code, value.message)
        else:
            super().log_exception(typ, value, tb)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Turn any error into the contract's JSON, here and nowhere else."""
        error = kwargs.get("exc_info", (None, None))[1]
        if isinstance(error, AutostopError):
            self.set_status(error.status)
            payload = error.payload()
            if isinstance(error, UnavailableError):
                self.set_header("Retry-After", str(error.retry_after))
            if isinstance(error, ConflictError):
                payload["state"] = self.app.current_state()
        else:
            standard = ("error", responses.get(status_code, "Unknown error"), "The server's log says more.")
            code, message, hint = _REFUSALS.get(status_code, standard)
            if status_code == 403 and self.current_user:  # noqa: PLR2004 - HTTP's forbidden
                code = "not_authorized"
            if status_code == 405:  # noqa: PLR2004 - HTTP's method not allowed
                own = (method for method in self.SUPPORTED_METHODS if method.lower() in vars(type(self)))
                self.set_header("Allow", ", ".join([*own, "OPTIONS"]))
            payload = {"message": message, "code": code, "hint": hint, "request_id": None}
        self.finish(json.dumps(payload))


class JournalHandler(AutostopHandler):
    """What was changed."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Send the entries, newest first."""
        service = await self.app.service()
        self.finish(json.dumps({"entries": await service.journal.entries()}))


class DoctorHandler(AutostopHandler):
    """What stands in the way."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Send the result of each check."""
        doctor = await self.app.doctor()
        self.finish(json.dumps({"checks": await doctor.checks()}))


class InstanceHandler(AutostopHandler):
    """The State, and changes of description and auto-stop."""

    @web.authenticated
    @authorized(action="read", resource=RESOURCE)
    async def get(self) -> None:
        """Send the State; `?refresh=1` asks the platform first."""
        refresh = self.get_query_argument("refresh", "0")
        if refresh not in ("0", "1"):
            raise InvalidInputError("`refresh` is 0 or 1.", code="invalid_query")
        service = await self.app.service()
        self._give_xsrf_token()
        self.finish_state(await service.look(refresh=refresh == "1"))

    def _give_xsrf_token(self) -> None:
        """Give a page the XSRF token that its writes must carry, where it has none: Voila's pages bring none along."""
        if not self._shows_capability and not self.token_authenticated and self.get_cookie("_xsrf") is None:
            _ = self.xsrf_token  # which sets the cookie

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def patch(self) -> None:
        """Change description or auto-stop."""
        data, if_match = self.required_body(), self.if_match()
        service = await self.app.service()
        self.finish_state(await service.change(_requests().parse_change(data), if_match, who=self.who()))


class ExtendHandler(AutostopHandler):
    """Extensions of this run."""

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def post(self) -> None:
        """Move the stop time later, as far as the platform does that."""
        data, if_match = self.required_body(), self.if_match()
        service = await self.app.service()
        self.finish_state(await service.extend(_requests().parse_extend(data), if_match, who=self.who()))


class HoldsHandler(AutostopHandler):
    """New holds."""

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def post(self) -> None:
        """Hold the run, and send the hold."""
        data, if_match = self.required_body(), self.if_match()
        service = await self.app.service()
        wish = _requests().parse_hold(data)
        if wish.notebook and wish.kernel_id:
            wish = wish.called(await notebook_of(getattr(self.app.serverapp, "session_manager", None), wish.kernel_id))
        hold = await service.hold(wish, if_match, who=self.who())
        self.set_status(201)
        self.finish(json.dumps(hold))


class HoldHandler(AutostopHandler):
    """One hold."""

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def delete(self, hold_id: str) -> None:
        """End it, and send the State; `?by=person` tells a person's wish from the end of the work."""
        data = self.body()
        by = self.get_query_argument("by", "")
        if by not in ("", "person"):
            raise InvalidInputError("`by` is `person` or left out.", code="invalid_query")
        service = await self.app.service()
        _requests().parse_nothing(data)
        self.finish_state(await service.release(hold_id, who=self.who(), by_person=by == "person"))


class StopHandler(AutostopHandler):
    """The end of this run."""

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def post(self) -> None:
        """Stop the instance now."""
        data = self.body()
        service = await self.app.service()
        _requests().parse_nothing(data)
        state = await service.stop(who=self.who())
        self.set_status(202)
        self.finish_state(state)


class ZoneHandler(AutostopHandler):
    """The time zones of the open pages."""

    @web.authenticated
    @authorized(action="write", resource=RESOURCE)
    async def post(self) -> None:
        """Take a page's zone, and say how long (s) it is remembered."""
        data = self.required_body()
        requests = await asyncio.to_thread(_requests)
        told = requests.parse_page_zone(data)
        self.app.page_zones.tell(told.page, told.zone, told.kernels)
        self.finish(json.dumps({"expires_in": EXPIRY_S}))


def handlers(app: AutostopApp) -> list[tuple[str, type[AutostopHandler], dict[str, Any]]]:
    """Return the routes, below the server's base URL."""
    routes: list[tuple[str, type[AutostopHandler]]] = [
        (r"/jupyter-autostop/instance", InstanceHandler),
        (r"/jupyter-autostop/extend", ExtendHandler),
        (r"/jupyter-autostop/holds", HoldsHandler),
        (r"/jupyter-autostop/holds/(?P<hold_id>[^/]+)", HoldHandler),
        (r"/jupyter-autostop/stop", StopHandler),
        (r"/jupyter-autostop/journal", JournalHandler),
        (r"/jupyter-autostop/doctor", DoctorHandler),
        (r"/jupyter-autostop/zone", ZoneHandler),
    ]
    return [(pattern, handler, {"app": app}) for pattern, handler in routes]
