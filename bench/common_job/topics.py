"""The job's topics: loaded once, made anew for each run, counted and read."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError, for_code

from bench.common_job.peers import PARTITIONS
from streams.kafka import KafkaAddress
from streams.kafka.creation import create_or_check
from streams.topics import channel_topic, topic_specs

OURS: Final = (channel_topic("email"), channel_topic("push"))
_BATCH_BYTES: Final = 256 * 1024
_SILENT: Final = 6
# The broker's time on what comes out, so that throughput is measured by one clock.
_OUTPUT: Final = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}


async def load(bootstrap: str, topic: str, lanes: Sequence[Sequence[tuple[bytes, bytes]]]) -> None:
    """Make an input topic and fill its partitions."""
    await make(bootstrap, [topic], {"retention.ms": "-1", "retention.bytes": "-1"})
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, compression_type="lz4", max_batch_size=_BATCH_BYTES, linger_ms=0
    )
    async with producer:
        for partition, lane in enumerate(lanes):
            batch = producer.create_batch()
            for key, value in lane:
                if batch.append(key=key, value=value, timestamp=None) is None:
                    await producer.send_batch(batch, topic, partition=partition)
                    batch = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=None)
            if batch.record_count():
                await producer.send_batch(batch, topic, partition=partition)
        await producer.flush()


async def make(bootstrap: str, names: Sequence[str], configs: dict[str, str] | None = None) -> None:
    """Make topics with the job's number of partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = [NewTopic(name, PARTITIONS, 1, topic_configs=configs or _OUTPUT) for name in names]
        answer = await admin.create_topics(wanted)
        for _, code, *_ in answer.topic_errors:
            if code:
                raise for_code(code)
    finally:
        await admin.close()


async def make_ours(bootstrap: str, topic: str) -> None:
    """Every topic of our engine, empty, before a run."""
    await make(bootstrap, OURS)
    await create_or_check(KafkaAddress(bootstrap=bootstrap), topic_specs([topic], PARTITIONS))


async def drop(bootstrap: str, keep: Sequence[str]) -> None:
    """Delete everything that a run has made; returns when the broker knows the topics no more."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        gone = [name for name in await admin.list_topics() if name not in keep and not name.startswith("__")]
        await admin.delete_topics(gone)
        async with asyncio.timeout(60):
            while set(gone) & set(await admin.list_topics()):  # noqa: ASYNC110 - the broker signals nothing
                await asyncio.sleep(0.1)
    except UnknownTopicOrPartitionError:
        pass
    finally:
        await admin.close()


class Outputs:
    """What a run has put into its output topics."""

    def __init__(self, bootstrap: str, names: Sequence[str]) -> None:
        self._bootstrap = bootstrap
        self._places = [TopicPartition(name, number) for name in names for number in range(PARTITIONS)]
        self._watch = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)

    async def __aenter__(self) -> Self:
        await self._watch.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._watch.stop()

    async def count(self) -> int:
        """Records so far, the marks of transactions included."""
        return sum((await self._watch.end_offsets(self._places)).values())

    async def read(self) -> tuple[list[bytes], int, int]:
        """All committed values, with the broker's first and last time in epoch ms (0 without any)."""
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, enable_auto_commit=False, auto_offset_reset="earliest",
            isolation_level="read_committed",
        )  # fmt: skip
        async with consumer:
            consumer.assign(self._places)
            ends = await consumer.end_offsets(self._places)
            found: dict[TopicPartition, list[tuple[int, bytes]]] = defaultdict(list)
            behind = [place for place in self._places if ends[place]]
            silent = 0
            while behind and silent < _SILENT:  # marks of transactions alone may leave the position behind
                answer = await consumer.getmany(timeout_ms=500)
                silent = 0 if answer else silent + 1
                for place, records in answer.items():
                    found[place] += [(record.timestamp, record.value) for record in records]
                behind = [place for place in behind if await consumer.position(place) < ends[place]]
        taken = [one for records in found.values() for one in records]
        times = [time for time, _ in taken] or [0]
        return [value for _, value in taken], min(times), max(times)
