"""A name that no setting has is told, with the name that was probably meant; of a policy it stops the configuration."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest
from conftest import Ask
from traitlets.config import Config

from jupyter_autostop.platforms.modelarts.endpoint import REGIONS, region_hint, region_hint_for
from jupyter_autostop.server.app import AutostopApp
from jupyter_autostop.server.factory import build_service
from jupyter_autostop.server.names import (
    POLICY,
    VARIABLES,
    misnamed_sections,
    misnamed_settings,
    misnamed_variables,
)

SETTINGS = [*AutostopApp.class_own_traits(config=True)]


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("JUPYTER_AUTOSTOP_", "HUAWEICLOUD_SDK_")):
            monkeypatch.delenv(name)


def test_the_tables_name_settings_that_there_are() -> None:
    """No variable and no policy belongs to a setting that is gone."""
    assert VARIABLES.keys() <= set(SETTINGS)
    assert set(SETTINGS) >= POLICY


@pytest.mark.parametrize(
    ("name", "meant", "says"),
    [
        ("JUPYTER_AUTOSTOP_REGOIN", "region", "did you mean JUPYTER_AUTOSTOP_REGION?"),
        ("JUPYTER_AUTOSTOP_REGIONS", "region", "did you mean JUPYTER_AUTOSTOP_REGION?"),
        ("JUPYTER_AUTOSTOP_PROJECTID", "project_id", "did you mean JUPYTER_AUTOSTOP_PROJECT_ID?"),
        ("JUPYTER_AUTOSTOP_STATEDIR", "state_dir", "did you mean JUPYTER_AUTOSTOP_STATE_DIR?"),
        ("JUPYTER_AUTOSTOP_TOKENS", "credentials", "did you mean JUPYTER_AUTOSTOP_TOKEN?"),
        ("JUPYTER_AUTOSTOP_IAM_PASWORD", "credentials", "did you mean JUPYTER_AUTOSTOP_IAM_PASSWORD?"),
        ("JUPYTER_AUTOSTOP_ALLOW_HOLD", "allow_hold", "set c.AutostopApp.allow_hold in jupyter_server_config.py"),
        ("JUPYTER_AUTOSTOP_ALLOW_HOLDS", "allow_hold", "set c.AutostopApp.allow_hold in jupyter_server_config.py"),
        ("JUPYTER_AUTOSTOP_GRACE", "grace", "set c.AutostopApp.grace in"),
        ("JUPYTER_AUTOSTOP_XYZZY", "", "Nothing reads the variable JUPYTER_AUTOSTOP_XYZZY."),
    ],
)
def test_a_variable_that_nothing_reads(name: str, meant: str, says: str) -> None:
    """The nearest variable is named, or the setting that has none."""
    [found] = misnamed_variables([name, "PATH", "HUAWEICLOUD_SDK_DOMAIN_ID"], SETTINGS)
    assert (found.given, found.meant, found.is_policy) == (name, meant, meant in POLICY)
    assert says in found.sentence


def test_every_variable_that_is_read_is_known() -> None:
    """Nothing is said of the right names."""
    right = [variable for variables in VARIABLES.values() for variable in variables]
    secrets = ("TOKEN", "IAM_USER", "IAM_PASSWORD", "IAM_DOMAIN")
    assert misnamed_variables([*right, *(f"JUPYTER_AUTOSTOP_{name}" for name in secrets)], SETTINGS) == []
    assert misnamed_settings(SETTINGS, SETTINGS) == []
    assert misnamed_sections({"AutostopApp": {"region": ""}, "ServerApp": {"port": 1}, "LabApp": {}}, SETTINGS) == []


@pytest.mark.parametrize(
    ("section", "name", "meant"),
    [
        ("AutostopApp", "regoin", "region"),
        ("AutostopApp", "allow_holds", "allow_hold"),
        ("AutostopApp", "allow_disabled", "allow_disable"),
        ("AutostopApp", "max_extention", "max_extension"),
        ("AutostopApp", "xyzzy", ""),
        ("AutoStopApp", "allow_stop", "allow_stop"),
        ("Autostop", "region", "region"),
        ("JupyterAutostop", "grace", "grace"),
    ],
)
def test_a_setting_or_section_that_there_is_not(section: str, name: str, meant: str) -> None:
    """The nearest setting is named; of a policy nothing works until the name is right, and the State says so."""
    app = AutostopApp(config=Config({section: {name: "1"}}))
    app.state_dir = ""
    app.initialize_settings()
    [found] = app.misnamed.values()
    assert found.meant == meant
    assert name in found.sentence
    assert bool(app.faults) == (meant in POLICY)
    service = build_service(app)

    async def look() -> Any:
        state = await service.look()
        await service.close()
        return state["problem"]

    problem = asyncio.run(look())
    assert found.sentence in f"{problem['message']} {problem['hint']}"
    assert problem["code"] == ("configuration_invalid" if meant in POLICY else "not_configured")


class TestAMistypedName:
    """A server that works, with a setting and a variable that have no effect."""

    @pytest.fixture
    def autostop_config(self, emulator: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.setenv("JUPYTER_AUTOSTOP_REGOIN", "cn-north-4")
        return {"platform": "emulator", "endpoint": emulator.url, "regoin": "cn-north-4"}

    async def test_is_told_by_the_doctor(self, ask: Ask) -> None:
        """Both are; the stop time is shown all the same."""
        assert (await ask("GET", "instance")).json["deadline"]
        checks = {check["name"]: check for check in (await ask("GET", "doctor")).json["checks"]}
        for meant in ("did you mean region?", "did you mean JUPYTER_AUTOSTOP_REGION?"):
            assert meant in checks["settings"]["message"]
        assert not checks["settings"]["ok"]


def test_a_region_that_is_not_known() -> None:
    """The nearest is named and the others are listed; a known region is no fault, and another host has no region."""
    assert "did you mean cn-north-4?" in region_hint("cn-north-44")
    assert "did you mean cn-north-4?" in region_hint("CN_NORTH_4")
    assert all(region in region_hint("atlantis") for region in REGIONS)
    assert region_hint("cn-north-4") == ""
    assert "did you mean cn-north-9?" in region_hint_for("modelarts.cn-north-99.myhuaweicloud.com")
    assert region_hint_for("iam.cn-north-4.myhuaweicloud.com") == ""
    assert region_hint_for("modelarts.example.org") == ""
