"""The ledger of one partition: what has been settled, in Kafka, with a fence against a former owner.

With transactions the producer's id belongs to the partition: to start it shuts the former one out, and the
state, feedback and dead letters of a portion are one transaction. Without, a claim record takes its place, as
in the lanes' journal: who writes reads back whether a newer claim stands before, and goes on only then.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import IllegalOperation, InvalidProducerEpoch, KafkaError, ProducerFenced

from streams.channels.state import Entry, State, decode, encode, newest
from streams.kafka.connection import KafkaAddress, discard
from streams.kafka.reader import Reader
from streams.kafka.refusals import refusal
from streams.kafka.sending import Outgoing, send
from streams.ports import Fenced, UnknownOutcome

_KAFKA_FAILED: Final = (KafkaError, TimeoutError, OSError, IllegalOperation, AssertionError)
_WINDOW: Final = 64
_DEADLINE_S: Final = 15.0


class Ledger:
    """One partition's side of Kafka; for one task at a time."""

    def __init__(
        self, address: KafkaAddress, reader: Reader, topic: str, partition: int, transactional_id: str
    ) -> None:
        """An empty `transactional_id`: the broker has no transactions. `reader` is not closed here."""
        self._address, self._reader = address, reader
        self._topic, self._partition, self._id = topic, partition, transactional_id
        self._producer: AIOKafkaProducer | None = None
        self._claim = ""
        self._next = 0

    async def claim(self) -> State | None:
        """Shut out whoever had the partition; what they knew, None for nothing.

        Raises UnknownOutcome, Fenced, Damaged.
        """
        await self.close()
        self._producer = self._address.producer(self._id or None)
        self._claim = secrets.token_hex(8)
        async with self._owned() as producer:
            await producer.start()
            offset = await self._append(Entry(self._claim), [])
        self._next = offset + 1
        return await self._last(offset + 1)

    async def write(self, state: State, outputs: Sequence[Outgoing]) -> None:
        """Put down the state, and send the outputs with it.

        Raises Fenced when another has the partition, UnknownOutcome; claim anew then.
        """
        async with self._owned() as producer:
            if not self._id:  # a repeat of these is known by its id; a state without them would lose them
                await send(producer, outputs, within_s=_DEADLINE_S)
                outputs = ()
            offset = await self._append(Entry(self._claim, state), outputs)
        if not self._id:
            await self._refuse_newer_claim(offset)

    async def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """The number of partitions of these topics. Raises UnknownOutcome."""
        return {topic: await self._reader.partitions(topic) for topic in topics}

    async def close(self) -> None:
        """Throw the producer away, with what it has not yet sent."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await discard(producer)

    async def _append(self, entry: Entry, outputs: Sequence[Outgoing]) -> int:
        producer = self._producer
        assert producer is not None
        # Compaction keeps the last of each claim, so that one of a former owner hides none that counts.
        key = f"claim {entry.claim}" if entry.state is None else f"state {entry.claim}"
        record = Outgoing(self._topic, self._partition, key.encode(), encode(entry))
        if self._id:
            await producer.begin_transaction()
        offsets = await send(producer, [*outputs, record], within_s=_DEADLINE_S)
        if self._id:
            await producer.commit_transaction()
        return offsets[self._topic, self._partition]

    async def _refuse_newer_claim(self, offset: int) -> None:
        if offset > self._next:
            between = await self._read(self._next, offset)
            if any(entry.state is None and entry.claim != self._claim for entry in between):
                await self.close()
                raise Fenced(f"{self._topic}[{self._partition}] has been claimed by another service")
        self._next = offset + 1

    async def _last(self, end: int) -> State | None:
        """The state that counts: looked for backwards, in windows that grow."""
        beginning, window = await self._reader.beginning(self._topic, self._partition), _WINDOW
        while True:
            start = max(beginning, end - window)
            entries = await self._read(start, end)
            writers = {entry.claim for entry in entries if entry.state is not None}
            claims = {entry.claim for entry in entries if entry.state is None}
            # Of several whose claims lie further back, the window does not tell which is the later one.
            if start == beginning or writers & claims or len(writers) == 1:
                return newest(entries)
            window *= 8

    async def _read(self, start: int, end: int) -> list[Entry]:
        found = await self._reader.read(self._topic, self._partition, start, end)
        return [decode(one.value, f"{self._topic}[{self._partition}] at {one.offset}") for one in found]

    @asynccontextmanager
    async def _owned(self) -> AsyncIterator[AIOKafkaProducer]:
        """The producer, thrown away after any error; errors of Kafka become UnknownOutcome or Fenced."""
        if self._producer is None:
            raise Fenced(f"{self._topic}[{self._partition}] is not claimed")
        try:
            yield self._producer
        except BaseException as error:
            await self.close()
            if isinstance(error, ProducerFenced | InvalidProducerEpoch):
                said = f"{self._topic}[{self._partition}] has been claimed by another service"
                raise Fenced(said) from error
            if isinstance(error, _KAFKA_FAILED):
                raise UnknownOutcome(refusal(error, "Write")) from error
            raise
