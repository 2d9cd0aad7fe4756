"""What stands between this server and a stop time it can show and move: one check each, with what to do.

Nothing is changed by looking. Whether the cloud lets us write is found out by requests that have no effect.
"""

from __future__ import annotations

import asyncio
import os
import platform as machine
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jupyter_core.paths import jupyter_runtime_dir

from jupyter_autostop.disk import shown
from jupyter_autostop.errors import (
    AutostopError,
    ConflictError,
    CredentialsError,
    InvalidInputError,
    NotFoundError,
    PermissionRefusedError,
)
from jupyter_autostop.platforms.credentials.files import nothing_found
from jupyter_autostop.platforms.modelarts.discovery import has_an_ids_form
from jupyter_autostop.platforms.modelarts.endpoint import is_loopback
from jupyter_autostop.platforms.modelarts.proxy import environments_proxy, proxy_name
from jupyter_autostop.server.doctor_files import NOT_TRIED, FileChecks, check
from jupyter_autostop.server.factory import PLATFORMS
from jupyter_autostop.server.front_end import front_end_version
from jupyter_autostop.service.service import AutostopService
from jupyter_autostop.state import Check
from jupyter_autostop.storage.state_dir import WORK
from jupyter_autostop.times.duration import format_duration

if TYPE_CHECKING:
    from jupyter_autostop.server.app import AutostopApp

NOTICEABLE_SKEW = 60
"""Seconds by which this machine's clock may be off before it is worth a word."""
_PACKAGES = ("jupyter_autostop", "jupyter_server", "jupyterlab", "notebook", "ipywidgets", "httpx", "pydantic")
_PERMISSIONS = {
    "get": "show the stop time",
    "update": "change auto-stop or the description",
    "action": "stop the instance",
}


def _failed(name: str, error: AutostopError, before: str = "") -> Check:
    return check(name, False, f"{before}{error.message}", error.hint)


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Doctor:
    """Looks at the setup of one server."""

    def __init__(self, app: AutostopApp, service: AutostopService) -> None:
        self._app = app
        self._setup = app.setup
        self._service = service
        instance_id = "" if app.setup.error else app.setup.instance.value
        self._files = FileChecks(app.state_dir, instance_id, app.place, Path(jupyter_runtime_dir()), WORK)

    async def checks(self) -> list[Check]:
        """Return every check, in the order in which they build on each other."""
        await self._service.look(refresh=True)
        error = self._service.snapshot.error
        files, app, platform = self._files, self._app, self._setup.platform
        looks: dict[str, Callable[[], Awaitable[Check] | Check]] = {
            "configuration": self._configuration,
            "credentials": lambda: self._credentials(error),
            "answer": lambda: self._answer(error),
            "instance": lambda: self._instance(error),
            "clock": self._clock,
            "permission_get": lambda: self._permission("get", error),
            "permission_update": lambda: self._try("update", error, platform.try_update),
            "permission_action": lambda: self._try("action", error, platform.try_action),
            "state_dir": lambda: asyncio.to_thread(files.state_dir),
            "record": lambda: asyncio.to_thread(files.record),
            "journal": lambda: asyncio.to_thread(files.journal, app.journal_file),
            "runtime_dir": lambda: asyncio.to_thread(files.runtime_dir),
            "locks": self._locks,
            "capability": lambda: asyncio.to_thread(files.capability, app.capability.path),
            "settings": self._names,
            "versions": lambda: asyncio.to_thread(self._versions),
            "front_end": lambda: asyncio.to_thread(self._front_end),
        }
        return [await self._found(name, look) for name, look in looks.items()]

    async def _found(self, name: str, look: Callable[[], Awaitable[Check] | Check]) -> Check:
        """Return what one look finds; a fault of ours in it hides no other."""
        try:
            found = look()
            return found if isinstance(found, dict) else await found
        except Exception as error:  # whatever it is, it is told
            self._app.log.exception("jupyter_autostop: the doctor's check %s fails", name)
            message = f"Cannot look: {shown(f'{type(error).__name__}: {error}'):.200}."
            return check(name, False, message, "The log of the Jupyter server says more.")

    def _configuration(self) -> Check:
        setup = self._setup
        if setup.error is not None:
            return _failed("configuration", setup.error)
        parts = [f"ModelArts at {setup.endpoint}"]
        for name, found in (("region", setup.region), ("project", setup.project)):
            if found.value:
                parts.append(f"{name} {found.value} (from {found.source})")
        proxy = proxy_name(environments_proxy(setup.endpoint))
        if proxy and not is_loopback(urlsplit(setup.endpoint).hostname):
            parts.append(f"through the proxy {proxy}")
        return check("configuration", True, f"{', '.join(parts)}.")

    async def _credentials(self, error: AutostopError | None) -> Check:
        source = self._setup.source
        if source is None:
            wrong = self._setup.error
            if wrong is not None and wrong.code == "no_credentials":
                return _failed("credentials", wrong)
            if wrong is not None and wrong.code == "setup_failed":
                return self._not_tried("credentials", "this server is not set up")
            if self._app.platform not in PLATFORMS:
                return self._not_tried("credentials", "it is not known which platform they are for")
            return check("credentials", False, "There are none.", nothing_found(os.environ).hint)
        age, warning = await source.about()
        where = f"From {source.source}, {age}."
        refused = isinstance(error, CredentialsError)
        if error is not None and (refused or not error.asked or error.code == "no_credentials"):
            return _failed("credentials", error, f"{where} ")
        return check("credentials", True, f"{where} {warning}".strip(), warning and "Nobody else should be able to.")

    def _names(self) -> Check:
        misnamed = self._app.misnamed.values()
        if not misnamed:
            return check("settings", True, "Every setting that was given has a name that is known.")
        hint = "Correct the name, or take it away, and restart the Jupyter server; until then it has no effect."
        return check("settings", False, " ".join(name.sentence for name in misnamed), hint)

    def _not_tried(self, name: str, what: str) -> Check:
        return check(name, False, f"Not tried: {what}.", NOT_TRIED)

    def _answer(self, error: AutostopError | None) -> Check:
        if self._setup.error:
            return self._not_tried("answer", "it is not known whom to ask")
        if error is None:
            return check("answer", True, "ModelArts answers.")
        if not error.asked:
            return self._not_tried("answer", "there is nothing to ask with")
        if isinstance(error, (CredentialsError, PermissionRefusedError, NotFoundError)):
            return check("answer", True, "ModelArts answers, with a refusal.")
        return _failed("answer", error)

    def _instance(self, error: AutostopError | None) -> Check:
        found = self._setup.instance
        if not found.value and self._app.platform not in PLATFORMS:
            return self._not_tried("instance", "it is not known on which platform it is")
        if not found.value:
            return check(
                "instance",
                False,
                "The instance's id is neither set nor to be found in this server's address or host name.",
                "Set JUPYTER_AUTOSTOP_INSTANCE_ID; the ModelArts console shows the id.",
            )
        where = f"{found.value}, known from {found.source}."
        if error is None and self._service.snapshot.instance is not None:
            return check("instance", True, f"{where} ModelArts knows it.")
        if isinstance(error, NotFoundError):
            return _failed("instance", error, f"{where} ")
        if error is not None and not has_an_ids_form(found.value):
            hint = "Copy it from the ModelArts console: ids look like DE-7d558ef8-c73d-11ea-964c-0255ac100033."
            return check("instance", False, f"{where} That does not have the form of an id.", hint)
        return check("instance", False, f"{where} Not confirmed by ModelArts.", NOT_TRIED)

    def _clock(self) -> Check:
        time = self._setup.platform.time
        if not time.known:
            return self._not_tried("clock", "ModelArts has not told its time")
        skew = round(time.skew())
        if abs(skew) <= 1:
            return check("clock", True, "This machine's clock agrees with ModelArts'.")
        off = f"{format_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'}"
        message = f"This machine's clock is {off} ModelArts'."
        if abs(skew) <= NOTICEABLE_SKEW:
            return check("clock", True, message)
        hint = "Set it. The time left is right all the same: it goes by ModelArts' clock."
        return check("clock", False, message, hint)

    def _permission(self, action: str, error: AutostopError | None) -> Check:
        """Return what an answer says of the IAM action `modelarts:notebook:<action>`."""
        name, action_name = f"permission_{action}", f"modelarts:notebook:{action}"
        if error is None or isinstance(error, InvalidInputError) or type(error) is ConflictError:
            return check(name, True, f"{action_name}: these credentials may {_PERMISSIONS[action]}.")
        if isinstance(error, PermissionRefusedError):
            return check(
                name,
                False,
                f"{action_name}: these credentials may not {_PERMISSIONS[action]}.",
                error.hint,
            )
        return self._not_tried(name, f"{action_name} needs an answer from ModelArts")

    async def _try(self, action: str, seen: AutostopError | None, act: Callable[[], Awaitable[None]]) -> Check:
        # A key locks after some refusals in a row, an instance that is not there tells nothing, and one whose id is
        # guessed may be somebody else's.
        if seen is not None and (self._setup.instance.guessed or not isinstance(seen, PermissionRefusedError)):
            return self._not_tried(
                f"permission_{action}", f"modelarts:notebook:{action} needs an answer from ModelArts"
            )
        try:
            await self._service.alone(act)
        except AutostopError as error:
            return self._permission(action, error)
        return self._permission(action, None)

    async def _locks(self) -> Check:
        if trouble := await self._service.lock_trouble():
            return _failed("locks", trouble)
        foreign = await asyncio.to_thread(self._files.foreign_locks)
        return foreign or check("locks", True, "This server can make sure that it acts alone.")

    def _versions(self) -> Check:
        found = [(package, _installed(package)) for package in _PACKAGES]
        shown = [f"{package} {number}" for package, number in found if number]
        return check("versions", True, f"{', '.join(shown)}, Python {machine.python_version()}.")

    def _front_end(self) -> Check:
        if not _installed("jupyterlab") and not _installed("notebook"):
            return check("front_end", True, "There is no JupyterLab or Notebook here, so none is needed.")
        found, ours = front_end_version(), _installed("jupyter_autostop")
        if found is None:
            hint = "Install jupyter_autostop again in this environment; see `jupyter labextension list`."
            return check("front_end", False, "JupyterLab's part of jupyter_autostop is not installed.", hint)
        if found != ours:
            hint = "Install jupyter_autostop again, and reload the page."
            return check("front_end", False, f"JupyterLab's part is of version {found}, the server's of {ours}.", hint)
        return check("front_end", True, f"JupyterLab's part is installed, version {found}.")
