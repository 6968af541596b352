"""Replaying: the same engine over the same lane code, with files for input and memory for log and store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, cast

from msgspec.structs import replace

from retarget.catalogue import Fanned, pack, unpack
from retarget.decode import decode_canonical, encode_touchpoint
from retarget.errors import Rejected, RejectReason
from retarget.touchpoints import Touchpoint
from streams.files import FileEvent
from streams.lanes.bundle import Bundle
from streams.lanes.bundles import OneBundle
from streams.lanes.limits import Limits
from streams.lanes.observer import Observer
from streams.lanes.runner import LaneRunner
from streams.ports import Feed, History, JournalRecord, Output, Record
from streams.stores.memory import MemoryStore
from streams.topics import MERGE

TOPIC: Final = "replay"
# Before TOPIC: of what is held to the same time, the catalogue comes first.
LISTED: Final = "catalogue"
LANE: Final = 0
# Of what the loader has taken.
NO_LIMIT: Final = 1 << 62
# The end of time, for a wall that never holds a lane back.
_LATEST: Final = 1 << 62
IN_MEMORY: Final = Limits(records=5_000, persons=5_000, waits=5_000, wait=0, idle=0, cached=1_000_000)

Sink = Callable[[Output], None]


def clock_record(time: int, offset: int = 0) -> Record:
    """A record that only moves the clock, to `time`; nothing bounds it, as its timestamp would."""
    return Record(TOPIC, offset, -1, None, encode_touchpoint(Touchpoint(type="heartbeat", time=time)))


class ReplayLog:
    """A LaneLog that keeps no journal: there is no one to come after us."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._committed = 0

    async def claim(self) -> None:
        """Nobody else is there."""

    async def history(self, offset: int) -> History:  # noqa: ARG002 - the port's
        """Nothing came before."""
        return History.of([], 0)

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:  # noqa: ARG002
        """Hand the outputs on."""
        for output in outputs:
            self._sink(output)
        self._committed += 1
        return self._committed - 1

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:
        """Nothing is ever replayed here."""

    async def read(self, topic: str, start: int, end: int) -> list[Record]:  # noqa: ARG002
        """Nothing is ever read again here."""
        return []

    async def beginning(self, topic: str) -> int:  # noqa: ARG002
        """Files begin at the beginning."""
        return 0

    async def close(self) -> None:
        """Nothing to release."""


class RecordFeed:
    """A Feed over records of TOPIC, once from the beginning."""

    def __init__(
        self,
        records: Iterable[Record],
        end: Callable[[], int],
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """When all are taken, `end` says how far the clock moves, lateness included; -1: no further."""
        self._records, self._end, self._progress = iter(records), end, progress
        self._ended = False
        self._next = next(self._records, None)

    def go_on(self, records: Iterable[Record]) -> None:
        """Let more come."""
        self._records = iter(records)
        self._next, self._ended = next(self._records, None), False

    async def start(self, frontier: dict[str, int]) -> None:
        """From the beginning, once."""

    async def take(self, records: int, wait_ms: int, idle_ms: int) -> list[Record]:  # noqa: ARG002 - the port's
        """The next records."""
        taken = list(self._of_one_topic(records))
        self._ended = self._next is None
        self._progress(len(taken))
        return taken

    def _of_one_topic(self, most: int) -> Iterator[Record]:
        """Records of several topics would be put into another order: they have no timestamps."""
        first = self._next
        while self._next is not None and first is not None and most and self._next.topic == first.topic:
            most -= 1
            yield self._next
            self._next = next(self._records, None)

    def caught_up_at(self) -> int | None:
        """At the end, the moment from which the lateness leads to where the clock ends."""
        end = self._end() if self._ended else -1
        return end if end >= 0 else None


class _Value(bytes):
    """The bytes of a record in a file, and what its loader made of them."""

    event: FileEvent

    @classmethod
    def of(cls, event: FileEvent) -> _Value:
        """The value for one record of a file."""
        value = cls(event.raw)
        value.event = event
        return value

    def __bool__(self) -> bool:
        """Whether there is a record: of no bytes, too, a loader may have made something."""
        return True


def _as_loaded(value: bytes) -> Touchpoint:
    """What the loader found, as a touchpoint of this run alone. Raises Rejected with file and line."""
    event = cast("_Value", value).event  # nothing else is in TOPIC
    if isinstance(event.found, Rejected):
        raise Rejected(*_refused(event, event.found))
    return decode_canonical(encode_touchpoint(event.found), NO_LIMIT)


class _Told:
    """Events as records, and the time of the latest that was read so far; -1 before there is one."""

    def __init__(self, events: Iterable[FileEvent]) -> None:
        self._events = events
        self.latest = -1
        # Records of the catalogue behind the last event that was read.
        self.behind: list[tuple[int, FileEvent]] = []

    def records(self) -> Iterator[Record]:
        """All but what is `behind` in the end."""
        for offset, event in enumerate(self._events):
            if event.listed:
                self.behind.append((offset, event))
                continue
            yield from self.rest(at_once=False)
            if not isinstance(event.found, Rejected):
                self.latest = max(self.latest, event.found.time)
            yield Record(TOPIC, offset, -1, None, _Value.of(event))

    def rest(self, *, at_once: bool) -> Iterator[Record]:
        """What is `behind`; `at_once`: no event will come to move the clock there."""
        told, self.behind = self.behind, []
        for offset, event in told:
            yield listed_of_file(pack(_fanned(event)), offset, at_once=at_once)

    def end(self, lateness: int) -> int:
        """At its end the clock is set to the last event's time."""
        return self.latest + lateness if self.latest >= 0 else -1


def _fanned(event: FileEvent) -> Fanned:
    found, place = event.found, f"{event.file}:{event.line}"
    if not isinstance(found, Rejected):
        return Fanned(0, 0, None, event.raw, place, found.time)
    return Fanned(0, 0, None, event.raw, place, refused=_refused(event, found))


def _refused(event: FileEvent, why: Rejected) -> tuple[RejectReason, str]:
    return why.reason, f"{event.file}, line {event.line}: {why.detail}"


def listed_of_file(fanned: bytes, offset: int, *, at_once: bool) -> Record:
    """A record of a catalogue's file at its place; `at_once`: no event moves the clock there."""
    value = pack(replace(unpack(fanned), offset=offset, at_once=at_once))
    return Record(LISTED, offset, -1, None, value)


class ReplayWall:
    """A wall that is always later."""

    def now(self) -> int:
        """The end of time."""
        return _LATEST

    async def sleep(self, seconds: float) -> None:
        """Nothing to wait for."""


class Tally(Observer):
    """Counts what a run did."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, ...]] = Counter()

    def batch(self, records: int, counts: Mapping[tuple[str, ...], int], lateness: list[int]) -> None:  # noqa: ARG002
        """Add one batch."""
        self.counts["read",] += records
        self.counts.update(counts)


async def replay(
    events: Iterable[FileEvent],
    bundle: Bundle,
    sink: Sink,
    *,
    store: MemoryStore | None = None,
    pauses: Mapping[str, int] | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Counter[tuple[str, ...]]:
    """Run events through one lane in the order given; what happened, by kind.

    An empty `store` holds at the end, in lane LANE, what is kept of people.
    """
    told = _Told(events)
    bundle = bundle._replace(decoders={**bundle.decoders, TOPIC: _as_loaded})
    feed = RecordFeed(told.records(), lambda: told.end(bundle.lateness), progress)
    return await work_through(
        feed, bundle, sink, store=store, pauses=pauses, at_end=lambda: feed.go_on(told.rest(at_once=True))
    )


def runner_over(  # noqa: PLR0913 - what a lane is given, all but its number and rules by keyword
    number: int,
    bundle: Bundle,
    sink: Sink,
    feed: Feed,
    tally: Tally,
    *,
    store: MemoryStore | None = None,
    pauses: Mapping[str, int] | None = None,
    merges: bool = False,
    limits: Limits = IN_MEMORY,
) -> LaneRunner:
    """A lane with memory for log and store; `merges`: other lanes tell it of its people in topic MERGE."""
    return LaneRunner(
        number,
        (TOPIC, LISTED, *((MERGE,) if merges else ())),
        OneBundle(bundle._replace(listed=bundle.listed._replace(topic=LISTED))),
        store=store or MemoryStore(),
        log=ReplayLog(sink),
        feed=feed,
        wall=ReplayWall(),
        limits=limits,
        ticks=True,
        pauses=lambda: dict(pauses or {}),
        observer=tally,
    )


async def work_through(  # noqa: PLR0913 - see runner_over
    feed: Feed,
    bundle: Bundle,
    sink: Sink,
    *,
    store: MemoryStore | None = None,
    pauses: Mapping[str, int] | None = None,
    at_end: Callable[[], None] | None = None,
    lane: int = LANE,
    limits: Limits = IN_MEMORY,
) -> Counter[tuple[str, ...]]:
    """Run one lane over a feed until nothing is left to do; what happened, by kind.

    `at_end` may let the feed go on, once all is done and the clock has come to its end.
    """
    tally = Tally()
    runner = runner_over(lane, bundle, sink, feed, tally, store=store, pauses=pauses, limits=limits)
    await runner.claim()
    while await runner.batch():
        pass
    if at_end is not None:
        at_end()
        while await runner.batch():
            pass
    return tally.counts
