"""Audiences parted by product sets: who joins which, and what takes exactly that one back."""

from __future__ import annotations

from typing import Final

import pytest

from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_rule
from tests.factories import (
    NOON,
    Event,
    a_consent,
    a_listing,
    a_purchase,
    a_remove,
    a_view,
    an_add,
    an_event,
    an_item,
)

SETS: Final = {"s1": 'product.category in ["shoes", "boots"]', "s2": "product.price >= 500"}
LEFT: Final = a_rule(
    rule="left", subject="cart", quiet={"after": "30m", "opens": ["add", "remove", "cart"]},
    unless=["purchase", {"when": "cart.size == 0"}],
    steps=[{"audience": {"add": "left", "sets": SETS, "expires": "7d"}}],
)  # fmt: skip
BY_PRODUCT: Final = a_rule(
    rule="left", subject="cart", quiet={"after": "30m", "opens": ["add", "remove", "cart"]},
    unless=[{"event": "purchase", "same": "product"}],
    steps=[{"audience": {"add": "left", "sets": SETS}}],
)  # fmt: skip
VIEWED: Final = a_rule(
    rule="viewed", subject="product", count={"of": "view", "at_least": 1, "within": "1d"},
    unless=[{"event": "purchase", "same": "subject"}],
    steps=[{"audience": {"add": "viewed", "sets": SETS, "expires": "7d"}}],
)  # fmt: skip


def put(product: str, *, at: int = NOON, category: str | None = None, price: float | None = None) -> Event:
    """A product put into the cart, as it looks."""
    return an_event("add", at=at, items=[an_item(product, category=category, price=price)])


def looked(product: str, *, at: int = NOON, category: str | None = None, price: float | None = None) -> Event:
    """A product viewed, as it looks."""
    return an_event("view", at=at, items=[an_item(product, category=category, price=price)])


def changes(shop: Shop) -> list[tuple[str, str, list[str]]]:
    """Every change of an audience: what it is, of which, and for which products."""
    return [
        (m["operation"], m["audience"], [p["product_id"] for p in m.get("products", [])])
        for m in shop.messages
        if m["channel"] == "ads"
    ]


def names(shop: Shop) -> list[tuple[str, str]]:
    """The same without products."""
    return [(operation, audience) for operation, audience, _ in changes(shop)]


def test_a_cart_joins_the_audience_of_each_set_that_it_has_a_product_of() -> None:
    """In the order of the sets, each with its own products, by a decision of its own."""
    shop = Shop([LEFT]).read(put("p1", category="shoes"), put("p2", price=700), put("p3", category="hats"))
    shop.until(NOON + HOUR)
    assert changes(shop) == [("add", "left-s1", ["p1"]), ("add", "left-s2", ["p2"])]
    assert (
        len({m["message_id"] for m in shop.messages}) == len({d["decision_id"] for d in shop.decisions}) == 2
    )


def test_a_product_of_two_sets_joins_both() -> None:
    """Sets may overlap."""
    shop = Shop([LEFT]).read(put("p1", category="boots", price=500)).until(NOON + HOUR)
    assert changes(shop) == [("add", "left-s1", ["p1"]), ("add", "left-s2", ["p1"])]


def test_a_product_of_no_set_joins_nothing() -> None:
    """Neither the audience without a set; and there is nothing to tell of."""
    shop = Shop([LEFT]).read(put("p1", category="hats", price=20)).until(NOON + HOUR)
    assert (shop.messages, shop.decisions) == ([], [])


def test_what_ends_the_episode_takes_back_all_that_were_joined_and_no_other() -> None:
    """Also when a product has another category or price by then."""
    shop = Shop([LEFT]).read(put("p1", category="shoes")).until(NOON + HOUR)
    shop.read(looked("p1", at=NOON + 2 * HOUR, category="hats", price=900))
    shop.read(a_purchase("p1", at=NOON + 3 * HOUR))
    assert names(shop) == [("add", "left-s1"), ("remove", "left-s1")]
    joined, left = shop.messages
    assert left["recall_of"] == joined["message_id"]


def test_an_ending_by_product_takes_back_its_set_alone() -> None:
    """Who buys the shoes is still told of the television."""
    shop = Shop([BY_PRODUCT]).read(put("p1", category="shoes"), put("p2", price=700)).until(NOON + HOUR)
    shop.read(a_purchase("p1", at=NOON + 2 * HOUR))
    assert names(shop)[2:] == [("remove", "left-s1")]
    shop.read(a_purchase("p2", at=NOON + 3 * HOUR))
    assert names(shop)[3:] == [("remove", "left-s2")]


def test_an_emptied_cart_takes_everything_back() -> None:
    """An ending by a condition is about all of it."""
    shop = Shop([LEFT]).read(put("p1", category="shoes"), put("p2", price=700)).until(NOON + HOUR)
    shop.read(a_remove("p1", at=NOON + 2 * HOUR), a_remove("p2", at=NOON + 2 * HOUR + 1))
    assert names(shop)[2:] == [("remove", "left-s1"), ("remove", "left-s2")]


def test_the_person_stays_while_another_product_of_the_set_keeps_them() -> None:
    """Two products of one set are one place in its audience: the last of them gives it up."""
    shop = Shop([VIEWED]).read(looked("p1", category="shoes"), looked("p2", at=NOON + 1, category="boots"))
    shop.read(a_purchase("p1", at=NOON + HOUR))
    assert names(shop) == [("add", "viewed-s1"), ("add", "viewed-s1")]
    shop.read(a_purchase("p2", at=NOON + 2 * HOUR))
    assert names(shop)[2:] == [("remove", "viewed-s1")]


def test_a_product_that_has_expired_keeps_nobody() -> None:
    """What the platform has let go by itself holds no place."""
    shop = Shop([VIEWED]).read(looked("p1", category="shoes")).until(NOON + 3 * DAY)
    shop.read(looked("p2", at=NOON + 3 * DAY, category="shoes")).until(NOON + 8 * DAY)
    shop.read(a_purchase("p2", at=NOON + 8 * DAY))
    assert names(shop)[2:] == [("remove", "viewed-s1")]


@pytest.mark.parametrize("kind", ["revoked", "erase"])
def test_withdrawal_and_erasure_leave_each_audience_once(kind: str) -> None:
    """Whatever the number of products by which the person was in it."""
    shop = Shop([VIEWED]).read(
        looked("p1", category="shoes"), looked("p2", at=NOON + 1, category="boots"),
        looked("p3", at=NOON + 2, price=800),
    )  # fmt: skip
    word = an_event("erase", at=NOON + HOUR) if kind == "erase" else a_consent(kind, at=NOON + HOUR)
    shop.read(word)
    assert sorted(names(shop)[3:]) == [("remove", "viewed-s1"), ("remove", "viewed-s2")]


def test_the_catalogue_says_what_the_events_do_not() -> None:
    """Who looks at a product follows it, so that a set by its margin has it from the shop's word on."""
    rule = a_rule(
        rule="worth", subject="product", event="view",
        steps=[{"audience": {"add": "worth", "sets": {"m": "product.margin >= 30"}}}],
    )  # fmt: skip
    shop = Shop([rule]).read(a_view("p1"), a_listing("p1", at=NOON + 1, margin=40)).until(NOON + MINUTE)
    shop.read(a_view("p1", at=NOON + HOUR), an_add("p1", at=NOON + HOUR + 1))
    assert names(shop) == [("add", "worth-m")]


def test_products_by_their_id() -> None:
    """A set may be a list of products."""
    rule = a_rule(
        rule="some", subject="product", event="view",
        steps=[{"audience": {"add": "some", "sets": {"a": 'product.id in ["p1", "p7"]'}}}],
    )  # fmt: skip
    shop = Shop([rule]).read(a_view("p1", at=NOON), a_view("p2", at=NOON + 1))
    assert changes(shop) == [("add", "some-a", ["p1"])]


def test_what_is_asked_of_products_is_asked_of_nothing_else() -> None:
    """The later steps of the rule are judged of its own subject."""
    rule = a_rule(
        rule="left", subject="cart", quiet={"after": "30m", "opens": ["add"]},
        steps=[
            {"audience": {"add": "left", "sets": SETS}},
            {"after": "1h", "if": "cart.size == 1", "channels": ["onsite"], "template": "x"},
        ],
    )  # fmt: skip
    shop = Shop([rule]).read(put("p1", category="shoes")).until(NOON + DAY)
    assert [(m["operation"], m["step"]) for m in shop.messages] == [("add", 1), ("send", 2)]
