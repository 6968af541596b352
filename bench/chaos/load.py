"""The load: a made-up history that flows into the input topic all the time, whatever else happens."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import chain, count
from typing import Any, Final

from aiokafka import AIOKafkaProducer

from retarget.touchpoints import Touchpoint
from streams import topics
from streams.clocks import now_ms
from streams.files import FileEvent
from streams.kafka.sending import Outgoing, send
from streams.producing import outgoing
from tests.e2e.harness import file_events

_BEATS: Final = 10
# A producer that waits for a broker to come back must not give a record up: another would overtake it.
_PATIENCE_MS: Final = 600_000
_END_S: Final = 10.0
_BURST_S: Final = 8.0
_PULSE_S: Final = 1.0
_BEHIND_MS: Final = 60_000


class Load:
    """Sends events at a rate, each once and in order, until stopped; `sent` are in the topic."""

    #: What the input holds besides, and nobody reads anything from.
    besides: bytes | None = None
    #: What a replay has to read behind the events, to come as far as the engine.
    closing: Sequence[FileEvent] = ()

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


class Bursts(Load):
    """Events of now: one lane after the other has a burst, then none has; nothing else moves their clocks.

    So the wall clock ends what is waited for. Into every partition comes a record that is nothing, once a
    second, by which one sees whether its lane gets on.
    """

    besides = b"nothing"

    def __init__(
        self, bootstrap: str, partitions: int, history: Sequence[Mapping[str, Any]], rate: float
    ) -> None:
        """The events' own times do not count."""
        super().__init__(bootstrap, partitions, (), rate)
        self._queues: list[deque[Mapping[str, Any]]] = [deque() for _ in range(partitions)]
        for event in history:
            person = event.get("user_id") or event.get("anonymous_id")
            if person and event["type"] != "heartbeat":
                self._queues[topics.lane_of(str(person), partitions)].append(event)
        self._sent: list[FileEvent] = []

    @property
    def sent(self) -> Sequence[FileEvent]:
        """See Load."""
        return self._sent

    @property
    def closing(self) -> Sequence[FileEvent]:  # type: ignore[override]
        """A heartbeat behind the last wait."""
        last = max([each.found.time for each in self._sent if isinstance(each.found, Touchpoint)])
        return [FileEvent("made-up", 0, Touchpoint(type="heartbeat", time=last + _BEHIND_MS), b"")]

    async def _flow(self, producer: AIOKafkaProducer) -> None:
        size = max(1, round(self._rate / _BEATS))
        for beat in count():
            if self._stopping:
                return
            lane = int(beat / _BEATS / _BURST_S) % (2 * self._partitions)
            queue = self._queues[lane] if lane < self._partitions else deque()
            now = now_ms()
            chunk = [{**queue.popleft(), "time": now} for _ in range(min(size, len(queue)))]
            events = file_events(chunk)
            pieces = [outgoing(one.to_send, topics.TOUCHPOINTS, self._partitions) for one in events]
            if beat % round(_BEATS * _PULSE_S) == 0:
                pulses = (Outgoing(topics.TOUCHPOINTS, n, b"", self.besides) for n in range(self._partitions))
                pieces.append(pulses)
            await send(producer, chain.from_iterable(pieces))
            self._sent += events
            await asyncio.sleep(1 / _BEATS)
