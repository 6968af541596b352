"""What a message shows, where its step says so."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.engine.policy import QuietHours
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_policy, a_rule
from tests.factories import NOON, Event, an_event


def looked(product: str, at: int, category: str = "tv", **fields: object) -> Event:
    """A view of one product."""
    return an_event("view", at=at, items=[{"product_id": product, "category": category, "price": 5} | fields])


def showing(products: object, **keys: Any) -> Rule:  # noqa: ANN401 - whatever an author writes
    """A rule that answers a chat after an hour."""
    step = {"channels": ["email"], "template": "a"} | ({"products": products} if products else {})
    quiet = {"opens": "chat", "after": "1h"}
    return a_rule(**{"rule": "shows", "subject": "person", "quiet": quiet, "steps": [step]} | keys)


def shown(shop: Shop) -> list[list[str]]:
    """The products of each message."""
    return [[product["product_id"] for product in message["products"]] for message in shop.sent()]


VIEWS = [
    looked("old", NOON - 2 * DAY), looked("edge", NOON + HOUR - DAY), looked("tv1", NOON + HOUR - DAY + 1),
    looked("lamp", NOON - HOUR, "lamps"), looked("tv2", NOON - HOUR),
    looked("tv3", NOON - 30 * MINUTE), looked("tv1", NOON - MINUTE),
]  # fmt: skip


def test_the_latest_come_first_and_the_window_ends_with_the_due() -> None:
    """Of a category, each once; what came in before the window, or is of another kind, is left out."""
    chat = an_event("chat", at=NOON)
    rule = showing({"of": "view", "category": "tv", "within": "1d"})
    assert shown(Shop([rule]).read(*VIEWS, chat).until(NOON + 2 * DAY)) == [["tv1", "tv3", "tv2"]]
    rule = showing({"of": ["view", "add"], "within": "7d", "most": 4})
    assert shown(Shop([rule]).read(*VIEWS, chat).until(NOON + 2 * DAY)) == [["tv1", "tv3", "tv2", "lamp"]]
    rule = showing({"of": "add", "within": "7d"})
    assert shown(Shop([rule]).read(*VIEWS, chat).until(NOON + 2 * DAY)) == [[]]


def test_what_is_known_of_them_is_in_the_message() -> None:
    """Price and category, also of what was seen longest ago."""
    rule = showing({"of": "view", "within": "60d", "category": "tv"})
    shop = Shop([rule])
    shop.between = shop.through_the_store
    visits = [an_event("page", at=NOON - 40 * DAY + day * DAY) for day in range(40)]
    shop.read(looked("tv1", NOON - 50 * DAY), *visits, an_event("chat", at=NOON)).until(NOON + 2 * DAY)
    product = shop.sent()[0]["products"][0]
    assert (product["product_id"], product["category"], product["price"]) == ("tv1", "tv", 5)


def test_a_message_that_waited_for_the_morning_shows_the_same() -> None:
    """They are chosen when the step is due, not when the night is over."""
    rule = showing({"of": "view", "category": "tv", "within": "2h"})
    evening = NOON + 8 * HOUR
    events = [
        looked("tv1", evening - MINUTE),
        an_event("chat", at=evening),
        looked("tv2", evening + 3 * HOUR),
    ]
    shop = Shop([rule], a_policy(quiet_hours=QuietHours(spread=0))).read(*events).until(NOON + 2 * DAY)
    assert [d["outcome"] for d in shop.decisions] == ["deferred", "sent"]
    assert shown(shop) == [["tv1"]]


def test_a_subject_has_its_own() -> None:
    """A message about a category shows what belongs to it; of a cart, what was put into that one."""
    views = an_event("view", at=NOON, items=[
        {"product_id": "tv1", "category": "tv"}, {"product_id": "lamp", "category": "lamps"}])  # fmt: skip
    rule = showing({"of": "view", "within": "1d"}, subject="category", quiet={"opens": "view", "after": "1h"})
    assert sorted(shown(Shop([rule]).read(views).until(NOON + 2 * DAY))) == [["lamp"], ["tv1"]]
    added = [an_event("add", at=NOON, cart_id=f"k{n}", items=[{"product_id": f"p{n}"}]) for n in (1, 2)]
    rule = showing({"of": "add", "within": "1d"}, subject="cart", quiet={"opens": "add", "after": "1h"})
    assert sorted(shown(Shop([rule]).read(*added).until(NOON + 2 * DAY))) == [["p1"], ["p2"]]


def test_a_count_may_be_of_a_category() -> None:
    """Two TVs, and only a TV completes it."""
    count = {"of": "view", "distinct": "product", "category": "tv", "at_least": 2, "within": "1h"}
    steps = [{"channels": ["onsite"], "template": "a"}]
    rule = a_rule(rule="two", subject="person", steps=steps, count=count)
    events = [looked("tv1", NOON), looked("lamp", NOON + 1, "lamps"), looked("tv1", NOON + 2),
              looked("tv2", NOON + 3), looked("lamp", NOON + 4, "lamps")]  # fmt: skip
    assert [d["due"][-5:] for d in Shop([rule]).read(*events).end().final()] == [".003Z"]


@pytest.mark.parametrize(
    "products", [None, {"of": "view", "within": "7d"}, {"of": ["view", "add"], "within": "1d"}]
)
def test_nobody_is_shown_what_they_have_bought_since(products: object) -> None:
    """By default and by the author's choice; whoever looks at it once more may want another one."""
    bought = an_event("purchase", at=NOON, items=[{"product_id": "tv1"}, {"product_id": "tv2"}])
    events = [looked("tv1", NOON - 3), looked("tv2", NOON - 2), looked("tv3", NOON - 1), bought,
              looked("tv2", NOON + 1), an_event("chat", at=NOON + 2)]  # fmt: skip
    rule = showing(products)
    assert shown(Shop([rule]).read(*events).until(NOON + DAY)) == [["tv2", "tv3"]]


def test_what_is_bought_in_the_night_is_not_shown_in_the_morning() -> None:
    """What was seen last is looked up when the message leaves."""
    evening = NOON + 8 * HOUR
    events = [looked("tv1", evening), looked("tv2", evening + 1), an_event("chat", at=evening + 30 * MINUTE),
              an_event("purchase", at=NOON + 12 * HOUR, items=[{"product_id": "tv1"}])]  # fmt: skip
    shop = Shop([showing(None)], a_policy(quiet_hours=QuietHours(spread=0))).read(*events)
    assert shown(shop.until(NOON + 2 * DAY)) == [["tv2"]]


@pytest.mark.parametrize("step", [
    {"channels": ["email"], "template": "a", "products": {"of": ["view", "purchase"], "within": "7d"}},
    {"audience": {"add": "seen"}},
])  # fmt: skip
def test_who_asks_for_what_was_bought_gets_it(step: dict[str, Any]) -> None:
    """By the step's own choice; and an audience is told of all."""
    events = [looked("tv1", NOON - 1), an_event("purchase", at=NOON, items=[{"product_id": "tv1"}]),
              an_event("chat", at=NOON + 1)]  # fmt: skip
    shop = Shop([showing(None, steps=[step])]).read(*events).until(NOON + DAY)
    assert [[product["product_id"] for product in m["products"]] for m in shop.messages] == [["tv1"]]


def test_service_is_told_of_what_was_bought() -> None:
    """It may be what the person is unhappy with."""
    rule = showing(None, purpose="service", steps=[{"channels": ["service"], "template": "a"}])
    events = [an_event("purchase", at=NOON, items=[{"product_id": "tv1"}]), an_event("chat", at=NOON + 1)]
    assert shown(Shop([rule]).read(*events).until(NOON + DAY)) == [["tv1"]]
