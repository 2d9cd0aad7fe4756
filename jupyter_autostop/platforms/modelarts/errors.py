"""The platform's error codes in words: what happened and what to do next.

Source: the ModelArts and API Gateway error code pages. ModelArts sends its codes with HTTP 400, "does not exist"
included, so the code decides before the status does.
"""

from __future__ import annotations

from jupyter_autostop.errors import (
    AutostopError,
    BadAnswerError,
    ConflictError,
    CredentialsError,
    InvalidInputError,
    NoAnswerError,
    NotFoundError,
    PermissionRefusedError,
    ThrottledError,
    UnavailableError,
)

_TOO_SLOW = "Try again in a minute: ModelArts itself was too slow."
_WAIT = "Wait until that is done, then try again."
START = "Start it in the ModelArts console."
START_EMULATED = 'Start it at the emulator: PATCH /_emulator/instance {"status": "RUNNING"}.'
_RENEW = "Renew the token or key of this server; one from its environment counts from the next start."
_IAM = (
    "Ask the account's administrator for the IAM actions modelarts:notebook:get, modelarts:notebook:update and "
    "modelarts:notebook:action."
)

Meaning = tuple[type[AutostopError], str, str | None]

MEANINGS: dict[str, Meaning] = {
    "ModelArts.6306": (ConflictError, "The instance is starting.", _WAIT),
    "ModelArts.6307": (ConflictError, "The instance is stopped already.", START),
    "ModelArts.6308": (ConflictError, "The instance is stopping.", _WAIT),
    "ModelArts.6309": (NotFoundError, "ModelArts knows no such instance.", None),
    "ModelArts.6326": (
        ConflictError,
        "The instance is frozen because the account is in arrears.",
        "Top up the account in the billing center.",
    ),
    "ModelArts.6327": (ConflictError, "The instance is not running.", START),
    "ModelArts.6332": (
        ConflictError,
        "This kind of instance cannot do that.",
        "Check that the instance id names a notebook instance.",
    ),
    "ModelArts.6333": (ConflictError, "The instance is being restored.", _WAIT),
    "ModelArts.6334": (
        InvalidInputError,
        "ModelArts refuses a character in the description.",
        "Leave out & < > \" ' and /.",
    ),
    "ModelArts.6335": (InvalidInputError, "ModelArts misses a property in the request.", None),
    "ModelArts.6336": (InvalidInputError, "ModelArts refuses a value in the request.", None),
    "ModelArts.6346": (
        InvalidInputError,
        "ModelArts refuses a stop time that is not later than now.",
        "Choose a longer running time.",
    ),
    "ModelArts.6347": (
        ConflictError,
        "ModelArts does not change this in the instance's present status.",
        "Try again when the instance is running, or stopped.",
    ),
    "ModelArts.6348": (
        InvalidInputError,
        "ModelArts wants a running time when auto-stop is switched on.",
        "Give `duration` too.",
    ),
    "ModelArts.6349": (
        InvalidInputError,
        "ModelArts refuses this running time.",
        "Choose one from 1 h to 24 h.",
    ),
    "ModelArts.6357": (ConflictError, "Another operation on the instance is in progress.", _WAIT),
    "ModelArts.6404": (NotFoundError, "ModelArts knows no such instance.", None),
    "ModelArts.6401": (CredentialsError, "ModelArts refuses the token.", _RENEW),
    "ModelArts.6407": (PermissionRefusedError, "These credentials may not do this.", _IAM),
    "ModelArts.6201": (CredentialsError, "ModelArts refuses the credentials.", _RENEW),
    "ModelArts.6203": (CredentialsError, "ModelArts refuses the credentials.", _RENEW),
    "ModelArts.6620": (CredentialsError, "ModelArts refuses the credentials.", _RENEW),
    "ModelArts.0108": (PermissionRefusedError, "These credentials may not do this.", _IAM),
    "ModelArts.0112": (PermissionRefusedError, "These credentials may not do this.", _IAM),
    "ModelArts.6100": (NoAnswerError, "ModelArts gave up waiting for its own answer.", _TOO_SLOW),
    "ModelArts.6101": (ThrottledError, "ModelArts is getting too many requests.", None),
    "ModelArts.6102": (UnavailableError, "ModelArts has an internal error.", None),
    "ModelArts.6200": (UnavailableError, "ModelArts has an internal error.", None),
    "APIGW.0101": (
        BadAnswerError,
        "The cloud's gateway knows no such API at this address.",
        "Check `endpoint` and `region`.",
    ),
    "APIGW.0301": (CredentialsError, "The cloud refuses the credentials: wrong, expired or wrongly dated.", _RENEW),
    "APIGW.0302": (PermissionRefusedError, "The cloud's gateway does not let these credentials through.", _IAM),
    "APIGW.0307": (CredentialsError, "The token has expired.", _RENEW),
    "APIGW.0308": (ThrottledError, "The cloud's gateway is getting too many requests.", None),
}

# One code for whatever was wrong between the gateway and those on both sides of it; of 502 and 504 the status says all.
_GATEWAY_AND_STATUS: dict[tuple[str, int], Meaning] = {
    ("APIGW.0201", 400): (
        InvalidInputError,
        "The cloud's gateway cannot read the request.",
        "See whether a proxy on the way changes it; nothing was changed.",
    ),
    ("APIGW.0201", 413): (
        InvalidInputError,
        "The request is too large for the cloud's gateway.",
        "Shorten the description; nothing was changed.",
    ),
}
_BY_STATUS: dict[int, Meaning] = {
    401: (CredentialsError, "The cloud refuses the credentials.", None),
    403: (PermissionRefusedError, "The cloud does not let these credentials do this.", None),
    404: (NotFoundError, "ModelArts knows no such instance.", None),
    408: (NoAnswerError, "ModelArts gave up waiting.", _TOO_SLOW),
    429: (ThrottledError, "ModelArts is getting too many requests.", None),
    504: (NoAnswerError, "The cloud's gateway got no answer from ModelArts in time.", _TOO_SLOW),
}


def meaning(status: int, code: str | None) -> Meaning:
    """Return the error class, the sentence and the hint (`None`: the class's own) for an error answer."""
    if code:
        # Both gateway prefixes are in use for the same table.
        code = code.replace("APIG.", "APIGW.", 1) if code.startswith("APIG.") else code
        known = MEANINGS.get(code) or _GATEWAY_AND_STATUS.get((code, status))
        if known:
            return known
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status >= 500:  # noqa: PLR2004 - HTTP's server errors
        return (UnavailableError, f"ModelArts is not available (HTTP {status}).", None)
    if status == 400:  # noqa: PLR2004 - HTTP's bad request
        return (InvalidInputError, "ModelArts refuses the request.", None)
    return (BadAnswerError, f"Unexpected answer from ModelArts (HTTP {status}).", None)
