"""After merges of several anonymous people the known one gets what one lane would have sent from there on."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final, NamedTuple

import msgspec
from hypothesis import event, given, settings
from hypothesis import strategies as st

from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import DAY, HOUR, MINUTE, SECOND, parse_time
from tests.core.lanes import Lanes
from tests.core.shop import ALL, Shop, a_policy, shipped
from tests.factories import NOON, Event, a_purchase, an_add, an_event, an_item

# Not `browse_abandonment`, which asks for two views since its episode opened: where the other side knew an
# ending between two touches, the opening stays the earlier one (docs/readings.md). Nor `store_follow_up`,
# which waits from the first visit: of two, one on each side, the later due counts, as the contract says.
# What the catalogue tells, and audiences, are in `test_following.py`.
RULES: Final = shipped(
    frozenset(
        {
            "abandoned_cart", "abandoned_checkout", "repeated_view", "wishlist_reminder", "win_back",
            "search_abandonment", "choice_overload", "review_request", "chat_follow_up", "social_thanks",
            "service_care", "first_purchase", "loyal_customer", "price_hesitation", "brochure", "refill",
        }
    )
)  # fmt: skip
FEELINGS: Final = {"happy": "positive", "cross": "negative"}
LATENESS: Final = 10 * MINUTE
LATEST: Final = NOON + 100 * DAY
OLDEST: Final = 2
# What the person is told and by which id; everything else in a journey is what is known of them.
OF_DECISIONS: Final = frozenset(
    {"episodes", "marks", "sends", "deferred", "offers", "arms", "alarm", "audiences", "pauses"}
)
OF_IDS: Final = frozenset({"anonymous_id", "joined", "recent", "recent_marks"})
# Orders of the others are numbered behind the known person's own; a visit that only both sides together make
# one is two; of pieces in a cart nobody knows which were there before the other side bought the product.
# And each side has been tidied at a time of its own, of what no window reaches.
UNCLEAR: Final = frozenset({"orders", "session", "carts", "tidied"})


class Told(NamedTuple):
    """What happens, to whom, how long after what was before it, and how much crosses behind it."""

    kind: str
    product: str
    person: str
    after: int
    crosses: int


class Story(NamedTuple):
    """What happens, and before which of it each anonymous person says who they are."""

    told: list[Told]
    says: list[int]


def things(*after: int) -> st.SearchStrategy[Told]:
    """Whatever happens."""
    kinds = (
        "view", "view", "view", "add", "add", "wishlist", "search", "purchase", "checkout", "chat", *FEELINGS,
    )  # fmt: skip
    return st.builds(
        Told,
        kind=st.sampled_from(kinds),
        product=st.sampled_from(("p1", "p2")),
        person=st.sampled_from(("u1", "a1", "a2", "a3")),
        after=st.sampled_from(after),
        crosses=st.integers(0, 2),
    )


def stories(*longest: int) -> st.SearchStrategy[Story]:
    """Quick ones, and slow ones with such times of silence."""
    quickly, slowly = things(SECOND, 20 * SECOND, MINUTE), things(SECOND, MINUTE, 20 * MINUTE, *longest)
    return st.builds(
        Story,
        told=st.lists(quickly, min_size=2, max_size=14) | st.lists(slowly, min_size=4, max_size=14),
        says=st.lists(st.integers(0, 13), min_size=1, max_size=3),
    )


def events_of(story: Story) -> tuple[list[Event], list[int]]:
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

    def __init__(self, story: Story) -> None:
        policy = a_policy()
        self.lanes, self.alone = (
            Lanes(RULES, policy, lateness=LATENESS),
            Shop(RULES, policy, lateness=LATENESS),
        )
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


def known_of(journey: Journey) -> dict[str, Any]:
    """What a journey knows, apart from decisions and ids."""
    names = [name for name in journey.__struct_fields__ if name not in OF_DECISIONS | OF_IDS | UNCLEAR]
    found = {name: getattr(journey, name) for name in names}
    found["carts"] = {cart: set(lines) for cart, lines in journey.carts.items() if lines}
    found["orders"] = set(journey.orders)
    return {
        name: one if isinstance(one, set | dict) else msgspec.to_builtins(one) for name, one in found.items()
    }


@settings(max_examples=120, deadline=None)
@given(stories(3 * HOUR, 25 * HOUR))
def test_after_the_merges_the_sends_are_those_of_one_lane(story: Story) -> None:
    """With the sends from before as they were given, the identity known: the same is sent, when it is due."""
    both = Both(story)
    left = both.until_merged()
    assert both.lanes.lanes[1].clock == both.alone.lane.clock
    merged = wire.decode(wire.encode(both.lanes.lanes[1].journeys["u1"]))
    before, known_before = sent_about(both.lanes.sent()), sent_about(both.alone.sent())
    differs = {one for one in before.keys() | known_before.keys() if before[one] != known_before[one]}
    event(f"the runs differ before: {bool(differs)}")
    assert {m["message_id"] for m in both.lanes.sent()} <= {one.message_id for one in merged.sends}
    as_given(both.alone, merged, both.lanes.decisions, differs)
    after, known_after = both.go_on(left)
    assert after == known_after


@settings(max_examples=100, deadline=None)
@given(stories(HOUR))
def test_after_the_merges_all_is_known_that_one_lane_knows(story: Story) -> None:
    """Looks, prices, counts, endings, wishes, words of consent, who hears of which product."""
    both = Both(story)
    both.until_merged()
    merged, alone = both.lanes.lanes[1].journeys["u1"], both.alone.lane.journeys["u1"]
    assert known_of(merged) == known_of(alone)


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
