"""The names that settings have, and what was probably meant by a name that no setting has.

A mistyped setting has no effect, which for a site's policy would be the opposite of what was meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jupyter_autostop.platforms.credentials.base import IAM_DOMAIN, IAM_PASSWORD, IAM_USER, SDK, TOKEN
from jupyter_autostop.platforms.modelarts.endpoint import nearest

PREFIX = "JUPYTER_AUTOSTOP_"
SECTION = "AutostopApp"
VARIABLES: dict[str, tuple[str, ...]] = {
    "platform": (f"{PREFIX}PLATFORM",),
    "endpoint": (f"{PREFIX}ENDPOINT",),
    "iam_endpoint": (f"{PREFIX}IAM_ENDPOINT",),
    "region": (f"{PREFIX}REGION",),
    "project_id": (f"{PREFIX}PROJECT_ID", f"{SDK}PROJECT_ID"),
    "instance_id": (f"{PREFIX}INSTANCE_ID",),
    "credentials_file": (f"{SDK}CREDENTIALS_FILE",),
    "ca_file": (f"{PREFIX}CA_FILE",),
    "state_dir": (f"{PREFIX}STATE_DIR",),
}
"""The environment variables of each setting that has some, the first one that is set counts."""
POLICY = frozenset({"allow_disable", "allow_hold", "allow_stop", "allow_describe", "max_extension", "grace"})
"""Settings that limit what people may do; one that was meant and misnamed stops the configuration as a wrong one."""
_ALMOST = 0.75


@dataclass(frozen=True)
class Misnamed:
    """A name that no setting has: as it was given, the setting that was probably meant, and what to say of it."""

    given: str
    meant: str
    sentence: str

    @property
    def is_policy(self) -> bool:
        """Whether a site's policy was probably meant."""
        return self.meant in POLICY


def misnamed_variables(environ: Iterable[str], settings: Iterable[str]) -> list[Misnamed]:
    """Return the environment variables with our prefix that nothing reads."""
    owners = {variable: setting for setting, variables in VARIABLES.items() for variable in variables}
    owners |= dict.fromkeys((TOKEN, IAM_USER, IAM_PASSWORD, IAM_DOMAIN), "credentials")
    without = [setting for setting in settings if setting not in VARIABLES]
    return [
        _misnamed_variable(name, owners, without)
        for name in sorted(environ)
        if name.startswith(PREFIX) and name not in owners
    ]


def _misnamed_variable(name: str, owners: Mapping[str, str], without: Iterable[str]) -> Misnamed:
    nothing = f"Nothing reads the variable {name}"
    # A setting that has no variable was not meant to be another one that has.
    if setting := nearest(name.removeprefix(PREFIX), without, _ALMOST):
        return Misnamed(name, setting, f"{nothing}: set c.{SECTION}.{setting} in jupyter_server_config.py.")
    ours = [variable.removeprefix(PREFIX) for variable in owners if variable.startswith(PREFIX)]
    if rest := nearest(name.removeprefix(PREFIX), ours, _ALMOST):
        variable = f"{PREFIX}{rest}"
        return Misnamed(name, owners[variable], f"{nothing}: did you mean {variable}?")
    return Misnamed(name, "", f"{nothing}.")


def misnamed_settings(section: Iterable[str], settings: Iterable[str]) -> list[Misnamed]:
    """Return the names in our section of the configuration that no setting has."""
    settings = list(settings)
    found = []
    for name in section:
        if name not in settings:
            meant = nearest(name, settings)
            better = f": did you mean {meant}?" if meant else "."
            found.append(Misnamed(name, meant, f"There is no setting {SECTION}.{name}{better}"))
    return found


def misnamed_sections(config: Mapping[str, Mapping[str, object]], settings: Iterable[str]) -> list[Misnamed]:
    """Return the settings in sections of the configuration whose name is almost ours."""
    settings = list(settings)
    found = []
    for section, values in config.items():
        is_section = section != SECTION and isinstance(values, Mapping)
        if is_section and nearest(section, [SECTION, "Autostop", "JupyterAutostop"], _ALMOST):
            for name in values:
                meant = nearest(name, settings)
                better = f"{SECTION}.{meant or name}"
                sentence = f"There is no setting {section}.{name}: did you mean {better}?"
                found.append(Misnamed(f"{section}.{name}", meant, sentence))
    return found
