"""A kernel and a terminal of a Jupyter server, used through its websockets as a page uses them."""

from __future__ import annotations

import itertools
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, final
from urllib.parse import urlsplit

from processes import JupyterServer
from websocket import WebSocket, create_connection

PATIENCE = 60
"""Seconds without a word after which nobody waits any longer."""


def _open(server: JupyterServer, path: str) -> WebSocket:
    url = urlsplit(server.url)
    return create_connection(
        f"ws://{url.netloc}{url.path}{path}",
        timeout=PATIENCE,
        header=[f"Authorization: token {server.token}"],
        suppress_origin=True,
        http_no_proxy=[url.hostname],
    )


@final
class Kernel:
    """Runs code."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket

    def run(self, code: str) -> str:
        """Run code to its end and return what it printed; an error in it is one here."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": "", "date": ""}
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        request = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        self._socket.send(json.dumps(request))
        said, open_ends = "", {"execute_reply", "idle"}
        while open_ends:
            message = json.loads(self._socket.recv())
            if message["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            answer: dict[str, Any] = message["content"]
            kind = message["msg_type"]
            assert kind != "error", "\n".join(answer["traceback"])
            said += answer["text"] if kind == "stream" else ""
            # The reply may overtake what was printed; "idle" comes after all of it.
            open_ends.discard(answer["execution_state"] if kind == "status" else kind)
        return said


@final
class Terminal:
    """Types commands."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._count = itertools.count(1)

    def run(self, command: str) -> int:
        """Type a command, wait for its end, and return its exit status."""
        number = next(self._count)
        # What was typed is shown too, and must not be taken for what the command says.
        self._socket.send(json.dumps(["stdin", f'{command}; echo "ended-{number}""=$?"\r']))
        shown = ""
        while not (ended := re.search(rf"ended-{number}=(\d+)", shown)):
            kind, *rest = json.loads(self._socket.recv())
            assert kind != "disconnect", shown
            shown += rest[0] if kind == "stdout" else ""
        return int(ended[1])


@contextmanager
def running_kernel(server: JupyterServer) -> Iterator[Kernel]:
    """Start a kernel of a server; it ends with its server."""
    with server.client() as client:
        kernel = client.post("api/kernels", json={"name": "python3"}).raise_for_status().json()["id"]
    with closing(_open(server, f"api/kernels/{kernel}/channels")) as socket:
        yield Kernel(socket)


@contextmanager
def running_terminal(server: JupyterServer) -> Iterator[Terminal]:
    """Open a terminal of a server; it ends with its server."""
    with server.client() as client:
        name = client.post("api/terminals", json={}).raise_for_status().json()["name"]
    with closing(_open(server, f"terminals/websocket/{name}")) as socket:
        yield Terminal(socket)
