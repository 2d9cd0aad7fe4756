"""A cloud that repeats every secret it is sent, in whatever way it is told to fail; IAM is at the same address."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

IAM_TOKEN = "canary-iam-token"
OWN_TOKEN = "canary-the-instances-own"
MODES = ("fine", "unauthorized", "forbidden", "broken", "html", "not json", "redirect", "reset", "throttled", "gone")


class EchoingCloud(ThreadingHTTPServer):
    """`mode` says how it answers; `seen` holds the requests as they came: method, path, headers and body as text."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mode = "fine"
        self.seen: list[str] = []
        self.description = "as it was"
        self.auto_stop: dict[str, Any] = {"enable": True, "duration": 7200, "prompt": True}
        self.start = int(time.time() * 1000)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_port}"

    def instance(self) -> dict[str, Any]:
        """Return a running instance that is full of secrets of its own."""
        secret = {"credential": {"access_token": OWN_TOKEN}, "url": f"https://x/?token={OWN_TOKEN}"}
        stop = self.start + self.auto_stop["duration"] * 1000
        times = {"stop_timestamp": stop, "remain_time": max(0, stop // 1000 - int(time.time()))}
        return {
            "id": "DE-1",
            "name": "n",
            "status": "RUNNING",
            "description": self.description,
            "token": OWN_TOKEN,
            "url": f"https://x/?token={OWN_TOKEN}",
            "creation_timestamp": str(self.start - 60_000),
            "repository": {"id": "r", "connection_info": secret},
            "spec": {"auto_stop": {**self.auto_stop, **times}, "extend_params": secret, "annotations": secret},
        }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: EchoingCloud

    def log_message(self, *arguments: Any) -> None:
        """Keep quiet."""

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        told = f"{self.command} {self.path} {self.headers} {body}"
        self.server.seen.append(told)
        if self.path == "/v3/auth/tokens" and self.server.mode != "gone":
            data = {"token": {"project": {"id": "p1"}, "echo": body}}
            self._send(201, data, {"X-Subject-Token": IAM_TOKEN})
            return
        self._answer(told.replace("\n", " ").replace("\r", " "), body)

    do_GET = do_PUT = do_POST = _handle  # noqa: N815 - as the base class looks for them

    def _answer(self, told: str, body: str) -> None:
        mode = self.server.mode
        # What a request proves itself with, in every place that an error answer has.
        secrets = " ".join(self.headers.get(name, "") for name in ("Authorization", "X-Auth-Token", "X-Security-Token"))
        error = {"error_code": f"ModelArts.{secrets}", "error_message": told, "request_id": secrets}
        headers = {"X-Request-Id": secrets, "Set-Cookie": f"a={secrets.split(' ')[-1]}", "X-Echo": secrets}
        if mode == "reset":
            self.close_connection = True
            return
        if mode == "fine":
            if self.command == "PUT":
                change = json.loads(body)
                self.server.description = change.get("description", self.server.description)
                self.server.auto_stop |= change.get("spec", {}).get("auto_stop", {})
            self._send(200, self.server.instance(), headers)
        elif mode == "html":
            self._send(200, f"<html>{told}</html>", headers)
        elif mode == "not json":
            self._send(200, {"id": told, "status": {"x": told}, "spec": told}, headers)
        elif mode == "redirect":
            self._send(302, error, {**headers, "Location": f"{self.server.url}/?{secrets.replace(' ', '+')}"})
        else:
            status = {"unauthorized": 401, "forbidden": 403, "broken": 500, "throttled": 429, "gone": 404}[mode]
            self._send(status, error, {**headers, "Retry-After": "0"})

    def _send(self, status: int, body: Any, headers: dict[str, str]) -> None:
        raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@contextmanager
def echoing_cloud() -> Iterator[EchoingCloud]:
    """Run one, in a thread."""
    with EchoingCloud() as cloud:
        thread = threading.Thread(target=cloud.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        yield cloud
        cloud.shutdown()
        thread.join()
