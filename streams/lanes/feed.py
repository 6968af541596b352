"""The feed of one lane: chunks as the shell hands them over, kept until the lane takes them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Final, Protocol

from retarget.errors import LaneRefused
from streams.ports import Record
from streams.transport import Chunk

# For one lane: events are some hundred bytes, but whoever writes them may make them `input.max_bytes` long.
MOST_BYTES: Final = 16 * 1024 * 1024


class Flow(Protocol):
    """What a feed asks of the shell."""

    def seek(self, topic: str, partition: int, offset: int) -> None:
        """Go on at `offset`; nothing from before comes after this call."""

    def pause(self, topic: str, partition: int) -> None:
        """Fetch no more."""

    def resume(self, topic: str, partition: int) -> None:
        """Fetch again."""

    def caught_up_at(self, topic: str, partition: int) -> int | None:
        """Epoch ms of the fetch answer that showed nothing further; None when behind."""


class ShellFeed:
    """A Feed over the shell's chunks. Intake stops while more than `most` records, or MOST_BYTES, wait."""

    def __init__(self, flow: Flow, partition: int, topics: Sequence[str], most: int) -> None:
        self._flow, self._partition, self._topics, self._most = flow, partition, tuple(topics), most
        self._records: deque[Record] = deque()
        self._bytes = 0
        self._paused = False
        self._refused: LaneRefused | None = None
        self._arrived = asyncio.Event()

    async def start(self, frontier: dict[str, int]) -> None:
        """Deliver from these offsets on."""
        self._records.clear()
        self._bytes = 0
        self._paused = False
        self._refused = None
        for topic in self._topics:
            self._flow.seek(topic, self._partition, frontier[topic])
            self._flow.resume(topic, self._partition)

    def offer(self, chunk: Chunk) -> None:
        """Keep what the shell brings."""
        self._records.extend(chunk.records)
        self._bytes += _size(chunk.records)
        if chunk.records:
            self._arrived.set()
        full = len(self._records) >= self._most or self._bytes >= MOST_BYTES
        if full and not self._paused:
            self._paused = True
            for topic in self._topics:
                self._flow.pause(topic, self._partition)

    def refuse(self, why: LaneRefused) -> None:
        """Have `take` raise this, once it has given out what there is: what comes next is gone."""
        self._refused = why
        self._arrived.set()

    def wake(self) -> None:
        """Let `take` return now, with what there is."""
        self._arrived.set()

    async def take(self, records: int, wait_ms: int, idle_ms: int) -> list[Record]:
        """At most `records`; waits for the first one, then a little for more. Raises LaneRefused."""
        if not await self._some(idle_ms):
            return []
        if len(self._records) < records:
            await self._more(records, wait_ms)
        taken = list(islice(self._records, records))
        if len(taken) == len(self._records):
            self._records.clear()
        else:
            for _ in taken:
                self._records.popleft()
        self._bytes -= _size(taken)
        self._let_in()
        return taken

    async def _some(self, idle_ms: int) -> bool:
        if not self._records and self._refused is None:
            self._arrived.clear()
            try:
                async with asyncio.timeout(idle_ms / 1000):
                    await self._arrived.wait()
            except TimeoutError:
                return False
        if self._refused is not None and not self._records:
            raise self._refused
        return bool(self._records)

    async def _more(self, records: int, wait_ms: int) -> None:
        """Wait for a fuller batch, until nothing more can come in time."""
        try:
            async with asyncio.timeout(wait_ms / 1000):
                while len(self._records) < records:
                    self._arrived.clear()
                    await self._arrived.wait()
        except TimeoutError:
            return

    def _let_in(self) -> None:
        if self._paused and len(self._records) < self._most // 2 and self._bytes < MOST_BYTES // 2:
            self._paused = False
            for topic in self._topics:
                self._flow.resume(topic, self._partition)

    def caught_up_at(self) -> int | None:
        """When all that there was had been given out."""
        if self._records:
            return None
        seen = [self._flow.caught_up_at(topic, self._partition) for topic in self._topics]
        return None if None in seen else min(answered for answered in seen if answered is not None)


def _size(records: Sequence[Record]) -> int:
    return sum([len(record.value) for record in records if record.value is not None])
