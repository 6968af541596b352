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
)

from retarget.errors import LaneRefused
from streams import topics
from streams.kafka import journal
from streams.kafka.connection import TOPIC_RECORD_BYTES, KafkaAddress, discard
from streams.kafka.reader import Reader
from streams.kafka.refusals import refusal
from streams.kafka.sending import Outgoing
from streams.ports import Fenced, History, JournalRecord, Record, UnknownOutcome

_AT_ONCE: Final = 2_000
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
        at_once: int = _AT_ONCE,
    ) -> None:
        """`deadline_s` bounds each call to Kafka; `reader` is shared and not closed here.

        `at_once`: so many offsets of the journal are read at once, so that a long one needs little memory.
        """
        self._address = address
        self._reader = reader
        self._lane = lane
        self._app_id = app_id
        self._journal = journal_topic
        self._deadline_s = deadline_s
        self._at_once = at_once
        self._producer: AIOKafkaProducer | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def history(self, offset: int) -> History:
        """See LaneLog. `offset` is 0, or one more than that of a record this returned before."""
        end = await self._reader.end(self._journal, self._lane)
        return await self._portion(offset, end, self._at_once)

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

    async def _portion(self, offset: int, end: int, size: int) -> History:
        """What counts from `offset` on, up to `end`, or some of it, about `size` offsets.

        Without transactions, outputs follow their record: of a part only that is told whose outputs are known
        to be out.
        """
        while offset + size < end:
            found = (await self._arbitrate(offset, offset + size)).history()
            settled = [one for one in found.records if one[1].sequence <= found.acknowledged]
            if settled:
                return History(settled, found.acknowledged, whole=False)
            size *= 2
        return (await self._arbitrate(offset, end)).history()

    async def _arbitrate(self, offset: int, until: int | None = None) -> journal.Arbiter:
        """What counts from `offset` on, up to `until`, else to the end."""
        end = until if until is not None else await self._reader.end(self._journal, self._lane)
        if offset > end:
            raise LaneRefused(
                f"{self._journal}[{self._lane}] ends at offset {end}, and the store has applied it up to "
                f"{offset}: the journal was lost or belongs to another store"
            )
        arbiter = journal.Arbiter(offset)
        found = await self._reader.read(self._journal, self._lane, max(offset - 1, 0), end)
        arbiter.take((one.offset, journal.decode(one)) for one in found)
        return arbiter

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
            if isinstance(error, MessageSizeTooLargeError):
                raise LaneRefused(
                    f"lane {self._lane}: a topic refuses a record as too large, and would again: set "
                    f"max.message.bytes of {self._journal} and the output topics to {TOPIC_RECORD_BYTES}"
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
