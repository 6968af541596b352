"""Dates: what waits for a day that a trait tells, or for the time at which something is needed again."""

from __future__ import annotations

from typing import Any

from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, parse_time
from tests.core.shop import Shop, a_rule
from tests.factories import MIDNIGHT, NOON, Event, a_purchase, an_event

STEPS = [{"channels": ["onsite"], "template": "a"}]


def told(day: object, at: int = NOON, **fields: Any) -> Event:  # noqa: ANN401 - whatever an event needs
    """A profile with the day."""
    return an_event("profile", at=at, traits={"until": day}, **fields)


def dated(**keys: Any) -> Rule:  # noqa: ANN401 - whatever an author writes
    """A rule that waits for the trait `until`."""
    date = {"trait": "until", **keys.pop("date", {})}
    return a_rule(**{"rule": "dated", "subject": "person", "date": date, "steps": STEPS} | keys)


def dues(rule: Rule, *events: Event) -> list[int]:
    """When it was decided within a year, in ms from the first midnight on."""
    shop = Shop([rule])
    shop.between = shop.through_the_store
    shop.read(*events).until(NOON + 366 * DAY)
    return [parse_time(d["due"]) - MIDNIGHT for d in shop.final() if d["operation"] == "send"]


def test_at_before_and_after_a_day() -> None:
    """The first midnight is that of 2024-03-01; a day is its midnight in UTC, a time is itself."""
    assert dues(dated(), told("2024-03-11")) == [10 * DAY]
    assert dues(dated(date={"before": "3d"}), told("2024-03-11")) == [7 * DAY]
    assert dues(dated(date={"after": "12h"}), told("2024-03-11T06:00:00+01:00")) == [10 * DAY + 17 * HOUR]


def test_the_last_word_counts() -> None:
    """Another day moves the wait; one that is over, or is none, ends it; other traits leave it alone."""
    assert dues(dated(), told("2024-03-11"), told("2024-03-21", NOON + DAY)) == [20 * DAY]
    assert dues(dated(), told("2024-03-21"), told("2024-03-11", NOON + DAY)) == [10 * DAY]
    assert dues(dated(), told("2024-03-21"), told("2024-02-11", NOON + DAY)) == []
    assert dues(dated(), told("2024-03-21"), told("soon", NOON + DAY)) == []
    other = an_event("profile", at=NOON + DAY, traits={"email": "x@example.org"})
    assert dues(dated(), told("2024-03-21"), other) == [20 * DAY]


def test_what_is_told_on_the_day_comes_too_late() -> None:
    """A day that has begun opens nothing, also when it is told again after the message."""
    assert dues(dated(), told("2024-03-01")) == []
    assert dues(dated(), told("2024-03-11"), told("2024-03-11", NOON + 11 * DAY)) == [10 * DAY]


def test_an_ending_ends_it_until_it_is_told_again() -> None:
    """`unless` closes what waits for a day."""
    rule = dated(unless=["cancel"])
    cancel = an_event("cancel", at=NOON + DAY)
    assert dues(rule, told("2024-03-11"), cancel) == []
    assert dues(rule, told("2024-03-11"), cancel, told("2024-03-11", NOON + 2 * DAY)) == [10 * DAY]


def test_a_day_that_moves_leaves_later_steps_alone() -> None:
    """Once step 1 is decided the steps count from it."""
    steps = [*STEPS, {"after": "5d", "channels": ["onsite"], "template": "b"}]
    found = dues(dated(steps=steps), told("2024-03-11"), told("2024-04-11", NOON + 12 * DAY))
    assert found == [10 * DAY, 15 * DAY]


def test_a_category_may_say_how_long_its_products_last() -> None:
    """Only while the person has no rhythm of their own."""
    rule = a_rule(
        rule="refill", subject="product", steps=STEPS, unless=[{"event": "purchase", "same": "subject"}],
        date={"interval": "purchase", "otherwise": {"c1": "30d"}, "before": "2d"},
    )  # fmt: skip
    bought = [a_purchase("p1", at=MIDNIGHT + days * DAY) for days in (0, 10, 20)]
    assert dues(rule, bought[0]) == [28 * DAY]
    assert dues(rule, *bought[:2]) == [38 * DAY]
    assert dues(rule, *bought) == [28 * DAY]
    tea = [{"product_id": "p2", "category": "tea"}]
    assert dues(rule, an_event("purchase", items=tea)) == []


def test_orders_of_one_moment_make_no_rhythm() -> None:
    """A median of nothing is not due at once, again and again."""
    rule = a_rule(rule="refill", subject="product", steps=STEPS, date={"interval": "purchase"})
    assert dues(rule, *[a_purchase("p1", at=NOON) for _ in range(4)]) == []
