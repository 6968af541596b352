"""The story of one person is decided as it was in the whole lane, and so is the changed one."""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from retarget.decode import decode_canonical
from retarget.times import HOUR, MINUTE
from streams.backtest.reading import of_files
from streams.files import FileEvent, with_catalogue
from streams.ports import Output, Record
from streams.replaying import TOPIC, replay
from streams.topics import DECISIONS
from streams.what_if.changing import changed
from streams.what_if.running import run_story
from streams.what_if.story import Story, StoryTeller
from streams.what_if.wording import Change
from tests.oracle.histories import histories
from tests.streams.catalogues import catalogues, in_a_catalogue, with_catalogue_records, with_changes
from tests.streams.commands.backtest.whole import a_bundle, in_one, told_to_lane

Event = dict[str, Any]
ORDERS: Final = st.sampled_from(
    [(0, 0), (0, 2_000), (60_000, 60_000), (60_000, 2_000), (3 * HOUR, 0), (HOUR, MINUTE)]
)
EXAMPLES: Final = 100
NOBODY: Final = a_bundle().policy.is_nobody


def person_of(event: Event) -> str:
    """Whose lane entry it is."""
    return str(event.get("user_id") or event.get("anonymous_id") or "")


def in_a_file(events: list[Event]) -> list[FileEvent]:
    """The events as the lines of a file."""
    lines = [msgspec.json.encode(event) for event in events]
    return [FileEvent("made-up", n, decode_canonical(raw), raw) for n, raw in enumerate(lines, start=1)]


def decided(outputs: list[Output], person: str) -> list[dict[str, Any]]:
    """The decisions about that person."""
    said = [json.loads(output.value) for output in outputs if output.topic == DECISIONS]
    return [one for one in said if one["person"] == person]


def told_by(story: Story, person: str, lateness: int) -> list[dict[str, Any]]:
    """The decisions that the story leads to."""
    came = asyncio.run(run_story(story, person, a_bundle(f"clock.lateness={lateness}ms")))
    return [{name: value for name, value in one.items() if name != "message"} for one in came.decisions]


@given(st.data(), ORDERS, st.booleans())
@settings(max_examples=EXAMPLES)
def test_a_story_is_decided_as_in_the_whole_file(
    data: st.DataObject,
    order: tuple[int, int],
    as_is: bool,  # noqa: FBT001
) -> None:
    """As it was, and without any one of the person's events: what a replay of all people decides.

    Where it is sorted there is a catalogue beside it.
    """
    displaced, lateness = order
    events = data.draw(histories(max_events=40, displaced_ms=displaced))
    assume(any(map(person_of, events)))
    end = {"type": "heartbeat", "time": max(event["time"] for event in events)}
    gone = data.draw(st.sampled_from([event for event in events if person_of(event)]))
    person = person_of(gone)
    listed = in_a_catalogue([] if as_is else data.draw(catalogues(events)))
    events = data.draw(with_changes(events))

    def replayed(kept: list[Event]) -> list[dict[str, Any]]:
        file, found = in_a_file([*kept, end]), list[Output]()
        bundle = a_bundle(f"clock.lateness={lateness}ms")
        asyncio.run(replay(file if as_is else with_catalogue(file, listed), bundle, found.append))
        return decided(found, person)

    teller = StoryTeller({person}, by_time=not as_is, is_nobody=NOBODY)
    for told in of_files([*listed, *in_a_file(events)]):
        teller.add(told)
    story = teller.close(ahead=lateness)
    assert told_by(story, person, lateness) == replayed(events)
    without = changed(story, [Change("no …", more=False, name=gone["id"])])
    own = [event for event in events if event["id"] != gone["id"] or person_of(event) != person]
    assert told_by(without.story, person, lateness) == replayed(own)


@given(st.data(), ORDERS)
@settings(max_examples=EXAMPLES)
def test_a_story_is_decided_as_in_the_whole_topic(data: st.DataObject, order: tuple[int, int]) -> None:
    """With record timestamps, which bound what an event tells; the end of the lane is that of all people."""
    displaced, lateness = order
    events = data.draw(histories(max_events=40, displaced_ms=displaced))
    people = sorted({person_of(event) for event in events} - {""})
    assume(people)
    events = data.draw(with_changes(events))
    person = data.draw(st.sampled_from(people))
    delays = data.draw(st.lists(st.sampled_from([0, 0, 1, MINUTE, -MINUTE, -10 * MINUTE]), min_size=1))
    records = [
        Record(TOPIC, n, event["time"] + delays[n % len(delays)], None, msgspec.json.encode(event))
        for n, event in enumerate(events)
    ]
    records = data.draw(with_catalogue_records(records, events))
    bundle = a_bundle(f"clock.lateness={lateness}ms")
    teller = StoryTeller({person}, by_time=False, is_nobody=NOBODY)
    tells = -1
    for one in told_to_lane(records, bundle):
        tells = max(tells, one.tells)
        teller.add(one)
    story = teller.close(ahead=0)
    assert told_by(story, person, lateness) == decided(in_one(records, bundle, tells), person)
