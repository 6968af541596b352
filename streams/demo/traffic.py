"""The shop's people on their way to the broker: the morning so far at once, then at the pace of the demo."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from itertools import chain

from aiokafka import AIOKafkaProducer

from retarget.times import SECOND
from retarget.touchpoints import Touchpoint
from streams.demo.plan import MORNING, OPENING, WARM_UP, Plan
from streams.demo.witness import Witness
from streams.kafka.sending import Outgoing, send
from streams.producing import heartbeats, keyed
from streams.shop import Arrival, Batch, disturb, open_shop, paced, simulate

_CHUNK = 1_000


class Traffic:
    """One simulated day; every record is told to the witness before it leaves."""

    def __init__(self, plan: Plan, topic: str, lanes: int, witness: Witness) -> None:
        self.at = MORNING
        self._plan, self._topic, self._lanes, self._witness = plan, topic, lanes, witness

    async def run(self, producer: AIOKafkaProducer) -> None:
        """Send without end. Raises what the producer raises."""
        day = self._arrivals()
        rest = await self._morning(producer, day)
        async for batch in paced(
            rest,
            start_ms=MORNING + WARM_UP,
            speed=self._plan.speed,
            clock=time.monotonic,
            sleep=asyncio.sleep,
        ):
            await self._send(producer, batch)

    async def go_on(self, producer: AIOKafkaProducer) -> None:
        """Let time go by, without people and without end. Raises what the producer raises."""
        while True:
            at = self.at + SECOND
            await self._send(
                producer, Batch(at=at, arrivals=(), heartbeat=Touchpoint(type="heartbeat", time=at))
            )
            await asyncio.sleep(1)

    async def _morning(self, producer: AIOKafkaProducer, day: Iterator[Arrival]) -> Iterator[Arrival]:
        """Send the morning as fast as it is made; what comes after it."""
        begins, rest = MORNING + WARM_UP, day
        part: list[Arrival] = []
        for arrival in day:
            if arrival.at >= begins:
                rest = chain([arrival], day)
                break
            part.append(arrival)
            if len(part) == _CHUNK:
                await self._send(producer, Batch(at=arrival.at, arrivals=tuple(part)))
                part.clear()
        beat = Touchpoint(type="heartbeat", time=begins)
        await self._send(producer, Batch(at=begins, arrivals=tuple(part), heartbeat=beat))
        return rest

    def _arrivals(self) -> Iterator[Arrival]:
        plan = self._plan
        day = simulate(open_shop(), seed=plan.seed, people=plan.people, start_ms=MORNING, opening_ms=OPENING)
        return disturb(day, seed=plan.seed)

    async def _send(self, producer: AIOKafkaProducer, batch: Batch) -> None:
        records = list(self._records(batch))
        now = time.time()
        for record in records:
            self._witness.note(record.partition, record.value or b"", now)
        self._witness.records += len(batch.arrivals)
        await send(producer, records)
        self.at = max(self.at, batch.at)

    def _records(self, batch: Batch) -> Iterable[Outgoing]:
        arrived = (keyed(one.key, one.value, self._topic, self._lanes) for one in batch.arrivals)
        if batch.heartbeat is None:
            return arrived
        return chain(arrived, heartbeats(batch.heartbeat, self._topic, self._lanes))
