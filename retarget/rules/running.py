"""Running figures: what is known of a long tally beside its events, so that a look need not go through them.

They follow from the events alone, are made at the second look after a journey was loaded and moved on with
each event; a journey is stored without them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import Any

from retarget.sums import of_parts, part, parts, total
from retarget.times import DAY


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
    """Events with numbers that are added up: in parts, the sum of all before each is known."""

    __slots__ = ("_sums",)

    def begin(self) -> None:
        """Make the figures; there are none where a number is finer than parts."""
        super().begin()
        found = parts(self[::3])
        self._sums = None if found is None else list(accumulate(found, initial=0))

    def take(self, event: list[Any]) -> None:
        """Move them on over the event that has come last."""
        self.times.append(event[2])
        if self._sums is None:
            return
        found = part(event[0])
        if found is None:
            self._sums = None
        else:
            self._sums.append(self._sums[-1] + found)

    def total(self, start: int, end: int) -> float:
        """The sum from that place of `times` to before another."""
        sums = self._sums
        if sums is None:
            return total(self[(start - self.passed) * 3 : (end - self.passed) * 3 : 3])
        return of_parts(sums[end] - sums[start])
