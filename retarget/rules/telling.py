"""What can be told apart among events, and what of them can be added up: each word declared once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from operator import attrgetter
from typing import Final

from retarget.touchpoints import Item, Touchpoint

# Beyond so many characters a text is kept as its beginning and a digest of all of it.
_LONGEST: Final = 64
_DIGEST: Final = 16

DAY: Final = "day"


def _text(field: str) -> Callable[[Touchpoint], str | None]:
    def told(event: Touchpoint) -> str | None:
        text = getattr(event, field)
        return brief(text.strip()) if text else None

    return told


def _campaign(event: Touchpoint) -> str | None:
    told = event.campaign or {}
    name = told.get("id") or told.get("name")
    return brief(str(name)) if isinstance(name, str | int) else None


def _order(event: Touchpoint) -> str | None:
    """A purchase without an order id is an order of its own."""
    return event.order_id or (event.id if event.type == "purchase" else None)


def brief(text: str) -> str:
    """The text; of a long one what stands for it alone, so that a person's state stays small."""
    if len(text) <= _LONGEST:
        return text
    return text[: _LONGEST - _DIGEST] + blake2b(text.encode(), digest_size=_DIGEST // 2).hexdigest()


# Of each of an event's own items; only those with a product count.
OF_ITEMS: Final[Mapping[str, Callable[[Item], str | None]]] = {
    "product": attrgetter("product_id"),
    "variant": attrgetter("variant_id"),
    "category": attrgetter("category"),
    "brand": lambda item: brief(item.brand) if item.brand else None,
}
# Of the event as a whole.
OF_EVENTS: Final[Mapping[str, Callable[[Touchpoint], str | None]]] = {
    "order": _order,
    "cart": lambda event: event.cart_id,
    "checkout": lambda event: event.checkout_id,
    "session": lambda event: event.session_id,
    "device": lambda event: event.device_id,
    "query": _text("query"),
    "name": _text("name"),
    "coupon": _text("coupon"),
    "source": _text("source"),
    "medium": _text("medium"),
    "campaign": _campaign,
    "channel": _text("channel"),
    "store": lambda event: event.store_id,
}
# Whatever can be told apart; days of UTC by the time alone.
WORDS: Final = (*OF_ITEMS, *OF_EVENTS)


def _pieces(item: Item) -> float:
    return 1.0 if item.quantity is None else max(item.quantity, 0.0)


def _worth(item: Item) -> float:
    return _pieces(item) * (item.price or 0.0)


# What can be added up of each of an event's own items, and of the event as a whole.
SUMS_OF_ITEMS: Final[Mapping[str, Callable[[Item], float]]] = {"quantity": _pieces, "worth": _worth}
SUMS_OF_EVENTS: Final[Mapping[str, str]] = {"value": "value", "dwell": "dwell_ms"}
