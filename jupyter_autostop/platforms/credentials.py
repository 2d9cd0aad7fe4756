"""Where the credentials come from. Light: it runs while the Jupyter server starts."""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from dataclasses import dataclass, field

from jupyter_autostop.errors import NotConfiguredError

_SDK = "HUAWEICLOUD_SDK_"
_OWN_SECRETS = ("JUPYTER_AUTOSTOP_TOKEN", "JUPYTER_AUTOSTOP_IAM_PASSWORD")
# What an HTTP header can carry; a stray newline from a secrets file is cut off before.
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")
_MASK = "********"
_SHORTEST_SECRET = 4


@dataclass(frozen=True)
class Credentials:
    """One way to prove who we are; neither printed nor logged."""

    source: str
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    security_token: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def mask(self, text: str) -> str:
        """Return `text` without any secret of ours that somebody echoed into it."""
        # The longest first: one may contain another.
        secrets = (self.access_key, self.secret_key, self.security_token, self.token)
        for secret in sorted(secrets, key=len, reverse=True):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, _MASK)
        return text


def take_credentials(
    environ: MutableMapping[str, str], *, keep_sdk_env: bool = False
) -> Credentials | NotConfiguredError:
    """Read the credentials from the environment and take the secrets out of it.

    Kernels and terminals inherit what stays. Returns what is missing, as an error to show, where there are none.
    """
    found = {
        name: environ.get(name, "").strip()
        for name in (*(f"{_SDK}{key}" for key in ("AK", "SK", "SECURITY_TOKEN")), *_OWN_SECRETS)
    }
    for name in list(environ):
        if name in _OWN_SECRETS or (name.startswith(_SDK) and not keep_sdk_env):
            del environ[name]
    for name, value in found.items():
        if value and not _HEADER_SAFE.fullmatch(value):
            return NotConfiguredError(
                f"{name} contains characters that no key or token has.",
                code="no_credentials",
                hint=f"Set {name} again, without spaces or line breaks.",
            )
    access_key, secret_key = found[f"{_SDK}AK"], found[f"{_SDK}SK"]
    if access_key and secret_key:
        return Credentials(
            f"{_SDK}AK",
            access_key=access_key,
            secret_key=secret_key,
            security_token=found[f"{_SDK}SECURITY_TOKEN"],
        )
    if found["JUPYTER_AUTOSTOP_TOKEN"]:
        return Credentials("JUPYTER_AUTOSTOP_TOKEN", token=found["JUPYTER_AUTOSTOP_TOKEN"])
    if access_key or secret_key:
        missing = f"{_SDK}SK" if access_key else f"{_SDK}AK"
        return NotConfiguredError(
            f"Half of the access key is missing: {missing} is not set.",
            code="no_credentials",
            hint=f"Set {missing} too and restart the Jupyter server.",
        )
    return NotConfiguredError(
        "This server has no credentials for ModelArts.",
        code="no_credentials",
        hint=f"Set {_SDK}AK and {_SDK}SK, or JUPYTER_AUTOSTOP_TOKEN, in the environment of the Jupyter server.",
    )
