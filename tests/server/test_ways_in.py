"""How a kernel or terminal gets in to its own server: real servers with every kind of login, and real kernels."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from jupyter_server.auth import passwd
from processes import (
    JupyterServer,
    emulated,
    ended,
    own_environment,
    running_emulator,
    running_jupyter,
    running_kernel,
    wait_for,
)

from jupyter_autostop.client.client import LocalClient, MissingExtensionError, NoWayInError, RefusedError, connect
from jupyter_autostop.client.discovery import find_server
from jupyter_autostop.client.transport import UnreachableError
from jupyter_autostop.emulator import defaults
from jupyter_autostop.errors import ClientError

PASSWORD = "correct horse"
PASSWORD_LOGIN = (f"--PasswordIdentityProvider.hashed_password={passwd(PASSWORD, 'sha256')}",)
NO_LOGIN = ("--IdentityProvider.token=", "--PasswordIdentityProvider.hashed_password=")
CLOSED = "--ServerApp.allow_unauthenticated_access=False"
DEAD_PROXY = "http://127.0.0.1:9"
PROXIES = dict.fromkeys(
    ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"), DEAD_PROXY
)
KERNEL = "import os; from jupyter_autostop.client.client import connect; client = connect(os.environ, means='kernel'); "


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with running_emulator("--remaining", "50m") as endpoint:
        yield endpoint


def command(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "jupyter_autostop", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def description(endpoint: str) -> Any:
    with httpx.Client(base_url=endpoint, trust_env=False, headers={"X-Auth-Token": defaults.TOKEN}) as client:
        return client.get(f"/v1/{defaults.PROJECT_ID}/demanager/instances/{defaults.INSTANCE_ID}").json()["description"]


def describe(client: LocalClient, text: str) -> None:
    client.change({"description": text})


def capability_file(server: JupyterServer) -> Path:
    path = server.folder / "runtime" / f"jpautostop-{server.pid}.json"
    wait_for(path.exists)
    return path


def stranger(folder: Path) -> dict[str, str]:
    """Return an environment in which no runtime file can be seen."""
    return {"JUPYTER_RUNTIME_DIR": str(folder / "nothing")}


@pytest.fixture(scope="module")
def token_server(endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[JupyterServer]:
    """A server with a token, at a base URL that needs quoting, in an environment full of dead proxies."""
    folder = tmp_path_factory.mktemp("token")
    base_url = "--ServerApp.base_url=/user/a%40b.example/deep%20er"
    with running_jupyter(folder, base_url, settings={**emulated(endpoint), **PROXIES}) as server:
        capability_file(server)
        yield server


def test_a_kernel_looks_and_writes(token_server: JupyterServer, endpoint: str) -> None:
    """A kernel finds its server among several and gets in, and the journal tells that it was a kernel."""
    runtime = token_server.folder / "runtime"
    other = json.loads((runtime / f"jpserver-{token_server.pid}.json").read_text(encoding="utf-8"))
    mistaken = runtime / f"jpserver-{os.getpid()}.json"
    mistaken.write_text(json.dumps({**other, "pid": os.getpid(), "port": 9}), encoding="utf-8")
    with token_server.client() as client, running_kernel(token_server, client) as run:
        assert run(KERNEL + "print(client.instance()['emulated'], end='')") == "True"
        assert run(KERNEL + "client.change({'description': 'by a kernel'})") == ""
        assert description(endpoint) == "by a kernel"
        assert client.get("jupyter-autostop/journal").json()["entries"][0]["who"] == "kernel"
        # A terminal command in it, where the kernel's environment names the server.
        shell = "import subprocess, sys; print(subprocess.run([sys.executable, '-m', 'jupyter_autostop', 'status'],"
        assert run(shell + " capture_output=True, text=True).stdout)").startswith("[emulator] Stops at ")
    mistaken.unlink()


def test_a_terminal_looks_and_writes(token_server: JupyterServer, endpoint: str) -> None:
    """The command passes the proxies by."""
    described = command({**token_server.environment, **PROXIES}, "describe", "by a terminal")
    assert (described.returncode, described.stderr) == (0, "")
    assert description(endpoint) == "by a terminal"


def test_a_url_names_it(token_server: JupyterServer, tmp_path: Path) -> None:
    """A URL with the token is enough anywhere; without the token it is for a server whose files can be read."""
    nowhere = stranger(tmp_path)
    assert connect(nowhere, f"{token_server.url}lab/tree/x.ipynb?token={token_server.token}").instance()["emulated"]
    assert connect(token_server.environment, f"{token_server.url}lab").instance()["emulated"]
    with pytest.raises(NoWayInError, match=r"does not let this terminal in \(tried: no login\)") as refused:
        connect(nowhere, token_server.url).instance()
    assert "token" in refused.value.hint
    with pytest.raises(NoWayInError, match=r"\(tried: its token, no login\)"):
        connect(nowhere, f"{token_server.url}?token=wrong").instance()
    with pytest.raises(UnreachableError, match="no Jupyter server"):
        connect(nowhere, token_server.url.replace("/user", "/loser") + f"?token={token_server.token}").instance()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def folder(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("password")
    certificate = authority.issue_cert("jupyter.example.org", "localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    (folder / "cert.pem").write_bytes(b"".join(part.bytes() for part in certificate.cert_chain_pems))
    authority.cert_pem.write_to_path(folder / "ca.pem")
    return folder


@pytest.fixture(scope="module")
def password_server(endpoint: str, folder: Path) -> Iterator[JupyterServer]:
    """A server with a password and no token, TLS by an authority nobody knows, and strangers kept out."""
    tls = (f"--ServerApp.certfile={folder / 'cert.pem'}", f"--ServerApp.keyfile={folder / 'key.pem'}")
    options = (*tls, CLOSED, "--ServerApp.log_level=DEBUG")
    with running_jupyter(folder, *options, settings=emulated(endpoint), login=PASSWORD_LOGIN) as server:
        capability_file(server)
        yield server


@pytest.fixture
def browser(password_server: JupyterServer, authority: trustme.CA) -> Iterator[httpx.Client]:
    """A page that somebody has logged in to with the password."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    url = password_server.url.replace("127.0.0.1", "localhost")
    with httpx.Client(base_url=url, trust_env=False, verify=context) as client:
        client.get("login")
        client.headers["X-XSRFToken"] = client.cookies["_xsrf"]
        client.post("login", data={"password": PASSWORD, "_xsrf": client.cookies["_xsrf"]})
        client.headers["X-XSRFToken"] = client.cookies["_xsrf"]
        yield client


def test_a_kernel_without_a_token_looks_and_writes(
    password_server: JupyterServer, browser: httpx.Client, endpoint: str
) -> None:
    """The capability lets a kernel in where there is no token, and the certificate named beside it is trusted."""
    with running_kernel(password_server, browser) as run:
        assert run(KERNEL + "client.change({'description': 'by capability'})") == ""
    assert description(endpoint) == "by capability"
    who = browser.get("jupyter-autostop/journal").json()["entries"][0]["who"]
    assert who.startswith("kernel (")


def test_the_secret_stays_secret(password_server: JupyterServer, browser: httpx.Client) -> None:
    """The file is its owner's alone; the secret is in no log at DEBUG, in no answer and in no repr."""
    path = capability_file(password_server)
    assert path.stat().st_mode & 0o777 == 0o600
    secret = json.loads(path.read_text(encoding="utf-8"))["secret"]
    assert len(secret) > 40
    found = find_server({**password_server.environment, "JPY_PARENT_PID": str(password_server.pid)})
    assert found.secret == secret
    describe(LocalClient(found), "canary")
    assert secret not in repr(found) + repr(LocalClient(found))
    shown = "".join(
        browser.get(route).text for route in ("jupyter-autostop/instance", "jupyter-autostop/journal", "api/status")
    )
    log = (password_server.folder / "server.log").read_text(encoding="utf-8")
    assert "PATCH /jupyter-autostop/instance" in log
    assert secret not in shown + log


def test_the_secret_opens_nothing_else(password_server: JupyterServer, authority: trustme.CA) -> None:
    """With the capability as a header or as a token, every other route stays closed."""
    secret = json.loads(capability_file(password_server).read_text(encoding="utf-8"))["secret"]
    context = ssl.create_default_context()
    authority.configure_trust(context)
    url = password_server.url.replace("127.0.0.1", "localhost")
    with httpx.Client(base_url=url, trust_env=False, verify=context) as client:
        for headers in ({"X-Autostop-Capability": secret}, {"Authorization": f"token {secret}"}):
            for route in ("api/contents", "api/kernels", "api/sessions", "api/terminals", "api/me", "api/status"):
                assert client.get(route, headers=headers).status_code == 403, route
            assert client.post("api/kernels", headers=headers, json={}).status_code == 403
            assert client.get("files/x", headers=headers).status_code in (302, 403)
        assert client.get("jupyter-autostop/instance", headers=headers).status_code == 403


def test_an_unknown_certificate_is_told_nothing(
    password_server: JupyterServer, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever cannot read the files verifies as usual, and may name the authority in either of the usual ways."""
    nowhere, url = stranger(tmp_path), password_server.url.replace("127.0.0.1", "localhost")
    with pytest.raises(UnreachableError, match="Nobody trusted here vouches for the certificate") as refused:
        connect(nowhere, url).instance()
    assert "--cacert" in refused.value.hint
    with pytest.raises(NoWayInError, match="tried: no login"):
        connect(nowhere, url, cafile=str(folder / "ca.pem")).instance()
    with pytest.raises(UnreachableError, match="vouches"):
        connect(nowhere, password_server.url, cafile=str(folder / "ca.pem")).instance()
    told = command({**own_environment(tmp_path), **nowhere}, "status", "--server", url, "--cacert", __file__)
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert f"certificate file {__file__} cannot be used" in told.stderr
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.pem"))
    with pytest.raises(NoWayInError, match="tried: no login"):
        connect(nowhere, url).instance()


def test_another_certificate_is_told_nothing(password_server: JupyterServer, folder: Path) -> None:
    """A server that does not show the certificate its file names is not asked, whoever vouches for it."""
    path = capability_file(password_server)
    kept = path.read_bytes()
    path.write_text(json.dumps({**json.loads(kept), "certfile": str(folder / "ca.pem")}), encoding="utf-8")
    try:
        with pytest.raises(UnreachableError, match="does not show the certificate in"):
            connect({**password_server.environment, "JPY_PARENT_PID": str(password_server.pid)}).instance()
    finally:
        path.write_bytes(kept)


def test_a_wrong_secret_is_not_let_in(password_server: JupyterServer) -> None:
    """A capability file that is not the server's own leads to one line that tells what was tried."""
    path = capability_file(password_server)
    kept = path.read_bytes()
    path.write_text(json.dumps({**json.loads(kept), "secret": "x" * 43}), encoding="utf-8")
    try:
        told = command({**password_server.environment, "JPY_PARENT_PID": str(password_server.pid)}, "off")
    finally:
        path.write_bytes(kept)
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert "does not let this terminal in (tried: its capability file, no login)" in told.stderr


@pytest.mark.parametrize(
    ("door", "ending"), [("unix", signal.SIGTERM), ("tcp", signal.SIGINT)], ids=["unix-SIGTERM", "tcp-SIGINT"]
)
def test_no_login(door: str, ending: signal.Signals, endpoint: str, tmp_path: Path) -> None:
    """Where nobody logs in, a look needs nothing, and a write brings the XSRF pair if the capability is out of reach.

    On a unix socket that keeps strangers out, and on TCP that lets them in. The capability ends with its server,
    and with the next one if it was killed.
    """
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    left = {"pid": 99999999, "started": "1", "machine": socket.gethostname(), "secret": "of the dead"}
    (runtime / "jpautostop-99999999.json").write_text(json.dumps(left), encoding="utf-8")
    sock = tmp_path / "Jupyter's own.sock"
    unix = door == "unix"
    options = (CLOSED,) if unix else ("--ServerApp.allow_unauthenticated_access=True",)
    listen = f"--ServerApp.sock={sock}" if unix else "--ServerApp.port=0"
    with running_jupyter(tmp_path, *options, settings=emulated(endpoint), login=NO_LOGIN, listen=listen) as server:
        path = capability_file(server)
        assert list(runtime.glob("jpautostop-*")) == [path]
        at_home = {**server.environment, "JPY_PARENT_PID": str(server.pid), "JUPYTERHUB_API_TOKEN": "of another server"}
        assert connect(at_home).instance()["emulated"]
        describe(connect(at_home), f"{door} by capability")
        assert description(endpoint) == f"{door} by capability"
        assert command(server.environment, "status", "--server", server.url).stdout.startswith("[emulator]")
        kept = path.read_bytes()
        path.unlink()
        describe(connect(at_home), f"{door} by pair")
        assert description(endpoint) == f"{door} by pair"
        nowhere = connect(stranger(tmp_path), f"{server.url}?token=useless")
        describe(nowhere, f"{door} by address")
        assert description(endpoint) == f"{door} by address"
        with pytest.raises(RefusedError, match="512"):
            describe(nowhere, "x" * 513)
        path.write_bytes(kept)
        os.kill(server.pid, ending)
        wait_for(lambda: not path.exists())
    assert list(runtime.glob("jpautostop-*")) == []
    assert "Traceback" not in (tmp_path / "server.log").read_text(encoding="utf-8")


def test_a_server_beside_those_without_the_extension(endpoint: str, tmp_path: Path) -> None:
    """A kernel whose server has not loaded the extension takes `jupyter autostop serve`, and no other by guess."""
    without_us = "--ServerApp.jpserver_extensions={'jupyter_autostop': False}"
    serve = [sys.executable, "-m", "jupyter_autostop", "serve", "--ServerApp.port=0"]
    with (
        running_jupyter(tmp_path, without_us) as by_token,
        running_jupyter(tmp_path, without_us, CLOSED, login=PASSWORD_LOGIN) as by_password,
    ):
        kernels = [{**server.environment, "JPY_PARENT_PID": str(server.pid)} for server in (by_token, by_password)]
        with pytest.raises(MissingExtensionError, match="does not know jupyter_autostop"):
            connect(kernels[0]).instance()
        with pytest.raises(NoWayInError) as refused:
            connect(kernels[1]).instance()
        assert "is jupyter_autostop loaded there?" in refused.value.hint
        with (tmp_path / "serve.log").open("wb") as log:
            environment = {**by_token.environment, **emulated(endpoint)}
            process = subprocess.Popen(serve, env=environment, stdout=log, stderr=log, cwd=tmp_path)
        with ended(process):
            path = tmp_path / "runtime" / f"jpautostop-{process.pid}.json"
            wait_for(path.exists)
            for number, kernel in enumerate(kernels):
                describe(connect(kernel), f"through serve {number}")
                assert description(endpoint) == f"through serve {number}"
            # Without a server of its own, a terminal takes it before anybody's JupyterLab.
            assert command(by_token.environment, "status").stdout.startswith("[emulator]")
            info = json.loads(path.read_text(encoding="utf-8"))
            path.write_text(json.dumps({**info, "serve": False}), encoding="utf-8")
            with pytest.raises(MissingExtensionError, match=by_token.url):
                connect(kernels[0]).instance()
            with pytest.raises(ClientError, match="Several Jupyter servers are running"):
                connect(by_token.environment)
        assert not path.exists()
