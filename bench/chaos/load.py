"""The load: a made-up history that flows into the input topic all the time, whatever else happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import chain
from typing import Final

from aiokafka import AIOKafkaProducer

from streams import topics
from streams.files import FileEvent
from streams.kafka.sending import send
from streams.producing import outgoing

_BEATS: Final = 10
# A producer that waits for a broker to come back must not give a record up: another would overtake it.
_PATIENCE_MS: Final = 600_000
_END_S: Final = 10.0


class Load:
    """Sends events at a rate, each once and in order, until stopped; `sent` are in the topic."""

    def __init__(self, bootstrap: str, partitions: int, events: Sequence[FileEvent], rate: float) -> None:
        """`rate` in events a second."""
        self._bootstrap, self._partitions, self._events, self._rate = bootstrap, partitions, events, rate
        self._number = 0
        self._stopping = False

    @property
    def sent(self) -> Sequence[FileEvent]:
        """What the broker has acknowledged."""
        return self._events[: self._number]

    @asynccontextmanager
    async def flowing(self) -> AsyncIterator[None]:
        """Send inside the block; on return all that was begun is acknowledged. Raises what sending raised."""
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            request_timeout_ms=_PATIENCE_MS,
        )
        await producer.start()
        task = asyncio.create_task(self._flow(producer))
        try:
            yield
            self._stopping = True
            await task
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            with suppress(TimeoutError):  # without a broker it would wait as long as its patience
                await asyncio.wait_for(producer.stop(), _END_S)

    async def _flow(self, producer: AIOKafkaProducer) -> None:
        size = max(1, round(self._rate / _BEATS))
        while not self._stopping and self._number < len(self._events):
            chunk = self._events[self._number : self._number + size]
            pieces = (outgoing(one.to_send, topics.TOUCHPOINTS, self._partitions) for one in chunk)
            await send(producer, chain.from_iterable(pieces))
            self._number += len(chunk)
            await asyncio.sleep(1 / _BEATS)
