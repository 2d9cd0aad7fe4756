"""Whatever a Jupyter server finds where it starts: the extension loads, tells, and hands no secret on."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Ask
from processes import JupyterServer, emulated, running_emulator, running_jupyter, running_kernel

from jupyter_autostop.disk import shown, within
from jupyter_autostop.storage.slots import RECORD_SIZE
from jupyter_autostop.storage.state_dir import choose_place, default_state_dir, try_folder

SECRETS = {
    "HUAWEICLOUD_SDK_AK": "CANARYAK0123456789AB",
    "HUAWEICLOUD_SDK_SK": "canary-sk-0123456789",
    "JUPYTER_AUTOSTOP_TOKEN": "canary-iam-token",
    "JUPYTER_AUTOSTOP_IAM_PASSWORD": "canary-password",
}
ERRNOS = (errno.EACCES, errno.ENOTCONN, errno.ENAMETOOLONG, errno.ESTALE, errno.EIO, errno.ELOOP)
WITHOUT = "-dac_override,-dac_read_search"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator() as endpoint:
        yield endpoint


@pytest.fixture
def locked(tmp_path: Path) -> Path:
    """A folder that the server may not search: another user's where the tests run as root, else one without a mode."""
    folder = tmp_path / "locked"
    (folder / "work").mkdir(parents=True)
    if os.geteuid() == 0:
        os.chown(folder, 65534, 65534)
    folder.chmod(0o700 if os.geteuid() == 0 else 0)
    return folder


@contextmanager
def server_in(folder: Path, settings: dict[str, str], *arguments: str) -> Iterator[JupyterServer]:
    """Run a Jupyter server that may not do what only root may."""
    python = folder / "python"
    capless = f"{shutil.which('setpriv')} --bounding-set={WITHOUT} --inh-caps={WITHOUT}" if os.geteuid() == 0 else ""
    python.write_text(f'#!/bin/sh\nexec {capless} {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(0o755)
    with running_jupyter(folder, *arguments, settings=settings, python=str(python)) as server:
        yield server


def checks_of(client: httpx.Client) -> dict[str, Any]:
    return {check["name"]: check for check in client.get("jupyter-autostop/doctor").raise_for_status().json()["checks"]}


def test_a_state_dir_that_cannot_be_searched(endpoint: str, tmp_path: Path, locked: Path) -> None:
    """Each route answers, a hold is kept in the next best folder, as the doctor says, and kernels get no secret."""
    settings = {**SECRETS, **emulated(endpoint), "JUPYTER_AUTOSTOP_STATE_DIR": str(locked / "work" / "state")}
    with server_in(tmp_path, settings) as server, server.client() as client:
        state = client.get("jupyter-autostop/instance").raise_for_status().json()
        assert state["deadline"]
        wish = {"until": state["server_time"] + 7_200_000}
        assert client.post("jupyter-autostop/holds", json=wish).status_code == 201
        assert client.get("jupyter-autostop/journal").raise_for_status().json()["entries"]
        checks = checks_of(client)
        with running_kernel(server, client) as run:
            environ = run("print(open('/proc/self/environ').read())")
    check = checks["state_dir"]
    assert (check["ok"], "Permission denied" in check["message"]) == (False, True)
    assert str(tmp_path / "data" / "autostop") in check["message"]
    assert (checks["record"]["ok"], checks["journal"]["ok"], checks["capability"]["ok"]) == (True, True, True)
    assert "PATH=" in environ
    assert [name for name, secret in SECRETS.items() if name in environ or secret in environ] == []
    assert "Traceback" not in (tmp_path / "server.log").read_text(encoding="utf-8")


def test_every_path_is_impossible(tmp_path: Path, locked: Path) -> None:
    """A name too long, a NUL, a pipe for a certificate, credentials in a locked folder: each is told, none raises."""
    pipe = tmp_path / "ca.pem"
    os.mkfifo(pipe)
    config = tmp_path / "jupyter_config.py"
    config.write_text("c.AutostopApp.state_dir = '/srv/a\\0b'\n", encoding="utf-8")
    settings = {
        "JUPYTER_AUTOSTOP_ENDPOINT": "https://127.0.0.1:9",
        "JUPYTER_AUTOSTOP_PROJECT_ID": "p1",
        "JUPYTER_AUTOSTOP_INSTANCE_ID": "DE-1",
        "JUPYTER_AUTOSTOP_CA_FILE": str(pipe),
        "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(locked / "work" / "credentials"),
    }
    with server_in(tmp_path, settings, f"--config={config}") as server, server.client() as client:
        problem = client.get("jupyter-autostop/instance").raise_for_status().json()["problem"]
        assert problem["code"] == "no_credentials"
        assert "Permission denied" in problem["message"]
        checks = checks_of(client)
        assert "no file can have this name" in checks["state_dir"]["message"]
        assert checks["record"]["ok"]
    settings |= {"HUAWEICLOUD_SDK_AK": "a", "HUAWEICLOUD_SDK_SK": "s", "JUPYTER_AUTOSTOP_STATE_DIR": f"/{'n' * 256}"}
    with server_in(tmp_path, settings) as server, server.client() as client:
        problem = client.get("jupyter-autostop/instance").raise_for_status().json()["problem"]
        assert (problem["code"], "it is a pipe" in problem["message"]) == ("configuration_invalid", True)
        assert "File name too long" in checks_of(client)["state_dir"]["message"]
    assert "Traceback" not in (tmp_path / "server.log").read_text(encoding="utf-8")


class TestAFaultOfOurs:
    """A default that raises, or a link to the server that does."""

    @pytest.fixture(params=["default", "linking"])
    def jp_server_config(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        for name, value in SECRETS.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BROKEN", request.param)
        return {"ServerApp": {"jpserver_extensions": {"broken_extension": True}}}

    async def test_is_told_by_every_route(self, ask: Ask) -> None:
        """The secrets are gone, the State says what is wrong, a write is refused, and the doctor answers."""
        assert [name for name in SECRETS if name in os.environ] == []
        problem = (await ask("GET", "instance")).json["problem"]
        assert problem["code"] == "setup_failed"
        assert "not connected" in problem["message"] or "no such thing" in problem["message"]
        reply = await ask("POST", "extend", {"by": 3600})
        assert (reply.status, reply.json["code"]) == (503, "setup_failed")
        checks = {check["name"]: check for check in (await ask("GET", "doctor")).json["checks"]}
        assert not checks["configuration"]["ok"]
        [entry] = (await ask("GET", "journal")).json["entries"]
        assert entry["what"] == "extend by 1 h"


@pytest.mark.parametrize("number", ERRNOS, ids=errno.errorcode.get)
def test_the_work_folder_fails(number: int, tmp_path: Path) -> None:
    """Where the folder that survives a stop is there and fails, it is meant, and the next best is taken."""

    def look(_: Path) -> os.stat_result:
        raise OSError(number, os.strerror(number))

    def try_(place: Path, _: str) -> str:
        return os.strerror(number) if place == tmp_path / "work" / ".jupyter_autostop" else ""

    found = default_state_dir(tmp_path / "work", tmp_path / "data", look)
    assert found == tmp_path / "work" / ".jupyter_autostop"
    place, why = choose_place(str(found), "DE-1.keeper", try_)
    assert place is not None
    assert place != found
    assert os.strerror(number) in why


def test_the_work_folder(tmp_path: Path, locked: Path) -> None:
    """It is taken where it is a folder; nothing, a file or a link to nowhere in its place is none."""
    for make in (Path.mkdir, Path.touch, lambda path: path.symlink_to("nowhere"), lambda _: None):
        work = tmp_path / "work"
        make(work)
        expected = work / ".jupyter_autostop" if work.is_dir() else tmp_path / "data" / "autostop"
        assert default_state_dir(work, tmp_path / "data") == expected
        (work.rmdir if work.is_dir() else lambda: work.unlink(missing_ok=True))()  # noqa: B023 - called at once


class TestADiskThatHangs:
    """A mount that neither answers nor fails."""

    @pytest.fixture
    def hang(self) -> Iterator[Callable[..., Any]]:
        free = threading.Event()
        yield lambda *_: free.wait(60)
        free.set()

    def test_is_left_behind(self, hang: Callable[..., Any], tmp_path: Path) -> None:
        """It is given up in time, and asked no second time while it hangs; other folders are."""
        with pytest.raises(TimeoutError, match="does not answer"):
            within(0.05, tmp_path, hang)
        count = threading.active_count()
        with pytest.raises(TimeoutError):
            within(0.05, tmp_path, hang)
        assert threading.active_count() == count
        assert try_folder(tmp_path / "other") == ""
        assert "does not answer" in try_folder(tmp_path, patience_s=0.05)

    def test_does_not_keep_the_server_from_starting(self, hang: Callable[..., Any], tmp_path: Path) -> None:
        """The folder is meant all the same: the doctor says that it does not answer."""
        found = default_state_dir(tmp_path / "work", tmp_path / "data", hang, patience_s=0.05)
        assert found == tmp_path / "work" / ".jupyter_autostop"


def test_a_call_within_a_call_about_the_same(tmp_path: Path) -> None:
    """One that asks about the same folder while it is asked about it waits for nobody, and errors come as they are."""
    assert within(5, tmp_path, lambda: within(5, tmp_path, lambda: 1)) == 1
    with pytest.raises(ZeroDivisionError):
        within(5, tmp_path, lambda: 1 // 0)


def test_many_calls_about_the_same_at_once(tmp_path: Path) -> None:
    """Each has its own answer, however many ask."""
    with ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda number: within(30, tmp_path, lambda: number), range(400))
    assert list(found) == list(range(400))


def test_a_path_can_always_be_shown() -> None:
    """Bytes that are no text and characters that a terminal obeys are written out."""
    assert shown(os.fsdecode(b"/srv/\xff\x1b[2J\n")) == "/srv/\\udcff\\x1b[2J\\n"
    assert shown(Path("/srv/é")) == "/srv/é"
    assert len(shown("/a" * 4000)) < 400


def test_a_disk_without_room_for_the_record_is_no_place(tmp_path: Path) -> None:
    """A folder that takes a few bytes and not the whole record is not used for it."""
    import resource  # noqa: PLC0415 - for this one

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (RECORD_SIZE - 1, before[1]))
    try:
        small, whole = try_folder(tmp_path), try_folder(tmp_path, RECORD_SIZE)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert small == ""
    assert "File too large" in whole
    assert list(tmp_path.iterdir()) == []
