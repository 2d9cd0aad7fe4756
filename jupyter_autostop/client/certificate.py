"""The certificate that this process shows to a server which wants one of its clients: JupyterHub's `internal_ssl`."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYFILE, CERTFILE, CLIENT_CA = (f"JUPYTERHUB_SSL_{name}" for name in ("KEYFILE", "CERTFILE", "CLIENT_CA"))
"""As JupyterHub gives them to the servers that it starts."""


class ClientCertificate(NamedTuple):
    """Files in PEM; `authority` vouches for the hub's servers. Empty: not given."""

    certificate: str = ""
    key: str = ""
    authority: str = ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> ClientCertificate:
        """Return what the environment names."""
        return cls(environ.get(CERTFILE, ""), environ.get(KEYFILE, ""), environ.get(CLIENT_CA, ""))

    def load(self, context: ssl.SSLContext) -> str:
        """Let a connection show it where it is asked for; return why it cannot, empty where nothing is wrong."""
        if not self.certificate:
            return f"{CERTFILE} and {KEYFILE} are not set"
        try:
            # A password that is asked for would keep the terminal waiting.
            context.load_cert_chain(self.certificate, self.key or None, password="")
        except (OSError, ValueError) as error:
            why = "no certificate and key in it that belong together" if isinstance(error, ssl.SSLError) else str(error)
            return f"{self.certificate} cannot be used: {why}"
        return ""

    def trust(self, context: ssl.SSLContext) -> None:
        """Let the hub's authority vouch for servers, besides those that are trusted anyway."""
        if not self.authority:
            return
        try:
            context.load_verify_locations(self.authority)
        except OSError:
            # It is not needed for a server that others vouch for; for any other the refusal names it.
            return


NO_CERTIFICATE = ClientCertificate()
