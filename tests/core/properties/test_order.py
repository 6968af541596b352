"""How the input is cut, repeated and shuffled within lateness makes no difference to what is decided."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final, get_args

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from retarget.engine.policy import Cap, Policy, QuietHours
from retarget.journeys import wire
from retarget.rules.model import OverCap, Rule
from retarget.times import DAY, HOUR, MINUTE, SECOND
from tests.core.shop import Shop, a_policy, shipped
from tests.factories import Event
from tests.oracle.histories import START, histories

# (how far events are displaced, lateness), ms.
ORDERS: Final = st.sampled_from([
    (0, 0), (0, 2 * SECOND), (60 * SECOND, 60 * SECOND), (60 * SECOND, 2 * SECOND), (90 * MINUTE, 9),
])  # fmt: skip
ABOUT_NOBODY: Final = ("heartbeat", "catalogue", "price_change", "stock_change")
PORTIONS: Final = st.sampled_from([1, 2, 3, 500])
# Nothing that is held can end these, so that nothing known early tells one order of the input from another.
WITHOUT_ENDINGS: Final = frozenset(
    {"repeated_view", "choice_overload", "first_purchase", "win_back", "ad_stage"}
    | {"price_drop", "back_in_stock", "low_stock"}
)


@st.composite
def inputs(draw: st.DrawFn, *, stretches: tuple[int, ...] = (1, 1, 20)) -> tuple[list[Event], int]:
    """A history, sometimes over so many years that people are forgotten, and the lateness it is read with."""
    displaced, lateness = draw(ORDERS)
    events, stretch = (
        draw(histories(max_events=40, displaced_ms=displaced, listed=True)),
        draw(st.sampled_from(stretches)),
    )
    return [event | {"time": START + (event["time"] - START) * stretch} for event in events], lateness


def results(shop: Shop) -> tuple[Any, ...]:
    """All that a run leaves behind."""
    lane = shop.lane
    kept = shop.journeys(), shop.listings, shop.followers, lane.clock, list(lane.hold), lane.spreads
    return shop.decisions, shop.messages, kept


def about_people(events: list[Event]) -> int:
    """How many of the events are somebody's."""
    return sum(event["type"] not in ABOUT_NOBODY for event in events)


@st.composite
def gates(draw: st.DrawFn) -> tuple[tuple[Rule, ...], Policy]:
    """The rules as they ship by day; or so that every gate that puts off or moves a message has work."""
    if draw(st.booleans()):
        return shipped(), a_policy()
    over_cap: OverCap = draw(st.sampled_from(get_args(OverCap)))
    rules = tuple(replace(rule, over_cap=over_cap, expires=2 * DAY) for rule in shipped())
    caps = {"push": (Cap(1, 3 * HOUR),), "onsite": (Cap(1, DAY),)}
    going = a_policy(quiet_hours=QuietHours(), caps_total=(Cap(2, 7 * HOUR),), caps=caps)
    window = draw(st.sampled_from([0, 10 * MINUTE, 5 * HOUR]))
    return rules, replace(going, arbitration=window, purchase_silence=draw(st.sampled_from([0, 8 * HOUR])))


@given(inputs(), st.lists(st.integers(0, 60)), st.sampled_from([1, 2, 3, 7, 10**9]), gates(), PORTIONS)
@settings(max_examples=200)
def test_cutting_the_input_into_batches_changes_nothing(
    given_: tuple[list[Event], int],
    cuts: list[int],
    limit: int,
    going: tuple[tuple[Rule, ...], Policy],
    portion: int,
) -> None:
    """Any cuts, any portion of work in a batch, and any portion of those who hear of the catalogue.

    They lead to the same records, journeys and clock.
    """
    events, lateness = given_
    whole = Shop(*going, lateness=lateness).read(*events)
    parts = Shop(*going, lateness=lateness)
    parts.between, parts.portion = parts.through_the_store, portion
    parts.read(*events, cuts=cuts, limit=limit)
    parts.until(parts.lane.clock, limit)
    assert results(parts) == results(whole)
    assert results(parts.end(limit)) == results(whole.end())


@given(inputs(), st.lists(st.integers(0, 60)), st.sampled_from([1, 3, 10**9]))
def test_journeys_may_pass_through_the_store_between_any_batches(
    given_: tuple[list[Event], int], cuts: list[int], limit: int
) -> None:
    """What a journey's bytes do not hold, nothing depends on."""
    events, lateness = given_
    whole = Shop(lateness=lateness).read(*events).end()
    stored = Shop(lateness=lateness)
    stored.between = stored.through_the_store
    assert results(stored.read(*events, cuts=cuts, limit=limit).end(limit)) == results(whole)


@given(inputs())
def test_a_journey_is_what_its_bytes_say(given_: tuple[list[Event], int]) -> None:
    """Stored and loaded, a journey is equal in every field."""
    events, lateness = given_
    for journey in Shop(lateness=lateness).read(*events).lane.journeys.values():
        assert wire.decode(wire.encode(journey)) == journey


@given(
    inputs(stretches=(1,)),
    st.lists(st.tuples(st.integers(0, 39), st.integers(1, 5)), min_size=1, max_size=20),
)
def test_a_repeated_event_changes_nothing(
    given_: tuple[list[Event], int], repeats: list[tuple[int, int]]
) -> None:
    """Copies of events anywhere behind the first are counted, and that is all."""
    events, lateness = given_
    repeated = list(events)
    for place, behind in repeats:
        if place < len(events) and events[place]["type"] not in ABOUT_NOBODY:
            first = repeated.index(events[place])
            repeated.insert(first + behind, dict(events[place]))
    once = Shop(lateness=lateness).read(*events).end()
    again = Shop(lateness=lateness).read(*repeated).end()
    assert (again.decisions, again.messages, again.journeys()) == (
        once.decisions, once.messages, once.journeys(),
    )  # fmt: skip
    copies = about_people(repeated) - about_people(events)
    assert again.counts["repeat",] - once.counts["repeat",] == copies


@given(inputs(), st.lists(st.tuples(st.integers(0, 60), st.integers(1, 8)), min_size=1), PORTIONS)
def test_the_catalogue_told_again_changes_nothing(
    given_: tuple[list[Event], int], tellings: list[tuple[int, int]], portion: int
) -> None:
    """Whoever copies the catalogue to the lanes may begin again further back, anywhere and often."""
    events, lateness = given_
    placed = [event | {"place": place} for place, event in enumerate(events)]
    again = []
    for place, event in enumerate(placed):
        again.append(event)
        for where, back in tellings:
            if where == place:
                again += [e for e in placed[max(place - back, 0) : place + 1] if e["type"] == "catalogue"]
    once = Shop(lateness=lateness).read(*placed).end()
    more = Shop(lateness=lateness)
    more.portion = portion
    assert results(more.read(*again).end())[:2] == results(once)[:2]
    assert (more.journeys(), more.listings, more.followers) == (
        once.journeys(),
        once.listings,
        once.followers,
    )
    assert more.counts["repeat",] - once.counts["repeat",] == len(again) - len(placed)


@given(histories(max_events=40, listed=True), st.data())
def test_shuffled_within_lateness_is_as_if_sorted(events: list[Event], data: st.DataObject) -> None:
    """Events that come out of order by no more than the lateness are decided as if they had come in order."""
    lateness = 60 * SECOND
    # Before a lane has a clock nothing of the catalogue is held.
    begin: Event = {"id": "begin", "type": "heartbeat", "time": START - DAY}
    in_order = [event | {"time": event["time"] + place} for place, event in enumerate(events)]
    moved = [(e["time"] + data.draw(st.integers(0, lateness)), e) for e in in_order]
    shuffled = [event for _, event in sorted(moved, key=lambda pair: pair[0])]
    shops = [
        Shop(shipped(WITHOUT_ENDINGS), a_policy(), lateness=lateness).read(begin, *given_).end()
        for given_ in (in_order, shuffled)
    ]
    straight, mixed = (Counter(d["decision_id"] + d["outcome"] for d in shop.decisions) for shop in shops)
    assert straight == mixed
    assert shops[1].counts["late",] == 0
