"""Snapshots: the image of each lane, recounted from Kafka alone by the lane's own replay.

A lane that comes back from the former snapshot and repeats the journal, in a process of its own and into a
store in memory, is what the real store holds at that sequence. Neither workers nor their store take notice.
The reasons are in docs/decisions/0012-snapshots.md.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

from retarget.errors import BadInput, LaneRefused
from retarget.times import format_time
from streams.clocks import now_ms
from streams.images import parts
from streams.images.folder import Folder, write_manifest
from streams.images.manifest import LaneEntry, Manifest
from streams.kafka import KafkaAddress, Reader
from streams.kafka.past import PastLog
from streams.lanes import positions as stored
from streams.lanes.bundles import Bundles
from streams.lanes.limits import Limits
from streams.lanes.observer import Observer
from streams.lanes.returning import Returning
from streams.lanes.runner import LaneRunner
from streams.lanes.wall import RealWall
from streams.ports import Copies, LaneImage, LaneLog, Portion, Record
from streams.sealing import leaving_by
from streams.sealing.leaving import Leaving
from streams.settings import Settings
from streams.stores import MemoryStore, Store
from streams.topics import JOURNAL, lane_topics

_LIMITS: Final = Limits()
_MOVES: Final = (
    "store.url: lane {lane} moves while it is copied; stop the workers, or copy a replica that was cut off "
    "from its primary (REPLICAOF NO ONE)"
)
Done = Callable[[LaneEntry], None]


class _NoFeed:
    """A feed of nothing: what is repeated is read by position."""

    async def start(self, frontier: dict[str, int]) -> None:
        """Nothing begins."""

    async def take(self, records: int, wait_ms: int, idle_ms: int) -> list[Record]:  # noqa: ARG002
        """Nothing comes."""
        return []

    def caught_up_at(self) -> int | None:
        """It is never."""
        return None


class _Exact(Observer):
    """Refuses a replay that comes to other outputs: its state would not be the lane's either."""

    def __init__(self, lane: int) -> None:
        self._lane = lane

    def mismatch(self, sequence: int) -> None:
        """See Observer. Raises LaneRefused."""
        raise LaneRefused(
            f"lane {self._lane}: batch {sequence} comes to other outputs here than the journal says; run the "
            f"build that decided it, or copy the store at rest with --from-store"
        )


class Past(LaneLog, Protocol):
    """A log that ends, and that gives its history in portions."""

    pauses: Mapping[str, int] | None  # those in force in the last batch that it gave


class RecountedLane:
    """One lane, recounted in memory from the newest copy on."""

    def __init__(
        self,
        lane: int,
        log: Past,
        bundles: Bundles,
        topics: Sequence[str],
        copies: Copies | None,
        leaving: Leaving | None = None,
    ) -> None:
        self._lane, self._log = lane, log
        self._pauses: Mapping[str, int] = {}
        self.store = MemoryStore()
        self._runner = LaneRunner(
            lane,
            topics,
            bundles,
            store=self.store,
            log=log,
            feed=_NoFeed(),
            wall=RealWall(),
            limits=_LIMITS,
            ticks=False,
            observer=_Exact(lane),
            returning=Returning(copies, self._remember),
            leaving=leaving,
        )

    async def recount(self) -> LaneImage:
        """Bring it to the end of its log; the image then. Raises LaneRefused, UnknownOutcome."""
        before = -1
        while self._runner.sequence != before:
            before = self._runner.sequence
            await self._runner.claim()
        return await self.store.image(self._lane)

    @property
    def pauses(self) -> Mapping[str, int]:
        """The kill switches in force at its end."""
        return self._log.pauses if self._log.pauses is not None else self._pauses

    async def _remember(self, pauses: Mapping[str, int]) -> None:
        self._pauses = pauses


async def snapshot_by_journal(
    settings: Settings, address: KafkaAddress, bundles: Bundles, folder: Folder, done: Done
) -> Path:
    """Write a snapshot of what the journals hold now; where it is. `done` hears of each lane.

    Raises LaneRefused when a lane cannot be recounted, UnknownOutcome, Unreachable, BadInput for the folder.
    """
    lanes, topics = range(settings.kafka.partitions), lane_topics(settings.kafka.input_topics)
    reader = Reader(address)
    await reader.start()
    try:
        ends = [await reader.end(JOURNAL, lane) for lane in lanes]
        with Writing(settings, settings.kafka.partitions, folder) as writing:
            for lane in lanes:
                past = PastLog(address, reader, lane, app_id=settings.app.id, end=ends[lane])
                leaving = leaving_by(settings.privacy.keys, reader)
                recounted = RecountedLane(lane, past, bundles, topics, folder, leaving)
                image = await recounted.recount()
                done(await writing.lane(lane, image, recounted.pauses, recounted.store.portions(lane)))
    finally:
        await reader.close()
    return writing.whole


async def snapshot_of_store(settings: Settings, store: Store, folder: Folder, done: Done) -> Path:
    """Write a snapshot of a store that nobody writes to; where it is.

    Raises BadInput when somebody does, or the folder is wrong, UnknownOutcome.
    """
    pauses = await store.pauses()
    with Writing(settings, settings.kafka.partitions, folder) as writing:
        for lane in range(settings.kafka.partitions):
            image = await store.image(lane)
            entry = await writing.lane(lane, image, pauses, store.portions(lane))
            if image.sequence < 0 or await store.image(lane) != image:
                raise BadInput([_MOVES.format(lane=lane)])
            done(entry)
    return writing.whole


class Writing:
    """A snapshot on its way into its folder; whole when the block ends without an error."""

    def __init__(self, settings: Settings, lanes: int, folder: Folder) -> None:
        self._settings, self._lanes, self._at = settings, lanes, now_ms()
        self._making = folder.new(self._at)
        self._entries: list[LaneEntry] = []
        self.whole = folder.named(self._at)

    def __enter__(self) -> Self:
        self._folder = self._making.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            write_manifest(self._folder, self._manifest())
        self._making.__exit__(kind, error, trace)

    async def lane(
        self, lane: int, image: LaneImage, pauses: Mapping[str, int], portions: AsyncIterator[Portion]
    ) -> LaneEntry:
        """Write one lane."""
        part = await parts.write(self.file(lane), portions)
        return self.add(lane, image, pauses, part)

    def file(self, lane: int) -> Path:
        """Where the part of a lane goes."""
        return self._folder / f"lane-{lane:04}.part"

    def add(self, lane: int, image: LaneImage, pauses: Mapping[str, int], part: parts.Written) -> LaneEntry:
        """A lane whose part is written."""
        entry = LaneEntry(
            lane=lane,
            sequence=image.sequence,
            journal=stored.decode(image.meta).journal,
            meta=image.meta,
            pauses=dict(pauses),
            people=part.people,
            waits=part.waits,
            file=self.file(lane).name,
            size=part.size,
            digest=part.digest,
        )
        self._entries.append(entry)
        return entry

    def _manifest(self) -> Manifest:
        return Manifest(
            app=self._settings.app.id,
            partitions=self._lanes,
            at=format_time(self._at),
            lanes=self._entries,
            retarget=version("retarget"),
        )
