"""After merges of several anonymous people the known one gets what one lane would have sent from there on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.rules.model import Rule
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_time
from tests.core.identity.exceptions import (
    OF_KNOWLEDGE,
    OF_RULES,
    TOLD_ELSEWHERE,
    OfKnowledge,
    OfRule,
    OneDeed,
    Tale,
)
from tests.core.lanes import Lanes
from tests.core.shop import ALL, Shop, a_policy, shipped
from tests.factories import NOON, Event, a_purchase, an_add, an_event, an_item

RULES: Final = tuple(rule for rule in shipped() if rule.name not in TOLD_ELSEWHERE)
REFILL: Final = shipped(frozenset({"refill"}))
FEELINGS: Final = {"happy": "positive", "cross": "negative"}
LATENESS: Final = 10 * MINUTE
LATEST: Final = NOON + 100 * DAY
OLDEST: Final = 2
# What the person is told and by which id; everything else in a journey is what is known of them.
OF_DECISIONS: Final = frozenset(
    {"episodes", "marks", "sends", "deferred", "offers", "arms", "alarm", "audiences", "pauses"}
)
OF_IDS: Final = frozenset({"anonymous_id", "joined", "recent", "recent_marks"})


def things(*after: int) -> st.SearchStrategy[OneDeed]:
    """Whatever happens."""
    kinds = (
        "view", "view", "view", "add", "add", "wishlist", "search", "purchase", "checkout", "chat",
        "store_visit", *FEELINGS,
    )  # fmt: skip
    return st.builds(
        OneDeed,
        kind=st.sampled_from(kinds),
        product=st.sampled_from(("p1", "p2")),
        person=st.sampled_from(("u1", "a1", "a2", "a3")),
        after=st.sampled_from(after),
        crosses=st.integers(0, 2),
    )


def stories(*longest: int) -> st.SearchStrategy[Tale]:
    """Quick ones, and slow ones with such times of silence."""
    quickly, slowly = things(SECOND, 20 * SECOND, MINUTE), things(SECOND, MINUTE, 20 * MINUTE, *longest)
    return st.builds(
        Tale,
        told=st.lists(quickly, min_size=2, max_size=14) | st.lists(slowly, min_size=4, max_size=14),
        says=st.lists(st.integers(0, 13), min_size=1, max_size=3),
    )


def events_of(story: Tale) -> tuple[list[Event], list[int]]:
    """The events, and how much crosses after each."""
    people = ["u1", *(f"a{number}" for number in range(1, len(story.says) + 1))]
    found = [
        an_event("profile", at=NOON - 9 + n, person=who, traits={"push_token": "t", "email": "x@example.net"})
        for n, who in enumerate(people)
    ]
    crosses, at = [0] * len(found), NOON
    for number, one in enumerate(story.told):
        at += one.after
        for anonymous, said in zip(people[1:], story.says, strict=True):
            if number == min(said, len(story.told) - 1):
                found.append(an_event("identify", at=at, person="u1", anonymous_id=anonymous))
                crosses.append(one.crosses)
                at += SECOND
        more: Event = {"items": [an_item(one.product)]} if one.kind != "search" else {"query": "q"}
        who = one.person if one.person in people else "a1"
        if one.kind in FEELINGS:
            more["sentiment"] = FEELINGS[one.kind]
        found.append(an_event("social" if one.kind in FEELINGS else one.kind, at=at, person=who, **more))
        crosses.append(one.crosses)
    return found, crosses


def as_known(one: Event) -> Event:
    """The event as it would be if everybody had known all along."""
    return {key: value for key, value in one.items() if key != "anonymous_id"} | {"user_id": "u1"}


class Both:
    """The run over two lanes beside that in one, at the same time by both clocks."""

    def __init__(self, story: Tale, rules: tuple[Rule, ...] = RULES) -> None:
        policy = a_policy()
        self.lanes = Lanes(rules, policy, lateness=LATENESS)
        self.alone = Shop(rules, policy, lateness=LATENESS)
        self.events, self.crosses = events_of(story)
        self.anonymous = len(story.says)

    @property
    def is_merged(self) -> bool:
        """Whether all have been put together, and nothing of it is on its way."""
        lanes = self.lanes
        return lanes.counts["joined",] >= self.anonymous and not (lanes.on_the_way or lanes.lanes[0].journeys)

    def until_merged(self) -> list[Event]:
        """Nothing is on its way for longer than the lateness; what is left to be read."""
        ages, before = 0, NOON
        for number, (one, most) in enumerate(zip(self.events, self.crosses, strict=True)):
            if one["time"] - before > MINUTE and self._wait(before, one["time"]):
                return self.events[number:]
            before = one["time"]
            self.lanes.read(one)
            self.alone.read(as_known(one))
            ages = ages + 1 if self.lanes.on_the_way else 0
            self.lanes.cross(ALL if ages > OLDEST else most).stored()
            if self.is_merged:
                return self.events[number + 1 :]
        assert self._wait(before, before + 3 * LATENESS)
        return []

    def _wait(self, since: int, until: int) -> bool:
        """Time goes by while nothing happens; whether all have been merged."""
        for at in range(since - LATENESS + MINUTE, until - LATENESS, 5 * MINUTE):
            self.lanes.until(at)
            self.alone.until(at)
            if self.is_merged:
                return True
        return False

    def go_on(self, events: list[Event]) -> tuple[list[Any], list[Any]]:
        """What both send from now on."""
        lanes, alone = self.lanes, self.alone
        before = len(lanes.sent()), len(alone.sent())
        for one in events:
            lanes.read(one).cross()
            alone.read(as_known(one))
        lanes.until(LATEST)
        alone.until(LATEST)
        return sorted(map(what, lanes.sent()[before[0] :])), sorted(map(what, alone.sent()[before[1] :]))


def what(message: dict[str, Any]) -> tuple[str, ...]:
    """What is said, whoever to."""
    return (message["rule"], message["subject"]["id"], str(message["step"]), message["due"])


def sent_about(messages: list[dict[str, Any]]) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
    """What was sent, by rule and subject."""
    found: defaultdict[tuple[str, ...], list[tuple[str, ...]]] = defaultdict(list)
    for message in sorted(messages, key=what):
        found[what(message)[:2]].append(what(message)[2:])
    return found


def marks_of(decisions: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """When `again` last let pass what, on either side."""
    found: dict[str, dict[str, int]] = {}
    for one in decisions:
        if one["step"] == 1 and one["operation"] == "send" and one["reason"] not in ("again", "closed"):
            subject = "u1" if one["subject"]["kind"] == "person" else one["subject"]["id"]
            marks, due = found.setdefault(one["rule"], {}), parse_time(one["due"])
            marks[subject] = max(due, marks.get(subject, due))
    return found


def as_given(
    alone: Shop, merged: Journey, decisions: list[dict[str, Any]], differs: set[tuple[str, ...]]
) -> None:
    """Let what has been sent, and what it bars, be as it was in two lanes.

    Also the episodes of which something was sent in one run and not in the other.
    """
    journey = wire.decode(wire.encode(alone.lane.journeys["u1"]))
    journey.sends, journey.marks, journey.deferred = merged.sends, marks_of(decisions), merged.deferred
    journey.pauses = merged.pauses
    for rule, subject in differs:
        journey.close(rule, subject)
        if subject in merged.episodes.get(rule, {}):
            journey.episodes.setdefault(rule, {})[subject] = merged.episodes[rule][subject]
    dues = [episode.due for by_subject in journey.episodes.values() for episode in by_subject.values()]
    journey.alarm = min(dues, default=0)
    alone.lane.journeys.clear()
    alone.lane.admit(journey)
    if dues:
        alone.lane.waits.arm(journey.alarm, journey.person)


def known_of(journey: Journey, but_for: Iterable[OfKnowledge]) -> dict[str, Any]:
    """What a journey knows, apart from decisions and ids, and of exceptions what is left."""
    names = [name for name in journey.__struct_fields__ if name not in OF_DECISIONS | OF_IDS]
    found = {name: msgspec.to_builtins(getattr(journey, name)) for name in names}
    found["carts"] = {cart: lines for cart, lines in found["carts"].items() if lines}
    for exception in but_for:
        found[exception.field] = exception.left(found[exception.field])
    return found


def sent_after(story: Tale, rules: tuple[Rule, ...]) -> tuple[list[Any], list[Any]]:
    """What both runs send from the merge on, with the sends from before as they were given."""
    both = Both(story, rules)
    left = both.until_merged()
    assert both.lanes.lanes[1].clock == both.alone.lane.clock
    merged = wire.decode(wire.encode(both.lanes.lanes[1].journeys["u1"]))
    before, known_before = sent_about(both.lanes.sent()), sent_about(both.alone.sent())
    differs = {one for one in before.keys() | known_before.keys() if before[one] != known_before[one]}
    assert {m["message_id"] for m in both.lanes.sent()} <= {one.message_id for one in merged.sends}
    as_given(both.alone, merged, both.lanes.decisions, differs)
    return both.go_on(left)


def known_after(story: Tale, but_for: Iterable[OfKnowledge]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the merged journey knows, and that of one lane."""
    both = Both(story)
    both.until_merged()
    merged, alone = both.lanes.lanes[1].journeys["u1"], both.alone.lane.journeys["u1"]
    return known_of(merged, but_for), known_of(alone, but_for)


@settings(max_examples=120, deadline=None)
@given(stories(3 * HOUR, 25 * HOUR))
def test_after_the_merges_the_sends_are_those_of_one_lane(story: Tale) -> None:
    """With the sends from before as they were given, the identity known: the same is sent, when it is due."""
    left_out = {one.rule for one in OF_RULES if one.holds(story)}
    merged, alone = sent_after(story, tuple(rule for rule in RULES if rule.name not in left_out))
    assert merged == alone


def orders() -> st.SearchStrategy[Tale]:
    """Of two products, again and again, by several people who turn out to be one."""
    deed = st.builds(
        OneDeed,
        kind=st.sampled_from(("purchase", "purchase", "purchase", "view")),
        product=st.sampled_from(("p1", "p2")),
        person=st.sampled_from(("u1", "a1", "a2")),
        after=st.sampled_from((SECOND, HOUR, 25 * HOUR, 70 * HOUR)),
        crosses=st.integers(0, 2),
    )
    says = st.lists(st.integers(0, 13), min_size=1, max_size=2)
    return st.builds(Tale, told=st.lists(deed, min_size=4, max_size=14), says=says)


@settings(max_examples=100, deadline=None)
@given(orders())
@example(
    Tale(
        [
            OneDeed("purchase", "p2", "u1", SECOND, 0), OneDeed("view", "p1", "u1", 25 * HOUR, 0),
            OneDeed("purchase", "p2", "u1", SECOND, 0), OneDeed("purchase", "p2", "a1", SECOND, 0),
        ],
        [1],
    )
)  # fmt: skip
def test_what_both_sides_have_bought_is_expected_again_when_one_lane_would(story: Tale) -> None:
    """Three orders of one person, of which neither side alone knew more than two."""
    merged, alone = sent_after(story, REFILL)
    assert merged == alone


@settings(max_examples=100, deadline=None)
@given(stories(HOUR))
def test_after_the_merges_all_is_known_that_one_lane_knows(story: Tale) -> None:
    """Looks, prices, counts, endings, wishes, words of consent, who hears of which product."""
    merged, alone = known_after(story, OF_KNOWLEDGE)
    assert merged == alone


@pytest.mark.parametrize("exception", OF_RULES, ids=lambda one: one.rule)
def test_each_rule_that_is_left_out_differs(exception: OfRule) -> None:
    """In its story, of which it holds: else it is to be struck out."""
    assert exception.holds(exception.story)
    merged, alone = sent_after(exception.story, tuple(r for r in RULES if r.name == exception.rule))
    assert merged != alone, f"{exception.rule!r} is no exception any more: {exception.because}"


@pytest.mark.parametrize("exception", OF_KNOWLEDGE, ids=lambda one: one.field)
def test_each_field_that_is_left_out_differs(exception: OfKnowledge) -> None:
    """In its story, with all others left out: else it is to be struck out."""
    merged, alone = known_after(exception.story, [one for one in OF_KNOWLEDGE if one is not exception])
    assert merged != alone, f"{exception.field!r} is no exception any more: {exception.because}"


def a_history(*, bought: int) -> list[Event]:
    """A cart is touched before and after its reminder, and something bought by the known person meanwhile."""
    token = {"traits": {"push_token": "t"}}
    return sorted(
        [
            an_event("profile", at=NOON - 1, person="a1", **token),
            an_add("p1", at=NOON, person="a1"), an_add("p2", at=NOON + 20 * MINUTE, person="a1"),
            an_add("p3", at=NOON + 3 * HOUR, person="a1"),
            a_purchase("p9", at=bought),
            an_event("identify", at=NOON + 4 * HOUR, person="u1", anonymous_id="a1"),
        ],
        key=lambda one: int(one["time"]),
    )  # fmt: skip


def steps_after(bought: int) -> list[tuple[str, int]]:
    """Which messages about the cart leave."""
    cart = shipped(frozenset({"abandoned_cart"}))
    lanes = Lanes(cart).read(*a_history(bought=bought)).cross().until(NOON + 10 * DAY)
    return [(m["person"], m["step"]) for m in lanes.sent()]


def test_an_ending_of_the_other_side_ends_a_series_that_was_touched_after_it() -> None:
    """Who has bought is not reminded for three days, because they put something into the cart later."""
    assert steps_after(NOON + 2 * HOUR) == [("a1", 1)]


def test_an_ending_before_the_last_touch_before_the_reminder_ends_nothing_of_it() -> None:
    """One person's reminder would have been about what they put in after it, too: the series goes on."""
    assert steps_after(NOON + 10 * MINUTE) == [("a1", 1), ("u1", 2), ("u1", 3)]


def test_what_was_touched_after_the_ending_is_reminded_of_by_itself() -> None:
    """A series that the other side has ended leaves room for a new one, when `again` allows it."""
    cart = shipped(frozenset({"abandoned_cart"}))
    late = NOON + 50 * HOUR
    history = [
        an_event("profile", at=NOON - 1, person="a1", traits={"push_token": "t"}),
        an_add("p1", at=NOON, person="a1"), a_purchase("p9", at=late),
        an_add("p2", at=late + MINUTE, person="a1"),
        an_event("identify", at=late + 2 * MINUTE, person="u1", anonymous_id="a1"),
    ]  # fmt: skip
    lanes = Lanes(cart)
    for one in history:
        lanes.until(one["time"]).read(one)
    lanes.cross().until(NOON + 20 * DAY)
    sent = [(m["person"], m["step"]) for m in lanes.sent()]
    alone = Shop(cart).read(*map(as_known, history)).until(NOON + 20 * DAY)
    assert [step for _, step in sent] == [m["step"] for m in alone.sent()] == [1, 2, 1, 2, 3]
    assert sent[2:] == [("u1", 1), ("u1", 2), ("u1", 3)]
    assert len({m["message_id"] for m in lanes.sent()}) == 5
