"""Take what aiokafka has fetched, a chunk per partition, without building its record objects."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import islice

from aiokafka.consumer.fetcher import Fetcher, FetchError, FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.errors import OffsetOutOfRangeError
from aiokafka.record.default_records import DefaultRecord
from aiokafka.structs import TopicPartition

from retarget.dialects.binary import attributes_of
from streams.ports import Record
from streams.transport.chunks import Chunk, Partition


class FetchFailed(Exception):
    """The broker answered the fetch of one partition with an error; `error` is aiokafka's."""

    def __init__(self, partition: TopicPartition, error: Exception) -> None:
        super().__init__(f"cannot read {partition.topic}/{partition.partition}: {error!r}")
        self.partition, self.error = Partition(*partition), error


class Cut:
    """Finds logs that end before our position: cut, or replaced.

    Not every broker calls it an error to fetch from there. One that was killed may say so of a whole log for
    a moment, while it starts.
    """

    def __init__(self, patience_s: float = 5.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience_s, self._clock = patience_s, clock
        self._since: dict[TopicPartition, tuple[float, int | None]] = {}

    def look(self, assignment: Assignment) -> None:
        """Raises FetchFailed for a partition of which nothing else was answered for the patience."""
        for partition in assignment.tps:
            state = assignment.state_value(partition)
            if state.paused or state.highwater is None or state.highwater >= state.position:
                self._since.pop(partition, None)
                continue
            since, answered = self._since.setdefault(partition, (self._clock(), state.timestamp))
            if self._clock() - since >= self._patience_s and state.timestamp != answered:
                raise FetchFailed(partition, OffsetOutOfRangeError({partition: state.position}))


def drain(
    fetcher: Fetcher, *, seeks: dict[TopicPartition, int], generation: int, limit: int, cut: Cut
) -> list[Chunk]:
    """One chunk of at most `limit` records for every partition that has fetched data and is not paused.

    What is paused stays with the fetcher. Raises FetchFailed, as long as it has nothing else to return.
    """
    chunks: list[Chunk] = []
    assignment = fetcher._subscriptions.subscription.assignment  # noqa: SLF001 - aiokafka offers no batch access
    waiting = fetcher._records  # noqa: SLF001
    for partition in list(waiting):
        state = assignment.state_value(partition)
        if state is None:
            del waiting[partition]
        elif isinstance(waiting[partition], FetchError):
            if not chunks:
                _fail(fetcher, partition)
        elif not state.paused:
            chunk = _take(
                fetcher, partition, seek=seeks.get(partition, 0), generation=generation, limit=limit
            )
            if chunk is not None:
                chunks.append(chunk)
    if not chunks:
        cut.look(assignment)
    return chunks


def _take(
    fetcher: Fetcher, partition: TopicPartition, *, seek: int, generation: int, limit: int
) -> Chunk | None:
    result: FetchResult = fetcher._records[partition]  # noqa: SLF001
    if not result.check_assignment(partition):
        _drop(fetcher, partition)
        return None
    source = result._partition_records  # noqa: SLF001
    before = source.next_fetch_offset
    try:
        records = _unpack(source, limit)
    except Exception as error:
        _drop(fetcher, partition)
        raise FetchFailed(partition, error) from error
    result._update_position()  # noqa: SLF001
    if len(records) < limit:
        _drop(fetcher, partition)
    first = records[0].offset if records else before
    after = source.next_fetch_offset
    if after == before:
        return None
    return Chunk(partition.topic, partition.partition, before, first, after, records, generation, seek)


def _unpack(source: PartitionRecords, limit: int) -> list[Record]:
    """Unpack as aiokafka does, which knows compression, control batches and aborted transactions.

    Only the last step, which makes the object for one record, is replaced.
    """
    source._consumer_record = _record  # noqa: SLF001
    return list(islice(source._records_iterator, limit))  # noqa: SLF001


def _record(partition: TopicPartition, raw: DefaultRecord) -> Record:
    headers = raw.headers
    if headers:
        attributes = attributes_of(headers)
        return Record(partition.topic, raw.offset, raw.timestamp, raw.key, raw.value, attributes)
    return Record(partition.topic, raw.offset, raw.timestamp, raw.key, raw.value)


def _drop(fetcher: Fetcher, partition: TopicPartition) -> None:
    """Let the partition be fetched again, from its position."""
    del fetcher._records[partition]  # noqa: SLF001
    fetcher._notify(fetcher._wait_consume_future)  # noqa: SLF001


def _fail(fetcher: Fetcher, partition: TopicPartition) -> None:
    failure: FetchError = fetcher._records[partition]  # noqa: SLF001
    _drop(fetcher, partition)
    try:
        failure.check_raise()
    except Exception as error:
        raise FetchFailed(partition, error) from error
