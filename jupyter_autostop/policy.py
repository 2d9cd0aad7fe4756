"""What this site allows, and what of it applies to the present state: pure rules behind the State's `limits`."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_autostop.deadline import KnownRun, Run
from jupyter_autostop.errors import ForbiddenError
from jupyter_autostop.models import (
    DESCRIPTION_FORBIDDEN,
    DESCRIPTION_MAX,
    LONGEST_DURATION,
    SHORTEST_DURATION,
)
from jupyter_autostop.state import Limits

OFF = "Auto-stop is off: nothing will stop this run."
DEFERS = "ModelArts applies a longer running time only from the next start, so it cannot extend this run."


@dataclass(frozen=True)
class Policy:
    """A site's policy; `max_extension` in s from now."""

    max_extension: int = 86400
    allow_disable: bool = True
    allow_stop: bool = True
    allow_describe: bool = True

    def require(self, allowed: bool, what: str, setting: str) -> None:
        """Raise `ForbiddenError` unless `allowed`."""
        if not allowed:
            raise ForbiddenError(
                f"This site does not allow {what}.",
                hint=f"Ask whoever runs this Jupyter server; the setting is `{setting}`.",
            )

    def latest(self, known: KnownRun | None, now: int) -> int:
        """Return the latest time (ms) this run can be extended to: the site's ceiling, and the platform's per run."""
        latest = now + self.max_extension * 1000
        if known is not None and known.start is not None:
            latest = min(latest, known.start + LONGEST_DURATION * 1000)
        return latest


def _why_no_extension(run: Run, latest: int, now: int, *, defers: bool) -> dict[str, str]:
    stop = run.stop_timestamp
    if run.kind == "not_running":
        return {"extend": "The instance is not running."}
    if run.kind == "off":
        return {"extend": OFF}
    if stop is None:
        return {"extend": "The stop time of this run is not known."}
    if stop <= now:
        return {"extend": "The stop time of this run has passed."}
    if defers:
        return {"extend": DEFERS}
    return {"extend": "This run lasts as long as it may already."} if latest <= stop else {}


def limits(policy: Policy, run: Run, known: KnownRun | None, now: int, *, defers: bool, asked: bool = True) -> Limits:
    """Return what can be asked for at `now` (ms), and in a sentence why the rest cannot."""
    latest = max(policy.latest(known, now), now)
    why_not = _why_no_extension(run, latest, now, defers=defers)
    if run.kind == "not_running":
        why_not["stop"] = "The instance is not running."
    if not asked:
        why_not |= dict.fromkeys(("disable", "stop"), "The instance is not known.")
    if not policy.allow_disable:
        why_not["disable"] = "This site does not allow switching auto-stop off."
    if not policy.allow_stop:
        why_not["stop"] = "This site does not allow stopping the instance from here."
    if not policy.allow_describe:
        why_not["describe"] = "This site does not allow editing the description from here."
    return {
        "duration": [SHORTEST_DURATION, LONGEST_DURATION],
        "until": [now, latest],
        "description_max": DESCRIPTION_MAX,
        "description_forbidden": DESCRIPTION_FORBIDDEN,
        "can_extend": "extend" not in why_not,
        "can_disable": "disable" not in why_not,
        "can_stop": "stop" not in why_not,
        "why_not": why_not,
    }
