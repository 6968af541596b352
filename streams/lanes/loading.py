"""Loading: journeys and waits from the store into the lane, checked to belong to the state that we know."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from retarget import catalogue
from retarget.journeys import wire
from retarget.lane.intake import Arrival
from retarget.lane.lane import Lane
from retarget.lane.spreading import PORTION, Page
from streams.lanes.limits import Limits, Reclaim
from streams.lanes.patience import Insisting
from streams.ports import JourneyStore


class Loading:
    """Reads one lane's image."""

    def __init__(self, number: int, store: JourneyStore, insisting: Insisting, limits: Limits) -> None:
        self._number, self._store, self._insisting, self._limits = number, store, insisting, limits

    async def waits(self, lane: Lane, sequence: int, target: int, *, whole: bool) -> None:
        """Load the waits up to `target` and a little further.

        Live, a page at a time is enough: the batch stops where the page ends. A replay must come as far as
        the first run did, so it takes the `whole`.
        """
        waits, limit = lane.waits, self._limits.waits
        while waits.horizon < target and (whole or len(waits) < limit):
            until = target + self._limits.ahead
            found = await self._insisting.ask(
                lambda until=until: self._store.waits(self._number, waits.horizon, until, limit)  # type: ignore[misc]
            )
            self._require(found[0], sequence)
            page = found[1]
            waits.load(page, page[-1][0] if len(page) >= limit else until)

    async def journeys(self, lane: Lane, sequence: int, persons: Iterable[str]) -> None:
        """Load the journeys of these persons; who has none yet gets one at work."""
        wanted = sorted(persons)
        if not wanted:
            return
        read, found = await self._insisting.ask(lambda: self._store.load(self._number, wanted))
        self._require(read, sequence)
        for data in found:
            if data is not None:
                lane.admit(wire.decode(data))

    async def catalogue(
        self, lane: Lane, sequence: int, arrivals: Sequence[Arrival], target: int, *, whole: bool
    ) -> set[str]:
        """Load what the catalogue's records up to `target` need, and who hears of them: the persons.

        Live, of as many records as reach no more people than a batch may; a replay takes the `whole`.
        """
        if not lane.has_news(arrivals):
            return set()
        records = list(dict.fromkeys(lane.records(arrivals, target)))
        await self._listings(lane, sequence, {*records, *lane.regarded(arrivals, target)})
        lane.pages.clear()
        asked = [(spread.news.product, spread.after) for spread in lane.spreads]
        if lane.follows:
            asked += [(product, "") for product in records]
        persons: set[str] = set()
        most = len(asked) if whole else max(self._limits.persons // PORTION, 1)
        for first in range(0, len(asked), max(most, 1)):
            persons |= await self._pages(lane, sequence, asked[first : first + most])
            if len(persons) >= self._limits.persons and not whole:
                break
        return persons - lane.journeys.keys()

    async def _listings(self, lane: Lane, sequence: int, products: set[str]) -> None:
        wanted = sorted(products - lane.listings.keys())
        if wanted:
            read, found = await self._insisting.ask(lambda: self._store.listings(self._number, wanted))
            self._require(read, sequence)
            for product, data in zip(wanted, found, strict=True):
                lane.listings[product] = None if data is None else catalogue.decode(data)

    async def _pages(self, lane: Lane, sequence: int, asked: Sequence[tuple[str, str]]) -> set[str]:
        read, found = await self._insisting.ask(lambda: self._store.followers(self._number, asked, PORTION))
        self._require(read, sequence)
        for place, people in zip(asked, found, strict=True):
            lane.pages[place] = Page(people, whole=len(people) < PORTION)
        return {person for people in found for person in people}

    def forget(self, lane: Lane) -> None:
        """Keep the caches bounded; whoever was loaded first goes first."""
        for cache in (lane.journeys, lane.listings):
            for name in list(cache)[: max(len(cache) - self._limits.cached, 0)]:
                del cache[name]

    def _require(self, read: int, sequence: int) -> None:
        if read != sequence:
            # Another owner wrote, or the store lost what it had confirmed.
            raise Reclaim(
                "store_changed", f"lane {self._number}: the store is at sequence {read}, not at {sequence}"
            )
