"""The runner: one lane's life, from claim to claim, over its ports.

Every batch reaches the journal first and the store after it (docs/design.md). Whatever goes wrong, there is one way
back: claim the lane anew, replay what the store lacks from the journal, go on. The runner awaits nothing but its ports,
so that a scheduler of faults can stop it at each external operation.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from heapq import merge
from time import perf_counter
from typing import Final, NamedTuple, TypeVar

from retarget.engine.moment import Moment
from retarget.errors import LaneRefused
from retarget.journeys import wire
from retarget.lane.hold import Held
from retarget.lane.intake import Arrival
from retarget.lane.lane import NEVER, Batch, Lane
from streams.lanes import outputs as emitted
from streams.lanes import positions as stored
from streams.lanes.bundle import Bundle
from streams.lanes.observer import Cause, Observer
from streams.lanes.positions import Positions
from streams.lanes.wall import Wall
from streams.ports import (
    Checkpoint,
    Feed,
    Fenced,
    JournalRecord,
    JourneyStore,
    LaneLog,
    Output,
    Record,
    UnknownOutcome,
)

T = TypeVar("T")
_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 5.0
# An idle lane's clock is written down at least this often, so that what comes late is known to be late after a claim.
_TICK_AT_LEAST: Final = 60_000


class Limits(NamedTuple):
    """How much a lane takes at once; durations in ms."""

    records: int = 10_000
    persons: int = 1_000
    waits: int = 1_000
    wait: int = 30
    idle: int = 1_000
    cached: int = 50_000


class Reclaim(Exception):  # noqa: N818 - not an error: what the lane holds in memory is void
    """The lane must be claimed anew."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause, self.detail = cause, detail


class LaneRunner:
    """Runs one lane until it is stopped."""

    def __init__(
        self,
        number: int,
        topics: Sequence[str],
        bundle: Bundle,
        *,
        store: JourneyStore,
        log: LaneLog,
        feed: Feed,
        wall: Wall,
        limits: Limits,
        ticks: bool,
        pauses: Callable[[], Mapping[str, int]] = dict,
        observer: Observer | None = None,
    ) -> None:
        """`ticks`: whether the wall clock moves the lane on when it is caught up and idle."""
        self._number, self._topics, self._bundle = number, tuple(topics), bundle
        self._store, self._log, self._feed, self._wall = store, log, feed, wall
        self._limits, self._ticks, self._pauses = limits, ticks, pauses
        self._observer = observer or Observer()
        self._intake = bundle.intake(number)
        self._stopping = False
        self._reset()

    def _reset(self) -> None:
        self.lane: Lane = self._bundle.lane()
        self._positions = Positions()
        self._sequence = 0
        self._unread: list[Arrival] = []
        self._tick: int | None = None

    @property
    def positions(self) -> Positions:
        """Where the lane stands: what the store has confirmed."""
        return self._positions

    @property
    def sequence(self) -> int:
        """The last confirmed batch."""
        return self._sequence

    def stop(self) -> None:
        """Finish the batch at hand and return from `run`."""
        self._stopping = True

    async def run(self) -> None:
        """Claim and work until stopped. Raises LaneRefused when journal and store contradict each other."""
        cause: Cause = "start"
        detail, pause = "", _FIRST_PAUSE
        while not self._stopping:
            try:
                await self.claim(cause, detail)
                pause = _FIRST_PAUSE
                while not self._stopping:
                    await self.batch()
            except Reclaim as problem:
                cause, detail = problem.cause, problem.detail
            except Fenced as problem:
                cause, detail = "fenced", str(problem)
            except UnknownOutcome as problem:
                cause, detail = "unknown_outcome", str(problem)
            if not self._stopping:
                await self._wall.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    # -- claim ------------------------------------------------------------------------------------------------------

    async def claim(self, cause: Cause = "start", detail: str = "") -> None:
        """Make the lane ours: fence, read the store, replay what it lacks, and start the feed."""
        started = perf_counter()
        self._observer.claiming(cause, detail)
        self._reset()
        await self._log.claim()
        image = await self._ask(lambda: self._store.image(self._number))
        self._sequence = image.sequence
        self._positions = stored.decode(image.meta)
        await self._begin()
        history = await self._log.history(self._positions.journal)
        await self._hold_again()
        for offset, record in history.records:
            await self._replay(offset, record, emit=record.sequence > history.acknowledged)
        await self._feed.start(dict(self._positions.frontier))
        self._observer.claimed(perf_counter() - started, len(history.records))

    async def _begin(self) -> None:
        self.lane.clock = self._positions.clock
        self.lane.waits.horizon = NEVER
        for topic in self._topics:
            if topic not in self._positions.frontier:
                self._positions.frontier[topic] = await self._log.beginning(topic)

    async def _hold_again(self) -> None:
        """Read what was read but not applied back into the hold: what was known stays known."""
        for topic, ranges in self._positions.held.items():
            for start, end in ranges:
                for record in await self._log.read(topic, start, end):
                    arrival = self._arrival(record)
                    if arrival.event is not None:
                        self.lane.hold.add(Held(arrival.event.time, topic, record.offset, arrival.event))

    async def _replay(self, offset: int, record: JournalRecord, *, emit: bool) -> None:
        """Do a journaled batch again, from the same input, and bring the store up to it; emit nothing new."""
        if record.sequence <= self._sequence:
            return
        if record.sequence != self._sequence + 1:
            raise LaneRefused(
                f"lane {self._number}: the store is at sequence {self._sequence} and the journal goes on with "
                f"{record.sequence}; batches between them are lost. Restore a newer image of the store"
            )
        arrivals = await self._read_up_to(record.frontier)
        moment = self._moment(record.now, record.pauses)
        batch = await self._step(arrivals, moment, advance_to=record.clock, limit=record.worked)
        found = emitted.outputs(batch.results)
        if (len(found), emitted.digest(found)) != (record.outputs, record.digest):
            self._positions.incarnation = record.incarnation + 1
            self._observer.mismatch(record.sequence)
        if emit:
            await self._log.emit_again(record, found)
        await self._checkpoint(batch, offset)

    async def _read_up_to(self, frontier: Mapping[str, int]) -> list[Arrival]:
        found: list[list[Record]] = []
        for topic, end in sorted(frontier.items()):
            start = self._positions.frontier.get(topic, 0)
            if end > start:
                found.append(await self._log.read(topic, start, end))
        return [self._arrival(record) for record in _merged(found)]

    # -- one batch --------------------------------------------------------------------------------------------------

    async def batch(self) -> bool:
        """Gather, load, step, commit, checkpoint; False when there was nothing to do."""
        started = perf_counter()
        arrivals, advance_to = await self._gather()
        if not arrivals and advance_to == NEVER:
            self._tell_state()
            return False
        self._observer.stage("gather", perf_counter() - started)
        moment = self._moment(self._wall.now(), self._pauses())
        batch = await self._step(arrivals, moment, advance_to=advance_to, limit=self._limits.records)
        self._unread = self._unread[batch.consumed :]  # `arrivals` may be only the first portion of them
        if advance_to != NEVER:
            self._tick = advance_to if self.lane.clock < advance_to else None
        found = emitted.outputs(batch.results)
        offset = await self._commit(batch, moment, advance_to, found)
        await self._checkpoint(batch, offset)
        self._tell(batch, batch.consumed)
        return True

    async def _gather(self) -> tuple[list[Arrival], int]:
        """The next arrivals, or how far a tick moves an idle lane; nothing new before the last target is worked off."""
        if self._tick is not None:
            return [], self._tick
        if not self._unread:
            records = await self._feed.take(self._limits.records, self._limits.wait, self._limits.idle)
            if not records:
                return [], self._idle_advance()
            self._unread = [self._arrival(record) for record in _merged(_by_topic(records))]
        return self._portion(), NEVER

    def _portion(self) -> list[Arrival]:
        """As many of the unread arrivals as one checkpoint carries well."""
        persons: set[str] = set()
        for index, arrival in enumerate(self._unread):
            if arrival.event is not None:
                persons.add(arrival.event.user_id or arrival.event.anonymous_id or "")
                if len(persons) > self._limits.persons:
                    return self._unread[:index]
        return self._unread

    def _idle_advance(self) -> int:
        """How far the wall clock moves a lane that has read everything there is; NEVER when it does not."""
        seen = self._feed.caught_up_at() if self._ticks else None
        if seen is None:
            return NEVER
        target = min(seen, self._wall.now()) - self._bundle.lateness
        due = self.lane.waits.next_due()
        held = self.lane.hold.next_time()
        anything = min((time for time in (due, held) if time is not None), default=target + 1) <= target
        late = target - self.lane.clock >= _TICK_AT_LEAST or target > self.lane.waits.horizon
        return target if target > self.lane.clock and (anything or late) else NEVER

    def _moment(self, now: int, pauses: Mapping[str, int]) -> Moment:
        moment = Moment(self._bundle.policy)
        moment.now, moment.pauses = now, pauses
        return moment

    def _arrival(self, record: Record) -> Arrival:
        return self._intake.arrival(record.topic, record.offset, record.timestamp, record.value)

    async def _step(
        self, arrivals: Sequence[Arrival], moment: Moment, *, advance_to: int, limit: int
    ) -> Batch:
        started = perf_counter()
        lane = self.lane
        target = lane.target(arrivals, advance_to)
        await self._load_waits(target)
        await self._load_journeys(lane.needs(arrivals, min(target, max(lane.waits.horizon, lane.clock))))
        loaded = perf_counter()
        batch = lane.work(arrivals, moment, advance_to=advance_to, limit=limit)
        self._observer.stage("load", loaded - started)
        self._observer.stage("step", perf_counter() - loaded)
        return batch

    async def _load_waits(self, target: int) -> None:
        waits = self.lane.waits
        if target <= waits.horizon or len(waits) >= self._limits.waits:
            return
        ahead = target + _TICK_AT_LEAST
        sequence, page = await self._ask(
            lambda: self._store.waits(self._number, waits.horizon, ahead, self._limits.waits)
        )
        self._require(sequence)
        waits.load(page, page[-1][0] if len(page) >= self._limits.waits else ahead)

    async def _load_journeys(self, persons: Iterable[str]) -> None:
        wanted = sorted(persons)
        if not wanted:
            return
        sequence, found = await self._ask(lambda: self._store.load(self._number, wanted))
        self._require(sequence)
        for person, data in zip(wanted, found, strict=True):
            if data is not None:
                self.lane.journeys[person] = wire.decode(data)

    def _require(self, sequence: int) -> None:
        """What was read must belong to the state we think is stored; anything else is another owner or a lost write."""
        if sequence != self._sequence:
            raise Reclaim("store", f"the store is at sequence {sequence}, not at {self._sequence}")

    async def _commit(self, batch: Batch, moment: Moment, advance_to: int, found: list[Output]) -> int:
        started = perf_counter()
        record = JournalRecord(
            sequence=self._sequence + 1,
            incarnation=self._positions.incarnation,
            frontier=self._positions.frontier | batch.frontier,
            worked=batch.worked,
            clock=batch.clock,
            now=moment.now,
            tick=advance_to if advance_to != NEVER else None,
            bundle=self._bundle.id,
            pauses=dict(moment.pauses),
            outputs=len(found),
            digest=emitted.digest(found),
        )
        offset = await self._log.commit(record, found)
        self._observer.stage("commit", perf_counter() - started)
        return offset

    async def _checkpoint(self, batch: Batch, offset: int) -> None:
        """Bring the store up to a batch that the journal has."""
        started = perf_counter()
        after = Positions(
            incarnation=self._positions.incarnation,
            clock=batch.clock,
            frontier=self._positions.frontier | batch.frontier,
            held=self.lane.hold.ranges(),
            journal=offset + 1,
        )
        checkpoint = Checkpoint(
            expected=self._sequence,
            meta=stored.encode(after),
            journeys=[(person, wire.encode(journey)) for person, journey in batch.changed.items()],
            waits=[(person, due) for person, due in batch.waits.items() if due is not None],
            unwaited=[person for person, due in batch.waits.items() if due is None],
        )
        sequence = await self._ask(lambda: self._store.checkpoint(self._number, checkpoint))
        self._require_next(sequence)
        self._sequence, self._positions = sequence, after
        self._forget()
        self._observer.stage("checkpoint", perf_counter() - started)

    def _require_next(self, sequence: int) -> None:
        if sequence != self._sequence + 1:
            raise Reclaim("store", f"the store went to sequence {sequence}, not to {self._sequence + 1}")

    def _forget(self) -> None:
        """Keep the cache bounded; whoever was loaded first goes first."""
        journeys = self.lane.journeys
        for person in list(journeys)[: max(len(journeys) - self._limits.cached, 0)]:
            del journeys[person]

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Ask the store until it answers: every call may be made again unchanged."""
        pause = _FIRST_PAUSE
        while True:
            try:
                answer = await call()
            except UnknownOutcome as problem:
                self._observer.waiting("store", str(problem))
            else:
                self._observer.answered("store")
                return answer
            if self._stopping:
                raise Reclaim("store", "stopped while the store did not answer")
            await self._wall.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    # -- what it tells ----------------------------------------------------------------------------------------------

    def _tell(self, batch: Batch, records: int) -> None:
        self._observer.batch(records, batch.counts, batch.lateness)
        self._tell_state()

    def _tell_state(self) -> None:
        lane = self.lane
        self._observer.state(lane.clock, len(lane.hold), len(lane.waits), self._positions.frontier)


def _by_topic(records: Sequence[Record]) -> list[list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.topic, []).append(record)
    return [found[topic] for topic in sorted(found)]


def _merged(by_topic: Sequence[list[Record]]) -> Iterable[Record]:
    """All records in the order (timestamp, topic), each topic's own order kept."""
    if len(by_topic) == 1:
        return by_topic[0]
    return merge(*by_topic, key=lambda record: (record.timestamp, record.topic))
