"""TLS before a server that has none: what comes in encrypted goes on in clear on this machine."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from streams.embedded.processes import LOOPBACK
from tests.support.certificates import Certificates


@contextmanager
def tls_door(port: int, made: Certificates) -> Iterator[int]:
    """The port of a door in a thread of its own that leads to `port`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(made.certificate, made.key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    opened = asyncio.run_coroutine_threadsafe(_opened(port, context), loop).result(10)
    try:
        yield opened.sockets[0].getsockname()[1]
    finally:
        asyncio.run_coroutine_threadsafe(_shut(opened), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _opened(port: int, context: ssl.SSLContext) -> asyncio.Server:
    return await asyncio.start_server(lambda r, w: _through(r, w, port), LOOPBACK, 0, ssl=context)


async def _shut(opened: asyncio.Server) -> None:
    opened.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _through(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    there, back = await asyncio.open_connection(LOOPBACK, port)
    with contextlib.suppress(OSError):
        await asyncio.gather(_pour(reader, back), _pour(there, writer))


async def _pour(source: asyncio.StreamReader, into: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(65_536):
            into.write(data)
            await into.drain()
    finally:
        into.close()
