"""Bounded reads of one partition, from offset to offset, by requests of our own.

A consumer prefetches, and after a seek its former long poll holds the next fetch up; here every read asks for
what it wants and nothing else, and any number of lanes share one client.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaClient, TopicPartition
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.errors import KafkaError, OffsetOutOfRangeError, for_code
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

from retarget.dialects.binary import attributes_of
from retarget.errors import LaneRefused, Unreachable
from streams.kafka.connection import KafkaAddress
from streams.kafka.refusals import refusal
from streams.ports import Record, UnknownOutcome

_LATEST: Final = -1
_EARLIEST: Final = -2
_UNCOMMITTED: Final = 0
_COMMITTED: Final = 1
_FETCH_BYTES: Final = 4 * 1024 * 1024
# A replay asks for the few records of one batch after the other, and not each time for all that follows.
_LEAST_BYTES: Final = 64 * 1024
_RECORD_BYTES: Final = 2 * 1024
_WAIT_MS: Final = 50  # short: a broker answers the requests of one connection one after another
_BACKOFF_S: Final = 0.1


class Fetched(NamedTuple):
    """One answer to a fetch: records below the wanted end, the offset to go on at, the high watermark."""

    records: list[Record]
    headers: list[tuple[tuple[str, bytes], ...]]
    position: int
    high_watermark: int


class Reader:
    """Reads of any topic's partitions. One is enough for a process; its methods may run at the same time."""

    def __init__(self, address: KafkaAddress, *, deadline_s: float = 15.0) -> None:
        """`deadline_s` bounds the wait for the next record of a read, not the whole of a long one."""
        self._address = address
        self._deadline_s = deadline_s
        self._client: AIOKafkaClient | None = None

    async def start(self) -> None:
        """Connect. Raises Unreachable."""
        client = self._address.client()
        try:
            await client.bootstrap()
        except KafkaError as error:
            await client.close()
            raise Unreachable("Kafka", self._address.bootstrap, "kafka.bootstrap") from error
        self._client = client

    async def close(self) -> None:
        """Disconnect; a read that is under way ends with UnknownOutcome."""
        if self._client is not None:
            client, self._client = self._client, None
            await client.close()

    async def partitions(self, topic: str) -> int:
        """How many partitions a topic has. Raises UnknownOutcome, also when there is no such topic."""
        async with self._bounded(f"the partitions of {topic}"):
            while True:
                known = self._running.cluster.partitions_for_topic(topic)
                if known:
                    return len(known)
                self._running.add_topic(topic)
                await self._refresh()

    async def beginning(self, topic: str, partition: int) -> int:
        """The first offset that the broker still has. Raises UnknownOutcome."""
        async with self._bounded(f"the beginning of {topic}[{partition}]"):
            return await self._offset(topic, partition, _EARLIEST)

    async def end(self, topic: str, partition: int) -> int:
        """The high watermark, open transactions included. Raises UnknownOutcome."""
        async with self._bounded(f"the end of {topic}[{partition}]"):
            latest = await self._offset(topic, partition, _LATEST)
            # The embedded broker takes the first offset of its last batch for the latest; its answers to a
            # fetch are right, but for one that may not wait at all.
            answer = await self._fetch(topic, partition, (latest, latest), _UNCOMMITTED, wait_ms=1)
            return max(latest, answer.high_watermark)

    async def since(self, topic: str, partition: int, time: int) -> int:
        """The first offset whose record is not older than `time`, epoch ms; the end where all are.

        Raises UnknownOutcome.
        """
        async with self._bounded(f"where {topic}[{partition}] stood at a time"):
            found = await self._offset(topic, partition, time)
        return found if found >= 0 else await self.end(topic, partition)

    async def read(self, topic: str, partition: int, start: int, end: int) -> list[Record]:
        """The committed records with start <= offset < end, which must be below the high watermark.

        Raises LaneRefused when they are gone, UnknownOutcome when the broker does not give them in time.
        """
        return (await self.read_with_headers(topic, partition, start, end)).records

    async def read_with_headers(self, topic: str, partition: int, start: int, end: int) -> Fetched:
        """As `read`, with each record's headers in the same order."""
        records: list[Record] = []
        headers: list[tuple[tuple[str, bytes], ...]] = []
        position, seen = start, end
        while position < end:
            try:
                answer = await self._next(topic, partition, position, end)
            except OffsetOutOfRangeError:
                raise await self._gone(topic, partition, position, end) from None
            records += answer.records
            headers += answer.headers
            position, seen = answer.position, answer.high_watermark
        return Fetched(records, headers, position, seen)

    async def _next(self, topic: str, partition: int, position: int, end: int) -> Fetched:
        """The next answer that moves the position. May raise OffsetOutOfRangeError."""
        high_watermark = end
        size = min(_LEAST_BYTES + _RECORD_BYTES * (end - position), _FETCH_BYTES)
        try:
            async with asyncio.timeout(self._deadline_s):
                while True:
                    answer = await self._fetch(topic, partition, (position, end), size=size)
                    if answer.position > position:
                        return answer
                    high_watermark, size = answer.high_watermark, _FETCH_BYTES
        except TimeoutError:
            if high_watermark < end:
                raise await self._gone(topic, partition, position, end) from None
            raise UnknownOutcome(
                f"{topic}[{partition}] shows nothing committed from offset {position} on, but reaches to "
                f"{high_watermark}: a transaction may be open, or the broker does not answer"
            ) from None

    async def _fetch(
        self,
        topic: str,
        partition: int,
        span: tuple[int, int],
        isolation: int = _COMMITTED,
        *,
        wait_ms: int = _WAIT_MS,
        size: int = 1,
    ) -> Fetched:
        """One answer of about `size` bytes about the offsets of `span`; asked again until there is one."""
        wanted = [(topic, [(partition, span[0], size)])]
        request = FetchRequest(wait_ms, 1, _FETCH_BYTES, isolation, wanted, rack_id="")
        while True:
            try:
                answer = await self._ask(topic, partition, request)
                _, code, high_watermark, _, _, aborted, *_, data = _partition_answer(answer)
                _check(code)
                return _unpack(topic, partition, span, (aborted, data), high_watermark)
            except OffsetOutOfRangeError:
                raise
            except KafkaError as error:
                await self._recover(error, topic)

    async def _offset(self, topic: str, partition: int, which: int) -> int:
        """First or latest offset, or the one of a time; asked again until there is an answer."""
        while True:
            try:
                request = OffsetRequest(-1, _UNCOMMITTED, [(topic, [(partition, which)])])
                _, code, _, offset = _partition_answer(await self._ask(topic, partition, request))
                _check(code)
                return int(offset)
            except KafkaError as error:
                await self._recover(error, topic)

    async def _ask(self, topic: str, partition: int, request: Any) -> Any:  # noqa: ANN401 - aiokafka's, without types
        client = self._running
        await client._wait_on_metadata(topic)  # noqa: SLF001 - what its consumer and producer use
        leader = client.cluster.leader_for_partition(TopicPartition(topic, partition))
        if leader is None or leader < 0:
            raise KafkaError(f"{topic}[{partition}] has no leader")
        return await client.send(leader, request)

    async def _recover(self, error: KafkaError, topic: str) -> None:
        """Find the leader again after a passing error; raise one that will not pass."""
        if type(error) is not KafkaError and not error.retriable:
            raise UnknownOutcome(f"Kafka refuses to be read: {refusal(error, 'Read', topic)}") from error
        await self._refresh()

    async def _refresh(self) -> None:
        await asyncio.sleep(_BACKOFF_S)
        await self._running.force_metadata_update()

    async def missing(self, topic: str, partition: int, position: int) -> LaneRefused | None:
        """What to say when a position is outside of the log; None when it is not."""
        first, last = await self.beginning(topic, partition), await self.end(topic, partition)
        if first <= position <= last:
            return None
        return _refusal(topic, partition, f"from offset {position} on", first, last)

    async def _gone(self, topic: str, partition: int, start: int, end: int) -> LaneRefused:
        first, last = await self.beginning(topic, partition), await self.end(topic, partition)
        return _refusal(topic, partition, f"from offset {start} to {end}", first, last)

    @property
    def _running(self) -> AIOKafkaClient:
        if self._client is None:
            raise UnknownOutcome("the reader is closed")
        return self._client

    @asynccontextmanager
    async def _bounded(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._deadline_s):
                yield
        except (TimeoutError, KafkaError) as error:
            raise UnknownOutcome(f"Kafka did not tell {what}: {error!r}") from error


def _refusal(topic: str, partition: int, needed: str, first: int, last: int) -> LaneRefused:
    return LaneRefused(
        f"{topic}[{partition}]: the records {needed} are needed, but the topic holds "
        f"those from {first} to {last} only; it was cut by its retention (retention.ms, retention.bytes) "
        f"or made anew: restore a snapshot that is younger, and raise the retention"
    )


def _partition_answer(answer: Any) -> Any:  # noqa: ANN401 - aiokafka's, without types
    """The one partition's part of an answer to a request about one partition."""
    ((_, (part,)),) = answer.topics
    return part


def _check(code: int) -> None:
    kind = for_code(code)
    if kind.errno:
        raise kind()


def _unpack(
    topic: str, partition: int, span: tuple[int, int], fetched: tuple[Any, bytes], high_watermark: int
) -> Fetched:
    (position, end), (aborted, data) = span, fetched
    where = TopicPartition(topic, partition)
    unpacked = PartitionRecords(
        where,
        MemoryRecords(data or b""),
        aborted,
        position,
        key_deserializer=None,
        value_deserializer=None,
        check_crcs=True,
        isolation_level=_COMMITTED,
    )
    taken = list(itertools.takewhile(lambda record: record.offset < end, unpacked))
    records = [
        Record(
            topic, one.offset, one.timestamp, one.key, one.value, one.headers and attributes_of(one.headers)
        )
        for one in taken
    ]
    # Left half way, it and its generator hold each other and all that was fetched, until the collector comes,
    # which is seldom.
    unpacked._records_iterator = None  # noqa: SLF001 - it has no way to close it
    return Fetched(records, [one.headers for one in taken], unpacked.next_fetch_offset, high_watermark)
