"""Splitting: the input in parts by person, each of which can be worked through without the others.

What one person gets depends on other people by the clock of their lane alone, and on those who turn out to be
the same; these come into one part when all is read (`reuniting`). A part is told the time of the rest where
that makes a difference: before an event that lies behind it, and at the end. What is about nobody, the
catalogue and changes of price and stock, is written once for all parts of a lane, with the time at which the
lane was told it.

Where people share more than that (`sharing`), a lane is one part, and all lanes are worked off together where
they share it, or people are one over several of them.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple
from zlib import crc32

from retarget.decode import encode_touchpoint
from retarget.touchpoints import Touchpoint
from streams.backtest.reading import NO_TIME, Told
from streams.backtest.reuniting import Kin, reunited, somebody
from streams.backtest.sharing import Sharing
from streams.backtest.spill import Sorted, Spill
from streams.backtest.timeline import Timeline, Times
from streams.topics import lane_of

_PLACE: Final = struct.Struct(">QQ")
_STAMP: Final = struct.Struct(">q?I")
# What an entry is about: nothing but the time; or several products. Else it is the checksum of one.
TIME: Final = 0
SEVERAL: Final = 1
# Longer than any topic goes without a record.
NEVER: Final = 1 << 62
# So many bytes are in memory before they are written, over all parts.
KEPT: Final = 32 * 1024 * 1024
# What an entry costs beside its bytes.
_ENTRY: Final = 200


class Part(NamedTuple):
    """The events of some people of one lane; `caught_up_at`: where its clock ends, plus the lateness.

    -1: the end of the input moves it no further. `shared`: what all parts of the lane are told. `lane` is its
    number; `whole`: these are all of its people.
    """

    events: Sorted
    caught_up_at: int
    shared: Sorted
    lane: int = 0
    whole: bool = False

    @property
    def entries(self) -> int:
        """How many entries are its own."""
        return self.events.entries

    @property
    def path(self) -> Path:
        """A file of it, by which others that belong to it are named."""
        return Path(self.events.path)

    @property
    def name(self) -> str:
        """By which its results are kept apart from others'."""
        return self.path.name

    def remove(self) -> None:
        """Make room on the disk."""
        self.events.remove()


class Together(NamedTuple):
    """The events of people of several lanes, who are one or share something, and each lane's times."""

    lanes: tuple[Part, ...]
    times: tuple[Times, ...]

    @property
    def entries(self) -> int:
        """How many entries are its own."""
        return sum(part.entries for part in self.lanes)

    @property
    def whole(self) -> bool:
        """Whether these are all people of the lanes."""
        return self.lanes[0].whole

    @property
    def path(self) -> Path:
        """A file of it, by which others that belong to it are named."""
        return self.lanes[0].path

    @property
    def name(self) -> str:
        """By which its results are kept apart from others'."""
        return self.lanes[0].name

    def remove(self) -> None:
        """Make room on the disk."""
        for part in self.lanes:
            part.remove()


class Entry(NamedTuple):
    """What was put in: a record's timestamp, and a canonical event or (`listed`) a record of the catalogue.

    `about` is the product of what is shared, by `product_mark`, or TIME.
    """

    timestamp: int
    listed: bool
    about: int
    value: bytes


class Splitting:
    """Takes the input record by record. `by_time`: each lane is to be sorted by time, as a replay does."""

    def __init__(
        self, folder: Path, *, lanes: int, parts: int, by_time: bool, is_nobody: Callable[[str], bool],
        idle_after: int = NEVER, sharing: Sharing = Sharing.PERSON,
    ) -> None:  # fmt: skip
        """`parts` is how many each lane is split into, if people share nothing.

        Ids of which `is_nobody` holds are no one person's.

        After `idle_after` ms without a record the wall clock moves a lane on; as its workers keep up, that is
        what the timestamp of its next record says.
        """
        self._sharing, whole = sharing, sharing > Sharing.PERSON
        parts = 1 if whole else parts
        self._by_time, self._parts, self.lanes, self._is_nobody = by_time, parts, lanes, is_nobody
        # The parts of all lanes; then, for each lane, what all its parts are told.
        self._spills = [Spill(folder / f"events-{number}") for number in range(lanes * (parts + 1))]
        self._clock = [NO_TIME] * lanes
        self._idle_after, self._arrived = idle_after, [NO_TIME] * lanes
        self._known = [NO_TIME] * len(self._spills)
        self._kin = Kin(partial(lane_of, lanes=lanes))
        self._folder = folder
        # When each lane's clock was where, if they may have anything for each other.
        times = lanes > 1 and not by_time
        self._times = [Timeline(folder / f"times-{lane}") for lane in range(lanes)] if times else []
        self._number = self._kept = 0
        self.records = self.read = 0
        self.unusable: Counter[str] = Counter()

    def add(self, told: Told) -> None:
        """Sort one record into its part."""
        self.read += 1
        # Every lane has the whole catalogue.
        self.records += told.listed is None or not told.lane
        if told.reason:
            self.unusable[told.reason] += 1
        if told.timestamp >= 0:
            self._note_arrival(told.lane, told.timestamp)
        if told.event is not None:
            number = self._spill_of(told.lane, told.event)
            if not self._by_time:
                self._tell(number, told)
            self._put(number, told.event, told.timestamp, told.listed)
        elif self._sharing and self._times and told.tells > self._clock[told.lane]:
            # Lanes meet at what they share, so each must come there when it did.
            self._put(told.lane, Touchpoint(type="heartbeat", time=told.tells), told.timestamp)
            self._known[told.lane] = told.tells
        self._clock[told.lane] = max(self._clock[told.lane], told.tells)
        if self._times and told.timestamp >= 0:
            self._times[told.lane].add(self._arrived[told.lane], self._clock[told.lane])

    def _note_arrival(self, lane: int, timestamp: int) -> None:
        before = self._arrived[lane]
        if before >= 0 and timestamp - before >= self._idle_after:
            self._clock[lane] = max(self._clock[lane], timestamp)
        self._arrived[lane] = max(before, timestamp)

    def _spill_of(self, lane: int, event: Touchpoint) -> int:
        if not event.person:
            return self.lanes * self._parts + lane
        user, anonymous = event.user_id, event.anonymous_id
        if user and anonymous and not (self._is_nobody(user) or self._is_nobody(anonymous)):
            self._kin.meet(user, anonymous)
        person = somebody(event, self._is_nobody)
        if self._times and not self._is_nobody(person):
            self._kin.come(person, lane)
        return lane * self._parts + self._part_of(person)

    def _part_of(self, person: str) -> int:
        return crc32(person.encode()) % self._parts

    def _tell(self, number: int, told: Told) -> None:
        """Bring the part's clock to where the whole lane's is, when this event does not do so itself.

        Other events tell it nothing for certain: who they are about may be moved to another part, and what
        is shared need not be read by all.
        """
        clock = self._clock[told.lane]
        if clock > max(told.tells, self._known[number]):
            self._put(number, Touchpoint(type="heartbeat", time=clock), NO_TIME)
            self._known[number] = clock

    def _put(self, number: int, event: Touchpoint, timestamp: int, listed: bytes | None = None) -> None:
        value = encode_touchpoint(event) if listed is None else listed
        value = _STAMP.pack(timestamp, listed is not None, _about(event)) + value
        self._spills[number].add(_PLACE.pack(event.time if self._by_time else 0, self._number), value)
        self._number += 1
        self._kept += len(value) + _ENTRY
        if self._kept > KEPT:
            for spill in self._spills:
                spill.flush()
            self._kept = 0

    def close(self, *, ahead: int, at_least: int = NO_TIME) -> list[Part | Together]:
        """The parts. A lane's clock ends `ahead` of its last event or at `at_least`, less the lateness."""
        ends = [max(clock + ahead, at_least) if clock >= 0 else at_least for clock in self._clock]
        closed = [spill.close() for spill in self._spills]
        shared = closed[self.lanes * self._parts :]
        of_lanes = [closed[lane * self._parts : (lane + 1) * self._parts] for lane in range(self.lanes)]
        moved = self._kin.moved(self._part_of, self._parts)
        if self._sharing:
            whole = [
                Part(events, end, told, lane, whole=True)
                for lane, ((events,), end, told) in enumerate(zip(of_lanes, ends, shared, strict=True))
            ]
            apart = self.lanes == 1 or (self._sharing is Sharing.LANE and not moved)
            return [*whole] if apart else [Together(tuple(whole), self._all_times(at_least))]
        if moved:
            of_lanes = [
                reunited(parts, moved, _STAMP.size, self._is_nobody, self._beside(lane))
                for lane, parts in enumerate(of_lanes)
            ]
        found = [
            [Part(events, end, told, lane) for events in parts]
            for lane, (parts, end, told) in enumerate(zip(of_lanes, ends, shared, strict=True))
        ]
        return [part for parts in found for part in parts[: self._parts]] + self._together(found, at_least)

    def _beside(self, lane: int) -> list[Path]:
        """Where the parts are that all lanes work off together."""
        return [
            self._folder / f"together-{number}-{lane}" for number in range(self._parts if self._times else 0)
        ]

    def _together(self, found: Sequence[Sequence[Part]], until: int) -> list[Together]:
        times = self._all_times(until)
        together = [
            Together(parts, times) for parts in zip(*(each[self._parts :] for each in found), strict=True)
        ]
        return [one for one in together if one.entries]

    def _all_times(self, until: int) -> tuple[Times, ...]:
        return tuple(one.close(idle_after=self._idle_after, until=until) for one in self._times)


def unpacked(value: bytes) -> Entry:
    """What was put in."""
    timestamp, listed, about = _STAMP.unpack_from(value)
    return Entry(timestamp, listed, about, value[_STAMP.size :])


def product_mark(product: str) -> int:
    """A number by which products are told apart well enough to leave out what concerns nobody."""
    return crc32(product.encode()) | 2


def _about(event: Touchpoint) -> int:
    products = {item.product_id for item in event.items if item.product_id}
    if event.person or not products:
        return TIME
    return product_mark(products.pop()) if len(products) == 1 else SEVERAL


def time_of(key: bytes) -> int:
    """The time by which an entry is sorted; 0 where it is not."""
    return int(_PLACE.unpack(key)[0])
