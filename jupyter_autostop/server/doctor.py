"""What stands between this server and a stop time it can show and move: one check each, with what to do.

Nothing is changed by looking. Whether the cloud lets us write is found out by requests that have no effect.
"""

from __future__ import annotations

import asyncio
import platform as machine
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from jupyter_autostop.duration import format_duration
from jupyter_autostop.errors import (
    AutostopError,
    ConflictError,
    CredentialsError,
    InvalidInputError,
    NotConfiguredError,
    NotFoundError,
    PermissionRefusedError,
)
from jupyter_autostop.platforms.discovery import has_an_ids_form
from jupyter_autostop.platforms.endpoint import is_loopback
from jupyter_autostop.platforms.proxy import environments_proxy, proxy_name
from jupyter_autostop.server.build import Setup
from jupyter_autostop.server.places import front_end_version, try_folder
from jupyter_autostop.service import AutostopService
from jupyter_autostop.state import Check

NOTICEABLE_SKEW = 60
"""Seconds by which this machine's clock may be off before it is worth a word."""
_PACKAGES = ("jupyter_autostop", "jupyter_server", "jupyterlab", "notebook", "ipywidgets", "httpx", "pydantic")
_PERMISSIONS = {
    "get": "show the stop time",
    "update": "change auto-stop or the description",
    "action": "stop the instance",
}


def _check(name: str, ok: bool, message: str, hint: str = "") -> Check:
    return {"name": name, "ok": ok, "message": message, "hint": hint}


def _failed(name: str, error: AutostopError, before: str = "") -> Check:
    return _check(name, False, f"{before}{error.message}", error.hint)


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


class Doctor:
    """Looks at one server's setup; `work` is the folder that survives a stop, where this machine has it."""

    def __init__(self, setup: Setup, service: AutostopService, state_dir: str, work: Path, instead: str = "") -> None:
        self._setup = setup
        self._service = service
        self._state_dir = state_dir
        self._work = work
        self._instead = instead

    async def checks(self) -> list[Check]:
        """Return every check, in the order in which they build on each other."""
        await self._service.look(refresh=True)
        error = self._service.snapshot.error
        return [
            self._configuration(),
            await self._credentials(error),
            self._answer(error),
            self._instance(error),
            self._clock(),
            self._permission("get", error),
            await self._try("update", error, self._setup.platform.try_update),
            await self._try("action", error, self._setup.platform.try_action),
            await self._folder(),
            await asyncio.to_thread(self._versions),
            await asyncio.to_thread(self._front_end),
        ]

    def _configuration(self) -> Check:
        setup = self._setup
        if isinstance(setup.error, NotConfiguredError):
            return _failed("configuration", setup.error)
        parts = [f"ModelArts at {setup.endpoint}"]
        for name, found in (("region", setup.region), ("project", setup.project)):
            if found.value:
                parts.append(f"{name} {found.value} (from {found.source})")
        proxy = proxy_name(environments_proxy(setup.endpoint))
        if proxy and not is_loopback(urlsplit(setup.endpoint).hostname):
            parts.append(f"through the proxy {proxy}")
        return _check("configuration", True, f"{', '.join(parts)}.")

    async def _credentials(self, error: AutostopError | None) -> Check:
        source = self._setup.source
        if source is None:
            wrong = self._setup.error
            if wrong is not None and wrong.code == "no_credentials":
                return _failed("credentials", wrong)
            return _check("credentials", False, "There are none.", "See the section Credentials of the README.")
        age, warning = await source.about()
        where = f"From {source.source}, {age}."
        refused = isinstance(error, CredentialsError)
        if error is not None and (refused or not error.asked or error.code == "no_credentials"):
            return _failed("credentials", error, f"{where} ")
        return _check("credentials", True, f"{where} {warning}".strip(), warning and "Nobody else should be able to.")

    def _not_tried(self, name: str, what: str) -> Check:
        return _check(name, False, f"Not tried: {what}.", "Put right first what stands above.")

    def _answer(self, error: AutostopError | None) -> Check:
        if self._setup.error:
            return self._not_tried("answer", "it is not known whom to ask")
        if error is None:
            return _check("answer", True, "ModelArts answers.")
        if not error.asked:
            return self._not_tried("answer", "there is nothing to ask with")
        if isinstance(error, (CredentialsError, PermissionRefusedError, NotFoundError)):
            return _check("answer", True, "ModelArts answers, with a refusal.")
        return _failed("answer", error)

    def _instance(self, error: AutostopError | None) -> Check:
        found = self._setup.instance
        if not found.value:
            return _check(
                "instance",
                False,
                "The instance's id is neither set nor to be found in this server's address or host name.",
                "Set JUPYTER_AUTOSTOP_INSTANCE_ID; the ModelArts console shows the id.",
            )
        where = f"{found.value}, known from {found.source}."
        if error is None and self._service.snapshot.instance is not None:
            return _check("instance", True, f"{where} ModelArts knows it.")
        if isinstance(error, NotFoundError):
            return _failed("instance", error, f"{where} ")
        if error is not None and not has_an_ids_form(found.value):
            hint = "Copy it from the ModelArts console: ids look like DE-7d558ef8-c73d-11ea-964c-0255ac100033."
            return _check("instance", False, f"{where} That does not have the form of an id.", hint)
        return _check("instance", False, f"{where} Not confirmed by ModelArts.", "Put right first what stands above.")

    def _clock(self) -> Check:
        time = self._setup.platform.time
        if not time.known:
            return self._not_tried("clock", "ModelArts has not told its time")
        skew = round(time.skew())
        if abs(skew) <= 1:
            return _check("clock", True, "This machine's clock agrees with ModelArts'.")
        off = f"{format_duration(abs(skew))} {'ahead of' if skew > 0 else 'behind'}"
        message = f"This machine's clock is {off} ModelArts'."
        if abs(skew) <= NOTICEABLE_SKEW:
            return _check("clock", True, message)
        hint = "Set it. The time left is right all the same: it goes by ModelArts' clock."
        return _check("clock", False, message, hint)

    def _permission(self, action: str, error: AutostopError | None) -> Check:
        """Return what an answer says of the IAM action `modelarts:notebook:<action>`."""
        name, action_name = f"permission_{action}", f"modelarts:notebook:{action}"
        if error is None or isinstance(error, InvalidInputError) or type(error) is ConflictError:
            return _check(name, True, f"{action_name}: these credentials may {_PERMISSIONS[action]}.")
        if isinstance(error, PermissionRefusedError):
            return _check(
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

    async def _folder(self) -> Check:
        folder = Path(self._state_dir)
        if why := await asyncio.to_thread(try_folder, folder):
            hint = "Set `state_dir` to a folder of yours, on a disk that is not full."
            instead = f"; what is held is noted in {self._instead} meanwhile" if self._instead else ""
            return _check("state_dir", False, f"{folder} {why}{instead}.", hint)
        if trouble := await self._service.lock_trouble():
            return _failed("state_dir", trouble)
        if self._work not in (folder, *folder.parents) and await asyncio.to_thread(self._work.is_dir):
            hint = f"Set `state_dir` to a folder below {self._work}."
            return _check("state_dir", False, f"{folder} is wiped when the instance stops.", hint)
        return _check("state_dir", True, f"{folder} can be written, and keeps what was written.")

    def _versions(self) -> Check:
        found = [(package, _installed(package)) for package in _PACKAGES]
        shown = [f"{package} {number}" for package, number in found if number]
        return _check("versions", True, f"{', '.join(shown)}, Python {machine.python_version()}.")

    def _front_end(self) -> Check:
        if not _installed("jupyterlab") and not _installed("notebook"):
            return _check("front_end", True, "There is no JupyterLab or Notebook here, so none is needed.")
        found, ours = front_end_version(), _installed("jupyter_autostop")
        if found is None:
            hint = "Install jupyter_autostop again in this environment; see `jupyter labextension list`."
            return _check("front_end", False, "JupyterLab's part of jupyter_autostop is not installed.", hint)
        if found != ours:
            hint = "Install jupyter_autostop again, and reload the page."
            return _check("front_end", False, f"JupyterLab's part is of version {found}, the server's of {ours}.", hint)
        return _check("front_end", True, f"JupyterLab's part is installed, version {found}.")
