"""Records out, as batches that we build: one future each instead of one for every record."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    IllegalOperation,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
    UnknownTopicOrPartitionError,
)
from aiokafka.producer.message_accumulator import BatchBuilder

from retarget.errors import BadInput, LaneRefused, Unreachable
from streams import topics
from streams.kafka.burden import BURDEN
from streams.kafka.connection import MAX_RECORD_BYTES, KafkaAddress, discard
from streams.kafka.headers import Stamp, encode_headers
from streams.kafka.refusals import refusal
from streams.ports import JournalRecord, Output

# What no retry can help.
_REFUSED: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailed,
)
_UNCONFIRMED: Final = (
    "{} did not confirm what was sent in {} s; the broker's log says why: is it there, has it enough "
    "in-sync replicas (min.insync.replicas), is a disk full?"
)


class Outgoing(msgspec.Struct, frozen=True):
    """One record with its place."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes | None  # None: in a compacted topic, that the key is gone
    headers: list[tuple[str, bytes]] | None = None
    timestamp: int | None = None  # epoch ms; the moment of sending without one


@asynccontextmanager
async def producing(
    address: KafkaAddress, transactional_id: str | None = None
) -> AsyncIterator[AIOKafkaProducer]:
    """A started producer, without patience for what is unsent at the end. Raises Unreachable, BadInput."""
    producer = address.producer(transactional_id)
    try:
        await producer.start()
        yield producer
    except _REFUSED as error:
        said = refusal(error, "Write")
        raise BadInput([f"Kafka at {address.bootstrap} refuses what is sent: {said}"]) from error
    except (KafkaError, TimeoutError) as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", str(error)) from error
    finally:
        await discard(producer)


async def stamped(
    producer: AIOKafkaProducer,
    lane: int,
    record: JournalRecord,
    outputs: Sequence[Output],
    *,
    within_s: float,
) -> list[Outgoing]:
    """The outputs of one batch with their partitions and headers.

    Raises LaneRefused for one too large, TimeoutError for a topic that is not to be seen.
    """
    sizes = {topic: await _size_of(producer, topic, within_s) for topic in {one.topic for one in outputs}}
    return [
        Outgoing(
            one.topic,
            topics.partition_of(one.key, sizes[one.topic]),
            one.key,
            _bounded(one),
            encode_headers(Stamp(lane, record.incarnation, record.sequence, index)),
        )
        for index, one in enumerate(outputs)
    ]


async def _size_of(producer: AIOKafkaProducer, topic: str, within_s: float) -> int:
    """The number of the topic's partitions."""
    try:
        async with asyncio.timeout(within_s):
            return len(await producer.partitions_for(topic))
    except (TimeoutError, UnknownTopicOrPartitionError) as error:
        raise TimeoutError(
            f"{topic} was not to be seen for {within_s:g} s: is there such a topic?"
        ) from error


async def send(
    producer: AIOKafkaProducer, outgoing: Iterable[Outgoing], *, within_s: float | None = None
) -> dict[tuple[str, int], int]:
    """Send everything and await every acknowledgement; each partition's offset of its first record.

    The order within a partition holds whatever fails: its second batch leaves when the first is acknowledged.
    Raises what the producer raises, TimeoutError with the topics that do not confirm; some of the records may
    be out then.
    """
    first: dict[tuple[str, int], int] = {}
    queues = _batches(producer, outgoing)
    size = sum(batch.size() for batches in queues.values() for batch in batches)
    sent: dict[tuple[str, int], asyncio.Future[Any]] = {}
    try:
        async with asyncio.timeout(within_s):
            while queues:
                sent.clear()
                for place, batches in queues.items():
                    sent[place] = await _sent(producer, batches[0], place)
                for place, offset in (await _acknowledged(sent)).items():
                    first.setdefault(place, offset)
                queues = {place: batches[1:] for place, batches in queues.items() if len(batches) > 1}
    except TimeoutError:
        silent = {place[0] for place in queues if place not in sent or sent[place].cancelled()}
        raise TimeoutError(_UNCONFIRMED.format(", ".join(sorted(silent)), within_s)) from None
    BURDEN.carried(size)
    return first


async def _sent(
    producer: AIOKafkaProducer, batch: BatchBuilder, place: tuple[str, int]
) -> "asyncio.Future[Any]":
    topic, partition = place
    try:
        future: asyncio.Future[Any] = await producer.send_batch(batch, topic, partition=partition)
    except IllegalOperation:
        # A record before this one has ended the transaction. If it was refused, aiokafka tells only who would
        # commit it why; a producer that is fenced may not even ask.
        with suppress(AssertionError):
            await producer.commit_transaction()
        raise
    # When a later one fails at once, nobody awaits this one, and asyncio would log its error as lost.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


async def _acknowledged(sent: Mapping[tuple[str, int], "asyncio.Future[Any]"]) -> dict[tuple[str, int], int]:
    """The offsets of all batches; every future is awaited before the first error is raised."""
    results = await asyncio.gather(*sent.values(), return_exceptions=True)
    offsets: dict[tuple[str, int], int] = {}
    for place, result in zip(sent, results, strict=True):
        if isinstance(result, BaseException):
            result.args = result.args or (place[0],)  # the broker's refusals do not say which topic
            raise result
        offsets[place] = result.offset
    return offsets


def _batches(
    producer: AIOKafkaProducer, outgoing: Iterable[Outgoing]
) -> dict[tuple[str, int], list[BatchBuilder]]:
    batches: dict[tuple[str, int], list[BatchBuilder]] = defaultdict(list)
    for one in outgoing:
        queue = batches[one.topic, one.partition]
        if not queue or not _append(queue[-1], one):
            queue.append(producer.create_batch())
            _append(queue[-1], one)  # an empty batch takes a record of any size
    return batches


def _append(batch: BatchBuilder, one: Outgoing) -> bool:
    added = batch.append(timestamp=one.timestamp, key=one.key, value=one.value, headers=one.headers)
    return added is not None


def _bounded(output: Output) -> bytes:
    if len(output.value) > MAX_RECORD_BYTES:
        raise LaneRefused(
            f"an output for {output.topic} has {len(output.value)} bytes, Kafka takes {MAX_RECORD_BYTES}, "
            f"and no retry can help: find the rule that makes it and pause it"
        )
    return output.value
