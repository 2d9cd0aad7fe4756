"""The time zones of the open pages: in a notebook, 18:00 is meant in the zone of the page that shows it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

EXPIRY_S = 3 * 3600
"""A page that tells nothing for this long has gone without saying so; an open one tells it again sooner."""
MOST_PAGES = 64
"""No more are kept, the latest ones: a client that makes up pages fills no memory."""


@dataclass(frozen=True)
class _Page:
    zone: str
    kernels: frozenset[str]
    told_at_s: float


class PageZones:
    """Knows what each page has told, in the order of the telling; nothing of it is stored."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._pages: dict[str, _Page] = {}

    def tell(self, page: str, zone: str | None, kernels: Sequence[str] = ()) -> None:
        """Take a page's zone and the kernels of the notebooks it shows; without a zone, the page has gone."""
        self._pages.pop(page, None)
        if zone is not None:
            self._pages[page] = _Page(zone, frozenset(kernels), self._monotonic())
        while len(self._pages) > MOST_PAGES:
            del self._pages[next(iter(self._pages))]

    def of(self, kernel_id: str) -> str | None:
        """Return the zone of the latest page that shows a kernel's notebook, else of the latest page, if any."""
        now = self._monotonic()
        pages = [page for page in reversed(self._pages.values()) if now - page.told_at_s < EXPIRY_S]
        showing = (page for page in pages if kernel_id in page.kernels)
        page = next(showing, pages[0] if pages else None)
        return page.zone if page else None
