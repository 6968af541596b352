"""Arbitration: of what one person is about to get within a window, what has the most value is sent."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.engine.gates import WAITING_AT_MOST
from retarget.engine.policy import Policy, QuietHours
from retarget.rules.conditions import Formula, parse_formula
from retarget.rules.model import Rule
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY, HOUR, MINUTE, SECOND, format_time, parse_time
from tests.core.shop import Shop, a_policy, a_rule, shipped
from tests.factories import NOON, Event, a_cart, a_purchase, a_view, an_event, an_item
from tests.oracle.histories import histories

WINDOW: Final = 30 * MINUTE
# What each shipped rule expects, so that messages of one rule differ, some are equal, and some are unknown.
WORTHS: Final = {"cart": "0.1 * cart.value", "product": "product.price - 10", "person": "person.purchases"}


def at(kind: str, value: object = None, **keys: object) -> Rule:
    """A rule that writes at every event of a kind, which is worth so much to it."""
    said = {} if value is None else {"value": value}
    steps = [{"channels": ["email"], "template": "x"}]
    named = {"rule": f"at_{kind}", "subject": "person", "event": kind, "steps": steps}
    return a_rule(**named | said | keys)


def compared(*rules: Rule, window: int = WINDOW, **changes: object) -> Shop:
    """A shop in which messages compete."""
    return Shop(rules, a_policy(arbitration=window, **changes))


def told(shop: Shop) -> list[tuple[str, str]]:
    """Each final decision as (rule, reason or `sent`), in order."""
    return [(d["rule"], d["reason"] or "sent") for d in shop.final()]


def gate(decision: dict[str, Any]) -> dict[str, Any]:
    """The record of the gate `outbid`."""
    return next(g for g in decision["gates"] if g["gate"] == "outbid")


def test_the_message_with_more_value_is_sent_after_the_window() -> None:
    """Both wait; the record names who won and by what."""
    shop = compared(at("chat", 2), at("view", "1 + 2 * 3"))
    shop.read(an_event("chat", at=NOON), a_view("p1", at=NOON + MINUTE)).until(NOON + DAY)
    assert told(shop) == [("at_chat", "outbid"), ("at_view", "sent")]
    (first, second), (lost, won) = shop.decisions[:2], shop.final()
    assert (first["outcome"], first["reason"], first["release"]) == (
        "deferred", "outbid", format_time(NOON + WINDOW),
    )  # fmt: skip
    assert [d["decision_id"] for d in (first, second)] == [d["decision_id"] for d in (lost, won)]
    assert gate(lost)["value"] == {"rule": "at_view", "step": 1, "value": 7.0, "priority": 50}
    assert gate(lost)["limit"] == {"value": 2.0, "priority": 50, "due": NOON, "within_ms": WINDOW}
    assert gate(won)["value"] is None
    assert won["decided_at"] == format_time(NOON + MINUTE + WINDOW)
    assert [d["value"] for d in shop.decisions] == [2.0, 7.0, 2.0, 7.0]


def test_a_value_may_look_back_and_at_the_episode() -> None:
    """What only a value asks for is counted as well; each step works it out, and 1 / 0 is unknown."""
    text = 'count("view", within=hours(2)) + 10 * since_opened("view")'
    steps = [
        {"channels": ["email"], "template": "x"},
        {"channels": ["email"], "template": "x", "after": "2h"},
    ]
    rule = a_rule(
        rule="left", subject="person", quiet={"after": "1h", "opens": ["view"]}, value=text, steps=steps,
        unless=[{"when": 'count("add", within=hours(1)) > 5'}],
    )  # fmt: skip
    shop = Shop([rule, at("chat", "1 / person.purchases")], lateness=HOUR)
    shop.read(*(a_view("p1", at=NOON + minutes * MINUTE) for minutes in (0, 1, 2, 60)))
    shop.read(an_event("chat", at=NOON + 2 * HOUR)).until(NOON + DAY)
    values = [(d["rule"], d["step"], d["value"]) for d in shop.final()]
    assert values == [("left", 1, 43.0), ("at_chat", 1, None), ("left", 2, 40.0)]


def test_without_a_window_nothing_waits_or_competes() -> None:
    """Off is the default; the value is told all the same."""
    shop = compared(at("chat", 2), at("view", 7), window=0)
    shop.read(an_event("chat", at=NOON), a_view("p1", at=NOON + MINUTE))
    assert told(shop) == [("at_chat", "sent"), ("at_view", "sent")]
    assert [d["value"] for d in shop.decisions] == [2.0, 7.0]
    assert not any(g["gate"] == "outbid" for d in shop.decisions for g in d["gates"])


def test_what_comes_a_window_later_does_not_compete() -> None:
    """Less than a window apart is near; exactly a window is not."""
    rules = at("chat", 1), at("view", 2)
    apart = compared(*rules).read(an_event("chat", at=NOON), a_view("p1", at=NOON + WINDOW))
    assert told(apart.until(NOON + DAY)) == [("at_chat", "sent"), ("at_view", "sent")]
    near = compared(*rules).read(an_event("chat", at=NOON), a_view("p1", at=NOON + WINDOW - 1))
    assert told(near.until(NOON + DAY)) == [("at_chat", "outbid"), ("at_view", "sent")]
    before = compared(*rules).read(a_view("p1", at=NOON), an_event("chat", at=NOON + WINDOW - 1))
    assert told(before.until(NOON + DAY)) == [("at_view", "sent"), ("at_chat", "outbid")]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"value": 1}, {"priority": 90}),
        ({"priority": 51}, {}),
        ({"priority": 51}, {"value": "event.value", "priority": 50}),
        ({}, {"value": -1, "priority": 90}),
        ({"rule": "a_chat"}, {}),
    ],
    ids=["value", "priority", "an unknown value is none", "less than none", "name"],
)
def test_ties_are_broken_by_priority_and_name(ours: dict[str, object], theirs: dict[str, object]) -> None:
    """Value first; without one it counts as 0."""
    ours = {"rule": "b_chat"} | ours
    shop = compared(at("chat", **ours), at("view", **theirs))
    shop.read(a_view("p1", at=NOON), an_event("chat", at=NOON)).until(NOON + DAY)
    assert dict(told(shop)) == {str(ours["rule"]): "sent", "at_view": "outbid"}


def test_of_equal_worth_the_earlier_is_sent() -> None:
    """The same rule about two products; a step's own value counts before the rule's."""
    steps = [{"channels": ["email"], "template": "x", "value": "product.price"}]
    rule = at("view", 1, subject="product", steps=steps)
    looks = [a_view(item=None, at=NOON + n) | {"items": [an_item(f"p{n}", price=5)]} for n in range(3)]
    dear = a_view(at=NOON + 9) | {"items": [an_item("p9", price=6)]}
    shop = compared(rule).read(*looks).until(NOON + DAY)
    assert [(m["subject"]["id"]) for m in shop.sent()] == ["p0"]
    shop = compared(rule).read(*looks, dear).until(NOON + DAY)
    assert [(m["subject"]["id"]) for m in shop.sent()] == ["p9"]


def test_only_marketing_of_one_person_competes() -> None:
    """Service leaves at once, audiences are joined at once, and other people are other people."""
    service = at("chat", 9, purpose="service", steps=[{"channels": ["service"], "template": "x"}])
    joins = at("add", steps=[{"audience": {"add": "x"}}])
    shop = compared(service, joins, at("view", 1))
    shop.read(
        an_event("chat", at=NOON), an_event("add", at=NOON), a_view("p1", at=NOON),
        a_view("p1", at=NOON, person="u2"),
    )  # fmt: skip
    assert told(shop) == [("at_chat", "sent"), ("at_add", "sent")]
    assert told(shop.until(NOON + DAY))[2:] == [("at_view", "sent")] * 2


def test_what_waits_is_judged_anew() -> None:
    """A purchase closes what waits, and what is closed competes no more."""
    quiet = a_rule(
        rule="cart_left", subject="cart", quiet={"after": "1s", "opens": ["cart"]}, unless=["purchase"],
        steps=[{"channels": ["email"], "template": "x"}], value=9,
    )  # fmt: skip
    shop = compared(quiet, at("view", 1))
    shop.read(
        a_cart("p1", at=NOON), a_view("p2", at=NOON + MINUTE), a_purchase("p1", at=NOON + 2 * MINUTE)
    ).until(NOON + DAY)
    assert told(shop) == [("cart_left", "closed"), ("at_view", "sent")]


def test_what_the_night_catches_is_compared_in_the_morning() -> None:
    """The window ends at night: it leaves in the morning, and keeps what it competes with."""
    shop = compared(at("chat", 1), at("view", 2), quiet_hours=QuietHours(spread=0))
    night = NOON + 9 * HOUR
    shop.read(an_event("chat", at=night - MINUTE), a_view("p1", at=night - 2)).until(NOON + 2 * DAY)
    assert told(shop) == [("at_chat", "outbid"), ("at_view", "sent")]
    assert shop.sent()[0]["decided_at"] == format_time(NOON + 20 * HOUR)
    assert [(d["outcome"], d["reason"]) for d in shop.decisions[:2]] == [("deferred", "outbid")] * 2
    assert len(shop.decisions) == 4


def test_what_the_night_put_off_competes_in_the_morning() -> None:
    """What comes at night competes from the morning on, with one record that it was put off."""
    shop = compared(at("chat", 1), at("view", 2), quiet_hours=QuietHours(spread=0))
    night, morning = NOON + 10 * HOUR, NOON + 20 * HOUR
    shop.read(an_event("chat", at=night), a_view("p1", at=morning + MINUTE)).until(NOON + 2 * DAY)
    assert told(shop) == [("at_chat", "outbid"), ("at_view", "sent")]
    assert [d["outcome"] for d in shop.decisions if d["rule"] == "at_chat"] == ["deferred", "suppressed"]


def test_nothing_waits_until_it_has_expired() -> None:
    """A message that is worth nothing after ten minutes waits no longer than that."""
    shop = compared(at("view", 1, expires="10m")).read(a_view("p1", at=NOON)).until(NOON + DAY)
    assert told(shop) == [("at_view", "sent")]
    assert shop.sent()[0]["decided_at"] == format_time(NOON + 10 * MINUTE - 1)


def test_so_many_messages_of_a_person_wait() -> None:
    """A robot's thousand looks do not make a thousand waits: what is worth less is dropped at once."""
    shop = compared(at("view", 1), window=DAY)
    shop.read(*(a_view("p1", at=NOON + n) for n in range(1000)))
    assert len(shop.lane.journeys["u1"].deferred) == WAITING_AT_MOST
    assert told(shop.until(NOON + 2 * DAY)).count(("at_view", "sent")) == 1


def test_another_window_concerns_what_waits() -> None:
    """Switched off, what waits is sent when its time comes."""
    rules = at("chat", 1), at("view", 2)
    shop = compared(*rules).read(an_event("chat", at=NOON), a_view("p1", at=NOON))
    shop.policy = a_policy()
    assert told(shop.under(rules).until(NOON + DAY)) == [("at_chat", "sent"), ("at_view", "sent")]


def formula(text: str, subject: str) -> Formula:
    """The value of that text."""
    found = parse_formula(text, VOCABULARY, subject)
    assert isinstance(found, Formula), found
    return found


def worth() -> tuple[Rule, ...]:
    """The shipped rules, each with a value of its subject."""
    return tuple(
        replace(rule, value=formula(WORTHS[rule.subject], rule.subject)) if rule.subject in WORTHS else rule
        for rule in shipped()
    )


POLICIES: Final = st.builds(
    lambda window, sleeps, most: a_policy(
        arbitration=window, quiet_hours=QuietHours(enabled=sleeps), caps_total=most
    ),
    st.sampled_from([SECOND, 10 * MINUTE, 30 * MINUTE, 8 * HOUR, DAY]),
    st.booleans(),
    st.sampled_from([Policy(zone_of=lambda _: None).caps_total, ()]),
)


@given(histories(max_events=40), POLICIES)
def test_no_two_competing_messages_are_sent_within_a_window(events: list[Event], policy: Policy) -> None:
    """Whatever nights and caps put off, a person's marketing is at least a window apart."""
    shop = Shop(worth(), policy).read(*events).end()
    times = defaultdict(list)
    for message in shop.sent():
        if message["purpose"] == "marketing":
            times[message["person"]].append(parse_time(message["decided_at"]))
    for found in times.values():
        assert all(later - earlier >= policy.arbitration for earlier, later in pairwise(found))


@given(histories(max_events=40), POLICIES)
def test_the_one_worth_most_is_never_outbid(events: list[Event], policy: Policy) -> None:
    """Whoever outbids is worth more; of all that a person could get, what is worth most is not outbid."""
    shop = Shop(worth(), policy).read(*events).end()
    ranks: dict[str, list[tuple[float, int]]] = defaultdict(list)
    lost: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for decision in shop.decisions:
        own = [g for g in decision["gates"] if g["gate"] == "outbid"]
        for seen in own:
            rank = seen["limit"]["value"], seen["limit"]["priority"]
            ranks[decision["person"]].append(rank)
            if seen["value"] is not None:
                lost[decision["person"]].append(rank)
                assert (seen["value"]["value"], seen["value"]["priority"]) >= rank
    for person, found in lost.items():
        best = max(ranks[person])
        assert ranks[person].count(best) > 1 or best not in found
