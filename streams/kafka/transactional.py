"""The log of a lane on a broker with transactions: a batch is one transaction."""

import asyncio
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer

from streams.kafka.lane import LaneOnKafka
from streams.kafka.sending import send, stamped
from streams.ports import JournalRecord, Output


class TransactionalLog(LaneOnKafka):
    """LaneLog whose producer has the lane's own transactional id: to start one shuts out the former.

    It settles the former one's open transaction, too. A producer that failed once is never used again.
    """

    async def claim(self) -> None:
        """See LaneLog."""
        await self._replace_producer(f"{self._app_id}-lane-{self._lane}")

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog."""
        async with self._owned() as producer:
            return await self._transact(producer, msgspec.structs.replace(record, writer=""), outputs)

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:
        """Needed once, after a change from idempotent mode; see LaneLog."""
        async with self._owned() as producer, asyncio.timeout(self._deadline_s):
            outgoing = await stamped(producer, self._lane, record, outputs)
            await producer.begin_transaction()
            await send(producer, outgoing)
            await producer.commit_transaction()

    async def _transact(
        self, producer: AIOKafkaProducer, record: JournalRecord, outputs: Sequence[Output]
    ) -> int:
        async with asyncio.timeout(self._deadline_s):
            outgoing = await stamped(producer, self._lane, record, outputs)
            await producer.begin_transaction()
            offsets = await send(producer, [*outgoing, self._journaled(record)])
            # Only now: aiokafka would commit a transaction with a failed batch, without it.
            await producer.commit_transaction()
        return self._offset(offsets)
