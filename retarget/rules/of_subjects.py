"""What conditions ask of subjects beside products and carts: category, checkout, order, query, session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from retarget.journeys import figures, spending
from retarget.rules import tallies
from retarget.rules.conditions import Name, Window
from retarget.rules.currencies import CURRENCIES
from retarget.rules.scene import Scene
from retarget.times import DAY

_CATEGORY: Final = frozenset({"category"})
_CHECKOUT: Final = frozenset({"checkout"})
_ORDER: Final = frozenset({"order"})
_QUERY: Final = frozenset({"query"})
_SESSION: Final = frozenset({"session"})

# What a checkout is worth stands in its events alone.
_TOLD: Final = Window(("checkout", "payment_failed"), 30 * DAY, "value")
_TALLY: Final = tallies.key(_TOLD.types, "checkout", _TOLD.number)
_PARTS: Final = 1000


def _itself(scene: Scene) -> str:
    return scene.subject


def _category_in_cart(scene: Scene) -> bool:
    carts = scene.journey.carts
    return bool(carts) and scene.subject in figures.of(scene.journey).sorts(carts)


def _checkout_value(scene: Scene) -> float | None:
    return tallies.last_number(scene.journey, _TALLY, scene.subject, _TOLD.within, scene.at)


def _order_number(scene: Scene) -> int | None:
    return scene.journey.orders.get(scene.subject)


def _order_value(scene: Scene) -> float | None:
    paid = scene.journey.paid.get(scene.subject)
    return paid.gross / _PARTS if paid is not None and paid.currency else None


def _order_currency(scene: Scene) -> str | None:
    paid = scene.journey.paid.get(scene.subject)
    return paid.currency or None if paid is not None else None


NAMES: Final[Mapping[str, Name]] = {
    "category.id": Name(type="text", doc="its name", read=_itself, subjects=_CATEGORY),
    "category.in_cart": Name(
        type="bool",
        doc="one of its products, by the category when last seen, is in one of the person's carts",
        read=_category_in_cart,
        subjects=_CATEGORY,
    ),
    "checkout.id": Name(
        type="text", doc="its id; empty: that of the default cart", read=_itself, subjects=_CHECKOUT
    ),
    "checkout.value": Name(
        type="number",
        doc="the value that a `checkout` or `payment_failed` of it told last, within 30 days",
        read=_checkout_value,
        subjects=_CHECKOUT,
        window=_TOLD,
    ),
    "order.id": Name(type="text", doc="its id", read=_itself, subjects=_ORDER),
    "order.value": Name(
        type="number",
        doc="what it cost, by its `purchase`: the value, else that of the items; of the last 256 orders",
        read=_order_value,
        subjects=_ORDER,
    ),
    "order.currency": Name(
        type="text",
        doc="currency of that; `XXX` where none was told",
        read=_order_currency,
        subjects=_ORDER,
        choices=(*CURRENCIES, spending.UNKNOWN),
    ),
    "order.number": Name(
        type="number", doc="1 for the person's first order", read=_order_number, subjects=_ORDER
    ),
    "order.is_new": Name(
        type="bool",
        doc="no earlier event belongs to the order",
        read=lambda scene: scene.change.new_order,
        subjects=_ORDER,
        event_only=True,
    ),
    "query.text": Name(
        type="text", doc="what was searched for, without the space around it", read=_itself, subjects=_QUERY
    ),
    "session.id": Name(type="text", doc="its id", read=_itself, subjects=_SESSION),
}
