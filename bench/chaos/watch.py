"""Has the engine recovered: every lane has worked off what came in after a fault."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final

from retarget.errors import Unreachable
from streams import topics
from streams.kafka import KafkaAddress, Reader
from streams.lanes import positions
from streams.ports import UnknownOutcome
from streams.stores.redis import RedisStore

RECOVER_S: Final = 150.0
_LOOK_S: Final = 0.05


class NotRecovered(Exception):
    """A lane got nowhere for RECOVER_S; the sentence says which."""


class Watch:
    """Looks at the ends of the input and at the store, as an observer with connections of its own."""

    def __init__(self, bootstrap: str, store_url: str, app_id: str, partitions: int) -> None:
        self._reader = Reader(KafkaAddress(bootstrap=bootstrap))
        self._url, self._app_id, self._lanes = store_url, app_id, range(partitions)
        self._store: RedisStore | None = None

    async def start(self) -> None:
        """Connect to the broker; to the store when it is first needed."""
        await self._reader.start()

    async def close(self) -> None:
        """Disconnect."""
        await self._reader.close()
        if self._store is not None:
            await self._store.close()

    async def recovered(self, since: float) -> Sequence[float]:
        """Wait until every lane has stored a record that came in from now on; s after `since`, by lane.

        `since`: by time.monotonic. Raises NotRecovered.
        """
        deadline = time.monotonic() + RECOVER_S
        marks = await self._marks(deadline)
        took: dict[int, float] = {}
        while len(took) < len(self._lanes):
            for lane in self._lanes:
                if lane not in took and await self._frontier(lane) > marks[lane]:
                    took[lane] = time.monotonic() - since
            if time.monotonic() > deadline:
                late = sorted(set(self._lanes) - took.keys())
                stand = {lane: (await self._frontier(lane), marks[lane]) for lane in late}
                raise NotRecovered(f"in {RECOVER_S:g} s not recovered: lanes (stored, wanted) {stand}")
            await asyncio.sleep(_LOOK_S)
        return [round(took[lane], 2) for lane in self._lanes]

    async def _marks(self, deadline: float) -> list[int]:
        while True:
            try:
                return [await self._reader.end(topics.TOUCHPOINTS, lane) for lane in self._lanes]
            except UnknownOutcome:
                if time.monotonic() > deadline:
                    raise NotRecovered("the broker does not tell where its topics end") from None

    async def _frontier(self, lane: int) -> int:
        """What the store has of a lane's input; -1 when it does not answer."""
        try:
            if self._store is None:
                self._store = await RedisStore.connect(self._url, self._app_id, len(self._lanes))
            image = await self._store.image(lane)
        except (UnknownOutcome, Unreachable):
            return -1
        return positions.decode(image.meta).frontier.get(topics.TOUCHPOINTS, 0)
