"""The emulator's HTTP server: on 127.0.0.1 only, inside whatever asyncio loop runs."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer
from tornado.log import app_log

from jupyter_autostop.emulator import iam
from jupyter_autostop.emulator.api import Api
from jupyter_autostop.emulator.control import Control, is_control
from jupyter_autostop.emulator.delivery import Delivery
from jupyter_autostop.emulator.message import Answer, IamError, Request, SettingError
from jupyter_autostop.emulator.shape import remove_path, set_path

if TYPE_CHECKING:
    from tornado.httputil import HTTPServerRequest
    from tornado.iostream import IOStream

    from jupyter_autostop.emulator.faults import Fault
    from jupyter_autostop.emulator.state import Emulator

HOST = "127.0.0.1"
_HIGHEST_PORT = 65535
_HTML = b"<!DOCTYPE html><html><body><h1>Service temporarily unavailable</h1></body></html>"
_CODES = {401: "APIGW.0301", 403: "APIGW.0302", 404: "APIGW.0101", 429: "APIGW.0308"}


class EmulatorServer:
    """Serves one emulator. `port` 0 is any free one; `start` raises `OSError` where the port is taken."""

    def __init__(self, emulator: Emulator, port: int = 0) -> None:
        if not 0 <= port <= _HIGHEST_PORT:
            raise SettingError(f"{port} is no port; choose one from 0 (any free one) to {_HIGHEST_PORT}.")
        self.emulator = emulator
        self.port = port
        self._api = Api(emulator)
        self._control = Control(emulator)
        self._server: HTTPServer | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._hanging: set[IOStream] = set()

    @property
    def url(self) -> str:
        """The address to give as endpoint."""
        return f"http://{HOST}:{self.port}"

    async def start(self) -> None:
        """Listen."""
        listener = socket.create_server((HOST, self.port))
        listener.setblocking(False)
        self.port = listener.getsockname()[1]
        self._server = HTTPServer(self._received)
        self._server.add_socket(listener)

    async def stop(self) -> None:
        """Stop listening and close every connection, whatever it is waiting for; nothing of it runs on."""
        if self._server is None:
            return
        server, self._server = self._server, None
        server.stop()
        await server.close_all_connections()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for stream in list(self._hanging):
            stream.close()

    def _received(self, request: HTTPServerRequest) -> None:
        delivery = Delivery(request)
        task = asyncio.get_running_loop().create_task(self._serve(request, delivery))
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._served(done, delivery))

    def _served(self, task: asyncio.Task[None], delivery: Delivery) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            # A client must not wait for the answer of a request that broke the emulator.
            delivery.abandon()
            app_log.error("The emulator failed over a request.", exc_info=error)

    async def _serve(self, received: HTTPServerRequest, delivery: Delivery) -> None:
        headers = {name.lower(): value for name, value in received.headers.items()}
        request = Request(received.method or "", received.uri or "", headers, received.body)
        emulator = self.emulator
        if is_control(request.path):
            delivery.send(self._stamped(self._control.answer(request)))
            return
        fault = emulator.faults.take(request.method, request.path)
        seen = emulator.record.add(request, emulator.now())
        if fault:
            seen.fault = fault.kind
            seen.status = await self._fail(fault, request, delivery)
        else:
            answer = self._api.answer(request)
            seen.status = answer.status
            delivery.send(self._stamped(answer))

    def _stamped(self, answer: Answer, fault: Fault | None = None) -> Answer:
        emulator = self.emulator
        offset = fault.seconds or 0.0 if fault and fault.kind == "wrong_date" else 0.0
        wrong_by = emulator.date_offset + offset
        answer.stamp(emulator.clock.time(), fault.taken if fault else (), wrong_by=wrong_by)
        return answer

    async def _fail(self, fault: Fault, request: Request, delivery: Delivery) -> int | None:
        """Do what the fault says; returns the status answered, if one was."""
        if fault.kind in ("status", "html", "body", "redirect", "huge"):
            return await self._replace(fault, request, delivery)
        if fault.kind in ("hang", "reset", "lost_answer", "late"):
            if fault.kind == "late":
                self._api.answer_later(request, fault.seconds or 0.0)
            elif fault.apply or fault.kind == "lost_answer":
                self._api.answer(request)
            if fault.kind == "hang":
                self._hang(delivery)
            else:
                delivery.reset()
            return None
        queued = fault.kind == "queued"
        answer = self._api.answer_at_once(request, fault.seconds or 0.0) if queued else self._api.answer(request)
        answer.set_headers(fault.given)
        await self._spoil(fault, answer, delivery)
        return answer.status

    async def _replace(self, fault: Fault, request: Request, delivery: Delivery) -> int:
        if fault.apply:
            self._api.answer(request)
        answer = self._stamped(replacement(fault, request.path), fault)
        if fault.kind == "huge":
            await delivery.pour(answer, fault.size)
        elif fault.lies:
            await delivery.close_after(answer)
        else:
            delivery.send(answer)
        return answer.status

    async def _spoil(self, fault: Fault, answer: Answer, delivery: Delivery) -> None:
        """Give the real answer, but badly."""
        seconds, clock = fault.seconds or 0.0, self.emulator.clock
        if fault.kind == "slow":
            await clock.sleep(seconds)
        if fault.kind == "alter":
            _alter(fault, answer.content)
        self._stamped(answer, fault)
        if fault.kind == "cut":
            await delivery.cut(answer)
        elif fault.kind == "drip":
            await delivery.drip(answer, lambda: clock.sleep(seconds))
        elif fault.kind == "close" or fault.lies:
            await delivery.close_after(answer)
        else:
            delivery.send(answer)

    def _hang(self, delivery: Delivery) -> None:
        stream = delivery.take()
        self._hanging.add(stream)
        stream.set_close_callback(lambda: self._hanging.discard(stream))


def _alter(fault: Fault, content: dict[str, Any]) -> None:
    for path, value in fault.set.items():
        set_path(content, path, value)
    for path in fault.remove:
        remove_path(content, path)


def replacement(fault: Fault, path: str) -> Answer:
    """Return the answer that a fault puts in the place of the real one to a request for a path."""
    status = fault.status or 500
    if fault.kind == "html":
        content, default = _HTML, {"Content-Type": "text/html; charset=utf-8"}
    elif fault.kind == "redirect":
        content, default = b"", {"Location": fault.location}
    else:
        content, default = fault.body, {}
    if fault.kind == "status" and content is None:
        code, words = _CODES.get(status, "ModelArts.6200"), "This answer is a fault that was asked for."
        known = path == iam.PATH
        content = IamError(status, words).answer().content if known else {"error_message": words, "error_code": code}
    if isinstance(content, str):
        content = content.encode(errors="replace")
    answer = Answer(status, content, default)
    answer.set_headers(fault.given)
    return answer
