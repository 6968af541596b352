"""Looking at topics from outside: by a person at a terminal, never by the engine itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final, Literal, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from retarget.errors import BadInput, Unreachable
from streams.kafka.connection import REQUEST_TIMEOUT_MS, KafkaAddress
from streams.kafka.reader import Reader
from streams.kafka.refusals import is_refusal, refusal

_POLL_MS: Final = 200
_AT_ONCE: Final = 2_000
# A partition that gives nothing more for so long has an open transaction, or nothing else below its end.
_PATIENCE_S: Final = 3.0

Isolation = Literal["read_committed", "read_uncommitted"]


class Seen(NamedTuple):
    """One record with its place; `timestamp` in epoch ms."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


class Span(NamedTuple):
    """The offsets from `start` up to `end`, which is not included."""

    start: int
    end: int


@asynccontextmanager
async def looking(address: KafkaAddress, isolation: Isolation) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer without a group and without partitions.

    Raises Unreachable, BadInput when a right is missing.
    """
    consumer = AIOKafkaConsumer(
        bootstrap_servers=address.bootstrap,
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        isolation_level=isolation,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        client_id="retarget-look",
        **address.security,
    )
    try:
        await consumer.start()
        await asyncio.sleep(0)  # it cannot be stopped before its own tasks have begun
        yield consumer
    except (KafkaError, TimeoutError) as error:
        if is_refusal(error):
            raise BadInput([refusal(error, "Read")]) from error
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", str(error)) from error
    finally:
        await consumer.stop()


async def spans(address: KafkaAddress, topic: str, partitions: Collection[int]) -> dict[int, Span]:
    """What these partitions of a topic hold now. Raises Unreachable, UnknownOutcome."""
    reader = Reader(address)
    await reader.start()
    try:
        starts = await asyncio.gather(*(reader.beginning(topic, number) for number in partitions))
        ends = await asyncio.gather(*(reader.end(topic, number) for number in partitions))
    finally:
        await reader.close()
    return dict(zip(partitions, map(Span, starts, ends), strict=True))


async def records(
    consumer: AIOKafkaConsumer, topic: str, wanted: Mapping[int, Span], *, follow: bool = False
) -> AsyncGenerator[Seen, None]:
    """The records of these spans, each partition's in order; with `follow` also what comes, without end."""
    places = {
        TopicPartition(topic, number): span
        for number, span in wanted.items()
        if follow or span.start < span.end
    }
    if not places:
        return
    consumer.assign(list(places))
    for place, span in places.items():
        consumer.seek(place, span.start)
    progress = time.monotonic()
    while follow or await _unfinished(consumer, places, progress):
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        for place, found in fetched.items():
            progress = time.monotonic()
            for one in found:
                if follow or one.offset < places[place].end:
                    yield seen_of(one)


async def _unfinished(
    consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, Span], progress: float
) -> bool:
    if time.monotonic() - progress > _PATIENCE_S:
        return False
    positions = [await consumer.position(place) for place in places]
    return any(position < span.end for position, span in zip(positions, places.values(), strict=True))


def seen_of(record: Any) -> Seen:  # noqa: ANN401 - aiokafka's, without types
    """A record of aiokafka's with its place."""
    return Seen(
        record.topic,
        record.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple(record.headers),
    )
