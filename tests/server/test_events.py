"""Pushes: each change of the State is told on the server's event bus, and nothing else is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from conftest import Ask, ManualClock, control, settle
from fakes import until

from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.server.app import EVENT_ID, LOOK_EVENT_ID


@pytest.fixture
def autostop_config(emulator: EmulatorServer) -> dict[str, Any]:
    """Calls to the platform may take as long as a test lets them."""
    return {"platform": "emulator", "endpoint": emulator.url, "request_timeout": 60.0}


@pytest.fixture
def heard(jp_serverapp: Any) -> list[Any]:
    """What a subscriber of the event bus receives."""
    events: list[Any] = []

    async def listen(logger: Any, schema_id: str, data: Any) -> None:
        events.append(data)

    jp_serverapp.event_logger.add_listener(schema_id=EVENT_ID, listener=listen)
    return events


async def test_a_change_is_told_once(ask: Ask, heard: list[Any], emulator: EmulatorServer) -> None:
    """The first answer, a change made here and one made elsewhere are each one event, with the version only."""
    state = (await ask("GET", "instance")).json
    await settle()
    assert heard == [{"state_version": state["version"]}]
    state = (await ask("PATCH", "instance", {"description": "here"})).json
    await settle()
    assert heard[1:] == [{"state_version": state["version"]}]
    emulator.emulator.instance.description = "elsewhere"
    state = (await ask("GET", "instance", params={"refresh": "1"})).json
    await settle()
    assert heard[2:] == [{"state_version": state["version"]}]


async def test_looking_tells_nothing(ask: Ask, heard: list[Any]) -> None:
    """Reading the State, also from the platform, is no event while nothing changes."""
    await ask("GET", "instance")
    await settle()
    heard.clear()
    for _ in range(3):
        await ask("GET", "instance", params={"refresh": "1"})
    await settle()
    assert heard == []


async def test_a_look_that_confirms_says_when(jp_serverapp: Any, ask: Ask) -> None:
    """So that a page shows how fresh its knowledge is without asking."""
    looks: list[Any] = []

    async def listen(logger: Any, schema_id: str, data: Any) -> None:
        looks.append(data)

    jp_serverapp.event_logger.add_listener(schema_id=LOOK_EVENT_ID, listener=listen)
    await ask("GET", "instance")
    state = (await ask("GET", "instance", params={"refresh": "1"})).json
    await settle()
    assert looks == [{"confirmed_at": state["confirmed_at"]}]


async def test_anybody_can_post_an_event_and_it_changes_nothing(jp_fetch: Any, ask: Ask, heard: list[Any]) -> None:
    """An event posted by a client carries no State, so it can claim none."""
    await ask("GET", "instance")
    body = f'{{"schema_id": "{EVENT_ID}", "version": "1", "data": {{"state_version": "0.0", "deadline": null}}}}'
    with pytest.raises(Exception, match="400"):
        await jp_fetch("api", "events", method="POST", body=body)
    state = (await ask("GET", "instance")).json
    assert state["deadline"] is not None


@pytest.mark.parametrize("applies", ["now", "next_start"], ids=["moved", "held"])
async def test_who_comes_in_the_middle_of_an_extension_is_told_of_its_end(
    ask: Ask,
    emulator: EmulatorServer,
    clock: ManualClock,
    jp_ws_fetch: Any,
    jp_http_port: int,
    jp_base_url: str,
    jp_auth_header: dict[str, str],
    applies: Any,
) -> None:
    """A page that is reloaded takes its connection with it, not the change; the new one first sees the old stop."""
    emulator.emulator.behaviour.duration_applies = applies
    old = (await ask("GET", "instance")).json["deadline"]["stop_timestamp"]
    await control(emulator, {"kind": "slow", "method": "PUT", "seconds": 5})
    body = json.dumps({"until": old + 3_600_000}).encode()
    head = [
        f"POST {jp_base_url}jupyter-autostop/extend HTTP/1.1",
        f"Host: localhost:{jp_http_port}",
        *(f"{name}: {value}" for name, value in jp_auth_header.items()),
        f"Content-Length: {len(body)}",
    ]
    _, page = await asyncio.open_connection("localhost", jp_http_port)
    page.write("\r\n".join([*head, "", ""]).encode() + body)
    await until(lambda: emulator.emulator.record.shown()[-1]["fault"] == "slow")
    page.transport.abort()
    events = await jp_ws_fetch("api", "events", "subscribe")
    assert (await ask("GET", "instance")).json["deadline"]["stop_timestamp"] == old
    await clock.pass_time(5)
    told = json.loads(await asyncio.wait_for(events.read_message(), 60))
    state = (await ask("GET", "instance")).json
    assert told["schema_id"] == EVENT_ID
    assert state["version"] == told["state_version"]
    assert state["deadline"]["stop_timestamp"] >= old + 3_600_000
    assert state["deadline"]["kept_by"] == ("platform" if applies == "now" else "server")
    events.close()
