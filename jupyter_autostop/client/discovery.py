"""Finding: which Jupyter server this process belongs to, or one line that says why there is none."""

from __future__ import annotations

import os
import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from jupyter_autostop.client.server_info import Server, is_host, known_servers
from jupyter_autostop.client.transport import open_socket
from jupyter_autostop.errors import ClientError
from jupyter_autostop.process import process_stat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FINDING = 0.4
"""Seconds for finding out who listens, where several servers might be meant."""
_PAGE = re.compile(r"/(?:lab|tree|notebooks|login)(?:/.*)?$")


def parse_server_url(url: str) -> Server:
    """Return the server that a URL such as `http://127.0.0.1:8888/?token=…` names."""
    refused = ClientError(
        "That is no address of a Jupyter server.",
        code="invalid",
        hint="Copy it from `jupyter server list`, e.g. http://127.0.0.1:8888/?token=…",
    )
    try:
        parts = urlsplit(url)
        token = parse_qs(parts.query).get("token", [""])[0]
        # The host of a unix socket is its path, in which a colon is no port.
        port = None if parts.scheme == "http+unix" else parts.port
    except ValueError:
        raise refused from None
    base = _PAGE.sub("", parts.path).rstrip("/") + "/"
    if not (base.isprintable() and token.isascii() and token.isprintable()):
        raise refused
    if parts.scheme == "http+unix" and parts.netloc:
        return Server("localhost", 0, base, sock=unquote(parts.netloc), token=token)
    if parts.scheme not in ("http", "https") or not parts.hostname or not is_host(parts.hostname):
        raise refused
    secure = parts.scheme == "https"
    return Server(parts.hostname, port or (443 if secure else 80), base, secure, token=token)


def _named(url: str, servers: Sequence[Server]) -> Server:
    """Return the server a URL names; one of this user's own comes with what its files say of it."""
    wanted = parse_server_url(url)
    path = unquote(urlsplit(url).path).rstrip("/") + "/"
    for server in sorted(servers, key=lambda server: -len(server.base_url)):
        there = (server.sock, server.secure) == (wanted.sock, wanted.secure) and (
            wanted.sock or (server.port == wanted.port and wanted.host in server.names)
        )
        if there and path.startswith(unquote(server.base_url)):
            return replace(server, token=wanted.token or server.token)
    return wanted


def _ancestors() -> list[int]:
    """Return the process ids above this process, nearest first; a terminal's shell is a child of its server."""
    pids: list[int] = []
    pid = os.getppid()
    while pid > 0 and pid not in pids:
        pids.append(pid)
        pid = int("".join(process_stat(pid)[1:2]) or 0)
    return pids


def _own(environ: Mapping[str, str], servers: Sequence[Server]) -> Server | None:
    """Return the server that started this process: by its id, by descent or, in a terminal, by its address."""
    by_pid = {server.pid: server for server in servers}
    parent = environ.get("JPY_PARENT_PID", "")
    for pid in ([int(parent)] if parent.isdecimal() else []) + _ancestors():
        if pid in by_pid:
            return by_pid[pid]
    # What runs inside tmux or screen descends from neither.
    address = environ.get("JUPYTER_SERVER_URL")
    try:
        named = _named(address, servers) if address else None
    except ClientError:
        return None
    return named if named in servers else None


def _listening(servers: Sequence[Server]) -> list[Server]:
    """Return those at whose door somebody answers."""
    until = time.monotonic() + FINDING
    found = []
    for server in servers:
        try:
            open_socket(server, until).close()
        except OSError:
            continue
        found.append(server)
    return found


def find_server(environ: Mapping[str, str], url: str | None = None, *, means: str = "terminal") -> Server:
    """Return the server this process belongs to, or raise one line that says why there is none.

    A given URL first; else the server that started this kernel or terminal; else the only `jupyter autostop serve`;
    else the only server there is. Where several might be meant, none is taken. Only a terminal can name one.
    """
    servers = known_servers(environ)
    if url:
        return _named(url, servers)
    own = _own(environ, servers)
    if own:
        serve = _listening([server for server in servers if server.serve and server is not own])
        return replace(own, own=True, fallback=serve[0] if len(serve) == 1 else None)
    if len(servers) > 1:
        servers = _listening(servers)
    choice = [server for server in servers if server.serve] or servers
    if len(choice) == 1:
        return choice[0]
    if choice:
        raise ClientError(
            "Several Jupyter servers are running: " + ", ".join(server.url for server in choice) + ".",
            hint="Say which one with --server URL, as `jupyter server list` shows it."
            if means == "terminal"
            else "None of them has started this kernel: put the address of the one that is meant into "
            'os.environ["JUPYTER_SERVER_URL"], or start the kernel from its server.',
        )
    raise ClientError(
        "No Jupyter server of yours is running on this machine.",
        hint="Start JupyterLab or `jupyter autostop serve`"
        + (", or give a server's address with --server URL." if means == "terminal" else "."),
    )
