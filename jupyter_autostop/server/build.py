"""From settings to a service: the one place that decides which platform is spoken to, and with what."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

from jupyter_autostop.clock import SystemClock
from jupyter_autostop.emulator import defaults
from jupyter_autostop.errors import AutostopError, NotConfiguredError
from jupyter_autostop.memory import MemoryFile
from jupyter_autostop.platforms.credentials import Credentials
from jupyter_autostop.platforms.demanager import Demanager, check_id
from jupyter_autostop.platforms.discovery import find_instance_id, find_variable
from jupyter_autostop.platforms.endpoint import check_base_url
from jupyter_autostop.platforms.http import CloudHttp
from jupyter_autostop.platforms.port import NoPlatform, Platform
from jupyter_autostop.platforms.time import PlatformClock
from jupyter_autostop.policy import Policy
from jupyter_autostop.service import AutostopService

if TYPE_CHECKING:
    from jupyter_autostop.clock import Clock
    from jupyter_autostop.server.app import AutostopApp

_REGION = re.compile(r"[a-z0-9][a-z0-9-]{1,31}")
PLATFORMS = ("demanager", "notebooks", "emulator")


def modelarts_endpoint(region: str) -> str:
    """Return the public cloud's ModelArts address in a region."""
    if not _REGION.fullmatch(region):
        raise NotConfiguredError(
            "The setting `region` is no region.",
            code="configuration_invalid",
            hint="Give it like cn-north-4.",
        )
    # The vendor's SDK has this one region under another top-level domain.
    domain = "cn" if region == "ap-southeast-1" else "com"
    return f"https://modelarts.{region}.myhuaweicloud.{domain}"


def _missing(app: AutostopApp, region: str, project_id: str, instance_id: str) -> NotConfiguredError | None:
    named: dict[str, object] = {
        "region (or endpoint)": app.endpoint or region,
        "project_id": project_id,
        "instance_id": instance_id,
    }
    if not all(named.values()):
        # Told at once with the others, not after the next restart.
        named["credentials"] = isinstance(app.credentials, Credentials)
    missing = [name for name, value in named.items() if not value]
    if not missing:
        return None
    return NotConfiguredError(
        f"This server does not know its instance yet: {', '.join(missing)} not set.",
        hint="Set this as c.AutostopApp.… or JUPYTER_AUTOSTOP_… (see the README) and restart the Jupyter server.",
    )


def instance_of(app: AutostopApp) -> str:
    """Return the instance's id, as set or found out; empty where neither."""
    base_url = app.serverapp.base_url if app.serverapp is not None else "/"
    return find_instance_id(app.instance_id, base_url, socket.gethostname()).value


def _emulator(app: AutostopApp, clock: Clock, time: PlatformClock) -> Platform:
    """Speak to an emulator with its own example credentials: a real one is never sent there."""
    endpoint = check_base_url(app.endpoint or f"http://127.0.0.1:{defaults.DEFAULT_PORT}", "endpoint")
    # Plain http is what check_base_url lets through for this machine only.
    if not endpoint.startswith("http://"):
        raise NotConfiguredError(
            "With `platform` emulator, `endpoint` must be an address of this machine.",
            code="configuration_invalid",
            hint="Leave `endpoint` out, or give the address that `jupyter autostop emulator` prints.",
        )
    credentials = Credentials("emulator", access_key=defaults.ACCESS_KEY, secret_key=defaults.SECRET_KEY)
    project, instance = app.project_id or defaults.PROJECT_ID, app.instance_id or defaults.INSTANCE_ID
    http = CloudHttp(endpoint, credentials, project, clock=clock, time=time, timeout=app.request_timeout)
    http.emulated = True
    return Demanager(http, time, project, instance)


def build_platform(app: AutostopApp, clock: Clock, time: PlatformClock) -> Platform:
    """Return the platform the settings ask for, or raise what is wrong or missing in them."""
    for name, why in app.faults.items():
        raise NotConfiguredError(
            f"The setting AutostopApp.{name} is wrong: {why}",
            code="configuration_invalid",
            hint="Correct it and restart the Jupyter server.",
        )
    if app.platform not in PLATFORMS:
        raise NotConfiguredError(
            f"The setting `platform` knows {', '.join(PLATFORMS)} only.",
            code="configuration_invalid",
            hint="Correct it and restart the Jupyter server.",
        )
    if app.platform == "emulator":
        return _emulator(app, clock, time)
    if app.platform == "notebooks":
        raise NotConfiguredError(
            "The current generation of the API (`platform` notebooks) is not supported yet.",
            code="not_yet_supported",
            hint="Use `platform` demanager for an instance of the old generation.",
        )
    region = find_variable(app.region, "region", os.environ, "REGION_NAME", "S3_REGION").value
    project = find_variable(app.project_id, "project_id", os.environ, "PROJECT_ID", "project_id").value
    instance = instance_of(app)
    if missing := _missing(app, region, project, instance):
        raise missing
    check_id(project, "project_id")
    check_id(instance, "instance_id")
    endpoint = app.endpoint or modelarts_endpoint(region)
    check_base_url(endpoint, "endpoint")
    if not isinstance(app.credentials, Credentials):
        raise app.credentials or NotConfiguredError("This server has no credentials.", code="no_credentials")
    http = CloudHttp(
        endpoint,
        app.credentials,
        project,
        clock=clock,
        time=time,
        timeout=app.request_timeout,
        ca_file=app.ca_file,
    )
    return Demanager(http, time, project, instance)


def build_service(app: AutostopApp) -> AutostopService:
    """Return the service for an app's settings; wrong or missing ones make one that says so."""
    clock = SystemClock()
    time = PlatformClock(clock)
    instance_id = app.instance_id or defaults.INSTANCE_ID if app.platform == "emulator" else instance_of(app)
    try:
        platform = build_platform(app, clock, time)
    except AutostopError as error:
        app.log.warning("jupyter_autostop: %s %s", error.message, error.hint)
        platform = NoPlatform(error, time, "notebooks" if app.platform == "notebooks" else "demanager")
        instance_id = ""
    return AutostopService(
        platform,
        clock=clock,
        policy=Policy(
            max_extension=app.max_extension,
            allow_disable=app.allow_disable,
            allow_stop=app.allow_stop,
            allow_describe=app.allow_describe,
        ),
        memory=MemoryFile(app.state_dir, instance_id, app.log),
        on_change=app.announce,
        log=app.log,
        refresh_interval=app.refresh_interval,
    )
