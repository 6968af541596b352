"""Running figures: what is known of a long tally beside its events, so that a look need not go through them.

They follow from the events alone, are made at the second look after a journey was loaded and moved on with
each event; a journey is stored without them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import fsum
from typing import Any, Final

from retarget.times import DAY

# All numbers from four thousand-millionths on are whole multiples of this, and smaller ones with few digits:
# a sum that is counted in it has no rounding until it is told, so it does not depend on what came before.
_UNIT: Final = 2.0**-80
_UNITS: Final = 2.0**80
# So many of them, KEPT times, are still a number.
_MOST: Final = 2.0**1000


class Long(list[Any]):
    """A tally of many events, equal to the plain list and stored as one, with the `times` of the events.

    Before them stand those of events that have `passed`: were forgotten since. Whoever changes the list
    counts these, and tells of each event that comes last; after any other change it `knows` nothing any more.
    """

    __slots__ = ("knows", "passed", "times")
    WIDE = 3

    def __init__(self, tally: Iterable[Any]) -> None:
        super().__init__(tally)
        self.knows, self.passed = False, 0

    def __reduce__(self) -> tuple[type, tuple[list[Any]]]:
        """A copy makes figures of its own."""
        return list, (list(self),)

    def begin(self) -> None:
        """Make the figures."""
        self.knows, self.passed = True, 0
        self.times: list[int] = self[self.WIDE - 1 :: self.WIDE]

    def take(self, event: list[Any]) -> None:
        """Move them on over the event that has come last."""
        raise NotImplementedError


class Days(Long):
    """Events on days of UTC; each day is known once."""

    __slots__ = ("_days",)
    WIDE = 2

    def begin(self) -> None:
        """Make the figures."""
        super().begin()
        times, at = self.times, 0
        self._days = [times[0] // DAY]
        while (at := bisect_left(times, (self._days[-1] + 1) * DAY, at)) < len(times):
            self._days.append(times[at] // DAY)

    def take(self, event: list[Any]) -> None:
        """Move them on over the event that has come last."""
        self.times.append(event[1])
        if event[1] // DAY != self._days[-1]:
            self._days.append(event[1] // DAY)

    def different(self, start: int, end: int) -> int:
        """On how many different days they are from that place of `times` to before another."""
        times, days = self.times, self._days
        if start >= end:
            return 0
        last = len(days) if end == len(times) else bisect_right(days, times[end - 1] // DAY)
        return last - bisect_left(days, times[start] // DAY)


class Values(Long):
    """Events with what may be the same in several: of each value the place of its last event is known."""

    __slots__ = ("_last", "_lasts")

    def begin(self) -> None:
        """Make the figures."""
        super().begin()
        self._last: dict[Any, int] = dict(zip(self[::3], range(len(self.times)), strict=True))
        self._lasts = sorted(self._last.values())

    def take(self, event: list[Any]) -> None:
        """Move them on over the event that has come last."""
        value, last, lasts, times = event[0], self._last, self._lasts, self.times
        if value in last:
            del lasts[bisect_left(lasts, last[value])]
        last[value] = place = len(times)
        lasts.append(place)
        times.append(event[2])

    def different(self, start: int, end: int) -> int:
        """How many different values the events have from that place of `times` to before another."""
        if end < len(self.times):
            return len(set(self[(start - self.passed) * 3 : (end - self.passed) * 3 : 3]))
        return len(self._lasts) - bisect_left(self._lasts, start)


class Sums(Long):
    """Events with numbers that are added up: the exact sum of all before each is known, in `_UNIT`s."""

    __slots__ = ("_sums",)

    def begin(self) -> None:
        """Make the figures."""
        super().begin()
        parts = [number * _UNITS for number in self[::3]]
        are_whole = all(map(float.is_integer, parts)) and min(parts) > -_MOST and max(parts) < _MOST
        self._sums: list[int] | None = list(accumulate(map(int, parts), initial=0)) if are_whole else None

    def take(self, event: list[Any]) -> None:
        """Move them on over the event that has come last."""
        self.times.append(event[2])
        if self._sums is not None:
            part = event[0] * _UNITS
            if -_MOST < part < _MOST and part.is_integer():
                self._sums.append(self._sums[-1] + int(part))
            else:
                self._sums = None

    def total(self, start: int, end: int) -> float:
        """The sum from that place of `times` to before another."""
        sums = self._sums
        if sums is not None:
            return (sums[end] - sums[start]) * _UNIT
        return exact_sum(self[(start - self.passed) * 3 : (end - self.passed) * 3 : 3])


def exact_sum(numbers: Sequence[float]) -> float:
    """The number nearest to what they come to on paper, in whatever order they stand."""
    try:
        return fsum(numbers)
    except (OverflowError, ValueError):  # beyond all numbers, or of infinities on both sides
        return sum(numbers, 0.0)
