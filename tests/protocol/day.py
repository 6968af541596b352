"""The day of a world: when which part of the input has arrived, and the wall clock meanwhile."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import lru_cache
from itertools import cycle
from typing import Final

from streams.ports import Record
from tests.protocol import workload
from tests.protocol.passing import Passing
from tests.protocol.workload import Shape

_PACE_MS: Final = 10  # of a world, from one arrival to the next: some operations
_SLOW_EVERY: Final = 4  # fetches


class Day:
    """Where the wall clock moves lanes, the input comes bit by bit; elsewhere all of it lies there at once.

    The wall clock stands at the last arrival, or just before the next one. So it never says more than the
    records do, and a lane that it moves comes to the same; to one that is behind it would tell the future.
    """

    def __init__(self, passing: Passing, shape: Shape) -> None:
        self._passing, self.end = passing, workload.end_of(shape)
        self._times: Sequence[int] = _arrivals(shape) if shape.ticks else ()
        self._slow = cycle((True,) + (False,) * (_SLOW_EVERY - 1))

    @property
    def is_over(self) -> bool:
        """Whether everything has arrived, and it is late enough for whatever is waited for."""
        return self._passing.now() >= len(self._times) * _PACE_MS

    def now(self) -> int:
        """The wall clock, epoch ms."""
        passed, rest = divmod(self._passing.now(), _PACE_MS)
        if self.is_over:
            return self.end
        nearly_next = rest >= _PACE_MS // 2 and passed + 1 < len(self._times)
        return self._times[passed + 1] - 1 if nearly_next else self._times[passed]

    def arrived(self, records: list[Record]) -> list[Record]:
        """Those of the records, which are in order, that are there by now."""
        return records[: bisect_right(records, self.now(), key=lambda record: record.timestamp)]

    def is_slow(self) -> bool:
        """Whether this fetch brings nothing, whatever there is."""
        return bool(self._times) and next(self._slow)


@lru_cache(maxsize=64)
def _arrivals(shape: Shape) -> tuple[int, ...]:
    every = (record.timestamp for lane in range(shape.lanes) for record in workload.records(shape, lane))
    return tuple(sorted(set(every)))
