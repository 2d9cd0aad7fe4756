"""The platform's instance as it travels, every documented field of the update API's tables.

Source: ModelArts API reference, "Modifying a Development Environment Instance" (its Tables 1 to 24) and the
sibling pages for the values. All fields may be missing or null. A value outside the documented set is kept,
an undocumented field too; a secondary field of the wrong type reads as null instead of hiding the stop time.
Times are epoch **ms** (some as strings of 13 digits), lengths are in **s**.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StrictBool,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic import Secret as _Secret

from jupyter_autostop.foreign_text import clean_json

InstanceStatus = Literal[
    "CREATE_QUEUING", "CREATING", "CREATE_FAILED", "START_QUEUING", "READY_TO_START", "STARTING", "RESTARTING",
    "START_FAILED", "RUNNING", "STOPPING", "STOPPED", "UNAVAILABLE", "DELETED", "RESIZING", "RESIZE_FAILED",
]  # fmt: skip
FlavorStatus = Literal["onSale", "soldOut"]
FlavorType = Literal["CPU", "GPU", "ASCEND"]
PromoType = Literal["Free", "NoDiscount"]
StorageType = Literal["obs", "obsfs", "evs", "efs"]
QueuingStatus = Literal["CREATE_QUEUING", "START_QUEUING"]
RepositoryType = Literal["CodeClub", "GitHub"]
RepositoryProtocol = Literal["ssh", "https"]

MASK = "**********"
_LONGEST = {"": 256, "description": 1024, "message": 1024}
"""Characters of a text, by its field; the platform's own limits are below."""
_MOST = 64
"""Items of a list."""
_SECRET_WORDS = ("token", "secret", "password", "credential")


class Concealed(_Secret[Any]):
    """A value of any shape that neither prints nor serialises."""

    def _display(self) -> str:
        return MASK


def _null_if_wrong(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    try:
        return handler(value)
    except ValidationError:
        return None


_T = TypeVar("_T")
# The type of a field without which the stop time can still be told.
Lenient = Annotated[_T | None, WrapValidator(_null_if_wrong)]
Secret = Annotated[Concealed | None, PlainSerializer(lambda value: None if value is None else MASK)]


def _no_switch(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("a switch is no number")  # noqa: TRY004 - what pydantic understands
    return value


# Whole, also as a string of digits: this API writes times both ways.
Number = Annotated[int, BeforeValidator(_no_switch)]


def _conceal(value: Any) -> Any:
    """Wrap what a secret's name stands on, at any depth."""
    if isinstance(value, dict):
        return {
            key: Concealed(inner)
            if inner is not None and any(word in str(key).lower() for word in _SECRET_WORDS)
            else _conceal(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [_conceal(inner) for inner in value]
    return value


class Wire(BaseModel):
    """A JSON object of the platform: unknown fields stay, secrets among them are concealed."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True, protected_namespaces=())

    @model_validator(mode="after")
    def _conceal_unknown_secrets(self) -> Wire:
        """Undocumented fields and free-form maps can hold anything."""
        if self.__pydantic_extra__:
            self.__pydantic_extra__.update(_conceal(self.__pydantic_extra__))
        for name, value in self.__dict__.items():
            if isinstance(value, dict):
                self.__dict__[name] = _conceal(value)
        return self


class AutoStop(Wire):
    """Auto stop (Table 17): what decides about the run, so a wrong type here is an error."""

    enable: StrictBool | None = None
    duration: Number | None = None
    prompt: StrictBool | None = None
    stop_timestamp: Number | None = None
    remain_time: Number | None = None


class ProvisionSpec(Wire):
    """Deployment details (Table 8)."""

    engine: Lenient[Literal["CCE"] | str] = None
    params: Lenient[dict[str, Any]] = None


class Provision(Wire):
    """Deployment information (Table 7)."""

    type: Lenient[Literal["Docker"] | str] = None
    spec: Lenient[ProvisionSpec] = None
    annotations: Lenient[dict[str, Any]] = Field(default=None, repr=False)


class Profile(Wire):
    """Configuration information (Table 6)."""

    id: Lenient[str] = None
    name: Lenient[str] = None
    description: Lenient[str] = None
    de_type: Lenient[Literal["Notebook"] | str] = None
    provision: Lenient[Provision] = None
    labels: Lenient[dict[str, Any]] = None
    flavor_type: Lenient[FlavorType | str] = None


class FlavorDetails(Wire):
    """The flavor (Table 10); `queue_left_time` and `duration` in s, `store_time` in h."""

    name: Lenient[str] = None
    status: Lenient[FlavorStatus | str] = None
    queuing_num: Lenient[int] = None
    queue_left_time: Lenient[int] = None
    storage_list: Lenient[list[StorageType | str]] = None
    is_permitted: Lenient[bool] = None
    type: Lenient[FlavorType | str] = None
    params: Lenient[dict[str, Any]] = None
    promo_type: Lenient[PromoType | str] = None
    instance_num: Lenient[int] = None
    duration: Lenient[int] = None
    store_time: Lenient[int] = None
    billing_flavor: Lenient[str] = None
    billing_params: Lenient[int] = None


class Owner(Wire):
    """Whoever owns a dedicated pool (Table 13)."""

    id: Lenient[str] = None


class Pool(Wire):
    """The dedicated resource pool (Table 11)."""

    id: Lenient[str] = None
    name: Lenient[str] = None
    type: Lenient[Literal["USER_DEFINED"] | str] = None
    owner: Lenient[Owner] = None


class Location(Wire):
    """Where the storage is mounted (Table 16); the samples add the volume's size."""

    path: Lenient[str] = None
    volume_size: Lenient[int] = None
    volume_unit: Lenient[str] = None


class Storage(Wire):
    """Storage (Table 15)."""

    type: Lenient[StorageType | str] = None
    location: Lenient[Location] = None


class FailedReasons(Wire):
    """Why a creation or start failed (Table 18)."""

    code: Lenient[str] = None
    message: Lenient[str] = None
    detail: Lenient[dict[str, Any]] = Field(default=None, repr=False)


class ConnectionInfo(Wire):
    """How the repository is reached (Table 23)."""

    protocol: Lenient[RepositoryProtocol | str] = None
    url: Lenient[str] = Field(default=None, repr=False)
    credential: Secret = None


class Repository(Wire):
    """Git repository (Table 22)."""

    id: Lenient[str] = None
    branch: Lenient[str] = None
    user_name: Lenient[str] = None
    user_email: Lenient[str] = None
    type: Lenient[RepositoryType | str] = None
    connection_info: Lenient[ConnectionInfo] = None


class InstanceSpec(Wire):
    """Instance definition (Table 14)."""

    log_path: Lenient[str] = None
    custom_script_path: Lenient[str] = None
    storage: Lenient[Storage] = None
    credential: Secret = None
    repository: Lenient[Repository] = None
    resource_reserved_timestamp: Lenient[int] = None
    auto_stop: AutoStop | None = None
    failed_reasons: Lenient[FailedReasons] = None
    annotations: Lenient[dict[str, Any]] = Field(default=None, repr=False)
    extend_params: Lenient[dict[str, Any]] = Field(default=None, repr=False)


class Workspace(Wire):
    """Workspace (Table 19)."""

    id: Lenient[str] = None


class AiProject(Wire):
    """AI project (Table 12)."""

    id: Lenient[str] = None


class QueuingInfo(Wire):
    """The instance's place in a queue (Table 20); timestamps in ms, `remain_time` in s."""

    id: Lenient[str] = None
    name: Lenient[str] = None
    de_type: Lenient[Literal["Notebook"] | str] = None
    flavor: Lenient[str] = None
    flavor_details: Lenient[FlavorDetails] = None
    status: Lenient[QueuingStatus | str] = None
    begin_timestamp: Lenient[int] = None
    remain_time: Lenient[int] = None
    end_timestamp: Lenient[int] = None
    rank: Lenient[int] = None


class User(Wire):
    """The instance's user (Table 21)."""

    id: Lenient[str] = None
    name: Lenient[str] = None


class Lease(Wire):
    """What stops the run in the words of the API's current generation; times and lengths in ms, `IDLE` sets no time."""

    type: Lenient[Literal["TIMING", "IDLE"] | str] = None
    enable: Lenient[bool] = None
    create_at: Lenient[int] = None
    duration: Lenient[int] = None
    update_at: Lenient[int] = None


class Instance(Wire):
    """A development environment instance (Table 5), as GET and PUT answer it; `lease` is of the later generation."""

    id: str
    name: Lenient[str] = None
    description: Lenient[str] = None
    status: InstanceStatus | str
    creation_timestamp: Lenient[str] = None
    latest_update_timestamp: Lenient[str] = None
    profile: Lenient[Profile] = None
    flavor: Lenient[str] = None
    flavor_details: Lenient[FlavorDetails] = None
    pool: Lenient[Pool] = None
    spec: InstanceSpec | None = None
    workspace: Lenient[Workspace] = None
    ai_project: Lenient[AiProject] = None
    error_code: Lenient[str] = None
    queuing_info: Lenient[QueuingInfo] = None
    user: Lenient[User] = None
    repository: Lenient[Repository] = None
    lease: Lenient[Lease] = None
    token: Secret = None

    @model_validator(mode="before")
    @classmethod
    def _clean_texts(cls, data: Any) -> Any:
        """Every text at any depth, before anything looks at it."""
        return clean_json(data, _LONGEST, most=_MOST)

    @property
    def auto_stop(self) -> AutoStop | None:
        """The auto-stop setting, where the answer has one."""
        return self.spec.auto_stop if self.spec else None

    @property
    def idles_out(self) -> bool:
        """Whether the answer says that the run ends when it is idle, at no fixed time."""
        lease = self.lease
        return lease is not None and lease.enable is not False and (lease.type or "").upper() == "IDLE"


class UpdateAutoStop(BaseModel):
    """The request's auto_stop (Table 4); `duration` in s, 3600 to 86400."""

    enable: bool | None = None
    duration: int | None = None
    prompt: bool | None = None


class UpdateSpec(BaseModel):
    """The request's spec (Table 3)."""

    auto_stop: UpdateAutoStop | None = None


class UpdateRequest(BaseModel):
    """The body of the update request (Table 2); what is not set is not sent."""

    description: str | None = None
    spec: UpdateSpec | None = None

    def body(self) -> dict[str, Any]:
        """Return the JSON object to send."""
        return self.model_dump(exclude_none=True)


class ActionAnswer(Wire):
    """What start, stop and restart answer."""

    current_status: Lenient[str] = None
    previous_state: Lenient[str] = None
