"""What people are promised holds as well when the rules change in between, as often as they may."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.engine.policy import Cap, QuietHours
from retarget.rules.model import Quiet, Rule
from retarget.times import DAY, HOUR
from tests.core.properties.test_promises import EAGER, assert_capped, inputs
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import Event


def patient(rule: Rule) -> Rule:
    """Waits twice as long, and is not bothered by a first decision."""
    if not isinstance(rule.trigger, Quiet):
        return rule
    return replace(
        rule, trigger=replace(rule.trigger, after=2 * rule.trigger.after), again=0, version="patient"
    )


def brief(rule: Rule) -> Rule:
    """Has its first step only."""
    return replace(rule, steps=rule.steps[:1], version="brief")


SETS: Final[tuple[tuple[Rule, ...], ...]] = (
    shipped(),
    (*shipped(), *EAGER),
    tuple(map(patient, shipped())),
    tuple(map(brief, shipped())),
    tuple(rule for rule in shipped() if rule.name not in ("abandoned_cart", "wishlist_reminder")),
)
CHANGES: Final = st.lists(st.tuples(st.integers(0, 120), st.sampled_from(SETS)), max_size=5)


def taken_up(shop: Shop, rules: tuple[Rule, ...], lateness: int) -> Shop:
    """The same lane under other rules; what left before is kept."""
    other = shop.under(rules, lateness)
    other.messages, other.decisions, other.dead = shop.messages, shop.decisions, shop.dead
    return other


def played(
    events: list[Event], lateness: int, changes: list[tuple[int, tuple[Rule, ...]]], **policy: object
) -> Shop:
    """The events, with other rules from some places on."""
    shop = Shop(SETS[0], a_policy(**policy), lateness=lateness)
    places = [(0, SETS[0]), *sorted(changes, key=lambda change: change[0]), (len(events), SETS[0])]
    for (start, rules), (end, _) in pairwise(places):
        shop = taken_up(shop, rules, lateness).read(*events[start:end])
    return shop.until(max((event["time"] for event in events), default=0) + 30 * DAY)


@given(inputs(), CHANGES, st.booleans())
@settings(max_examples=50)
def test_caps_hold_across_changes(
    given_: tuple[list[Event], int],
    changes: list[tuple[int, tuple[Rule, ...]]],
    sleeps: bool,  # noqa: FBT001
) -> None:
    """Three in a day, eight in a week, and what a tag allows, whatever rules sent them."""
    events, lateness = given_
    caps = {"eager": (Cap(1, 2 * HOUR),), "push": (Cap(2, DAY),)}
    shop = played(events, lateness, changes, caps=caps, quiet_hours=QuietHours(enabled=sleeps))
    sent = shop.sent()
    assert_capped(sent, 3, DAY)
    assert_capped(sent, 8, 7 * DAY)
    assert_capped([m for m in sent if m["channel"] == "push"], 2, DAY)
    assert_capped([m for m in sent if m["rule"] == "eager"], 1, 2 * HOUR)


@given(inputs(), CHANGES, st.booleans())
@settings(max_examples=50)
def test_nothing_fails_or_comes_twice_across_changes(
    given_: tuple[list[Event], int],
    changes: list[tuple[int, tuple[Rule, ...]]],
    sleeps: bool,  # noqa: FBT001
) -> None:
    """No rule fails, no two messages share an id, and a recall names what it recalls."""
    events, lateness = given_
    shop = played(events, lateness, changes, quiet_hours=QuietHours(enabled=sleeps))
    assert shop.dead == []
    ids = [message["message_id"] for message in shop.messages]
    assert len(set(ids)) == len(ids)
    sent = {m["message_id"] for m in shop.messages if m["operation"] in ("send", "add")}
    assert all(m["recall_of"] in sent for m in shop.messages if m["operation"] in ("recall", "remove"))
