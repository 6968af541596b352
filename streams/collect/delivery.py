"""Into Kafka: whatever waits goes as one group, and each request hears when its events are there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from retarget.decode import encode_touchpoint
from retarget.touchpoints import Touchpoint
from streams.kafka.sending import Outgoing, send
from streams.producing import heartbeats, keyed

log: Final = logging.getLogger("retarget.collect")
_GROUP: Final = 5_000


class NotTaken(Exception):
    """Kafka did not acknowledge all of it."""


class _Request(NamedTuple):
    events: Sequence[Touchpoint | bytes]
    done: asyncio.Future[None]


class Delivery:
    """One topic's queue. `run` it as a task; `deliver` returns when every replica has the events."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer, self._topic = producer, topic
        self._waiting: list[_Request] = []
        self._some = asyncio.Event()
        self.trouble = ""  # what Kafka said last, if it took nothing

    @property
    def waiting(self) -> int:
        """How many events are not yet on their way."""
        return sum(len(request.events) for request in self._waiting)

    async def deliver(self, events: Sequence[Touchpoint | bytes]) -> None:
        """Return when they are in Kafka; bytes are events that cannot be used. Raises NotTaken.

        Who is cancelled may find some of them there.
        """
        request = _Request(events, asyncio.get_running_loop().create_future())
        self._waiting.append(request)
        self._some.set()
        await request.done

    async def run(self) -> None:
        """Send group after group until cancelled."""
        while True:
            await self._some.wait()
            requests = self._next()
            try:
                await self._send(requests)
            except (KafkaError, TimeoutError) as error:
                self._failed(requests, error)
            except BaseException as error:
                self._failed(requests, error)
                raise

    def _next(self) -> list[_Request]:
        group: list[_Request] = []
        size = 0
        while self._waiting and size < _GROUP:
            request = self._waiting.pop(0)
            if not request.done.done():  # else its producer has been told to come again
                group.append(request)
                size += len(request.events)
        if not self._waiting:
            self._some.clear()
        return group

    async def _send(self, requests: Sequence[_Request]) -> None:
        partitions = len(await self._producer.partitions_for(self._topic))
        records = [
            record
            for request in requests
            for event in request.events
            for record in _records(event, self._topic, partitions)
        ]
        await send(self._producer, records)
        self.trouble = ""
        for request in requests:
            if not request.done.done():
                request.done.set_result(None)

    def _failed(self, requests: Sequence[_Request], error: BaseException) -> None:
        if not self.trouble:
            log.warning("Kafka does not take events: %r", error)
        self.trouble = repr(error)
        for request in requests:
            if not request.done.done():
                request.done.set_exception(NotTaken(repr(error)))


def _records(event: Touchpoint | bytes, topic: str, partitions: int) -> Sequence[Outgoing]:
    if isinstance(event, bytes):
        return [keyed(b"", event, topic, partitions)]
    if event.type == "heartbeat" and not event.person:
        return list(heartbeats(event, topic, partitions))
    product = next((item.product_id for item in event.items if item.product_id), "")
    return [keyed((event.person or product).encode(), encode_touchpoint(event), topic, partitions)]
