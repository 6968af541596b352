"""The log of a lane on a broker with transactions: a batch is one transaction."""

from collections.abc import Mapping, Sequence

import msgspec

from streams.kafka.lane import LaneOnKafka
from streams.kafka.sending import Outgoing, stamped
from streams.ports import JournalRecord, Output


class TransactionalLog(LaneOnKafka):
    """LaneLog whose producer has the lane's own transactional id: to start one shuts out the former.

    It settles the former one's open transaction, too.
    """

    async def claim(self) -> None:
        """See LaneLog."""
        await self._replace_producer(f"{self._app_id}-lane-{self._lane}")

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog."""
        mine = msgspec.structs.replace(record, writer="")
        offsets = await self._batch(record, outputs, [self._journaled(mine)])
        return self._offset(offsets)

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:
        """Needed once, after a change from idempotent mode; see LaneLog."""
        await self._batch(record, outputs, [])

    async def _batch(
        self, record: JournalRecord, outputs: Sequence[Output], journaled: Sequence[Outgoing]
    ) -> Mapping[tuple[str, int], int]:
        async with self._owned() as producer:
            outgoing = await stamped(producer, self._lane, record, outputs, within_s=self._deadline_s)
            return await self._transact(producer, [*outgoing, *journaled])
