"""The control routes below `/_emulator`: look inside, ask for faults, turn switches, move the clock.

They need no authentication, so they answer on this machine only, and not to a web page: a browser names its
page in `Origin`, and a rebound host name in `Host`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import asdict
from typing import Any
from urllib.parse import unquote, urlsplit

from jupyter_autostop.emulator import timing
from jupyter_autostop.emulator.console import edit_instance
from jupyter_autostop.emulator.faults import FIELDS, KINDS, read_fault
from jupyter_autostop.emulator.instance import Instance
from jupyter_autostop.emulator.message import EMULATOR_VERSION, Answer, ControlError, Request, SettingError
from jupyter_autostop.emulator.state import Emulator

ROOT = "/_emulator"


def is_control(path: str) -> bool:
    """Tell whether a path is the emulator's own."""
    return path == ROOT or path.startswith(f"{ROOT}/")


def _is_this_machine(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


class Control:
    """Answers the control routes; every refusal is JSON with a sentence in `message`."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self._routes: dict[str, dict[str, Callable[[Request], Any]]] = {
            "": {"GET": lambda _: self._about()},
            "requests": {"GET": lambda _: {"requests": emulator.record.shown()}, "DELETE": self._clear_requests},
            "faults": {
                "GET": lambda _: {"faults": emulator.faults.shown(), "kinds": KINDS, "fields": FIELDS},
                "POST": self._add_fault,
                "DELETE": self._clear_faults,
            },
            "behaviour": {"GET": lambda _: emulator.behaviour.shown(), "PATCH": self._set_behaviour},
            "clock": {
                "GET": lambda _: timing.clock(emulator),
                "POST": lambda request: timing.move_clock(emulator, self._body(request)),
                "PATCH": lambda request: timing.set_rate(emulator, self._body(request)),
            },
            "history": {"GET": lambda _: self._history(), "DELETE": self._clear_history},
            "instance": {"GET": self._get_instance, "PATCH": self._edit_instance},
            "keys": {"PATCH": lambda request: {"replaced": emulator.gate.replace_keys(self._body(request))}},
            "permissions": {"GET": lambda _: emulator.permissions.shown(), "PATCH": self._set_permissions},
            "tokens": {
                "GET": lambda _: self._tokens(),
                "PATCH": self._set_token_lifetime,
                "DELETE": self._revoke_tokens,
            },
            "times": {
                "GET": lambda _: asdict(emulator.times),
                "PATCH": lambda request: timing.set_times(emulator, self._body(request)),
            },
        }

    def answer(self, request: Request) -> Answer:
        """Carry out a control request."""
        try:
            return Answer(200, self._verb(request)(request))
        except ControlError as refusal:
            return refusal.answer
        except SettingError as error:
            return Answer(400, {"message": str(error)})

    def _verb(self, request: Request) -> Callable[[Request], Any]:
        headers = request.headers
        if "origin" in headers or not _is_this_machine(headers.get("host", "")):
            raise ControlError(403, "The control routes are for programs on this machine, not for web pages.")
        name = request.path[len(ROOT) :].strip("/").partition("/")[0]
        if name not in self._routes or (name != "instance" and request.path.strip("/").count("/") > 1):
            raise ControlError(404, f"There is no such control route; {ROOT} tells which there are.")
        verbs = self._routes[name]
        if request.method not in verbs:
            raise ControlError(405, f"{request.method} is not for {request.path}; {', '.join(verbs)} is.")
        return verbs[request.method]

    def _body(self, request: Request) -> Any:
        try:
            return request.json()
        except ValueError:
            raise SettingError("The body must be JSON.") from None

    def _about(self) -> dict[str, Any]:
        emulator = self._emulator
        emulator.settle()
        return {
            "message": "A local ModelArts, old generation. Nothing here is in the cloud, and nothing here costs money.",
            "version": EMULATOR_VERSION,
            "project_id": emulator.project_id,
            "instance_ids": list(emulator.instances),
            "behaviour": emulator.behaviour.shown(),
            "clock": timing.clock(emulator),
            "routes": {f"{ROOT}/{name}".rstrip("/"): list(verbs) for name, verbs in self._routes.items()},
        }

    def _history(self) -> dict[str, Any]:
        """Tell what happened, oldest first; what is due by now has."""
        self._emulator.settle()
        return {"events": self._emulator.history.shown()}

    def _clear_history(self, _: Request) -> dict[str, Any]:
        self._emulator.settle()
        self._emulator.history.clear()
        return {"events": []}

    def _clear_requests(self, _: Request) -> dict[str, Any]:
        self._emulator.record.clear()
        return {"requests": []}

    def _add_fault(self, request: Request) -> dict[str, Any]:
        self._emulator.faults.add(read_fault(self._body(request)))
        return {"faults": self._emulator.faults.shown()}

    def _clear_faults(self, _: Request) -> dict[str, Any]:
        self._emulator.faults.clear()
        return {"faults": []}

    def _set_behaviour(self, request: Request) -> dict[str, Any]:
        self._emulator.settle()
        self._emulator.behaviour.set(self._body(request))
        return self._emulator.behaviour.shown()

    def _set_permissions(self, request: Request) -> dict[str, bool]:
        self._emulator.permissions.set(self._body(request))
        return self._emulator.permissions.shown()

    def _tokens(self) -> dict[str, Any]:
        """Tell how many tokens logins got, how many are good, and until when the user is locked (epoch ms)."""
        emulator = self._emulator
        emulator.settle()
        tokens, now = emulator.gate.tokens, emulator.now()
        return {
            "token_lifetime": tokens.lifetime,
            "issued": tokens.issued,
            "good": tokens.good(now),
            "locked_until": emulator.iam.locked_until(now),
        }

    def _set_token_lifetime(self, request: Request) -> dict[str, Any]:
        """Set for how long (s) the tokens issued from now on are good."""
        body = self._body(request)
        if not isinstance(body, dict) or set(body) != {"token_lifetime"}:
            raise SettingError('The body must be a JSON object like {"token_lifetime": 86400}, in seconds.')
        self._emulator.gate.tokens.lifetime = timing.number(body, "token_lifetime", 0, timing.DECADE)
        return self._tokens()

    def _revoke_tokens(self, _: Request) -> dict[str, Any]:
        """End all tokens that logins got; the example token stays good."""
        self._emulator.gate.tokens.revoke()
        return self._tokens()

    def _instance(self, request: Request) -> Instance:
        given = unquote(request.path[len(ROOT) :].strip("/").partition("/")[2])
        if not given:
            return self._emulator.instance
        if given not in self._emulator.instances:
            raise ControlError(404, "The emulator has no such instance.")
        return self._emulator.instances[given]

    def _get_instance(self, request: Request) -> dict[str, Any]:
        """Show what is true (`state`) beside what the platform's routes answer (`answer`)."""
        instance = self._instance(request)
        self._emulator.settle()
        run = instance.run
        return {
            "state": {
                "status": instance.status,
                "becomes": {"at": instance.becomes[0], "status": instance.becomes[1]} if instance.becomes else None,
                "auto_stop": {"enable": instance.enable, "duration": instance.duration, "prompt": instance.prompt},
                "run": {"started": run.started, "duration": run.duration, "stop_at": run.stop_at} if run else None,
                "set": instance.raw,
                "removed": sorted(instance.removed),
            },
            "answer": instance.answer(self._emulator.now()),
        }

    def _edit_instance(self, request: Request) -> dict[str, Any]:
        edit_instance(self._emulator, self._instance(request), self._body(request))
        return self._get_instance(request)
