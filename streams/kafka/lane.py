"""What all logs of a lane have in common: one producer at a time, the journal's partition, reads."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import (
    IllegalOperation,
    InvalidProducerEpoch,
    KafkaError,
    MessageSizeTooLargeError,
    ProducerFenced,
    RecordListTooLargeError,
)

from retarget.errors import LaneRefused
from streams import topics
from streams.kafka import journal
from streams.kafka.connection import TOPIC_RECORD_BYTES, KafkaAddress, discard
from streams.kafka.reader import Reader
from streams.kafka.refusals import refusal
from streams.kafka.sending import Outgoing
from streams.ports import Entry, Fenced, History, JournalRecord, Record, UnknownOutcome

# The last two are how a producer answers whose transaction has failed meanwhile.
_KAFKA_FAILED: Final = (KafkaError, TimeoutError, OSError, IllegalOperation, AssertionError)


class LaneOnKafka:
    """One lane's side of Kafka; not for use by several tasks at a time."""

    def __init__(
        self,
        address: KafkaAddress,
        reader: Reader,
        lane: int,
        *,
        app_id: str,
        journal_topic: str = topics.JOURNAL,
        deadline_s: float = 15.0,
    ) -> None:
        """`deadline_s` bounds each call to Kafka; `reader` is shared and not closed here."""
        self._address = address
        self._reader = reader
        self._lane = lane
        self._app_id = app_id
        self._journal = journal_topic
        self._deadline_s = deadline_s
        self._producer: AIOKafkaProducer | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def history(self, offset: int) -> History:
        """See LaneLog. `offset` is 0, or one more than that of a record this returned before."""
        return (await self._survey(offset))[0]

    async def read(self, topic: str, start: int, end: int) -> list[Record]:
        """See LaneLog."""
        return await self._reader.read(topic, self._lane, start, end)

    async def beginning(self, topic: str) -> int:
        """See LaneLog."""
        return await self._reader.beginning(topic, self._lane)

    async def close(self) -> None:
        """See LaneLog. What is in flight is not waited for: it counts as a call of unknown outcome."""
        self._void()
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _survey(self, offset: int) -> tuple[History, str]:
        """What counts from `offset` to the end, and the newest claim."""
        end = await self._reader.end(self._journal, self._lane)
        self._require_below(offset, end)
        return await journal.Tail(self._entries, offset, end).survey()

    def _require_below(self, offset: int, end: int) -> None:
        if offset > end:
            raise LaneRefused(
                f"{self._journal}[{self._lane}] ends at offset {end}, and the store has applied it up to "
                f"{offset}: the journal was lost or belongs to another store"
            )

    async def _entries(self, start: int, end: int) -> list[Entry]:
        """The journal records of a range."""
        found = await self._reader.read(self._journal, self._lane, start, end)
        return [(one.offset, journal.decode(one)) for one in found]

    def _journaled(self, record: JournalRecord) -> Outgoing:
        return Outgoing(self._journal, self._lane, b"%d" % self._lane, journal.encode(record))

    def _offset(self, offsets: Mapping[tuple[str, int], int]) -> int:
        offset = offsets[self._journal, self._lane]
        if offset < 0:  # a repeat that the broker recognised; it does not tell where the first one is
            raise UnknownOutcome(f"lane {self._lane}: the journal record is stored, its offset is unknown")
        return offset

    async def _replace_producer(self, transactional_id: str | None = None) -> None:
        """Start a new producer instead of any former one. Raises UnknownOutcome, Fenced."""
        self._void()
        self._producer = self._address.producer(transactional_id)
        async with self._owned() as producer, asyncio.timeout(self._deadline_s):
            await producer.start()

    @asynccontextmanager
    async def _owned(self) -> AsyncIterator[AIOKafkaProducer]:
        """The producer, thrown away after any error; errors of Kafka become UnknownOutcome or Fenced."""
        producer = self._producer
        if producer is None:
            raise Fenced(f"lane {self._lane} is not claimed")
        try:
            yield producer
        except BaseException as error:
            self._void()
            if isinstance(error, ProducerFenced | InvalidProducerEpoch):
                raise Fenced(f"lane {self._lane} has been claimed by another worker") from error
            if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
                raise UnknownOutcome(
                    f"lane {self._lane}: {''.join(map(str, error.args))} refuses a record as too large, "
                    f"and will again: set its max.message.bytes to {TOPIC_RECORD_BYTES}"
                ) from error
            if isinstance(error, _KAFKA_FAILED):
                raise UnknownOutcome(f"lane {self._lane}: {refusal(error, 'Write')}") from error
            raise

    def _void(self) -> None:
        """Throw the producer away; the claim is void then."""
        if self._producer is not None:
            task = asyncio.get_running_loop().create_task(discard(self._producer))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            self._producer = None
