"""AutostopApp: the settings people give, and the hand-over to the service.

Loaded with every Jupyter server, so it imports nothing heavy and asks nobody anything: the HTTP client and the
models come with the first request.
"""

from __future__ import annotations

import asyncio
import os
from copy import deepcopy
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_core.paths import jupyter_data_dir
from jupyter_server.extension.application import ExtensionApp
from traitlets import Bool, TraitError, TraitType, Unicode, default
from traitlets.config.loader import DeferredConfig

from jupyter_autostop.errors import NotConfiguredError
from jupyter_autostop.platforms.credentials.base import DEFAULT_PROFILE, Credentials, PasswordLogin, TakenSecrets
from jupyter_autostop.server.auth import Capability, address_of
from jupyter_autostop.server.handlers import handlers
from jupyter_autostop.server.names import VARIABLES, Misnamed, misnamed_sections, misnamed_settings, misnamed_variables
from jupyter_autostop.server.page_zones import PageZones
from jupyter_autostop.server.seconds import Seconds
from jupyter_autostop.storage.state_dir import WORK, default_state_dir, is_something_kept

if TYPE_CHECKING:
    from jupyter_server.serverapp import ServerApp
    from traitlets.config import Config

    from jupyter_autostop.server.doctor import Doctor
    from jupyter_autostop.server.factory import Setup
    from jupyter_autostop.service.service import AutostopService
    from jupyter_autostop.state import State
    from jupyter_autostop.storage.journal_file import JournalFile

EVENT_SCHEMAS = tuple(Path(__file__).parent / name for name in ("event.yaml", "look_event.yaml"))
EVENT_ID = "https://events.jupyter.org/jupyter_autostop/changed/v1"
LOOK_EVENT_ID = "https://events.jupyter.org/jupyter_autostop/looked/v1"
RECORD_INTERVAL = 15.0
"""Seconds between looks for a record that another server has left, and at the capability file; no one is asked."""


def _right_way(trait: TraitType[Any, Any]) -> str:
    """Return how a setting is written whose kind's own words for that are meant for programmers."""
    if isinstance(trait, Bool):
        return "yes or no: write True or False."
    return "a text: write it in quotes." if isinstance(trait, Unicode) else ""


class AutostopApp(ExtensionApp):
    """Shows and moves the stop time of the cloud instance this server runs in."""

    name = "autostop"
    description = "See and move the stop time of the cloud notebook instance this server runs in."
    # These two count only for `jupyter autostop serve`, a Jupyter server with nothing but this extension.
    load_other_extensions = False
    serverapp_config: dict[str, Any] = {"open_browser": False}  # noqa: RUF012 - as the base class has it

    platform = Unicode(
        config=True,
        help="The API to speak: demanager (ModelArts' old generation), notebooks (the current one) or emulator. "
        "Environment: JUPYTER_AUTOSTOP_PLATFORM.",
    )
    endpoint = Unicode(
        config=True,
        help="Base URL of ModelArts; default: made from `region`. Environment: JUPYTER_AUTOSTOP_ENDPOINT.",
    )
    iam_endpoint = Unicode(
        config=True,
        help="Base URL of IAM; default: made from `region`. Environment: JUPYTER_AUTOSTOP_IAM_ENDPOINT.",
    )
    region = Unicode(config=True, help="The region, e.g. cn-north-4. Environment: JUPYTER_AUTOSTOP_REGION.")
    project_id = Unicode(
        config=True,
        help="The project's id. Environment: JUPYTER_AUTOSTOP_PROJECT_ID or HUAWEICLOUD_SDK_PROJECT_ID.",
    )
    instance_id = Unicode(config=True, help="The instance's id. Environment: JUPYTER_AUTOSTOP_INSTANCE_ID.")
    credentials_file = Unicode(
        config=True,
        help="Profile with a section [basic]: ak, sk, security_token, project_id; default: ~/.huaweicloud/credentials. "
        "Environment: HUAWEICLOUD_SDK_CREDENTIALS_FILE.",
    )
    ca_file = Unicode(
        config=True,
        help="PEM file of a private cloud's own certificate authority. Environment: JUPYTER_AUTOSTOP_CA_FILE.",
    )
    state_dir = Unicode(
        config=True,
        help="Folder for what must outlive a restart; default: below /home/ma-user/work where that exists, else "
        "in Jupyter's data folder. Environment: JUPYTER_AUTOSTOP_STATE_DIR.",
    )
    refresh_interval = Seconds(
        60.0,
        least=1,
        most=31_536_000,
        config=True,
        help="Seconds, or a length such as 1m, between looks at the platform while anyone watches; "
        "default: 60, and 2 at an emulator.",
    )
    request_timeout = Seconds(
        10.0,
        least=0.1,
        most=300,
        config=True,
        help="Seconds, or a length, for one call to the platform, its retries included.",
    )
    max_extension = Seconds(
        86400,
        least=0,
        most=31_536_000,
        whole=True,
        config=True,
        help="Seconds from now, or a length such as 12h, that an extension may reach at most.",
    )
    keep_sdk_env = Bool(
        False, config=True, help="Leave HUAWEICLOUD_SDK_* in the environment that kernels and terminals inherit."
    )
    allow_disable = Bool(True, config=True, help="Whether people may switch auto-stop off from here.")
    grace = Seconds(
        900,
        least=0,
        most=86400,
        whole=True,
        config=True,
        help="Seconds, or a length such as 15m, between the early end of a hold and a stop that would follow at once.",
    )
    allow_hold = Bool(
        True,
        config=True,
        help="Whether this server may keep a run's deadline itself, with auto-stop off at the platform meanwhile.",
    )
    allow_stop = Bool(True, config=True, help="Whether people may stop the instance from here.")
    allow_describe = Bool(True, config=True, help="Whether people may edit the instance's description from here.")

    @default("platform")
    def _platform_default(self) -> str:
        return self._from_environment("platform") or "demanager"

    @default("refresh_interval")
    def _refresh_interval_default(self) -> float:
        # What is done to an emulator by its control routes is to be seen at once, and asking it costs nobody anything.
        return 2.0 if self.platform == "emulator" else 60.0

    @default("endpoint")
    def _endpoint_default(self) -> str:
        return self._from_environment("endpoint")

    @default("iam_endpoint")
    def _iam_endpoint_default(self) -> str:
        return self._from_environment("iam_endpoint")

    @default("region")
    def _region_default(self) -> str:
        return self._from_environment("region")

    @default("project_id")
    def _project_id_default(self) -> str:
        return self._from_environment("project_id")

    @default("instance_id")
    def _instance_id_default(self) -> str:
        return self._from_environment("instance_id")

    @default("credentials_file")
    def _credentials_file_default(self) -> str:
        return self._from_environment("credentials_file") or DEFAULT_PROFILE

    @default("ca_file")
    def _ca_file_default(self) -> str:
        return self._from_environment("ca_file")

    @default("state_dir")
    def _state_dir_default(self) -> str:
        return self._from_environment("state_dir") or str(default_state_dir(WORK, Path(jupyter_data_dir())))

    def _from_environment(self, setting: str) -> str:
        """Return what the environment says of a setting, also by a variable that was taken out of it."""
        variables = VARIABLES[setting]
        given = (os.environ.get(name, "").strip() or self._secrets.value(name) for name in variables)
        return next((value for value in given if value), "")

    def __init__(self, **kwargs: Any) -> None:
        # Before anything that can fail: whatever becomes of this extension, kernels inherit no secret.
        self._secrets = TakenSecrets(os.environ)
        self.faults: dict[str, str] = {}
        self.misnamed: dict[str, Misnamed] = {}
        self.failure: Exception | None = None
        """What kept this extension from being set up; the service only tells of it."""
        self.credentials: Credentials | PasswordLogin | NotConfiguredError | None = None
        self.setup: Setup  # there once the service is
        self._service: asyncio.Future[AutostopService] | None = None
        self._is_stand_in = False
        self._retired: set[asyncio.Task[None]] = set()
        self.place: Path | None = None
        """The folder of what is kept of the instance: `state_dir`, or the next best; `None` where none will do."""
        self.journal_file: JournalFile | None = None
        self._watch: asyncio.Task[None] | None = None
        self.capability = Capability()
        self.page_zones = PageZones()
        super().__init__(**kwargs)

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Read the settings; where that fails, the routes are there all the same and tell it."""
        try:
            super()._link_jupyter_server_extension(serverapp)
        except Exception as error:  # noqa: BLE001 - whatever it is, the server starts and tells it
            self._fail(error)
            self.serverapp = serverapp
            self._linked = True

    def initialize(self) -> None:  # type: ignore[override]  # as the base class overrides its own
        """Set the extension up; where that fails, the routes are there all the same and tell it."""
        try:
            super().initialize()  # type: ignore[no-untyped-call]  # as Jupyter Server has it
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)
            self.handlers = []
            self._prepare_handlers()  # type: ignore[no-untyped-call]

    def _fail(self, error: Exception) -> None:
        self.failure = self.failure or error
        self.state_dir = ""  # nothing is kept now, and its default may be what fails
        self.log.error("jupyter_autostop: this extension cannot be set up", exc_info=error)

    def _load_config(self, cfg: Config, section_names: Any = None, traits: Any = None) -> None:
        """Take the settings over; a wrong one is kept aside to be shown, where traitlets would end the server."""
        cfg = deepcopy(cfg)
        own = self.traits(config=True)
        section = cfg.get(type(self).__name__, {})
        self._note_misnamed([*misnamed_settings(section, own), *misnamed_sections(cfg, own)])
        for name in [name for name in section if name in own]:
            value = section[name]
            try:
                value = value.get_value(own[name]) if isinstance(value, DeferredConfig) else value
                own[name]._validate(self, value)  # noqa: SLF001 - what assigning would do, without assigning
            except (TraitError, ValueError) as error:
                self.faults[name] = f"The setting AutostopApp.{name} is {_right_way(own[name]) or f'wrong: {error}'}"
                del section[name]
        super()._load_config(cfg, section_names, traits)

    def _note_misnamed(self, names: list[Misnamed]) -> None:
        """Keep names that no setting has, to be shown; a policy that was meant by one counts as a wrong setting."""
        self.misnamed.update({name.given: name for name in names})
        self.faults.update({name.given: name.sentence for name in names if name.is_policy})

    def initialize_settings(self) -> None:
        """Read the credentials that were taken out of the environment, and announce our event."""
        self._note_misnamed(misnamed_variables(os.environ, self.traits(config=True)))
        self.credentials = self._secrets.credentials(os.environ)
        if self.keep_sdk_env:
            self._secrets.give_back(os.environ)
        for sentence in {*self.faults.values(), *(misnamed.sentence for misnamed in self.misnamed.values())}:
            self.log.error("jupyter_autostop: %s", sentence)
        if self.serverapp is not None and self.serverapp.event_logger is not None:
            for schema in EVENT_SCHEMAS:
                self.serverapp.event_logger.register_event_schema(schema)

    def initialize_handlers(self) -> None:
        """Add the routes."""
        self.handlers.extend(handlers(self))
        if self.serverapp is not None:
            # Before the first request, and only once it is known where the server listens.
            self.serverapp.io_loop.add_callback(self._publish_capability)
            self.serverapp.io_loop.add_callback(self._start_watch)

    def _publish_capability(self) -> None:
        """Let this server's kernels and terminals in; without the file they need a token."""
        if self.serverapp is None:
            return
        try:
            address = address_of(self.serverapp, serve=self.serverapp.starter_app is self)
            self.capability.publish(Path(self.serverapp.runtime_dir), address)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            self.log.warning("jupyter_autostop: the capability file cannot be written: %s", why)

    async def _restore_capability(self) -> None:
        """Publish the capability file again where it has been removed or spoiled: kernels would find no way in."""
        try:
            if await asyncio.to_thread(self.capability.restore):
                self.log.info("jupyter_autostop: the capability file was gone, and is there again")
        except (OSError, ValueError) as error:
            self.log.debug("jupyter_autostop: the capability file cannot be written: %s", error)

    def _start_watch(self) -> None:
        self._watch = asyncio.ensure_future(self._watch_record())

    async def _watch_record(self) -> None:
        """See to what a record says is held or owed, also where nobody looks; without one, ask and load nothing."""
        while True:
            try:
                await self._restore_capability()
                if await asyncio.to_thread(is_something_kept, self.state_dir):
                    await (await self.service()).attend()
            except Exception:  # a fault of ours, or of this installation; the run must get its stop
                self.log.exception("jupyter_autostop: what is held cannot be seen to; it is tried again")
            await asyncio.sleep(RECORD_INTERVAL)

    async def service(self) -> AutostopService:
        """Return the service, made once, when it is first needed, and beside the event loop: imports take a while.

        Where it cannot be made, as for want of a file handle, another one tells so, and it is tried again.
        """
        if self._service is None or self._has_failed(self._service):
            self._service = asyncio.ensure_future(asyncio.to_thread(self._build))
        elif self._is_stand_in and self._service.done() and self.failure is None:
            self._retire(self._service.result())
            self._service = asyncio.ensure_future(asyncio.to_thread(self._build))
        # A look is answered thousands of times a second; shielding is for those who wait for the first one.
        return self._service.result() if self._service.done() else await asyncio.shield(self._service)

    @staticmethod
    def _has_failed(made: asyncio.Future[AutostopService]) -> bool:
        """Tell whether making the service came to nothing at all, as where a part of this installation is missing."""
        return made.done() and (made.cancelled() or made.exception() is not None)

    def _retire(self, stand_in: AutostopService) -> None:
        closing = asyncio.ensure_future(stand_in.close())
        self._retired.add(closing)
        closing.add_done_callback(self._retired.discard)

    def _build(self) -> AutostopService:
        # Heavy, so at first use.
        from jupyter_autostop.server.factory import build_service, build_stand_in  # noqa: PLC0415

        if self.failure is not None:
            return build_stand_in(self, self.failure)
        try:
            service = build_service(self)
            self._is_stand_in = False
        except Exception as error:  # whatever it is, people are told
            if not self._is_stand_in:
                self.log.exception("jupyter_autostop: the service cannot be made; it is tried again")
            self._is_stand_in = True
            return build_stand_in(self, error)
        return service

    async def doctor(self) -> Doctor:
        """Return what looks into the setup of this server; like the service it is imported beside the event loop."""
        service = await self.service()
        module = await asyncio.to_thread(import_module, "jupyter_autostop.server.doctor")
        doctor: Doctor = module.Doctor(self, service)
        return doctor

    def current_state(self) -> State | None:
        """Return the State as far as it is known, without asking anybody."""
        if self._service is None or not self._service.done() or self._has_failed(self._service):
            return None
        return self._service.result().snapshot.state()

    def announce(self, version: str) -> None:
        """Tell every open page that the State has changed."""
        self._emit(EVENT_ID, {"state_version": version})

    def announce_look(self, confirmed_at_ms: int) -> None:
        """Tell every open page that the platform has confirmed what the page already knows."""
        self._emit(LOOK_EVENT_ID, {"confirmed_at": confirmed_at_ms})

    def _emit(self, schema_id: str, data: dict[str, Any]) -> None:
        if self.serverapp is not None and self.serverapp.event_logger is not None:
            self.serverapp.event_logger.emit(schema_id=schema_id, data=data)

    async def stop_extension(self) -> None:
        """End the background work with the server."""
        if self._watch is not None:
            self._watch.cancel()
        self.capability.withdraw()
        if self._service is not None:
            await asyncio.wait({self._service})
            if not self._has_failed(self._service):
                await self._service.result().close()
