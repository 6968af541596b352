"""Products that an anonymous person has looked at, when they turn out to be a known one."""

from __future__ import annotations

from typing import Final

from retarget.times import DAY, MINUTE
from tests.core.shop import Shop, shipped
from tests.factories import NOON, a_listing, a_view, an_event, an_item

DROPS: Final = frozenset({"price_drop"})


def test_the_known_person_hears_what_becomes_of_a_product_that_the_anonymous_one_looked_at() -> None:
    """A lower price is told to them, though they have not looked at the product since."""
    look = a_view(person="a1", at=NOON, items=[an_item("p1", price=100.0)])
    shop = Shop(shipped(DROPS)).read(a_listing("p1", at=NOON, price=100.0), look)
    shop.read(an_event("identify", at=NOON + MINUTE, person="u1", anonymous_id="a1"))
    shop.read(a_listing("p1", at=NOON + DAY, price=80.0), an_event("heartbeat", at=NOON + 2 * DAY)).end()
    assert [(m["person"], m["subject"]["id"]) for m in shop.sent()] == [("u1", "p1")]
    assert ("p1", "u1") in shop.followers
    assert ("p1", "a1") not in shop.followers


def test_nobody_is_listed_where_no_rule_asks_for_prices() -> None:
    """A merge puts nobody into an index that no rule reads."""
    shop = Shop(shipped(frozenset({"abandoned_cart"}))).read(a_view(person="a1", at=NOON))
    shop.read(an_event("identify", at=NOON + MINUTE, person="u1", anonymous_id="a1"))
    assert not shop.followers
