"""The owner of a partition that only one may write to: its producer, made anew by each claim.

A producer that failed once is never used again.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
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

from streams.kafka.connection import TOPIC_RECORD_BYTES, KafkaAddress, discard
from streams.kafka.refusals import refusal
from streams.kafka.sending import Outgoing, send
from streams.ports import Fenced, UnknownOutcome

# The last two are how a producer answers whose transaction has failed meanwhile.
_KAFKA_FAILED: Final = (KafkaError, TimeoutError, OSError, IllegalOperation, AssertionError)


class Owner:
    """One producer at a time; not for use by several tasks at a time."""

    def __init__(
        self, address: KafkaAddress, place: tuple[str, int], *, owned: str, rival: str, deadline_s: float
    ) -> None:
        """`place`: topic and partition; `owned` and `rival` are what errors call it, and who takes it away.

        `deadline_s` bounds each call to Kafka.
        """
        self._address, self._place = address, place
        self._owned_name, self._rival = owned, rival
        self._deadline_s = deadline_s
        self._producer: AIOKafkaProducer | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """What is in flight is not waited for: it counts as a call of unknown outcome."""
        self._void()
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _replace_producer(self, transactional_id: str | None = None) -> None:
        """Start a new producer instead of any former one. Raises UnknownOutcome, Fenced."""
        self._void()
        self._producer = self._address.producer(transactional_id)
        async with self._owned() as producer, asyncio.timeout(self._deadline_s):
            await producer.start()

    async def _transact(
        self, producer: AIOKafkaProducer, outgoing: Iterable[Outgoing]
    ) -> Mapping[tuple[str, int], int]:
        """All of these in one transaction; each partition's offset of its first record."""
        async with asyncio.timeout(self._deadline_s):
            await producer.begin_transaction()
        offsets = await send(producer, outgoing, within_s=self._deadline_s)
        # Only now: aiokafka would commit a transaction with a failed batch, without it.
        async with asyncio.timeout(self._deadline_s):
            await producer.commit_transaction()
        return offsets

    def _offset(self, offsets: Mapping[tuple[str, int], int]) -> int:
        offset = offsets[self._place]
        if offset < 0:  # a repeat that the broker recognised; it does not tell where the first one is
            said = f"the record in {self._place[0]} is stored, its offset is unknown"
            raise UnknownOutcome(f"{self._owned_name}: {said}")
        return offset

    @asynccontextmanager
    async def _owned(self) -> AsyncIterator[AIOKafkaProducer]:
        """The producer, thrown away after any error; errors of Kafka become UnknownOutcome or Fenced."""
        producer = self._producer
        if producer is None:
            raise Fenced(f"{self._owned_name} is not claimed")
        try:
            yield producer
        except BaseException as error:
            self._void()
            if isinstance(error, ProducerFenced | InvalidProducerEpoch):
                raise self._taken() from error
            if isinstance(error, MessageSizeTooLargeError | RecordListTooLargeError):
                raise UnknownOutcome(
                    f"{self._owned_name}: {''.join(map(str, error.args))} refuses a record as too large, "
                    f"and will again: set its max.message.bytes to {TOPIC_RECORD_BYTES}"
                ) from error
            if isinstance(error, _KAFKA_FAILED):
                raise UnknownOutcome(f"{self._owned_name}: {refusal(error, 'Write')}") from error
            raise

    def _taken(self) -> Fenced:
        return Fenced(f"{self._owned_name} has been claimed by another {self._rival}")

    def _void(self) -> None:
        """Throw the producer away; the claim is void then."""
        if self._producer is not None:
            task = asyncio.get_running_loop().create_task(discard(self._producer))
            self._leaving.add(task)
            task.add_done_callback(self._leaving.discard)
            self._producer = None
