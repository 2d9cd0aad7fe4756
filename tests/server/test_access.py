"""Who may do what: the Jupyter server's own authentication, authorization and XSRF protection, on every route."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any, ClassVar

import pytest
import yaml
from conftest import Ask
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError

from jupyter_autostop.emulator.server import EmulatorServer

Raw = Callable[..., Awaitable[Any]]

DOCUMENT = yaml.safe_load((files("jupyter_autostop.server") / "openapi.yaml").read_text(encoding="utf-8"))
VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
ALLOWED = {
    (path.removeprefix("/").replace("{hold_id}", "one"), verb.upper()): "read" if verb == "get" else "write"
    for path, verbs in DOCUMENT["paths"].items()
    for verb in verbs
    if verb.upper() in VERBS
}
"""What each route and verb of the document asks the authorizer for."""
ROUTES = tuple(dict.fromkeys(route for route, _ in ALLOWED))
WRITES = [key for key, action in ALLOWED.items() if action == "write"]
BODIES = {
    ("instance", "PATCH"): {"description": "x"},
    ("extend", "POST"): {"by": 60},
    ("holds", "POST"): {"until": 9_000_000_000_000, "id": "one"},
    ("zone", "POST"): {"page": "one", "zone": "Asia/Shanghai"},
}


class Recorder(Authorizer):
    """Allows everything and writes down what was asked."""

    asked: ClassVar[list[tuple[str, str]]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        if "autostop" in handler.request.path:
            self.asked.append((action, resource))
        return True


class ReadOnly(Authorizer):
    """Allows reading and nothing else."""

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        return action == "read"


@pytest.fixture(params=[True, False], ids=["unauthenticated-allowed", "unauthenticated-refused"])
def open_door(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def authorizer() -> type[Authorizer]:
    return Recorder


@pytest.fixture
def jp_server_config(jp_server_config: dict[str, Any], open_door: bool, authorizer: type[Authorizer]) -> dict[str, Any]:
    jp_server_config["ServerApp"] |= {"allow_unauthenticated_access": open_door, "authorizer_class": authorizer}
    return jp_server_config


@pytest.fixture
def raw(jp_serverapp: Any, http_server_client: Any, jp_base_url: str) -> Callable[..., Awaitable[Any]]:
    """Send a request as a stranger does, without the server's token."""

    async def send(method: str, path: str, **options: Any) -> Any:
        url = f"{jp_base_url}{path}"
        options |= {"method": method, "allow_nonstandard_methods": True, "follow_redirects": False}
        try:
            return await http_server_client.fetch(url, **options)
        except HTTPClientError as error:
            return error.response

    return send


def test_the_routes_are_the_contracts() -> None:
    """What is tried here is every route and verb that there is; none is left out with the document."""
    assert sorted(ALLOWED) == [
        *(("doctor", "GET"), ("extend", "POST"), ("holds", "POST"), ("holds/one", "DELETE"), ("instance", "GET")),
        *(("instance", "PATCH"), ("journal", "GET"), ("stop", "POST"), ("zone", "POST")),
    ]


async def test_nothing_without_credentials(raw: Raw, emulator: EmulatorServer) -> None:
    """Every route and verb answers 403 by contract, whatever the server lets strangers do elsewhere."""
    for route in ROUTES:
        for verb in VERBS:
            for headers in ({}, {"Authorization": "token wrong"}):
                reply = await raw(verb, f"jupyter-autostop/{route}", headers=headers)
                assert reply.code == 403, (verb, route)
                assert "instance" not in reply.body.decode()
    assert emulator.emulator.record.shown() == []


async def test_the_authorizer_is_asked_exactly(ask: Ask) -> None:
    """Each verb asks for its own action on our one resource, also when another verb was called first."""
    for _ in range(2):
        for (route, verb), action in ALLOWED.items():
            Recorder.asked.clear()
            await ask(verb, route, BODIES.get((route, verb)))
            assert Recorder.asked == [(action, "jupyter_autostop")], (verb, route)


async def test_other_verbs_do_not_exist(ask: Ask) -> None:
    """With credentials, a verb that is no part of the API is 405 by contract."""
    for route in ROUTES:
        for verb in set(VERBS) - {"HEAD"} - {verb for known, verb in ALLOWED if known == route}:
            reply = await ask(verb, route)
            assert (reply.status, reply.json["code"]) == (405, "method_not_allowed"), (verb, route)


async def test_a_preflight_may_name_if_match(raw: Raw) -> None:
    """OPTIONS needs no credentials and names If-Match among the headers."""
    reply = await raw("OPTIONS", "jupyter-autostop/instance")
    assert reply.code in (200, 204)
    assert "if-match" in reply.headers["Access-Control-Allow-Headers"]


class TestReadOnly:
    """A user whom the authorizer lets read only."""

    @pytest.fixture
    def authorizer(self) -> type[Authorizer]:
        return ReadOnly

    async def test_reads_and_writes_nothing(self, ask: Ask, emulator: EmulatorServer) -> None:
        """Reading works, each write is 403 by contract and reaches nobody."""
        assert (await ask("GET", "instance")).status == 200
        for route, verb in WRITES:
            reply = await ask(verb, route, BODIES.get((route, verb)))
            assert (reply.status, reply.json["code"]) == (403, "not_authorized")
        assert [seen["method"] for seen in emulator.emulator.record.shown()] == ["GET"]


async def test_cookies_need_the_xsrf_token(raw: Raw, jp_serverapp: Any, emulator: EmulatorServer) -> None:
    """A page logged in by cookie writes only with the right XSRF token, whichever route it is."""
    token = jp_serverapp.identity_provider.token
    cookies: dict[str, str] = {}
    for path in (f"login?token={token}", f"?token={token}"):
        reply = await raw("GET", path)
        for cookie in reply.headers.get_list("Set-Cookie"):
            name, _, value = cookie.partition(";")[0].partition("=")
            cookies[name] = value
    assert "_xsrf" in cookies
    header = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    for route, verb in WRITES:
        body = json.dumps(BODIES[route, verb]) if (route, verb) in BODIES else None
        for xsrf in ({}, {"X-XSRFToken": "2|deadbeef|00|1"}, {"X-XSRFToken": "wrong"}):
            reply = await raw(verb, f"jupyter-autostop/{route}", headers={**header, **xsrf}, body=body)
            assert (reply.code, bool(json.loads(reply.body)["code"])) == (403, True), (route, verb)
    assert all(seen["method"] == "GET" for seen in emulator.emulator.record.shown())
    good = {**header, "X-XSRFToken": cookies["_xsrf"]}
    body = '{"description": "by a page"}'
    assert (await raw("PATCH", "jupyter-autostop/instance", headers=good, body=body)).code == 200


async def test_a_page_without_an_xsrf_token_is_given_one(raw: Raw, jp_serverapp: Any) -> None:
    """Voila's pages bring none along. Whoever needs none, by a token or with one, is given none, nor is a stranger."""
    token = jp_serverapp.identity_provider.token
    login = (await raw("GET", f"login?token={token}")).headers.get_list("Set-Cookie")
    header = {"Cookie": "; ".join(cookie.partition(";")[0] for cookie in login if not cookie.startswith("_xsrf="))}
    [given] = (await raw("GET", "jupyter-autostop/instance", headers=header)).headers.get_list("Set-Cookie")
    name, _, value = given.partition(";")[0].partition("=")
    assert name == "_xsrf"
    header["Cookie"] += f"; _xsrf={value}"
    body = '{"description": "by a page"}'
    refused = await raw("PATCH", "jupyter-autostop/instance", headers=header, body=body)
    assert (refused.code, json.loads(refused.body)["code"]) == (403, "xsrf")
    good = {**header, "X-XSRFToken": value}
    assert (await raw("PATCH", "jupyter-autostop/instance", headers=good, body=body)).code == 200
    for other in (header, {"Authorization": f"token {token}"}, {}):
        reply = await raw("GET", "jupyter-autostop/instance", headers=other)
        assert "_xsrf" not in str(reply.headers.get_list("Set-Cookie"))


async def test_nothing_counts_as_activity(ask: Ask, jp_serverapp: Any) -> None:
    """No call of ours, write or refusal included, moves the server's last activity."""
    before = jp_serverapp.web_app.settings.get("api_last_activity")
    for route, verb in ALLOWED:
        await ask(verb, route, BODIES.get((route, verb)))
    await ask("PATCH", "instance", "[]")
    assert jp_serverapp.web_app.settings.get("api_last_activity") == before
