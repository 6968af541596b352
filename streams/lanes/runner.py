"""The runner: one lane's life, from claim to claim, over its ports.

Every batch reaches the journal first and the store after it (docs/design.md). Whatever goes wrong, there is
one way back: claim the lane anew, replay what the store lacks from the journal, go on. The runner awaits
nothing but its ports, so that a scheduler of faults can stop it at each external operation.

Between two batches another bundle may take over: the lane begins anew from what the store holds, as a claim
does, so that nothing decoded or indexed by the former one is left. A replay does the same where the journal
names another one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter, thread_time
from typing import Final

from retarget.engine import guard, pools
from retarget.engine.ceilings import Granted
from retarget.engine.moment import Moment
from retarget.errors import LaneRefused
from retarget.lane.batch import NEVER, Batch
from retarget.lane.intake import Arrival
from retarget.lane.joining import held_of
from retarget.lane.lane import Lane
from streams.lanes import keeping
from streams.lanes import outputs as emitted
from streams.lanes import positions as stored
from streams.lanes.bundle import Bundle
from streams.lanes.bundles import Bundles
from streams.lanes.gathering import Gathering
from streams.lanes.granting import Granting
from streams.lanes.limits import Limits, Reclaim
from streams.lanes.loading import Loading
from streams.lanes.observer import Cause, Observer
from streams.lanes.patience import Insisting, Patience
from streams.lanes.positions import Positions
from streams.lanes.returning import Returning
from streams.lanes.stride import Stride
from streams.lanes.wall import Wall
from streams.ports import (
    Feed,
    Fenced,
    History,
    JournalRecord,
    JourneyStore,
    LaneImage,
    LaneLog,
    Output,
    Record,
    UnknownOutcome,
)
from streams.sealing.leaving import AsTheyAre, Leaving

# So many numbers are left out where it is unknown which have been used.
CROSSINGS_SKIPPED: Final = 1_000_000


class LaneRunner:
    """Runs one lane until it is stopped."""

    def __init__(  # noqa: PLR0913 - its ports, all by keyword, one place
        self,
        number: int,
        topics: Sequence[str],
        bundles: Bundles,
        *,
        store: JourneyStore,
        log: LaneLog,
        feed: Feed,
        wall: Wall,
        limits: Limits,
        ticks: bool,
        pauses: Callable[[], Mapping[str, int]] = dict,
        observer: Observer | None = None,
        returning: Returning | None = None,
        leaving: Leaving | None = None,
    ) -> None:
        """`ticks`: whether the wall clock moves the lane on when it is caught up and idle.

        `returning`: how it comes back when the store has lost it; None: from the beginning of the inputs.
        `leaving`: what becomes of its outputs on their way out; None: nothing.
        """
        self._number, self._topics, self._bundles = number, tuple(topics), bundles
        self._store, self._log, self._feed, self._wall = store, log, feed, wall
        self._limits, self._ticks, self._pauses = limits, ticks, pauses
        self._observer, self._returning = observer or Observer(), returning or Returning()
        self._leaving: Leaving = leaving or AsTheyAre()
        self._stride = Stride(limits)
        self._stopping = False
        self._unconfirmed = False  # a commit has failed, and no work was confirmed since
        self._insisting = Insisting(wall, self._observer, lambda: self._stopping)
        self._loading = Loading(number, store, self._insisting, limits)
        self._granting = Granting(number, store, self._insisting)
        self._gathering = Gathering(bundles.newest().intake(number), feed, wall, limits)
        self._reset()

    def _reset(self) -> None:
        self._bundle = self._bundles.newest()
        self.lane: Lane = self._bundle.lane(self._number)
        self._positions = Positions()
        self._first: dict[str, int] = {}
        self._sequence = 0
        self._gathering.forget()

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

    async def run(self, cause: Cause = "start") -> None:
        """Claim and work until stopped. Raises LaneRefused when journal and store contradict each other."""
        detail, patience = "", Patience(self._wall)
        while not self._stopping:
            try:
                await self.claim(cause, detail)
                if not self._unconfirmed:
                    self._gets_on(patience)
                while not self._stopping:
                    worked = await self.batch()
                    if self._unconfirmed and (worked or self._feed.caught_up_at() is not None):
                        self._gets_on(patience)
            except Reclaim as problem:
                cause, detail = problem.cause, problem.detail
            except Fenced as problem:
                cause, detail = "fenced", str(problem)
            except UnknownOutcome as problem:
                cause, detail = "unknown_outcome", str(problem)
                self._observer.waiting("broker", detail)
            if not self._stopping:
                await patience.pause()

    def _gets_on(self, patience: Patience) -> None:
        """Trust the broker; after a failed commit not before work is confirmed: it may refuse one topic."""
        self._unconfirmed = False
        self._observer.answered("broker")
        patience.forget()

    # -- claim --

    async def claim(self, cause: Cause = "start", detail: str = "") -> None:
        """Make the lane ours: fence, read the store, replay what it lacks, and start the feed."""
        started = perf_counter()
        self._observer.claiming(cause, detail)
        self._reset()
        await self._log.claim()
        image = await self._insisting.ask(lambda: self._store.image(self._number))
        if image.sequence > 0:
            replayed = await self._go_on(image, await self._log.history(stored.decode(image.meta).journal))
        else:
            replayed = await self._come_back(image)
        await self._feed.start(dict(self._positions.frontier))
        self._observer.claimed(perf_counter() - started, replayed)

    async def _come_back(self, image: LaneImage) -> int:
        """Begin from a copy, or from nothing; the store has nothing of the lane, or half of a copy."""
        home = self._returning.of(self._number, self._store, self._log, self._insisting)
        restored, history = await home.restore(image)
        if restored.sequence:
            self._observer.restored(restored.sequence, home.source)
        try:
            return await self._go_on(restored, history)
        except LaneRefused as why:
            raise home.impossible(why) from why

    async def _go_on(self, image: LaneImage, history: History) -> int:
        """Repeat what the journal has behind this image; the number of batches."""
        self._sequence = image.sequence
        self._positions = stored.decode(image.meta)
        await self._find_frontier()
        await self._begin(self._bundle)
        if history.first is not None:
            await self._leaving.remember(self._number)
        repeated, last = 0, history.last[1].sequence if history.last is not None else 0
        async for portion in history.portions():
            for offset, record in portion:
                await self._replay(offset, record, emit=record.sequence > history.acknowledged)
                self._insisting.gets_on(f"batch {record.sequence} of {last} is repeated")
            repeated += len(portion)
        self._leaving.forget()
        return repeated

    async def _find_frontier(self) -> None:
        for topic in self._topics:
            if topic not in self._positions.frontier:
                self._first[topic] = await self._log.beginning(topic)
        self._positions.frontier |= self._first

    def _begin_reading(self, record: JournalRecord) -> None:
        """Begin topics where the first run did: what the broker has dropped since must be missed."""
        first = record.first
        if not first and record.sequence == 1:  # of a build that did not write it down
            first = dict.fromkeys(record.frontier, 0)
        for topic, offset in first.items():
            self._positions.frontier[topic] = offset
            self._first.pop(topic, None)

    async def _begin(self, bundle: Bundle) -> None:
        """Decide by this bundle, from where the lane stands in the store; the feed must start again."""
        self._bundle = bundle
        self.lane = bundle.lane(self._number)
        keeping.put_back(self.lane, self._positions)
        self.lane.waits.horizon = NEVER
        self._gathering.decode_by(bundle.intake(self._number))
        await self._hold_again()

    async def _take_up(self, bundle: Bundle) -> None:
        """Decide by another bundle from the next batch on."""
        await self._begin(bundle)
        await self._feed.start(dict(self._positions.frontier))
        self._observer.takes_up(bundle.id)

    async def _hold_again(self) -> None:
        """Read what was read but not applied back into the hold: what was known stays known."""
        for topic, ranges in self._positions.held.items():
            for start, end in ranges:
                for arrival in self._gathering.arrivals_of([await self._log.read(topic, start, end)]):
                    held = held_of(arrival)
                    if held is not None:
                        self.lane.hold.add(held)

    async def _replay(self, offset: int, record: JournalRecord, *, emit: bool) -> None:
        """Do a journaled batch again, from the same input, and bring the store up to it; emit nothing new."""
        if record.sequence <= self._sequence:
            return
        if record.sequence != self._sequence + 1:
            raise LaneRefused(
                f"lane {self._number}: the store is at sequence {self._sequence} and the journal goes on "
                f"with {record.sequence}; batches between them are lost. Restore a newer image of the store"
            )
        if record.lanes:
            raise LaneRefused(
                f"lane {self._number}: its journal begins anew at offset {offset} with sequence "
                f"{record.sequence}, when it became one of {record.lanes} lanes; only the snapshot that "
                f"`retarget repartition` made then, or a later one, knows its people"
            )
        self._begin_reading(record)
        if record.bundle != self._bundle.id:
            bundle = await self._bundles.named(record.bundle)
            if bundle.id != self._bundle.id:  # the one at work may stand in for one that is lost
                await self._begin(bundle)
        arrivals = await self._read_up_to(record.frontier)
        moment = self._moment(record.now, record.pauses)
        await self._load(arrivals, record.clock, whole=True)
        self.lane.take(record.grants)
        batch = self._step(arrivals, moment, advance_to=record.clock, limit=record.worked)
        found = emitted.outputs(batch.results, self._bundle.catalogue)
        if (len(found), emitted.digest(found)) != (record.outputs, record.digest):
            self._positions.incarnation = record.incarnation + 1
            # What went out may have other numbers than what this replay came to.
            self.lane.sent += CROSSINGS_SKIPPED
            self._observer.mismatch(record.sequence)
        if emit:
            leaving = self._leaving.leaving(self.lane, batch, found, record.sequence)
            await self._log.emit_again(record, leaving)
        else:
            self._leaving.repeated(self.lane, batch)
        await self._checkpoint(batch, offset)

    async def _read_up_to(self, frontier: Mapping[str, int]) -> list[Arrival]:
        found: list[list[Record]] = []
        for topic, end in sorted(frontier.items()):
            start = self._positions.frontier.get(topic, 0)
            if end > start:
                found.append(await self._log.read(topic, start, end))
        return self._gathering.arrivals_of(found)

    # -- one batch --

    async def batch(self) -> bool:
        """Gather, load, step, commit, checkpoint; False when there was nothing to do."""
        newest = self._bundles.newest()
        if newest.id != self._bundle.id:
            await self._take_up(newest)
        started = perf_counter()
        goes_on = self.lane.goes_on
        arrivals = [] if goes_on else await self._gathering.next(self._stride.records)
        advance_to = NEVER
        if not arrivals and not goes_on and self._ticks:
            advance_to = self._gathering.idle_advance(self.lane, self._bundle.lateness)
        if not arrivals and advance_to == NEVER and not goes_on:
            self._tell_state()
            return False
        self._observer.stage("gather", perf_counter() - started)
        await self._load(arrivals, advance_to, whole=False)
        grants = await self._granting.ask(self.lane, self._bundle.policy.lanes)
        self.lane.take(grants)
        moment = self._moment(self._wall.now(), self._pauses())
        # Its own CPU time: where others keep the machine busy, small batches would only be more work.
        stepped = thread_time()
        batch = self._step(arrivals, moment, advance_to=advance_to, limit=self._stride.worked)
        self._stride.took(max(batch.consumed, batch.worked), thread_time() - stepped)
        self._gathering.taken(batch.consumed, advance_to, self.lane.clock)
        found = emitted.outputs(batch.results, self._bundle.catalogue)
        offset = await self._commit(batch, moment, grants, advance_to, found)
        await self._checkpoint(batch, offset)
        self._tell(batch, batch.consumed)
        return True

    def _moment(self, now: int, pauses: Mapping[str, int]) -> Moment:
        moment = Moment(self._bundle.policy)
        moment.now, moment.pauses = now, pauses
        return moment

    async def _load(self, arrivals: Sequence[Arrival], advance_to: int, *, whole: bool) -> None:
        started = perf_counter()
        lane = self.lane
        target = lane.target(arrivals, advance_to)
        await self._loading.waits(lane, self._sequence, target, whole=whole)
        reached = min(target, max(lane.waits.horizon, lane.clock))
        followers = await self._loading.catalogue(lane, self._sequence, arrivals, reached, whole=whole)
        await self._loading.journeys(lane, self._sequence, lane.needs(arrivals, reached) | followers)
        asked: set[str] = set()
        while led := lane.led_to(arrivals, reached) - asked:
            asked |= led
            await self._loading.journeys(lane, self._sequence, led)
        self._observer.stage("load", perf_counter() - started)

    def _step(self, arrivals: Sequence[Arrival], moment: Moment, *, advance_to: int, limit: int) -> Batch:
        started = perf_counter()
        batch = self.lane.work(arrivals, moment, advance_to=advance_to, limit=limit)
        self._observer.stage("step", perf_counter() - started)
        return batch

    async def _commit(self, batch: Batch, moment: Moment, grants: dict[str, Granted], advance_to: int,
                      found: list[Output]) -> int:  # fmt: skip
        started = perf_counter()
        record = JournalRecord(
            sequence=self._sequence + 1,
            incarnation=self._positions.incarnation,
            frontier=self._positions.frontier | batch.frontier,
            first=self._first,
            worked=batch.worked,
            clock=batch.clock,
            now=moment.now,
            tick=advance_to if advance_to != NEVER else None,
            bundle=self._bundle.id,
            pauses=dict(moment.pauses),
            grants=grants,
            outputs=len(found),
            digest=emitted.digest(found),
        )
        leaving = self._leaving.leaving(self.lane, batch, found, record.sequence)
        try:
            offset = await self._log.commit(record, leaving)
        except UnknownOutcome:
            self._unconfirmed = True
            raise
        self._observer.stage("commit", perf_counter() - started)
        return offset

    async def _checkpoint(self, batch: Batch, offset: int) -> None:
        """Bring the store up to a batch that the journal has."""
        started = perf_counter()
        before = self._positions
        after = keeping.positions_after(self.lane, batch, before, journal=offset + 1)
        checkpoint = keeping.checkpoint_of(batch, self._sequence, after)
        sequence = await self._insisting.ask(lambda: self._store.checkpoint(self._number, checkpoint))
        self._require_next(sequence)
        self._sequence, self._positions, self._first = sequence, after, {}
        self._loading.forget(self.lane)
        self._observer.stage("checkpoint", perf_counter() - started)

    def _require_next(self, sequence: int) -> None:
        if sequence != self._sequence + 1:
            raise Reclaim(
                "store_changed", f"the store went to sequence {sequence}, not to {self._sequence + 1}"
            )

    # -- what it tells --

    def _tell(self, batch: Batch, records: int) -> None:
        self._observer.batch(records, batch.counts, batch.lateness)
        self._tell_state()

    def _tell_state(self) -> None:
        lane = self.lane
        self._observer.state(lane.clock, len(lane.hold), len(lane.waits), self._positions.frontier)
        silent = guard.is_silent(lane.heard, self._bundle.policy, lane.clock)
        self._observer.silent(guarded=silent and lane.engine.guarded)
        if found := self._bundle.policy.pools:
            lanes = self._bundle.policy.lanes
            left = {name: pools.left(lane.drawn, found[name], lane.partition, lanes) for name in found}
            self._observer.codes(left)
