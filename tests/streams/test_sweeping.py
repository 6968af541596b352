"""Sweeping: what a lane leaves behind in cycles goes when lanes change hands."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable, Iterator

import pytest

from streams.collector import Sweeping
from tests.e2e.harness import until


class Left:
    """Something in a cycle, as a frame is that holds the error which holds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _seldom() -> Iterator[None]:
    """As in a worker that has much memory of what lives long."""
    thresholds = gc.get_threshold()
    gc.set_threshold(1_000_000, 1_000, 1_000)
    yield
    gc.set_threshold(*thresholds)


def _gone(left: weakref.ref[Left]) -> Callable[[], Awaitable[bool]]:
    async def gone() -> bool:
        return left() is None

    return gone


async def test_what_is_left_goes_once_it_is_asked_for_and_each_time() -> None:
    """Not before; and what comes while it is at work is not overlooked."""
    sweeping = Sweeping(after=0.01)
    task = asyncio.create_task(sweeping.run())
    try:
        for _ in range(3):
            left = weakref.ref(Left())
            await asyncio.sleep(0)
            assert left() is not None
            sweeping.ask()
            await until(_gone(left), "it is swept up")
    finally:
        task.cancel()


async def test_what_lies_about_goes_though_nobody_asks() -> None:
    """Where little happens Python itself would come by hours later."""
    task = asyncio.create_task(Sweeping(every=0.01).run())
    try:
        left = weakref.ref(Left())
        assert left() is not None
        await until(_gone(left), "it is found")
    finally:
        task.cancel()
