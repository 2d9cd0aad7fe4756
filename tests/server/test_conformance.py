"""Every answer is what the packaged OpenAPI document says, whatever is asked."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import yaml
from conftest import Ask, Reply, control
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from jupyter_autostop.emulator.server import EmulatorServer

DOCUMENT = yaml.safe_load((files("jupyter_autostop.server") / "openapi.yaml").read_text(encoding="utf-8"))
ID = "urn:openapi"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=10,
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "description": st.text(max_size=520) | json_values,
        "auto_stop": st.fixed_dictionaries(
            {},
            optional={
                "enable": st.booleans() | json_values,
                "duration": st.sampled_from([3599, 3600, 7200, 86400, 86401]) | json_values,
                "prompt": st.booleans() | json_values,
            },
        )
        | json_values,
    },
)
extends = st.fixed_dictionaries(
    {},
    optional={
        "by": st.integers(-10, 10**30) | json_values,
        "until": st.integers(0, 10**15) | json_values,
    },
)
holds = st.fixed_dictionaries(
    {"until": st.integers(0, 10**15) | json_values},
    optional={
        "id": st.sampled_from(["a", "b-1", "a/b", ""]) | json_values,
        "kernel_id": st.just("none") | json_values,
        "reason": st.text(max_size=220) | json_values,
        "then": st.sampled_from(["restore", "stop", "wait"]) | json_values,
        "pid": st.just(1) | json_values,
        "pid_space": st.sampled_from(["boot pid:[1]", "", "é"]) | json_values,
        "pid_started": st.sampled_from(["1", "", "-1"]) | json_values,
        "lock": st.sampled_from(["0" * 32, "../" * 10 + "ab", ""]) | json_values,
    },
)

page_zones = st.fixed_dictionaries(
    {"page": st.sampled_from(["a", "a b", ""]) | json_values, "zone": st.sampled_from(["UTC", None]) | json_values},
    optional={"kernels": st.lists(st.text(max_size=3), max_size=3) | json_values},
)


def resolve(node: Any) -> Any:
    """Follow a `$ref` of the document."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = DOCUMENT
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def check(path: str, method: str, reply: Reply) -> None:
    """Assert that an answer has a documented status, the schema of that status, and its required headers."""
    documented = DOCUMENT["paths"][f"/{path}"][method.lower()]["responses"]
    assert str(reply.status) in documented, (method, path, reply)
    response = resolve(documented[str(reply.status)])
    schema = response["content"]["application/json"]["schema"]
    # References in the document are to the document, so it is the root schema of its own parts.
    validator = Draft202012Validator({**DOCUMENT, **schema})
    errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(reply.json)]
    assert errors == [], (method, path, reply)
    assert reply.headers["Content-Type"] == "application/json"
    for name, header in response.get("headers", {}).items():
        assert not header.get("required") or reply.headers.get(name), name


def registered(router: Any) -> Iterator[tuple[str, type]]:
    """Yield the pattern and the handler of every route of a running server that is ours."""
    for rule in router.rules:
        if hasattr(rule.target, "rules"):
            yield from registered(rule.target)
        elif isinstance(rule.target, type) and rule.target.__module__.startswith("jupyter_autostop"):
            yield rule.matcher.regex.pattern, rule.target


def test_the_document_lists_the_routes(jp_serverapp: Any) -> None:
    """The document and the running server know the same routes and verbs, parameters in the path included."""
    root = f"{jp_serverapp.base_url}jupyter-autostop"
    implemented = {
        re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", pattern.removeprefix(root).removesuffix("$")): {
            verb for verb in ("get", "head", "patch", "post", "put", "delete") if verb in vars(handler)
        }
        for pattern, handler in registered(jp_serverapp.web_app.default_router)
    }
    assert implemented == {path: set(item) for path, item in DOCUMENT["paths"].items()}


def test_any_body_gets_a_documented_answer(
    ask: Ask, emulator: EmulatorServer, jp_asyncio_loop: asyncio.AbstractEventLoop
) -> None:
    """Whatever is sent to whichever route, the answer is by contract; a refused body reaches no platform."""

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        st.sampled_from(["now", "next_start"]),
        st.one_of(
            st.tuples(st.just("instance"), st.just("PATCH"), changes | json_values),
            st.tuples(st.just("extend"), st.just("POST"), extends | json_values),
            st.tuples(st.just("holds"), st.just("POST"), holds | json_values),
            st.tuples(st.just("zone"), st.just("POST"), page_zones | json_values),
        ),
    )
    def try_it(applies: Any, request: tuple[str, str, Any]) -> None:
        route, method, body = request
        emulator.emulator.behaviour.duration_applies = applies
        emulator.emulator.record.clear()
        reply = jp_asyncio_loop.run_until_complete(ask(method, route, json.dumps(body)))
        check(route, method, reply)
        sent = [seen["body"] for seen in emulator.emulator.record.shown() if seen["method"] == "PUT"]
        if reply.status == 400:
            assert sent == []
        for change in sent:
            assert len(change.get("description", "")) <= 512
            auto_stop = change.get("spec", {}).get("auto_stop")
            assert auto_stop is None or set(auto_stop) == {"enable", "duration", "prompt"}
            assert auto_stop is None or 3600 <= auto_stop["duration"] <= 86400

    try_it()


async def test_states_conform(ask: Ask, emulator: EmulatorServer) -> None:
    """The State conforms when running, off, stopping, throttled, unknown and refused."""
    instance = emulator.emulator.instance
    check("instance", "GET", await ask("GET", "instance"))
    check("instance", "PATCH", await ask("PATCH", "instance", {"auto_stop": {"enable": False}}))
    check("instance", "PATCH", await ask("PATCH", "instance", {"auto_stop": {"enable": True}}))
    check("extend", "POST", await ask("POST", "extend", {"by": 60}))
    check("instance", "GET", await ask("GET", "instance"))
    until = (await ask("GET", "instance")).json["server_time"] + 7_200_000
    check("holds", "POST", await ask("POST", "holds", {"until": until, "id": "one"}))
    check("holds", "POST", await ask("POST", "holds", {"until": until, "id": "one", "then": "stop"}))
    check("holds", "POST", await ask("POST", "holds", {"until": 1}))
    check("instance", "GET", await ask("GET", "instance"))
    check("holds/{hold_id}", "DELETE", await ask("DELETE", "holds/one"))
    check("holds/{hold_id}", "DELETE", await ask("DELETE", "holds/one"))
    check("instance", "GET", await ask("GET", "instance", params={"refresh": "maybe"}))
    kernel = {"X-Autostop-Kernel": "k-1"}
    check("instance", "GET", await ask("GET", "instance", headers=kernel))
    check("zone", "POST", await ask("POST", "zone", {"page": "p", "zone": "Asia/Shanghai", "kernels": ["k-1"]}))
    check("instance", "GET", await ask("GET", "instance", headers=kernel))
    check("stop", "POST", await ask("POST", "stop"))
    check("extend", "POST", await ask("POST", "extend", {"by": 60}))
    assert instance.status == "STOPPING"
    await control(emulator, {"kind": "html", "times": 0})
    reply = await ask("GET", "instance", params={"refresh": "1"})
    check("instance", "GET", reply)
    assert reply.json["problem"] is not None
