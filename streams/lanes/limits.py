"""How much a lane takes at once, and what makes it start over."""

from __future__ import annotations

from typing import Final, NamedTuple

from streams.lanes.observer import Cause
from streams.settings import Settings

# Half a second beside a lane at its limit still counts as at once.
_STEP: Final = 250


class Limits(NamedTuple):
    """How much a lane takes at once; durations in ms. Waits are loaded so far `ahead` of the work."""

    records: int = 10_000
    persons: int = 1_000
    waits: int = 1_000
    wait: int = 30
    idle: int = 1_000
    cached: int = 10_000
    step: int = 0  # a lane's step shall take no longer, as other lanes wait meanwhile; 0: however long
    ahead: int = 60_000

    @property
    def worked(self) -> int:
        """Events and waits of one batch: a full one has room for the waits that its events bring due."""
        return self.records + self.waits


def limits_of(settings: Settings) -> Limits:
    """How much lanes take at once, by the settings."""
    batch = settings.batch
    return Limits(
        records=batch.records,
        persons=batch.persons,
        waits=batch.waits,
        wait=batch.wait,
        idle=settings.clock.idle_after,
        cached=batch.cached_persons,
        step=_STEP,
    )


class Reclaim(Exception):
    """What the lane holds in memory is void; it must be claimed anew."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause, self.detail = cause, detail
