"""The local client: finds the Jupyter server this process belongs to and speaks to its autostop routes.

Standard library only, so that a kernel of any environment can carry it. Proxies are never asked: the way is local.
"""

from __future__ import annotations

import http.client
import json
import os
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from jupyter_autostop.errors import ClientError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONNECT_TIMEOUT = 2.0
LOOK_TIMEOUT = 20.0
WRITE_TIMEOUT = 120.0
"""Seconds; a write is up to three calls to the platform."""
_ANY_ADDRESS = {"", "*", "0.0.0.0", "::"}  # noqa: S104 - to be replaced by loopback


class RefusedError(ClientError):
    """The local server answered with an error of the contract; `payload` is its JSON."""

    def __init__(self, status: int, payload: dict[str, Any]) -> None:
        super().__init__(
            str(payload.get("message") or f"The Jupyter server refused (HTTP {status})."),
            code=str(payload.get("code") or "refused"),
            hint=str(payload.get("hint") or ""),
            request_id=payload.get("request_id"),
        )
        self.http_status = status
        self.state = payload.get("state")


@dataclass(frozen=True)
class Server:
    """Where a Jupyter server listens, and what opens it."""

    host: str
    port: int
    base_url: str
    secure: bool = False
    token: str = field(default="", repr=False)
    pid: int | None = None

    @property
    def url(self) -> str:
        """The address, without the token."""
        return f"{'https' if self.secure else 'http'}://{self.host}:{self.port}{self.base_url}"


def parse_server_url(url: str) -> Server:
    """Return the server that a URL such as `http://127.0.0.1:8888/?token=…` names."""
    refused = ClientError(
        "That is no address of a Jupyter server.",
        code="invalid",
        hint="Copy it from `jupyter server list`, e.g. http://127.0.0.1:8888/?token=…",
    )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refused from None
    secure = parts.scheme == "https"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise refused
    port = port or (443 if secure else 80)
    token = parse_qs(parts.query).get("token", [""])[0]
    base = parts.path.partition("/lab")[0].partition("/tree")[0].rstrip("/") + "/"
    return Server(parts.hostname, port, base, secure, token)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read_runtime_file(path: Path) -> Server | None:
    """Return the server a runtime file speaks of, `None` for a damaged, foreign or left-over one."""
    try:
        info = json.loads(path.read_text(encoding="utf-8"))
        host = "127.0.0.1" if info["hostname"] in _ANY_ADDRESS else str(info["hostname"])
        server = Server(
            host, int(info["port"]), str(info["base_url"]), bool(info["secure"]), str(info["token"]), int(info["pid"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return server if server.port and server.pid is not None and _alive(server.pid) else None


def running_servers(runtime_dir: Path) -> list[Server]:
    """Return the Jupyter servers of this user that run now, by their runtime files."""
    found = (_read_runtime_file(path) for path in sorted(runtime_dir.glob("jpserver-*.json")))
    return [server for server in found if server]


def _ancestors() -> list[int]:
    """Return the process ids above this process, nearest first; a terminal's shell is a child of its server."""
    pids = []
    pid = os.getppid()
    while pid > 1:
        pids.append(pid)
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return pids


def find_server(environ: Mapping[str, str], url: str | None = None) -> Server:
    """Return the server this process belongs to, or raise one line that says why there is none.

    A given URL first; else the server that started this kernel or terminal, by process id; else the only one.
    """
    if url:
        return parse_server_url(url)
    from jupyter_core.paths import jupyter_runtime_dir  # noqa: PLC0415 - only needed on this path

    servers = running_servers(Path(jupyter_runtime_dir()))
    by_pid = {server.pid: server for server in servers}
    parent = environ.get("JPY_PARENT_PID", "")
    for pid in ([int(parent)] if parent.isdecimal() else []) + _ancestors():
        if pid in by_pid:
            return by_pid[pid]
    if len(servers) == 1:
        return servers[0]
    if servers:
        raise ClientError(
            "Several Jupyter servers are running: " + ", ".join(server.url for server in servers) + ".",
            hint="Say which one with --server URL, as `jupyter server list` shows it.",
        )
    raise ClientError(
        "No Jupyter server of yours is running on this machine.",
        hint="Start JupyterLab, or give the server's address with --server URL.",
    )


class LocalClient:
    """Speaks to one server. Every method returns the parsed JSON or raises `ClientError`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def instance(self, *, refresh: bool = False) -> Any:
        """Return the State."""
        return self._call("GET", "instance?refresh=1" if refresh else "instance")

    def change(self, change: dict[str, Any]) -> Any:
        """PATCH the instance and return the State."""
        return self._call("PATCH", "instance", change)

    def extend(self, **extend: int) -> Any:
        """Extend `by` seconds or `until` an epoch time in ms and return the State."""
        return self._call("POST", "extend", extend)

    def _connect(self, method: str) -> http.client.HTTPConnection:
        server = self._server
        connection = (
            http.client.HTTPSConnection(
                server.host, server.port, timeout=CONNECT_TIMEOUT, context=ssl.create_default_context()
            )
            if server.secure
            else http.client.HTTPConnection(server.host, server.port, timeout=CONNECT_TIMEOUT)
        )
        try:
            connection.connect()
        except OSError as error:
            raise ClientError(
                f"The Jupyter server at {server.url} cannot be reached: {error.strerror or error}.",
                hint="Is it still running? See `jupyter server list`.",
            ) from error
        connection.sock.settimeout(LOOK_TIMEOUT if method == "GET" else WRITE_TIMEOUT)
        return connection

    def _call(self, method: str, route: str, body: Any = None) -> Any:
        server = self._server
        headers = {"Accept": "application/json"}
        if server.token:
            headers["Authorization"] = f"token {server.token}"
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        connection = self._connect(method)
        try:
            connection.request(method, f"{server.base_url}jupyter-autostop/{route}", content, headers)
            response = connection.getresponse()
            raw = response.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise ClientError(
                f"The Jupyter server at {server.url} did not answer.",
                hint="What became of the request is not known; look with `jupyter autostop status`.",
            ) from error
        finally:
            connection.close()
        return self._read(response.status, raw)

    def _read(self, status: int, raw: bytes) -> Any:
        try:
            data = json.loads(raw)
        except ValueError:
            data = None
        if 200 <= status < 300 and isinstance(data, dict):  # noqa: PLR2004 - HTTP's success
            return data
        if isinstance(data, dict) and "code" in data:
            if status == 403 and data["code"] == "forbidden":  # noqa: PLR2004 - HTTP's forbidden
                data["hint"] = (
                    "The token is wrong or missing; give --server URL?token=… as `jupyter server list` shows it."
                )
            raise RefusedError(status, data)
        raise ClientError(
            f"The Jupyter server at {self._server.url} does not know jupyter_autostop (HTTP {status}).",
            hint="Install it in that server's environment and restart the server; see `jupyter server extension list`.",
        )
