"""Simulated time at a walking or a running pace: arrivals in batches as they fall due."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from retarget.times import MINUTE, SECOND
from retarget.touchpoints import Touchpoint
from streams.shop.disturbance import Arrival

# Ten times a second looks fluent and costs nothing.
_TICK: Final = 0.1
# What a caller who fell behind gets at once; the rest comes with the next batches, without a pause.
_MOST: Final = 2_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """All that arrived since the last batch, up to the simulated time `at` (epoch ms).

    A `heartbeat` goes to every partition, after the arrivals.
    """

    at: int
    arrivals: tuple[Arrival, ...]
    heartbeat: Touchpoint | None = None


async def paced(
    arrivals: Iterable[Arrival],
    *,
    start_ms: int,
    speed: float = 60.0,
    heartbeat_every: int = MINUTE,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[object]],
) -> AsyncIterator[Batch]:
    """Batches of `arrivals` at `speed` simulated seconds per second, until they end.

    `clock` gives seconds that only grow, `sleep` waits for so many. `heartbeat_every` is in simulated ms; a
    batch has at most one heartbeat, and it is never ahead of arrivals that are still to come.
    """
    began, due = clock(), start_ms + heartbeat_every
    queue = _Queue(arrivals)
    while not queue.empty:
        now = start_ms + int((clock() - began) * speed * SECOND)
        ready = queue.take(now)
        caught_up = queue.next_at > now
        beat = caught_up and now >= due
        if beat:
            due = now - (now - start_ms) % heartbeat_every + heartbeat_every
        if ready or beat:
            at = now if caught_up else ready[-1].at
            yield Batch(at=at, arrivals=ready, heartbeat=heartbeat(now) if beat else None)
        if caught_up:
            await sleep(_TICK)


def heartbeat(at: int) -> Touchpoint:
    """The event that tells a partition with nobody in it what time it is (epoch ms)."""
    return Touchpoint(type="heartbeat", time=at)


class _Queue:
    """The arrivals, of which one has always been looked at."""

    def __init__(self, arrivals: Iterable[Arrival]) -> None:
        self._rest: Iterator[Arrival] = iter(arrivals)
        self._head = next(self._rest, None)

    @property
    def empty(self) -> bool:
        return self._head is None

    @property
    def next_at(self) -> float:
        return float("inf") if self._head is None else self._head.at

    def take(self, now: int) -> tuple[Arrival, ...]:
        taken: list[Arrival] = []
        while self._head is not None and self._head.at <= now and len(taken) < _MOST:
            taken.append(self._head)
            self._head = next(self._rest, None)
        return tuple(taken)
