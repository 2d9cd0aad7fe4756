"""Credentials from files: a person's profile and the notebook's own file, and what is refused about them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_autostop.errors import NotConfiguredError
from jupyter_autostop.platforms.credentials.base import Credentials
from jupyter_autostop.platforms.credentials.files import (
    FileSource,
    find_file,
    nothing_found,
    read_notebook_file,
    read_profile,
)

PROFILE = """\
[basic]
ak = a-key
sk = s-key%1
security_token = st==
project_id = p1
"""
NOTEBOOK = """\
[default]
access_key_id = n-key
secret_access_key = n-secret
security_token = n-token
user_id = u1
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A profile of one's own."""
    path = tmp_path / "credentials"
    written(path, PROFILE)
    return path


def written(path: Path, text: str | bytes, mode: int = 0o600) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def refused(path: Path) -> NotConfiguredError:
    with pytest.raises(NotConfiguredError) as caught:
        read_profile(path)
    error = caught.value
    assert (error.code, error.status) == ("no_credentials", 409)
    assert str(path) in f"{error.message} {error.hint}"
    assert error.hint
    assert "canary" not in f"{error!r} {error.payload()}"
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    return error


def test_a_profile(path: Path) -> None:
    """The section [basic] holds key, secret, temporary token and project; a percent sign is only that."""
    assert read_profile(path) == Credentials(
        f"the file {path}", access_key="a-key", secret_key="s-key%1", security_token="st==", project_id="p1"
    )


def test_a_profile_with_little_in_it(path: Path) -> None:
    """Key and secret suffice, with blanks, comments, a byte order mark and other sections around them."""
    written(path, "\ufeff# mine\n[global]\nx = 1\n[basic]\nAK= a-key \nsk :s-key\n; end\n")
    found = read_profile(path)
    assert found is not None
    assert (found.access_key, found.secret_key, found.security_token, found.project_id) == ("a-key", "s-key", "", "")


def test_no_profile(tmp_path: Path, path: Path) -> None:
    """No file, or no such section, is nothing wrong."""
    assert read_profile(tmp_path / "absent") is None
    assert read_profile(written(path, "[global]\nx = 1\n")) is None


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o666, 0o620, 0o602])
def test_a_profile_that_others_can_open_is_refused(path: Path, mode: int) -> None:
    """The message names the path and the mode, the hint the command that closes it."""
    path.chmod(mode)
    error = refused(path)
    assert f"{mode:04o}" in error.message
    assert f"chmod 600 {path}" in error.hint
    path.chmod(0o400)
    assert read_profile(path)


def test_a_link_does_not_hide_an_open_file(path: Path, tmp_path: Path) -> None:
    """What counts is the file that is read, not the link to it."""
    path.chmod(0o644)
    link = tmp_path / "link"
    link.symlink_to(path)
    refused(link)


def test_what_is_wrong_with_a_file_is_said_as_it_is(path: Path, tmp_path: Path) -> None:
    """One of 10 MB is too large, a pipe is a pipe, and a name that no file can have is that: none is called no INI."""
    written(path, "[basic]\n" + "x" * 10_000_000)
    assert "larger than 64 KiB" in refused(path).message
    os.mkfifo(tmp_path / "pipe")
    assert "it is a pipe" in refused(tmp_path / "pipe").message
    with pytest.raises(NotConfiguredError, match="no file can have this name"):
        read_profile(tmp_path / "a\0b")
    with pytest.raises(NotConfiguredError, match="name too long"):
        read_profile(tmp_path / ("n" * 256))


@pytest.mark.parametrize("key", ["ak", "sk"])
def test_a_profile_with_half_a_key_names_the_other(path: Path, key: str) -> None:
    """A missing or empty half is named."""
    lines = [line for line in PROFILE.splitlines() if not line.startswith(f"{key} ")]
    for more in ([], [f"{key} ="]):
        error = refused(written(path, "\n".join([*lines, *more])))
        assert f"`{key}`" in error.message


@pytest.mark.parametrize(
    "text",
    [
        "canary-without-a-section = 1",
        "[basic\nak = canary",
        "[basic]\ncanary canary\n",
        b"[basic]\nak = canary\xff\xfe\nsk = x\n",
        "[basic]\nak = canary canary\nsk = x",
        "[basic]\nak = x\nsk = canary\x00canary",
        "[basic]\nak = canary\n  canary: evil\nsk = x",
        "[basic]\n" + "# canary\n" * 10_000,
    ],
    ids=["no section", "open section", "no value", "no text", "a space", "a NUL", "two lines", "huge"],
)
def test_a_damaged_profile_is_told_and_not_repeated(path: Path, text: str | bytes) -> None:
    """What is wrong is said by path; nothing of the content is."""
    refused(written(path, text))


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    """A folder or a pipe in the file's place keeps nobody waiting."""
    (tmp_path / "folder").mkdir()
    refused(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe", 0o600)
    refused(tmp_path / "pipe")


def test_the_notebooks_own_file(path: Path) -> None:
    """The platform's file is taken whatever its mode, and brings the user's id along."""
    written(path, NOTEBOOK, 0o644)
    found = read_notebook_file(path)
    assert (found.access_key, found.secret_key, found.security_token) == ("n-key", "n-secret", "n-token")
    assert found.user_id == "u1"
    assert str(path) in found.source


@pytest.mark.parametrize("text", [None, "", "[other]\n"])
def test_a_notebooks_file_that_holds_nothing_yet(path: Path, text: str | None) -> None:
    """It may come later: said, with the ways to give one's own."""
    if text is None:
        path.unlink()
    else:
        written(path, text)
    with pytest.raises(NotConfiguredError) as caught:
        read_notebook_file(path)
    assert str(path) in caught.value.message
    assert "HUAWEICLOUD_SDK_AK" in caught.value.hint


class TestWhichFile:
    """The order of the files."""

    @pytest.fixture
    def notebook(self, tmp_path: Path) -> dict[str, str]:
        return {"AWS_CREDENTIAL_PROFILES_FILE": str(written(tmp_path / "notebook", NOTEBOOK))}

    async def test_the_profile_comes_first(self, path: Path, notebook: dict[str, str]) -> None:
        """Where both are there, the person's own counts."""
        found = find_file(notebook, path, named=False)
        assert found is not None
        assert (await found.get()).access_key == "a-key"

    async def test_the_notebooks_own_is_next(self, tmp_path: Path, path: Path, notebook: dict[str, str]) -> None:
        """Without a profile, or without its section, the notebook's own is taken."""
        for profile in (tmp_path / "absent", written(path, "[global]\n")):
            found = find_file(notebook, profile, named=False)
            assert found is not None
            assert (await found.get()).access_key == "n-key"

    async def test_a_profile_asked_for_by_name_has_to_be_there(self, tmp_path: Path, notebook: dict[str, str]) -> None:
        """A named profile that is not there is told, not passed over."""
        found = find_file(notebook, tmp_path / "absent", named=True)
        assert found is not None
        with pytest.raises(NotConfiguredError) as caught:
            await found.get()
        assert str(tmp_path / "absent") in caught.value.message
        assert "credentials_file" in caught.value.hint

    async def test_a_refused_profile_is_not_passed_over(self, path: Path, notebook: dict[str, str]) -> None:
        """Other credentials than the person's own are not used in silence; a closed file is taken without a restart."""
        written(path, PROFILE, 0o644)
        found = find_file(notebook, path, named=False)
        assert found is not None
        with pytest.raises(NotConfiguredError, match="0644"):
            await found.get()
        written(path, PROFILE, 0o600)
        assert (await found.get()).access_key == "a-key"

    def test_no_file_at_all(self, tmp_path: Path) -> None:
        """Nothing is nothing, and an encrypted file is called so."""
        for environ in ({}, {"AWS_CREDENTIAL_PROFILES_FILE": " "}, {"CREDENTIAL_PROFILES_FILE": "/x"}):
            assert find_file(environ, tmp_path / "absent", named=False) is None
        assert "encrypted" in nothing_found({"CREDENTIAL_PROFILES_FILE": "/x"}).message
        plain = nothing_found({})
        assert "encrypted" not in plain.message
        for name in (
            "HUAWEICLOUD_SDK_AK",
            "HUAWEICLOUD_SDK_SK",
            "JUPYTER_AUTOSTOP_TOKEN",
            "JUPYTER_AUTOSTOP_IAM_USER",
            "profile",
        ):
            assert name in plain.hint


async def test_a_file_is_read_once_and_again_when_refused(path: Path) -> None:
    """Refused credentials are renewed by reading again; the same ones are none."""
    written(path, NOTEBOOK)
    reads: list[Credentials] = []

    def read() -> Credentials:
        reads.append(read_notebook_file(path))
        return reads[-1]

    source = FileSource("a file", path, read)
    first = await source.get()
    assert await source.get() is first
    assert len(reads) == 1
    assert await source.renew(first, worked=True) is None
    written(path, NOTEBOOK.replace("n-key", "rotated"))
    renewed = await source.renew(first, worked=True)
    assert renewed is not None
    assert renewed.access_key == "rotated"
    assert await source.get() == renewed
    assert len(reads) == 3


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"[basic]\nak = x\nsk = y\n{text}".encode()))
def test_any_file_is_credentials_nothing_or_refused(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """Whatever a file holds: usable in a header, nothing, or one typed error."""
    path = written(tmp_path_factory.getbasetemp() / "any", raw)
    found: Credentials | None = None
    with suppress(NotConfiguredError):
        found = read_profile(path)
    if found is not None:
        for secret in (found.access_key, found.secret_key, found.security_token or "x"):
            assert secret.isascii()
            assert secret.isprintable()
            assert " " not in secret
