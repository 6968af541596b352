"""Freshness: how old the newest snapshot is. Whoever learns it when the store is lost learns it too late."""

from __future__ import annotations

import asyncio
import math
from typing import Final

from streams.clocks import now_ms
from streams.images import Folder
from streams.metrics import Metrics

_EVERY_S: Final = 60.0


class Freshness:
    """Looks into the folder of the snapshots once a minute; without one there is nothing to look at."""

    def __init__(self, snapshots: Folder | None, metrics: Metrics) -> None:
        self._snapshots, self._age = snapshots, metrics.service.snapshot_age

    async def watch(self) -> None:
        """Show it until cancelled."""
        while self._snapshots is not None:
            await self._look(self._snapshots)
            await asyncio.sleep(_EVERY_S)

    async def _look(self, snapshots: Folder) -> None:
        begun = await asyncio.to_thread(snapshots.begun)
        self._age.set(math.inf if begun is None else (now_ms() - begun) / 1000)
