"""How much a lane takes at once, and what makes it start over."""

from __future__ import annotations

from typing import NamedTuple

from streams.lanes.observer import Cause


class Limits(NamedTuple):
    """How much a lane takes at once; durations in ms."""

    records: int = 10_000
    persons: int = 1_000
    waits: int = 1_000
    wait: int = 30
    idle: int = 1_000
    cached: int = 50_000


class Reclaim(Exception):
    """What the lane holds in memory is void; it must be claimed anew."""

    def __init__(self, cause: Cause, detail: str) -> None:
        super().__init__(detail)
        self.cause, self.detail = cause, detail
