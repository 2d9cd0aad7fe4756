"""Everything that can go wrong, as a tree: each class has its HTTP status, its code and a way out.

One place turns them into `{"message", "code", "hint", "request_id"}` (the server's handlers); the
platform's own code, where it gave one (`ModelArts.6309`, `APIGW.0301`), replaces ours.
"""

from __future__ import annotations

from typing import Any, ClassVar


class AutostopError(Exception):
    """Something that was asked for did not happen; says what, why and what to do."""

    status: ClassVar[int] = 500
    default_code: ClassVar[str] = "error"
    default_hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = self.default_hint if hint is None else hint
        self.request_id = request_id
        self.maybe_applied = False
        """Whether a write that ended so may have taken effect all the same."""
        self.asked = True
        """Whether ModelArts was asked; it is not where nobody knows what with."""

    def payload(self) -> dict[str, Any]:
        """Return the JSON object of the error contract."""
        return {
            "message": self.message,
            "code": self.code,
            "hint": self.hint,
            "request_id": self.request_id,
        }


class InvalidInputError(AutostopError):
    """What was asked for breaks a rule, ours or the platform's (400)."""

    status = 400
    default_code = "invalid"
    default_hint = "Correct the value and try again; nothing was changed."


class ForbiddenError(AutostopError):
    """This site's policy does not allow it (403)."""

    status = 403
    default_code = "policy"
    default_hint = "Ask whoever runs this Jupyter server; the setting is theirs."


class NotFoundError(AutostopError):
    """The platform knows no such instance (404)."""

    status = 404
    default_code = "not_found"
    default_hint = "Check the instance id, the project and the region in the settings of this server."


class ConflictError(AutostopError):
    """It cannot be done in this state (409); handlers add the current State."""

    status = 409
    default_code = "conflict"
    default_hint = "Look at the current state and decide again."


class NotConfiguredError(ConflictError):
    """A setting without which the platform cannot be asked is missing."""

    default_code = "not_configured"
    default_hint = "Run `jupyter autostop doctor`: it says what is missing, and how to give it."


class UpstreamError(AutostopError):
    """The platform did not do what it was asked (502)."""

    status = 502
    default_code = "bad_answer"
    default_hint = "Try again in a moment; the console shows what the platform did."


class CredentialsError(UpstreamError):
    """The platform refused our credentials."""

    default_code = "credentials_refused"
    default_hint = "Check the access key or the token of this server; temporary ones expire and must be renewed."


class ClockSkewError(CredentialsError):
    """The platform refused a signature dated by a clock of ours that is off; the next one is dated by its own."""


class PermissionRefusedError(UpstreamError):
    """The credentials are good but may not do this."""

    default_code = "permission_refused"
    default_hint = (
        "Ask for the IAM actions modelarts:notebook:get, modelarts:notebook:update and modelarts:notebook:action."
    )


class BadAnswerError(UpstreamError):
    """The platform, or something in between, answered nonsense."""

    default_hint = "Check that `endpoint` and `region` name the ModelArts service and no proxy answers in its place."


class NotAppliedError(UpstreamError):
    """The platform accepted a write, and reading it back shows the old values."""

    default_code = "not_applied"
    default_hint = "It may yet take effect: look at what is shown in a minute before you try again."


class UnavailableError(AutostopError):
    """The platform is throttling or down (503); `retry_after` is in whole seconds."""

    status = 503
    default_code = "unavailable"

    def __init__(self, message: str, *, retry_after: float = 5, **more: Any) -> None:
        super().__init__(message, **more)
        self.retry_after = max(1, int(-(-retry_after // 1)))
        if more.get("hint") is None:
            self.hint = f"Try again in {self.retry_after} s."


class ThrottledError(UnavailableError):
    """The platform asked to be left alone for a while."""

    default_code = "throttled"


class NoAnswerError(AutostopError):
    """No answer came in time (504)."""

    status = 504
    default_code = "no_answer"
    default_hint = "Check the network of this machine, and try again."


class ClientError(AutostopError):
    """A terminal or kernel could not reach, or could not use, a local server."""

    default_code = "no_server"

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows of it: the sentence, and not how we came to find out."""
        return [f"{type(self).__name__}: {self}"]

    def __str__(self) -> str:
        """Say what is wrong and the way out, as a traceback shows it to whoever has called a function of ours."""
        return " ".join(part for part in (self.message, self.hint) if part)
