"""The IAM password login: one token, kept while it is good, renewed before its end and once when it is refused."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from datetime import datetime, timezone
from email.utils import formatdate
from typing import Any

import httpx
import pytest
from conftest import ManualClock
from fake_cloud import PATIENCE, Cloud
from raw_server import Exchange, RawServer

from jupyter_autostop.errors import AutostopError, NoAnswerError
from jupyter_autostop.platforms.credentials.base import Credentials, PasswordLogin
from jupyter_autostop.platforms.modelarts.iam import LOGIN_PAUSE, YOUNG, IamLogin
from jupyter_autostop.times.clock import SystemClock

PASSWORD = "canary-password-7e1f"
LOGIN = PasswordLogin("lin", PASSWORD, "a-company")
DAY = 24 * 3600
WRONG = {"error": {"code": 401, "message": f"The password {PASSWORD} is wrong.", "title": "Unauthorized"}}


def iso(epoch: float) -> str:
    """Write epoch seconds as IAM does, with six digits and a Z."""
    return datetime.fromtimestamp(epoch, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.000000Z")


class Iam:
    """An IAM that hands out numbered tokens, on a clock of its own, and the login that asks it."""

    def __init__(
        self,
        clock: ManualClock | None = None,
        *,
        life: float | None = DAY,
        ahead: float = 0.0,
        login: PasswordLogin = LOGIN,
    ) -> None:
        self.clock = clock or ManualClock()
        self.life = life
        self.ahead = ahead
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[], httpx.Response] | None = None
        self.login = IamLogin(
            "http://127.0.0.1:9/iam",
            login,
            {"name": "cn-north-4"},
            clock=self.clock,
            timeout=5.0,
            transport=httpx.MockTransport(self.serve),
        )

    def serve(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.answer() if self.answer else self.token()

    def token(self, **more: str) -> httpx.Response:
        now = self.clock.time() + self.ahead
        token: dict[str, Any] = {"project": {"id": "p-of-the-token", "name": "cn-north-4"}}
        if self.life is not None:
            token["expires_at"] = iso(now + self.life)
        headers = {"X-Subject-Token": f"canary-token-{len(self.requests)}", "Date": formatdate(now, usegmt=True)}
        return httpx.Response(201, json={"token": token}, headers=headers | more)

    def refuse(self, status: int, body: Any = None, **headers: str) -> None:
        self.answer = lambda: httpx.Response(status, json=body, headers=headers)

    async def error(self) -> AutostopError:
        """Return how the login ends that cannot end well; nothing secret is in it."""
        with pytest.raises(AutostopError) as caught:
            await asyncio.wait_for(self.login.get(), PATIENCE)
        error = caught.value
        assert error.message
        assert error.hint
        assert error.status in (502, 503, 504)
        assert "canary" not in f"{error!r} {json.dumps(error.payload())}"
        assert not error.maybe_applied
        return error


async def test_what_is_sent() -> None:
    """One POST below the endpoint: the documented body, no credentials of another kind."""
    iam = Iam()
    await iam.login.get()
    (request,) = iam.requests
    assert (request.method, str(request.url)) == ("POST", "http://127.0.0.1:9/iam/v3/auth/tokens")
    user = {"name": "lin", "password": PASSWORD, "domain": {"name": "a-company"}}
    assert json.loads(request.content) == {
        "auth": {
            "identity": {"methods": ["password"], "password": {"user": user}},
            "scope": {"project": {"name": "cn-north-4"}},
        }
    }
    assert not request.headers.keys() & {"authorization", "x-auth-token", "x-sdk-date"}


async def test_what_comes_back() -> None:
    """The token, the project it is good for, and its end; nothing of it printed."""
    iam = Iam()
    found = await iam.login.get()
    assert (found.token, found.project_id) == ("canary-token-1", "p-of-the-token")
    assert found.expires_at == int(iam.clock.time() + DAY) * 1000
    assert "canary" not in f"{found!r} {found} {iam.login!r}"


async def test_a_token_is_kept_and_renewed_shortly_before_its_end() -> None:
    """A day's token serves until ten minutes before its end."""
    iam = Iam()
    for _ in range(3):
        assert (await iam.login.get()).token == "canary-token-1"
    iam.clock.turn(DAY - 660)
    assert (await iam.login.get()).token == "canary-token-1"
    iam.clock.turn(120)
    assert (await iam.login.get()).token == "canary-token-2"


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_only_iams_clock_dates_the_end(ahead: float) -> None:
    """A wall clock that is an hour off makes no token older or younger."""
    iam = Iam(life=1000.0, ahead=ahead)
    await iam.login.get()
    iam.clock.turn(880)
    assert (await iam.login.get()).token == "canary-token-1"
    iam.clock.turn(40)
    assert (await iam.login.get()).token == "canary-token-2"


@pytest.mark.parametrize("expires", [None, 7, "", "soon", {"x": 1}, "9999-99-99T00:00:00Z"])
async def test_an_end_that_makes_no_sense_is_a_day(expires: Any) -> None:
    """Without a usable end the documented 24 h count, and a 401 renews in any case."""
    iam = Iam()
    iam.answer = lambda: httpx.Response(
        201, json={"token": {"expires_at": expires}}, headers={"X-Subject-Token": f"t-{len(iam.requests)}"}
    )
    assert (await iam.login.get()).expires_at is None
    iam.clock.turn(DAY - 660)
    assert (await iam.login.get()).token == "t-1"
    iam.clock.turn(120)
    assert (await iam.login.get()).token == "t-2"


async def test_many_who_need_a_token_share_one_login() -> None:
    """A hundred calls at once log in once."""
    iam = Iam()
    found = await asyncio.gather(*(iam.login.get() for _ in range(100)))
    assert len(iam.requests) == 1
    assert len({credentials.token for credentials in found}) == 1


async def test_a_token_that_is_still_good_outlives_an_absent_iam() -> None:
    """A renewal that fails is tried again in a minute; meanwhile the old token serves, and not beyond its end."""
    iam = Iam()
    await iam.login.get()
    iam.refuse(503)
    iam.clock.turn(DAY - 300)
    for _ in range(5):
        assert (await iam.login.get()).token == "canary-token-1"
    assert len(iam.requests) == 2
    iam.clock.turn(61)
    assert (await iam.login.get()).token == "canary-token-1"
    assert len(iam.requests) == 3
    iam.clock.turn(300)
    assert (await iam.error()).code == "unavailable"
    iam.answer = None
    assert (await iam.login.get()).token == "canary-token-5"


async def test_a_refused_token_is_renewed_once_for_all() -> None:
    """Two calls that were refused with the same token share the next one."""
    iam = Iam()
    old = await iam.login.get()
    first, second = await asyncio.gather(iam.login.renew(old, worked=True), iam.login.renew(old, worked=True))
    assert first is second
    assert first is not None
    assert first.token == "canary-token-2"
    assert len(iam.requests) == 2


async def test_a_new_token_that_is_refused_is_not_answered_with_another_login() -> None:
    """Where even a fresh token does not help, the login is not the fault."""
    iam = Iam()
    fresh = await iam.login.get()
    assert await iam.login.renew(fresh, worked=False) is None
    assert len(iam.requests) == 1
    iam.clock.turn(YOUNG + 1)
    assert await iam.login.renew(fresh, worked=False)
    assert len(iam.requests) == 2


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_a_refused_login_is_told_and_rested(status: int) -> None:
    """What to check is named, IAM's words are masked, and the account is not locked by trying again."""
    iam = Iam()
    iam.refuse(status, WRONG)
    for _ in range(5):
        error = await iam.error()
        assert (error.status, error.code) == (502, "login_refused")
        assert "It says: The password ******** is wrong." in error.message
        for name in ("JUPYTER_AUTOSTOP_IAM_USER", "JUPYTER_AUTOSTOP_IAM_PASSWORD", "JUPYTER_AUTOSTOP_IAM_DOMAIN"):
            assert name in error.hint
    assert len(iam.requests) == 1
    iam.clock.turn(LOGIN_PAUSE + 1)
    iam.answer = None
    assert (await iam.login.get()).token == "canary-token-2"


async def test_iams_own_code_is_passed_on() -> None:
    """A code that says more than the status does is kept."""
    iam = Iam()
    iam.refuse(401, {"error": {"code": "IAM.0101", "message": "locked"}})
    assert (await iam.error()).code == "IAM.0101"


async def test_a_throttled_login_waits_as_long_as_it_was_told() -> None:
    """Within `Retry-After` nothing is sent."""
    iam = Iam()
    iam.refuse(429, None, **{"Retry-After": "30"})
    for _ in range(3):
        error = await iam.error()
        assert (error.status, error.code) == (503, "throttled")
    assert len(iam.requests) == 1
    iam.clock.turn(31)
    iam.answer = None
    assert await iam.login.get()


@pytest.mark.parametrize(
    ("status", "body", "headers", "kind"),
    [
        (201, {"token": {}}, {}, "bad_answer"),
        (201, {"token": {}}, {"X-Subject-Token": " "}, "bad_answer"),
        (201, {"token": {}}, {"X-Subject-Token": "canary token"}, "bad_answer"),
        (200, {}, {"X-Subject-Token": "canary"}, "bad_answer"),
        (302, {}, {"Location": "https://elsewhere.example.com/"}, "bad_answer"),
        (404, {"error": "canary"}, {}, "bad_answer"),
        (500, [], {}, "unavailable"),
        (502, {"error": {"code": 502, "message": None}}, {}, "unavailable"),
    ],
    ids=str,
)
async def test_odd_answers(status: int, body: Any, headers: dict[str, str], kind: str) -> None:
    """Whatever IAM, or something in its place, answers: a typed error that names the setting to check."""
    iam = Iam()
    iam.refuse(status, body, **headers)
    error = await iam.error()
    assert error.code == kind
    assert len(iam.requests) == 1
    assert "IAM" in error.message


class TestOverTheWire:
    """Against a real socket."""

    @pytest.fixture
    def caplog_of_everything(self, caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
        caplog.set_level(logging.DEBUG)
        for name in ("httpcore", "httpcore.http11", "httpcore.connection", "httpx"):
            caplog.set_level(logging.DEBUG, name)
        return caplog

    def login(self, url: str) -> IamLogin:
        return IamLogin(url, LOGIN, {"name": "cn-north-4"}, clock=SystemClock(), timeout=0.5)

    async def test_no_secret_reaches_the_log(self, caplog_of_everything: pytest.LogCaptureFixture) -> None:
        """Even at DEBUG, where the HTTP library writes headers down, neither password nor token is there."""

        async def script(exchange: Exchange) -> None:
            await exchange.answer(b"{}", "X-Subject-Token: canary-token", status="201 Created")

        async with RawServer(script) as server:
            login = self.login(server.url)
            assert (await login.get()).token == "canary-token"
            await login.close()
        assert PASSWORD.encode() in server.requests[0]
        assert "send_request_headers" in caplog_of_everything.text
        assert "canary" not in caplog_of_everything.text

    async def test_other_peoples_log_stays_as_it_is(self, caplog_of_everything: pytest.LogCaptureFixture) -> None:
        """The headers of somebody else's requests are theirs to log."""

        async def script(exchange: Exchange) -> None:
            await exchange.answer(b"{}", "X-Other: theirs")

        async with RawServer(script) as server, httpx.AsyncClient(trust_env=False) as client:
            await client.get(server.url)
        assert "theirs" in caplog_of_everything.text

    async def test_a_hanging_iam(self) -> None:
        """The login has its own time limit, and a write that waits for it is known not to be sent."""
        async with RawServer(Exchange.stay_silent) as server:
            login = self.login(server.url)
            cloud = Cloud((200, {}), credentials=login)
            with pytest.raises(NoAnswerError, match="IAM did not answer") as caught:
                await cloud.call("PUT")
            assert not caught.value.maybe_applied
            assert "iam_endpoint" in caught.value.hint
            assert cloud.requests == []
            await login.close()

    async def test_a_login_that_breaks_off(self) -> None:
        """Of a write that waited for a login, nothing is on its way, however the login ended."""

        async def script(exchange: Exchange) -> None:
            exchange.reset()

        async with RawServer(script) as server:
            login = self.login(server.url)
            cloud = Cloud((200, {}), credentials=login)
            error = await cloud.error("PUT")
            assert (error.code, error.maybe_applied, cloud.requests) == ("no_answer", False, [])
            await login.close()


class TestWithTheCloud:
    """A login whose tokens the cloud takes, or not."""

    def cloud(self, iam: Iam, *answers: Any, project_id: str = "p1") -> Cloud:
        return Cloud(*answers, clock=iam.clock, credentials=iam.login, project_id=project_id)

    REFUSED = (401, {"error_code": "APIGW.0307", "error_msg": "The token must be renewed."})

    @pytest.mark.parametrize("method", ["GET", "PUT"])
    async def test_a_401_is_answered_once_with_a_new_token(self, method: str) -> None:
        """Nothing has come of a refused request, so it is sent again with a new token, writes too."""
        iam = Iam()
        cloud = self.cloud(iam, (200, {}), self.REFUSED, (200, {"x": 1}), self.REFUSED, (200, {"x": 2}))
        await cloud.call()
        assert (await cloud.call(method)).data == {"x": 1}
        assert (await cloud.call(method)).data == {"x": 2}
        sent = [request.headers["x-auth-token"][-1] for request in cloud.requests]
        assert sent == ["1", "1", "2", "2", "3"]

    async def test_a_second_401_is_the_answer(self) -> None:
        """A new token that is refused too is told, not renewed again and again."""
        iam = Iam()
        await iam.login.get()
        iam.clock.turn(YOUNG + 1)
        cloud = self.cloud(iam, self.REFUSED)
        error = await cloud.error("GET")
        assert (error.status, error.code) == (502, "APIGW.0307")
        assert len(cloud.requests) == 2
        await cloud.error("GET")
        assert len(iam.requests) == 2

    async def test_a_wrong_clock_does_not_keep_a_token_from_being_renewed(self) -> None:
        """A token is not dated by this machine, so its clock is not to blame."""
        iam = Iam()
        await iam.login.get()
        iam.clock.turn(YOUNG + 1)
        date = {"Date": formatdate(iam.clock.time() + 7200, usegmt=True)}
        cloud = self.cloud(iam, (*self.REFUSED, date), (200, {}, date))
        await cloud.call()
        assert len(cloud.requests) == 2

    @pytest.mark.parametrize("status", [403, 404])
    async def test_no_other_refusal_renews(self, status: int) -> None:
        """Who may not do something may not do it with the next token either."""
        iam = Iam()
        await iam.login.get()
        iam.clock.turn(YOUNG + 1)
        cloud = self.cloud(iam, (status, {}))
        await cloud.error("GET")
        assert (len(cloud.requests), len(iam.requests)) == (1, 1)

    async def test_the_project_comes_with_the_token(self) -> None:
        """Where no project is set, the token's own stands in the path, quoted and checked."""
        iam = Iam()
        cloud = self.cloud(iam, (200, {}), project_id="")
        await cloud.http.call("GET", "/v1/{project_id}/x")
        assert cloud.requests[0].url.path == "/v1/p-of-the-token/x"
        iam = Iam()
        iam.answer = lambda: httpx.Response(
            201, json={"token": {"project": {"id": "../evil"}}}, headers={"X-Subject-Token": "t"}
        )
        cloud = self.cloud(iam, (200, {}), project_id="")
        with pytest.raises(AutostopError, match="project_id"):
            await cloud.http.call("GET", "/v1/{project_id}/x")
        assert cloud.requests == []


async def test_credentials_that_are_always_others_are_renewed_once() -> None:
    """However often a source has something new, a call is sent twice at most."""

    class Restless(Credentials):
        """Has another key each time."""

        async def renew(self, refused: Credentials, *, worked: bool) -> Credentials:  # type: ignore[override]
            return Credentials("r", access_key=f"{refused.access_key}x", secret_key="s-key")

    cloud = Cloud(
        (401, {"error_code": "APIGW.0301"}), credentials=Restless("r", access_key="a-key", secret_key="s-key")
    )
    await cloud.error("GET")
    assert len(cloud.requests) == 2


async def test_fixed_credentials_are_never_tried_twice() -> None:
    """Five bad signatures in a row lock a key: a refused key or ready token is not sent again."""
    for fixed in (Credentials("k", access_key="canary-ak", secret_key="s" * 8), Credentials("t", token="canary-t")):
        cloud = Cloud((401, {"error_code": "APIGW.0301"}), credentials=fixed)
        for method in ("GET", "PUT"):
            await cloud.error(method)
        assert len(cloud.requests) == 2


async def test_the_notebooks_user_is_named() -> None:
    """In-notebook credentials come with the user's id, sent as the platform's own tools do; others send none."""
    mine = Credentials("n", access_key="a-key", secret_key="s-key", user_id="u1")
    cloud = Cloud((200, {}), credentials=mine)
    await cloud.call()
    assert cloud.requests[0].headers["x-modelarts-user-id"] == "u1"
    cloud = Cloud((200, {}))
    await cloud.call()
    assert "x-modelarts-user-id" not in cloud.requests[0].headers
