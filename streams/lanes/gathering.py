"""Gathering: which arrivals the next batch takes, and how far the wall clock moves an idle lane."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import merge
from typing import Final

from retarget.lane.batch import NEVER
from retarget.lane.intake import Arrival, Intake
from retarget.lane.lane import Lane
from streams.lanes.limits import Limits
from streams.lanes.wall import Wall
from streams.ports import Feed, Record

# An idle lane's clock is written down at least this often: what is late then stays late after a claim.
TICK_AT_LEAST: Final = 60_000


class Gathering:
    """Records that were fetched and not yet taken in by a batch, in the order of the input."""

    def __init__(self, intake: Intake, feed: Feed, wall: Wall, limits: Limits) -> None:
        self._intake, self._feed, self._wall, self._limits = intake, feed, wall, limits
        self._unread: list[Arrival] = []
        self._tick = NEVER

    def forget(self) -> None:
        """Drop everything; the feed starts again."""
        self._unread, self._tick = [], NEVER

    def decode_by(self, intake: Intake) -> None:
        """Decode otherwise from now on; what was decoded is dropped, so the feed must start again."""
        self.forget()
        self._intake = intake

    def arrivals_of(self, by_topic: Sequence[list[Record]]) -> list[Arrival]:
        """The records of several topics as arrivals, in the order (timestamp, topic), each topic's kept."""
        arrival = self._intake.arrival
        return [arrival(r.topic, r.offset, r.timestamp, r.value, r.attributes) for r in _merged(by_topic)]

    async def next(self, most: int) -> list[Arrival]:
        """What the next batch reads, at most so many; nothing new before the last tick is worked off."""
        if self._tick != NEVER:
            return []
        if not self._unread:
            records = await self._feed.take(self._limits.records, self._limits.wait, self._limits.idle)
            self._unread = self.arrivals_of(_by_topic(records))
        return self._portion(self._unread[:most])

    def _portion(self, unread: list[Arrival]) -> list[Arrival]:
        """As many of these as one checkpoint carries well."""
        most = self._limits.persons
        if len({arrival.person for arrival in unread}) <= most:
            return unread
        persons: set[str] = set()
        for index, arrival in enumerate(unread):
            persons.add(arrival.person)
            if len(persons) > most:
                return unread[:index]
        return unread

    def taken(self, consumed: int, advance_to: int, clock: int) -> None:
        """A batch has read so many arrivals; a tick that it could not work off whole goes on."""
        self._unread = self._unread[consumed:]
        self._tick = advance_to if advance_to > clock else NEVER

    def idle_advance(self, lane: Lane, lateness: int) -> int:
        """How far the wall clock moves a lane that has read everything there is; NEVER when it does not."""
        if self._tick != NEVER:
            return self._tick
        seen = self._feed.caught_up_at()
        if seen is None:
            return NEVER
        target = min(seen, self._wall.now()) - lateness
        due = lane.waits.next_due()
        anything = lane.hold.first <= target or (due is not None and due <= target)
        late = target - lane.clock >= TICK_AT_LEAST or target > lane.waits.horizon
        return target if target > lane.clock and (anything or late) else NEVER


def _by_topic(records: Sequence[Record]) -> list[list[Record]]:
    found: dict[str, list[Record]] = {}
    for record in records:
        found.setdefault(record.topic, []).append(record)
    return [found[topic] for topic in sorted(found)]


def _merged(by_topic: Sequence[list[Record]]) -> Iterable[Record]:
    if len(by_topic) == 1:
        return by_topic[0]
    return merge(*by_topic, key=lambda record: (record.timestamp, record.topic))
