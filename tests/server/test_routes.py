"""The routes, from a real Jupyter server over HTTP to the emulator over HTTP."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import Ask, ManualClock, control
from jupyter_server.auth import IdentityProvider, User

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.server import EmulatorServer

INSTANCE = f"/v1/{defaults.PROJECT_ID}/demanager/instances/{defaults.INSTANCE_ID}"


def writes(emulator: EmulatorServer) -> list[Any]:
    return [seen["body"] for seen in emulator.emulator.record.shown() if seen["method"] != "GET"]


async def test_the_state(ask: Ask, emulator: EmulatorServer, clock: ManualClock) -> None:
    """GET tells the instance, its deadline on the platform's clock, and that it is emulated."""
    reply = await ask("GET", "instance")
    assert reply.status == 200
    state = reply.json
    assert state["instance"]["id"] == defaults.INSTANCE_ID
    assert state["instance"]["status"] == "RUNNING"
    assert state["deadline"] == {
        "stop_timestamp": emulator.emulator.instance.run.stop_at,
        "kept_by": "platform",
    }
    assert abs(state["server_time"] - clock.time() * 1000) <= 1500
    assert state["emulated"] is True
    assert state["platform"] == "demanager"
    assert state["problem"] is None
    assert reply.headers["Cache-Control"] == "no-store"


async def test_a_get_changes_nothing(ask: Ask, emulator: EmulatorServer) -> None:
    """Looking, with or without refresh, sends the platform nothing but GETs."""
    for query in ({}, {"refresh": "1"}, {"refresh": "0"}):
        assert (await ask("GET", "instance", params=query)).status == 200
    assert writes(emulator) == []
    assert {seen["method"] for seen in emulator.emulator.record.shown()} == {"GET"}


async def test_refresh_asks_the_platform(ask: Ask, emulator: EmulatorServer) -> None:
    """A cached look makes no call, `refresh=1` makes one, anything else is refused."""
    await ask("GET", "instance")
    await ask("GET", "instance")
    assert len(emulator.emulator.record.shown()) == 1
    await ask("GET", "instance", params={"refresh": "1"})
    assert len(emulator.emulator.record.shown()) == 2
    for wrong in ("yes", b"\xff"):
        reply = await ask("GET", "instance", params={"refresh": wrong})
        assert (reply.status, reply.json["code"]) == (400, "invalid_query")


async def test_patch(ask: Ask, emulator: EmulatorServer) -> None:
    """PATCH changes description and auto-stop at the platform and answers with what it then says."""
    reply = await ask("PATCH", "instance", {"description": "run 7"})
    assert (reply.status, reply.json["outcome"]["effect"]) == (200, "now")
    assert reply.json["instance"]["description"] == "run 7"
    reply = await ask("PATCH", "instance", {"auto_stop": {"enable": False}})
    assert (reply.json["deadline"], reply.json["problem"], reply.json["outcome"]["effect"]) == (None, None, "now")
    reply = await ask("PATCH", "instance", {"auto_stop": {"enable": True, "duration": 14400}})
    assert reply.json["deadline"] is not None
    assert writes(emulator)[0] == {"description": "run 7"}
    assert writes(emulator)[1] == {"spec": {"auto_stop": {"enable": False, "duration": 3600, "prompt": True}}}


async def test_an_idle_rule(ask: Ask, emulator: EmulatorServer) -> None:
    """A run that ends with idleness has no deadline, is not off, and is neither extended nor held; off it can be."""
    instance = emulator.emulator.instance
    assert instance.run is not None
    instance.run.stop_at = None
    instance.raw["lease"] = {"type": "IDLE", "enable": True, "duration": 3_600_000}
    state = (await ask("GET", "instance")).json
    assert (state["deadline"], state["problem"]["code"], state["auto_stop"]["enable"]) == (None, "idle_rule", True)
    assert "lease" not in state["instance"]
    assert state["limits"]["can_extend"] is False
    assert "idle" in state["limits"]["why_not"]["extend"]
    until = state["server_time"] + 3_600_000
    for route, body in (("extend", {"by": 3600}), ("extend", {"until": until}), ("holds", {"until": until})):
        reply = await ask("POST", route, body)
        assert (reply.status, reply.json["code"]) == (409, "no_deadline")
    assert writes(emulator) == []
    state = (await ask("PATCH", "instance", {"auto_stop": {"enable": False}})).json
    assert (state["deadline"], state["problem"], state["outcome"]["effect"]) == (None, None, "now")


async def test_if_match(ask: Ask, emulator: EmulatorServer) -> None:
    """The version sent back guards its part; the second of two gets 409 with the current State."""
    version = (await ask("GET", "instance")).json["version"]
    headers = {"If-Match": f'"{version}"'}
    assert (await ask("PATCH", "instance", {"description": "one"}, headers=headers)).status == 200
    reply = await ask("PATCH", "instance", {"description": "two"}, headers=headers)
    assert (reply.status, reply.json["code"]) == (409, "changed_elsewhere")
    assert reply.json["state"]["instance"]["description"] == "one"
    newer = {"If-Match": reply.json["state"]["version"]}
    assert (await ask("PATCH", "instance", {"description": "two"}, headers=newer)).status == 200
    assert (await ask("PATCH", "instance", {"description": "three"}, headers={"If-Match": "*"})).status == 200
    reply = await ask("PATCH", "instance", {"description": "four"}, headers={"If-Match": "yesterday"})
    assert (reply.status, reply.json["code"]) == (400, "invalid_version")
    assert writes(emulator) == [{"description": "one"}, {"description": "two"}, {"description": "three"}]
    emulator.emulator.instance.duration = 7200
    wish = {"until": emulator.emulator.now() + 7_200_000}
    reply = await ask("POST", "holds", wish, headers=newer)
    assert (reply.status, reply.json["code"]) == (409, "changed_elsewhere")
    assert reply.json["state"]["holds"] == []


@pytest.mark.parametrize(("applies", "effect"), [("now", "now"), ("next_start", "held")])
async def test_extend(ask: Ask, emulator: EmulatorServer, applies: Any, effect: str) -> None:
    """What an extension is said to have done is what the platform did with it."""
    emulator.emulator.behaviour.duration_applies = applies
    shown = (await ask("GET", "instance")).json["deadline"]["stop_timestamp"]
    reply = await ask("POST", "extend", {"by": 3600})
    assert (reply.status, reply.json["outcome"]["effect"]) == (200, effect)
    moved = reply.json["deadline"]["stop_timestamp"] - shown
    # Ours is known by its odd second.
    assert moved == (3_601_000 if effect == "now" else 3_600_000)
    assert reply.json["auto_stop"]["duration"] == (7201 if effect == "now" else 3600)
    assert reply.json["deadline"]["kept_by"] == ("platform" if effect == "now" else "server")
    assert (emulator.emulator.instance.run.stop_at is None) == (effect == "held")
    again = await ask("POST", "extend", {"until": shown + 3_600_000})
    assert again.json["outcome"]["effect"] == "none"


async def test_stop(ask: Ask, emulator: EmulatorServer) -> None:
    """Stop is accepted with 202 and seen; what is stopping cannot be extended or stopped again."""
    reply = await ask("POST", "stop")
    assert (reply.status, reply.json["instance"]["status"]) == (202, "STOPPING")
    assert emulator.emulator.instance.status == "STOPPING"
    for route, body in (("stop", None), ("extend", {"by": 60})):
        reply = await ask("POST", route, body)
        assert (reply.status, reply.json["code"]) == (409, "ModelArts.6308")
        assert reply.json["state"]["instance"]["status"] == "STOPPING"


@pytest.mark.parametrize(
    ("route", "method", "body", "code"),
    [
        ("instance", "PATCH", "", "invalid_body"),
        ("instance", "PATCH", "[]", "invalid_body"),
        ("instance", "PATCH", "{}", "invalid_body"),
        ("instance", "PATCH", "{", "invalid_body"),
        ("instance", "PATCH", "null", "invalid_body"),
        ("instance", "PATCH", b"\xff\xfe", "invalid_body"),
        ("instance", "PATCH", '{"auto_stop": {"duration": NaN}}', "invalid_body"),
        ("instance", "PATCH", '{"auto_stop": {"duration": 1e999}}', "invalid_body"),
        ("instance", "PATCH", "[" * 30_000, "invalid_body"),
        ("instance", "PATCH", '{"a":' * 10_000, "invalid_body"),
        ("instance", "PATCH", '{"description": "' + "x" * 70_000 + '"}', "invalid_body"),
        ("instance", "PATCH", '{"description": "x", "name": "y"}', "invalid_body"),
        ("instance", "PATCH", '{"auto_stop": {"enabled": true}}', "invalid_body"),
        ("instance", "PATCH", '{"auto_stop": {}}', "invalid_body"),
        ("instance", "PATCH", '{"auto_stop": {"duration": 3599}}', "duration_range"),
        ("instance", "PATCH", '{"auto_stop": {"duration": 86401}}', "duration_range"),
        ("instance", "PATCH", '{"auto_stop": {"duration": "7200"}}', "invalid_body"),
        ("instance", "PATCH", '{"auto_stop": {"enable": 1}}', "invalid_body"),
        ("instance", "PATCH", '{"description": "' + "x" * 513 + '"}', "description_length"),
        ("instance", "PATCH", '{"description": "a\\ud800"}', "description_characters"),
        *[("instance", "PATCH", f'{{"description": "a{char}"}}', "description_characters") for char in "&<>'/"],
        ("instance", "PATCH", '{"description": "a\\""}', "description_characters"),
        ("extend", "POST", "", "invalid_body"),
        ("extend", "POST", "{}", "invalid_body"),
        ("extend", "POST", '{"by": 0}', "duration_range"),
        ("extend", "POST", '{"by": -60}', "duration_range"),
        ("extend", "POST", '{"by": 1.5}', "invalid_body"),
        ("extend", "POST", '{"by": true}', "invalid_body"),
        ("extend", "POST", '{"by": 60, "until": 9999999999999}', "invalid_body"),
        ("extend", "POST", '{"until": 1700000000}', "until_passed"),
        ("extend", "POST", '{"until": "18:00"}', "invalid_body"),
        ("stop", "POST", '{"force": true}', "invalid_body"),
        ("stop", "POST", "[]", "invalid_body"),
    ],
)
async def test_bad_bodies(ask: Ask, emulator: EmulatorServer, route: str, method: str, body: Any, code: str) -> None:
    """Whatever is wrong with a body is 400 by contract, with a sentence; the platform is not written to."""
    reply = await ask(method, route, body)
    assert (reply.status, reply.json["code"]) == (400, code), reply.json
    assert set(reply.json) == {"message", "code", "hint", "request_id"}
    assert reply.json["message"].endswith(".")
    assert writes(emulator) == []


async def test_the_platforms_refusal_is_passed_on(ask: Ask, emulator: EmulatorServer) -> None:
    """A platform's error keeps its code and gains words, a hint and the request id."""
    await ask("GET", "instance")
    await control(
        emulator,
        {
            "method": "PUT",
            "kind": "status",
            "status": 400,
            "body": {"error_code": "ModelArts.6357", "error_message": "Busy."},
        },
    )
    reply = await ask("PATCH", "instance", {"description": "new"})
    assert (reply.status, reply.json["code"]) == (409, "ModelArts.6357")
    assert "Another operation" in reply.json["message"]
    assert reply.json["hint"]
    assert reply.json["request_id"]
    assert reply.json["state"]["instance"]["description"] != "new"


async def test_throttled(ask: Ask, emulator: EmulatorServer) -> None:
    """429 becomes 503 with the platform's Retry-After, and until then nothing is sent."""
    await ask("GET", "instance")
    await control(
        emulator,
        {
            "method": "GET",
            "kind": "status",
            "status": 429,
            "times": 1,
            "headers": {"Retry-After": "7"},
            "body": {"error_code": "APIGW.0308", "error_msg": "slow down"},
        },
    )
    reply = await ask("PATCH", "instance", {"description": "new"})
    assert (reply.status, reply.headers["Retry-After"]) == (503, "7")
    calls = len(emulator.emulator.record.shown())
    reply = await ask("PATCH", "instance", {"description": "new"})
    assert reply.status == 503
    state = (await ask("GET", "instance", params={"refresh": "1"})).json
    assert state["stale"]
    assert len(emulator.emulator.record.shown()) == calls


async def test_a_click_after_a_short_retry_after_works(ask: Ask, emulator: EmulatorServer) -> None:
    """Looks say at once that nothing is asked; changes wait, and each is then made by itself."""
    headers = {"Retry-After": "1"}
    await control(emulator, {"kind": "status", "status": 429, "headers": headers, "method": "GET"})
    assert (await ask("GET", "instance")).json["problem"]["code"] == "APIGW.0308"
    changes = [asyncio.ensure_future(ask("PATCH", "instance", {"description": text})) for text in "abc"]
    await asyncio.sleep(0)
    problem = (await ask("GET", "instance", params={"refresh": "1"})).json["problem"]
    assert problem["code"] == "throttled"
    assert problem["hint"].startswith("Try again in ")
    replies = await asyncio.gather(*changes)
    assert [reply.status for reply in replies] == [200, 200, 200]
    # Each came over a connection of its own, so that any of them may have been the first.
    assert sorted(body["description"] for body in writes(emulator)) == ["a", "b", "c"]
    # The one that was throttled, and three times what a change takes.
    assert len(emulator.emulator.record.shown()) == 1 + 3 * 3


async def test_a_click_that_meets_the_throttling_itself_works(ask: Ask, emulator: EmulatorServer) -> None:
    """The look before it, and the one that reads it back, are repeated when they may be."""
    await ask("GET", "instance")
    for skip in (0, 1):
        fault = {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "method": "GET", "skip": skip}
        await control(emulator, fault)
        reply = await ask("PATCH", "instance", {"description": f"after {skip}"})
        assert (reply.status, reply.json["instance"]["description"]) == (200, f"after {skip}")
    assert len(writes(emulator)) == 2


async def test_the_platforms_401_is_not_ours(ask: Ask, emulator: EmulatorServer) -> None:
    """Refused credentials are a 502 on a write and a problem in the State, never a 401 or 403 to the browser."""
    await control(
        emulator,
        {
            "kind": "status",
            "status": 401,
            "times": 0,
            "body": {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication"},
        },
    )
    reply = await ask("GET", "instance")
    assert (reply.status, reply.json["problem"]["code"]) == (200, "APIGW.0301")
    assert reply.json["deadline"] is None
    reply = await ask("PATCH", "instance", {"description": "new"})
    assert (reply.status, reply.json["code"]) == (502, "APIGW.0301")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "lost_answer"},
        {"kind": "cut"},
        {"kind": "hang", "apply": True},
        {"kind": "status", "status": 500, "apply": True},
        {"kind": "status", "status": 502, "apply": True},
        {"kind": "html", "apply": True},
    ],
    ids=lambda fault: f"{fault['kind']}-{fault.get('status', '')}",
)
async def test_a_lost_answer_is_read_back(ask: Ask, emulator: EmulatorServer, fault: dict[str, Any]) -> None:
    """A write whose answer is lost, late or nonsense is sent once and reported by what the platform shows."""
    await control(emulator, {"method": "PUT", **fault})
    reply = await ask("PATCH", "instance", {"description": "landed"})
    assert (reply.status, reply.json["outcome"]["effect"]) == (200, "now")
    assert [seen["method"] for seen in emulator.emulator.record.shown()] == ["GET", "PUT", "GET"]


@pytest.mark.parametrize("fault", [{"kind": "reset"}, {"kind": "hang"}, {"kind": "status", "status": 503}])
async def test_a_lost_write_is_not_sent_again(ask: Ask, emulator: EmulatorServer, fault: dict[str, Any]) -> None:
    """A write of which the platform then shows nothing is not said to be done, and is sent once all the same."""
    await control(emulator, {"method": "PUT", **fault})
    reply = await ask("PATCH", "instance", {"description": "landed"})
    assert reply.status in (502, 503, 504)
    assert "as it was" in reply.json["message"]
    assert (await ask("GET", "instance")).json["instance"]["description"] != "landed"
    assert len(writes(emulator)) == 1


async def test_who_goes_away_ends_no_write(
    ask: Ask, emulator: EmulatorServer, clock: ManualClock, jp_http_port: int, jp_auth_header: dict[str, str]
) -> None:
    """A client that hangs up while the platform works on its change: the change is made, read back, and entered."""
    await ask("GET", "instance")
    await control(emulator, {"method": "PUT", "kind": "slow", "seconds": 1})
    _, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
    body = b'{"description": "and gone"}'
    head = (
        *("PATCH /a%40b/jupyter-autostop/instance HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"),
        *(f"{name}: {value}" for name, value in jp_auth_header.items()),
    )
    writer.write("\r\n".join((*head, "", "")).encode() + body)
    while not writes(emulator):  # noqa: ASYNC110 - the emulator tells only when asked
        await asyncio.sleep(0.01)
    writer.transport.abort()
    for _ in range(2):  # by the time that others are answered, the server has noticed
        await ask("GET", "instance")
    clock.turn(2)
    await clock.pass_time(0)
    while not (entries := (await ask("GET", "journal")).json["entries"]):  # noqa: ASYNC110 - as above
        await asyncio.sleep(0.01)
    assert [(entry["what"], entry["result"]) for entry in entries] == [
        ("description “and gone”", "The description is saved.")
    ]
    assert [seen["method"] for seen in emulator.emulator.record.shown()] == ["GET", "GET", "PUT", "GET"]


@pytest.mark.parametrize("key", ["instance_id", "project_id", "endpoint", "host", "id", "region", "platform"])
async def test_no_client_chooses_what_is_asked(ask: Ask, emulator: EmulatorServer, key: str) -> None:
    """Whatever a client adds to address, headers or body, this instance of this project at this address is asked."""
    other = {key: "DE-11111111-1111-4111-8111-111111111111"}
    headers = {"X-Forwarded-Host": "evil.example", "X-Project-Id": "p2", "X-Instance-Id": "i2"}
    for route, verb, body in (
        ("instance", "GET", None),
        ("instance", "PATCH", {"description": "x"}),
        ("extend", "POST", {"by": 60}),
        ("stop", "POST", {}),
    ):
        query = {"refresh": "1", **other} if verb == "GET" else other
        await ask(verb, route, None if body is None else {**body, **other}, params=query, headers=headers)
    assert (await ask("PATCH", "instance", {"description": "x"}, headers=headers)).status == 200
    assert {seen["path"] for seen in emulator.emulator.record.shown()} == {INSTANCE}
    assert len(writes(emulator)) == 1


async def test_a_hanging_platform_delays_no_look(ask: Ask, emulator: EmulatorServer) -> None:
    """While the platform hangs, a known State is served and a write ends with 504 in time."""
    await ask("GET", "instance")
    await control(emulator, {"kind": "hang", "times": 0})
    refresh = asyncio.ensure_future(ask("GET", "instance", params={"refresh": "1"}))
    state = (await ask("GET", "instance")).json
    assert not refresh.done()
    assert state["deadline"] is not None
    assert (await refresh).json["stale"]
    reply = await ask("PATCH", "instance", {"description": "new"})
    assert (reply.status, reply.json["code"]) == (504, "no_answer")


@pytest.mark.parametrize("agent", ["Mozilla/5.0 (X11; Linux x86_64)", "jupyter_autostop/0.1.0 (script)"])
async def test_who_ends_a_hold_is_said_by_the_query_only(ask: Ask, emulator: EmulatorServer, agent: str) -> None:
    """`by=person` calls off the stop that was to follow the work; without it the work is over, whoever asks."""
    until = emulator.emulator.instance.run.stop_at + 7_200_000
    for name, query, follows in (("one", {"by": "person"}, False), ("two", {}, True)):
        wish = {"id": name, "until": until, "then": "stop", "pid": os.getpid()}
        assert (await ask("POST", "holds", wish)).status == 201
        reply = await ask("DELETE", f"holds/{name}", params=query, headers={"User-Agent": agent})
        assert reply.status == 200
        assert ("As was wished for" in reply.json["outcome"]["message"]) is follows


async def test_the_journal(ask: Ask, clock: ManualClock) -> None:
    """GET journal tells what was changed, newest first, by which means, with what result, and that only."""
    assert (await ask("GET", "journal")).json == {"entries": []}
    agents = {
        "page": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
        "terminal": "jupyter_autostop/0.1.0 (terminal)",
        "kernel": "jupyter_autostop/1.2.3rc1 (kernel)",
        "script": "python-requests/2.32 jupyter_autostop/0.1.0 (terminal)",
    }
    version = (await ask("GET", "instance")).json["version"]
    for means, agent in agents.items():
        headers = {"User-Agent": agent, **({"If-Match": version} if means == "script" else {})}
        await ask("PATCH", "instance", {"description": f"by {means}"}, headers=headers)
    await ask("POST", "extend", {"by": 3600})
    await ask("PATCH", "instance", {"description": "<b>"})
    reply = await ask("GET", "journal")
    assert reply.status == 200
    assert reply.headers["Cache-Control"] == "no-store"
    told = [(entry["who"], entry["what"], entry["result"]) for entry in reply.json["entries"]]
    assert told[0][:2] == ("script", "extend by 1 h")
    assert "ModelArts' own auto-stop is off until then" in told[0][2]
    refused = (
        "Failed: Meanwhile somebody else has changed the description; nothing was overwritten. (changed_elsewhere)"
    )
    assert told[1] == ("script", "description “by script”", refused)
    assert told[2:] == [
        (means, f"description “by {means}”", "The description is saved.") for means in ("kernel", "terminal", "page")
    ]
    assert all(abs(entry["at"] - clock.time() * 1000) <= 1500 for entry in reply.json["entries"])


async def test_what_could_not_be_made_is_made_later(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault at the first look, such as for want of a file handle, is no fault of every look after it."""

    def no_handle(*_: Any) -> Any:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr("jupyter_autostop.server.factory.find_setup", no_handle)
        reply = await ask("GET", "instance")
        assert (reply.status, reply.json["problem"]["code"]) == (200, "setup_failed")
        assert "Too many open files" in reply.json["problem"]["message"]
        reply = await ask("PATCH", "instance", {"description": "x"})
        assert (reply.status, reply.json["code"]) == (503, "setup_failed")
        checks = {check["name"]: check for check in (await ask("GET", "doctor")).json["checks"]}
        assert "Too many open files" in checks["configuration"]["message"]
    reply = await ask("GET", "instance")
    assert reply.status == 200
    assert reply.json["deadline"] is not None


async def test_without_a_place_for_locks(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The stop time is shown all the same, nothing is changed, and `doctor` says why; once it is there, it is."""
    place = tmp_path / "place"
    await asyncio.to_thread(place.touch)
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(place / "below"))
    reply = await ask("GET", "instance")
    assert (reply.status, reply.json["problem"]) == (200, None)
    reply = await ask("PATCH", "instance", {"description": "x"})
    assert (reply.status, reply.json["code"]) == (503, "lock_unusable")
    assert "JUPYTER_RUNTIME_DIR" in reply.json["hint"]
    checks = {check["name"]: check for check in (await ask("GET", "doctor")).json["checks"]}
    assert reply.json["message"] == checks["locks"]["message"]
    await asyncio.to_thread(place.unlink)
    reply = await ask("PATCH", "instance", {"description": "x"})
    assert reply.status == 200


class TestNamed:
    """A Jupyter server whose identity provider knows its users."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        jp_server_config["ServerApp"]["identity_provider_class"] = Named
        return jp_server_config

    async def test_the_journal_names_the_person(self, ask: Ask) -> None:
        """A real name stands in the journal, as text on one line."""
        await ask("PATCH", "instance", {"description": "x"}, headers={"User-Agent": "Mozilla/5.0"})
        [entry] = (await ask("GET", "journal")).json["entries"]
        assert entry["who"] == "page (Ada <b>Lovelace</b>)"


class Named(IdentityProvider):
    """Knows everybody who comes with the token as Ada."""

    async def get_user(self, handler: Any) -> User | None:
        if await super().get_user(handler) is None:
            return None
        return User("ada", display_name="Ada\x1b\n<b>Lovelace</b>")
