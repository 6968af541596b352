"""How soon an order is answered: `python -m bench latency` sends orders among views at steady rates.

From just before the record is given to the broker until its message can be read (read_committed). First
everything as fast as it goes, which tells the highest rate; then the highest share of that at which nothing
is left behind; then shares of this one.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from bench.lines import Line, Unusable, at_most
from streams import topics
from streams.embedded import EmbeddedStore
from tests.e2e.harness import Stage, on_stage
from tests.support.kafka.real_kafka import running

RULES: Final = Path(__file__).with_name("latency_rules")
PARTITIONS: Final = 8
PEOPLE: Final = 2_000
# After so many events of each others come: whoever stays for good ends up with all that a journey can hold.
VISIT: Final = 50
# One event of so many is an order.
EACH: Final = 10
_BEAT_S: Final = 0.01
# Of the highest rate.
_FLAT: Final = (0.9, 0.7, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
_LEFT_S: Final = 1.0
_PATIENCE_S: Final = 120.0
_SHARES: Final = (0.1, 0.5, 0.8)
_BACKLOG: Final = 150_000
_SETTINGS: Final = (
    "clock.lateness=0s", "consent.assume=granted", "quiet_hours.enabled=false", "caps.total=off",
    "catalogue.enabled=false", f"rules.dir={RULES}",
)  # fmt: skip


class Beat(NamedTuple):
    """What came of one rate: seconds from record to message, sorted, and how many are owed."""

    rate: float
    took: list[float]
    owed: int

    def at(self, share: float) -> float:
        """A quantile, in ms."""
        return self.took[min(int(len(self.took) * share), len(self.took) - 1)] * 1000


class Traffic:
    """Sends events, and hears of each order's answer."""

    def __init__(self, bootstrap: str) -> None:
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=0, max_batch_size=512 * 1024)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, isolation_level="read_committed", fetch_max_wait_ms=20
        )
        self._sent: dict[str, float] = {}
        self._took: list[float] = []
        self._number = 0

    async def __aenter__(self) -> Self:
        await self._producer.start()
        await self._consumer.start()
        self._consumer.assign([TopicPartition(topics.channel_topic("email"), n) for n in range(PARTITIONS)])
        await self._consumer.seek_to_end()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await self._consumer.stop()
        await self._producer.stop()

    async def steady(self, rate: float, seconds: float) -> Beat:
        """So many events a second for so long; what is not answered a second later is owed."""
        self._sent, self._took = {}, []
        begun, done = time.monotonic(), 0
        while (at := time.monotonic() - begun) < seconds:
            due = int(rate * at)
            await self._send(due - done)
            done = due
            await asyncio.sleep(_BEAT_S)
        await asyncio.sleep(_LEFT_S)
        return Beat(rate, sorted(self._took), len(self._sent))

    async def burst(self, events: int) -> float:
        """As fast as it goes: events a second from the first record to the last answer."""
        begun, self._sent = time.monotonic(), {}
        for _ in range(0, events, 1_000):
            await self._send(1_000)
        await self.settled()
        return events / (time.monotonic() - begun)

    async def settled(self) -> None:
        """Wait for every answer that is owed, in whatever lane."""
        async with asyncio.timeout(_PATIENCE_S):
            while self._sent:  # noqa: ASYNC110 - the answers are many, and each takes one away
                await asyncio.sleep(_BEAT_S)

    async def _send(self, events: int) -> None:
        """The next events, a batch for each partition that has some."""
        lanes: dict[int, list[tuple[bytes, bytes]]] = {}
        now = time.time()
        for _ in range(events):
            key, value = self._event(now)
            lanes.setdefault(topics.partition_of(key, PARTITIONS), []).append((key, value))
        waiting = [await self._given(lane, some) for lane, some in lanes.items()]
        await asyncio.gather(*waiting)

    async def _given(self, lane: int, some: list[tuple[bytes, bytes]]) -> asyncio.Future[object]:
        batch = self._producer.create_batch()
        for key, value in some:
            if batch.append(key=key, value=value, timestamp=None) is None:
                raise Unusable("a batch is too small for what it is to carry")
        sent: asyncio.Future[object] = await self._producer.send_batch(
            batch, topics.TOUCHPOINTS, partition=lane
        )
        return sent

    def _event(self, now: float) -> tuple[bytes, bytes]:
        self._number += 1
        number, crowd = self._number, self._number // (PEOPLE * VISIT)
        person = f"u{crowd}-{number * 7919 % PEOPLE}"
        event = {
            "id": f"e{number}", "time": int(now * 1000), "user_id": person,
            "items": [{"product_id": f"p{number % 997}", "category": "c", "price": 9.9, "quantity": 1}],
        }  # fmt: skip
        if number % EACH:
            event["type"] = "view"
        else:
            event |= {"type": "purchase", "order_id": f"o{number}"}
            self._sent[f"o{number}"] = now
        return person.encode(), json.dumps(event).encode()

    async def _listen(self) -> None:
        async for record in self._consumer:
            message = json.loads(record.value or b"{}")
            sent = self._sent.pop(message["subject"]["id"], None)
            if sent is not None:
                self._took.append(time.time() - sent)


async def measured(seconds: float) -> tuple[float, float, list[Beat]]:
    """The highest rate, the highest at which nothing is left behind, and what came of its shares."""
    with tempfile.TemporaryDirectory(prefix="retarget-bench-") as name:
        folder = Path(name)
        with running(folder) as kafka, EmbeddedStore() as store:
            stage = Stage(
                bootstrap=kafka.bootstrap, store=store, folder=folder, app_id="latency",
                emit="transactional", partitions=PARTITIONS, settings=_SETTINGS,
            )  # fmt: skip
            async with on_stage(stage):
                stage.worker("one")
                await stage.shared_out()
                async with Traffic(kafka.bootstrap) as traffic:
                    await traffic.steady(500, 3)  # whatever is slow the first time
                    highest = await traffic.burst(_BACKLOG)
                    flat = await _flat(traffic, highest, seconds)
                    beats = [await traffic.steady(flat * share, seconds) for share in _SHARES]
                    return highest, flat, beats


async def _flat(traffic: Traffic, highest: float, seconds: float) -> float:
    """The highest rate that a lane can follow, by halving: each one tried takes its time."""
    left, found = list(_FLAT), 0.0
    while left:
        middle = len(left) // 2
        beat = await traffic.steady(highest * left[middle], seconds)
        if beat.owed:
            await traffic.settled()  # a lane that is still behind would be taken for one that cannot follow
            left = left[middle + 1 :]
        else:
            found, left = beat.rate, left[:middle]
    if not found:
        raise Unusable("at every rate something was left behind")
    return found


def lines(seconds: float) -> list[Line]:
    """The line of the table, at half of the highest flat rate; each rate for so long."""
    highest, flat, beats = asyncio.run(measured(seconds))
    told = "; ".join(
        f"{share:.0%}: {beat.at(0.5):.0f} ms median, {beat.at(0.99):.0f} p99, {beat.owed} owed"
        for share, beat in zip(_SHARES, beats, strict=True)
    )
    note = f"backlog {highest:,.0f} events a second, flat at {flat:,.0f}; {told}"
    what = "decision latency at half of the flat rate, p99"
    return [at_most(what, [beats[1].at(0.99)], 250, "ms", note=note)]
