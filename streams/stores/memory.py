"""The store in memory: for replay, for tests, and as the reference that the real one is tested against."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING

from retarget.engine.ceilings import Granted
from streams.clocks import now_ms
from streams.ports import Ask, Checkpoint, LaneImage, Portion, StoredSwitches
from streams.stores.keys import person_bytes
from streams.stores.portions import PORTION, batched

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, MutableMapping, Sequence


class MemoryStore:
    """A JourneyStore in this process; all it holds is gone with it. It never raises UnknownOutcome."""

    def __init__(self, journeys: Callable[[], MutableMapping[str, bytes]] = dict) -> None:
        """`journeys`: where those of a lane are, if not in memory."""
        self._lanes: defaultdict[int, _Lane] = defaultdict(lambda: _Lane(journeys()))
        self._pauses: dict[str, int] = {}
        self._ceilings: defaultdict[tuple[str, int, int], dict[int, int]] = defaultdict(dict)
        self._ended: dict[str, int] = {}
        self._revoked: dict[str, int] = {}

    async def image(self, lane: int) -> LaneImage:
        """The stored sequence and meta of a lane."""
        held = self._lanes[lane]
        return LaneImage(held.sequence, held.meta)

    def journeys(self, lane: int) -> Mapping[str, bytes]:
        """Everybody's journey."""
        return self._lanes[lane].journeys

    async def load(self, lane: int, persons: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """The journeys of `persons`, in order, None for the unknown, with the sequence they were read at."""
        held = self._lanes[lane]
        return held.sequence, list(map(held.journeys.get, persons))

    async def waits(self, lane: int, after: int, until: int, limit: int) -> tuple[int, list[tuple[int, str]]]:
        """At least one and about `limit` (>= 1) waits with after < due <= until, in the order (due, person).

        The whole of a due time is given, so there may be more than `limit`.
        """
        held = self._lanes[lane]
        return held.sequence, held.waits.page(after, until, limit)

    async def listings(self, lane: int, products: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """As `load`, the listings of products."""
        held = self._lanes[lane]
        return held.sequence, list(map(held.listings.get, products))

    async def followers(
        self, lane: int, asked: Sequence[tuple[str, str]], limit: int
    ) -> tuple[int, list[list[str]]]:
        """For each (product, after) at most `limit` persons behind `after` who follow it, in order."""
        held = self._lanes[lane]
        return held.sequence, [held.followers_of(product, after, limit) for product, after in asked]

    async def checkpoint(self, lane: int, checkpoint: Checkpoint) -> int:
        """Store it if the stored sequence is `expected`; the sequence stored after the call either way."""
        held = self._lanes[lane]
        if held.sequence == checkpoint.expected:
            held.write(checkpoint)
        return held.sequence

    async def grant(self, ask: Ask) -> Granted:
        """All that the lane has of a ceiling from now on."""
        short = ask.shortage
        by_lane = self._ceilings[ask.rule, short.within, short.window]
        known = max(by_lane.get(ask.lane, 0), ask.has)
        left = max(short.most - known - sum(has for lane, has in by_lane.items() if lane != ask.lane), 0)
        lacks = short.wanted - (known - ask.has)
        portion = min(left, max(lacks, -(-left // (2 * ask.lanes)))) if lacks > 0 else 0
        by_lane[ask.lane] = known + portion
        return Granted(short.window, known + portion, last=left == portion)

    async def journey(self, lane: int, person: str) -> bytes | None:
        """The stored journey of one person, to be looked at only."""
        return self._lanes[lane].journeys.get(person)

    async def wait_of(self, lane: int, person: str) -> int | None:
        """The due of a person's stored wait, epoch ms, to be looked at only."""
        return self._lanes[lane].waits.due.get(person)

    def everyone(self, lane: int) -> Iterator[tuple[str, bytes, int | None]]:
        """Each person of a lane with journey and due of the wait, in the order of their names."""
        held = self._lanes[lane]
        for person in sorted(held.journeys):
            yield person, held.journeys[person], held.waits.due.get(person)

    async def portions(self, lane: int, size: int = PORTION) -> AsyncIterator[Portion]:
        """All that is held of a lane that nobody writes to meanwhile, in portions of about `size`."""
        held = self._lanes[lane]
        for journeys in batched(list(held.journeys.items()), size):
            yield Portion(journeys=journeys)
        for waits in batched(list(held.waits.due.items()), size):
            yield Portion(waits=waits)
        for listings in batched(list(held.listings.items()), size):
            yield Portion(listings=listings)
        for following in batched(list(held.following()), size):
            yield Portion(following=following)

    async def set_pause(self, name: str, since_ms: int | None) -> None:
        """Pause a rule or channel from `since_ms` on; None ends its pause."""
        if since_ms is not None:
            self._pauses[name] = since_ms
        elif name in self._pauses:
            self._ended[name] = self._pauses.pop(name)

    async def pauses(self) -> dict[str, int]:
        """The pauses in force: rule or channel -> since, epoch ms."""
        return dict(self._pauses)

    async def switches(self) -> StoredSwitches:
        """The pauses in force, and those that were ended."""
        return StoredSwitches(dict(self._pauses), dict(self._ended))

    async def revoke_link(self, message_id: str, until_ms: int | None) -> None:
        """Take the link of a message back, until it has expired anyway; None: no longer."""
        if until_ms is None:
            self._revoked.pop(message_id, None)
        else:
            self._revoked[message_id] = until_ms

    async def link_is_revoked(self, message_id: str) -> bool:
        """Whether the link of a message has been taken back."""
        return self._revoked.get(message_id, 0) > now_ms()

    async def close(self) -> None:
        """Nothing to release."""


class _Lane:
    def __init__(self, journeys: MutableMapping[str, bytes]) -> None:
        self.sequence = 0
        self.meta = b""
        self.journeys = journeys
        self.waits = _Waits()
        self.listings: dict[str, bytes] = {}
        self.followers: defaultdict[str, list[str]] = defaultdict(list)

    def write(self, checkpoint: Checkpoint) -> None:
        self.journeys.update(checkpoint.journeys)
        for person in checkpoint.forgotten:
            self.journeys.pop(person, None)
        for person, due in checkpoint.waits:
            self.waits.put(person, due)
        for person in checkpoint.unwaited:
            self.waits.drop(person)
        self.listings.update(checkpoint.listings)
        for product, person in checkpoint.following:
            self._follow(product, person)
        for product, person in checkpoint.unfollowing:
            self._unfollow(product, person)
        for product in checkpoint.unlisted:
            self.listings.pop(product, None)
        self.sequence, self.meta = checkpoint.after, checkpoint.meta

    def following(self) -> Iterator[tuple[str, str]]:
        return ((product, person) for product, persons in self.followers.items() for person in persons)

    def followers_of(self, product: str, after: str, limit: int) -> list[str]:
        persons = self.followers.get(product, [])
        first = bisect_right(persons, person_bytes(after), key=person_bytes)
        return persons[first : first + limit]

    def _follow(self, product: str, person: str) -> None:
        persons = self.followers[product]
        at = bisect_left(persons, person_bytes(person), key=person_bytes)
        if persons[at : at + 1] != [person]:
            persons.insert(at, person)

    def _unfollow(self, product: str, person: str) -> None:
        persons = self.followers.get(product, [])
        if person in persons:
            persons.remove(person)


class _Waits:
    """One due per person, also in the order (due, person)."""

    def __init__(self) -> None:
        self.due: dict[str, int] = {}
        self._order: list[tuple[int, str]] = []

    def put(self, person: str, due: int) -> None:
        self.drop(person)
        self.due[person] = due
        insort(self._order, (due, person))

    def drop(self, person: str) -> None:
        due = self.due.pop(person, None)
        if due is not None:
            del self._order[bisect_left(self._order, (due, person))]

    def page(self, after: int, until: int, limit: int) -> list[tuple[int, str]]:
        order = self._order
        first = bisect_right(order, after, key=_due)
        if first + limit <= len(order):
            until = min(until, order[first + limit - 1][0])
        return order[first : bisect_right(order, until, lo=first, key=_due)]


def _due(wait: tuple[int, str]) -> int:
    return wait[0]
