"""The checker of a chaos run finds what it is there for: every plant in otherwise right topics."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bench.chaos.checker import (
    CAPS,
    Kept,
    apart,
    caps_exceeded,
    clocks_differ,
    input_differs,
    outputs_differ,
    repeats_differ,
    state_differs,
)
from streams import topics
from streams.kafka import Stamp
from streams.lanes.positions import Positions
from streams.ports import Output
from tests.e2e.emitted import Emitted
from tests.e2e.harness import OLD_FILES, LaneEnd, file_events, replayed
from tests.oracle.histories import random_history


@pytest.fixture(scope="module")
def wanted() -> list[Output]:
    """What one undisturbed process makes of a small history."""
    return asyncio.run(replayed(file_events(random_history(3, 2_000)), OLD_FILES))


def emitted(outputs: Sequence[Output]) -> list[Emitted]:
    """The same as records of topics."""
    stamp = Stamp(0, 0, 1, 0)
    return [Emitted(one.topic, 0, offset, one.key, one.value, stamp) for offset, one in enumerate(outputs)]


def test_the_right_topics_are_right(wanted: list[Output]) -> None:
    """No difference, and nobody got too much."""
    assert outputs_differ(wanted, emitted(wanted)) == []
    assert caps_exceeded(emitted(wanted), CAPS) == []


def test_a_missing_record_is_found(wanted: list[Output]) -> None:
    """Whichever it is."""
    for place in (0, len(wanted) // 2, -1):
        found = emitted(wanted)
        del found[place]
        assert any("missing" in line for line in outputs_differ(wanted, found))


def test_a_repeated_record_is_found(wanted: list[Output]) -> None:
    """Told as too many, and as more than once."""
    found = emitted(wanted)
    lines = outputs_differ(wanted, [*found, found[7]])
    assert any("too many" in line for line in lines)
    assert any("more than once" in line for line in lines)


def test_two_records_of_a_person_that_changed_places_are_found(wanted: list[Output]) -> None:
    """The multiset is the same, the order is not."""
    found = emitted(wanted)
    place = {(each.topic, each.key): number for number, each in enumerate(found)}
    first = next(
        number
        for number, each in enumerate(found)
        if each.topic == topics.DECISIONS and place[each.topic, each.key] > number
    )
    last = place[found[first].topic, found[first].key]
    found[first], found[last] = found[last], found[first]
    (line,) = outputs_differ(wanted, found)
    assert line.startswith("order of")


def test_another_content_under_the_same_identity_is_found(wanted: list[Output]) -> None:
    """A byte is enough."""
    found = emitted(wanted)
    found[3] = found[3]._replace(value=found[3].value.replace(b'"schema":1', b'"schema":2'))
    assert any("another content" in line for line in outputs_differ(wanted, found))


def test_more_than_a_cap_allows_is_found(wanted: list[Output]) -> None:
    """The same message four times within a day."""
    email = topics.channel_topic("email")
    marketing = next(
        each for each in emitted(wanted) if each.topic == email and b'"purpose":"marketing"' in each.value
    )
    assert caps_exceeded([marketing] * 3, CAPS) == []
    (line,) = caps_exceeded([marketing] * 4, CAPS)
    assert "more than 3 in 24 h" in line
    letter = marketing._replace(
        value=marketing.value.replace(b'"channel":"email"', b'"channel":"direct_mail"')
    )
    (line,) = caps_exceeded([marketing, letter, letter], CAPS)
    assert "more than 1 in 720 h direct_mail" in line


def test_store_and_journal_apart_are_found() -> None:
    """By lane."""
    assert apart([LaneEnd(4, 4), LaneEnd(0, 0)]) == []
    (line,) = apart([LaneEnd(4, 4), LaneEnd(3, 4)])
    assert line == "lane 1: the store is at sequence 3, the journal at 4"


def test_a_journey_that_is_another_one_is_found() -> None:
    """Missing ones as well, and people nobody knows."""
    kept = Kept({"ann": b"1", "bob": b"2", "eve": b"3"}, {"ann": 5}, {"lamp": b"l"}, {("lamp", "ann"): True})
    assert state_differs(kept, kept) == []
    (line,) = state_differs(kept, kept._replace(journeys={"ann": b"1", "bob": b"3", "gus": b"4"}))
    assert line.startswith("3 of 3 journeys")


def test_any_other_entry_that_differs_is_found() -> None:
    """Waits, listings and who follows what are of the state as well."""
    kept = Kept({"ann": b"1"}, {"ann": 5}, {"lamp": b"l"}, {("lamp", "ann"): True})
    others = [
        ("waits", kept._replace(waits={"ann": 6})),
        ("waits", kept._replace(waits={"ann": 5, "bob": 5})),
        ("listings", kept._replace(listings={})),
        ("followers", kept._replace(followers={})),
    ]
    for kind, other in others:
        (line,) = state_differs(kept, other)
        assert f"{kind} in the store are others" in line


def test_a_clock_elsewhere_and_what_is_still_held_are_found() -> None:
    """A clock that the wall has moved may be further, never behind."""
    there, held = Positions(clock=7), Positions(clock=7, held={"touchpoints": [(3, 4)]})
    assert clocks_differ(7, {0: there}, exactly=True) == []
    assert clocks_differ(6, {0: there}, exactly=False) == []
    for wanted, stands in ((6, there), (8, there), (7, held)):
        (line,) = clocks_differ(wanted, {0: stands}, exactly=True)
        assert line.startswith("lane 0")


def test_what_repeats_must_be_what_it_repeats(wanted: list[Output]) -> None:
    """Without transactions: once more with the same headers is dropped; anything else is a difference."""
    outputs = [one for one in wanted if one.topic == topics.DECISIONS][:6]
    found = [
        Emitted(one.topic, 0, nth, one.key, one.value, Stamp(0, 0, 1, nth)) for nth, one in enumerate(outputs)
    ]
    again = [each._replace(offset=9) for each in found[2:]]
    assert repeats_differ([*found, *again]) == (found, [])
    (line,) = repeats_differ([*found, found[5]._replace(value=b"{}")])[1]
    assert "repeats another record's headers" in line
    (line,) = repeats_differ([*found[:2], *found[3:], found[2]])[1]
    assert "is dropped and repeats nothing" in line
    (line,) = repeats_differ([*found, found[0]._replace(stamp=None)])[1]
    assert "has no headers" in line


def test_a_load_that_did_not_arrive_as_sent_is_found() -> None:
    """Else a broken load would be taken for a broken engine."""
    assert input_differs({0: [b"a", b"b"]}, {0: [b"a", b"b"], 1: []}) == []
    assert len(input_differs({0: [b"a", b"b"]}, {0: [b"b", b"a"]})) == 1
    assert len(input_differs({0: [b"a"], 1: [b"c"]}, {0: [b"a", b"a"]})) == 2
