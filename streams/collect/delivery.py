"""Into Kafka: whatever waits goes as one group, and each request hears when its events are there."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from retarget.touchpoints import Touchpoint
from streams.kafka.refusals import refusal
from streams.kafka.sending import send
from streams.producing import outgoing

log: Final = logging.getLogger("retarget.collect")
_GROUP: Final = 5_000


class NotTaken(Exception):
    """Kafka did not acknowledge all of it."""


@dataclass(frozen=True, eq=False)
class _Request:
    events: Sequence[Touchpoint | bytes]
    done: asyncio.Future[None]


class Delivery:
    """One topic's queue. `run` it as a task; `deliver` returns when every replica has the events."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self._producer, self._topic = producer, topic
        self._waiting: OrderedDict[_Request, None] = OrderedDict()
        self._some = asyncio.Event()
        self.trouble = ""  # what Kafka said last, if it took nothing

    async def deliver(self, events: Sequence[Touchpoint | bytes]) -> None:
        """Return when they are in Kafka; bytes are events that cannot be used. Raises NotTaken.

        Who is cancelled may find some of them there.
        """
        request = _Request(events, asyncio.get_running_loop().create_future())
        self._waiting[request] = None
        self._some.set()
        try:
            await request.done
        finally:
            self._waiting.pop(request, None)  # who has been told to come again holds no memory here

    async def run(self) -> None:
        """Send group after group until cancelled."""
        while True:
            await self._some.wait()
            if not (requests := self._next()):
                continue  # all have been told to come again
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
            request, _ = self._waiting.popitem(last=False)
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
            for record in outgoing(event, self._topic, partitions)
        ]
        await send(self._producer, records)
        self.trouble = ""
        for request in requests:
            if not request.done.done():
                request.done.set_result(None)

    def _failed(self, requests: Sequence[_Request], error: BaseException) -> None:
        told = refusal(error, "Write")
        if not self.trouble:
            log.warning("Kafka does not take events: %s", told)
        self.trouble = told
        for request in requests:
            if not request.done.done():
                request.done.set_exception(NotTaken(told))
