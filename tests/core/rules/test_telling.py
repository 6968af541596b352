"""What can be told apart among events and added up, and what is asked of subjects."""

from __future__ import annotations

from typing import Any, Final

import pytest

from retarget.journeys.model import Journey
from retarget.rules import subjects, tallies, telling
from retarget.rules.model import Rule
from retarget.rules.parse import Document, read_rules
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR, MINUTE
from retarget.touchpoints import Touchpoint
from tests.core.shop import Shop, a_rule
from tests.factories import NOON, Event, an_event

STEPS: Final = [{"channels": ["onsite"], "template": "a"}]
P: Final = {"product_id": "p", "category": "tents", "brand": "Nordic", "variant_id": "red", "price": 10.0}
Q: Final = {"product_id": "q", "category": "bags", "brand": "Sud", "variant_id": "blue", "price": 2.5}


def rule_of(**keys: Any) -> Rule:  # noqa: ANN401 - whatever an author writes
    """A rule about persons with these keys."""
    return a_rule(**{"rule": "own", "subject": "person", "purpose": "service", "steps": STEPS} | keys)


def minutes(rule: Rule, *events: Event) -> list[int]:
    """When something was sent, in minutes from noon on, until a day after the last event."""
    shop = Shop([rule]).read(*events)
    shop.until(max(event["time"] for event in events) + DAY)
    return [(send.at - NOON) // MINUTE for send in shop.lane.journeys["u1"].sends]


# What an event says of each word, and another that says something else.
SAYS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    **dict.fromkeys(telling.OF_ITEMS, ({"items": [P]}, {"items": [Q]})),
    **{f"{word}_id": ({f"{word}_id": "1"}, {f"{word}_id": "2"})
       for word in ("order", "cart", "checkout", "session", "device", "store")},
    **{word: ({word: "one "}, {word: "two"}) for word in ("query", "name", "coupon", "source", "channel")},
    "medium": ({"medium": "paid"}, {"medium": "owned"}),
    "campaign": ({"campaign": {"id": "1", "name": "x"}}, {"campaign": {"name": "2"}}),
}  # fmt: skip


@pytest.mark.parametrize("word", telling.WORDS)
def test_every_word_tells_events_apart(word: str) -> None:
    """Two with the same are one, two with different ones are two, and who says nothing of it is none."""
    one, other = SAYS.get(word) or SAYS[f"{word}_id"]
    said = [one, {}, one, other]
    events = [an_event("page", at=NOON + m * MINUTE, **fields) for m, fields in enumerate(said)]
    by_count = rule_of(count={"of": "page", "distinct": word, "at_least": 2, "within": "1h"})
    by_condition = rule_of(event="page", **{"if": f'distinct("{word}", "page", within=hours(1)) == 2'})

    assert minutes(by_count, *events) == [3]
    assert minutes(by_condition, *events) == [3]
    # In an hour the first is from before the window.
    assert minutes(by_count, events[0], an_event("page", at=NOON + HOUR, **other)) == []


def test_a_purchase_without_an_order_is_an_order() -> None:
    """Another event without one is about no order."""
    rule = rule_of(count={"of": ["purchase", "refund"], "distinct": "order", "at_least": 2, "within": "1h"})
    bought = [an_event("purchase", at=NOON + m * MINUTE) for m in (0, 1)]
    assert minutes(rule, *bought) == [1]
    assert minutes(rule, bought[0], an_event("refund", at=NOON + MINUTE)) == []
    assert minutes(rule, *(an_event("purchase", at=NOON + m * MINUTE, order_id="o") for m in (0, 1))) == []


def test_it_is_told_apart_about_the_subject() -> None:
    """A product that is viewed on two devices, not two products on one each; brands of a category alone."""
    rule = rule_of(
        subject="product", count={"of": "view", "distinct": "device", "at_least": 2, "within": "1h"}
    )
    views = [
        an_event("view", at=NOON + m * MINUTE, device_id=device, items=[item])
        for m, (device, item) in enumerate([("1", P), ("2", Q), ("1", P), ("2", P)])
    ]
    assert minutes(rule, *views) == [3]

    brands = rule_of(
        event="view", **{"if": 'distinct("brand", "view", category="bags", within=days(1)) == 2'}
    )
    other = {**Q, "brand": "Ost"}
    mixed = [an_event("view", at=NOON + m * MINUTE, items=[item]) for m, item in enumerate([P, Q, other])]
    assert minutes(brands, *mixed) == [2]


def test_products_of_the_default_cart_are_told_apart() -> None:
    """Its name is the empty text, and is a name all the same."""
    condition = 'distinct("product", "add", within=hours(1)) == 2'
    rule = rule_of(subject="cart", quiet={"after": "30m", "opens": "add"}, **{"if": condition})
    adds = [an_event("add", at=NOON + m * MINUTE, items=[item]) for m, item in enumerate([P, Q])]
    assert minutes(rule, *adds) == [31]


def test_long_texts_are_kept_short_and_apart() -> None:
    """A person who types in books costs no more than others, and two books stay two."""
    one, other = "x" * 100_000 + "1", "x" * 100_000 + "2"
    assert telling.brief(one) != telling.brief(other)
    assert len(telling.brief(one)) == len(telling.brief("x" * 64)) == 64
    journey = Journey(person="u1")
    for number, text in enumerate([one, other] * 1_000):
        event = Touchpoint(id=str(number), type="search", time=number, user_id="u1", query=text)
        ((subject, value),) = subjects.pairs(event, "person", subjects.mark("query"))
        tallies.add(journey, "t:q", subject, event, value, DAY)
    assert len(journey.tallies["t:q"]["u1"]) == 3 * tallies.KEPT


def test_pieces_and_their_worth_are_added_up() -> None:
    """Of the subject's own items for products, of all for persons; a value is that of the whole event."""
    items = [{**P, "quantity": 3}, {**Q}, {"price": 99.0, "quantity": 9}]
    bought = an_event("purchase", at=NOON, value=50.0, items=items)
    for subject, quantity, worth in (("person", 4, 32.5), ("product", 3, 30), ("category", 3, 30)):
        found = " and ".join(
            f'sum("{word}", "purchase", within=days(1)) == {number}'
            for word, number in (("quantity", quantity), ("worth", worth), ("value", 50))
        )
        rule = rule_of(subject=subject, event="purchase", **{"if": found})
        assert minutes(rule, bought) == [0], subject


SUBJECTS: Final = {
    'category.id == "tents" and not category.in_cart': ("category", [an_event("view", at=NOON, items=[P])]),
    'category.id == "tents" and category.in_cart': ("category", [an_event("add", at=NOON, items=[P])]),
    'cart.id == "k1" and cart.size == 1': ("cart", [an_event("add", at=NOON, cart_id="k1", items=[P])]),
    'order.id == "o1" and order.value == 12.5 and order.currency == "EUR"': (
        "order", [an_event("purchase", at=NOON, order_id="o1", items=[P, Q], currency="eur")],
    ),
    'order.value == 40 and order.currency == "XXX"': (
        "order", [an_event("purchase", at=NOON, order_id="o1", items=[P], value=40)],
    ),
    "not exists(order.value) and not exists(order.currency)": (
        "order", [an_event("refund", at=NOON, order_id="o1", value=4)],
    ),
    'query.text == "a tent"': ("query", [an_event("search", at=NOON, query=" a tent ")]),
    'session.id == "s1"': ("session", [an_event("page", at=NOON, session_id="s1")]),
}  # fmt: skip


@pytest.mark.parametrize("condition", SUBJECTS)
def test_subjects_have_names_of_their_own(condition: str) -> None:
    """Each is known at the decision, typed, and of its own subject."""
    subject, events = SUBJECTS[condition]
    rule = rule_of(subject=subject, event=events[-1]["type"], **{"if": condition})
    assert minutes(rule, *events) == [0]


def test_a_checkout_is_worth_what_was_told_last() -> None:
    """Of this checkout, by the time of the events; an event that tells nothing changes nothing."""
    rule = rule_of(subject="checkout", quiet={"after": "30m", "opens": ["checkout", "payment_failed"]},
                   value="checkout.value", **{"if": "checkout.value >= 100"})  # fmt: skip
    told = [("checkout", "h1", 90), ("checkout", "h2", 500), ("payment_failed", "h1", 120),
            ("checkout", "h1", None), ("checkout", "h3", 99)]  # fmt: skip
    events = [
        an_event(kind, at=NOON + m * MINUTE, checkout_id=checkout, value=value)
        for m, (kind, checkout, value) in enumerate(told)
    ]
    assert minutes(rule, *events) == [31, 33]


@pytest.mark.parametrize(("subject", "condition", "said"), [
    ("person", 'category.id == "x"', "category.id does not exist for the subject person"),
    ("order", "order.value == order.id", "order.value is a number, order.id a text"),
    ("session", 'distinct("session", "page", within=days(1)) > 1', "the subject itself"),
    ("person", 'distinct("brnd", "view", within=days(1)) > 1', "nearest: brand"),
    ("person", 'sum("worth", "profile", within=days(1)) > 1', "which never names a product"),
    ("person", 'sum("price", "view", within=days(1)) > 1', "unknown field 'price'; known: quantity, value, "),
])  # fmt: skip
def test_mistakes_are_found(subject: str, condition: str, said: str) -> None:
    """Names of another subject, types that do not fit, and what is always one."""
    keys = {"rule": "own", "subject": subject, "event": "view", "if": condition, "steps": STEPS}
    _, problems = read_rules([Document("a test", keys)], VOCABULARY)
    assert any(said in problem for problem in problems), problems
