"""What Jupyter's runtime folder says: which Jupyter servers of this user run here, and what opens them.

A server is known by the runtime file that Jupyter writes and, where it has loaded this extension, by the capability
file beside it. Standard library only, so that a kernel of any environment can carry it.
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from jupyter_autostop.disk import names_in
from jupyter_autostop.process import is_alive, started
from jupyter_autostop.storage.runtime_dir import runtime_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

CAPABILITY_FILE = "jpautostop-{}.json"
"""Beside Jupyter's `jpserver-<pid>.json`. Whoever can read it is the server's user, and is let in to our routes."""
CAPABILITY_HEADER = "X-Autostop-Capability"
"""Not `Authorization`: nothing else looks at it, and no page of another origin is allowed to send it."""
KERNEL_HEADER = "X-Autostop-Kernel"
"""Which kernel asks: its State tells the time zone of the page that shows its notebook."""
_ANY_ADDRESS = {"": "127.0.0.1", "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - replaced
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_SAME = ("pid", "hostname", "port", "sock", "base_url")
"""What both files must say alike: a token of the one must not go to an address of the other."""
_LONGEST_FILE = 64 * 1024


@dataclass(frozen=True)
class Server:
    """Where a Jupyter server listens, and what opens it."""

    host: str
    port: int
    base_url: str
    secure: bool = False
    sock: str = ""
    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    """From its capability file; empty where this extension is not loaded, as far as can be seen."""
    certfile: str = ""
    pid: int | None = None
    serve: bool = False
    """Whether it is a `jupyter autostop serve`."""
    names: frozenset[str] = frozenset()
    """The hosts under which it may be named."""
    own: bool = False
    """Whether it started this process."""
    fallback: Server | None = None
    """Whom to ask if this one has not loaded the extension."""

    @property
    def url(self) -> str:
        """The address, without the token."""
        if self.sock:
            return f"http+unix://{quote(self.sock, safe='')}{self.base_url}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.secure else 'http'}://{host}:{self.port}{self.base_url}"

    def path(self, route: str) -> str:
        """Return what to ask for below the base URL, in which what is quoted already stays as it is."""
        return quote(self.base_url, safe="/%:@!$&'()*+,;=~") + route


def _owners(folder: Path) -> set[int]:
    """Return whose files in a folder are believed: ours and, of root, also those of the folder's owner.

    Root may speak for a user whose folder it was shown; what others have put into a folder of root's is not for it.
    """
    us = os.geteuid()
    return {us} if us else {us, folder.stat().st_uid}


def read_file(path: Path) -> tuple[dict[str, Any], int]:
    """Return the JSON object in a file and when it was written (ns).

    An empty one for a file that is missing or damaged, is somebody else's, or is a link.
    """
    try:
        # A pipe in its place would keep us waiting for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_uid not in _owners(path.parent):
                return {}, 0
            info = json.loads(file.read(_LONGEST_FILE).decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}, 0
    return (info, status.st_mtime_ns) if isinstance(info, dict) else ({}, 0)


def is_host(text: str) -> bool:
    """Return whether a text can be the name or address of a host."""
    return text.isprintable() and not any(char.isspace() for char in text)


def _describe(info: Mapping[str, Any]) -> Server | None:
    """Return the server that the files speak of, `None` where they say too little."""
    try:
        given = str(info["hostname"])
        host = _ANY_ADDRESS.get(given, given)
        base_url = str(info["base_url"]).strip("/")
        named = urlsplit(str(info.get("url") or "")).hostname or host
        server = Server(
            host,
            int(info["port"]),
            f"/{base_url}/" if base_url else "/",
            bool(info["secure"]),
            str(info.get("sock") or ""),
            str(info.get("token") or ""),
            str(info.get("secret") or ""),
            str(info.get("certfile") or ""),
            int(info["pid"]),
            info.get("serve") is True,
            (_LOOPBACK if host in _LOOPBACK else frozenset()) | {host, named},
        )
    except (ValueError, KeyError, TypeError):
        return None
    # Nothing else can be asked for, nor shown in a terminal.
    sayable = is_host(host) and server.base_url.isprintable()
    return server if sayable and (server.sock or server.port) else None


def _read_server(folder: Path, pid: int) -> Server | None:
    """Return the running server of this process id; its own capability file knows more than the runtime file."""
    theirs, when = read_file(folder / f"jpserver-{pid}.json")
    ours, when_ours = read_file(folder / CAPABILITY_FILE.format(pid))
    if ours and ours.get("started") != started(pid):
        # Left by a server that was killed; the process id is somebody else's now, maybe a newer server's.
        ours = {}
        if when <= when_ours:
            return None
    same = all(theirs.get(key, ours.get(key)) == ours.get(key) for key in _SAME)
    server = _describe({**theirs, **ours} if same else theirs)
    return server if server is not None and server.pid == pid else None


def running_servers(folder: Path) -> list[Server]:
    """Return the Jupyter servers of this user that run now."""
    names = (re.fullmatch(r"(?:jpserver|jpautostop)-([1-9][0-9]{0,17})\.json", name) for name in names_in(folder))
    pids = sorted({int(name[1]) for name in names if name})
    found = (_read_server(folder, pid) for pid in pids if is_alive(pid))
    return [server for server in found if server]


def known_servers(environ: Mapping[str, str]) -> list[Server]:
    """Return the running servers of this user; none where the user has no home that their files could lie in."""
    try:
        folder = runtime_folder(environ)
    except (RuntimeError, OSError):  # an id without a name, and no HOME
        return []
    return running_servers(folder)
