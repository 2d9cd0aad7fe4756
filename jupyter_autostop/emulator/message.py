"""What goes over the wire, without a wire: a request, an answer, a refusal."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl

EMULATOR_HEADER = "X-Autostop-Emulator"
CLOCK_HEADER = "X-Autostop-Emulator-Clock"
"""What the emulator's clock shows (epoch ms), which people turn, however wrongly its answers are dated."""
EMULATOR_VERSION = "1"
JSON_TYPE = "application/json;charset=utf8"
_WITHOUT_BODY = (204, 304)


@dataclass(frozen=True)
class Request:
    """A request as received; `target` is the path with the query, `headers` have lower-case names."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def path(self) -> str:
        """The URL's path, as sent."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def json(self) -> Any:
        """Return the parsed body; `ValueError` where it is none."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("The body is nested too deeply.") from None


@dataclass
class Answer:
    """An answer; `content` is sent as JSON unless it is bytes already."""

    status: int
    content: Any = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        """The bytes to send."""
        if self.status in _WITHOUT_BODY:
            return b""
        if isinstance(self.content, bytes):
            return self.content
        return json.dumps(self.content, ensure_ascii=False).encode(errors="replace")

    def set_headers(self, headers: Mapping[str, str]) -> None:
        """Put headers in the place of those of the same names, however these are spelt."""
        names = {name.lower() for name in headers}
        self.headers = {name: value for name, value in self.headers.items() if name.lower() not in names} | {**headers}

    def stamp(self, now: float, without: Collection[str] = (), *, wrong_by: float = 0.0) -> None:
        """Add the headers every answer has, at `now` (epoch s), dated wrongly by so many s; what is set already stays.

        Headers named in `without`, in lower case, are in the answer in no case.
        """
        length = {} if self.status in _WITHOUT_BODY else {"Content-Length": str(len(self.body))}
        default = {
            "Date": formatdate(now + wrong_by, usegmt=True),
            "X-Request-Id": uuid.uuid4().hex,
            EMULATOR_HEADER: EMULATOR_VERSION,
            CLOCK_HEADER: str(int(now * 1000)),
            "Content-Type": JSON_TYPE,
            **length,
        }
        given = {name.lower() for name in self.headers}
        self.headers.update({name: value for name, value in default.items() if name.lower() not in given})
        self.headers = {name: value for name, value in self.headers.items() if name.lower() not in without}

    @property
    def reason(self) -> str:
        """The reason phrase."""
        try:
            return HTTPStatus(self.status).phrase
        except ValueError:
            return "Unknown"

    def head(self) -> bytes:
        """Return the status line and the headers as bytes of HTTP/1.1."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{k}: {v}" for k, v in self.headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1", errors="replace")


class ControlError(Exception):
    """A control request that is refused with another status than 400; `answer` says it in a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.answer = Answer(status, {"message": message})


class SettingError(ValueError):
    """A setting, fault or switch of the emulator makes no sense; its text is a sentence for whoever gave it."""


class Refusal(Exception):  # noqa: N818 - the cloud's answer to a request, not a fault of the emulator
    """The cloud refuses a request, in one of its shapes of error body."""

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status

    def answer(self) -> Answer:
        """Return the error as it goes out."""
        raise NotImplementedError


class PlatformError(Refusal):
    """ModelArts refuses: its code, and HTTP 400 as it sends with all of its own codes."""

    def __init__(self, number: int, message: str) -> None:
        super().__init__(message, f"ModelArts.{number}", 400)

    def answer(self) -> Answer:
        """Return the documented error body."""
        return Answer(self.status, {"error_message": self.message, "error_code": self.code})


class GatewayError(Refusal):
    """The gateway before ModelArts refuses."""

    def __init__(self, status: int, number: str, message: str) -> None:
        super().__init__(message, f"APIGW.{number}", status)

    def answer(self) -> Answer:
        """Return the gateway's error body."""
        request_id = uuid.uuid4().hex
        body = {"error_msg": self.message, "error_code": self.code, "request_id": request_id}
        return Answer(self.status, body, {"X-Request-Id": request_id})


class DeniedError(Refusal):
    """The caller's policies do not let it do this, says ModelArts."""

    def __init__(self, permission: str) -> None:
        super().__init__(f"Policy doesn't allow {permission} to be performed.", "ModelArts.6407", 403)

    def answer(self) -> Answer:
        """Return the error body that comes with a missing permission."""
        return Answer(self.status, {"error_msg": self.message, "error_code": self.code})


class IamError(Refusal):
    """IAM refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message, str(status), status)

    def answer(self) -> Answer:
        """Return IAM's error body."""
        answer = Answer(self.status)
        answer.content = {"error": {"code": self.status, "message": self.message, "title": answer.reason}}
        return answer
