"""History: what topics hold, lane by lane, as the lanes of a worker were told it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from msgspec.structs import replace

from retarget import catalogue
from retarget.lane.intake import Arrival, Intake
from retarget.touchpoints import Touchpoint
from streams.backtest.reading import NO_TIME, Told
from streams.backtest.sharing import Sharing
from streams.backtest.splitting import NEVER, Part, Splitting, Together
from streams.backtest.trial import TOLD_EVERY, Bar
from streams.clocks import now_ms
from streams.kafka import KafkaAddress, Reader
from streams.kafka.address import address_of
from streams.kafka.inventory import partitions_of, partitions_of_topic
from streams.kafka.looking import Span, spans
from streams.lanes.bundle import bundle_of
from streams.ports import Record
from streams.settings import Settings
from streams.topics import FANNED

# So many offsets of a partition are asked for at once.
_CHUNK: Final = 20_000


class History:
    """The committed records of topics, and of the catalogue, up to their ends at the time of `look`."""

    def __init__(self, address: KafkaAddress, topics: Sequence[str]) -> None:
        self._address, self._topics = address, sorted(set(topics))
        self._held: dict[str, dict[int, Span]] = {}

    @property
    def lanes(self) -> int:
        """How many lanes the topics have."""
        return max(len(self._held[topic]) for topic in self._topics)

    @property
    def offsets(self) -> int:
        """How many offsets are to be read; the marks of transactions among them."""
        return sum(span.end - span.start for held in self._held.values() for span in held.values())

    async def look(self) -> None:
        """Find the ends. Raises BadInput without such a topic, Unreachable."""
        for topic in self._topics:
            partitions = await partitions_of_topic(self._address, topic)
            self._held[topic] = await spans(self._address, topic, range(partitions))
        fanned = (await partitions_of(self._address, [FANNED])).get(FANNED, 0)
        if lanes := min(self.lanes, fanned):
            self._held[FANNED] = await spans(self._address, FANNED, range(lanes))

    async def told(self, intake: Callable[[int], Intake], only: int | None = None) -> AsyncIterator[Told]:
        """Every record, lane after lane, or of `only` one; its topics merged by their records' timestamps.

        Raises UnknownOutcome when a transaction is open, LaneRefused when records go away meanwhile.
        """
        reader = Reader(self._address)
        await reader.start()
        try:
            for lane in range(self.lanes) if only is None else (only,):
                decode = intake(lane).arrival
                async for one in _merged([self._chunks(reader, topic, lane) for topic in sorted(self._held)]):
                    found = decode(one.topic, one.offset, one.timestamp, one.value, one.attributes)
                    yield told_of(lane, one, found)
        finally:
            await reader.close()

    async def _chunks(self, reader: Reader, topic: str, lane: int) -> AsyncIterator[list[Record]]:
        start, end = self._held[topic].get(lane, Span(0, 0))
        while start < end:
            until = min(start + _CHUNK, end)
            yield await reader.read(topic, lane, start, until)
            start = until


def told_of(lane: int, record: Record, arrival: Arrival) -> Told:
    """What one record of a topic tells its lane."""
    if record.topic != FANNED:
        return Told(lane, arrival.tells, _as_told(arrival.event), record.timestamp, arrival.reason)
    # One lane of all writes the dead letter of a bad record.
    reason = arrival.reason if arrival.dead is not None else ""
    return Told(lane, NO_TIME, arrival.event, record.timestamp, reason, listed=record.value)


def _as_told(event: Touchpoint | None) -> Touchpoint | None:
    """A change of price or stock that no worker has sent on, as it came."""
    if event is None or event.type != catalogue.TYPE:
        return event
    return replace(event, type="stock_change" if event.items[0].price is None else "price_change")


class Past(NamedTuple):
    """What topics held at one moment, as workers with the same settings have taken it in.

    Where their wall clock moves idle lanes on, it did so after `idle_after` ms without a record, and has
    brought them to `until` (epoch ms); else these are NEVER and NO_TIME.
    """

    history: History
    intake: Callable[[int], Intake]
    idle_after: int
    until: int

    def told(self, lane: int | None = None) -> AsyncIterator[Told]:
        """Every record, or those of one lane; see History."""
        return self.history.told(self.intake, lane)


async def past_of(settings: Settings, topics: Sequence[str]) -> Past:
    """The past until now. Raises BadInput without such a topic, Unreachable."""
    history, started = History(address_of(settings), topics), now_ms()
    await history.look()
    clock = settings.clock
    wall = clock.idle == "wall"
    return Past(
        history,
        # The bundle decodes the topics by their dialects; it decides nothing here.
        bundle_of(settings, [], topics).intake,
        idle_after=clock.idle_after if wall else NEVER,
        until=started if wall else NO_TIME,
    )


class Topics:
    """What these topics hold when the trial begins."""

    def __init__(self, settings: Settings, topics: Sequence[str]) -> None:
        self.name = ", ".join(topics)
        self._settings, self._topics = settings, topics

    def split(
        self, folder: Path, parts: int, is_nobody: Callable[[str], bool], bar: Bar, sharing: Sharing
    ) -> tuple[list[Part | Together], Splitting]:
        """Read the topics. Raises BadInput without such a topic, Unreachable, UnknownOutcome, LaneRefused."""
        return asyncio.run(self._split(folder, parts, is_nobody, bar, sharing))

    async def _split(
        self, folder: Path, parts: int, is_nobody: Callable[[str], bool], bar: Bar, sharing: Sharing
    ) -> tuple[list[Part | Together], Splitting]:
        past = await past_of(self._settings, self._topics)
        lanes = past.history.lanes
        splitting = Splitting(
            folder, lanes=lanes, parts=max(parts // lanes, 1), by_time=False, is_nobody=is_nobody,
            idle_after=past.idle_after, sharing=sharing,
        )  # fmt: skip
        with bar("records read", past.history.offsets) as done:
            async for told in past.told():
                splitting.add(told)
                if splitting.read % TOLD_EVERY == 0:
                    done(TOLD_EVERY)
        return splitting.close(ahead=0, at_least=past.until), splitting


async def _merged(reads: Sequence[AsyncIterator[list[Record]]]) -> AsyncIterator[Record]:
    """By (timestamp, topic), each topic in its own order; at most a chunk of each is in memory."""
    waiting: dict[int, deque[Record]] = {number: deque() for number in range(len(reads))}
    while waiting:
        for number in [number for number, records in waiting.items() if not records]:
            chunk = await anext(reads[number], None)
            if chunk is None:
                del waiting[number]
            else:
                waiting[number].extend(chunk)
        if waiting and all(waiting.values()):
            first = min(waiting, key=lambda number: (waiting[number][0].timestamp, number))
            records = waiting[first]
            if len(waiting) == 1:
                while records:
                    yield records.popleft()
            else:
                yield records.popleft()
