"""A server extension as jupyter_autostop's own, in which a setting's default or the reading of the settings fails."""

from __future__ import annotations

import errno
import os
from typing import Any

from traitlets import Unicode, default

from jupyter_autostop.server.app import AutostopApp


class BrokenApp(AutostopApp):
    """Fails where the environment says: at a default, or while it is linked to its server."""

    state_dir = Unicode(config=True)

    @default("state_dir")
    def _state_dir_default(self) -> str:
        if os.environ["BROKEN"] == "default":
            raise OSError(errno.ENOTCONN, "Transport endpoint is not connected")
        return ""

    def load_config_file(self, *_: Any, **__: Any) -> None:
        """Fail, or read nothing."""
        if os.environ["BROKEN"] == "linking":
            raise ValueError("no such thing")


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "broken_extension", "app": BrokenApp}]
