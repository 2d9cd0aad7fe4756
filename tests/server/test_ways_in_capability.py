"""What the capability opens, and what it does not: our routes for its user, and nothing else for anybody."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from conftest import settle
from jupyter_server.auth import Authorizer, User
from jupyter_server.auth.identity import IdentityProvider, PasswordIdentityProvider
from tornado.httpclient import HTTPClientError

from jupyter_autostop.emulator.server import EmulatorServer
from jupyter_autostop.process import started
from jupyter_autostop.server.auth import Capability

Raw = Callable[..., Awaitable[Any]]
HEADER = "X-Autostop-Capability"
OURS = "jupyter-autostop/instance"
OTHERS = ("api/contents", "api/kernels", "api/sessions", "api/terminals", "api/me", "api/status", "files/x", "nothing")


class ReadOnly(Authorizer):
    """Lets everybody read, and whom a hub says it may write; writes down whom it was asked about."""

    asked: ClassVar[list[tuple[str, str, str]]] = []

    def is_authorized(self, handler: Any, user: Any, action: str, resource: str) -> bool:
        self.asked.append((user.username, action, resource))
        return action == "read" or "access:servers" in user.hub_user["scopes"]


class Hub(IdentityProvider):
    """Judges every request anew and knows nobody, as JupyterHub's does of whoever has no account."""

    def get_user(self, handler: Any) -> User | None:
        return None


@pytest.fixture(params=[True, False], ids=["unauthenticated-allowed", "unauthenticated-refused"])
def open_door(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture
def provider() -> type[IdentityProvider]:
    return PasswordIdentityProvider


@pytest.fixture
def authorizer() -> type[Authorizer]:
    return Authorizer


@pytest.fixture
def jp_server_config(
    jp_server_config: dict[str, Any], open_door: bool, provider: type[IdentityProvider], authorizer: type[Authorizer]
) -> dict[str, Any]:
    jp_server_config["ServerApp"] |= {
        "allow_unauthenticated_access": open_door,
        "identity_provider_class": provider,
        **({} if authorizer is Authorizer else {"authorizer_class": authorizer}),
    }
    return jp_server_config


@pytest.fixture
def raw(jp_serverapp: Any, http_server_client: Any, jp_base_url: str) -> Raw:
    """Send a request with these headers and no others."""

    async def send(method: str, path: str, **options: Any) -> Any:
        options |= {"method": method, "allow_nonstandard_methods": True, "follow_redirects": False}
        try:
            return await http_server_client.fetch(f"{jp_base_url}{path}", **options)
        except HTTPClientError as error:
            return error.response

    return send


@pytest.fixture
def secret(jp_serverapp: Any, jp_asyncio_loop: asyncio.AbstractEventLoop) -> str:
    """What a process of the server's user reads in the file, which is there once the server's loop runs."""
    jp_asyncio_loop.run_until_complete(settle())
    path = Path(jp_serverapp.runtime_dir) / f"jpautostop-{os.getpid()}.json"
    return json.loads(path.read_text(encoding="utf-8"))["secret"]


async def test_it_opens_our_routes_and_no_other(raw: Raw, secret: str, jp_serverapp: Any) -> None:
    """Reading and writing need no cookie and no XSRF token; what is not ours is as closed as for any stranger."""
    right = {HEADER: secret}
    assert (await raw("GET", OURS, headers=right)).code == 200
    for body in ('{"description": "by capability"}', '{"description": "again"}'):
        assert (await raw("PATCH", OURS, headers=right, body=body)).code == 200
    for path in OTHERS:
        for verb in ("GET", "POST", "PUT", "DELETE"):
            for headers in (right, {"Authorization": f"token {secret}"}, {"Authorization": f"autostop {secret}"}):
                stranger, reply = await raw(verb, path), await raw(verb, path, headers=headers)
                assert reply.code == stranger.code, (verb, path)
                assert reply.code in (302, 403, 404, 405), (verb, path)
    assert [path for path in OTHERS if (await raw("GET", path, headers=right)).code == 403][:3] == list(OTHERS[:3])
    assert "Set-Cookie" not in (await raw("GET", OURS, headers=right)).headers


async def test_a_wrong_one_is_no_fallback_to_less(raw: Raw, secret: str, jp_serverapp: Any) -> None:
    """A wrong capability is 403 for every verb, also beside the right token, and a right one counts only as itself."""
    token = {"Authorization": f"token {jp_serverapp.identity_provider.token}"}
    assert (await raw("GET", OURS, headers=token)).code == 200
    for wrong in ("", "wrong", secret[:-1], secret + "x", secret.swapcase(), "\xe9" * 43):
        for extra in ({}, token):
            for verb in ("GET", "PATCH"):
                body = None if verb == "GET" else '{"description": "x"}'
                reply = await raw(verb, OURS, headers={HEADER: wrong, **extra}, body=body)
                assert (reply.code, json.loads(reply.body)["code"]) == (403, "forbidden"), (wrong, extra, verb)
    for elsewhere in ({"Authorization": f"token {secret}"}, {"Cookie": f"{HEADER}={secret}"}):
        assert (await raw("GET", OURS, headers=elsewhere)).code == 403
    assert (await raw("GET", f"{OURS}?token={secret}")).code == 403


async def test_no_page_of_another_origin_may_use_it(raw: Raw, secret: str, emulator: EmulatorServer) -> None:
    """A preflight does not name the header, and a request with a foreign origin is refused whatever it carries."""
    asked = {"Origin": "https://example.org", "Access-Control-Request-Headers": HEADER.lower()}
    preflight = await raw("OPTIONS", OURS, headers=asked)
    assert HEADER.lower() not in preflight.headers["Access-Control-Allow-Headers"].lower()
    foreign = {HEADER: secret, "Origin": "https://example.org"}
    assert (await raw("PATCH", OURS, headers=foreign, body='{"description": "x"}')).code == 404
    assert emulator.emulator.record.shown() == []


class TestAuthorizer:
    """A server whose authorizer lets everybody read, and an identity provider that asks elsewhere each time."""

    @pytest.fixture
    def authorizer(self) -> type[Authorizer]:
        return ReadOnly

    @pytest.fixture
    def provider(self) -> type[IdentityProvider]:
        return Hub

    async def test_it_is_asked_about_a_user_of_its_own(self, raw: Raw, secret: str, emulator: EmulatorServer) -> None:
        """The capability says who asks, not what may be done; and it does not depend on who else is known."""
        ReadOnly.asked.clear()
        assert (await raw("GET", OURS, headers={HEADER: secret})).code == 200
        reply = await raw("PATCH", OURS, headers={HEADER: secret}, body='{"description": "x"}')
        assert (reply.code, json.loads(reply.body)["code"]) == (403, "not_authorized")
        asked = [("jupyter_autostop", action, "jupyter_autostop") for action in ("read", "write")]
        assert ReadOnly.asked == asked
        assert [seen["method"] for seen in emulator.emulator.record.shown()] == ["GET"]


class TestNoLogin:
    """A server that lets everybody in."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config: dict[str, Any]) -> dict[str, Any]:
        # An empty one would be replaced by the test plugin.
        jp_server_config["PasswordIdentityProvider"] = {"token": ""}
        jp_server_config["ServerApp"] |= {"token": ""}
        return jp_server_config

    async def test_a_missing_xsrf_token_is_named(self, raw: Raw, jp_serverapp: Any) -> None:
        """Whoever is known and lacks the pair is told so, which is not the same as not being allowed."""
        assert not jp_serverapp.identity_provider.token
        assert (await raw("GET", OURS)).code == 200
        reply = await raw("PATCH", OURS, body='{"description": "x"}')
        assert (reply.code, json.loads(reply.body)["code"]) == (403, "xsrf")
        wrong = await raw("PATCH", OURS, headers={HEADER: "wrong"}, body='{"description": "x"}')
        assert (wrong.code, json.loads(wrong.body)["code"]) == (403, "forbidden")


@pytest.fixture
def strict_umask() -> Iterator[None]:
    before = os.umask(0o777)
    yield
    os.umask(before)


def test_the_file(tmp_path: Path, strict_umask: None) -> None:
    """It appears whole, for its owner alone whatever the umask; what lies in its place is replaced, a link included."""
    target = tmp_path / "target"
    target.touch()
    path = tmp_path / f"jpautostop-{os.getpid()}.json"
    path.symlink_to(target)
    capability = Capability()
    capability.publish(tmp_path, {"port": 8888, "machine": socket.gethostname()})
    assert not path.is_symlink()
    assert target.stat().st_size == 0
    assert path.stat().st_mode & 0o777 == 0o600
    written = json.loads(path.read_text(encoding="utf-8"))
    assert written["pid"] == os.getpid()
    assert capability.opens(written["secret"])
    assert Capability().opens(written["secret"]) is False
    assert written["secret"] not in repr(capability) + repr(vars(capability)["provider"])
    capability.withdraw()
    capability.withdraw()
    assert sorted(tmp_path.iterdir()) == [target]


def test_what_the_dead_left(tmp_path: Path) -> None:
    """Files of servers that are gone from this machine are removed; a living one's, and another machine's, are not."""
    here = {"machine": socket.gethostname(), "secret": "x"}
    files = {
        "gone": ("jpautostop-99999999.json", {**here, "pid": 99999999, "started": "1"}),
        "another's id now": ("jpautostop-1.json", {**here, "pid": 1, "started": "0"}),
        "alive": (f"jpautostop-{os.getppid()}.json", {**here, "pid": os.getppid(), "started": started(os.getppid())}),
        "elsewhere": ("jpautostop-99999998.json", {**here, "pid": 99999998, "started": "1", "machine": "elsewhere"}),
        "damaged": ("jpautostop-99999997.json", []),
    }
    for name, info in files.values():
        (tmp_path / name).write_text(json.dumps(info), encoding="utf-8")
    capability = Capability()
    capability.publish(tmp_path, {})
    capability.withdraw()
    left = {path.name for path in tmp_path.iterdir()}
    assert {what for what, (name, _) in files.items() if name in left} == {"alive", "elsewhere", "damaged"}


def test_what_one_left_that_was_killed_while_it_wrote(tmp_path: Path) -> None:
    """Its draft, with the secret in it, is removed as its file would be."""
    code = (
        "import os, signal, socket, sys, pathlib\n"
        "from jupyter_autostop.server.auth import Capability\n"
        "os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)\n"
        "Capability().publish(pathlib.Path(sys.argv[1]), {'machine': socket.gethostname()})\n"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 1
    capability = Capability()
    capability.publish(tmp_path, {})
    capability.withdraw()
    assert list(tmp_path.iterdir()) == []


SPOILED: dict[str, Callable[[Path], Any]] = {
    "removed": lambda path: path.unlink(),
    "folder removed": lambda path: shutil.rmtree(path.parent),
    "folder moved": lambda path: path.parent.rename(path.parent.with_name("elsewhere")),
    "made unreadable": lambda path: path.chmod(0),
    "made readable for all": lambda path: path.chmod(0o644),
    "emptied": lambda path: path.write_text("", encoding="utf-8"),
    "another's": lambda path: path.write_text(json.dumps({"secret": "another"}), encoding="utf-8"),
    "a link": lambda path: path.rename(path.with_name("x")) and path.symlink_to("x"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_a_capability_file_that_was_spoiled_is_made_again(spoil: Callable[[Path], Any], tmp_path: Path) -> None:
    """With the same secret, for its owner alone; once it is withdrawn it stays so."""
    folder = tmp_path / "runtime"
    folder.mkdir()
    capability = Capability()
    capability.publish(folder, {"machine": socket.gethostname()})
    path = folder / f"jpautostop-{os.getpid()}.json"
    before = path.read_text(encoding="utf-8")
    assert not capability.restore()
    spoil(path)
    assert capability.restore()
    assert (path.read_text(encoding="utf-8"), path.lstat().st_mode & 0o777) == (before, 0o600)
    capability.withdraw()
    assert not capability.restore()
    assert not path.exists()


def test_the_capability_of_another_machine_is_left_alone(tmp_path: Path) -> None:
    """Two machines that share a folder, and happen on the same process id, do not take it from each other for ever."""
    capability = Capability()
    capability.publish(tmp_path, {"machine": socket.gethostname()})
    path = tmp_path / f"jpautostop-{os.getpid()}.json"
    theirs = json.dumps({"machine": "elsewhere", "secret": "another"})
    path.write_text(theirs, encoding="utf-8")
    assert not capability.restore()
    assert path.read_text(encoding="utf-8") == theirs
    capability.withdraw()


async def test_a_server_without_a_runtime_folder(
    jp_serverapp: Any, raw: Raw, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the file cannot be written the server works as before, and its log names the reason in one line."""
    (app,) = jp_serverapp.extension_manager.extension_apps["jupyter_autostop"]
    before, jp_serverapp.runtime_dir = jp_serverapp.runtime_dir, str(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    app._publish_capability()
    jp_serverapp.runtime_dir = before
    assert (await raw("GET", OURS)).code == 403
    lines = [line for line in caplog.messages if "capability" in line]
    assert len(lines) == 1
    assert lines[0].endswith("the capability file cannot be written: No such file or directory")
