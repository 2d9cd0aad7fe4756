"""The emulator lets somebody log in with a password as IAM does, and honours the tokens it gave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from emulator_support import BY_TOKEN, HOUR, INSTANCE, INSTANCES, LOGIN, START, Cloud, code, login_body

from jupyter_autostop.emulator import defaults, tokens
from jupyter_autostop.emulator.gate import Keys

MINUTE = 60
LOCK = 15 * MINUTE
WRONG = "The username or password is wrong."
LOCKED = "The account is locked."


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def refused(answer: Any, status: int, message: str) -> None:
    """IAM's own shape of body, without a token and without a word of what was sent."""
    title = {400: "Bad Request", 401: "Unauthorized", 405: "Method Not Allowed"}[status]
    assert (answer.status_code, answer.json()) == (
        status,
        {"error": {"code": status, "message": message, "title": title}},
    )
    assert "X-Subject-Token" not in answer.headers


def state(cloud: Cloud) -> dict[str, Any]:
    return cloud.control("GET", "/tokens").json()


def reads(cloud: Cloud, header: dict[str, str]) -> Any:
    return cloud.request("GET", INSTANCE, headers=header)


def test_the_right_password_gets_a_token_that_opens(cloud: Cloud) -> None:
    """201, the token in `X-Subject-Token`, its end and its project in the documented body."""
    cloud.clock.advance(0.25)
    answer = cloud.login()
    assert answer.status_code == 201
    domain = {"id": defaults.DOMAIN_ID, "name": defaults.IAM_DOMAIN}
    assert answer.json() == {
        "token": {
            "catalog": [],
            "expires_at": "2023-11-15T22:13:20.250000Z",
            "issued_at": "2023-11-14T22:13:20.250000Z",
            "methods": ["password"],
            "project": {"domain": domain, "id": defaults.PROJECT_ID, "name": defaults.REGION},
            "roles": [{"id": "0", "name": "te_admin"}],
            "user": {
                "domain": domain, "id": defaults.USER_ID, "name": defaults.IAM_USER, "password_expires_at": "",
            },
        }
    }  # fmt: skip
    token = answer.headers["X-Subject-Token"]
    assert len(token) > 1000
    assert token not in answer.text
    header = {"X-Auth-Token": token}
    assert reads(cloud, header).status_code == 200
    assert cloud.request("PUT", INSTANCE, json={"description": "x"}, headers=header).status_code == 200
    assert cloud.request("POST", f"{INSTANCE}/action", json={"action": "stop"}, headers=header).status_code == 200
    assert cloud.request("GET", f"{INSTANCES}?de_type=Notebook", headers=header).status_code == 200


def test_the_user_is_the_one_that_the_instance_belongs_to(cloud: Cloud) -> None:
    """One id and name for both."""
    user = cloud.login().json()["token"]["user"]
    assert cloud.get()["user"] == {"id": user["id"], "name": user["name"]}


def test_the_catalog_is_left_out_on_request(cloud: Cloud) -> None:
    """`nocatalog` with any text."""
    assert "catalog" not in cloud.request("POST", f"{LOGIN}?nocatalog=x", json=login_body()).json()["token"]
    assert "catalog" in cloud.request("POST", f"{LOGIN}?nocatalog=", json=login_body()).json()["token"]


def test_each_login_issues_a_token_of_its_own(cloud: Cloud) -> None:
    """A new one does not end the old one, and the example token stays good."""
    headers = [cloud.token() for _ in range(3)]
    assert len({header["X-Auth-Token"] for header in headers}) == 3
    assert [reads(cloud, header).status_code for header in [*headers, BY_TOKEN]] == [200] * 4
    assert state(cloud) == {"token_lifetime": 86400, "issued": 3, "good": 3, "locked_until": None}


def test_another_emulators_token_is_worth_nothing(cloud: Cloud) -> None:
    """Each knows its own."""
    with Cloud() as other:
        assert code(reads(cloud, other.token())) == (401, "APIGW.0301")


def test_a_token_ends_after_24_hours(cloud: Cloud) -> None:
    """By the emulator's clock, at the moment its answer named: then it is 0307; a new one opens."""
    header = cloud.token()
    cloud.clock.advance(24 * HOUR - 0.001)
    assert reads(cloud, header).status_code == 200
    cloud.clock.advance(0.001)
    answer = reads(cloud, header)
    assert code(answer) == (401, "APIGW.0307")
    assert answer.json()["error_msg"] == "The token must be updated."
    assert set(answer.json()) == {"error_msg", "error_code", "request_id"}
    assert state(cloud)["good"] == 0
    assert reads(cloud, cloud.token()).status_code == 200
    assert reads(cloud, BY_TOKEN).status_code == 200


def test_the_lifetime_is_that_of_the_login(cloud: Cloud) -> None:
    """Set to 90 s it holds for later tokens; those issued before end as they were told."""
    before = cloud.token()
    answer = cloud.control("PATCH", "/tokens", {"token_lifetime": 90})
    assert answer.json() == {"token_lifetime": 90, "issued": 1, "good": 1, "locked_until": None}
    after = cloud.login()
    assert after.json()["token"]["expires_at"] == "2023-11-14T22:14:50.000000Z"
    cloud.clock.advance(90)
    assert code(reads(cloud, {"X-Auth-Token": after.headers["X-Subject-Token"]})) == (401, "APIGW.0307")
    assert reads(cloud, before).status_code == 200


def test_a_token_can_be_dead_on_arrival(cloud: Cloud) -> None:
    """A lifetime of 0 s: what a client sees whose every token is refused."""
    cloud.control("PATCH", "/tokens", {"token_lifetime": 0})
    assert code(reads(cloud, cloud.token())) == (401, "APIGW.0307")


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"token_lifetime": "1"}, {"token_lifetime": True}, {"token_lifetime": -1}, {"token_lifetime": 1e12},
     {"token_lifetime": 1, "good": 2}],
)  # fmt: skip
def test_a_lifetime_that_makes_no_sense_is_refused(cloud: Cloud, body: Any) -> None:
    """In words, and none is set."""
    answer = cloud.control("PATCH", "/tokens", body)
    assert answer.status_code == 400
    assert answer.json()["message"].endswith(".")
    assert state(cloud)["token_lifetime"] == 86400


def test_all_tokens_can_be_revoked_at_once(cloud: Cloud) -> None:
    """From then on they are 0301; the example token and a new login open."""
    headers = [cloud.token() for _ in range(2)]
    assert cloud.control("DELETE", "/tokens").json() == {
        "token_lifetime": 86400, "issued": 2, "good": 0, "locked_until": None,
    }  # fmt: skip
    for header in headers:
        answer = reads(cloud, header)
        assert code(answer) == (401, "APIGW.0301")
        assert header["X-Auth-Token"] not in answer.text
    assert reads(cloud, BY_TOKEN).status_code == 200
    assert reads(cloud, cloud.token()).status_code == 200


def test_the_oldest_tokens_are_forgotten_first() -> None:
    """A client that logs in for ever does not fill the memory."""
    known = tokens.Tokens()
    texts = [known.issue(0, for_project=True)[0] for _ in range(10_001)]
    assert not known.check(texts[0], 0)
    assert known.check(texts[1], 0)
    assert known.check(texts[-1], 0)
    assert known.issued == 10_001


@pytest.mark.parametrize(
    "wrong", [{"password": "guess"}, {"user": "nobody"}, {"domain": "elsewhere"}, {"password": ""}]
)
def test_a_wrong_user_domain_or_password_is_401(cloud: Cloud, wrong: dict[str, str]) -> None:
    """The same words for each, so that nobody learns which users there are."""
    refused(cloud.login(**wrong), 401, WRONG)
    assert state(cloud)["issued"] == 0


def test_five_wrong_passwords_in_a_row_lock_the_user(cloud: Cloud) -> None:
    """Then the right one is refused too, for 15 min; tokens and keys of before stay good."""
    header = cloud.token()
    for _ in range(5):
        refused(cloud.login(password="guess"), 401, WRONG)
    assert state(cloud)["locked_until"] == (START + LOCK) * 1000
    refused(cloud.login(), 401, LOCKED)
    assert reads(cloud, header).status_code == 200
    assert cloud.signed().status_code == 200
    cloud.clock.advance(LOCK - 0.001)
    refused(cloud.login(), 401, LOCKED)
    cloud.clock.advance(0.001)
    assert state(cloud)["locked_until"] is None
    assert cloud.login().status_code == 201


def test_what_is_no_wrong_password_does_not_lock(cloud: Cloud) -> None:
    """Four and four with a good one between, strangers, bodies that are none, and other projects."""
    for _ in range(2):
        for _ in range(4):
            refused(cloud.login(password="guess"), 401, WRONG)
        assert cloud.login().status_code == 201
    for _ in range(6):
        cloud.login(user="nobody")
        cloud.login(domain="elsewhere")
        cloud.login(scope={"project": {"name": "cn-nowhere-1"}})
        cloud.request("POST", LOGIN, json={})
    assert cloud.login().status_code == 201


def test_a_locked_user_can_be_guessed_at_without_a_longer_lock(cloud: Cloud) -> None:
    """And after it, five more wrong ones are needed."""
    for _ in range(5):
        cloud.login(password="guess")
    cloud.clock.advance(LOCK - 1)
    refused(cloud.login(password="guess"), 401, LOCKED)
    cloud.clock.advance(1)
    for _ in range(4):
        refused(cloud.login(password="guess"), 401, WRONG)
    assert cloud.login().status_code == 201


@pytest.mark.parametrize("scope", [{"project": {"id": defaults.PROJECT_ID}}, {"project": {"name": defaults.REGION}}])
def test_the_project_is_named_or_given_by_its_id(cloud: Cloud, scope: Any) -> None:
    """Both are documented; beside a domain, the project counts."""
    for given in (scope, {**scope, "domain": {"name": "ignored"}}):
        answer = cloud.login(scope=given)
        assert answer.json()["token"]["project"]["id"] == defaults.PROJECT_ID
        assert reads(cloud, {"X-Auth-Token": answer.headers["X-Subject-Token"]}).status_code == 200


@pytest.mark.parametrize(
    "scope", [None, {}, {"domain": {"name": defaults.IAM_DOMAIN}}, {"domain": {"id": defaults.DOMAIN_ID}}]
)
def test_a_token_for_global_services_does_not_open_the_project(cloud: Cloud, scope: Any) -> None:
    """Without a project as scope the login succeeds, and the API answers 403."""
    answer = cloud.login(scope=scope)
    token = answer.json()["token"]
    assert "project" not in token
    assert token["domain"] == {"id": defaults.DOMAIN_ID, "name": defaults.IAM_DOMAIN}
    assert code(reads(cloud, {"X-Auth-Token": answer.headers["X-Subject-Token"]})) == (403, "APIGW.0302")


@pytest.mark.parametrize(
    "scope", [{"project": {"name": "cn-nowhere-1"}}, {"project": {"id": "0" * 32}}, {"domain": {"name": "elsewhere"}}]
)
def test_an_unknown_scope_is_401(cloud: Cloud, scope: Any) -> None:
    """As OpenStack refuses it, in words that help nobody: a client has to think of its region itself."""
    refused(cloud.login(scope=scope), 401, "The request you have made requires authentication.")


def without(*path: str) -> dict[str, Any]:
    """Return the login's body with a part left out."""
    body: Any = login_body()
    inner = body
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return body


USER = ("auth", "identity", "password", "user")


@pytest.mark.parametrize(
    "body",
    [
        [],
        "text",
        None,
        without("auth"),
        without("auth", "identity"),
        without("auth", "identity", "methods"),
        without("auth", "identity", "password"),
        without(*USER),
        without(*USER, "name"),
        without(*USER, "password"),
        without(*USER, "domain"),
        without(*USER, "domain", "name"),
        {"auth": {"identity": {**login_body()["auth"]["identity"], "methods": ["token"]}}},
        {"auth": {"identity": {**login_body()["auth"]["identity"], "methods": "password"}}},
        login_body(user=7),  # type: ignore[arg-type]
        login_body(password=None),  # type: ignore[arg-type]
        login_body(scope=[1]),
        login_body(scope={"project": None}),
        login_body(scope={"project": {}}),
        login_body(scope={"project": {"name": 1}}),
        login_body(scope={"unscoped": {}}),
    ],
)
def test_a_login_that_is_malformed_is_400(cloud: Cloud, body: Any) -> None:
    """A part missing or of the wrong type, or another method than the password."""
    refused(cloud.request("POST", LOGIN, json=body), 400, "The request body is invalid.")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_login_that_is_no_json_is_400(cloud: Cloud, content: bytes) -> None:
    """Whatever the bytes are."""
    headers = {"Content-Type": "application/json"}
    refused(cloud.request("POST", LOGIN, content=content, headers=headers), 400, "The request body is invalid.")


def test_a_login_must_say_that_it_is_json(cloud: Cloud) -> None:
    """The header is mandatory; its charset is not."""
    content = cloud.client.build_request("POST", LOGIN, json=login_body()).content
    for media_type, status in (
        ("application/json;charset=utf8", 201),
        ("Application/JSON", 201),
        ("text/plain", 400),
        ("", 400),
    ):
        answer = cloud.request("POST", LOGIN, content=content, headers={"Content-Type": media_type})
        assert answer.status_code == status, media_type


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_things_that_iam_does_with_tokens_are_not_offered(cloud: Cloud, method: str) -> None:
    """405, also with a token; nobody ends a token but the control routes."""
    header = cloud.token()
    answer = cloud.request(method, LOGIN, headers={**header, "X-Subject-Token": header["X-Auth-Token"]})
    refused(answer, 405, f"{method} is not offered here; POST is.")
    assert answer.headers["Allow"] == "POST"
    assert reads(cloud, header).status_code == 200


@pytest.mark.parametrize("path", ["/v3/auth/tokens/", "/v3/auth", "/v3/projects", "//v3/auth/tokens"])
def test_nothing_else_of_iam_is_there(cloud: Cloud, path: str) -> None:
    """404; what was sent there by mistake is not kept either."""
    assert code(cloud.request("POST", f"{cloud.server.url}{path}", json=login_body())) == (404, "APIGW.0101")
    assert cloud.seen()[0]["path"] == path
    assert defaults.IAM_PASSWORD not in str(cloud.seen())


def test_logins_are_recorded_without_password_and_token(cloud: Cloud) -> None:
    """So that a test can count them: method, path, status, time, and no body."""
    header = cloud.token()
    cloud.login(password="a-secret-guess")
    cloud.request("POST", LOGIN, content=b'{"auth": "a-secret-typo"}')
    reads(cloud, header)
    seen = cloud.seen()
    assert [(one["method"], one["path"], one["status"], one["body"], one["ignored"]) for one in seen] == [
        ("POST", LOGIN, 201, None, []),
        ("POST", LOGIN, 401, None, []),
        ("POST", LOGIN, 400, None, []),
        ("GET", INSTANCE, 200, None, []),
    ]
    for secret in (defaults.IAM_PASSWORD, "a-secret", header["X-Auth-Token"]):
        assert secret not in str(seen)
        assert secret not in str(cloud.emulator.record.requests)


def test_a_login_is_told_without_a_secret(cloud: Cloud) -> None:
    """In a sentence, as every change of the state; a refused one changes nothing."""
    told: list[str] = []
    cloud.emulator.on_change = lambda _, what: told.append(what)
    cloud.login()
    cloud.login(password="guess")
    assert told == ["The IAM user logged in: a token for 24 h."]


def test_user_and_project_are_the_constructors() -> None:
    """Other names than the example ones, any script in the password; the examples are wrong then."""
    keys = Keys(iam_user="somebody", iam_password="pässwörd 训练", iam_domain="somewhere", region="cn-north-4")
    with Cloud(keys=keys) as cloud:
        scope = {"project": {"name": "cn-north-4"}}
        answer = cloud.login(user="somebody", password="pässwörd 训练", domain="somewhere", scope=scope)
        token = answer.json()["token"]
        assert (token["user"]["name"], token["user"]["domain"]["name"]) == ("somebody", "somewhere")
        assert (token["project"]["name"], token["project"]["domain"]["name"]) == ("cn-north-4", "somewhere")
        refused(cloud.login(), 401, WRONG)
