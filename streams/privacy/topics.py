"""What the topics still have of a person: records under their ids, in the partitions of these."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import aclosing
from typing import Final

from streams.kafka.connection import KafkaAddress
from streams.kafka.headers import RepeatFilter
from streams.kafka.inventory import partitions_of
from streams.kafka.looking import Seen, looking, records, spans
from streams.topics import CHANNELS, DECISIONS, channel_topic, partition_of

# What was decided about people and sent to them.
SENT: Final = (DECISIONS, *map(channel_topic, CHANNELS))


async def of_person(
    address: KafkaAddress, topics: Sequence[str], ids: Collection[str]
) -> AsyncGenerator[Seen, None]:
    """The committed records under these ids, without repeats; of topics that are there.

    Only the partitions in which they can be are read. Raises BadInput when a right is missing, Unreachable,
    UnknownOutcome.
    """
    async with aclosing(under(address, await partitions_of(address, topics), ids)) as found:
        async for seen in found:
            yield seen


async def under(
    address: KafkaAddress, topics: Mapping[str, int], ids: Collection[str]
) -> AsyncGenerator[Seen, None]:
    """The same of topics of so many partitions. Raises Unreachable, UnknownOutcome."""
    repeats, keys = RepeatFilter(), {name.encode() for name in ids}
    async with looking(address, "read_committed") as consumer:
        for topic, partitions in topics.items():
            held = await spans(address, topic, {partition_of(key, partitions) for key in keys})
            async with aclosing(records(consumer, topic, held)) as found:
                async for seen in found:
                    is_new = repeats.is_new(seen.topic, seen.partition, seen.headers)
                    if is_new and seen.key in keys:
                        yield seen
