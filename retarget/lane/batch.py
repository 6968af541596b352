"""The batch: what one call of `Lane.work` did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from retarget.catalogue import Listing
from retarget.engine.moment import Result
from retarget.journeys.model import Journey

NEVER: Final = -1


class Batch:
    """What one batch did: results to emit, journeys and waits changed (None: no wait any more)."""

    __slots__ = (
        "changed",
        "clock",
        "consumed",
        "counts",
        "following",
        "forgotten",
        "frontier",
        "keyless",
        "lateness",
        "listed",
        "results",
        "waits",
        "worked",
    )

    def __init__(self) -> None:
        self.results: list[Result] = []
        self.changed: dict[str, Journey] = {}
        self.waits: dict[str, int | None] = {}
        self.forgotten: list[str] = []
        self.keyless: list[str] = []  # who stays, and has no key any more
        self.counts: Mapping[tuple[str, ...], int] = {}
        self.consumed = 0
        self.worked = 0
        self.clock = NEVER
        self.frontier: dict[str, int] = {}
        self.lateness: list[int] = []
        self.listed: dict[str, Listing] = {}
        self.following: Mapping[str, Mapping[str, bool]] = {}
