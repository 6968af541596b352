"""Product blocks: each product of a message as it is when that leaves, with all that is known of it."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retarget.engine.policy import QuietHours
from retarget.times import HOUR, format_time
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, a_listing, a_view, an_add, an_event, an_item

CART: Final = a_rule(
    rule="left", subject="cart", quiet={"after": "30m", "opens": ["add", "cart"]}, unless=["purchase"],
    description="x", steps=[{"channels": ["email"], "template": "t"}],
)  # fmt: skip
# Somebody follows what they look at only where a rule asks the catalogue.
DROP: Final = a_rule(
    rule="drop", subject="product", catalogue={"of": "price", "within": "30d"}, description="x",
    steps=[{"channels": ["push"], "template": "t"}],
    **{"if": "product.price_now < 0"},
)  # fmt: skip


def blocks(*events: Event, **policy: Any) -> list[dict[str, Any]]:  # noqa: ANN401
    """The product blocks of the one message about the cart."""
    shop = Shop([CART, DROP], a_policy(**policy)).read(*events).until(NOON + 24 * HOUR)
    [message] = shop.sent("left")
    found: list[dict[str, Any]] = message["products"]
    return found


def test_a_block_for_each_product() -> None:
    """With name, address, picture, price, its currency and the time at which it was told."""
    lamp = an_item("p1", name="Lamp", url="https://shop.example/p1", image_url="https://shop.example/p1.jpg")
    [one, other] = blocks(
        an_add(currency="EUR", items=[lamp, an_item("p2", price=None, category=None, quantity=2)])
    )
    assert one == {
        "product_id": "p1", "quantity": 1.0, "name": "Lamp", "category": "c1", "price": 10.0,
        "price_as_of": format_time(NOON), "currency": "EUR", "url": "https://shop.example/p1",
        "image_url": "https://shop.example/p1.jpg",
    }  # fmt: skip
    assert other == {"product_id": "p2", "quantity": 2.0}


def test_the_time_is_that_of_the_price() -> None:
    """A look that told none changes nothing; the next price has its own time and currency."""
    add = an_add(items=[an_item("p1", price=5.0)], currency="EUR")
    [silent] = blocks(add, a_view(at=NOON + 60_000, items=[an_item("p1", price=None)], currency="USD"))
    assert (silent["price"], silent["currency"], silent["price_as_of"]) == (5.0, "EUR", format_time(NOON))
    [told] = blocks(add, a_view(at=NOON + 60_000, items=[an_item("p1", price=6.0)], currency="USD"))
    assert (told["price"], told["currency"], told["price_as_of"]) == (6.0, "USD", format_time(NOON + 60_000))


@pytest.mark.parametrize(
    ("told", "currency"), [({"price": 5.0}, "EUR"), ({"price": 6.0}, None), ({"price": None}, "EUR")]
)
def test_the_same_price_once_more_is_in_its_currency(told: dict[str, Any], currency: str | None) -> None:
    """Shops say it where something goes into a cart, and not at each look; of another price nobody knows."""
    add = an_add(items=[an_item("p1", price=5.0)], currency="EUR")
    [block] = blocks(add, a_view(at=NOON + 60_000, items=[an_item("p1", **told)]))
    assert block.get("currency") == currency


def test_a_deferred_message_shows_the_price_of_the_morning() -> None:
    """What the catalogue told in the night is what the block says, as of then; a later look says more."""
    night: dict[str, Any] = {"quiet_hours": QuietHours(spread=0)}
    evening, later = NOON + 9 * HOUR, NOON + 14 * HOUR
    add = an_add(at=evening, items=[an_item("p1", price=10.0)], currency="EUR")
    [block] = blocks(add, a_listing("p1", at=later, price=8.0), **night)
    assert (block["price"], block["price_as_of"], block["currency"]) == (8.0, format_time(later), "EUR")
    [block] = blocks(add, a_listing("p1", at=later, price=8.0), catalogue_currency="CHF", **night)
    assert (block["price"], block["currency"]) == (8.0, "CHF")
    [block] = blocks(add, a_listing("p1", at=evening - HOUR, price=8.0), **night)
    assert (block["price"], block["price_as_of"]) == (10.0, format_time(evening))
    look = a_view(at=later + HOUR, items=[an_item("p1", price=9.0)])
    [block] = blocks(add, a_listing("p1", at=later, price=8.0), look, **night)
    assert (block["price"], block["price_as_of"]) == (9.0, format_time(later + HOUR))


def test_what_is_written_upon_a_product_is_shown() -> None:
    """The name on the bottle, as it was told last; within bounds, and not when nothing is told."""
    text = {"name": "Anna <3"}
    [block] = blocks(an_add(items=[an_item("p1", personalisation=text)]))
    assert block["personalisation"] == text
    [block] = blocks(an_add(items=[an_item("p1", personalisation=text)]), an_add(at=NOON + 1))
    assert block["personalisation"] == text
    many = {f"n{n}": "x" * 500 for n in range(30)} | {"n1": 12}
    cart = an_event("cart", items=[an_item("p1", personalisation=many)])
    [block] = blocks(cart)
    assert len(block["personalisation"]) == 10
    assert block["personalisation"]["n1"] == "12"
    assert max(map(len, block["personalisation"].values())) == 200
