"""From settings to a service: the one place that decides which platform is spoken to, and with what."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from jupyter_core.paths import jupyter_runtime_dir

from jupyter_autostop.disk import expand_user, shown
from jupyter_autostop.domain.policy import Policy
from jupyter_autostop.emulator import defaults
from jupyter_autostop.errors import AutostopError, NotConfiguredError, UnavailableError
from jupyter_autostop.keeper.container import Container
from jupyter_autostop.keeper.owners import Owners
from jupyter_autostop.platforms.base import NoPlatform, Platform, PlatformName
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.credentials.base import DEFAULT_PROFILE, Credentials, CredentialSource, PasswordLogin
from jupyter_autostop.platforms.credentials.files import FileSource, find_file, nothing_found
from jupyter_autostop.platforms.modelarts.client import CloudHttp, check_id
from jupyter_autostop.platforms.modelarts.connection import trusted
from jupyter_autostop.platforms.modelarts.demanager import Demanager
from jupyter_autostop.platforms.modelarts.discovery import Found, find_instance_id, find_variable
from jupyter_autostop.platforms.modelarts.endpoint import check_base_url, nearest, region_hint
from jupyter_autostop.platforms.modelarts.iam import IamLogin
from jupyter_autostop.server.kernels import ServerKernels
from jupyter_autostop.server.names import VARIABLES
from jupyter_autostop.service.service import AutostopService
from jupyter_autostop.storage.journal import Journal, journal_file
from jupyter_autostop.storage.journal_file import JournalFile
from jupyter_autostop.storage.locks import FileLocks, Locks, NoLocks
from jupyter_autostop.storage.run_history import MemoryFile
from jupyter_autostop.storage.slots import ENDING, DiskRecords, NoRecords, RecordFile, Records
from jupyter_autostop.storage.state_dir import choose_place
from jupyter_autostop.times.clock import SystemClock

if TYPE_CHECKING:
    from jupyter_autostop.server.app import AutostopApp
    from jupyter_autostop.times.clock import Clock

_REGION = re.compile(r"(?=.{2,32}$)[a-z0-9]+(?:-[a-z0-9]+)*")
PLATFORMS = ("demanager", "notebooks", "emulator")


def _checked(region: str) -> str:
    if not _REGION.fullmatch(region):
        raise NotConfiguredError(
            f"The setting `region` is no region: {shown(region):.40}.",
            code="configuration_invalid",
            hint=region_hint(shown(region)),
        )
    return region


def modelarts_endpoint(region: str) -> str:
    """Return the public cloud's ModelArts address in a region."""
    # The vendor's SDK has this one region under another top-level domain.
    domain = "cn" if region == "ap-southeast-1" else "com"
    return f"https://modelarts.{_checked(region)}.myhuaweicloud.{domain}"


def iam_endpoint(region: str) -> str:
    """Return the public cloud's IAM address in a region."""
    return f"https://iam.{_checked(region)}.myhuaweicloud.com"


@dataclass(frozen=True)
class Setup:
    """What the settings and the surroundings came to, and where each part of it is from."""

    platform: Platform
    instance: Found
    project: Found
    region: Found
    endpoint: str
    source: CredentialSource | None = None
    error: AutostopError | None = None


def find_setup(app: AutostopApp, clock: Clock, time: PlatformClock) -> Setup:
    """Return what the app's settings come to; where they do not suffice, with an error and a platform that tells it."""
    base_url = app.serverapp.base_url if app.serverapp is not None else "/"
    instance = find_instance_id(app.instance_id, base_url, socket.gethostname())
    project = find_variable(app.project_id, "project_id", os.environ, "PROJECT_ID", "project_id")
    region = find_variable(app.region, "region", os.environ, "REGION_NAME", "S3_REGION")
    found = Setup(NoPlatform(NotConfiguredError(""), time), instance, project, region, app.endpoint)
    no_source: NotConfiguredError | None = None
    if app.platform == "emulator":
        found = _of_emulator(app, found)
    else:
        # Whatever else is wrong, `doctor` tells of the credentials that are there.
        try:
            found = replace(found, source=_source(app, clock, found))
        except NotConfiguredError as error:
            no_source = error
    errors = _wrong_settings(app, found)
    if app.platform == "demanager":
        errors += _lacking(app, found, no_source)
    if errors or found.source is None:
        together = _together(errors)
        name: PlatformName = "notebooks" if app.platform == "notebooks" else "demanager"
        return replace(found, platform=NoPlatform(together, time, name), error=together)
    return _usable(app, clock, time, found, found.source)


def _check_faults(app: AutostopApp) -> None:
    if app.faults:
        raise NotConfiguredError(
            " ".join(app.faults.values()),
            code="configuration_invalid",
            hint="Correct the configuration of the Jupyter server and restart it.",
        )


def _check_platform(app: AutostopApp) -> None:
    if app.platform not in PLATFORMS:
        near = nearest(app.platform, PLATFORMS)
        raise NotConfiguredError(
            f"The setting `platform` knows {', '.join(PLATFORMS)} only, and not {shown(app.platform):.40}.",
            code="configuration_invalid",
            hint=f"{f'Did you mean {near}? ' if near else ''}Correct it and restart the Jupyter server.",
        )
    if app.platform == "notebooks":
        raise NotConfiguredError(
            "The current generation of the API (`platform` notebooks) is not supported yet.",
            code="not_yet_supported",
            hint="Use `platform` demanager for an instance of the old generation.",
        )


def _wrong_settings(app: AutostopApp, found: Setup) -> list[NotConfiguredError]:
    """Return one error for each setting that is given and wrong: none hides another."""
    errors = _tried(
        lambda: _check_faults(app),
        lambda: _check_platform(app),
        lambda: _check_region(app, found),
        lambda: _check_address(app, found),
        lambda: found.project.value and check_id(found.project.value, "project_id"),
        lambda: found.instance.value and check_id(found.instance.value, "instance_id"),
    )
    if errors and app.ca_file:
        # Where nothing else is wrong, the first request tells of it, and the next one after it is mended works.
        errors += _tried(lambda: trusted(app.ca_file))
    return errors


def _tried(*checks: Callable[[], object]) -> list[NotConfiguredError]:
    return [error for error in map(_refusal, checks) if error]


def _refusal(check: Callable[[], object]) -> NotConfiguredError | None:
    try:
        check()
    except NotConfiguredError as error:
        return error
    return None


def _together(errors: Sequence[NotConfiguredError]) -> NotConfiguredError:
    """Return one error that says what each of them says; its code is the first one's."""
    # The region may be wrong for two addresses, which is one mistake.
    messages = dict.fromkeys(error.message for error in errors)
    hints = dict.fromkeys(error.hint for error in errors if error.hint)
    return NotConfiguredError(" ".join(messages), code=errors[0].code, hint="\n".join(hints))


def _of_emulator(app: AutostopApp, found: Setup) -> Setup:
    """Return what an emulator is asked with: its own example credentials, since a real one is never sent there."""
    example = "the emulator's example"
    return replace(
        found,
        instance=found.instance if app.instance_id else Found(defaults.INSTANCE_ID, example),
        project=found.project if app.project_id else Found(defaults.PROJECT_ID, example),
        source=Credentials(f"{example} key", access_key=defaults.ACCESS_KEY, secret_key=defaults.SECRET_KEY),
    )


def _check_region(app: AutostopApp, found: Setup) -> None:
    # A private cloud names its regions as it likes; beside a usable address the name makes none.
    if found.region.value and app.platform != "emulator" and _tried(lambda: _address(app, found)):
        _checked(found.region.value)


def _check_address(app: AutostopApp, found: Setup) -> None:
    if app.platform == "emulator" or app.endpoint or found.region.value:
        _address(app, found)


def _address(app: AutostopApp, found: Setup) -> str:
    """Return the address to speak to, or raise naming the setting that makes it."""
    if app.platform != "emulator":
        return check_base_url(app.endpoint or modelarts_endpoint(found.region.value), "endpoint")
    endpoint = check_base_url(app.endpoint or f"http://127.0.0.1:{defaults.DEFAULT_PORT}", "endpoint")
    # Plain http is what check_base_url lets through for this machine only.
    if not endpoint.startswith("http://"):
        raise NotConfiguredError(
            "With `platform` emulator, `endpoint` must be an address of this machine.",
            code="configuration_invalid",
            hint="Leave `endpoint` out, or give the address that `jupyter autostop emulator` prints.",
        )
    return endpoint


def _source(app: AutostopApp, clock: Clock, found: Setup) -> CredentialSource | None:
    """Return the first source of credentials: the environment, the profile, the notebook's own file."""
    taken = app.credentials
    if isinstance(taken, NotConfiguredError):
        raise taken
    if isinstance(taken, PasswordLogin):
        region, project = found.region.value, found.project.value
        if not (app.iam_endpoint or region):
            raise _not_known(app, ["region (or iam_endpoint)"])
        return IamLogin(
            app.iam_endpoint or iam_endpoint(region),
            taken,
            {"name": region} if region else {"id": project},
            clock=clock,
            timeout=app.request_timeout / 2,
            ca_file=app.ca_file,
        )
    named = app.credentials_file != DEFAULT_PROFILE
    return taken or find_file(
        os.environ,
        expand_user(app.credentials_file),
        named=named,
    )


_GIVEN_AS = {
    "region (or endpoint)": "such as cn-north-4",
    "region (or iam_endpoint)": "such as cn-north-4",
    "project_id": "as the console shows it below My Credentials",
    "instance_id": "as the ModelArts console shows it",
}


def _not_known(
    app: AutostopApp, missing: Sequence[str], without: NotConfiguredError | None = None
) -> NotConfiguredError:
    """Return the error of settings that are missing; `without`: of the credentials, which are no settings of ours."""
    lines = []
    for name in missing:
        setting = name.partition(" ")[0]
        lines.append(f"- {VARIABLES[setting][0]} (or c.AutostopApp.{setting}), {_GIVEN_AS[name]}")
    if without:
        lines.append(f"- credentials: {without.hint}")
    mistyped = [misnamed.sentence for misnamed in app.misnamed.values()]
    head = "Set in the environment of the Jupyter server (or in jupyter_server_config.py), and restart it:"
    names = [*missing, *(["credentials"] if without else [])]
    return NotConfiguredError(
        f"This server is not configured yet: {', '.join(names)} not set.",
        hint="\n".join([*mistyped, head, *lines, "`jupyter autostop doctor` checks it all."]),
    )


def _missing(app: AutostopApp, found: Setup) -> list[str]:
    """Return what is missing, all of it at once and not one after each restart."""
    # A login or a profile brings its project along.
    source = found.source
    with_project = isinstance(source, IamLogin) or (
        isinstance(source, FileSource) and (source.known is None or bool(source.known.project_id))
    )
    named = {
        "region (or endpoint)": app.endpoint or found.region.value,
        "project_id": found.project.value or with_project,
        "instance_id": found.instance.value,
    }
    return [name for name, value in named.items() if not value]


def _lacking(app: AutostopApp, found: Setup, no_source: NotConfiguredError | None) -> list[NotConfiguredError]:
    """Return what ModelArts cannot be asked without; `no_source`: why there are no credentials."""
    without = None if found.source else no_source or nothing_found(os.environ)
    if missing := _missing(app, found):
        return [_not_known(app, missing, without)]
    return [without] if without else []


def _usable(app: AutostopApp, clock: Clock, time: PlatformClock, found: Setup, source: CredentialSource) -> Setup:
    """Speak to ModelArts or to an emulator, with settings that are right."""
    endpoint, project = _address(app, found), found.project.value
    http = CloudHttp(
        endpoint,
        source,
        project,
        clock=clock,
        time=time,
        timeout=app.request_timeout,
        ca_file=app.ca_file,
    )
    http.emulated = app.platform == "emulator"
    platform = Demanager(http, time, project, found.instance.value, guessed=found.instance.guessed)
    return replace(found, platform=platform, endpoint=endpoint)


def build_service(app: AutostopApp) -> AutostopService:
    """Return the service for an app's settings; wrong or missing ones make one that says so."""
    clock = SystemClock()
    setup = app.setup = find_setup(app, clock, PlatformClock(clock))
    if setup.error:
        hint = " ".join(setup.error.hint.split())
        app.log.warning("jupyter_autostop: %s %s", setup.error.message, hint)
    instance_id = "" if setup.error else setup.instance.value
    place, why = choose_place(app.state_dir, f"{instance_id}{ENDING}") if instance_id else (None, "")
    app.place = place
    if why:
        instead = f"what is kept lies in {shown(place)}" if place else "nothing can be held"
        app.log.warning("jupyter_autostop: %s, so %s", why, instead)
    runtime = jupyter_runtime_dir()
    locks = FileLocks(Path(runtime), instance_id) if instance_id else NoLocks()
    records = DiskRecords(RecordFile(place, instance_id)) if place else NoRecords()
    # Without a setting nothing but the record is kept; else all of it lies in one folder.
    folder = str(place) if place and app.state_dir else ""
    journal = app.journal_file = journal_file(folder, instance_id, runtime)
    return _service(app, clock, setup.platform, Kept(folder, instance_id, journal, records, locks))


def build_stand_in(app: AutostopApp, failure: Exception) -> AutostopService:
    """Return a service that keeps and asks nothing, and tells why there is no other."""
    clock = SystemClock()
    time = PlatformClock(clock)
    why = shown(f"{type(failure).__name__}: {failure}")
    error = UnavailableError(
        f"This server cannot set up jupyter_autostop: {why:.300}.",
        code="setup_failed",
        hint="See the log of the Jupyter server and `jupyter autostop doctor`; it is tried again.",
    )
    error.asked = False
    app.setup = Setup(NoPlatform(error, time), Found(), Found(), Found(), "", error=error)
    app.place = app.journal_file = None
    return _service(app, clock, app.setup.platform, Kept("", "", None, NoRecords(), NoLocks()))


@dataclass(frozen=True)
class Kept:
    """What is kept of an instance, and where; `folder` is empty where it is kept in memory only."""

    folder: str
    instance_id: str
    journal: JournalFile | None
    records: Records
    locks: Locks


def _service(app: AutostopApp, clock: Clock, platform: Platform, kept: Kept) -> AutostopService:
    container = Container()
    kernels = ServerKernels(getattr(app.serverapp, "kernel_manager", None))
    return AutostopService(
        platform,
        clock=clock,
        policy=Policy(
            max_extension=app.max_extension,
            grace=app.grace,
            allow_disable=app.allow_disable,
            allow_hold=app.allow_hold,
            allow_stop=app.allow_stop,
            allow_describe=app.allow_describe,
        ),
        memory=MemoryFile(kept.folder, kept.instance_id, app.log, container.marker),
        journal=Journal(kept.journal, app.log),
        records=kept.records,
        locks=kept.locks,
        owners=Owners(kept.locks, kernels, Path(jupyter_runtime_dir())),
        life=container,
        on_change=app.announce,
        on_look=app.announce_look,
        log=app.log,
        refresh_interval=app.refresh_interval,
    )
