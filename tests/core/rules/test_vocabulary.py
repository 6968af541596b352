"""The words of conditions, judged on journeys that the engine has made."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.journeys import sentiments
from retarget.rules.conditions import Condition, parse_condition
from retarget.rules.parse import Document, read_rules
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR, MINUTE
from tests.core.shop import Shop, a_rule
from tests.factories import NOON, Event, a_purchase, a_view, an_event

STEPS = [{"channels": ["onsite"], "template": "a"}]


def holds(condition: str, *events: Event) -> bool:
    """Whether the condition holds at the last event, a `page`."""
    rule = a_rule(rule="asks", subject="person", event="page", steps=STEPS, **{"if": condition})
    return bool(Shop([rule]).read(*events).sent())


def page(at: int = NOON) -> Event:
    """An event at which a condition can be judged."""
    return an_event("page", at=at)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('sum("value", "purchase", within=days(30)) == 169', True),
        ('sum("value", "purchase", within=hours(2)) == 30', True),
        ('sum("value", "purchase", "refund", within=days(30)) == 164', True),
        ('sum("value", "refund", within=minutes(1)) == 0', True),
        ('dwell("view", within=days(1)) == seconds(90)', True),
        ('dwell("view", within=hours(1)) < seconds(90)', True),
        ('days_with("purchase", within=days(30)) == 2', True),
        ('days_with("purchase", within=hours(3)) == 1', True),
        ('days_with("chat", within=days(30)) == 0', True),
    ],
)
def test_windows_are_added_up(condition: str, expected: object) -> None:
    """Values, times spent and days in a window whose end belongs to it and whose beginning does not."""
    found = holds(
        condition,
        a_purchase("p1", at=NOON - 2 * DAY, value=40),
        a_view("p1", at=NOON - HOUR, dwell_ms=60_000),
        a_purchase("p2", at=NOON - 2 * HOUR, value=99),
        a_purchase("p3", at=NOON - HOUR, value=30),
        an_event("refund", at=NOON - MINUTE, value=-5),
        an_event("purchase", at=NOON - 30 * DAY, value=1000),
        a_view("p1", at=NOON - MINUTE, dwell_ms=30_000),
        a_view("p1", at=NOON - MINUTE),
        page(),
    )
    assert found is expected


def test_a_sum_is_about_the_subject() -> None:
    """Time spent with one product is not that spent with another."""
    events = [a_view("p1", dwell_ms=50_000), a_view("p2", at=NOON + MINUTE, dwell_ms=20_000)]
    rule = a_rule(rule="long", subject="product", event="view", steps=STEPS,
                  **{"if": 'dwell("view", within=hours(1)) >= seconds(30)'})  # fmt: skip
    shop = Shop([rule]).read(*events, a_view("p2", at=NOON + 2 * MINUTE, dwell_ms=10_000))
    assert [m["subject"]["id"] for m in shop.sent()] == ["p1", "p2"]


@pytest.mark.parametrize(
    ("condition", "traits", "expected"),
    [
        ('trait("tier") == "gold"', {"tier": "gold"}, True),
        ('trait("tier") != "gold"', {}, False),
        ('exists(trait("tier"))', {"tier": ""}, False),
        ('exists(trait("address"))', {"address": {"city": "Berlin"}}, True),
        ('not exists(trait("address"))', {"address": {}}, True),
        ('trait("vip") == "true"', {"vip": True}, True),
        ('trait_number("points") > 99', {"points": "100"}, True),
        ('trait_number("points") > 99', {"points": 99.5}, True),
        ('trait_number("points") > 0', {"points": "many"}, False),
        ('trait_number("points") > 0', {"points": True}, False),
        ('exists(trait_number("points"))', {"points": "nan"}, False),
    ],
)
def test_any_trait_can_be_asked_for(condition: str, traits: dict[str, Any], expected: object) -> None:
    """As text or as number; what is empty or was never told is unknown."""
    told = an_event("profile", at=NOON - MINUTE, traits=traits)
    assert holds(condition, told, page()) is expected


@pytest.mark.parametrize(
    ("told", "word", "score"),
    [
        ("positive", "positive", None),
        (" Negative", "negative", None),
        ("neutral", "neutral", None),
        ("so so", None, None),
        ("", None, None),
        (None, None, None),
        (0.2, "positive", 0.2),
        (-1, "negative", -1),
        (0, "neutral", 0),
        ("-0.5", "negative", -0.5),
        ("inf", None, None),
    ],
)
def test_sentiment_is_a_word_or_a_number(told: str | float | None, word: str, score: float) -> None:
    """A number, also as text, counts by its sign; nothing is made of what is neither."""
    assert (sentiments.word(told), sentiments.score(told)) == (word, score)


def test_what_a_trait_is_called_is_written_out() -> None:
    """A key that is no literal, or a field that cannot be added up, is refused."""
    for text in ("trait(person.stage) == 'x'", 'sum("price", "view", within=days(1)) > 1', "exists(1 + 1)"):
        assert not isinstance(parse_condition(text, VOCABULARY), Condition)


def tv(product: str, at: int) -> Event:
    """A view of a TV."""
    return an_event("view", at=at, items=[{"product_id": product, "category": "tv"}])


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ('distinct("product", "view", within=days(1)) == 3', True),
        ('distinct("product", "view", within=hours(2)) == 3', True),
        ('distinct("product", "view", within=minutes(60)) == 0', True),
        ('distinct("product", "view", category="tv", within=days(1)) == 2', True),
        ('distinct("product", "view", "add", category="tv", within=days(1)) == 3', True),
        ('distinct("product", "view", category="t", within=days(1)) == 0', True),
        ('distinct("category", "view", within=days(1)) == 2', True),
        ('count("view", category="tv", within=days(1)) == 3', True),
        ('count("view", category="lamps: new", within=days(1)) == 1', True),
        ('days_with("view", category="tv", within=days(2)) == 2', True),
        ('dwell("view", category="tv", within=days(1)) == seconds(5)', True),
        ('distinct("product", "view", about="person", within=days(1)) == 3', True),
    ],
)
def test_different_values_and_categories_are_told_apart(condition: str, expected: object) -> None:
    """A product seen twice is one; a category narrows to events, and products, of it."""
    found = holds(
        condition,
        tv("tv1", NOON - 3 * HOUR),
        tv("tv1", NOON - HOUR),
        an_event("view", at=NOON - HOUR, dwell_ms=5_000, items=[
            {"product_id": "tv2", "category": "tv"}, {"product_id": "lamp", "category": "lamps: new"},
            {"category": "tv"},
        ]),
        an_event("add", at=NOON - MINUTE, items=[{"product_id": "tv3", "category": "tv"}]),
        tv("tv4", NOON - DAY),
        page(),
    )  # fmt: skip
    assert found is expected


def test_a_rule_about_something_else_asks_about_the_person() -> None:
    """What a person returned is about no cart, but a rule about carts can ask for it."""
    condition = 'count("refund", about="person", within=days(30)) == 1 and carts.size == 2'
    rule = a_rule(rule="asks", subject="cart", event="add", steps=STEPS, **{"if": condition})
    events = [
        an_event("refund", at=NOON - DAY, order_id="o1"),
        an_event("add", at=NOON - HOUR, cart_id="k1", items=[{"product_id": "p1"}]),
        an_event("add", at=NOON, cart_id="k2", items=[{"product_id": "p2"}, {"product_id": "p1"}]),
    ]
    assert [m["subject"]["id"] for m in Shop([rule]).read(*events).sent()] == ["k2"]


@pytest.mark.parametrize(
    ("subject", "condition", "problem"),
    [
        ("cart", 'count("view", within=days(1)) == 0', "never about a cart, so there is nothing to count"),
        ("product", 'distinct("product", "view", within=days(1)) > 1', "the subject itself"),
        ("person", 'distinct("product", "view", within=days(1)) > 256', "by which this can never hold"),
        ("person", 'distinct("product", "view", within=days(1)) < 0', "by which this can never hold"),
        ("person", 'count("view", category="pregnancy", within=days(1)) > 0', "a word about health"),
        (
            "person",
            'distinct("product", "app_open", within=days(1)) > 1',
            "app_open, which never names a product",
        ),
        ("person", 'count("consent", category="tv", within=days(1)) > 1', "which never names a product"),
        (
            "person",
            'distinct("category", "view", category="tv", within=days(1)) > 1',
            "of which there is one",
        ),
        ("person", 'count("view", category="", within=days(1)) > 0', "category is empty"),
        ("person", 'count("view", about="cart", within=days(1)) > 0', "unknown about 'cart'; known: person"),
        ("person", 'distinct("colour", "view", within=days(1)) > 0', "unknown value 'colour'; known: "),
        ("person", 'distinct("product", within=days(1)) > 0', "types is missing"),
        ("person", 'distinct("product", "view") > 0', "within is missing"),
        ("person", 'distinct("product", "view", within=days(1)) == "two"', "is a number"),
    ],
)
def test_what_can_never_be_counted_is_refused(subject: str, condition: str, problem: str) -> None:
    """One line that names the condition and what is wrong with it."""
    document = Document("rule.yaml", {"rule": "asks", "subject": subject, "event": "add", "steps": STEPS,
                                      "if": condition})  # fmt: skip
    rules, problems = read_rules([document], VOCABULARY)
    assert not rules
    assert len(problems) == 1
    assert problem in problems[0]
    assert "$.if: " in problems[0]


@pytest.mark.parametrize(
    ("subject", "condition"),
    [
        ("person", 'event.type == "view" and event.dwell >= seconds(20) and event.medium != "paid"'),
        ("person", '"tv" in event.categories and not "tv2" in event.products'),
        ("product", 'product.category in ["tv", "lamp"] and product.stage in ["viewed", "considering"]'),
        (
            "product",
            "product.price * 2 - 1 == 1997 and not product.in_cart and not exists(product.since_bought)",
        ),
        ("product", 'person.stage == "bought" and product.since_viewed < minutes(1)'),
        ("cart", "cart.size == 1 and cart.value / 2 > 10 and carts.size == 1 and carts.value == 30"),
        ("person", 'profile.country == "DE" and trait_number("points") + 1 > 10 and exists(trait("tier"))'),
        ("person", "session.events >= 3 and session.length < hours(1) and person.known"),
        ("person", 'sum("value", "purchase", within=days(30)) == 99 or person.purchases > 1'),
        ("product", 'dwell("view", within=days(1)) >= seconds(20) and count("add", within=days(1)) == 0'),
        (
            "category",
            'distinct("product", "view", within=hours(1)) == 1 and days_with("view", within=days(3)) == 1',
        ),
        ("cart", 'distinct("product", "view", category="tv", about="person", within=days(7)) == 1'),
    ],
)
def test_what_the_contract_lists_can_be_said(subject: str, condition: str) -> None:
    """Event, subject, cart, person, stage, profile and visit; counts, sums and time spent in windows."""
    at = "add" if subject == "cart" else "view"
    rule = a_rule(rule="says", subject=subject, event=at, steps=STEPS, **{"if": condition})
    tv1 = [{"product_id": "tv1", "category": "tv", "price": 999}]
    lamp = [{"product_id": "lamp", "category": "lamp", "price": 30}]
    view = an_event("view", at=NOON, items=tv1, dwell_ms=20_000, medium="owned")
    add = an_event("add", at=NOON - MINUTE, items=lamp)
    events = [
        an_event("profile", at=NOON - DAY, traits={"country": "DE", "points": "10", "tier": "gold"}),
        a_purchase("p9", at=NOON - DAY, value=99),
        an_event("page", at=NOON - 2 * MINUTE),
        *([view | {"time": NOON - MINUTE}, add | {"time": NOON}] if at == "add" else [add, view]),
    ]
    assert len(Shop([rule]).read(*events).sent()) == 1


def refused(**words: Any) -> list[str]:  # noqa: ANN401 - keys of a rule
    """What is wrong with a rule of the catalogue that says this, or this instead."""
    document = {"rule": "r", "subject": "product", "catalogue": {"of": "price"}, "steps": STEPS, **words}
    return [line.partition(" $.")[2] for line in read_rules([Document("r.yaml", document)], VOCABULARY)[1]]


THERE = (
    "in catalogue.when; known: "
    "listing.margin, listing.price, listing.price_before, listing.stock, listing.stock_before"
)


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('product.category == "x"', f"product.category does not exist {THERE}; else use if"),
        ("product.price > 3", f"product.price does not exist {THERE}; nearest: listing.price; else use if"),
        ("listing.price != listing.price",
         "both sides of != are listing.price; known: another value on one of them"),
    ],
)  # fmt: skip
def test_a_condition_about_the_listing_says_what_it_knows(when: str, said: str) -> None:
    """What is about the product or the person stands under `if`."""
    assert refused(catalogue={"of": "price", "when": when}) == [f"catalogue.when: column 1: {said}"]


def test_the_listing_is_nowhere_else() -> None:
    """It is no subject that a rule could have."""
    said = refused(**{"if": "listing.price > 3"})
    assert said == ["if: column 1: listing.price exists in catalogue.when only"]


def test_what_exists_is_shown_as_an_example() -> None:
    """Whoever writes what the message shows has a right condition."""
    (said,) = refused(**{"if": 'exists("email")'})
    example = said.partition("such as ")[2]
    assert isinstance(parse_condition(example, VOCABULARY, "product"), Condition)


def test_channels_to_be_confirmed_are_channels() -> None:
    """A misspelled one is told, with the nearest; `*` means all."""
    (said,) = refused(**{"if": '"e-mail" in person.unconfirmed'})
    assert said.startswith("if: column 1: unknown value of person.unconfirmed 'e-mail'; known: *, ads, ")
    assert said.endswith("; nearest: email")
    assert refused(**{"if": '"email" in person.unconfirmed or "*" in person.unconfirmed'}) == []


def test_a_state_that_is_never_reached_is_told() -> None:
    """The first that holds wins; of two with the same condition that is always the same one."""
    states = {"a": "person.purchases > 2", "b": "person.known", "c": "person.purchases > 2"}
    document = {"rule": "r", "subject": "person", "becomes": states, "steps": STEPS}
    _, (said,) = read_rules([Document("r.yaml", document)], VOCABULARY)
    assert said.endswith(
        "$.becomes.c: found the condition of a, which comes before it, so that this state is never reached; "
        "known: another condition"
    )
