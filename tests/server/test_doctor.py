"""The doctor: each check says what it found and what to do, and looking changes nothing."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Ask, ManualClock

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.server.front_end import front_end_version
from jupyter_autostop.storage.state_dir import try_folder

NAMES = [
    "configuration",
    "credentials",
    "answer",
    "instance",
    "clock",
    "permission_get",
    "permission_update",
    "permission_action",
    "state_dir",
    "record",
    "journal",
    "runtime_dir",
    "locks",
    "capability",
    "settings",
    "versions",
    "front_end",
]
INSTANCE = {"project_id": defaults.PROJECT_ID, "instance_id": defaults.INSTANCE_ID}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials of whoever runs the tests are seen; the emulator's own are there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("AWS_CREDENTIAL_PROFILES_FILE", raising=False)
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", defaults.ACCESS_KEY)
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", defaults.SECRET_KEY)


@pytest.fixture
def autostop_config(emulator: EmulatorServer) -> dict[str, Any]:
    """As in a real instance: by endpoint and credentials."""
    return {"endpoint": emulator.url, "region": "cn-north-4", "request_timeout": 5.0, **INSTANCE}


async def checks(ask: Ask) -> dict[str, Any]:
    """Return the doctor's checks by name; complete, and none without words."""
    reply = await ask("GET", "doctor")
    assert reply.status == 200
    found = reply.json["checks"]
    assert [check["name"] for check in found] == NAMES
    for check in found:
        assert check.keys() == {"name", "ok", "message", "hint"}
        assert check["ok"] in (True, False)
        assert check["message"]
        assert check["ok"] or check["hint"], check
    assert defaults.SECRET_KEY not in str(found)
    assert defaults.ACCESS_KEY not in str(found)
    return {check["name"]: check for check in found}


async def switch(emulator: EmulatorServer, route: str, body: Any) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        (await client.patch(f"{emulator.url}/_emulator/{route}", json=body)).raise_for_status()


async def test_all_is_well(ask: Ask, emulator: EmulatorServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything that can be found out is, with where it is from."""
    folder = tmp_path / "labextensions" / "jupyter-autostop"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"version": version("jupyter_autostop")}), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    found = await checks(ask)
    assert [name for name, check in found.items() if not check["ok"]] == []
    assert emulator.url in found["configuration"]["message"]
    assert "cn-north-4 (from the setting region)" in found["configuration"]["message"]
    assert found["credentials"]["message"] == "From HUAWEICLOUD_SDK_AK, read when this server started."
    assert f"{defaults.INSTANCE_ID}, known from the setting instance_id" in found["instance"]["message"]
    assert str(tmp_path / "state") in found["state_dir"]["message"]
    for package in ("jupyter_autostop", "jupyter_server", "httpx", "Python"):
        assert f"{package} " in found["versions"]["message"]


async def test_looking_changes_nothing(ask: Ask, emulator: EmulatorServer, tmp_path: Path) -> None:
    """After it the instance is as before, nothing is in the journal, and no file is left in the folder."""
    before = emulator.emulator.get(defaults.INSTANCE_ID).answer(0)
    await checks(ask)
    assert emulator.emulator.get(defaults.INSTANCE_ID).answer(0) == before
    assert (await ask("GET", "journal")).json["entries"] == []
    assert not list((tmp_path / "state").glob(".autostop-trial*"))
    assert {seen["method"] for seen in emulator.emulator.record.shown()} == {"GET", "PUT", "POST"}


@pytest.mark.parametrize("denied", ["get", "update", "action"])
async def test_a_missing_permission_is_named(ask: Ask, emulator: EmulatorServer, denied: str) -> None:
    """Each of the three IAM actions is tried apart from the others."""
    await switch(emulator, "permissions", {f"modelarts:notebook:{denied}": False})
    found = await checks(ask)
    for name in ("get", "update", "action"):
        check = found[f"permission_{name}"]
        assert check["ok"] == (name != denied)
        assert f"modelarts:notebook:{name}" in check["message"]
    assert f"modelarts:notebook:{denied}" in found[f"permission_{denied}"]["hint"]
    assert found["answer"]["ok"]


async def test_permissions_show_where_an_empty_change_is_accepted(ask: Ask, emulator: EmulatorServer) -> None:
    """Whether the platform refuses a change of nothing or takes it, the permission is seen and nothing changes."""
    for choice in ("accept", "refuse"):
        await switch(emulator, "behaviour", {"empty_update": choice})
        before = emulator.emulator.get(defaults.INSTANCE_ID).answer(0)
        assert (await checks(ask))["permission_update"]["ok"]
        assert emulator.emulator.get(defaults.INSTANCE_ID).answer(0) == before


class TestWrongCredentials:
    """A key that the cloud refuses."""

    @pytest.fixture(autouse=True)
    def wrong(self, environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "another-secret-key")

    async def test_are_told_with_one_try(self, ask: Ask, emulator: EmulatorServer) -> None:
        """They are not tried again and again, since that locks the key; what could not be seen says so."""
        found = await checks(ask)
        assert not found["credentials"]["ok"]
        assert "HUAWEICLOUD_SDK_AK" in found["credentials"]["message"]
        assert found["answer"]["ok"]
        for name in ("instance", "permission_get", "permission_update", "permission_action"):
            assert not found[name]["ok"]
        assert len(emulator.emulator.record.shown()) == 1


class TestAnotherInstance:
    """An id that the cloud does not know."""

    @pytest.fixture
    def autostop_config(self, emulator: EmulatorServer) -> dict[str, Any]:
        return {"endpoint": emulator.url, **INSTANCE, "instance_id": "DE-elsewhere"}

    async def test_is_told(self, ask: Ask) -> None:
        """The id, how it was found, and what to correct."""
        found = await checks(ask)
        assert not found["instance"]["ok"]
        assert "DE-elsewhere" in found["instance"]["message"]
        assert "instance id" in found["instance"]["hint"]


class TestAGuessedInstance:
    """An id from this machine's name, of an instance that may be somebody else's."""

    GUESSED = "6fa459ea-ee8a-3ca4-894e-db77e160355e"

    @pytest.fixture
    def autostop_config(self, emulator: EmulatorServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        monkeypatch.setattr("socket.gethostname", lambda: f"notebook-{self.GUESSED}")
        emulator.emulator.add(self.GUESSED, name="guessed")
        return {"endpoint": emulator.url, "project_id": defaults.PROJECT_ID}

    async def test_is_sent_nothing_unconfirmed(self, ask: Ask, emulator: EmulatorServer) -> None:
        """While it may not be read, nothing else is tried with it."""
        await switch(emulator, "permissions", {"modelarts:notebook:get": False})
        found = await checks(ask)
        assert found["permission_update"]["message"].startswith("Not tried")
        assert {seen["method"] for seen in emulator.emulator.record.shown()} == {"GET"}
        await switch(emulator, "permissions", {"modelarts:notebook:get": True})
        found = await checks(ask)
        assert found["instance"]["message"] == (
            f"{self.GUESSED}, known from this machine's host name. ModelArts knows it."
        )
        assert found["permission_update"]["ok"]


class TestARefusedLogin:
    """IAM does not let this server in, so that ModelArts is not asked at all."""

    @pytest.fixture(autouse=True)
    def login(self, environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"):
            monkeypatch.delenv(name)
        for name in ("USER", "PASSWORD", "DOMAIN"):
            monkeypatch.setenv(f"JUPYTER_AUTOSTOP_IAM_{name}", "wrong")

    @pytest.fixture
    def autostop_config(self, emulator: EmulatorServer) -> dict[str, Any]:
        return {"endpoint": emulator.url, "iam_endpoint": emulator.url, "region": "cn-north-4", **INSTANCE}

    async def test_is_no_answer_of_modelarts(self, ask: Ask, emulator: EmulatorServer) -> None:
        """Nor is a login that could not be tried one that is fine."""
        found = await checks(ask)
        assert not found["credentials"]["ok"]
        assert "IAM" in found["credentials"]["message"]
        assert found["answer"]["message"] == "Not tried: there is nothing to ask with."
        assert {seen["path"] for seen in emulator.emulator.record.shown()} == {"/v3/auth/tokens"}


class TestAnotherMistake:
    """Credentials are there, and something else is wrong."""

    @pytest.fixture
    def autostop_config(self, emulator: EmulatorServer) -> dict[str, Any]:
        return {"endpoint": emulator.url, **INSTANCE, "instance_id": "no id"}

    async def test_does_not_hide_them(self, ask: Ask) -> None:
        """Where they are from is told all the same."""
        found = await checks(ask)
        assert not found["configuration"]["ok"]
        assert found["credentials"]["ok"]
        assert "HUAWEICLOUD_SDK_AK" in found["credentials"]["message"]


class TestAWrongSettingOfAnEmulator:
    """A trait is wrong, and the server is told nothing else."""

    @pytest.fixture(params=["emulator", "emulater"])
    def autostop_config(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        for name in ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"):
            monkeypatch.delenv(name, raising=False)
        return {"platform": request.param, "grace": "15x"}

    async def test_asks_for_nothing_that_it_does_not_need(self, ask: Ask) -> None:
        """Neither credentials nor an instance of the cloud; nor where it is not known which platform is meant."""
        found = await checks(ask)
        assert "grace" in found["configuration"]["message"]
        for name in ("credentials", "instance"):
            assert "Set " not in found[name]["hint"]


class TestBehindAProxy:
    """A cloud that only a proxy leads to, and the proxy is not there; the id is a name besides."""

    @pytest.fixture
    def autostop_config(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        for name in ("NO_PROXY", "no_proxy", "https_proxy"):
            monkeypatch.delenv(name, raising=False)
        # Port 9 is kept for a service that throws everything away, which runs nowhere.
        monkeypatch.setenv("HTTPS_PROXY", "http://lin:canary@127.0.0.1:9")
        return {"endpoint": "https://modelarts.invalid", **INSTANCE, "instance_id": "my-notebook"}

    async def test_names_it(self, ask: Ask) -> None:
        """Host and port, and no password: where the way leads, and what is wrong there."""
        found = await checks(ask)
        assert found["configuration"]["message"].endswith(", through the proxy 127.0.0.1:9.")
        assert "the proxy in this server's environment takes no connection: 127.0.0.1:9." in found["answer"]["message"]
        assert found["instance"]["message"].endswith("That does not have the form of an id.")
        assert "DE-" in found["instance"]["hint"]
        assert "canary" not in str(found)


class TestNothingConfigured:
    """A server that was told nothing."""

    @pytest.fixture
    def autostop_config(self) -> dict[str, Any]:
        return {}

    async def test_says_what_is_missing(self, ask: Ask, emulator: EmulatorServer) -> None:
        """The rest is not tried, and said to be so; the folder, versions and front end are looked at all the same."""
        found = await checks(ask)
        assert not found["configuration"]["ok"]
        assert "project_id" in found["configuration"]["message"]
        assert "JUPYTER_AUTOSTOP_INSTANCE_ID" in found["instance"]["hint"]
        assert found["answer"]["message"].startswith("Not tried")
        assert found["state_dir"]["ok"]
        assert emulator.emulator.record.shown() == []


class TestTheNotebooksOwnFile:
    """Credentials that the platform keeps in a file."""

    @pytest.fixture(autouse=True)
    def file(self, environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
        for name in ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"):
            monkeypatch.delenv(name)
        path = tmp_path / "credentials.ini"
        path.write_text(
            f"[default]\naccess_key_id = {defaults.ACCESS_KEY}\nsecret_access_key = {defaults.SECRET_KEY}\n",
            encoding="utf-8",
        )
        path.chmod(0o644)
        monkeypatch.setenv("AWS_CREDENTIAL_PROFILES_FILE", str(path))
        return path

    async def test_an_open_mode_is_a_warning(self, ask: Ask, file: Path) -> None:
        """The file's age is told, and that others can open it; it is the platform's, so it is used."""
        check = (await checks(ask))["credentials"]
        assert check["ok"]
        assert "written" in check["message"]
        assert "mode 0644" in check["message"]
        assert check["hint"]


class TestAWrongClock:
    """A machine whose clock is an hour ahead."""

    async def test_is_told(self, ask: Ask, emulator: EmulatorServer, clock: ManualClock) -> None:
        """By how much, and that the time left is right all the same."""
        clock.turn(-600)
        check = (await checks(ask))["clock"]
        assert not check["ok"]
        assert "ahead of ModelArts'" in check["message"]


def test_a_folder_is_tried_out(tmp_path: Path) -> None:
    """A folder that can be made and written is good and stays empty; a file in its place is said."""
    assert try_folder(tmp_path / "a" / "b") == ""
    assert list((tmp_path / "a" / "b").iterdir()) == []
    assert (tmp_path / "a").stat().st_mode & 0o077 in (0, 0o055)
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert "cannot be used" in try_folder(tmp_path / "file")
    assert "cannot be used" in try_folder(Path("/proc/nowhere"))


def test_the_front_end_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first folder that JupyterLab would look in counts; a damaged description is none."""
    folder = tmp_path / "labextensions" / "jupyter-autostop"
    folder.mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    for text, expected in (('{"version": "7.8.9"}', "7.8.9"), ("{", None), ("[]", None), ("{}", None)):
        (folder / "package.json").write_text(text, encoding="utf-8")
        assert front_end_version() == expected
