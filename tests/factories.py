"""The vocabulary of tests: touchpoints as producers write them, one short call each.

Every event has an id of its own unless one is given; `at` is epoch ms. Whatever else an event needs is given
by its canonical name: `a_cart(at=NOON, cart_id="k1")`.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from retarget.times import HOUR

# A midnight in UTC; most tests begin at noon, when nobody sleeps.
MIDNIGHT: Final = 1_709_251_200_000
NOON: Final = MIDNIGHT + 12 * HOUR

Event = dict[str, Any]
_ids = count(1)


def an_event(kind: str, *, at: int = NOON, person: str = "u1", **fields: object) -> Event:
    """Any touchpoint; a person whose name begins with `a` is anonymous."""
    who = "anonymous_id" if person.startswith("a") else "user_id"
    return {"id": f"t{next(_ids)}", "type": kind, "time": at, who: person} | fields


def an_item(product: str, **fields: object) -> Event:
    """One item, in category c1 at 10.0 unless said otherwise."""
    return {"product_id": product, "category": "c1", "price": 10.0} | fields


def _about(kind: str, products: tuple[str, ...], fields: dict[str, object]) -> Event:
    made: dict[str, Any] = {"items": [an_item(product) for product in products]} | fields
    return an_event(kind, **made)


def a_view(*products: str, **fields: object) -> Event:
    """A view of products, p1 if none is named."""
    return _about("view", products or ("p1",), fields)


def an_add(*products: str, **fields: object) -> Event:
    """Products put into a cart."""
    return _about("add", products or ("p1",), fields)


def a_remove(*products: str, **fields: object) -> Event:
    """Products taken out of a cart."""
    return _about("remove", products or ("p1",), fields)


def a_cart(*products: str, **fields: object) -> Event:
    """A snapshot of a cart; of no products: an empty one."""
    return _about("cart", products, fields)


def a_wish(*products: str, **fields: object) -> Event:
    """Products put on the wish list."""
    return _about("wishlist", products or ("p1",), fields)


def a_checkout(*products: str, **fields: object) -> Event:
    """The beginning of a payment."""
    return _about("checkout", products, fields)


def a_purchase(*products: str, **fields: object) -> Event:
    """An order; without products one whose content is not told."""
    return _about("purchase", products, fields)


def a_listing(product: str = "p1", *, at: int = NOON, **fields: object) -> Event:
    """A record of the catalogue."""
    return {"type": "catalogue", "product_id": product, "time": at} | fields


def a_consent(state: str, **fields: object) -> Event:
    """The person's word; `purpose` and `channel` narrow it, and the rest are fields of the event."""
    consent = {"state": state} | {key: fields.pop(key) for key in ("purpose", "channel") if key in fields}
    made: dict[str, Any] = {"consent": consent} | fields
    return an_event("consent", **made)


def a_profile(*, at: int = NOON, person: str = "u1", **traits: object) -> Event:
    """What the person told about themselves."""
    return an_event("profile", at=at, person=person, traits=traits)
