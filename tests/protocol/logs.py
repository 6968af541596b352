"""The two logs of a lane over the model broker: the real ones' steps, with the real arbiter and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from retarget.errors import LaneRefused
from streams.kafka.journal import Tail, claim_token
from streams.ports import Entry, Fenced, History, JournalRecord, Output, Record
from streams.topics import JOURNAL, MERGE
from tests.protocol.broker import Broker, Sent, decoded, journaled, stamped
from tests.protocol.coordinator import Client
from tests.protocol.steps import step
from tests.protocol.workload import START


def crossings(broker: Broker, start: int, end: int | None = None) -> list[Record]:
    """What lanes have told each other, in a range of offsets."""
    broker.require(MERGE, start, broker.stable(MERGE) if end is None else end)
    found = broker.visible(MERGE, start)
    # The broker's timestamps; all the same, so that a replay has no other order.
    return [
        Record(MERGE, offset, START, sent.key, sent.value)
        for offset, sent in found
        if end is None or offset < end
    ]


# So little that a journal is read in several portions after a crash.
_PORTION: Final = 5


class ModelLog:
    """What both logs have in common: reads, and a claim that is void after any failure."""

    def __init__(self, broker: Broker, inputs: Sequence[Record], tokens: list[str]) -> None:
        """`tokens`: the list to which every claim adds its own, shared by all workers."""
        self._broker, self._inputs, self._tokens = broker, inputs, tokens
        self._claimed = False

    async def history(self, offset: int) -> History:
        """See LaneLog."""
        return (await self._survey(offset))[0]

    async def read(self, topic: str, start: int, end: int) -> list[Record]:
        """See LaneLog."""
        if topic == MERGE:
            return await step("read", lambda: crossings(self._broker, start, end))
        return await step("read", lambda: self._read(topic, start, end))

    async def beginning(self, topic: str) -> int:
        """See LaneLog."""
        return await step(f"beginning {topic}", lambda: self._broker.beginnings[topic])

    async def close(self) -> None:
        """See LaneLog."""

    def _read(self, topic: str, start: int, end: int) -> list[Record]:
        self._broker.require(topic, start, end)
        return [r for r in self._inputs if r.topic == topic and start <= r.offset < end]

    async def _survey(self, offset: int) -> tuple[History, str]:
        end = await step("journal end", lambda: len(self._broker.logs[JOURNAL]))
        if offset > end:
            raise LaneRefused("the store is ahead of the journal")
        return await Tail(self._entries, offset, end, portion=_PORTION).survey()

    async def _entries(self, start: int, end: int) -> list[Entry]:
        return decoded(await step("journal read", lambda: self._broker.read(JOURNAL, start, end)))

    def _require(self) -> None:
        if not self._claimed:
            raise Fenced("not claimed")
        self._claimed = False  # until the operation has succeeded


class TransactionalModel(ModelLog):
    """As streams.kafka.transactional."""

    _epoch = 0

    async def claim(self) -> None:
        """See LaneLog."""
        self._claimed = False
        self._producer = Client(self._broker.coordinator)
        self._epoch = await self._producer.ask("claim", self._broker.init)
        self._claimed = True

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog."""
        self._require()
        await self._produce("produce outputs", stamped(record, outputs, self._broker.lane))
        offset = await self._produce("produce journal", [journaled(record, self._broker.lane)])
        await self._end()
        return offset

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:
        """See LaneLog."""
        self._require()
        await self._produce("produce again", stamped(record, outputs, self._broker.lane))
        await self._end()

    async def _produce(self, name: str, records: list[Sent]) -> int:
        epoch = self._epoch
        if not records:
            return -1
        # The coordinator is asked to add the partitions first.
        return await self._producer.add(name, lambda: self._broker.produce(epoch, records))

    async def _end(self) -> None:
        epoch = self._epoch
        await self._producer.ask("end", lambda: self._broker.end(epoch), once=True)
        self._claimed = True


class IdempotentModel(ModelLog):
    """As streams.kafka.idempotent."""

    _token = ""
    _next = 0

    async def claim(self) -> None:
        """See LaneLog."""
        self._claimed = False
        end = await step("journal end", lambda: len(self._broker.logs[JOURNAL]))
        token = claim_token(end, f"claim-{len(self._tokens)}")
        self._tokens.append(token)
        offset = await self._append(
            "claim", journaled(JournalRecord(sequence=0, claim=token), self._broker.lane)
        )
        self._token, self._next, self._claimed = token, offset + 1, True

    async def history(self, offset: int) -> History:
        """See LaneLog."""
        history, owner = await self._survey(offset)
        if owner != self._token:
            self._claimed = False
            raise Fenced("claimed by another")
        return history

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog."""
        self._require()
        mine = msgspec.structs.replace(record, writer=self._token, acknowledged=record.sequence - 1)
        offset = await self._append("journal", journaled(mine, self._broker.lane))
        await self._refuse_newer_claim(offset)
        await self._emit(stamped(record, outputs, self._broker.lane))
        return offset

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:
        """See LaneLog."""
        self._require()
        await self._emit(stamped(record, outputs, self._broker.lane))

    async def _emit(self, records: list[Sent]) -> None:
        for one in records:
            await self._append("output", one)
        self._claimed = True

    async def _append(self, name: str, record: Sent) -> int:
        return await step(name, lambda: self._broker.append([record]), changes=True)

    async def _refuse_newer_claim(self, offset: int) -> None:
        start = self._next
        if offset > start:
            between = decoded(await step("read back", lambda: self._broker.read(JOURNAL, start, offset)))
            if any(record.claim not in (None, self._token) for _, record in between):
                raise Fenced("claimed by another")
        self._next = offset + 1
