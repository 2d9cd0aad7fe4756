"""The emulator lets in what the gateway would, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from emulator_support import BY_TOKEN, INSTANCE, INSTANCES, START, Cloud, code, signed_headers

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.gate import Keys

if TYPE_CHECKING:
    import httpx

BODY = b'{"description":"signed"}'


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    with Cloud() as cloud:
        yield cloud


def signed(
    cloud: Cloud, method: str = "GET", path: str = INSTANCE, body: bytes = b"", **options: Any
) -> dict[str, str]:
    host = cloud.server.url.removeprefix("http://")
    now = options.pop("now", cloud.clock.time())
    return signed_headers(now, method, path, body, host=host, **options)


def refused(answer: httpx.Response, words: str) -> None:
    """The gateway's 401, in its own shape of body."""
    assert code(answer) == (401, "APIGW.0301")
    assert set(answer.json()) == {"error_msg", "error_code", "request_id"}
    assert answer.json()["request_id"] == answer.headers["X-Request-Id"]
    assert words in answer.json()["error_msg"]
    for secret in (defaults.SECRET_KEY, defaults.TOKEN, defaults.SECURITY_TOKEN):
        assert secret not in answer.text


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", INSTANCE), ("PUT", INSTANCE), ("POST", f"{INSTANCE}/action"), ("GET", f"{INSTANCES}?de_type=Notebook")],
)
def test_no_route_answers_without_credentials(cloud: Cloud, method: str, path: str) -> None:
    """Neither reads nor writes."""
    refused(cloud.request(method, path, headers={}, json={}), "neither X-Auth-Token nor a signature")
    assert cloud.get()["status"] == "RUNNING"


def test_the_token_opens_and_another_does_not(cloud: Cloud) -> None:
    """`X-Auth-Token` must be the emulator's own."""
    assert cloud.request("GET", INSTANCE, headers=BY_TOKEN).status_code == 200
    refused(cloud.request("GET", INSTANCE, headers={"X-Auth-Token": defaults.TOKEN + "x"}), "the token is wrong")
    refused(cloud.request("GET", INSTANCE, headers={"X-Auth-Token": ""}), "the token is wrong")


def test_a_good_signature_opens(cloud: Cloud) -> None:
    """GET, PUT with a body, and a list with a query to be sorted and encoded."""
    assert cloud.request("GET", INSTANCE, headers=signed(cloud)).status_code == 200
    headers = signed(cloud, "PUT", body=BODY, Content_Type="application/json")
    assert cloud.request("PUT", INSTANCE, headers=headers, content=BODY).status_code == 200
    query = [("status", "RUNNING"), ("de_type", "Notebook"), ("workspace_id", "a b/ä~")]
    headers = signed(cloud, path=INSTANCES, query=query)
    assert cloud.request("GET", INSTANCES, headers=headers, params=query).status_code == 200


def test_what_was_altered_behind_the_signature_is_refused(cloud: Cloud) -> None:
    """Body, query, method, path, a signed header and the key are all covered."""
    put = signed(cloud, "PUT", body=BODY)
    refused(cloud.request("PUT", INSTANCE, headers=put, content=BODY + b" "), "does not match")
    refused(cloud.request("POST", INSTANCE, headers=put, content=BODY), "does not match")
    refused(cloud.request("PUT", f"{INSTANCE}0", headers=put, content=BODY), "does not match")
    refused(cloud.request("PUT", f"{INSTANCE}?a=b", headers=put, content=BODY), "does not match")
    assert cloud.request("PUT", INSTANCE, headers=put, content=BODY).status_code == 200
    refused(cloud.request("PUT", INSTANCE, headers={**put, "Host": "127.0.0.1:1"}, content=BODY), "does not match")
    refused(cloud.request("GET", INSTANCE, headers=signed(cloud, secret_key="guessed")), "does not match")
    refused(cloud.request("GET", INSTANCE, headers=signed(cloud, access_key="AK")), "no such access key")


@pytest.mark.parametrize("name", ["Host", "X-Sdk-Date", "X-Project-Id"])
def test_host_date_and_project_must_be_signed(cloud: Cloud, name: str) -> None:
    """A header that says who asks, where or when is worth nothing unsigned."""
    headers = signed(cloud)
    names = ";".join(part for part in ("host", "x-project-id", "x-sdk-date") if part != name.lower())
    headers["Authorization"] = headers["Authorization"].replace("host;x-project-id;x-sdk-date", names)
    refused(cloud.request("GET", INSTANCE, headers=headers), f"{name.lower()} must be")


def test_the_signed_headers_are_named_in_order(cloud: Cloud) -> None:
    """The list is part of what is signed: in another order it is another request."""
    headers = signed(cloud)
    headers["Authorization"] = headers["Authorization"].replace("host;x-project-id", "x-project-id;host")
    refused(cloud.request("GET", INSTANCE, headers=headers), "does not match")


def test_a_signed_header_must_be_sent(cloud: Cloud) -> None:
    """What is named as signed is there to be checked."""
    headers = signed(cloud, X_Extra="1")
    del headers["X-Extra"]
    refused(cloud.request("GET", INSTANCE, headers=headers), "x-extra was not sent")


@pytest.mark.parametrize(
    "value", ["", "Basic abc", "SDK-HMAC-SHA256 Access=x", "SDK-HMAC-SHA256 Access=a, SignedHeaders=b"]
)
def test_an_authorization_header_of_another_kind_is_refused(cloud: Cloud, value: str) -> None:
    """In words, without a traceback."""
    refused(cloud.request("GET", INSTANCE, headers={"Authorization": value}), "malformed")


@pytest.mark.parametrize("minutes", [-15, 15])
def test_a_date_within_15_minutes_is_good_and_beyond_it_stale(cloud: Cloud, minutes: int) -> None:
    """Measured by the emulator's clock, both ways."""
    at_the_limit = START + minutes * 60
    assert cloud.request("GET", INSTANCE, headers=signed(cloud, now=at_the_limit)).status_code == 200
    beyond = at_the_limit + (1 if minutes > 0 else -1)
    refused(cloud.request("GET", INSTANCE, headers=signed(cloud, now=beyond)), "more than 15 minutes off")


def test_a_date_that_is_none_is_refused(cloud: Cloud) -> None:
    """Signed or not, it has to be one."""
    refused(cloud.request("GET", INSTANCE, headers=signed(cloud, X_Sdk_Date="yesterday")), "no date")


def test_a_temporary_key_needs_its_security_token_signed() -> None:
    """Without it, unsigned or wrong: 401."""
    with Cloud(keys=Keys(temporary=True)) as cloud:
        refused(cloud.request("GET", INSTANCE, headers=signed(cloud)), "needs X-Security-Token")
        unsigned = {**signed(cloud), "X-Security-Token": defaults.SECURITY_TOKEN}
        refused(cloud.request("GET", INSTANCE, headers=unsigned), "x-security-token must be signed")
        wrong = signed(cloud, X_Security_Token="other")
        refused(cloud.request("GET", INSTANCE, headers=wrong), "security token is wrong")
        good = signed(cloud, X_Security_Token=defaults.SECURITY_TOKEN)
        assert cloud.request("GET", INSTANCE, headers=good).status_code == 200


def test_five_bad_signatures_in_a_row_lock_the_key(cloud: Cloud) -> None:
    """Then a good one is refused too, for 5 min; a token still opens."""
    for _ in range(5):
        refused(cloud.request("GET", INSTANCE, headers=signed(cloud, secret_key="guessed")), "does not match")
    refused(cloud.request("GET", INSTANCE, headers=signed(cloud)), "locked")
    assert cloud.request("GET", INSTANCE, headers=BY_TOKEN).status_code == 200
    cloud.clock.advance(299)
    refused(cloud.request("GET", INSTANCE, headers=signed(cloud)), "locked")
    cloud.clock.advance(1)
    assert cloud.request("GET", INSTANCE, headers=signed(cloud)).status_code == 200


def test_a_good_signature_in_between_counts_anew(cloud: Cloud) -> None:
    """Four bad ones, a good one, four bad ones: not locked."""
    for _ in range(2):
        for _ in range(4):
            refused(cloud.request("GET", INSTANCE, headers=signed(cloud, secret_key="guessed")), "does not match")
        assert cloud.request("GET", INSTANCE, headers=signed(cloud)).status_code == 200


def test_another_project_is_403(cloud: Cloud) -> None:
    """In the path, or in a signed X-Project-Id."""
    answer = cloud.request("GET", INSTANCE.replace(defaults.PROJECT_ID, "0" * 32))
    assert code(answer) == (403, "APIGW.0302")
    assert code(cloud.request("GET", INSTANCE, headers=signed(cloud, X_Project_Id="0" * 32))) == (403, "APIGW.0302")


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v2/x/notebooks", f"{INSTANCE}/start", f"{INSTANCE}/", f"{INSTANCES}/a/b/c"]
)
def test_an_unknown_path_is_404(cloud: Cloud, path: str) -> None:
    """The gateway's own, before it asks who is there."""
    assert code(cloud.request("GET", path, headers={})) == (404, "APIGW.0101")


def test_the_signature_is_checked_by_the_published_vector() -> None:
    """A request signed by the vendor's SDK (its date, key and path as published) opens the emulator."""
    keys = Keys(
        "AKIDEXAMPLE0123456789",
        "skexampleskexampleskexampleskexample0123",
        project_id="a4a5d4098fb4474fa22cd05f897d6b99",
    )
    with Cloud(keys=keys) as cloud:
        cloud.clock.advance(1_704_164_645 - START)
        cloud.emulator.add("DE-7d558ef8-c73d-11ea-964c-0255ac100033", name="vector")
        headers = {
            "Host": "modelarts.cn-north-4.myhuaweicloud.com",
            "Content-Type": "application/json",
            "X-Project-Id": keys.project_id,
            "X-Sdk-Date": "20240102T030405Z",
            "Authorization": "SDK-HMAC-SHA256 Access=AKIDEXAMPLE0123456789, "
            "SignedHeaders=content-type;host;x-project-id;x-sdk-date, "
            "Signature=d52135eadc711718a607847fcecb56f416084f2d9d260e05efc69deb3e7d0586",
        }
        path = f"/v1/{keys.project_id}/demanager/instances/DE-7d558ef8-c73d-11ea-964c-0255ac100033"
        body = b'{"spec":{"auto_stop":{"enable":true,"duration":7200,"prompt":true}}}'
        answer = cloud.request("PUT", path, headers=headers, content=body)
        assert answer.status_code == 200
        assert answer.json()["spec"]["auto_stop"]["duration"] == 7200
