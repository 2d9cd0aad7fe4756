"""Credentials from files: a person's profile, and the one that the platform keeps fresh inside a notebook.

Source: the vendor SDK's profile file, and the variables that public code reads inside an instance.
"""

from __future__ import annotations

import asyncio
import configparser
import os
import stat
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from jupyter_autostop.disk import PATIENCE_S, shown, within
from jupyter_autostop.errors import NotConfiguredError
from jupyter_autostop.platforms.credentials.base import (
    AK,
    DEFAULT_PROFILE,
    IAM_DOMAIN,
    IAM_PASSWORD,
    IAM_USER,
    SK,
    TOKEN,
    Credentials,
    check_secret,
    no_credentials,
)
from jupyter_autostop.storage.files import opened
from jupyter_autostop.times.duration import format_duration

NOTEBOOK_FILE = "AWS_CREDENTIAL_PROFILES_FILE"
ENCRYPTED_FILE = "CREDENTIAL_PROFILES_FILE"
_LONGEST_FILE = 64 * 1024
_OTHERS = 0o077


def _read_text(path: Path) -> tuple[str, int]:
    """Return a regular file's text and mode, or raise `OSError` (missing, a pipe, a folder) or `ValueError`."""
    return within(PATIENCE_S, path, lambda: _read(path))


def _read(path: Path) -> tuple[str, int]:
    with opened(path, os.O_RDONLY) as descriptor, os.fdopen(descriptor, "rb", closefd=False) as file:
        mode = os.fstat(descriptor).st_mode
        raw = file.read(_LONGEST_FILE + 1)
    if len(raw) > _LONGEST_FILE:
        raise OSError(None, f"it is larger than {_LONGEST_FILE // 1024} KiB")
    return raw.decode("utf-8-sig"), mode


def _section(path: Path, name: str, *, private: bool) -> Mapping[str, str] | None:
    """Return a section of an INI file, `None` where the file has no such section; raise what is wrong with it."""
    where = shown(path)
    try:
        text, mode = _read_text(path)
        if private and mode & _OTHERS:
            raise no_credentials(
                f"The credentials file {where} is open to others (mode {stat.S_IMODE(mode):04o}), so it is not used.",
                f"Close it with: chmod 600 {where}",
            )
        # A percent sign in a secret is no interpolation.
        parser = configparser.RawConfigParser(strict=False)
        parser.read_string(text)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise no_credentials(
            f"The credentials file {where} cannot be read: {error.strerror or 'no access'}.",
            "Correct the file, or name another one.",
        ) from None
    except (ValueError, configparser.Error):
        # Their words repeat the line, which may hold the secret.
        raise no_credentials(
            f"The credentials file {where} is no INI file.",
            f"Write it as [{name}] with one `key = value` in each line.",
        ) from None
    return parser[name] if parser.has_section(name) else None


def _secret(section: Mapping[str, str], path: Path, key: str, *, required: bool = True) -> str:
    value = section.get(key, "").strip()
    if not value and not required:
        return ""
    if not value:
        raise no_credentials(f"The credentials file {shown(path)} has no `{key}`.", f"Add `{key} = …` to it.")
    return check_secret(value, f"`{key}` in {shown(path)}")


def read_profile(path: Path) -> Credentials | None:
    """Return the credentials of a person's profile, section `[basic]`; `None` where there is no such file or section.

    A file that others can open is refused, with its mode.
    """
    try:
        section = _section(path, "basic", private=True)
    except FileNotFoundError:
        return None
    if section is None:
        return None
    return Credentials(
        f"the file {shown(path)}",
        access_key=_secret(section, path, "ak"),
        secret_key=_secret(section, path, "sk"),
        security_token=_secret(section, path, "security_token", required=False),
        project_id=section.get("project_id", "").strip(),
    )


def read_notebook_file(path: Path) -> Credentials:
    """Return what the platform's own file inside a notebook holds, section `[default]`; its mode is the platform's."""
    try:
        section = _section(path, "default", private=False)
    except FileNotFoundError:
        section = None
    if section is None:
        raise no_credentials(
            f"The file {shown(path)}, which {NOTEBOOK_FILE} names, holds no credentials (yet).",
            f"Give the server some of your own: {AK} and {SK}, {TOKEN} or a profile file.",
        )
    return Credentials(
        f"the notebook's own file {shown(path)}",
        access_key=_secret(section, path, "access_key_id"),
        secret_key=_secret(section, path, "secret_access_key"),
        security_token=_secret(section, path, "security_token", required=False),
        user_id=_secret(section, path, "user_id", required=False),
    )


class FileSource:
    """Credentials in a file that may be written anew: read when first needed, and again when they are refused."""

    def __init__(self, source: str, path: Path, read: Callable[[], Credentials | None]) -> None:
        self.source = source
        self._path = path
        self._read = read
        self.known: Credentials | None = None

    async def get(self) -> Credentials:
        """Return what the file held when it was last read."""
        return self.known or await self._read_again()

    async def renew(self, refused: Credentials, *, worked: bool) -> Credentials | None:  # noqa: ARG002 - a read costs nothing
        """Return what the file holds now, if that is something else than what was refused."""
        current = await self._read_again()
        return None if current == refused else current

    async def about(self) -> tuple[str, str]:
        """Return when the file was written, and who else can open it: a warning, where its mode is the platform's."""
        try:
            status = await asyncio.to_thread(within, PATIENCE_S, self._path, self._path.stat)
        except (OSError, ValueError) as error:
            return f"the file cannot be looked at ({getattr(error, 'strerror', None) or error})", ""
        age = format_duration(max(0, int(time.time() - status.st_mtime)))
        mode = stat.S_IMODE(status.st_mode)
        if not mode & _OTHERS:
            return f"written {age} ago", ""
        return f"written {age} ago", f"Others on this machine can open {shown(self._path)} (mode {mode:04o})."

    async def close(self) -> None:
        """There is nothing to close."""

    async def _read_again(self) -> Credentials:
        found = await asyncio.to_thread(self._read)
        if found is None:
            raise no_credentials(
                f"There are no credentials in {self.source}: it does not exist, or has no section [basic].",
                "Write the file, or correct the setting `credentials_file`.",
            )
        self.known = found
        return found


def nothing_found(environ: Mapping[str, str]) -> NotConfiguredError:
    """Return the error of there being no credentials anywhere, with every way to give some."""
    message = "This server has no credentials for ModelArts."
    if environ.get(ENCRYPTED_FILE):
        message += f" The file that {ENCRYPTED_FILE} names is encrypted, so it cannot be used."
    return no_credentials(
        message,
        f"Set {AK} and {SK}, or {TOKEN}, or {IAM_USER}, {IAM_PASSWORD} and {IAM_DOMAIN}, in the environment of the "
        f"Jupyter server, or write the profile file {DEFAULT_PROFILE} (a section [basic] with ak and sk; chmod 600), "
        "and restart the server.",
    )


def find_file(environ: Mapping[str, str], profile: Path, *, named: bool) -> FileSource | None:
    """Return the first file with credentials: the profile, else the notebook's own; `None` where there is neither.

    With `named` somebody asked for this profile, so that it has to be there. What is wrong with a file shows when
    its credentials are needed, until it is put right.
    """
    source = FileSource(f"the file {shown(profile)}", profile, lambda: read_profile(profile))
    try:
        source.known = read_profile(profile)
    except NotConfiguredError:
        return source
    if source.known or named:
        return source
    if notebook := environ.get(NOTEBOOK_FILE, "").strip():
        path = Path(notebook)
        return FileSource(f"the notebook's own file {shown(path)}", path, lambda: read_notebook_file(path))
    return None
