"""A Jupyter server of our own making whose State and faults a test decides: the autostop routes and nothing else."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOUR = 3_600_000
"""In ms, as everything the State tells."""


class FakeAutostop:
    """Answers as the extension does; `faults` are served first, one each: a status, or "lost" for done and not said."""

    def __init__(self) -> None:
        self.stop: int | None = int(time.time() * 1000) + 2 * HOUR
        self.more: dict[str, Any] = {}
        self.holds: dict[str, dict[str, Any]] = {}
        self.ended: list[str] = []
        self.wishes: list[tuple[str, str, Any]] = []
        self.faults: list[tuple[str, int | str]] = []
        self.kernels: set[str | None] = set()
        """Who has asked, as far as that was told."""
        self.outcome: dict[str, Any] | None = None
        self.longest_hold = 24 * HOUR
        self.seen: str | None = None
        self.no_hold = "hold_not_found"
        self.agents: set[str] = set()
        self.before_answer: Callable[[str, str], None] = lambda _method, _route: None

    def state(self) -> dict[str, Any]:
        now = int(time.time() * 1000)
        return {
            "instance": {"id": "DE-1", "status": "RUNNING", "name": "lab", "description": "first"},
            "auto_stop": {
                "enable": True, "duration": 3600, "prompt": True, "stop_timestamp": self.stop, "remain_time": 7200,
            },
            "deadline": None if self.stop is None else {"stop_timestamp": self.stop, "kept_by": "platform"},
            "next_start": None,
            "run": None,
            "holds": list(self.holds.values()),
            "outcome": None,
            "limits": {
                "duration": [3600, 86400], "until": [now, now + self.longest_hold], "description_max": 512,
                "description_forbidden": "&<>\"'/", "can_extend": True, "can_disable": True, "can_stop": True,
                "grace": 900, "why_not": {},
            },
            "version": "a.b",
            "server_time": now,
            "confirmed_at": now,
            "stale": False,
            "problem": None,
            "platform": "demanager",
            "emulated": False,
            **self.more,
        }  # fmt: skip

    def answer(self, method: str, route: str, body: Any) -> tuple[int, Any]:
        if (method, route) in (("GET", "instance"), ("GET", "instance?refresh=1")):
            return 200, self.state()
        if (method, route) == ("POST", "holds"):
            now = int(time.time() * 1000)
            hold = {
                "id": body["id"],
                "until": min(body["until"], now + self.longest_hold),
                "then": body.get("then", "restore"),
                "reason": body.get("reason"),
                "owner": {"kind": "command", **({"seen": self.seen} if self.seen else {})},
                "created_at": now,
            }
            return 201, self.holds.setdefault(body["id"], hold)
        if method == "DELETE" and route.startswith("holds/"):
            route = route.partition("?")[0]
            if self.holds.pop(route[6:], None) is None:
                return 404, {"message": "There is no such hold.", "code": self.no_hold, "hint": "", "request_id": None}
            self.ended.append(route[6:])
            return 200, self.state()
        if method == "GET":
            return 200, {
                "entries": [],
                "checks": [{"name": "clock", "ok": False, "message": "Off.", "hint": "Set it."}],
            }
        return 200, {**self.state(), "outcome": self.outcome}


def _handler(fake: FakeAutostop) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.path == "/api":
                self.tell(200, {"version": "2.21"})
                return
            route = self.path.removeprefix("/jupyter-autostop/")
            body = json.loads(content or "null")
            fake.kernels.add(self.headers.get("X-Autostop-Kernel"))
            fake.wishes.append((self.command, route, body))
            fake.agents.add(self.headers["User-Agent"])
            fake.before_answer(self.command, route)
            fault: int | str = ""
            if fake.faults and fake.faults[0][0] == self.command:
                fault = fake.faults.pop(0)[1]
            if isinstance(fault, int):
                refusal = {"message": "It cannot be.", "code": "no", "hint": "Leave it.", "request_id": None}
                self.tell(fault, refusal)
                return
            answer = fake.answer(self.command, route, body)
            if fault == "lost":
                self.close_connection = True
                return
            self.tell(*answer)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the library's names

        def tell(self, status: int, answer: Any) -> None:
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            pass

    return Handler


@contextmanager
def running_fake(folder: Path, fake: FakeAutostop) -> Iterator[dict[str, str]]:
    """Run it as the server that started this process; yields the environment in which it is found."""
    folder.mkdir(parents=True, exist_ok=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(fake)) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        port = server.server_address[1]
        info = {
            "pid": os.getpid(), "port": port, "hostname": "127.0.0.1", "base_url": "/", "secure": False,
            "token": "the-token-of-the-server", "url": f"http://127.0.0.1:{port}/", "sock": "",
        }  # fmt: skip
        (folder / f"jpserver-{os.getpid()}.json").write_text(json.dumps(info), encoding="utf-8")
        try:
            yield {"JUPYTER_RUNTIME_DIR": str(folder), "JPY_PARENT_PID": str(os.getpid())}
        finally:
            server.shutdown()
            thread.join()
