"""What people are promised holds as well when the rules change in between, as often as they may."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.engine.policy import Cap, QuietHours
from retarget.rules.model import Quiet, Rule
from retarget.times import DAY, HOUR
from tests.core.properties.test_promises import (
    EAGER,
    assert_agreed,
    assert_awake,
    assert_capped,
    inputs,
    with_zones,
)
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
CUTS: Final = st.lists(st.integers(0, 120), max_size=6)
CHANGES: Final = st.lists(st.tuples(st.integers(0, 120), st.sampled_from(SETS)), max_size=5)


def taken_up(shop: Shop, rules: tuple[Rule, ...], lateness: int) -> Shop:
    """The same lane under other rules; what left before is kept."""
    other = shop.under(rules, lateness)
    other.messages, other.decisions, other.dead = shop.messages, shop.decisions, shop.dead
    other.between = other.through_the_store
    return other


def played(
    events: list[Event],
    lateness: int,
    changes: list[tuple[int, tuple[Rule, ...]]],
    cuts: Sequence[int] = (),
    **policy: object,
) -> Shop:
    """The events, with other rules from some places on, in batches up to `cuts`, each through the store."""
    shop = Shop(SETS[0], a_policy(**policy), lateness=lateness)
    places = [(0, SETS[0]), *sorted(changes, key=lambda change: change[0]), (len(events), SETS[0])]
    for (start, rules), (end, _) in pairwise(places):
        within = [cut - start for cut in cuts if start < cut < end]
        shop = taken_up(shop, rules, lateness).read(*events[start:end], cuts=within)
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


@given(inputs(), CHANGES, CUTS, st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_nobody_is_woken_across_changes(
    given_: tuple[list[Event], int],
    changes: list[tuple[int, tuple[Rule, ...]]],
    cuts: list[int],
    random: Random,
) -> None:
    """What waits for the morning under one set of rules leaves by day under another, in whatever batches."""
    events, zones = with_zones(given_[0], random)
    caps = {"eager": (Cap(1, 5 * HOUR),), "push": (Cap(1, 3 * HOUR),)}
    assert_awake(played(events, given_[1], changes, cuts, caps=caps, quiet_hours=QuietHours()), zones)


def with_words(events: list[Event], random: Random) -> list[Event]:
    """The events with words of consent between them, which grant and withdraw by turns."""
    spoken: list[Event] = []
    for event in events:
        spoken.append(event)
        person = {key: event[key] for key in ("user_id", "anonymous_id") if key in event}
        if person and random.random() < 1 / 3:
            channel, state = random.choice(["email", "push"]), random.choice(["granted", "revoked"])
            word = {"purpose": "marketing", "channel": channel, "state": state}
            time = event["time"] + random.randrange(1, 12 * HOUR)
            spoken.append(
                {"id": f"{event['id']}-said", "type": "consent", "time": time, "consent": word} | person
            )
    return sorted(spoken, key=lambda event: int(event["time"]))


@given(inputs(), CHANGES, CUTS, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=50)
def test_nobody_is_written_to_without_consent_across_changes(
    given_: tuple[list[Event], int],
    changes: list[tuple[int, tuple[Rule, ...]]],
    cuts: list[int],
    assumed: bool,  # noqa: FBT001
    random: Random,
) -> None:
    """A word that was heard under one set of rules holds under the next, for what waits already, too."""
    events = with_words(given_[0], random)
    shop = played(events, 0, changes, cuts, consent_assumed=assumed, quiet_hours=QuietHours())
    assert_agreed(shop, events, assumed=assumed)


@given(inputs(), CHANGES, CUTS, CUTS, st.booleans())
@settings(max_examples=40)
def test_batches_and_repetition_change_nothing_across_changes(
    given_: tuple[list[Event], int],
    changes: list[tuple[int, tuple[Rule, ...]]],
    cuts: list[int],
    others: list[int],
    sleeps: bool,  # noqa: FBT001
) -> None:
    """Played once more, in other batches, everything that leaves is the same and comes in the same order."""
    events, lateness = given_
    first, second = (
        played(events, lateness, changes, places, quiet_hours=QuietHours(enabled=sleeps))
        for places in (cuts, others)
    )
    assert second.messages == first.messages
    assert second.final() == first.final()
