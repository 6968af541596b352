"""Stages: how near to buying a person is, with one product and on the whole (spec 3.1).

A product counts by what was done with it in the last 14 days. The person's stage is the highest of their
products'; it is kept in the journey with the moment at which it may lapse, and counted over all products only
when an event or that moment may have lowered it.
"""

from __future__ import annotations

from typing import Final

from retarget.journeys.model import Journey, Product
from retarget.times import DAY

STAGES: Final = ("viewed", "considering", "carted", "bought")
VIEWED, CONSIDERING, CARTED, BOUGHT = range(4)
NONE: Final = -1
REACH: Final = 14 * DAY
CONSIDERED_VIEWS: Final = 3
CONSIDERED_WITHIN: Final = 7 * DAY
VIEW_TALLY: Final = "view.product"
# Only after these may a stage be lower than before.
LOWERING: Final = frozenset({"remove", "cart", "purchase", "wishlist_remove", "refund", "cancel"})


def of_product(journey: Journey, product_id: str, product: Product, at: int) -> tuple[int, int]:
    """The stage with one product at a time, and the moment at which it lapses if nothing else happens."""
    since = at - REACH
    if product.bought > since:
        return BOUGHT, product.bought + REACH
    if product.carted > since:
        return CARTED, product.carted + REACH
    considered = _considered_until(journey, product_id, product, at)
    if considered > at:
        return CONSIDERING, considered
    if product.viewed > since:
        return VIEWED, product.viewed + REACH
    return NONE, 0


def _considered_until(journey: Journey, product_id: str, product: Product, at: int) -> int:
    until = product.wished + REACH if product.wished else 0
    tally = journey.tallies.get(VIEW_TALLY, {}).get(product_id)
    if tally is not None and len(tally) >= 2 * CONSIDERED_VIEWS:
        until = max(until, tally[1 - 2 * CONSIDERED_VIEWS] + CONSIDERED_WITHIN)
    return until if until > at else 0


def refresh(journey: Journey, at: int) -> None:
    """Count the person's stage afresh over all products."""
    journey.stage, journey.stage_until = NONE, 0
    for product_id, product in journey.products.items():
        _raise_to(journey, *of_product(journey, product_id, product, at))


def note(journey: Journey, event_type: str, product_ids: list[str], at: int) -> None:
    """Bring the person's stage up to date after an event about these products."""
    if event_type in LOWERING or (journey.stage != NONE and at >= journey.stage_until):
        refresh(journey, at)
        return
    for product_id in product_ids:
        product = journey.products.get(product_id)
        if product is not None:
            _raise_to(journey, *of_product(journey, product_id, product, at))


def _raise_to(journey: Journey, stage: int, until: int) -> None:
    if stage > journey.stage:
        journey.stage, journey.stage_until = stage, until
    elif stage == journey.stage:
        journey.stage_until = max(journey.stage_until, until)
