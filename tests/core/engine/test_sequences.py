"""Sequences: one event after another, within a window, with nothing forbidden between."""

from __future__ import annotations

from typing import Any

from retarget.rules.model import Rule
from retarget.times import HOUR, MINUTE
from tests.core.shop import Shop, a_rule
from tests.factories import NOON, Event, a_purchase, a_view, an_add, an_event

STEPS = [{"channels": ["onsite"], "template": "a"}]


def asked_then_added(**keys: Any) -> Rule:  # noqa: ANN401 - whatever an author writes
    """A chat, then an add within an hour, without a purchase between."""
    sequence = {"first": "chat", "then": "add", "within": "1h", "without": "purchase"}
    return a_rule(**{"rule": "asked", "subject": "person", "sequence": sequence, "steps": STEPS} | keys)


def chat(at: int) -> Event:
    """A talk."""
    return an_event("chat", at=at)


def dues(*events: Event, **keys: Any) -> list[int]:  # noqa: ANN401 - see asked_then_added
    """When something was sent, in minutes from noon on."""
    shop = Shop([asked_then_added(**keys)]).read(*events).end()
    return [(send.at - NOON) // MINUTE for send in shop.lane.journeys["u1"].sends]


def test_the_second_completes_the_first() -> None:
    """Every `then` within the window is decided, one at its end is not."""
    late = [an_add("p1", at=NOON + minutes * MINUTE) for minutes in (10, 59, 60)]
    assert dues(chat(NOON), *late) == [10, 59]


def test_the_order_counts() -> None:
    """An add before the chat completes nothing; of one moment the order of arrival counts."""
    assert dues(an_add("p1", at=NOON), chat(NOON + MINUTE)) == []
    assert dues(an_add("p1", at=NOON), chat(NOON)) == []
    assert dues(chat(NOON), an_add("p1", at=NOON)) == [0]


def test_nothing_forbidden_may_come_between() -> None:
    """A purchase between undoes the chat, one before it does not, and another chat begins afresh."""
    bought = a_purchase("p9", at=NOON + MINUTE)
    assert dues(chat(NOON), bought, an_add("p1", at=NOON + 2 * MINUTE)) == []
    assert dues(a_purchase("p9", at=NOON), chat(NOON), an_add("p1", at=NOON + 2 * MINUTE)) == [2]
    again = [chat(NOON + 2 * MINUTE), an_add("p1", at=NOON + 3 * MINUTE)]
    assert dues(chat(NOON), bought, *again) == [3]


def test_what_comes_late_is_put_in_its_place() -> None:
    """A purchase that arrives late still lies between; a chat that does so comes before what follows it."""
    late = [an_add("p1", at=NOON + 3 * MINUTE), a_purchase("p9", at=NOON + MINUTE)]
    assert dues(chat(NOON), *late, an_add("p2", at=NOON + 4 * MINUTE)) == [3]
    assert dues(an_add("p1", at=NOON + HOUR), chat(NOON), an_add("p1", at=NOON + 59 * MINUTE)) == [60]


def test_a_sequence_is_about_its_subject() -> None:
    """A product that was viewed is not the one that is put into the cart; the evidence is both events."""
    rule = asked_then_added(subject="product", sequence={"first": "view", "then": "add", "within": "1h"})
    shop = Shop([rule]).read(
        a_view("p1", id="v1"), a_view("p2", at=NOON + 1), an_add("p1", "p3", at=NOON + 2, id="a1")
    )
    assert [m["subject"]["id"] for m in shop.sent()] == ["p1"]
    assert shop.final()[0]["evidence"] == ["v1", "a1"]


def test_an_ending_takes_back_what_a_sequence_sent() -> None:
    """`unless` ends the later steps and recalls the first."""
    steps = [*STEPS, {"after": "1d", "channels": ["onsite"], "template": "b"}]
    shop = Shop([asked_then_added(steps=steps, unless=["checkout"])])
    shop.read(chat(NOON), an_add("p1", at=NOON + MINUTE), an_event("checkout", at=NOON + HOUR))
    shop.until(NOON + 48 * HOUR)
    assert [d["operation"] for d in shop.final()] == ["send", "recall"]
