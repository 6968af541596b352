"""The verdict: whether topics and store hold what one undisturbed process would have left."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from retarget.times import parse_time
from streams import topics
from streams.files import FileEvent
from streams.kafka import KafkaAddress, Reader, RepeatFilter, encode_headers, journal
from streams.lanes import positions
from streams.ports import Output, Portion
from streams.replaying import LANE
from streams.stores import open_store
from streams.stores.memory import MemoryStore
from tests.e2e.emitted import OUTPUT_TOPICS, Emitted, Outlet, differences
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


class Cap(NamedTuple):
    """So many messages of marketing at most in so many hours, of one channel or of all together."""

    most: int
    hours: int
    channel: str = ""


#: Those that hold by default.
CAPS: Final = (Cap(3, 24), Cap(8, 7 * 24), Cap(1, 30 * 24, "direct_mail"))


def caps_exceeded(found: Iterable[Emitted], caps: Sequence[Cap]) -> list[str]:
    """People who got more marketing within a window than it allows.

    Counted from the messages alone, whatever the engine says of itself.
    """
    times: dict[tuple[str, str], list[int]] = defaultdict(list)
    for each in found:
        if each.topic in (topics.DECISIONS, topics.DEAD):
            continue
        said: Mapping[str, Any] = json.loads(each.value)
        if said["operation"] == "send" and said["purpose"] == "marketing":
            leaves = parse_time(said["not_before"] or said["decided_at"])
            for channel in ("", said["channel"]):
                times[channel, said["person"]].append(leaves)
    return [
        f"{person} got more than {cap.most} in {cap.hours} h {cap.channel}".rstrip()
        for cap in caps
        for (channel, person), at in sorted(times.items())
        if channel == cap.channel and _too_many(sorted(at), cap.most, cap.hours * _HOUR_MS)
    ][:_EXAMPLES]


def _too_many(at: Sequence[int], count: int, window: int) -> bool:
    return any(later - earlier < window for earlier, later in zip(at, at[count:], strict=False))


class Kept(NamedTuple):
    """All that a store keeps of people and products: by person, by product, and who follows which."""

    journeys: dict[str, bytes]
    waits: dict[str, int]
    listings: dict[str, bytes]
    followers: dict[tuple[str, str], bool]

    @classmethod
    def of(cls, portions: Iterable[Portion]) -> Kept:
        """All portions together."""
        kept = cls({}, {}, {}, {})
        for portion in portions:
            kept.journeys.update(portion.journeys)
            kept.waits.update(portion.waits)
            kept.listings.update(portion.listings)
            kept.followers.update(dict.fromkeys(portion.following, True))
        return kept

    @property
    def entries(self) -> int:
        """How many there are."""
        return sum(map(len, self.kinds()))

    def kinds(self) -> tuple[Mapping[Any, object], ...]:
        """Each kind by its names."""
        return self.journeys, self.waits, self.listings, self.followers


def state_differs(wanted: Kept, found: Kept) -> list[str]:
    """What is in the store and not what the replay has of it, or missing, or too much; kind by kind."""
    lines = []
    for kind, there, here in zip(Kept._fields, wanted.kinds(), found.kinds(), strict=True):
        wrong = sorted(name for name in there.keys() | here.keys() if there.get(name) != here.get(name))
        if wrong:
            lines.append(
                f"{len(wrong)} of {len(there)} {kind} in the store are others, as {wrong[:_EXAMPLES]}"
            )
    return lines


def clocks_differ(wanted: int, found: Mapping[int, positions.Positions], *, exactly: bool) -> list[str]:
    """Lanes whose clock is not that of the input, or that hold something still; not `exactly`: behind it."""
    return [
        f"lane {lane}: its clock is {stands.clock}, that of the input {wanted}; held: {stands.held}"
        for lane, stands in found.items()
        if stands.held or stands.clock < wanted or (exactly and stands.clock != wanted)
    ]


def repeats_differ(found: Sequence[Emitted]) -> tuple[list[Emitted], list[str]]:
    """What a consumer takes that drops repeats by the headers; repeats that are not what they repeat.

    Whatever comes again has the headers, the key and the value of what came before: nothing else may.
    """
    marks, taken, wrong = RepeatFilter(), list[Emitted](), list[str]()
    first: dict[object, Emitted] = {}
    for each in found:
        if each.stamp is None:
            wrong.append(f"{each.topic}[{each.partition}] at {each.offset} has no headers of its batch")
            continue
        known = first.setdefault((each.topic, each.partition, each.stamp), each)
        if (known.key, known.value) != (each.key, each.value):
            wrong.append(f"{each.topic}[{each.partition}] at {each.offset} repeats another record's headers")
        if marks.is_new(each.topic, each.partition, encode_headers(each.stamp)):
            taken.append(each)
        elif known is each:
            wrong.append(f"{each.topic}[{each.partition}] at {each.offset} is dropped and repeats nothing")
    return taken, wrong[:_EXAMPLES]


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
        found[one.partition].append(one.value or b"")
    return found


async def stored(stage: Stage) -> tuple[Kept, dict[int, positions.Positions]]:
    """All that the store keeps of all lanes, and where each stands."""
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    portions: list[Portion] = []
    stands = {}
    try:
        for lane in range(stage.partitions):
            stands[lane] = positions.decode((await store.image(lane)).meta)
            portions += [portion async for portion in store.portions(lane)]
    finally:
        await store.close()
    return Kept.of(portions), stands


async def by_wall(stage: Stage, reader: Reader) -> int:
    """How many batches had outputs and read nothing: only the wall clock had moved."""
    found = 0
    for lane in range(stage.partitions):
        end = await reader.end(topics.JOURNAL, lane)
        records = await reader.read(topics.JOURNAL, lane, 0, end)
        counted = journal.Arbiter(0).take((one.offset, journal.decode(one)) for one in records)
        before: dict[str, int] = {}
        for _, record in counted:
            found += bool(record.outputs) and record.frontier == before
            before = record.frontier
    return found


class Verdict(NamedTuple):
    """Every difference, and what was looked at; see `Ended`."""

    differences: list[str]
    repeats: int
    by_wall: int
    stored: int


async def verdict(
    stage: Stage,
    events: Sequence[FileEvent],
    wanted: Sequence[Output],
    memory: MemoryStore,
    *,
    besides: bytes | None = None,
) -> Verdict:
    """What is not as it should be. All lanes must be at the end of their input.

    `memory` is what the replay has stored; `besides` is in the input and none of the events.
    """
    async with Outlet(stage.bootstrap, stage.partitions, drop_repeats=False) as outlet:
        raw = await outlet.to_end()
    found, wrong = repeats_differ(raw) if stage.emit == "idempotent" else (raw, [])
    repeats = len(raw) - len(found)
    if besides is not None:
        found = [one for one in found if one.topic != topics.DEAD]
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    await reader.start()
    try:
        there = await read_input(reader, stage.partitions)
        walls = await by_wall(stage, reader)
    finally:
        await reader.close()
    there = {number: [one for one in values if one != besides] for number, values in there.items()}
    sent = as_sent(stage, events)
    kept, stands = await stored(stage)
    meant = Kept.of([portion async for portion in memory.portions(LANE)])
    differences = [
        *input_differs(sent, {number: values[: len(sent[number])] for number, values in there.items()}),
        *wrong,
        *outputs_differ(wanted, found),
        *caps_exceeded(found, CAPS),
        *await open_transactions(stage.bootstrap, stage.partitions),
        *apart(await stage.ends()),
        *state_differs(meant, kept),
        *clocks_differ(stage.latest, stands, exactly=besides is None),
    ]
    return Verdict(differences, repeats, walls, kept.entries)
