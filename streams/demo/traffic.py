"""The shop's people on their way to the broker: the morning so far at once, then at the pace of the demo."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from itertools import chain

from aiokafka import AIOKafkaProducer

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
        arrivals = iter(self._arrivals())
        begins = MORNING + WARM_UP
        morning, rest = _parted(arrivals, begins)
        for start in range(0, len(morning), _CHUNK):
            await self._send(producer, Batch(at=MORNING, arrivals=tuple(morning[start : start + _CHUNK])))
        beat = Touchpoint(type="heartbeat", time=begins)
        await self._send(producer, Batch(at=begins, arrivals=(), heartbeat=beat))
        async for batch in paced(
            rest, start_ms=begins, speed=self._plan.speed, clock=time.monotonic, sleep=asyncio.sleep
        ):
            await self._send(producer, batch)

    def _arrivals(self) -> Iterator[Arrival]:
        plan = self._plan
        day = simulate(open_shop(), seed=plan.seed, people=plan.people, start_ms=MORNING, opening_ms=OPENING)
        return disturb(day, seed=plan.seed)

    async def _send(self, producer: AIOKafkaProducer, batch: Batch) -> None:
        records = list(self._records(batch))
        now = time.time()
        for record in records:
            self._witness.note(record.partition, record.value, now)
        self._witness.records += len(batch.arrivals)
        await send(producer, records)
        self.at = max(self.at, batch.at)

    def _records(self, batch: Batch) -> Iterable[Outgoing]:
        arrived = (keyed(one.key, one.value, self._topic, self._lanes) for one in batch.arrivals)
        if batch.heartbeat is None:
            return arrived
        return chain(arrived, heartbeats(batch.heartbeat, self._topic, self._lanes))


def _parted(arrivals: Iterator[Arrival], begins: int) -> tuple[list[Arrival], Iterator[Arrival]]:
    """What arrives before `begins`, and the rest."""
    before: list[Arrival] = []
    for arrival in arrivals:
        if arrival.at >= begins:
            return before, chain([arrival], arrivals)
        before.append(arrival)
    return before, arrivals
