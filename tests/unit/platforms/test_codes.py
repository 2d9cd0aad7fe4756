"""The platform's error codes and statuses in words, and the error tree they become."""

from __future__ import annotations

import pytest

from jupyter_autostop import errors
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
from jupyter_autostop.platforms.modelarts.errors import MEANINGS, meaning

# The documented codes, the status they come with, and what they are.
DOCUMENTED: dict[type[AutostopError], list[tuple[int, str]]] = {
    ConflictError: [
        *((400, f"ModelArts.{code}") for code in (6306, 6307, 6308, 6326, 6327, 6332, 6333, 6347, 6357)),
    ],
    NotFoundError: [(400, "ModelArts.6309"), (404, "ModelArts.6404")],
    InvalidInputError: [*((400, f"ModelArts.{code}") for code in (6334, 6335, 6336, 6346, 6348, 6349))],
    CredentialsError: [
        *((401, f"ModelArts.{code}") for code in (6201, 6203, 6401, 6620)),
        *((401, code) for code in ("APIGW.0301", "APIGW.0307", "APIG.0301", "APIG.0307")),
    ],
    PermissionRefusedError: [
        *((403, f"ModelArts.{code}") for code in ("0108", "0112", "6407")),
        *((403, code) for code in ("APIGW.0302", "APIG.0302")),
    ],
    NoAnswerError: [(408, "ModelArts.6100")],
    ThrottledError: [(429, "ModelArts.6101"), (429, "APIGW.0308"), (429, "APIG.0308")],
    UnavailableError: [(500, "ModelArts.6102"), (500, "ModelArts.6200")],
    BadAnswerError: [(404, "APIGW.0101"), (404, "APIG.0101")],
}
CODES = [(status, code, kind) for kind, rows in DOCUMENTED.items() for status, code in rows]


@pytest.mark.parametrize(("status", "code", "kind"), CODES, ids=lambda value: getattr(value, "__name__", value))
def test_every_documented_code_has_its_sentence(status: int, code: str, kind: type[AutostopError]) -> None:
    """A code has its class and a sentence of its own, whatever HTTP status it comes with."""
    assert code.replace("APIG.", "APIGW.") in MEANINGS
    for http in (status, 400):
        assert meaning(http, code)[0] is kind
        assert_words(http, code)


def test_no_code_is_explained_that_the_table_lacks() -> None:
    """Every code with a sentence is in the table above, so that none is left untested."""
    assert {code for _, code, _ in CODES if not code.startswith("APIG.")} == MEANINGS.keys()


STATUSES: dict[int, type[AutostopError]] = {
    400: InvalidInputError,
    401: CredentialsError,
    403: PermissionRefusedError,
    404: NotFoundError,
    405: BadAnswerError,
    408: NoAnswerError,
    413: BadAnswerError,
    418: BadAnswerError,
    429: ThrottledError,
    500: UnavailableError,
    502: UnavailableError,
    503: UnavailableError,
    504: NoAnswerError,
    599: UnavailableError,
}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items(), ids=str)
@pytest.mark.parametrize("code", [None, "", "ModelArts.9999", "x" * 300, "\ud800"], ids=ascii)
def test_without_a_known_code_the_status_decides(status: int, kind: type[AutostopError], code: str | None) -> None:
    """Whatever the status, there is a class and a sentence."""
    assert meaning(status, code)[0] is kind
    assert_words(status, code)


@pytest.mark.parametrize("code", ["APIGW.0201", "APIG.0201"])
@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, InvalidInputError, "cannot read the request"),
        (413, InvalidInputError, "too large for the cloud's gateway"),
        (502, UnavailableError, "not available"),
        (504, NoAnswerError, "got no answer from ModelArts in time"),
    ],
)
def test_the_gateways_0201_means_what_its_status_means(
    code: str, status: int, kind: type[AutostopError], words: str
) -> None:
    """One code for a request it cannot read or finds too large, and a ModelArts that is away or slow."""
    found, sentence, _ = meaning(status, code)
    assert found is kind
    assert words in sentence
    assert_words(status, code)


def assert_words(status: int, code: str | None) -> None:
    kind, sentence, hint = meaning(status, code)
    error = kind(sentence, code=code, hint=hint)
    assert sentence.endswith(".")
    assert sentence[0].isupper()
    assert error.hint
    assert error.code


def test_each_class_is_complete() -> None:
    """Each error has a status of the contract, a code and a way out; the platform's 401 and 403 are none of them."""
    classes = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, AutostopError)]
    assert len(classes) > 10
    for kind in classes:
        if kind is not AutostopError:
            assert kind.default_code
            assert kind("Something.").payload().keys() == {"message", "code", "hint", "request_id"}
    assert CredentialsError.status == PermissionRefusedError.status == 502
    assert {kind.status for kind in classes} <= {400, 403, 404, 409, 500, 502, 503, 504}
