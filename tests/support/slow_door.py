"""A door before a server behind which every answer takes its time."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from streams.embedded.processes import LOOPBACK


class SlowStore(NamedTuple):
    """Stands for a store whose every answer comes late."""

    url: str


@contextmanager
def slow_store(port: int, seconds: float) -> Iterator[SlowStore]:
    """The store at `port`, each portion of its answers `seconds` late."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = asyncio.run_coroutine_threadsafe(_opened(port, seconds), loop).result(10)
    try:
        yield SlowStore(f"redis://{LOOPBACK}:{opened.sockets[0].getsockname()[1]}/0")
    finally:
        asyncio.run_coroutine_threadsafe(_shut(opened), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _opened(port: int, seconds: float) -> asyncio.Server:
    async def through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(LOOPBACK, port)
        with contextlib.suppress(OSError):
            await asyncio.gather(_pour(reader, back, 0), _pour(there, writer, seconds))

    return await asyncio.start_server(through, LOOPBACK, 0)


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter, seconds: float) -> None:
    try:
        while data := await source.read(1 << 20):
            await asyncio.sleep(seconds)
            into.write(data)
            await into.drain()
    finally:
        into.close()


async def _shut(opened: asyncio.Server) -> None:
    opened.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
