"""Whatever the order in which two lanes hear of one person: what holds of their messages."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from retarget.times import DAY, HOUR, MINUTE, SECOND, format_time
from tests.core.lanes import Lanes
from tests.core.shop import ALL, Shop, shipped
from tests.factories import NOON, Event, an_item

RULES: Final = shipped(
    frozenset({"abandoned_cart", "repeated_view", "wishlist_reminder", "search_abandonment"})
)
LATENESS: Final = 10 * MINUTE
# After so many events everything has crossed that was on its way; events are a minute apart at most.
OLDEST: Final = 2
TOKEN: Final = {"push_token": "t", "email": "x@example.net"}


class Told(NamedTuple):
    """What happens, and how much of what is on its way arrives after it."""

    kind: str
    product: str
    known: bool
    after: int
    crosses: int


def things(*after: int) -> st.SearchStrategy[Told]:
    """Whatever happens, so long after what was before it."""
    return st.builds(
        Told,
        kind=st.sampled_from(("view", "view", "view", "add", "add", "wishlist", "search", "purchase")),
        product=st.sampled_from(("p1", "p2")),
        known=st.booleans(),
        after=st.sampled_from(after),
        crosses=st.integers(0, 2),
    )


told = things(SECOND, 20 * SECOND, MINUTE)
# Much of what this leads to is sent before anybody knows who is whom.
slowly = things(MINUTE, 20 * MINUTE, 3 * HOUR)


def events_of(stories: list[Told], said: int) -> tuple[list[Event], list[int]]:
    """The events, one of which says who it is, and how much crosses after each."""
    at, found = NOON, [an_introduction(NOON - 2, known=False), an_introduction(NOON - 1, known=True)]
    for number, one in enumerate(stories):
        at += one.after
        who = {"user_id": "u1"} if one.known else {"anonymous_id": "a1"}
        more: dict[str, object] = (
            {"items": [an_item(one.product)]} if one.kind != "search" else {"query": "q"}
        )
        if number == min(said, len(stories) - 1):
            found.append(
                {"id": "said", "type": "identify", "time": at, "user_id": "u1", "anonymous_id": "a1"}
            )
            at += SECOND
        found.append({"id": f"e{number}", "type": one.kind, "time": at} | who | more)
    return found, [0, 0, *(one.crosses for one in stories), 1]


def an_introduction(at: int, *, known: bool) -> Event:
    """Both sides can be reached, and each has agreed."""
    who = {"user_id": "u1"} if known else {"anonymous_id": "a1"}
    return {"id": f"i{known}", "type": "profile", "time": at, "traits": TOKEN} | who


def in_two_lanes(events: list[Event], crosses: list[int]) -> tuple[Lanes, int]:
    """The run over two lanes, nothing on its way for longer than the lateness; when they merged."""
    lanes, merged, ages = Lanes(RULES, lateness=LATENESS), 0, 0
    for event, most in zip(events, crosses, strict=False):
        lanes.read(event)
        ages = ages + 1 if lanes.on_the_way else 0
        lanes.cross(ALL if ages > OLDEST else most).stored()
        if lanes.counts["joined",] and not merged:
            merged = lanes.lanes[1].clock
    for at in range(NOON, events[-1]["time"] + 2 * LATENESS, MINUTE):
        lanes.until(at)
        if lanes.counts["joined",] and not merged:
            merged = lanes.lanes[1].clock
    return lanes.until(NOON + 10 * DAY), merged


def what(message: dict[str, Any]) -> tuple[object, ...]:
    """What is said, whoever to."""
    return (message["rule"], message["subject"]["id"], message["step"], message["due"])


def split_at(messages: list[dict[str, Any]], merged: int) -> tuple[set[Any], set[Any]]:
    """What was sent until a time, and after it."""
    line = format_time(merged)
    before = {what(m) for m in messages if m["decided_at"] <= line}
    return before, {what(m) for m in messages if m["decided_at"] > line}


def by_itself(events: list[Event], *, known: bool) -> Shop:
    """What one side does, with nothing of the other but the time that it tells."""
    mine = []
    for event in events:
        own = {k: v for k, v in event.items() if k != ("anonymous_id" if known else "user_id")}
        is_mine = ("user_id" if known else "anonymous_id") in event and event["id"] != "said"
        mine.append(own if is_mine or (known and event["id"] == "said") else a_beat(event["time"]))
    return Shop(RULES, lateness=LATENESS).read(*mine).until(NOON + 10 * DAY)


def a_beat(at: int) -> Event:
    """It is as late as that."""
    return {"type": "heartbeat", "time": at}


@settings(max_examples=150, deadline=None)
@given(st.lists(slowly, min_size=4, max_size=14), st.integers(3, 13))
def test_until_the_merge_each_side_sends_what_it_sends_by_itself(stories: list[Told], said: int) -> None:
    """What each knew explains it: nothing of the other is in it, and nothing is missing."""
    events, crosses = events_of(stories, said)
    lanes, merged = in_two_lanes(events, crosses)
    line, left = format_time(merged), format_time(lanes.left)
    for person, known, until in (("u1", True, line), ("a1", False, left)):
        alone = [m for m in by_itself(events, known=known).sent() if m["person"] == person]
        sent = [m for m in lanes.sent() if m["person"] == person]
        assert {what(m) for m in sent if m["decided_at"] < until} <= {what(m) for m in alone}
        assert {what(m) for m in alone if m["decided_at"] < until} <= {what(m) for m in sent}
    assert all(m["decided_at"] <= left for m in lanes.sent() if m["person"] == "a1")


@settings(max_examples=150, deadline=None)
@given(st.lists(told | things(MINUTE, 20 * MINUTE), min_size=2, max_size=14), st.integers(0, 13))
def test_nothing_is_repeated(stories: list[Told], said: int) -> None:
    """No message twice, and none to the known person that either side has had within `again`."""
    events, crosses = events_of(stories, said)
    lanes, merged = in_two_lanes(events, crosses)
    ids = [message["message_id"] for message in lanes.messages]
    assert len(ids) == len(set(ids))
    before, after = split_at(lanes.sent(), merged)
    assert not {one[:3] for one in after} & {one[:3] for one in before}
    assert not lanes.lanes[0].journeys
    assert not lanes.on_the_way
