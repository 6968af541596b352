"""A story run through the lane's own code: what was decided, what left, what still waits at its end."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.journeys import wire
from streams import topics
from streams.cases.outcomes import Wait, waits_of
from streams.lanes.bundle import Bundle
from streams.ports import Output, Record
from streams.replaying import LANE, LISTED, TOPIC, RecordFeed, clock_record, listed_of_file, work_through
from streams.stores.memory import MemoryStore
from streams.what_if.story import Step, Story

Said = Mapping[str, Any]


class Came(NamedTuple):
    """What came of a story: the decision records, each with `message` when one left; dead letters; waits."""

    decisions: Sequence[Said]
    dead: list[str]
    waits: list[Wait]


def _record(offset: int, step: Step) -> Record:
    if step.listed is not None:
        if step.timestamp < 0:
            return listed_of_file(step.listed, offset, at_once=False)
        return Record(LISTED, offset, step.timestamp, None, step.listed)
    if step.event is not None:
        return Record(TOPIC, offset, step.timestamp, None, encode_touchpoint(step.event))
    # Others' time needs no record's bound: it is what their records told.
    return clock_record(step.tells, offset)


def _is_behind(step: Step, end: int) -> bool:
    """Whether it is a record of a catalogue's file to which no event moves the clock."""
    return step.listed is not None and step.timestamp < 0 and step.tells > end


async def run_story(story: Story, person: str, bundle: Bundle) -> Came:
    """Work the story through. As in a backtest `now` is the lane's clock, and nothing is paused."""
    outputs: list[Output] = []
    store = MemoryStore()
    plain = bundle._replace(now_is_clock=True, decoders={TOPIC: decode_canonical})
    steps = list(enumerate(story.steps))
    behind = {offset for offset, step in steps if _is_behind(step, story.end - bundle.lateness)}
    feed = RecordFeed(
        (_record(offset, step) for offset, step in steps if offset not in behind), lambda: story.end
    )
    rest = (
        listed_of_file(step.listed or b"", offset, at_once=True) for offset, step in steps if offset in behind
    )
    await work_through(feed, plain, outputs.append, store=store, at_end=lambda: feed.go_on(rest))
    stored = await store.journey(LANE, person)
    while stored is not None and (moved := wire.decode(stored).moved):
        stored = await store.journey(LANE, moved[-1][1])
    said = [(output.topic, json.loads(output.value)) for output in outputs]
    left = {one["message_id"]: _content(one) for topic, one in said
            if topic not in (topics.DECISIONS, topics.DEAD)}  # fmt: skip
    decisions = [{**one, "message": left.get(one["message_id"])}
                 for topic, one in said
                 if topic == topics.DECISIONS and one["person"] in story.names]  # fmt: skip
    dead = [f"{one['reason']}: {one['detail']}" for topic, one in said if topic == topics.DEAD]
    return Came(decisions, dead, waits_of(stored))


def _content(message: Said) -> Said:
    """What the person would see of it, as far as one message is told from another."""
    products = [product["product_id"] for product in message["products"]]
    return {"template": message["template"], "audience": message["audience"], "products": products}
