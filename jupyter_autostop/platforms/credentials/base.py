"""What proves to the cloud who we are, and what of it the environment holds.

Light: it runs while the Jupyter server starts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Protocol

from jupyter_autostop.errors import NotConfiguredError
from jupyter_autostop.platforms.masking import mask_secrets

DEFAULT_PROFILE = "~/.huaweicloud/credentials"
"""Where the vendor's SDK keeps its profile."""
SDK = "HUAWEICLOUD_SDK_"
AK, SK, SECURITY_TOKEN = f"{SDK}AK", f"{SDK}SK", f"{SDK}SECURITY_TOKEN"
TOKEN = "JUPYTER_AUTOSTOP_TOKEN"  # noqa: S105 - the name of a variable
IAM_USER, IAM_PASSWORD, IAM_DOMAIN = (f"JUPYTER_AUTOSTOP_IAM_{key}" for key in ("USER", "PASSWORD", "DOMAIN"))
_OWN_SECRETS = (TOKEN, IAM_PASSWORD)
# What an HTTP header can carry; a stray newline from a secrets file is cut off before.
_HEADER_SAFE = re.compile(r"[\x21-\x7e]+")


def no_credentials(message: str, hint: str) -> NotConfiguredError:
    """Return the error of having nothing to prove ourselves with."""
    return NotConfiguredError(message, code="no_credentials", hint=hint)


def is_header_safe(value: str) -> bool:
    """Tell whether a header can carry this."""
    return bool(_HEADER_SAFE.fullmatch(value))


def check_secret(value: str, name: str) -> str:
    """Return a secret that a header can carry, or raise naming where it stands, and not what it is."""
    if not is_header_safe(value):
        raise no_credentials(
            f"{name} contains characters that no key or token has.",
            f"Set {name} again, without spaces or line breaks.",
        )
    return value


class CredentialSource(Protocol):
    """Where credentials come from, again and again. Every method raises only errors of `jupyter_autostop.errors`."""

    @property
    def source(self) -> str:
        """The place, in a few words, for people."""

    async def get(self) -> Credentials:
        """Return the credentials to use now."""

    async def renew(self, refused: Credentials, *, worked: bool) -> Credentials | None:
        """Return other credentials than those the cloud has refused; `None` where there are none.

        `worked`: the refused ones had been good before.
        """

    async def about(self) -> tuple[str, str]:
        """Return for people how old the credentials are, and a warning where one is due."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True)
class Credentials:
    """One way to prove who we are; neither printed nor logged. Fixed ones are their own source."""

    source: str
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    security_token: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    project_id: str = ""
    user_id: str = ""
    expires_at: int | None = None
    """Epoch ms, where it is known."""

    def mask(self, text: str) -> str:
        """Return `text` without any secret of ours that somebody echoed into it."""
        return mask_secrets(text, self.access_key, self.secret_key, self.security_token, self.token)

    async def get(self) -> Credentials:
        """Return these."""
        return self

    async def renew(self, refused: Credentials, *, worked: bool) -> None:
        """Return nothing: what does not change is refused again, and a key locks after some bad signatures."""

    async def about(self) -> tuple[str, str]:
        """Say that they are as old as this server's run."""
        return "read when this server started", ""

    async def close(self) -> None:
        """There is nothing to close."""


@dataclass(frozen=True)
class PasswordLogin:
    """An IAM user's password, good for a token; `domain` is the name of the account."""

    user: str
    password: str = field(repr=False)
    domain: str
    source: str = IAM_USER


def _read_environment(found: Mapping[str, str]) -> Credentials | PasswordLogin | NotConfiguredError | None:
    for name in (AK, SK, SECURITY_TOKEN, TOKEN):
        if found[name]:
            check_secret(found[name], name)
    if found[AK] and found[SK]:
        return Credentials(AK, access_key=found[AK], secret_key=found[SK], security_token=found[SECURITY_TOKEN])
    if found[TOKEN]:
        return Credentials(TOKEN, token=found[TOKEN])
    login = {name: found[name] for name in (IAM_USER, IAM_PASSWORD, IAM_DOMAIN)}
    if all(login.values()):
        return PasswordLogin(found[IAM_USER], found[IAM_PASSWORD], found[IAM_DOMAIN])
    if found[AK] or found[SK]:
        missing = SK if found[AK] else AK
        return no_credentials(
            f"Half of the access key is missing: {missing} is not set.",
            f"Set {missing} too and restart the Jupyter server.",
        )
    absent = [name for name, value in login.items() if not value]
    if len(absent) < len(login):
        return no_credentials(
            f"A part of the IAM login is missing: {' and '.join(absent)} not set.",
            f"Set {' and '.join(absent)} too and restart the Jupyter server.",
        )
    return None


class TakenSecrets:
    """Our own secrets and all of the SDK's variables, out of the environment that kernels and terminals inherit.

    Taking them cannot fail. It shows nothing of them when it is printed.
    """

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        names = [name for name in environ if name in _OWN_SECRETS or name.startswith(SDK)]
        self._taken = {name: environ.pop(name, "") for name in names}

    def value(self, name: str) -> str:
        """Return one of the variables, empty where it was not set."""
        return self._taken.get(name, "").strip()

    def give_back(self, environ: MutableMapping[str, str]) -> None:
        """Put the SDK's variables back, for a site whose kernels are to inherit them."""
        environ.update({name: value for name, value in self._taken.items() if name.startswith(SDK)})

    def credentials(self, environ: Mapping[str, str]) -> Credentials | PasswordLogin | NotConfiguredError | None:
        """Return the credentials that were taken, or what is wrong with them, as an error to show.

        `environ` has the names that go with a password. `None` where there is nothing, and files are to be looked at.
        """
        found = {name: self.value(name) for name in (AK, SK, SECURITY_TOKEN, TOKEN)}
        found |= {name: environ.get(name, "").strip() for name in (IAM_USER, IAM_DOMAIN)}
        # A password may begin or end with a space; the line end belongs to the file it came from.
        found[IAM_PASSWORD] = self._taken.get(IAM_PASSWORD, "").rstrip("\r\n")
        try:
            return _read_environment(found)
        except NotConfiguredError as error:
            return error
