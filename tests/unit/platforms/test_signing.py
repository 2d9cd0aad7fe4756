"""The request signature: the vendor's own vectors, and the written rules done a second time."""

from __future__ import annotations

import calendar
import hashlib
import hmac
import re
from dataclasses import dataclass, replace

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_autostop.errors import UpstreamError
from jupyter_autostop.platforms.credentials.base import Credentials
from jupyter_autostop.platforms.modelarts.auth import CloudAuth
from jupyter_autostop.platforms.modelarts.signing import authorization, sdk_date, sign

AK, SK = "AKIDEXAMPLE0123456789", "skexampleskexampleskexampleskexample0123"
HOST = "modelarts.cn-north-4.myhuaweicloud.com"
PROJECT = "a4a5d4098fb4474fa22cd05f897d6b99"
PATH = f"/v1/{PROJECT}/demanager/instances/DE-7d558ef8-c73d-11ea-964c-0255ac100033"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Vector:
    """One request whose signature the vendor's SDK has computed."""

    signature: str
    method: str = "PUT"
    host: str = HOST
    path: str = PATH
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b'{"spec":{"auto_stop":{"enable":true,"duration":7200,"prompt":true}}}'
    date: str = "20240102T030405Z"
    project_id: str = PROJECT
    credentials: Credentials = Credentials("vector", access_key=AK, secret_key=SK)  # noqa: RUF009 - frozen too

    def headers(self) -> dict[str, str]:
        headers = {**JSON, "Host": self.host, "X-Sdk-Date": self.date}
        if self.project_id:
            headers["X-Project-Id"] = self.project_id
        if self.credentials.security_token:
            headers["X-Security-Token"] = self.credentials.security_token
        return headers

    def request(self) -> httpx.Request:
        params = dict(self.query) or None
        return httpx.Request(
            self.method, f"https://{self.host}{self.path}", params=params, headers=JSON, content=self.body or None
        )


VECTORS = {
    "V0": Vector(
        "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe",
        method="GET",
        host="service.region.example.com",
        path="/v1/77b6a44cba5143ab91d13ab9a8ff44fd/vpcs",
        query=(("limit", "2"), ("marker", "13551d6b-755d-4757-b956-536f674975c0")),
        body=b"",
        date="20191115T033655Z",
        project_id="",
        credentials=Credentials(
            "vector", access_key="QTWAOYTTINDUT2QVKYUC", secret_key="MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc"
        ),
    ),
    "V1": Vector("d52135eadc711718a607847fcecb56f416084f2d9d260e05efc69deb3e7d0586"),
    "V2": Vector(
        "e8c7d2f9430cc447f11e0bccfa4f72f87658b81e4e6b71a2f1fcab32cd1cb205",
        credentials=Credentials("vector", access_key=AK, secret_key=SK, security_token="SECTOKENEXAMPLE=="),
    ),
    "V3": Vector("30e9d06e6a5e81d77c140e903674d8202a74db7cadd114f44c5440dd8b46964d", method="GET", body=b""),
}
ALL = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS.keys())


def epoch(date: str) -> float:
    return float(calendar.timegm((*(int(part) for part in re.findall(r"^\d{4}|\d{2}", date)),)))


def send(auth: CloudAuth, request: httpx.Request) -> httpx.Request:
    """Return the request as one try of it would leave this machine."""
    request.read()
    auth(request)
    return request


@ALL
def test_the_signer_computes_the_vendors_signatures(vector: Vector) -> None:
    """Each vector's signature comes out, over exactly the headers given."""
    secret_key, headers = vector.credentials.secret_key, vector.headers()
    names, signature = sign(secret_key, vector.method, vector.path, vector.query, headers, vector.body)
    assert signature == vector.signature
    assert names == ";".join(sorted(name.lower() for name in headers))


@ALL
def test_a_request_carries_the_vendors_signature(vector: Vector) -> None:
    """What proves who sends it adds date, project and token, and signs what is really sent."""
    auth = CloudAuth(vector.credentials, vector.host, vector.project_id, lambda: epoch(vector.date))
    request = send(auth, vector.request())
    names = ";".join(sorted(name.lower() for name in vector.headers()))
    assert request.headers["Authorization"] == authorization(vector.credentials.access_key, names, vector.signature)
    assert {name: request.headers.get(name) for name in vector.headers()} == vector.headers()
    assert request.url.path == vector.path, "the slash at the end is in the signature only"
    assert "X-Auth-Token" not in request.headers
    assert vector.credentials.secret_key not in str(request.headers.raw)


def test_a_path_that_ends_with_a_slash_gets_no_second_one() -> None:
    """The signature is over a path with one slash at its end, whether the URL has one or none."""
    vector = VECTORS["V1"]
    secret_key, headers = vector.credentials.secret_key, vector.headers()
    _, signature = sign(secret_key, vector.method, f"{vector.path}/", vector.query, headers, vector.body)
    assert signature == vector.signature


def test_a_date_is_that_of_utc() -> None:
    """X-Sdk-Date is the moment in UTC, to the second below."""
    assert sdk_date(epoch("20240102T030405Z") + 0.999) == "20240102T030405Z"


def test_each_try_is_signed_afresh() -> None:
    """The same request sent later has a new date and a new signature, not the old ones added to."""
    now = [epoch("20240102T030405Z")]
    auth = CloudAuth(VECTORS["V1"].credentials, HOST, PROJECT, lambda: now[0])
    request = VECTORS["V1"].request()
    first = dict(send(auth, request).headers)
    now[0] += 2
    second = dict(send(auth, request).headers)
    assert second["x-sdk-date"] == "20240102T030407Z"
    assert first["authorization"] != second["authorization"]
    now[0] -= 2
    assert dict(send(auth, request).headers) == first


def test_a_token_is_sent_as_it_is() -> None:
    """With a ready token nothing is signed."""
    auth = CloudAuth(Credentials("token", token="a.b.c"), HOST, PROJECT, lambda: 0.0)
    request = send(auth, VECTORS["V3"].request())
    assert request.headers["X-Auth-Token"] == "a.b.c"
    assert "Authorization" not in request.headers


def test_the_notebooks_user_goes_along() -> None:
    """The user's id is sent where it is known, beside a signature that is as it would be without, and else not."""
    known = replace(VECTORS["V1"].credentials, user_id="u-1")
    with_user, without = (
        send(CloudAuth(credentials, HOST, PROJECT, lambda: epoch("20240102T030405Z")), VECTORS["V1"].request())
        for credentials in (known, VECTORS["V1"].credentials)
    )
    assert with_user.headers["x-modelarts-user-id"] == "u-1"
    assert "x-modelarts-user-id" not in without.headers
    assert with_user.headers["Authorization"] == without.headers["Authorization"]


@pytest.mark.parametrize(
    "credentials", [VECTORS["V2"].credentials, Credentials("t", token="a.b.c")], ids=["key", "token"]
)
@pytest.mark.parametrize(
    "url",
    ["https://evil.example/v1", f"https://{HOST}.evil.example/", f"https://{HOST}:8443/", f"https://x{HOST}/", "/v1"],
)
def test_another_host_gets_nothing(credentials: Credentials, url: str) -> None:
    """A request to any other host or port is stopped before a token or a signature is on it."""
    request = httpx.Request("GET", url)
    with pytest.raises(UpstreamError, match=r"^A request to another host .* stopped before signing"):
        send(CloudAuth(credentials, HOST, PROJECT, lambda: 0.0), request)
    assert not {"authorization", "x-auth-token", "x-security-token"} & set(request.headers)


UNRESERVED = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~"


def encoded(text: str) -> str:
    """Percent-encode the UTF-8 of a text, all but RFC 3986's unreserved characters."""
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def by_the_rules(
    method: str, segments: list[str], query: list[tuple[str, str]], headers: dict[str, str], body: bytes
) -> str:
    """Compute a signature from the text of the rules: six parts, hashed, with the date, under the key."""
    lower = sorted((name.lower(), value) for name, value in headers.items())
    canonical = f"{method}\n"
    canonical += "".join(f"/{encoded(segment)}" for segment in segments) + "/\n"
    canonical += "&".join(f"{encoded(name)}={encoded(value)}" for name, value in sorted(query)) + "\n"
    canonical += "".join(f"{name}:{value}\n" for name, value in lower) + "\n"
    canonical += ";".join(name for name, _ in lower) + "\n"
    canonical += hashlib.sha256(body).hexdigest()
    to_sign = f"SDK-HMAC-SHA256\n{headers['X-Sdk-Date']}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    return hmac.new(SK.encode(), to_sign.encode(), "sha256").hexdigest()


TEXT = st.text(st.sampled_from("aZ0-_.~/ +%&=?#:;,@!*'()é中😀") | st.characters(exclude_categories=["Cs"]), max_size=8)
SEGMENT = TEXT.filter(lambda text: text not in ("", ".", ".."))


@settings(deadline=None, max_examples=200)
@given(st.lists(SEGMENT, min_size=1, max_size=4), st.lists(st.tuples(TEXT, TEXT), max_size=4), st.binary(max_size=64))
def test_any_path_query_and_body_is_signed_by_the_rules(
    segments: list[str], query: list[tuple[str, str]], body: bytes
) -> None:
    """Signing a request as httpx sends it gives what the rules, written out a second time, give."""
    url = httpx.URL(f"https://{HOST}/" + "/".join(encoded(segment) for segment in segments), params=query or None)
    request = httpx.Request("PUT", url, headers=JSON, content=body)
    credentials = VECTORS["V1"].credentials
    sent = send(CloudAuth(credentials, HOST, PROJECT, lambda: epoch("20240102T030405Z")), request)
    signature = by_the_rules("PUT", segments, query, VECTORS["V1"].headers(), body)
    assert sent.headers["Authorization"].endswith(f"Signature={signature}")
