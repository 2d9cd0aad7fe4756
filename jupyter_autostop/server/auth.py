"""The capability: how a kernel or terminal of this server gets in where there is no token it could know.

The server writes a random secret into a file that only its own user can read. Whoever sends it is let in to our routes
and to no other, as a user of its own whom the authorizer still judges. It ends with the server.
"""

from __future__ import annotations

import atexit
import hmac
import json
import os
import pwd
import secrets
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from jupyter_server.auth.identity import IdentityProvider, User

from jupyter_autostop.client.server_info import CAPABILITY_FILE, CAPABILITY_HEADER, read_file
from jupyter_autostop.disk import absolute, names_in
from jupyter_autostop.process import is_alive, started
from jupyter_autostop.storage.files import atomic_write

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp
    from tornado.web import RequestHandler


class CapabilityUser(User):
    """Who shows the capability: a process of the server's own user, nobody in particular."""

    # JupyterHub's authorizer reads this of every user; ours has none of the hub's scopes.
    hub_user: ClassVar[Mapping[str, Any]] = {"name": "jupyter_autostop", "kind": "user", "scopes": ()}


def _account() -> str:
    """Return the name of the server's own user on this machine, whom who shows the capability must be."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


class CapabilityProvider(IdentityProvider):
    """Knows one user, whoever shows the secret, and lets nobody in for anything else they bring along."""

    def __init__(self, capability: Capability) -> None:
        self._capability = capability
        super().__init__(token="")

    def get_user(self, handler: RequestHandler) -> User | None:
        """Return our user for the right secret, nobody for any other."""
        if not self._capability.opens(handler.request.headers.get(CAPABILITY_HEADER, "")):
            return None
        # Where JupyterHub puts its own XSRF check in the place of Jupyter Server's, it looks here only.
        handler._token_authenticated = True  # type: ignore[attr-defined]  # noqa: SLF001 - as Jupyter Server has it
        return CapabilityUser("jupyter_autostop", display_name=_account())

    def is_token_authenticated(self, handler: RequestHandler) -> bool:
        """Whether XSRF protection can be left out: a page that knows the secret needs no forgery."""
        return bool(handler.current_user)

    def should_check_origin(self, handler: RequestHandler) -> bool:  # noqa: ARG002 - whoever it is
        """Kernels and terminals have no origin, so what comes from another page's is refused."""
        return True


class Capability:
    """A secret for as long as this object lives, and the file it is published in."""

    def __init__(self) -> None:
        self._secret = secrets.token_urlsafe(32)
        self._path: Path | None = None
        self._address: Mapping[str, Any] = {}
        self._pid = os.getpid()
        self.provider = CapabilityProvider(self)

    @property
    def path(self) -> Path | None:
        """The published file; `None` where there is none."""
        return self._path

    def opens(self, offered: str) -> bool:
        """Return whether this is the secret, in a time that tells nothing about it."""
        return hmac.compare_digest(offered.encode("utf-8", "replace"), self._secret.encode("utf-8"))

    def publish(self, folder: Path, address: Mapping[str, Any]) -> None:
        """Write the file, which appears whole and is its owner's alone; raises `OSError` where that is not possible."""
        remove_stale(folder)
        path = folder / CAPABILITY_FILE.format(self._pid)
        content = {**address, "pid": self._pid, "started": started(self._pid), "secret": self._secret}
        atomic_write(path, json.dumps(content, indent=2).encode())
        self._path, self._address = path, address
        # A server that is interrupted ends without asking its extensions to stop.
        atexit.register(self.withdraw)

    def restore(self) -> bool:
        """Publish the file again where it does not serve any more; tell whether that was so. Raises `OSError`.

        A folder may be shared with machines where another server has the same process id: its file is left alone.
        """
        path = self._path
        if path is None or self._serves(path):
            return False
        there, _ = read_file(path)
        if there.get("machine", socket.gethostname()) != socket.gethostname():
            return False
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.publish(path.parent, self._address)
        return True

    def _serves(self, path: Path) -> bool:
        try:
            mode = path.lstat().st_mode
        except OSError:
            return False
        content, _ = read_file(path)
        return mode & 0o777 == 0o600 and content.get("secret") == self._secret  # noqa: PLR2004 - its owner's alone

    def withdraw(self) -> None:
        """Remove the file; what was forked off this server does not."""
        if self._path is not None and os.getpid() == self._pid:
            with suppress(OSError):  # the folder is gone already
                self._path.unlink(missing_ok=True)
            self._path = None
            atexit.unregister(self.withdraw)


def remove_stale(folder: Path) -> None:
    """Remove the files of servers that were killed on this machine; what they hold opens nothing any more."""
    prefix, suffix = CAPABILITY_FILE.split("{}")
    for path in (folder / name for name in names_in(folder) if name.startswith(prefix) and suffix in name):
        info, _ = read_file(path)
        pid = info.get("pid")
        gone = isinstance(pid, int) and (not is_alive(pid) or info.get("started") != started(pid))
        # The folder may be shared with machines whose processes cannot be seen from here.
        if gone and info.get("machine") == socket.gethostname():
            path.unlink(missing_ok=True)


def address_of(server: ServerApp, *, serve: bool) -> dict[str, Any]:
    """Return where a server listens, as Jupyter's runtime file has it; TLS may be set up in ways that it overlooks."""
    options = server.ssl_options or {}
    certificate = options.get("certfile")
    return {
        "machine": socket.gethostname(),
        "hostname": server.ip or "localhost",
        "port": server.port,
        "sock": server.sock,
        "url": server.connection_url,
        "base_url": server.base_url,
        "secure": bool(options),
        "certfile": absolute(certificate) if certificate else "",
        "serve": serve,
    }
