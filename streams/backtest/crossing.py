"""Crossing: people of several lanes worked through together, as workers do who have a lane each.

What one lane has for another is taken there at once, with the clock at which that lane was; live it takes
some batches. So histories are put together as they are live, while each lane keeps its own time.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

import msgspec

from retarget.errors import Rejected
from retarget.lane.crossing import History, Strayed, unpack
from streams.backtest.reading import NO_TIME
from streams.backtest.timeline import Clock, Times
from streams.lanes.bundle import Bundle
from streams.lanes.limits import Limits
from streams.ports import Output, Record
from streams.replaying import IN_MEMORY, TOPIC, RecordFeed, Sink, Tally, clock_record, runner_over
from streams.stores.memory import MemoryStore
from streams.topics import MERGE, lane_of

Progress = Callable[[int], None]
Counts = Counter[tuple[str, ...]]
# After all that has come.
_END: Final = 1 << 62


class _Says(msgspec.Struct):
    time: int
    type: str = ""
    user_id: str | None = None
    anonymous_id: str | None = None


_says: Final = msgspec.json.Decoder(_Says).decode


class _OfLane:
    """One lane: its runner, and what it has still to read."""

    def __init__(  # noqa: PLR0913 - see runner_over
        self, number: int, bundle: Bundle, sink: Sink, tally: Tally, times: Times, *, end: int,
        store: MemoryStore, limits: Limits,
    ) -> None:  # fmt: skip
        self._ends, self._end = False, end
        self.feed = RecordFeed((), lambda: self._end if self._ends else NO_TIME)
        self.runner = runner_over(
            number, bundle, sink, self.feed, tally, store=store, merges=True, limits=limits
        )
        self.clock, self._offset, self._known = Clock(times), 0, NO_TIME

    async def read(self, records: list[Record]) -> None:
        """Read these, and do all that comes of it."""
        placed = [
            Record(one.topic, self._offset + n, one.timestamp, None, one.value)
            for n, one in enumerate(records)
        ]
        self._offset += len(records)
        self.feed.go_on(placed)
        await self.work()

    async def work(self) -> None:
        """Do what there is to do."""
        while await self.runner.batch():
            pass

    async def end(self) -> None:
        """Let the clock come to where the lane's ends."""
        self._ends = True
        await self.work()

    def told(self, arrival: int) -> list[Record]:
        """What brings the clock to where it stood then."""
        clock = self.clock.at(arrival) if arrival < _END else NO_TIME
        if clock <= self._known:
            return []
        self._known = clock
        return [clock_record(clock)]


class Crossing:
    """Some people of several lanes, by when their records came."""

    def __init__(
        self, bundle: Bundle, sink: Sink, times: Sequence[Times], ends: Sequence[int],
        store: MemoryStore | None = None, limits: Limits = IN_MEMORY,
    ) -> None:  # fmt: skip
        """`times` and `ends` (where the clock ends, plus the lateness): of each lane.

        All of them have one `store`, which shares out ceilings.
        """
        store = store or MemoryStore()
        self._lateness, self._sink, self._tally = bundle.lateness, sink, Tally()
        self._over = bundle._replace(over=len(times))
        self._lanes = [
            _OfLane(number, self._over, self._take, self._tally, one, end=end, store=store, limits=limits)
            for number, (one, end) in enumerate(zip(times, ends, strict=True))
        ]
        self._home = partial(lane_of, lanes=len(times))
        self._on_the_way: deque[Output] = deque()
        # When which lane is to be told the time, as something waits for it there.
        self._alarms: list[tuple[int, int]] = []

    def _take(self, output: Output) -> None:
        if output.topic == MERGE:
            self._on_the_way.append(output)
        else:
            self._sink(output)

    async def work(self, records: Sequence[Iterator[Record]], progress: Progress) -> Counts:
        """Work the records of each lane through."""
        for lane in self._lanes:
            await lane.runner.claim()
        groups = [_groups(number, each) for number, each in enumerate(records)]
        for arrival, _, number, together in heapq.merge(*groups, key=lambda group: group[:3]):
            await self._wake(arrival)
            self._watch(number, arrival, together)
            await self._lanes[number].read(together)
            await self._settle(arrival)
            progress(len(together))
        await self._wake(_END)
        for lane in self._lanes:
            await lane.end()
            await self._settle(_END)
        return self._tally.counts

    async def _wake(self, before: int) -> None:
        while self._alarms and self._alarms[0][0] < before:
            arrival, number = heapq.heappop(self._alarms)
            lane = self._lanes[number]
            await lane.read(lane.told(arrival))
            await self._settle(arrival)

    async def _settle(self, arrival: int) -> None:
        """Take across what lanes have for each other, until nothing is left."""
        while self._on_the_way:
            output = self._on_the_way.popleft()
            number = self._home(output.key.decode())
            lane = self._lanes[number]
            self._await(number, arrival, _time_of(output.value))
            await lane.read([*lane.told(arrival), Record(MERGE, 0, arrival, None, output.value)])

    def _watch(self, number: int, arrival: int, together: list[Record]) -> None:
        """What may cross does so when the clock comes to its time, which may be soon."""
        for record in together:
            if record.topic == TOPIC:
                says = _says(record.value or b"")
                person = says.user_id or says.anonymous_id
                if person and (
                    (says.user_id and says.anonymous_id)
                    or says.type == "erase"
                    or self._home(person) != number
                ):
                    self._await(number, arrival, says.time)

    def _await(self, number: int, arrival: int, time: int) -> None:
        clock = self._lanes[number].clock
        if time > clock.at(arrival) - self._lateness:
            when = clock.when(time + self._lateness)
            if when is not None:
                heapq.heappush(self._alarms, (max(when, arrival), number))


def _groups(number: int, records: Iterator[Record]) -> Iterator[tuple[int, int, int, list[Record]]]:
    """The records of a lane by the latest timestamp and time so far; without a timestamp: with the next."""
    arrival, time, waiting = NO_TIME, NO_TIME, list[Record]()
    for record in records:
        waiting.append(record)
        if record.topic == TOPIC:
            time = max(time, _says(record.value or b"").time)
        if record.timestamp >= 0:
            arrival = max(arrival, record.timestamp)
            yield arrival, time, number, waiting
            waiting = []
    if waiting:
        yield arrival, time, number, waiting


def _time_of(value: bytes) -> int:
    """The time that it waits for; -1: none."""
    try:
        crossing = unpack(value)
    except Rejected:
        return NO_TIME
    if isinstance(crossing, History):
        return NO_TIME
    return crossing.event.time if isinstance(crossing, Strayed) else crossing.at
