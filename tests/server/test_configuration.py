"""Settings: nothing given, half given, wrongly given; the Jupyter server always starts and says what is wrong."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import pytest
from conftest import Ask
from traitlets.config import Config

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.server.app import AutostopApp
from jupyter_autostop.server.factory import build_service, modelarts_endpoint

SECRETS = {
    "HUAWEICLOUD_SDK_AK": "CANARYAK0123456789AB",
    "HUAWEICLOUD_SDK_SK": "canary-sk-0123456789",
    "HUAWEICLOUD_SDK_SECURITY_TOKEN": "canary-security-token",
    "JUPYTER_AUTOSTOP_TOKEN": "canary-iam-token",
    "JUPYTER_AUTOSTOP_IAM_PASSWORD": "canary-password",
}
CLOUD = {"endpoint": "http://127.0.0.1:9", "project_id": "p1", "instance_id": "DE-1"}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of whoever runs the tests is seen."""
    for name in list(os.environ):
        ours = name.startswith(("JUPYTER_AUTOSTOP_", "HUAWEICLOUD_SDK_"))
        if ours or name in ("REGION_NAME", "S3_REGION", "PROJECT_ID", "project_id", "AWS_CREDENTIAL_PROFILES_FILE"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))


def problem_of(**traits: Any) -> dict[str, Any]:
    """Return the State's problem for settings as a configuration file would give them."""
    app = AutostopApp(config=Config({"AutostopApp": {"state_dir": "", **traits}}))
    app.initialize_settings()
    service = build_service(app)

    async def look() -> Any:
        state = await service.look()
        await service.close()
        return state["problem"]

    return asyncio.run(look())


class TestNothingConfigured:
    """A server that was told nothing."""

    @pytest.fixture
    def autostop_config(self) -> dict[str, Any]:
        return {}

    async def test_is_a_state_of_its_own(self, ask: Ask) -> None:
        """The State names what is missing and how to give it; no deadline is invented; writes are refused."""
        state = (await ask("GET", "instance")).json
        assert state["problem"]["code"] == "not_configured"
        for name in ("region", "project_id", "instance_id"):
            assert name in state["problem"]["message"]
        assert state["problem"]["hint"]
        assert (state["deadline"], state["instance"], state["auto_stop"]) == (None, None, None)
        for route, verb, body in (
            ("instance", "PATCH", {"description": "x"}),
            ("extend", "POST", {"by": 60}),
            ("stop", "POST", None),
        ):
            reply = await ask(verb, route, body)
            assert (reply.status, reply.json["code"]) == (409, "not_configured")
            assert reply.json["state"]["problem"]["code"] == "not_configured"


@pytest.mark.parametrize(
    ("settings", "code", "names"),
    [
        ({"region": "cn-north-4"}, "not_configured", "project_id, instance_id"),
        (CLOUD, "no_credentials", "credentials"),
        ({**CLOUD, "instance_id": "../../other"}, "configuration_invalid", "instance_id"),
        ({**CLOUD, "instance_id": "x" * 65}, "configuration_invalid", "instance_id"),
        ({**CLOUD, "instance_id": "DE-1\n"}, "configuration_invalid", "instance_id"),
        ({**CLOUD, "project_id": "p/1"}, "configuration_invalid", "project_id"),
        ({**CLOUD, "endpoint": "http://modelarts.example.com"}, "configuration_invalid", "endpoint"),
        ({**CLOUD, "endpoint": "ftp://127.0.0.1"}, "configuration_invalid", "endpoint"),
        ({**CLOUD, "endpoint": "https://user@host"}, "configuration_invalid", "endpoint"),
        ({**CLOUD, "endpoint": "https://"}, "configuration_invalid", "endpoint"),
        ({**CLOUD, "endpoint": "https://host..example"}, "configuration_invalid", "endpoint"),
        ({**CLOUD, "endpoint": "https://h:port"}, "configuration_invalid", "endpoint"),
        ({**CLOUD, "endpoint": "", "region": "evil.example.com/"}, "configuration_invalid", "region"),
        ({**CLOUD, "endpoint": "", "region": "xn--a"}, "configuration_invalid", "region"),
        ({"platform": "aws"}, "configuration_invalid", "platform"),
        ({"platform": "notebooks", **CLOUD}, "not_yet_supported", "notebooks"),
        ({"platform": "emulator", "endpoint": "https://modelarts.example.com"}, "configuration_invalid", "endpoint"),
        ({**CLOUD, "refresh_interval": "often"}, "configuration_invalid", "refresh_interval"),
        ({**CLOUD, "refresh_interval": -1.0}, "configuration_invalid", "refresh_interval"),
        ({**CLOUD, "request_timeout": 0.0}, "configuration_invalid", "request_timeout"),
        ({**CLOUD, "refresh_interval": float("nan")}, "configuration_invalid", "refresh_interval"),
        ({**CLOUD, "request_timeout": float("inf")}, "configuration_invalid", "request_timeout"),
        ({**CLOUD, "allow_disable": "perhaps"}, "configuration_invalid", "allow_disable"),
        ({**CLOUD, "max_extension": None}, "configuration_invalid", "max_extension"),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, Any], code: str, names: str) -> None:
    """Each missing or wrong setting is a problem that names it, with a way out."""
    problem = problem_of(**settings)
    assert problem["code"] == code
    assert names in problem["message"]
    assert problem["hint"]


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {
                "region": "cn north",
                "endpoint": "foo bar",
                "project_id": "../x",
                "ca_file": "/nonexist",
                "instance_id": "a/b",
            },
            (
                "`region` is no region",
                "`endpoint` is no",
                "`project_id` is no id",
                "`instance_id` is no id",
                "/nonexist",
            ),
        ),
        ({"platform": "emulater", "grace": "15x"}, ("`platform` knows", "did you mean emulator", "AutostopApp.grace")),
        (
            {"platform": "emulator", "grace": "15x", "endpoint": "https://x.example"},
            ("grace", "address of this machine"),
        ),
        ({"platform": "emulator", "grace": "15x", "project_id": "p/1"}, ("grace", "`project_id` is no id")),
        ({**CLOUD, "grace": "15x", "instance_id": ""}, ("grace", "instance_id")),
        ({**CLOUD, "endpoint": "foo bar"}, ("`endpoint` is no", "no credentials")),
    ],
)
def test_none_hides_another(settings: dict[str, Any], says: tuple[str, ...]) -> None:
    """All that is wrong or missing is told at once, and not one after each restart."""
    problem = problem_of(**settings)
    assert problem["code"] == "configuration_invalid"
    for part in says:
        assert part.lower() in f"{problem['message']} {problem['hint']}".lower()


def test_a_region_that_makes_no_address_may_have_any_name() -> None:
    """Beside a usable address it is not looked at."""
    assert "region" not in problem_of(**CLOUD, region="Own_Region")["message"]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        *((name, "no", "yes or no: write True or False.") for name in ("allow_hold", "allow_stop", "keep_sdk_env")),
        ("allow_hold", 7, "yes or no: write True or False."),
        ("region", 5, "a text: write it in quotes."),
    ],
)
def test_a_value_of_another_kind_is_told_in_our_words(name: str, value: Any, says: str) -> None:
    """With the way to write it."""
    assert AutostopApp(config=Config({"AutostopApp": {name: value}})).faults == {
        name: f"The setting AutostopApp.{name} is {says}"
    }


class TestWrongSettings:
    """A server that was told nonsense."""

    @pytest.fixture
    def autostop_config(self) -> dict[str, Any]:
        return {"platform": "emulator", "refresh_interval": "often", "keep_sdk_env": 7}

    async def test_do_not_keep_the_server_from_starting(self, ask: Ask, jp_fetch: Any) -> None:
        """The Jupyter server runs, and the extension's State says what is wrong."""
        assert (await jp_fetch("api", "status")).code == 200
        problem = (await ask("GET", "instance")).json["problem"]
        assert problem["code"] == "configuration_invalid"
        assert "refresh_interval" in problem["message"]


class TestAnUnreachableEndpoint:
    """An emulator that does not run."""

    @pytest.fixture
    def autostop_config(self) -> dict[str, Any]:
        return {"platform": "emulator", "endpoint": "http://127.0.0.1:9", "request_timeout": 2.0}

    async def test_is_a_problem_with_a_way_out(self, ask: Ask) -> None:
        """Nobody listening there is said, with the command that starts one."""
        problem = (await ask("GET", "instance")).json["problem"]
        assert problem["code"] == "no_answer"
        assert "jupyter autostop emulator" in problem["hint"]


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting that has a variable takes it; a setting given in the configuration wins."""
    for name in ("platform", "endpoint", "iam_endpoint", "region", "project_id", "instance_id", "ca_file", "state_dir"):
        monkeypatch.setenv(f"JUPYTER_AUTOSTOP_{name.upper()}", f" {name}-value ")
    app = AutostopApp(config=Config({"AutostopApp": {"region": "given"}}))
    for name in ("platform", "endpoint", "iam_endpoint", "project_id", "instance_id", "ca_file", "state_dir"):
        assert getattr(app, name) == f"{name}-value"
    assert app.region == "given"
    monkeypatch.delenv("JUPYTER_AUTOSTOP_PROJECT_ID")
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "sdk-project")
    assert AutostopApp().project_id == "sdk-project"


def test_the_settings_are_the_contracts() -> None:
    """There are these settings and no other; none of them turns the verification of certificates off."""
    own = set(AutostopApp.class_own_traits(config=True))
    assert own == {
        *("platform", "endpoint", "iam_endpoint", "region", "project_id", "instance_id", "credentials_file", "ca_file"),
        *("refresh_interval", "request_timeout", "max_extension", "grace", "keep_sdk_env", "state_dir"),
        *("allow_disable", "allow_hold", "allow_stop", "allow_describe"),
    }


@pytest.mark.parametrize("keep", [False, True])
def test_secrets_leave_the_environment(monkeypatch: pytest.MonkeyPatch, keep: bool) -> None:
    """Kernels inherit no secret of ours, and the SDK's only if the site says so; no setting holds one."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "p1")
    app = AutostopApp(config=Config({"AutostopApp": {"keep_sdk_env": keep}}))
    app._prepare_config()
    app.initialize_settings()
    left = {name for name in os.environ if name in SECRETS}
    assert left == ({name for name in SECRETS if name.startswith("HUAWEICLOUD")} if keep else set())
    assert app.project_id == "p1"
    everything = repr(app.trait_values()) + repr(app.extension_config) + repr(vars(app))
    for value in SECRETS.values():
        assert value not in everything


def test_public_endpoints() -> None:
    """The public cloud's addresses are made from the region; one region has its own domain."""
    assert modelarts_endpoint("cn-north-4") == "https://modelarts.cn-north-4.myhuaweicloud.com"
    assert modelarts_endpoint("ap-southeast-1") == "https://modelarts.ap-southeast-1.myhuaweicloud.cn"


class TestAWrongClock:
    """A machine whose clock is an hour off."""

    @pytest.fixture(params=[-3600, 3600])
    def clock(self, clock: Any, request: pytest.FixtureRequest) -> Any:
        clock._epoch += request.param
        return clock

    async def test_shows_the_time_left_all_the_same(self, ask: Ask, emulator: EmulatorServer, clock: Any) -> None:
        """The first signature is refused for its date; the next bears the platform's, and the time left is right."""
        first = (await ask("GET", "instance")).json
        assert first["problem"]["code"] == "APIGW.0301"
        assert "60 min off" in first["problem"]["message"]
        state = (await ask("GET", "instance", params={"refresh": "1"})).json
        left = (state["deadline"]["stop_timestamp"] - state["server_time"]) / 1000
        truly = emulator.emulator.instance.run.stop_at / 1000 - clock.time()
        assert abs(left - truly) <= 2


class TestInsideAnInstance:
    """A server whose address and environment tell which instance it runs in."""

    @pytest.fixture
    def jp_base_url(self) -> str:
        return "/6fa459ea-ee8a-3ca4-894e-db77e160355e/"

    @pytest.fixture
    def autostop_config(self, emulator: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.setenv("PROJECT_ID", defaults.PROJECT_ID)
        monkeypatch.setenv("JUPYTER_AUTOSTOP_TOKEN", defaults.TOKEN)
        return {"endpoint": emulator.url}

    async def test_needs_neither_id(self, ask: Ask, emulator: EmulatorServer) -> None:
        """The ids are found out; one that names no instance is never written to."""
        problem = (await ask("GET", "instance")).json["problem"]
        assert problem["code"] == "ModelArts.6309"
        assert "6fa459ea-ee8a-3ca4-894e-db77e160355e" in emulator.emulator.record.shown()[0]["path"]
        reply = await ask("PATCH", "instance", {"description": "x"})
        assert (reply.status, reply.json["code"]) == (404, "ModelArts.6309")
        assert {seen["method"] for seen in emulator.emulator.record.shown()} == {"GET"}
