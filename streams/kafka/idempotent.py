"""The log of a lane on a broker without transactions: claims in the journal instead of a fence.

A batch counts when its journal record stands behind its writer's claim and before any newer one. Its outputs
leave after that is known; consumers drop repeats by their headers.
"""

import secrets
from collections.abc import Sequence

import msgspec
from aiokafka import AIOKafkaProducer

from streams.kafka import journal
from streams.kafka.lane import LaneOnKafka
from streams.kafka.sending import Outgoing, send, stamped
from streams.ports import History, JournalRecord, Output
from streams.topics import KEYS


class IdempotentLog(LaneOnKafka):
    """LaneLog without transactions."""

    _token = ""
    _next = 0  # the journal offset up to which no newer claim than ours stands

    async def claim(self) -> None:
        """See LaneLog."""
        await self._replace_producer()
        end = await self._reader.end(self._journal, self._lane)
        token = journal.claim_token(end, secrets.token_hex(16))
        claim = self._journaled(JournalRecord(sequence=0, claim=token))
        async with self._owned() as producer:
            offsets = await send(producer, [claim], within_s=self._deadline_s)
            self._token, self._next = token, self._offset(offsets) + 1

    async def history(self, offset: int) -> History:
        """See LaneLog. Raises Fenced when another claim follows ours."""
        history, owner = await self._survey(offset)
        if owner != self._token:
            self._void()
            raise self._taken()
        return history

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog. It states that everything before this record is out: emit again first."""
        mine = msgspec.structs.replace(record, writer=self._token, acknowledged=record.sequence - 1)
        within = self._deadline_s
        async with self._owned() as producer:
            outgoing = await stamped(producer, self._lane, record, outputs, within_s=within)
            offset = self._offset(await send(producer, [self._journaled(mine)], within_s=within))
            await self._refuse_newer_claim(offset)
            await self._emit(producer, outgoing)
        return offset

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:
        """See LaneLog."""
        within = self._deadline_s
        async with self._owned() as producer:
            outgoing = await stamped(producer, self._lane, record, outputs, within_s=within)
            await self._emit(producer, outgoing)

    async def _emit(self, producer: AIOKafkaProducer, outgoing: Sequence[Outgoing]) -> None:
        """Keys before what is sealed by them: after a crash between the two they would be others."""
        keys = [one for one in outgoing if one.topic == KEYS]
        if keys:
            await send(producer, keys, within_s=self._deadline_s)
            outgoing = [one for one in outgoing if one.topic != KEYS]
        await send(producer, outgoing, within_s=self._deadline_s)

    async def _refuse_newer_claim(self, offset: int) -> None:
        """Look at what stands between our last record and this one; nothing does when they are neighbours."""
        if offset > self._next:
            between = await self._reader.read(self._journal, self._lane, self._next, offset)
            if any(journal.decode(one).claim not in (None, self._token) for one in between):
                raise self._taken()
        self._next = offset + 1
