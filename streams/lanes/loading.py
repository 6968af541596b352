"""Loading: journeys and waits from the store into the lane, checked to belong to the state that we know."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from retarget.journeys import wire
from retarget.lane.lane import Lane
from streams.lanes.limits import Limits, Reclaim
from streams.lanes.patience import Insisting
from streams.ports import JourneyStore

# Waits are loaded so far ahead of the clock, ms.
AHEAD: Final = 60_000


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
            until = target + AHEAD
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

    def forget(self, lane: Lane) -> None:
        """Keep the cache bounded; whoever was loaded first goes first."""
        journeys = lane.journeys
        for person in list(journeys)[: max(len(journeys) - self._limits.cached, 0)]:
            del journeys[person]

    def _require(self, read: int, sequence: int) -> None:
        if read != sequence:
            # Another owner wrote, or the store lost what it had confirmed.
            raise Reclaim(
                "store_changed", f"lane {self._number}: the store is at sequence {read}, not at {sequence}"
            )
