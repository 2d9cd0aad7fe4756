"""A missing IAM action is named where it is missed, and nothing is written past it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import Ask

from jupyter_autostop.emulator.server import EmulatorServer

CASES: list[tuple[str, str, str, Any]] = [
    ("get", "GET", "instance?refresh=1", None),
    ("get", "PATCH", "instance", {"description": "x"}),
    ("update", "PATCH", "instance", {"description": "x"}),
    ("update", "POST", "extend", {"by": 60}),
    ("action", "POST", "stop", None),
]


@pytest.mark.parametrize("denied_by", ["modelarts", "gateway"])
@pytest.mark.parametrize(("action", "verb", "route", "body"), CASES)
async def test_the_missing_action_is_named(
    ask: Ask, emulator: EmulatorServer, denied_by: str, action: str, verb: str, route: str, body: Any
) -> None:
    """The refusal is a 502 that names this one action, or the State's problem; the instance is as it was."""
    async with httpx.AsyncClient(trust_env=False, base_url=f"{emulator.url}/_emulator") as control:
        (await control.patch("/behaviour", json={"denied_by": denied_by})).raise_for_status()
        (await control.patch("/permissions", json={f"modelarts:notebook:{action}": False})).raise_for_status()
    route, _, query = route.partition("?")
    reply = await ask(verb, route, body, params={"refresh": "1"} if query else None)
    told = reply.json["problem"] if verb == "GET" else reply.json
    assert reply.status == (200 if verb == "GET" else 502)
    assert told["code"] in ("ModelArts.6407", "APIGW.0302")
    assert [name for name in ("get", "update", "action") if f"modelarts:notebook:{name}" in told["hint"]] == [action]
    instance = next(iter(emulator.emulator.instances.values())).answer(0)
    assert instance["status"] == "RUNNING"
    assert instance["description"] != "x"
