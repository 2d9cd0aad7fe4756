"""Where credentials come from, and that they are taken out of the environment that kernels inherit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_autostop.errors import NotConfiguredError
from jupyter_autostop.platforms.credentials.base import Credentials, PasswordLogin, TakenSecrets

AK, SK, SECURITY_TOKEN = "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN"
PROJECT, FILE = "HUAWEICLOUD_SDK_PROJECT_ID", "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
TOKEN, PASSWORD = "JUPYTER_AUTOSTOP_TOKEN", "JUPYTER_AUTOSTOP_IAM_PASSWORD"
USER, DOMAIN = "JUPYTER_AUTOSTOP_IAM_USER", "JUPYTER_AUTOSTOP_IAM_DOMAIN"
LOGIN = {USER: "lin", PASSWORD: "hunter2hunter2", DOMAIN: "a-company"}
EVERYTHING = {
    AK: "AKIDEXAMPLE",
    SK: "example-secret-key",
    SECURITY_TOKEN: "EXAMPLE==",
    PROJECT: "p1",
    TOKEN: "a.b.c-token",
    PASSWORD: "hunter2hunter2",
    "PATH": "/bin",
    "JUPYTER_AUTOSTOP_REGION": "cn-north-4",
}


def take_credentials(environ: dict[str, str]) -> Credentials | PasswordLogin | NotConfiguredError | None:
    return TakenSecrets(environ).credentials(environ)


def taken(environ: dict[str, str]) -> Credentials:
    found = take_credentials(environ)
    assert isinstance(found, Credentials)
    return found


def missing(environ: dict[str, str]) -> NotConfiguredError:
    found = take_credentials(environ)
    assert isinstance(found, NotConfiguredError)
    assert (found.status, found.code) == (409, "no_credentials")
    assert found.message
    assert found.hint
    return found


def test_an_access_key() -> None:
    """A key pair is enough; the token of temporary credentials comes along."""
    found = taken({AK: "a-key", SK: "s-key"})
    assert (found.source, found.access_key, found.secret_key, found.security_token) == (AK, "a-key", "s-key", "")
    assert taken({AK: "a-key", SK: "s-key", SECURITY_TOKEN: "t"}).security_token == "t"


def test_a_ready_token() -> None:
    """A token alone is enough."""
    found = taken({TOKEN: "a.b.c"})
    assert (found.source, found.token, found.access_key) == (TOKEN, "a.b.c", "")


def test_an_access_key_comes_before_a_token() -> None:
    """Of two ways the access key is taken, and only it; half of one gives way to the token."""
    assert (taken(dict(EVERYTHING)).source, taken(dict(EVERYTHING)).token) == (AK, "")
    assert taken({AK: "a-key", TOKEN: "a.b.c"}).source == TOKEN


def test_the_secrets_leave_the_environment() -> None:
    """Nothing of the SDK's variables and none of our secrets is left for kernels to inherit."""
    environ = dict(EVERYTHING)
    taken(environ)
    assert environ == {"PATH": "/bin", "JUPYTER_AUTOSTOP_REGION": "cn-north-4"}


def test_the_sdks_variables_can_be_kept() -> None:
    """People whose own code needs them keep the SDK's variables; ours are taken all the same."""
    environ = dict(EVERYTHING)
    secrets = TakenSecrets(environ)
    secrets.give_back(environ)
    found = secrets.credentials(environ)
    assert isinstance(found, Credentials)
    assert found.access_key == "AKIDEXAMPLE"
    assert environ.keys() == EVERYTHING.keys() - {TOKEN, PASSWORD}


@pytest.mark.parametrize(
    "environ",
    [{AK: "a-key"}, {SK: "s-key"}, {AK: "bad key", SK: "s"}, {TOKEN: "to\nken"}, {PASSWORD: "hunter2"}, {FILE: "/x"}],
    ids="+".join,
)
def test_the_secrets_leave_the_environment_also_when_they_are_no_good(environ: dict[str, str]) -> None:
    """What is refused is taken out too."""
    environ = dict(environ)
    assert not isinstance(take_credentials(environ), Credentials)
    assert environ == {}


@pytest.mark.parametrize(("given_one", "other"), [(AK, SK), (SK, AK)])
def test_half_a_key_names_the_other_half(given_one: str, other: str) -> None:
    """With one of a pair the message names the one that is missing."""
    for blank in ({}, {other: ""}, {other: " \n"}):
        error = missing({given_one: "half-of-a-key", **blank})
        assert other in error.message
        assert other in error.hint
        assert "half-of-a-key" not in f"{error!r} {error.payload()}"


def test_an_environment_without_credentials() -> None:
    """Where the environment has nothing, other places may have: that is no error yet."""
    for environ in ({}, {"PATH": "/bin"}, {AK: "", SK: "", TOKEN: ""}):
        assert take_credentials(dict(environ)) is None


def test_a_password_login() -> None:
    """User, password and account name are enough, and come after a key and a token; the password leaves."""
    environ = dict(LOGIN)
    found = take_credentials(environ)
    assert found == PasswordLogin("lin", "hunter2hunter2", "a-company")
    assert environ == {USER: "lin", DOMAIN: "a-company"}
    assert "hunter2hunter2" not in f"{found!r} {found}"
    assert taken({**LOGIN, TOKEN: "a.b.c"}).source == TOKEN
    assert taken({**LOGIN, AK: "a-key", SK: "s-key"}).source == AK
    assert isinstance(take_credentials({**LOGIN, AK: "half-of-a-key"}), PasswordLogin)


def test_a_password_is_taken_as_it_is() -> None:
    """Spaces belong to a password, and letters of any script; the line end of its file does not."""
    found = take_credentials({**LOGIN, PASSWORD: " pä ss \r\n"})
    assert isinstance(found, PasswordLogin)
    assert found.password == " pä ss "


@pytest.mark.parametrize("absent", [{USER}, {PASSWORD}, {DOMAIN}, {USER, PASSWORD}, {USER, DOMAIN}, {PASSWORD, DOMAIN}])
def test_a_part_of_a_login_names_what_is_missing(absent: set[str]) -> None:
    """With a part of a login the message names each part that is missing, and nothing that is secret."""
    error = missing({name: value for name, value in LOGIN.items() if name not in absent})
    for name in LOGIN:
        assert (name in error.message) == (name in absent)
        assert (name in error.hint) == (name in absent)
    assert "hunter2" not in f"{error!r} {error.payload()}"


@pytest.mark.parametrize("name", [AK, SK, SECURITY_TOKEN, TOKEN])
@pytest.mark.parametrize(
    "wrong", ["sec\nret", "sec\r\nX-Evil: 1", "sec\rret", "sec ret", "sec\x00ret", "secretä", "s\x7fec"]
)
def test_characters_that_no_secret_has(name: str, wrong: str) -> None:
    """A line break or the like inside a secret is refused by the variable's name, without its value."""
    error = missing({**EVERYTHING, name: wrong})
    assert name in error.message
    assert name in error.hint
    assert wrong not in f"{error!r} {error} {error.payload()}"
    assert "sec" not in str(error.payload()).replace(name, "").lower()


def test_a_line_end_from_a_secrets_file_is_cut_off() -> None:
    """A file's newline at the end belongs to the file, not to the secret."""
    found = taken({AK: "a-key\n", SK: "\ts-key\r\n"})
    assert (found.access_key, found.secret_key) == ("a-key", "s-key")


def test_credentials_are_not_printed() -> None:
    """The repr names the source and nothing else, and so does every text made of it."""
    found = Credentials("the source", "access-key", "secret-key", "security-token", "iam-token")
    for text in (repr(found), str(found), f"{found}", repr([found])):
        assert "the source" in text
        assert not [part for part in ("access-key", "secret-key", "security-token", "iam-token") if part in text]


def test_an_echo_is_masked() -> None:
    """Whatever secret somebody repeats in a message is masked, each time; the rest stays."""
    found = Credentials("s", "access-key", "secret-key", "security-token", "iam-token")
    text = found.mask("bad access-key/secret-key: secret-key, security-token; iam-token.")
    assert text == "bad ********/********: ********, ********; ********."
    assert found.mask("nothing to hide") == "nothing to hide"
    assert Credentials("s").mask("unset fields hide nothing") == "unset fields hide nothing"


def test_a_secret_that_contains_another_is_masked_whole() -> None:
    """A token that begins with the access key leaves no rest behind."""
    found = Credentials("s", access_key="AKID", secret_key="secret", security_token="AKID-token-of-the-key")
    assert found.mask("(AKID-token-of-the-key)") == "(********)"


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from([AK, SK, SECURITY_TOKEN, TOKEN, PASSWORD, PROJECT, FILE]), st.text(max_size=20)))
def test_any_environment_gives_credentials_or_says_what_is_missing(environ: dict[str, str]) -> None:
    """Whatever the variables hold: usable in a header or refused, and gone from the environment."""
    left = dict(environ)
    found = take_credentials(left)
    assert left == {}
    if isinstance(found, Credentials):
        secrets = (found.access_key, found.secret_key, found.security_token, found.token)
        assert all(secret.isascii() and secret.isprintable() and " " not in secret for secret in secrets)
        assert found.token or (found.access_key and found.secret_key)
    elif found is None:
        assert not any(environ.get(name, "").strip() for name in (AK, SK, TOKEN))
    else:
        assert isinstance(found, NotConfiguredError)
        assert found.code == "no_credentials"
