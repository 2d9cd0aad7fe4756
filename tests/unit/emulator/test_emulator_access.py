"""Keys that rotate, permissions that are missing, and what a caller inside a notebook says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from emulator_support import BY_TOKEN, INSTANCE, INSTANCES, Cloud, code

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.gate import Keys

GET, LIST = "modelarts:notebook:get", "modelarts:notebook:list"
UPDATE, ACTION = "modelarts:notebook:update", "modelarts:notebook:action"
NEW = {"access_key": "NEWACCESSKEY", "secret_key": "new-secret-key", "security_token": "bmV3+/token=="}


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud(keys=Keys(temporary=True)) as cloud:
        yield cloud


def rotate(cloud: Cloud, **keys: Any) -> httpx.Response:
    answer = cloud.control("PATCH", "/keys", keys)
    assert answer.status_code == 200, answer.text
    return answer


def by_old(cloud: Cloud, **options: Any) -> httpx.Response:
    return cloud.signed(X_Security_Token=defaults.SECURITY_TOKEN, **options)


def by_new(cloud: Cloud, **options: Any) -> httpx.Response:
    keys = {"access_key": NEW["access_key"], "secret_key": NEW["secret_key"], **options}
    return cloud.signed(X_Security_Token=NEW["security_token"], **keys)


def test_rotated_keys_open_and_the_old_ones_do_not(cloud: Cloud) -> None:
    """As the platform does with a notebook's own: all three at once, and the answer repeats none of them."""
    assert by_old(cloud).status_code == 200
    assert code(by_new(cloud)) == (401, "APIGW.0301")
    answer = rotate(cloud, **NEW)
    assert answer.json() == {"replaced": list(NEW)}
    assert code(by_old(cloud)) == (401, "APIGW.0301")
    assert by_new(cloud).status_code == 200
    assert cloud.request("GET", INSTANCE, headers=BY_TOKEN).status_code == 200


@pytest.mark.parametrize("name", list(NEW))
def test_each_of_the_three_makes_the_old_ones_useless(cloud: Cloud, name: str) -> None:
    """Half a rotation is one."""
    rotate(cloud, **{name: NEW[name]})
    assert code(by_old(cloud)) == (401, "APIGW.0301")


def test_a_new_access_key_is_not_locked(cloud: Cloud) -> None:
    """The lock is that of the old key; four bad signatures of the old one do not count either."""
    for count in (5, 4):
        for _ in range(count):
            assert code(by_old(cloud, secret_key="guessed")) == (401, "APIGW.0301")
        rotate(cloud, **NEW)
        assert code(by_new(cloud, secret_key="guessed")) == (401, "APIGW.0301")
        assert by_new(cloud).status_code == 200
        rotate(
            cloud,
            access_key=defaults.ACCESS_KEY,
            secret_key=defaults.SECRET_KEY,
            security_token=defaults.SECURITY_TOKEN,
        )


def test_a_new_secret_alone_lifts_no_lock(cloud: Cloud) -> None:
    """It is the access key that is locked."""
    for _ in range(5):
        by_old(cloud, secret_key="guessed")
    rotate(cloud, secret_key="guessed")
    assert "locked" in by_old(cloud, secret_key="guessed").json()["error_msg"]


def test_what_else_can_change_meanwhile(cloud: Cloud) -> None:
    """The ready token, the password, and whether a key is a temporary one; tokens that were issued stay good."""
    header = cloud.token()
    assert rotate(cloud, token="another", iam_password="pässword 2", temporary=False).json() == {
        "replaced": ["token", "iam_password", "temporary"]
    }
    assert code(cloud.request("GET", INSTANCE, headers=BY_TOKEN)) == (401, "APIGW.0301")
    assert cloud.request("GET", INSTANCE, headers={"X-Auth-Token": "another"}).status_code == 200
    assert cloud.request("GET", INSTANCE, headers=header).status_code == 200
    assert cloud.login().status_code == 401
    assert cloud.login(password="pässword 2").status_code == 201
    assert cloud.signed().status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (None, "must be JSON"),
        ([], "must be a JSON object"),
        ({}, "must be a JSON object"),
        ({"project_id": "x"}, "There is no key 'project_id'"),
        ({"access_key": ""}, "access_key is a text"),
        ({"access_key": "with space"}, "access_key is a text"),
        ({"access_key": "with,comma"}, "access_key is a text"),
        ({"secret_key": "sécret"}, "secret_key is a text"),
        ({"token": "line\nbreak"}, "token is a text"),
        ({"security_token": None}, "security_token is a text"),
        ({"secret_key": 5}, "secret_key is a text"),
        ({"iam_password": ""}, "iam_password is a text"),
        ({"temporary": "yes"}, "temporary is true or false"),
        ({"secret_key": "canary-of-a-key", "access_key": "canary of a key"}, "access_key is a text"),
    ],
)
def test_keys_that_make_no_sense_are_refused_and_none_is_replaced(cloud: Cloud, body: Any, words: str) -> None:
    """In words that repeat no key."""
    answer = cloud.control("PATCH", "/keys", body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert "canary" not in answer.text
    assert by_old(cloud).status_code == 200
    assert cloud.login().status_code == 201


def deny(cloud: Cloud, *names: str) -> None:
    answer = cloud.control("PATCH", "/permissions", dict.fromkeys(names, False))
    assert answer.status_code == 200, answer.text
    assert answer.json() == cloud.control("GET", "/permissions").json()
    assert [name for name, held in answer.json().items() if not held] == list(names)


def send(cloud: Cloud, permission: str, instance: str = INSTANCE, body: Any = None) -> httpx.Response:
    """Send the request that needs a permission, a valid one unless `body` says otherwise."""
    if permission == GET:
        return cloud.request("GET", instance)
    if permission == LIST:
        return cloud.request("GET", f"{INSTANCES}?de_type=Notebook")
    if permission == UPDATE:
        return cloud.request("PUT", instance, json={"description": "changed"} if body is None else body)
    return cloud.request("POST", f"{instance}/action", json={"action": "stop"} if body is None else body)


ALL = [GET, LIST, UPDATE, ACTION]


@pytest.mark.parametrize("denied", ALL)
def test_a_missing_permission_is_403_and_nothing_happens(cloud: Cloud, denied: str) -> None:
    """6407 naming the action; what needs another permission goes on as before, and it can be given back."""
    assert cloud.control("GET", "/permissions").json() == dict.fromkeys(ALL, True)
    deny(cloud, denied)
    answer = send(cloud, denied)
    assert answer.status_code == 403
    assert answer.json() == {
        "error_msg": f"Policy doesn't allow {denied} to be performed.",
        "error_code": "ModelArts.6407",
    }
    assert cloud.emulator.instance.description != "changed"
    assert cloud.emulator.instance.status == "RUNNING"
    assert [send(cloud, other).status_code for other in ALL if other != denied] == [200] * 3
    cloud.control("PATCH", "/instance", {"status": "RUNNING"})
    assert cloud.control("PATCH", "/permissions", {denied: True}).json()[denied] is True
    assert send(cloud, denied).status_code == 200


@pytest.mark.parametrize("denied", ALL)
def test_the_gateway_can_be_the_one_that_denies(cloud: Cloud, denied: str) -> None:
    """`denied_by` gateway: 0302, in the gateway's shape."""
    cloud.control("PATCH", "/behaviour", {"denied_by": "gateway"})
    deny(cloud, denied)
    answer = send(cloud, denied)
    assert code(answer) == (403, "APIGW.0302")
    assert set(answer.json()) == {"error_msg", "error_code", "request_id"}


@pytest.mark.parametrize(
    ("permission", "body", "number"),
    [
        (UPDATE, {}, 6335),
        (UPDATE, {"description": "a/b"}, 6334),
        (UPDATE, [], 6336),
        (ACTION, {"action": "none"}, 6336),
    ],
)
def test_an_invalid_request_tells_what_its_caller_may_do(cloud: Cloud, permission: str, body: Any, number: int) -> None:
    """The permission is looked at before the body: 403 without it, the body's own code with it, and no change."""
    before = cloud.get()
    assert code(send(cloud, permission, body=body)) == (400, f"ModelArts.{number}")
    deny(cloud, permission)
    assert code(send(cloud, permission, body=body)) == (403, "ModelArts.6407")
    assert cloud.get() == before


@pytest.mark.parametrize("permission", [GET, UPDATE, ACTION])
def test_a_missing_permission_tells_nothing_of_the_instance(cloud: Cloud, permission: str) -> None:
    """Whether it exists or not."""
    deny(cloud, permission)
    assert code(send(cloud, permission, f"{INSTANCES}/DE-no")) == (403, "ModelArts.6407")


def test_who_asks_is_looked_at_before_what_it_may_do(cloud: Cloud) -> None:
    """401 without credentials, the gateway's 403 for another project, and 405 for what nobody may."""
    deny(cloud, *ALL)
    assert code(cloud.request("PUT", INSTANCE, headers={}, json={})) == (401, "APIGW.0301")
    assert code(cloud.request("GET", INSTANCE.replace(defaults.PROJECT_ID, "0" * 32))) == (403, "APIGW.0302")
    assert cloud.request("DELETE", INSTANCE).status_code == 405
    assert cloud.login().status_code == 201


def test_a_late_write_needs_its_permission_when_it_is_sent(cloud: Cloud) -> None:
    """Denied then, it never lands."""
    deny(cloud, UPDATE)
    cloud.fault(kind="late", method="PUT", seconds=5)
    with pytest.raises(httpx.ReadError):
        send(cloud, UPDATE)
    cloud.control("PATCH", "/permissions", {UPDATE: True})
    cloud.clock.advance(10)
    assert cloud.get()["description"] != "changed"


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ([], "must be a JSON object"),
        ({"update": False}, "There is no permission 'update'"),
        ({UPDATE: "no"}, f"{UPDATE} is true or false"),
        ({UPDATE: False, GET: 0}, f"{GET} is true or false"),
    ],
)
def test_permissions_that_make_no_sense_are_refused_and_none_is_taken(cloud: Cloud, body: Any, words: str) -> None:
    """In words that name what is known."""
    answer = cloud.control("PATCH", "/permissions", body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert cloud.control("GET", "/permissions").json() == dict.fromkeys(ALL, True)


def test_the_callers_user_id_is_seen_signed_or_not(cloud: Cloud) -> None:
    """`x-modelarts-user-id` goes along as it is, and is none where it was not sent."""
    assert by_old(cloud, X_Modelarts_User_Id=defaults.USER_ID).status_code == 200
    assert by_old(cloud, headers={"x-modelarts-user-id": "unsigned"}).status_code == 200
    assert cloud.request("GET", INSTANCE, headers={**BY_TOKEN, "X-ModelArts-User-Id": "by-token"}).status_code == 200
    assert by_old(cloud).status_code == 200
    assert [seen["user_id"] for seen in cloud.seen()] == [defaults.USER_ID, "unsigned", "by-token", None]


def test_a_signed_user_id_cannot_be_exchanged(cloud: Cloud) -> None:
    """It is part of what is signed, then."""
    options = {"X_Modelarts_User_Id": defaults.USER_ID, "headers": {"X-Modelarts-User-Id": "another"}}
    assert "does not match" in by_old(cloud, **options).json()["error_msg"]
