"""Another number of lanes: offline, from the lanes in the store to a snapshot of as many as wanted.

The new lanes come back from that snapshot when workers claim them, as lanes do that the store has lost; the
store itself is only read. A record in each journal says that what stands before it belongs to other lanes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from msgspec.structs import replace

from retarget.engine.pools import CLOSED
from retarget.errors import BadInput
from streams.clocks import now_ms
from streams.images import Folder, LaneEntry
from streams.images.parts import Writer
from streams.kafka import IdempotentLog, KafkaAddress, Reader, TransactionalLog, specs_of
from streams.kafka.widening import members, widen
from streams.lanes import positions as stored
from streams.lanes.positions import Positions
from streams.ports import Fenced, JournalRecord, LaneImage, Portion
from streams.sealing.past import retire
from streams.settings import Settings
from streams.snapshotting import Writing
from streams.stores import Store
from streams.topics import lane_topics, partition_of

_AT_WORK: Final = "workers are at work; stop them all, and wait 15 s for those that were killed"
_ONCE_MORE: Final = "start the workers once more until their lag is 0, and stop them with SIGTERM"

Log = TransactionalLog | IdempotentLog
Entry = TypeVar("Entry")


class OldLane(NamedTuple):
    """A lane as it ends: its number, image and positions."""

    number: int
    image: LaneImage
    positions: Positions


class Repartition:
    """One change, from as many lanes as the settings say to `lanes`."""

    def __init__(
        self, settings: Settings, address: KafkaAddress, store: Store, folder: Folder, lanes: int
    ) -> None:
        """`folder` is that of the new lanes' snapshots."""
        self._settings, self._address, self._store, self._folder = settings, address, store, folder
        self._before, self._lanes = settings.kafka.partitions, lanes
        self._topics: Sequence[str] = lane_topics(settings.kafka.input_topics)
        self._reader = Reader(address)
        self._logs: dict[int, Log] = {}

    async def run(self, done: Callable[[LaneEntry], None]) -> Path:
        """Do it; where the snapshot is. Can be run again after any error.

        Raises BadInput when it cannot be done now, Unreachable, UnknownOutcome, LaneRefused.
        """
        if await members(self._address, self._settings.app.id):
            raise BadInput([_AT_WORK])
        async with AsyncExitStack() as stack:
            await self._reader.start()
            stack.push_async_callback(self._reader.close)
            stack.push_async_callback(self._close)
            try:
                old = await self._at_rest()
                await widen(self._address, self._exact_topics(), self._lanes)
                images = await self._begin_journals(old)
            except Fenced as error:
                raise BadInput([_AT_WORK]) from error
            whole = await self._write(old, images, done)
            if self._settings.privacy.keys:
                await retire(self._address, self._reader, self._before, self._lanes)
            return whole

    async def _close(self) -> None:
        for log in self._logs.values():
            await log.close()

    def _exact_topics(self) -> list[str]:
        return [spec.name for spec in specs_of(self._settings) if spec.exact]

    # -- before --

    async def _at_rest(self) -> list[OldLane]:
        """Every lane, claimed so that nobody goes on with it, and found to have nothing left to do."""
        old = [await self._old_lane(number) for number in range(self._before)]
        problems = [problem for lane in old for problem in await self._left(lane)]
        if len({tuple(sorted(lane.positions.fanned.items())) for lane in old}) > 1:
            problems.append(f"not every lane knows all of the catalogue; {_ONCE_MORE}")
        if problems:
            raise BadInput(problems)
        return old

    async def _old_lane(self, number: int) -> OldLane:
        await self._claim(number)
        image = await self._store.image(number)
        return OldLane(number, image, stored.decode(image.meta))

    async def _claim(self, number: int) -> None:
        kind = TransactionalLog if self._settings.kafka.emit == "transactional" else IdempotentLog
        self._logs[number] = kind(self._address, self._reader, number, app_id=self._settings.app.id)
        await self._logs[number].claim()

    async def _left(self, lane: OldLane) -> list[str]:
        """What the lane has not done yet, a line for each."""
        number, image, positions = lane
        name = f"lane {number}"
        if image.sequence < 0:
            return [f"{name}: the store holds half of a copy; {_ONCE_MORE}"]
        found: list[str] = []
        if await self._behind(lane):
            found.append(f"{name}: the journal holds batches that the store lacks; {_ONCE_MORE}")
        if any(positions.held.values()) or positions.spreads:
            found.append(
                f"{name}: events wait for its clock; {_ONCE_MORE}, with clock.idle=wall or after a heartbeat"
            )
        for topic in self._topics:
            end = await self._reader.end(topic, number)
            frontier = positions.frontier.get(topic, await self._reader.beginning(topic, number))
            if end > frontier and await self._reader.read(topic, number, frontier, end):
                found.append(
                    f"{topic}[{number}]: the records from offset {frontier} to {end} are not worked off; "
                    f"stop the producers, and {_ONCE_MORE}"
                )
        return found

    async def _behind(self, lane: OldLane) -> bool:
        """Whether the journal goes on, but for the record that a former try has left."""
        history = await self._logs[lane.number].history(lane.positions.journal)
        async for portion in history.portions():
            if any(not record.lanes for _, record in portion):
                return True
        return False

    # -- the change --

    async def _begin_journals(self, old: Sequence[OldLane]) -> list[LaneImage]:
        """Write into each journal that a lane begins here; the images of the new lanes."""
        incarnation = 1 + max(lane.positions.incarnation for lane in old)
        common = common_positions(old, incarnation)
        images: list[LaneImage] = []
        for number in range(self._lanes):
            before = old[number] if number < self._before else OldLane(number, LaneImage(0, b""), Positions())
            if number >= self._before:
                await self._claim(number)
            sequence, offset = await self._begin_journal(before, incarnation)
            frontier = await self._frontier(before)
            after = replace(with_its_own(common, before), frontier=frontier, journal=offset + 1)
            images.append(LaneImage(sequence, stored.encode(after)))
        return images

    async def _frontier(self, lane: OldLane) -> dict[str, int]:
        """Where the lane of this number goes on: all that was there is worked off, new partitions begin."""
        if lane.number >= self._before:
            return dict.fromkeys(self._topics, 0)
        ends = {topic: await self._reader.beginning(topic, lane.number) for topic in self._topics}
        return ends | lane.positions.frontier

    async def _begin_journal(self, lane: OldLane, incarnation: int) -> tuple[int, int]:
        """The sequence and the offset of the record, of this try or of a former one."""
        log = self._logs[lane.number]
        last = (await log.history(lane.positions.journal)).last
        if last is not None and last[1].lanes == self._lanes:
            return last[1].sequence, last[0]
        sequence = last[1].sequence if last is not None else lane.image.sequence
        record = JournalRecord(
            sequence=sequence + 1,
            incarnation=incarnation,
            lanes=self._lanes,
            clock=lane.positions.clock,
            now=now_ms(),
        )
        return sequence + 1, await log.commit(record, [])

    async def _write(
        self, old: Sequence[OldLane], images: Sequence[LaneImage], done: Callable[[LaneEntry], None]
    ) -> Path:
        pauses = await self._store.pauses()
        with Writing(self._settings, self._lanes, self._folder) as writing:
            writers = [Writer(writing.file(number)) for number in range(self._lanes)]
            for lane in old:
                async for portion in self._store.portions(lane.number):
                    self._spread(portion, writers, listings=lane.number == 0)
            for number, writer in enumerate(writers):
                done(writing.add(number, images[number], pauses, writer.close()))
        return writing.whole

    def _spread(self, portion: Portion, writers: Sequence[Writer], *, listings: bool) -> None:
        """Everybody to their lane; what the shop says of its products, the same in all lanes, to each."""
        journeys = self._by_lane(portion.journeys, lambda one: one[0])
        waits = self._by_lane(portion.waits, lambda one: one[0])
        following = self._by_lane(portion.following, lambda one: one[1])
        for number in {*journeys, *waits, *following}:
            writers[number].add(
                Portion(
                    journeys=journeys.get(number, ()),
                    waits=waits.get(number, ()),
                    following=following.get(number, ()),
                )
            )
        if listings and portion.listings:
            for writer in writers:
                writer.add(Portion(listings=portion.listings))

    def _by_lane(self, entries: Iterable[Entry], person: Callable[[Entry], str]) -> Mapping[int, list[Entry]]:
        found: dict[int, list[Entry]] = {}
        for entry in entries:
            lane = partition_of(person(entry).encode(), self._lanes)
            found.setdefault(lane, []).append(entry)
        return found


def common_positions(old: Sequence[OldLane], incarnation: int) -> Positions:
    """What all new lanes begin with: nothing that was decided is decided again, no bound is exceeded."""
    ran = [lane.positions for lane in old if lane.positions.clock >= 0]
    return Positions(
        incarnation=incarnation,
        # The earliest: what another lane has worked off is behind it, and a wait is decided at its time.
        clock=min((one.clock for one in ran), default=-1),
        paced=_latest(one.paced for one in ran),
        # Shares are others now, and each code of the old ones may have been given.
        drawn={pool: CLOSED for one in old for pool in one.positions.drawn},
        fanned=dict(old[0].positions.fanned),
        has_listings=any(one.has_listings for one in ran),
        heard=_latest(one.heard for one in ran),
    )


def with_its_own(common: Positions, lane: OldLane) -> Positions:
    """Of a ceiling each lane keeps what it has been granted and sent: the store has it under its number."""
    return replace(common, risen=lane.positions.risen, granted=lane.positions.granted)


def _latest(of_lanes: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The latest of each name."""
    found: dict[str, int] = {}
    for one in of_lanes:
        for name, at in one.items():
            found[name] = max(at, found.get(name, at))
    return found
