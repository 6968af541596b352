"""Running figures: what is known of a long tally beside its events, so that a look need not go through them.

They follow from the events alone, are made at the second look after a journey was loaded and moved on with
each event; a journey is stored without them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from itertools import accumulate
from math import hypot
from typing import Any, Final

from retarget.rules.expressions.nearness import snapped
from retarget.times import DAY

# Rounding makes two ways of adding up so many numbers differ by less than this share of all of them.
_ROUNDING: Final = 2.0**-32
# Up to here whole numbers are added up without rounding.
_EXACT: Final = 2.0**53
_fraction: Final = (1.0).__rmod__


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
    """Events with numbers that are added up: the sum of all before each is known, and what none exceeds."""

    __slots__ = ("_whole", "largest", "sums")

    def begin(self) -> None:
        """Make the figures."""
        super().begin()
        numbers = self[::3]
        self.sums: list[float] = list(accumulate(numbers, initial=0.0))
        self.largest = 2 * hypot(*numbers)
        self._whole: bool | None = None

    def take(self, event: list[Any]) -> None:
        """Move them on over the event that has come last."""
        number = event[0]
        self.times.append(event[2])
        self.sums.append(self.sums[-1] + number)
        if not -self.largest <= number <= self.largest:
            self.largest = abs(number)
        if self._whole and number % 1:
            self._whole = False

    def total(self, start: int, end: int) -> float:
        """The sum from that place of `times` to before another, as if added up one by one."""
        if self._whole is None:
            self._whole = not any(map(_fraction, self[::3]))
        if self._whole and self.largest * len(self.sums) < _EXACT:
            return self.sums[end] - self.sums[start]
        return sum(self[(start - self.passed) * 3 : (end - self.passed) * 3 : 3], 0.0)


def total_beside(limit: float) -> Callable[[Sums, int, int], float]:
    """What gives a number that compares with the limit as the total does.

    The difference of two sums from the beginning, unless it is so near that rounding may matter.
    """

    def beside(tally: Sums, start: int, end: int) -> float:
        sums = tally.sums
        about = sums[end] - sums[start]
        if abs(about - limit) > _ROUNDING * tally.largest * len(sums):
            return about
        return snapped(tally.total(start, end), limit)

    return beside
