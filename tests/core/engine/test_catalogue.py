"""The catalogue: who hears of a change, once, in whatever portions, and what no longer holds later."""

from __future__ import annotations

import pytest

from retarget.catalogue import read_record
from retarget.engine.policy import QuietHours
from retarget.errors import Rejected
from retarget.lane.run import LISTINGS_HELD
from retarget.times import DAY, HOUR, MINUTE, format_time
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import NOON, a_listing, a_profile, a_purchase, a_view, a_wish, an_add, an_event, an_item

RULES = shipped(frozenset({"price_drop", "back_in_stock", "low_stock"}))
Sent = list[tuple[str, str, str]]


def a_shop(**keys: int) -> Shop:
    """A shop with the rules of the catalogue."""
    return Shop(RULES, **keys)  # type: ignore[arg-type]


def priced(product: str, price: float, at: int = NOON, person: str = "u1") -> dict[str, object]:
    """A view of a product at a price."""
    return a_view(at=at, person=person, items=[an_item(product, price=price)])


def sent(shop: Shop) -> Sent:
    """Each message as (person, rule, product)."""
    return [(m["person"], m["rule"], m["subject"]["id"]) for m in shop.sent()]


@pytest.mark.parametrize(
    ("seen", "now", "told"),
    [
        (100, 95, True),
        (100, 95.5, False),
        (10, 9.5, False),
        (10, 9, True),
        (100, 100, False),
        (100, 120, False),
    ],
)
def test_a_price_must_fall_by_a_twentieth_and_by_one(seen: float, now: float, told: bool) -> None:  # noqa: FBT001
    """At least 5 % and 1 unit below what the person saw."""
    shop = a_shop().read(priced("p1", seen), a_listing(at=NOON + HOUR, price=now))
    assert bool(shop.until(NOON + 2 * HOUR).sent("price_drop")) is told


@pytest.mark.parametrize("how", [a_view, an_add, a_wish])
def test_who_viewed_carted_or_wished_hears_of_it(how: object) -> None:
    """Whichever of the three it was."""
    first = how("p1", at=NOON)  # type: ignore[operator]
    shop = a_shop().read(first, a_listing(at=NOON + HOUR, price=5)).until(NOON + 2 * HOUR)
    assert sent(shop) == [("u1", "price_drop", "p1")]


def test_interest_lasts_thirty_days() -> None:
    """Who looked thirty days ago to the millisecond no longer hears of it; a moment less and they do."""
    old = priced("p1", 100, person="u1")
    young = priced("p1", 100, at=NOON + 1, person="u2")
    shop = a_shop().read(old, young, a_listing(at=NOON + 30 * DAY, price=50)).until(NOON + 30 * DAY)
    assert sent(shop) == [("u2", "price_drop", "p1")]


def test_stock_that_comes_back_and_stock_that_runs_out() -> None:
    """From nothing to something, and to three or fewer; selling out is no news."""
    records = [a_listing(at=NOON + n * HOUR, stock=stock) for n, stock in enumerate((9, 0, 5, 4, 3, 2))]
    shop = a_shop().read(priced("p1", 10, at=NOON - HOUR), *records).until(NOON + 9 * HOUR)
    assert [(m["rule"], m["due"][11:16]) for m in shop.sent()] == [
        ("back_in_stock", "14:00"),
        ("low_stock", "16:00"),
    ]


def test_nobody_hears_of_what_they_have_bought() -> None:
    """Neither of its price nor of its stock."""
    shop = a_shop().read(
        priced("p1", 100), a_purchase("p1", at=NOON + 1), a_listing(at=NOON + HOUR, price=50, stock=2)
    )
    assert not shop.until(NOON + 2 * HOUR).decisions


def test_a_record_waits_for_its_time_and_moves_no_clock() -> None:
    """A record of a time to come is held; a view between, at the new price, is no reason for a message."""
    shop = a_shop().read(priced("p1", 100), a_listing(at=NOON + 2 * HOUR, price=50))
    assert (shop.lane.clock, len(shop.lane.hold)) == (NOON, 1)
    shop.read(priced("p1", 50, at=NOON + HOUR)).until(NOON + 3 * HOUR)
    assert not shop.decisions


def test_a_late_record_counts_at_once_and_an_older_one_not_at_all() -> None:
    """What was said later stands, whatever comes in."""
    shop = a_shop().read(priced("p1", 100), an_event("page", at=NOON + 5 * MINUTE))
    shop.read(a_listing(at=NOON + 2 * MINUTE, price=50), a_listing(at=NOON + MINUTE, price=10))
    assert shop.lane.listings["p1"] is not None
    assert shop.listings["p1"].price == 50
    assert sent(shop) == [("u1", "price_drop", "p1")]


def test_changes_by_touchpoint_count_where_there_is_no_topic() -> None:
    """In a replay a `price_change` is a record of the catalogue."""
    change = {
        "id": "c1",
        "type": "price_change",
        "time": NOON + HOUR,
        "items": [{"product_id": "p1", "price": 50}],
    }
    shop = a_shop().read(priced("p1", 100), change)
    assert [(m["rule"], m["decision_id"] is not None) for m in shop.sent()] == [("price_drop", True)]
    assert shop.decisions[0]["evidence"] == ["c1"]


def test_a_price_that_is_none_is_a_dead_letter() -> None:
    """Negative, not a number, nothing at all: with the reason, and the rest goes on."""
    change = {"type": "price_change", "time": NOON, "items": [{"product_id": "p1", "price": -1}]}
    shop = a_shop().read(change, a_listing(price="much"), a_listing(stock=-3), a_listing())
    assert [letter["reason"] for letter in shop.dead] == ["bad_field"] * 4
    assert not shop.listings


@pytest.mark.parametrize("portion", [1, 2, 3, 100])
def test_everybody_hears_once_in_portions_of_any_size(portion: int) -> None:
    """Seven people, and a record that is followed by a purchase which may not be known before."""
    people = [f"u{n}" for n in range(7)]
    shop = a_shop()
    shop.portion = portion
    shop.read(*(priced("p1", 100, at=NOON + n, person=person) for n, person in enumerate(people)))
    shop.read(a_listing(at=NOON + HOUR, price=50), a_purchase("p1", at=NOON + HOUR + 1, person="u6"))
    assert sent(shop.until(NOON + 2 * HOUR)) == [(person, "price_drop", "p1") for person in people]


def test_who_comes_in_the_same_batch_hears_too() -> None:
    """The index in the store does not know them yet."""
    shop = a_shop().read(priced("p1", 100), priced("p1", 100, person="u2"), a_listing(at=NOON, price=50))
    assert sent(shop) == [("u1", "price_drop", "p1"), ("u2", "price_drop", "p1")]


def test_what_has_changed_by_the_morning_is_stale() -> None:
    """A drop at night, taken back before the morning, is not told."""
    policy = a_policy(quiet_hours=QuietHours(enabled=True, spread=0))
    night = NOON + 11 * HOUR
    shop = Shop(RULES, policy).read(
        priced("p1", 100), a_listing(at=night, price=50), a_listing(at=night + HOUR, price=100)
    )
    shop.until(NOON + DAY)
    assert shop.outcomes() == [(1, "stale")]
    assert format_time(night) == shop.final()[0]["due"]


def test_what_is_sold_out_is_not_advertised() -> None:
    """Other rules about a product do not say what cannot be bought."""
    rules = shipped(frozenset({"repeated_view"}))
    follower = shipped(frozenset({"repeated_view", "low_stock"}))
    assert len(rules) < len(follower)
    views = [a_view("p1", at=NOON + n * MINUTE) for n in range(3)]
    shop = Shop(follower).read(*views[:2], a_listing(at=NOON + MINUTE + 1, stock=0), views[2])
    assert [(d["operation"], d.get("reason")) for d in shop.decisions] == [("send", "stale"), ("add", None)]


def test_the_forgotten_are_in_no_index() -> None:
    """Who asks to be forgotten, and what is dropped from a journey."""
    shop = a_shop().read(a_view("p1"), a_view("p2", person="u2"), an_event("erase", at=NOON + 1))
    assert shop.followers == {("p2", "u2")}
    shop.read(a_view("p3", at=NOON + 60 * DAY, person="u2"))
    assert shop.followers == {("p3", "u2")}


def test_a_product_that_was_listed_before_is_known_at_the_first_look() -> None:
    """An event without a price shows the catalogue's."""
    view = {"id": "v", "type": "view", "user_id": "u1", "time": NOON + 1, "items": [{"product_id": "p1"}]}
    shop = a_shop().read(an_event("page", at=NOON), a_listing(at=NOON, price=100, name="Tent"), view)
    shop.read(a_listing(at=NOON + HOUR, price=80)).until(NOON + HOUR)
    assert shop.sent()[0]["products"][0]["name"] == "Tent"


@pytest.mark.parametrize(("margin", "sent"), [(2, 0), (2.01, 1), (None, 0)])
def test_a_brochure_must_earn_its_print(margin: float | None, sent: int) -> None:
    """A margin that the catalogue does not tell is above nothing."""
    shop = Shop(shipped(frozenset({"brochure"}))).with_margins({} if margin is None else {"p1": margin})
    views = [a_view(at=NOON + n * DAY, items=[an_item("p1", price=500)]) for n in range(3)]
    shop.read(a_profile(at=NOON, address="here"), *views)
    assert len(shop.sent("brochure")) == sent


def test_a_shop_may_give_all_records_of_a_product_one_id() -> None:
    """Each tells of something else: two messages about it have two ids."""
    records = [a_listing(at=NOON + n * 20 * DAY, price=50 - n, id="p1") for n in range(2)]
    again = priced("p1", 100, at=NOON + 19 * DAY)
    shop = a_shop().read(priced("p1", 100, at=NOON - 1), records[0], again, records[1])
    shop.until(NOON + 21 * DAY)
    assert len(shop.sent("price_drop")) == 2
    assert len({m["message_id"] for m in shop.sent()}) == 2


def test_what_people_do_leaves_room_for_records_of_times_to_come() -> None:
    """Held events do not count for the number of records that may be held."""
    shop = a_shop(lateness=MINUTE).read(priced("p1", 100, at=NOON))
    shop.read(*(an_event("page", at=NOON + n) for n in range(1, 9)))
    shop.read(*(a_listing(f"early{n}", at=NOON + HOUR, price=50) for n in range(LISTINGS_HELD - 1)))
    assert not shop.listings
    shop.read(a_listing("p2", at=NOON + HOUR, price=5), a_listing("p3", at=NOON + HOUR, price=5))
    assert [*shop.listings] == ["p3"]


def test_a_key_may_name_a_product_no_longer_than_an_id() -> None:
    """As the field itself."""
    assert read_record(b'{"price": 1}', b"p" * 512, 1000).items[0].product_id == "p" * 512
    with pytest.raises(Rejected, match="513"):
        read_record(b'{"price": 1}', b"p" * 513, 1000)


def test_who_is_just_buying_it_does_not_hear_that_few_are_left() -> None:
    """The sale of a piece leaves so few: it has the same time and is read, but the record counts first."""
    shop = a_shop(lateness=2 * MINUTE).read(priced("p1", 10), a_purchase("p1", at=NOON + MINUTE))
    shop.read(a_listing(at=NOON + MINUTE, stock=3), an_event("page", at=NOON + HOUR, person="u2"))
    assert shop.outcomes() == [(1, "closed")]


def test_the_last_price_of_an_event_counts_at_the_first_look_too() -> None:
    """An event may name a product twice; where its last word has no price, the catalogue's was shown."""
    twice = [an_item("p1", price=20), {"product_id": "p1"}]
    shop = a_shop().read(
        an_event("page", at=NOON), a_listing(at=NOON, price=9), a_view(at=NOON + 1, items=twice)
    )
    assert not shop.read(a_listing(at=NOON + HOUR, price=10)).until(NOON + HOUR).decisions
