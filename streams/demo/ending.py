"""The ways in which a demo ends: its time is up, it is asked to, or Enter when it was kept."""

from __future__ import annotations

import asyncio
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager


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
        termios.tcflush(file, termios.TCIFLUSH)  # or the shell would get the line


@contextmanager
def keys_unseen() -> Iterator[None]:
    """Keys, Ctrl-C too, leave no trace on the terminal: an echo would shift what is pinned to its end."""
    if not sys.stdin.isatty():
        yield
        return
    file = sys.stdin.fileno()
    before = termios.tcgetattr(file)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(file, termios.TCSADRAIN, silent)
    try:
        yield
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


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
