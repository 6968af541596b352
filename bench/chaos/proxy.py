"""A door before a server that can be slow, silent or shut: bytes go through, until they are told not to."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from streams.embedded.processes import LOOPBACK

_PIECE: Final = 1 << 16
_CALL_S: Final = 10.0
T = TypeVar("T")


class Proxy:
    """A TCP proxy with a port and a thread of its own; a context manager. Call it from any other thread."""

    def __init__(self, target: int, *, port: int = 0) -> None:
        """Lead to `target`, a port of the loopback address; listen on `port`, 0: any free one."""
        self.port = port
        self.connections = 0
        self._target = target
        self._delay_s = 0.0
        self._shut = False
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._pipes: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Self:
        """Open the door."""
        self._thread.start()
        self._call(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it for good."""
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CALL_S)
        self._loop.close()

    def cut(self) -> None:
        """Break every connection off and take no new one."""
        self._call(self._cut(shut=True))

    def hush(self) -> None:
        """Let nothing through, and tell nobody: connections stay open, or so it seems."""
        self._call(self._set_flowing(flowing=False))

    def mend(self) -> None:
        """As it was: open, quick, and what was held back goes on its way."""
        self._call(self._mend())

    def slow(self, delay_s: float) -> None:
        """Every piece that goes through waits for so long, in both directions."""
        self._delay_s = delay_s

    def lead_to(self, target: int) -> None:
        """From now on lead to another port; the former connections break off."""
        self._target = target
        self._call(self._cut(shut=False))

    # -- in its thread --

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CALL_S)

    async def _open(self) -> None:
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._server = await asyncio.start_server(self._serve, LOOPBACK, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        self._server.close()
        await self._cut(shut=True)

    async def _cut(self, *, shut: bool) -> None:
        self._shut = shut
        pipes = list(self._pipes)
        for writer in list(self._writers):
            writer.transport.abort()
        for pipe in pipes:
            pipe.cancel()
        await asyncio.gather(*pipes, return_exceptions=True)

    async def _set_flowing(self, *, flowing: bool) -> None:
        (self._flowing.set if flowing else self._flowing.clear)()

    async def _mend(self) -> None:
        self._shut, self._delay_s = False, 0.0
        self._flowing.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._shut:
            writer.transport.abort()
            return
        try:
            there, back = await asyncio.open_connection(LOOPBACK, self._target)
        except OSError:
            writer.transport.abort()
            return
        self.connections += 1
        ends = {writer, back}
        self._writers |= ends
        pipes = {
            asyncio.ensure_future(self._pipe(reader, back)),
            asyncio.ensure_future(self._pipe(there, writer)),
        }
        self._pipes |= pipes
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pipe in pipes:
                pipe.cancel()
            for end in ends:
                end.transport.abort()
            self._writers -= ends
            self._pipes -= pipes

    async def _pipe(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await source.read(_PIECE):
                if self._delay_s:
                    await asyncio.sleep(self._delay_s)
                await self._flowing.wait()
                sink.write(piece)
                await sink.drain()
