"""The ways in which a demo ends: its time is up, Ctrl-C, a closed terminal, or Enter when it was kept."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def asked_to_end() -> Iterator[asyncio.Event]:
    """An event that Ctrl-C, SIGTERM and a closed terminal set, instead of ending the process."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    for each in _SIGNALS:
        loop.add_signal_handler(each, asked.set)
    try:
        yield asked
    finally:
        for each in _SIGNALS:
            loop.remove_signal_handler(each)


async def enter_or(asked: asyncio.Event) -> None:
    """Return on Enter; without a terminal to press it on, when `asked`."""
    if not sys.stdin.isatty():
        await asked.wait()
        return
    loop, file = asyncio.get_running_loop(), sys.stdin.fileno()
    loop.add_reader(file, asked.set)
    try:
        await asked.wait()
    finally:
        loop.remove_reader(file)
        with contextlib.suppress(OSError):
            sys.stdin.readline() if not asked.is_set() else None


async def first_of(seconds: float, asked: asyncio.Event, *works: asyncio.Task[None]) -> None:
    """Return after so many seconds or when `asked`; raises what one of the works fails with before."""
    waiting = asyncio.create_task(asked.wait())
    try:
        done, _ = await asyncio.wait({waiting, *works}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    for work in works:
        if work in done:
            work.result()


async def cancelled(*works: asyncio.Task[None]) -> None:
    """End these and wait until they have."""
    for work in works:
        work.cancel()
    await asyncio.gather(*works, return_exceptions=True)
