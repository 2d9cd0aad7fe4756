"""The table that `make bench` prints: what, ours, a peer's, their ratio, what was promised and whether it holds."""

from __future__ import annotations

COLUMNS = "{:<62} {:>9}  {:>9} {:<26} {:>6}  {:<9} {}"


def say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - printing is its purpose


def line(*cells: str) -> None:
    say(COLUMNS.format(*cells).rstrip())


def figure(value: float) -> str:
    """Write a number with about three digits that count."""
    if value == int(value) or value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}"


class Table:
    """Prints each row at once and counts the promises that were missed."""

    def __init__(self) -> None:
        self.missed = 0
        line("what", "ours", "peer", "", "ratio", "promise", "")

    def end(self) -> None:
        """Print whether all holds."""
        say(f"{self.missed} MISSED" if self.missed else "Every promise above holds.")

    def row(
        self,
        what: str,
        ours: float,
        *,
        peer: tuple[str, float] | None = None,
        ratio: float | None = None,
        most: float | None = None,
        share: float | None = None,
    ) -> None:
        """Print one figure. `most` promises an upper limit, `share` a least ratio to the peer."""
        if ratio is None and peer is not None and peer[1]:
            ratio = ours / peer[1]
        promise, holds = "", True
        if most is not None:
            promise, holds = f"≤ {most:g}", ours <= most
        elif share is not None:
            promise, holds = f"≥ {share:g} x", ratio is not None and ratio >= share
        self.missed += not holds
        line(
            what,
            figure(ours),
            figure(peer[1]) if peer else "",
            peer[0] if peer else "",
            "" if ratio is None else f"{ratio:.2f}",
            promise,
            ("ok" if holds else "MISSED") if promise else "",
        )
