"""How a process is asked to stop, and does so."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def asked_to_stop(*also: signal.Signals) -> Iterator[asyncio.Event]:
    """An event that SIGTERM, SIGINT and further signals set, instead of ending the process."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT, *also)
    for each in signals:
        loop.add_signal_handler(each, asked.set)
    try:
        yield asked
    finally:
        for each in signals:
            loop.remove_signal_handler(each)


async def unless(asked: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    """Do `work` unless, or until, asked to stop."""
    working, waiting = asyncio.ensure_future(work), asyncio.ensure_future(asked.wait())
    try:
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            working.result()
    finally:
        working.cancel()
        waiting.cancel()
        await asyncio.gather(working, waiting, return_exceptions=True)
