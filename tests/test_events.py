"""Pushes: each change of the State is told on the server's event bus, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import Ask, settle

from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.server.app import EVENT_ID


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


async def test_anybody_can_post_an_event_and_it_changes_nothing(jp_fetch: Any, ask: Ask, heard: list[Any]) -> None:
    """An event posted by a client carries no State, so it can claim none."""
    await ask("GET", "instance")
    body = f'{{"schema_id": "{EVENT_ID}", "version": "1", "data": {{"state_version": "0.0", "deadline": null}}}}'
    with pytest.raises(Exception, match="400"):
        await jp_fetch("api", "events", method="POST", body=body)
    state = (await ask("GET", "instance")).json
    assert state["deadline"] is not None
