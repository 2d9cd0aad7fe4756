"""What this site allows, and what of it applies to the present state: pure rules behind the State's `limits`."""

from __future__ import annotations

from dataclasses import dataclass

from jupyter_autostop.domain.limits import DESCRIPTION_FORBIDDEN, DESCRIPTION_MAX, LONGEST_DURATION, SHORTEST_DURATION
from jupyter_autostop.domain.run import KnownRun, Run
from jupyter_autostop.errors import ForbiddenError
from jupyter_autostop.state import Limits

OFF = "Auto-stop is off: nothing will stop this run."
HOLDING = "holding the instance"
DEFERS = "ModelArts applies a longer running time only from the next start, so it cannot extend this run."
BEING_PUT_BACK = "Auto-stop is being put back on, so there is no stop time to count from yet."


@dataclass(frozen=True)
class Policy:
    """A site's policy; `max_extension` in s from now, `grace` in s between an early end and a stop."""

    max_extension: int = 86400
    grace: int = 900
    allow_disable: bool = True
    allow_hold: bool = True
    allow_stop: bool = True
    allow_describe: bool = True

    def require(self, allowed: bool, what: str, setting: str) -> None:
        """Raise `ForbiddenError` unless `allowed`."""
        if not allowed:
            raise ForbiddenError(
                f"This site does not allow {what}.",
                hint=f"Ask whoever runs this Jupyter server; the setting is `{setting}`.",
            )

    def latest(self, known: KnownRun | None, now: int, *, by_us: bool = False) -> int:
        """Return the latest time (ms) this run can be extended to: the site's ceiling, and the platform's per run.

        The platform's does not count where its auto-stop is off and this server keeps the run (`by_us`).
        """
        latest = now + self.max_extension * 1000
        if not by_us and known is not None and known.start is not None:
            latest = min(latest, known.start + LONGEST_DURATION * 1000)
        return latest


def _why_no_extension(run: Run, stop: int | None, latest: int, now: int, *, stuck: str, ours: bool) -> dict[str, str]:
    if run.kind == "not_running":
        return {"extend": "The instance is not running."}
    if stop is None:
        if run.kind == "off":
            return {"extend": BEING_PUT_BACK if ours else OFF}
        if run.problem is not None and run.problem["code"] == "idle_rule":
            return {"extend": "This run ends when it has been idle: there is no fixed stop time to extend."}
        return {"extend": "The stop time of this run is not known."}
    if stop <= now:
        return {"extend": "The stop time of this run has passed."}
    if stuck:
        return {"extend": stuck}
    return {"extend": "This run lasts as long as it may already."} if latest <= stop else {}


def limits(
    policy: Policy,
    run: Run,
    known: KnownRun | None,
    now: int,
    *,
    defers: bool,
    asked: bool = True,
    stop: int | None = None,
    held: bool = False,
    ours: bool = False,
    sent: bool = False,
) -> Limits:
    """Return what can be asked for at `now` (ms), and in a sentence why the rest cannot.

    `stop` is the deadline that is shown; `held`: this server keeps it; `ours`: auto-stop is off, or may be, by our
    doing; `sent`: it is stopping.
    """
    by_us = policy.allow_hold and (defers or (held and run.kind != "deadline"))
    latest = max(policy.latest(known, now, by_us=by_us), now)
    forbidden = f"This site does not allow {HOLDING}."
    stuck = "" if policy.allow_hold else f"{forbidden} This run stops as shown." if held else DEFERS if defers else ""
    why_not = _why_no_extension(run, stop, latest, now, stuck=stuck, ours=ours)
    if not policy.allow_hold:
        why_not["hold"] = forbidden
    elif run.kind == "not_running":
        why_not["hold"] = "The instance is not running."
    if run.kind == "not_running":
        why_not["stop"] = "The instance is not running."
    if sent:
        why_not |= dict.fromkeys(("extend", "hold", "stop"), "This server is stopping the instance.")
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
        "grace": policy.grace,
        "why_not": why_not,
    }
