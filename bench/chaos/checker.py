"""The verdict: whether topics and store hold what one undisturbed process would have left."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from retarget.times import parse_time
from streams import topics
from streams.files import FileEvent
from streams.kafka import KafkaAddress, Reader
from streams.ports import Output
from streams.stores import open_store
from tests.e2e.emitted import OUTPUT_TOPICS, Emitted, differences
from tests.e2e.harness import LaneEnd, Stage

_EXAMPLES: Final = 3
_HOUR_MS: Final = 3_600_000


def outputs_differ(wanted: Sequence[Output], found: Sequence[Emitted]) -> list[str]:
    """What is missing, too much, different or out of a person's order."""
    return differences(wanted, found)


def apart(ends: Sequence[LaneEnd]) -> list[str]:
    """Lanes whose store and journal do not stand at the same sequence."""
    return [
        f"lane {lane}: the store is at sequence {end.stored}, the journal at {end.journaled}"
        for lane, end in enumerate(ends)
        if end.stored != end.journaled
    ]


def input_differs(sent: Mapping[int, Sequence[bytes]], there: Mapping[int, Sequence[bytes]]) -> list[str]:
    """Partitions of the input that do not hold what was sent, in order: then the load itself is broken."""
    return [
        f"the load: partition {number} holds {len(there.get(number, ()))} records that are not the "
        f"{len(sent.get(number, ()))} sent"
        for number in sorted(sent.keys() | there.keys())
        if list(sent.get(number, ())) != list(there.get(number, ()))
    ]


async def read_input(reader: Reader, partitions: int) -> dict[int, list[bytes]]:
    """The values in every partition of the input."""
    found = {}
    for number in range(partitions):
        end = await reader.end(topics.TOUCHPOINTS, number)
        records = await reader.read(topics.TOUCHPOINTS, number, 0, end)
        found[number] = [record.value or b"" for record in records]
    return found


def caps_exceeded(found: Iterable[Emitted], caps: Sequence[tuple[int, int]]) -> list[str]:
    """People who got more marketing within a window than it allows; `caps`: (count, hours).

    Counted from the messages alone, whatever the engine says of itself.
    """
    times: dict[str, list[int]] = defaultdict(list)
    for each in found:
        if each.topic in (topics.DECISIONS, topics.DEAD):
            continue
        said: Mapping[str, Any] = json.loads(each.value)
        if said["operation"] == "send" and said["purpose"] == "marketing":
            times[said["person"]].append(parse_time(said["not_before"] or said["decided_at"]))
    return [
        f"{person} got more than {count} in {hours} h"
        for count, hours in caps
        for person, at in sorted(times.items())
        if _too_many(sorted(at), count, hours * _HOUR_MS)
    ][:_EXAMPLES]


def _too_many(at: Sequence[int], count: int, window: int) -> bool:
    return any(later - earlier < window for earlier, later in zip(at, at[count:], strict=False))


def state_differs(wanted: Mapping[str, bytes], found: Mapping[str, bytes | None]) -> list[str]:
    """People whose journeys in the store are not what the replay has of them."""
    wrong = sorted(person for person, journey in wanted.items() if found.get(person) != journey)
    if not wrong:
        return []
    return [f"{len(wrong)} of {len(wanted)} journeys in the store are others, as {wrong[:_EXAMPLES]}"]


async def open_transactions(bootstrap: str, partitions: int) -> list[str]:
    """Partitions in which a transaction is still open: read_committed ends before the end."""
    places = [
        TopicPartition(name, number)
        for name in (*OUTPUT_TOPICS, topics.JOURNAL)
        for number in range(partitions)
    ]
    stable = await _ends(bootstrap, places, "read_committed")
    latest = await _ends(bootstrap, places, "read_uncommitted")
    return [
        f"{place.topic}[{place.partition}]: a transaction is open at {stable[place]}, "
        f"the end is {latest[place]}"
        for place in places
        if stable[place] != latest[place]
    ]


async def _ends(
    bootstrap: str, places: Sequence[TopicPartition], isolation: str
) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, isolation_level=isolation)
    await consumer.start()
    try:
        found: dict[TopicPartition, int] = await consumer.end_offsets(places)
        return found
    finally:
        await consumer.stop()


def as_sent(stage: Stage, events: Iterable[FileEvent]) -> dict[int, list[bytes]]:
    """What the partitions of the input should hold of these events."""
    found: dict[int, list[bytes]] = defaultdict(list)
    for one in stage.outgoing(events):
        found[one.partition].append(one.value)
    return found


async def stored(stage: Stage, persons: Iterable[str]) -> dict[str, bytes | None]:
    """Their journeys in the store, each in its lane."""
    by_lane: dict[int, list[str]] = defaultdict(list)
    for person in persons:
        by_lane[topics.partition_of(person.encode(), stage.partitions)].append(person)
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    found: dict[str, bytes | None] = {}
    try:
        for lane, there in by_lane.items():
            _, journeys = await store.load(lane, there)
            found.update(zip(there, journeys, strict=True))
    finally:
        await store.close()
    return found


async def verdict(
    stage: Stage, events: Sequence[FileEvent], wanted: Sequence[Output], journeys: Mapping[str, bytes]
) -> list[str]:
    """A line for everything that is not as it should be. All lanes must be at the end of their input."""
    async with stage.outlet() as outlet:
        found = await outlet.to_end()
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    await reader.start()
    try:
        there = await read_input(reader, stage.partitions)
    finally:
        await reader.close()
    sent = as_sent(stage, events)
    return [
        *input_differs(sent, {number: values[: len(sent[number])] for number, values in there.items()}),
        *outputs_differ(wanted, found),
        *caps_exceeded(found, ((3, 24), (8, 7 * 24))),
        *await open_transactions(stage.bootstrap, stage.partitions),
        *apart(await stage.ends()),
        *state_differs(journeys, await stored(stage, journeys)),
    ]
