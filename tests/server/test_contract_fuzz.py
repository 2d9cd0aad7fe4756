"""Whatever is asked, and whatever the platform answers, this server answers as its OpenAPI document says.

The operations, and what is valid for each, come from the document alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from processes import emulated, running_emulator, running_jupyter
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance
from test_conformance import DOCUMENT

# The same data in every run, whoever runs it.
SAME_DATA = {"deterministic": True, "database": "none"}
CHECKS = {
    # Knows only 401 for a missing login, where Jupyter answers 403; `ignored_auth` sees that nothing is let through.
    "missing_required_header": {"enabled": False},
}
BEYOND_A_SCHEMA = {"until_passed", "until_range", "duration_required", "process_not_found"}
"""Codes of a 400 that depends on the time or on the instance, which no schema can tell."""


def has_fraction(value: Any) -> bool:
    """Tell whether a number is written like 7200.0, an integer to JSON Schema, and by the document's own words none."""
    if isinstance(value, dict):
        return any(has_fraction(part) for part in value.values())
    return isinstance(value, float)


def is_beyond(case: Any, response: Any) -> bool:
    """Tell whether a request that fits the schema was refused for what no schema can tell."""
    if response.status_code != 400:
        return False
    return response.json()["code"] in BEYOND_A_SCHEMA or has_fraction(case.body)


def load(examples: int, **more: Any) -> Any:
    """Return the document as a source of tests, so many random ones for each operation beside those at the limits."""
    generation = {**SAME_DATA, "max-examples": examples, **more.pop("generation", {})}
    config = {"seed": 1, "checks": CHECKS, "generation": generation, **more}
    return schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(config))


@dataclass
class Running:
    """A Jupyter server with the emulator behind it, both processes of their own."""

    base_url: str
    token: str
    control: httpx.Client
    session: requests.Session

    def reset(self, **behaviour: str) -> None:
        """Let the instance run again, healthy."""
        self.control.delete("/_emulator/faults").raise_for_status()
        self.control.patch("/_emulator/behaviour", json={"duration_applies": "now", **behaviour}).raise_for_status()
        self.control.patch("/_emulator/instance", json={"remaining": 3000, "reset": True}).raise_for_status()

    def ask(self, case: Any) -> Any:
        """Send a generated request."""
        headers = {"Authorization": f"token {self.token}"}
        return case.call(base_url=self.base_url, headers=headers, session=self.session)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with ExitStack() as stack:
        endpoint = stack.enter_context(running_emulator())
        folder = tmp_path_factory.mktemp("jupyter")
        server = stack.enter_context(
            running_jupyter(folder, "--AutostopApp.request_timeout=1.5", settings=emulated(endpoint))
        )
        session = stack.enter_context(requests.Session())
        session.trust_env = False
        # Jupyter hands out a login as a cookie, by which a later request without a token would get in.
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        control = stack.enter_context(httpx.Client(base_url=endpoint, trust_env=False))
        yield Running(f"{server.url}jupyter-autostop", server.token, control, session)


HEALTHY = load(20)


@pytest.mark.parametrize("applies", ["now", "next_start"])
@HEALTHY.parametrize()
def test_any_request_gets_a_documented_answer(case: Any, running: Running, applies: str) -> None:
    """Valid data are taken, invalid ones refused, other methods too; status, type, headers, body are by contract."""
    running.reset(duration_applies=applies)
    response = running.ask(case)
    excluded = [positive_data_acceptance] if is_beyond(case, response) else []
    if case.operation.label == "GET /instance" and "refresh" not in (case.query or {}):
        # A parameter that nobody knows is ignored, as JupyterLab adds one of its own to get past caches; what `refresh`
        # may be is still checked, and so is every other route.
        excluded.append(negative_data_rejection)
    case.validate_response(response, excluded_checks=excluded)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    # What no UTF-8 can carry cannot be asked for.
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "code", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    [
        *("id", "name", "description", "status", "creation_timestamp", "latest_update_timestamp", "profile", "flavor"),
        *("flavor_details", "pool", "spec", "workspace", "ai_project", "error_code", "queuing_info", "user"),
        *("repository", "spec.auto_stop", "spec.storage", "spec.failed_reasons", "profile.id", "user.name"),
        *(f"spec.auto_stop.{key}" for key in ("enable", "duration", "prompt", "stop_timestamp", "remain_time")),
    ]
)
CODES = st.sampled_from(["ModelArts.6309", "ModelArts.6357", "ModelArts.9999", "APIGW.0301", "APIG.0308", "IAM.0101"])
STATUSES = st.sampled_from([200, 204, 301, 400, 401, 403, 404, 408, 409, 418, 429, 500, 502, 503, 504, 599])
BODIES = st.one_of(
    st.fixed_dictionaries({"error_code": CODES | JSON, "error_msg": JSON}),
    st.fixed_dictionaries({"error": st.fixed_dictionaries({"code": CODES | JSON, "message": JSON})}),
    JSON,
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
FAULTS = st.one_of(
    st.fixed_dictionaries({"kind": st.just("alter"), "set": st.dictionaries(FIELDS, JSON, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"kind": st.just("alter"), "remove": st.lists(FIELDS, min_size=1, max_size=3)}),
    st.fixed_dictionaries({"kind": st.just("status"), "status": STATUSES, "body": BODIES}),
    # No time to wait for: whatever is asked next is not to be answered out of a rest.
    st.fixed_dictionaries(
        {"kind": st.just("status"), "status": st.just(429), "headers": st.just({"Retry-After": "0"})}
    ),
    st.sampled_from([{"kind": kind} for kind in ("html", "redirect", "reset", "cut", "close", "lost_answer")]),
    st.fixed_dictionaries({"kind": st.just("wrong_date"), "seconds": st.sampled_from([-1e9, -3600, 3600, 1e9])}),
)
BROKEN = load(40, phases={"coverage": {"enabled": False}}, generation={"mode": "positive"})


@BROKEN.parametrize()
@BROKEN.given(fault=FAULTS, method=st.sampled_from(["GET", "PUT", "POST", None]), times=st.integers(0, 2))
def test_whatever_the_platform_answers(
    case: Any, running: Running, fault: dict[str, Any], method: str | None, times: int
) -> None:
    """A platform that answers nonsense or nothing ends in a documented answer, and in no 500."""
    running.reset()
    body = {**fault, "method": method, "times": times}
    running.control.post("/_emulator/faults", json=body).raise_for_status()
    response = running.ask(case)
    case.validate_response(response, excluded_checks=[not_a_server_error, positive_data_acceptance])
    assert response.status_code in (200, 201, 202, 400, 404, 409, 502, 503, 504)
