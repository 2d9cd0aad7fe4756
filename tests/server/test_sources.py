"""Each way to give credentials, through a Jupyter server to the emulator, which checks them: also when they change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Ask

from jupyter_autostop.emulator import defaults
from jupyter_autostop.emulator.server import EmulatorServer

LOGIN = {
    "JUPYTER_AUTOSTOP_IAM_USER": defaults.IAM_USER,
    "JUPYTER_AUTOSTOP_IAM_PASSWORD": defaults.IAM_PASSWORD,
    "JUPYTER_AUTOSTOP_IAM_DOMAIN": defaults.IAM_DOMAIN,
}
VARIABLES = (
    *("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN", "HUAWEICLOUD_SDK_CREDENTIALS_FILE"),
    *("HUAWEICLOUD_SDK_PROJECT_ID", "AWS_CREDENTIAL_PROFILES_FILE", "CREDENTIAL_PROFILES_FILE", "PROJECT_ID"),
    *("JUPYTER_AUTOSTOP_TOKEN", "project_id", *LOGIN),
)


@pytest.fixture(autouse=True)
def environment(jp_environ: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is given yet, and the home folder is empty."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def autostop_config(emulator: EmulatorServer) -> dict[str, Any]:
    """A cloud and an IAM at one address; no project."""
    where = {"endpoint": emulator.url, "iam_endpoint": emulator.url, "region": defaults.REGION}
    return {**where, "instance_id": defaults.INSTANCE_ID, "request_timeout": 5.0}


def profile_text(access_key: str = defaults.ACCESS_KEY) -> str:
    return f"[basic]\nak = {access_key}\nsk = {defaults.SECRET_KEY}\nproject_id = {defaults.PROJECT_ID}\n"


def notebook_text(secret_key: str = defaults.SECRET_KEY) -> str:
    return f"[default]\naccess_key_id = {defaults.ACCESS_KEY}\nsecret_access_key = {secret_key}\nuser_id = u-1\n"


def write(path: Path, text: str, mode: int = 0o600) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return str(path)


async def control(emulator: EmulatorServer, verb: str, route: str, body: Any = None) -> Any:
    async with httpx.AsyncClient(trust_env=False) as client:
        reply = await client.request(verb, f"{emulator.url}/_emulator/{route}", json=body)
    return reply.raise_for_status().json()


async def problem(ask: Ask) -> Any:
    """Ask the platform and return the State's problem."""
    return (await ask("GET", "instance", params={"refresh": "1"})).json["problem"]


async def source(ask: Ask) -> str:
    """Return what the doctor says of the credentials."""
    return str((await ask("GET", "doctor")).json["checks"][1]["message"])


def logins(emulator: EmulatorServer) -> int:
    return sum(seen["path"] == "/v3/auth/tokens" for seen in emulator.emulator.record.shown())


class TestThePasswordLogin:
    """An IAM user's name, password and account."""

    @pytest.fixture(autouse=True)
    def login(self, environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in LOGIN.items():
            monkeypatch.setenv(name, value)

    async def test_works_without_a_project(self, ask: Ask, emulator: EmulatorServer) -> None:
        """The token brings its project along; one login serves reads, writes and the doctor."""
        assert await problem(ask) is None
        assert (await ask("PATCH", "instance", {"description": "by login"})).status == 200
        assert "IAM login" in await source(ask)
        assert logins(emulator) == 1

    async def test_a_revoked_token_is_renewed_unnoticed(self, ask: Ask, emulator: EmulatorServer) -> None:
        """A 401 on a look or a write leads to one login, and nothing of it is seen."""
        assert await problem(ask) is None
        for count in (2, 3):
            await control(emulator, "DELETE", "tokens")
            assert await problem(ask) is None
            assert logins(emulator) == count
        await control(emulator, "DELETE", "tokens")
        assert (await ask("PATCH", "instance", {"description": "by login"})).status == 200
        assert logins(emulator) == 4
        assert [seen["method"] for seen in emulator.emulator.record.shown()].count("PUT") == 1

    async def test_a_wrong_password_is_told_once(
        self, ask: Ask, emulator: EmulatorServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The problem names what to check; looking again and again does not lock the account."""
        await control(emulator, "PATCH", "keys", {"iam_password": "another"})
        for _ in range(10):
            told = await problem(ask)
            assert told["code"] == "login_refused"
            assert "JUPYTER_AUTOSTOP_IAM_PASSWORD" in told["hint"]
        assert logins(emulator) == 1


class TestTheProfile:
    """`~/.huaweicloud/credentials`."""

    @pytest.fixture(autouse=True)
    def path(self, environment: None, jp_home_dir: Path) -> Path:
        path = jp_home_dir / ".huaweicloud" / "credentials"
        write(path, profile_text())
        return path

    async def test_is_found_in_its_place(self, ask: Ask, path: Path) -> None:
        """It works without any setting, and brings its project along."""
        assert await problem(ask) is None
        assert str(path) in await source(ask)

    async def test_an_open_one_is_refused_until_it_is_closed(self, ask: Ask, path: Path) -> None:
        """The problem names path and mode; closing the file is enough."""
        write(path, profile_text(), 0o640)
        told = await problem(ask)
        assert told["code"] == "no_credentials"
        assert str(path) in told["message"]
        assert "0640" in told["message"]
        write(path, profile_text())
        assert await problem(ask) is None

    async def test_comes_before_the_notebooks_own(
        self, ask: Ask, path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A person's own credentials are used where there are both."""
        monkeypatch.setenv("AWS_CREDENTIAL_PROFILES_FILE", write(tmp_path / "own" / "x", notebook_text("wrong-secret")))
        assert await problem(ask) is None
        assert str(path) in await source(ask)


class TestTheNotebooksOwnFile:
    """The file that the platform keeps fresh."""

    @pytest.fixture(autouse=True)
    def path(self, environment: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        path = tmp_path / "platform" / "credentials"
        monkeypatch.setenv("AWS_CREDENTIAL_PROFILES_FILE", write(path, notebook_text(), 0o644))
        monkeypatch.setenv("PROJECT_ID", defaults.PROJECT_ID)
        return path

    async def test_works_and_names_its_user(self, ask: Ask, emulator: EmulatorServer) -> None:
        """The user's id is sent as the platform's own tools send it."""
        assert await problem(ask) is None
        assert emulator.emulator.record.shown()[0]["user_id"] == "u-1"

    async def test_rotation_goes_unnoticed(self, ask: Ask, emulator: EmulatorServer, path: Path) -> None:
        """After the platform has written the file anew, a refused look or write is sent again with what it holds."""
        assert await problem(ask) is None
        await control(emulator, "PATCH", "keys", {"secret_key": "rotated-secret-key"})
        write(path, notebook_text("rotated-secret-key"), 0o644)
        assert await problem(ask) is None
        await control(emulator, "PATCH", "keys", {"secret_key": "rotated-again"})
        write(path, notebook_text("rotated-again"), 0o644)
        assert (await ask("PATCH", "instance", {"description": "rotated"})).status == 200
        statuses = [seen["status"] for seen in emulator.emulator.record.shown()]
        assert statuses.count(401) == 2

    async def test_the_same_key_is_not_tried_twice(self, ask: Ask, emulator: EmulatorServer) -> None:
        """Where the file has not changed, a refusal is told after one try: bad signatures lock the key."""
        await control(emulator, "PATCH", "keys", {"secret_key": "rotated-secret-key"})
        assert (await problem(ask))["code"] == "APIGW.0301"
        assert len(emulator.emulator.record.shown()) == 1


async def test_no_credentials_name_every_way(ask: Ask) -> None:
    """Nothing given: the problem says all that could be."""
    told = await problem(ask)
    assert told["code"] == "not_configured"
    assert "credentials" in told["message"]


KEY, TOKEN, LOGGED_IN, PROFILE, NOTEBOOK = "access key", "token", "login", "profile", "notebook"
ORDER = (KEY, TOKEN, LOGGED_IN, PROFILE, NOTEBOOK)
"""Of two ways that are given, the one that stands here before the other is taken."""

NAMED = {
    KEY: "HUAWEICLOUD_SDK_AK",
    TOKEN: "JUPYTER_AUTOSTOP_TOKEN",
    LOGGED_IN: "JUPYTER_AUTOSTOP_IAM_USER",
    PROFILE: ".huaweicloud/credentials",
    NOTEBOOK: "the notebook's own file",
}


class TestTheOrder:
    """Of all ways those from one on, which alone is good; each that comes after it would be refused."""

    @pytest.fixture(params=ORDER)
    def first(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture(autouse=True)
    def everything_from_it_on(
        self, first: str, environment: None, jp_home_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        given = ORDER[ORDER.index(first) :]
        monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", defaults.PROJECT_ID)
        if KEY in given:
            monkeypatch.setenv("HUAWEICLOUD_SDK_AK", defaults.ACCESS_KEY)
            monkeypatch.setenv("HUAWEICLOUD_SDK_SK", defaults.SECRET_KEY)
        if TOKEN in given:
            monkeypatch.setenv(
                "JUPYTER_AUTOSTOP_TOKEN", defaults.TOKEN if first == TOKEN else "a-token-that-is-no-good"
            )
        if LOGGED_IN in given:
            for name, value in LOGIN.items():
                monkeypatch.setenv(name, value if first == LOGGED_IN or "PASSWORD" not in name else "wrong")
        if PROFILE in given:
            key = defaults.ACCESS_KEY if first == PROFILE else "WRONGACCESSKEY"
            write(jp_home_dir / ".huaweicloud" / "credentials", profile_text(key))
        secret = defaults.SECRET_KEY if first == NOTEBOOK else "wrong-secret"
        monkeypatch.setenv("AWS_CREDENTIAL_PROFILES_FILE", write(tmp_path / "own" / "x", notebook_text(secret)))

    async def test_the_first_is_taken(self, first: str, ask: Ask, emulator: EmulatorServer) -> None:
        """The first is used and named, and nothing else is tried, neither by a look nor by a write."""
        assert await problem(ask) is None
        assert (await ask("PATCH", "instance", {"description": first})).status == 200
        assert NAMED[first] in await source(ask)
        assert {seen["status"] for seen in emulator.emulator.record.shown()} <= {200, 201, 400}
        assert logins(emulator) == (first == LOGGED_IN)
