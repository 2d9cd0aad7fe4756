"""The port: what the service needs of a platform. Each generation of the API has its adapter."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, Protocol

from jupyter_autostop.errors import AutostopError
from jupyter_autostop.platforms.clock import PlatformClock
from jupyter_autostop.platforms.modelarts.models import Instance, UpdateRequest

PlatformName = Literal["demanager", "notebooks"]
person_waits_since: ContextVar[float | None] = ContextVar("person_waits_since", default=None)
"""Since when (monotonic s) a person has waited for the write that this task does; `None`: no person waits."""


@dataclass(frozen=True)
class Reading:
    """One answer about the instance; `sent` and `received` are monotonic seconds."""

    instance: Instance
    sent: float
    received: float


class Platform(Protocol):
    """A cloud that runs the instance. Every method raises only errors of `jupyter_autostop.errors`."""

    name: PlatformName
    time: PlatformClock

    @property
    def emulated(self) -> bool:
        """Whether this is an emulator and no cloud."""

    async def read(self) -> Reading:
        """Return what the platform says of the instance now."""

    async def update(self, request: UpdateRequest) -> None:
        """Send a change. What became of it, only a read can tell."""

    async def stop(self) -> None:
        """Ask the platform to stop the instance now."""

    async def try_update(self) -> None:
        """Send a change of nothing; how it is refused, or that it is not, tells whether we may change anything."""

    async def try_action(self) -> None:
        """Ask for an action that does not exist; how it is refused tells whether we may ask for one that does."""

    async def close(self) -> None:
        """Let go of connections."""


class NoPlatform:
    """Stands where a platform would be and says why there is none: not configured, or not supported yet."""

    emulated = False

    def __init__(self, error: AutostopError, time: PlatformClock, name: PlatformName = "demanager") -> None:
        self._error = error
        self.time = time
        self.name: PlatformName = name

    def _why(self) -> AutostopError:
        error = self._error
        return type(error)(error.message, code=error.code, hint=error.hint)

    async def read(self) -> Reading:
        """Refuse."""
        raise self._why()

    async def update(self, request: UpdateRequest) -> None:  # noqa: ARG002 - nothing is sent anywhere
        """Refuse."""
        raise self._why()

    async def stop(self) -> None:
        """Refuse."""
        raise self._why()

    async def try_update(self) -> None:
        """Refuse."""
        raise self._why()

    async def try_action(self) -> None:
        """Refuse."""
        raise self._why()

    async def close(self) -> None:
        """There is nothing to close."""
