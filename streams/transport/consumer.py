"""Faust's consumer, reduced to its part in the group: it hands over chunks and keeps no offsets."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from faust.transport.drivers.aiokafka import Consumer
from faust.types import TP, ConsumerMessage
from mode import ServiceT

from streams.transport.chunks import Chunk
from streams.transport.drain import FetchFailed
from streams.transport.thread import ChunkThread

if TYPE_CHECKING:
    from streams.transport.transport import ChunkTransport

_POLL_S = 1.0


class ChunkConsumer(Consumer):
    """Each chunk becomes one Faust message, whose value the chunk is and whose offset is the chunk's first.

    Back pressure is the stream's queue: nothing more is taken from the thread while it is full.
    """

    _thread: ChunkThread

    def _new_consumer_thread(self) -> ChunkThread:
        # The thread's loop is of the main loop's kind, so that uvloop serves both.
        kind = type(asyncio.get_running_loop())
        thread = ChunkThread(self, loop=self.loop, beacon=self.beacon, thread_loop=kind())
        thread._close_thread_loop_on_stop = True  # noqa: SLF001 - mode closes only loops it made itself
        return thread

    @property
    def thread(self) -> ChunkThread:
        """Where the records come from."""
        return self._thread

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            await self._drain(fetcher)
        except asyncio.CancelledError:
            if not self.transport.app.should_stop:  # mode would log the end of a stopping one as a crash
                raise

    async def _drain(self, fetcher: ServiceT) -> None:
        while not (self.should_stop or fetcher.should_stop):
            if not self.flow_active:
                await self.wait(self.can_resume_flow)  # type: ignore[arg-type] # mode means its own Event
                continue
            try:
                chunks = await self._thread.chunks(_POLL_S)
            except self.consumer_stopped_errors:
                if self.transport.app.should_stop:
                    return
                raise
            except FetchFailed as failure:
                await cast("ChunkTransport", self.transport).fault(failure)
                continue
            for chunk in chunks:
                if self.flow_active:
                    await self.wait_first(self.callback(_message(chunk)), self.suspend_flow.wait())

    # -- Faust's own bookkeeping of positions, acknowledgements and pressure, all without use here --

    async def perform_seek(self) -> None:
        """Positions come from the lanes."""

    async def commit(self, *_: object, **__: object) -> bool:
        """Positions are kept in the journal."""
        return False

    def on_buffer_full(self, tp: TP) -> None:
        """The full queue itself holds the consumer back."""

    def on_buffer_drop(self, tp: TP) -> None:
        """See `on_buffer_full`."""

    def verify_event_path(self, now: float, tp: TP) -> None:
        """The worker has a watchdog of its own."""


def _message(chunk: Chunk) -> ConsumerMessage:
    timestamp = chunk.records[-1].timestamp / 1000 if chunk.records else 0.0
    headers: Mapping[str, bytes] = {}
    return ConsumerMessage(
        chunk.topic,
        chunk.partition,
        chunk.first,
        timestamp,
        0,
        headers,
        None,
        cast("bytes", chunk),  # read back by ChunkSchema alone
        None,
        tp=TP(chunk.topic, chunk.partition),
        generation_id=chunk.generation,
    )
