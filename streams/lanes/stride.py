"""How much a lane works off in one go, so that the lanes beside it get their turn."""

from __future__ import annotations

from typing import Final

from streams.lanes.limits import Limits

_LEAST: Final = 100
_FIRST: Final = 1_000


class Stride:
    """Records and waits of the next batch: as many as were worked off lately in `Limits.step`.

    A lane's step keeps the whole process busy, and how long an event takes depends on people and rules. Where
    a batch ends changes nothing but that: the journal says where it did.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._least = min(_LEAST, limits.records)
        #: How many records the next batch takes at most.
        self.records = min(_FIRST, limits.records) if limits.step else limits.records

    @property
    def worked(self) -> int:
        """How many events and waits the next batch works off at most."""
        return max(self._limits.worked * self.records // self._limits.records, 1)

    def took(self, units: int, seconds: float) -> None:
        """A step over so many records or waits took so long."""
        step = self._limits.step / 1000
        if seconds > step > 0:
            self.records = max(int(min(units, self.records) * step / seconds), self._least)
        elif seconds < step / 2:
            self.records = min(self.records * 2, self._limits.records)
