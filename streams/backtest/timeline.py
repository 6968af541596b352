"""The timeline of a lane: where its clock stood when, by the records that it was told."""

from __future__ import annotations

import mmap
from array import array
from bisect import bisect_left, bisect_right
from pathlib import Path
from typing import Final, NamedTuple

from streams.backtest.reading import NO_TIME

_PAIR: Final = 2
_KEPT: Final = 1 << 16


class Times(NamedTuple):
    """A timeline on disk, for any process. Lateness is not taken off its clock.

    After `idle_after` ms without a record the wall clock moved the lane on, until `until` at most.
    """

    path: str
    idle_after: int
    until: int


class Timeline:
    """Takes the moments of a lane at which a record came, in their order."""

    def __init__(self, path: Path) -> None:
        self._path, self._kept = path, array("q")

    def add(self, arrival: int, clock: int) -> None:
        """The clock after a record, by the latest timestamp that there was; epoch ms."""
        kept = self._kept
        if kept and kept[-_PAIR] == arrival:
            kept[-1] = clock
            return
        if len(kept) >= _KEPT:
            self.flush()
        self._kept.extend((arrival, clock))

    def flush(self) -> None:
        """Write what is kept."""
        with self._path.open("ab") as file:
            self._kept.tofile(file)
        del self._kept[:]

    def close(self, *, idle_after: int, until: int) -> Times:
        """All of it."""
        self.flush()
        return Times(str(self._path), idle_after, until)


class Clock:
    """Tells by a timeline where the clock of a lane stood, and when it got somewhere."""

    def __init__(self, times: Times) -> None:
        self._idle_after, self._until = times.idle_after, times.until
        self._size = Path(times.path).stat().st_size // (_PAIR * 8)
        self._pairs: memoryview = memoryview(b"").cast("q")
        if self._size:
            with Path(times.path).open("rb") as file:
                self._pairs = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)).cast("q")

    def at(self, arrival: int) -> int:
        """Where it stood then; -1 before there was anything."""
        number = bisect_right(range(self._size), arrival, key=self._arrival)
        if not number:
            return NO_TIME
        clock, idle_until = self._pairs[_PAIR * number - 1], min(arrival, self._until)
        return max(clock, idle_until) if arrival - self._arrival(number - 1) >= self._idle_after else clock

    def when(self, clock: int) -> int | None:
        """When it got there; None: not as far as is known."""
        number = bisect_left(range(self._size), clock, key=lambda one: self._pairs[_PAIR * one + 1])
        known = self._arrival(number) if number < self._size else None
        if not number or self._idle_after >= self._until:
            return known
        idle = max(self._arrival(number - 1) + self._idle_after, clock)
        if known is not None:
            return min(idle, known)
        return idle if idle <= self._until else None

    def _arrival(self, number: int) -> int:
        return self._pairs[_PAIR * number]
