"""No text that somebody sends makes a journey, a message or a word to another lane too large for Kafka."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from retarget.decode import decode_canonical
from retarget.dialects import decoder_for
from retarget.engine import bounds
from retarget.engine.moment import Moment
from retarget.engine.packing import MOST, packed
from retarget.errors import Rejected
from retarget.journeys import wire
from retarget.journeys.texts import TEXT_KEPT
from retarget.touchpoints import LONGEST_ID
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import NOON, Event
from tests.support.encoders import ENCODERS

KB: Final = 1024
MB: Final = 1024 * KB
# Four bytes each in UTF-8.
WIDE: Final = "\N{SHOPPING TROLLEY}"


def event(n: int, kind: str, **fields: Any) -> Event:  # noqa: ANN401 - fields of an event
    """The nth event of somebody who tells much."""
    return {"id": f"e{n}", "type": kind, "time": NOON + n * 5_000, "user_id": "u1"} | fields


def item(n: int, text: str) -> dict[str, Any]:
    """A product with so much text."""
    return {"product_id": f"p{n}", "price": 1.0, "name": text, "url": text, "image_url": text}


TOLD: Final[dict[str, Any]] = {
    "texts of products": lambda n: event(n, "add", items=[item(n, "x" * 300_000)]),
    "wide texts of products": lambda n: event(n, "add", items=[item(n, WIDE * TEXT_KEPT)]),
    "a trait": lambda n: event(n, "profile", traits={f"t{n}": "x" * 900_000}),
    "names": lambda n: event(n, "profile", traits={("first_name", "last_name")[n % 2]: "x" * 900_000}),
    "many traits": lambda n: event(n, "profile", traits={f"t{n}-{k}": "x" * 900 for k in range(900)}),
    "geo": lambda n: event(n, "page", geo={"city": "x" * 900_000}),
    "a purpose": lambda n: event(
        n, "consent", consent={"state": "denied", "purpose": f"{n}" + "x" * 900_000}
    ),
    "grounds": lambda n: event(n, "consent", consent={"state": "granted", "basis": "x" * 900_000}),
    "written upon it": lambda n: event(
        n, "add", items=[{"product_id": f"p{n}", "personalisation": {"name": "x" * 900_000}}]
    ),
}  # fmt: skip


@pytest.mark.parametrize("told", TOLD)
def test_it_is_bounded_as_it_comes(told: str) -> None:
    """A dozen events, each of nearly a megabyte, and what came of them, before anything is tidied."""
    shop = Shop(shipped(), a_policy())
    for n in range(12):
        shop.read(TOLD[told](n))
        assert len(wire.encode(shop.lane.journeys["u1"])) < 128 * KB
    shop.end()
    assert all(len(msgspec.json.encode(one)) < 64 * KB for one in [*shop.sent(), *shop.final()])


def test_a_text_that_can_be_kept_is_whole() -> None:
    """Of a thousand bytes each."""
    shop = Shop(shipped(), a_policy())
    narrow, wide = "x" * TEXT_KEPT, "ü" * (TEXT_KEPT // 2)
    shop.read(event(1, "view", items=[item(1, narrow)]), event(2, "view", items=[item(2, wide)]))
    products = shop.lane.journeys["u1"].products
    assert (products["p1"].name, products["p2"].image_url) == (narrow, wide)
    shop.read(event(3, "view", items=[item(1, narrow + "x")]))
    products = shop.lane.journeys["u1"].products
    assert products["p1"].name is None


@pytest.mark.parametrize("field", ["currency", "coupon", "trace"])
def test_what_is_kept_as_it_is_has_the_length_of_an_id(field: str) -> None:
    """Else it is a dead letter that names the field."""
    record = msgspec.json.encode(event(1, "add") | {field: "x" * LONGEST_ID})
    assert getattr(decode_canonical(record), field) == "x" * LONGEST_ID
    with pytest.raises(Rejected, match=f"{field} has 513 characters") as refused:
        decode_canonical(msgspec.json.encode(event(1, "add") | {field: "x" * (LONGEST_ID + 1)}))
    assert refused.value.reason == "bad_field"


@pytest.mark.parametrize("dialect", [*ENCODERS, "auto"])
def test_the_dialects_bound_it_too(dialect: str) -> None:
    """However a producer writes a currency or a coupon, none is longer than an id."""
    decode = decoder_for(dialect)
    made = decode_canonical(msgspec.json.encode(event(1, "purchase", order_id="o1", value=3.0)))
    for name, encode in ENCODERS.items():
        if dialect not in (name, "auto"):
            continue
        made.currency, made.coupon = "EUR", "SUMMER"
        record = msgspec.json.encode(encode(made))
        for short in (b"EUR", b"SUMMER"):
            try:
                found = decode(record.replace(short, b"X" * 100_000))
            except Rejected as refused:
                assert refused.reason == "bad_field"  # noqa: PT017 - it may also be left out
            else:
                assert max(len(found.currency or ""), len(found.coupon or "")) <= LONGEST_ID


def robot() -> Shop:
    """Everything of the greatest length and number."""
    shop = Shop(shipped(), a_policy())
    for n in range(bounds.PRODUCTS_KEPT + 100):
        name = f"{n}".ljust(LONGEST_ID, WIDE)
        things = [item(n, "x" * TEXT_KEPT) | {"product_id": name, "category": name}]
        for at, kind in enumerate(("view", "add", "wishlist", "search")):
            number = n * 4 + at
            shop.read(
                event(
                    number,
                    kind,
                    id=f"{number}".ljust(LONGEST_ID, WIDE),
                    items=things,
                    cart_id=name,
                    query=name,
                )
            )
    return shop


def test_a_journey_goes_to_another_lane_as_one_record() -> None:
    """What matters least is left out, and counted; the journey itself stays."""
    shop = robot()
    journey = shop.lane.journeys["u1"]
    whole, moment = wire.encode(journey), Moment.__new__(Moment)
    assert len(whole) > MOST, "the robot is too modest for this test"
    moment.counts = type(shop.counts)()
    there = wire.decode(packed(journey, moment))
    assert len(wire.encode(there)) <= MOST
    assert moment.counts["dropped", "tally"] == 1
    assert wire.encode(journey) == whole
    assert (there.person, there.consents, there.sends, there.marks) == (
        journey.person, journey.consents, journey.sends, journey.marks,
    )  # fmt: skip
