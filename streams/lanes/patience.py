"""Patience: how long to wait before the next try, a little longer each time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from streams.lanes.limits import Reclaim
from streams.lanes.observer import Observer
from streams.lanes.wall import Wall
from streams.ports import UnknownOutcome

T = TypeVar("T")
_FIRST: Final = 0.05
_LONGEST: Final = 5.0


class Patience:
    """Pauses that double, from 50 ms to 5 s."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall
        self._next = _FIRST

    def forget(self) -> None:
        """It worked: the next pause is short again."""
        self._next = _FIRST

    async def pause(self) -> None:
        """Wait."""
        await self._wall.sleep(self._next)
        self._next = min(self._next * 2, _LONGEST)


class Insisting:
    """Asks the store until it answers: every call to it may be made again unchanged."""

    def __init__(self, wall: Wall, observer: Observer, stopping: Callable[[], bool]) -> None:
        self._wall, self._observer, self._stopping = wall, observer, stopping

    def gets_on(self, done: str) -> None:
        """A part of the lane's claim is done, of which there may be many.

        Raises Reclaim when the lane is to be left.
        """
        self._observer.gets_on(done)
        if self._stopping():
            raise Reclaim("store_changed", "stopped within a claim")

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """The answer. Raises Reclaim when the lane is stopped meanwhile."""
        patience = Patience(self._wall)
        while True:
            try:
                answer = await call()
            except UnknownOutcome as problem:
                self._observer.waiting("store", str(problem))
            else:
                self._observer.answered("store")
                return answer
            if self._stopping():
                raise Reclaim("store_changed", "stopped while the store did not answer")
            await patience.pause()
