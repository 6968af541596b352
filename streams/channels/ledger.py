"""The ledger of one partition: what has been settled, in Kafka, with a fence against a former owner.

With transactions the producer's id belongs to the partition: to start it shuts the former one out, and the
state, feedback and dead letters of a portion are one transaction. Without, a claim record takes its place, as
in the lanes' journal: who writes reads back whether a newer claim stands before, and goes on only then.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from streams.channels.state import Entry, State, decode, encode, newest
from streams.kafka.connection import KafkaAddress
from streams.kafka.owner import Owner
from streams.kafka.reader import Reader
from streams.kafka.sending import Outgoing, send

_WINDOW: Final = 64
_DEADLINE_S: Final = 15.0


class Ledger(Owner):
    """One partition's side of Kafka."""

    def __init__(
        self, address: KafkaAddress, reader: Reader, topic: str, partition: int, transactional_id: str
    ) -> None:
        """An empty `transactional_id`: the broker has no transactions. `reader` is not closed here."""
        owned = f"{topic}[{partition}]"
        super().__init__(address, (topic, partition), owned=owned, rival="service", deadline_s=_DEADLINE_S)
        self._reader, self._id = reader, transactional_id
        self._claim = ""
        self._next = 0

    async def claim(self) -> State | None:
        """Shut out whoever had the partition; what they knew, None for nothing.

        Raises UnknownOutcome, Fenced, Damaged.
        """
        await self._replace_producer(self._id or None)
        self._claim = secrets.token_hex(8)
        offset = await self._append(Entry(self._claim), [])
        self._next = offset + 1
        return await self._last(offset + 1)

    async def write(self, state: State, outputs: Sequence[Outgoing]) -> None:
        """Put down the state, and send the outputs with it.

        Raises Fenced when another has the partition, UnknownOutcome; claim anew then.
        """
        offset = await self._append(Entry(self._claim, state), outputs)
        if not self._id:
            await self._refuse_newer_claim(offset)

    async def sizes(self, topics: Sequence[str]) -> dict[str, int]:
        """The number of partitions of these topics. Raises UnknownOutcome."""
        return {topic: await self._reader.partitions(topic) for topic in topics}

    async def _append(self, entry: Entry, outputs: Sequence[Outgoing]) -> int:
        # Compaction keeps the last of each claim, so that one of a former owner hides none that counts.
        key = f"claim {entry.claim}" if entry.state is None else f"state {entry.claim}"
        record = Outgoing(*self._place, key.encode(), encode(entry))
        async with self._owned() as producer:
            if self._id:
                return self._offset(await self._transact(producer, [*outputs, record]))
            # A repeat of these is known by its id; a state without them would lose them.
            await send(producer, outputs, within_s=_DEADLINE_S)
            return self._offset(await send(producer, [record], within_s=_DEADLINE_S))

    async def _refuse_newer_claim(self, offset: int) -> None:
        if offset > self._next:
            between = await self._read(self._next, offset)
            if any(entry.state is None and entry.claim != self._claim for entry in between):
                self._void()
                raise self._taken()
        self._next = offset + 1

    async def _last(self, end: int) -> State | None:
        """The state that counts: looked for backwards, in windows that grow."""
        beginning, window = await self._reader.beginning(*self._place), _WINDOW
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
        found = await self._reader.read(*self._place, start, end)
        return [decode(one.value, f"{self._owned_name} at {one.offset}") for one in found]
