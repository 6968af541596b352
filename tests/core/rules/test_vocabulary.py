"""The words of conditions, judged on journeys that the engine has made."""

from __future__ import annotations

from typing import Any

import pytest

from retarget.journeys import sentiments
from retarget.rules.conditions import Condition, parse_condition
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
