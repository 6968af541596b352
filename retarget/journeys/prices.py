"""Prices as the person saw them: the median over what they looked at lately (spec 3.4)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from retarget.journeys import figures
from retarget.journeys.model import Journey
from retarget.times import DAY

# The name by which conditions ask for it.
NAME: Final = "person.median_price"
REACH: Final = 30 * DAY
LEAST: Final = 3
# With more products figures are kept.
_FEW: Final = 6


def median(values: Iterable[float]) -> float:
    """The middle one of the values, of an even number the mean of the middle two; there must be one."""
    return _middle(sorted(values))


def _middle(ordered: list[float]) -> float:
    high = len(ordered) // 2
    return ordered[high] if len(ordered) % 2 else (ordered[high - 1] + ordered[high]) / 2


def median_viewed(journey: Journey, at: int) -> float | None:
    """The median of the last seen prices of the products viewed in 30 d; None for fewer than three."""
    since, products = at - REACH, journey.products
    if isinstance(products, figures.Products):
        ordered = products.prices(since)
        if ordered is not None:
            return _middle(ordered) if len(ordered) >= LEAST else None
    elif len(products) > _FEW:
        figures.of(journey)  # of whoever comes seldom there is but one look
    seen = [p.price for p in products.values() if p.viewed > since and p.price is not None]
    return median(seen) if len(seen) >= LEAST else None
