"""A worker that starts before a backlog of millions: `python -m bench.overload --records 1000000`.

The simulated shop's traffic lies in a real Kafka when the worker starts. Its memory is looked at often, and
what it says of the time it will take. What comes out is compared with a replay of the same events in one
process, output by output with the moment it was decided at: nothing lost, nothing twice, no wait too early.
Ends with 1 when anything differs or the memory comes to more than `bound_mb`.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition

from bench import sheet
from retarget.decode import encode_touchpoint
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import parse_time
from retarget.touchpoints import Touchpoint
from streams import topics
from streams.embedded import EmbeddedStore
from streams.files import FileEvent
from streams.kafka import KafkaAddress, Reader
from streams.kafka.sending import Outgoing, producing
from streams.lanes.bundle import bundle_of
from streams.ports import Output
from streams.producing import outgoing, send_all
from streams.replaying import TOPIC, replay
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import load_settings
from streams.shop import open_shop, simulate
from tests.e2e.emitted import OUTPUT_TOPICS
from tests.e2e.harness import OLD_FILES, Stage, WorkerProcess, on_stage
from tests.support.kafka.jars import KafkaMissing
from tests.support.kafka.real_kafka import running
from tests.support.memory import Memory, watched
from tests.support.worker import page

PARTITIONS: Final = 4
# A worker of four lanes: itself, for each lane 32 MB that are read and a batch, and the journeys in memory.
_ITSELF_MB: Final = 70
_LANE_MB: Final = 50
_JOURNEY_KB: Final = 50
BEGAN: Final = "2025-06-02T06:00:00Z"
_LOOK_S: Final = 1.0
_ETA: Final = re.compile(r'^retarget_lane_catch_up_seconds\{lane="\d+"\} (\S+)$', re.MULTILINE)
_RESIDENT: Final = re.compile(r"^process_resident_memory_bytes (\S+)$", re.MULTILINE)
_LAG: Final = re.compile(r'^retarget_lane_lag_records\{lane="\d+"\} (\S+)$', re.MULTILINE)

Digests = Counter[bytes]


class Told(NamedTuple):
    """What the worker's page said, so many seconds after its start."""

    at: float
    records: float
    seconds: float
    megabytes: float


def traffic(records: int, people: int) -> Iterator[FileEvent]:
    """What people do in the shop, from its opening on; the same each time.

    Without prices and stock, which reach other lanes whenever these come to hear of them, and nobody is told
    to be the same as another: when two lanes have put a person together is not to be known either.
    """
    told = simulate(open_shop(seed=1), seed=1, people=people, start_ms=parse_time(BEGAN))
    theirs = (event for event in told if event.person)
    for line, event in enumerate(islice(theirs, records), start=1):
        if event.user_id:
            event.anonymous_id = None
        yield FileEvent("shop", line, event, encode_touchpoint(event))


def digest(topic: str, value: bytes) -> bytes:
    """An output, in few bytes."""
    return blake2b(topic.encode() + b"\n" + value, digest_size=12).digest()


async def wanted(events: Iterator[FileEvent]) -> Digests:
    """What one process makes of the events."""
    rules = load_rules([default_rules_dir()], VOCABULARY)
    bundle = bundle_of(load_settings(None, {}, OLD_FILES), rules, [TOPIC])
    found: Digests = Counter()

    def take(output: Output) -> None:
        found[digest(output.topic, output.value)] += 1

    await replay(events, bundle, take)
    return found


async def emitted(bootstrap: str) -> Digests:
    """What the topics hold."""
    places = [TopicPartition(topic, number) for topic in OUTPUT_TOPICS for number in range(PARTITIONS)]
    reader = Reader(KafkaAddress(bootstrap=bootstrap))
    await reader.start()
    ends = {place: await reader.end(*place) for place in places}
    await reader.close()
    found: Digests = Counter()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign(places)
        for place, end in ends.items():
            while await consumer.position(place) < end:
                for fetched in (await consumer.getmany(timeout_ms=500)).values():
                    found.update(digest(one.topic, one.value) for one in fetched)
    finally:
        await consumer.stop()
    return found


async def fill(stage: Stage, events: Iterator[FileEvent]) -> int:
    """Everything into Kafka, and heartbeats behind it; how many records."""
    latest = -1

    def told() -> Iterator[Outgoing]:
        nonlocal latest
        for each in events:
            assert isinstance(each.found, Touchpoint)
            latest = max(latest, each.found.time)
            yield from outgoing(each.to_send, topics.TOUCHPOINTS, PARTITIONS)

    async with producing(KafkaAddress(bootstrap=stage.bootstrap)) as producer:
        sent = await send_all(producer, told())
    await stage.move_clocks(latest)
    return sent + PARTITIONS


async def listen(worker: WorkerProcess, said: list[Told]) -> None:
    """Write down what its page says of the backlog, until cancelled."""
    started = time.monotonic()
    while True:
        text = (await page(worker, "/metrics")).text
        lags, seconds, memory = (
            [float(one) for one in pattern.findall(text)] for pattern in (_LAG, _ETA, _RESIDENT)
        )
        if sum(lags) > 0:
            at = time.monotonic() - started
            said.append(Told(at, sum(lags), max(seconds, default=0.0), sum(memory) / 2**20))
        await asyncio.sleep(_LOOK_S)


def bound_mb(cached: int) -> int:
    """What a worker may hold with so many people in memory for each lane."""
    return _ITSELF_MB + PARTITIONS * (_LANE_MB + cached * _JOURNEY_KB // 1024)


async def measured(stage: Stage, records: int, people: int, cached: int) -> int:
    """Fill, work off, compare; the exit code."""
    async with on_stage(stage):
        total = await fill(stage, traffic(records, people))
        print(f"{total:,} records lie there", flush=True)
        expected = await wanted(traffic(records, people))
        print(f"{sum(expected.values()):,} outputs are wanted", flush=True)
        said: list[Told] = []
        worker, started = stage.worker("one"), time.monotonic()
        with watched(worker) as memory:
            listening = asyncio.create_task(listen(worker, said))
            try:
                await stage.done(within_s=7_200)
            finally:
                listening.cancel()
        seconds = time.monotonic() - started
        found = await emitted(stage.bootstrap)
    missing, more = sum((expected - found).values()), sum((found - expected).values())
    tell(total, seconds, memory, said, cached)
    print(f"{missing} missing, {more} too many or decided otherwise")
    figures = {
        "records": total, "seconds": seconds, "largest_mb": memory.largest, "bound_mb": bound_mb(cached),
        "missing": missing, "too_many": more,
    }  # fmt: skip
    data = f"{total:,} records of the simulated shop with {people:,} people, {cached:,} cached for each lane"
    sheet.keep(sheet.of("overload", data, figures))
    return 0 if missing == more == 0 and memory.largest < bound_mb(cached) else 1


def tell(total: int, seconds: float, memory: Memory, said: Sequence[Told], cached: int) -> None:
    """The row for docs/overload.md, and how good the estimates were."""
    took = f"{seconds:.0f} | {total / seconds:,.0f}"
    print(f"| {total:,} | {cached:,} | {took} | {memory.largest:.0f} | {bound_mb(cached)} |")
    for share in (0.25, 0.5, 0.75):
        one = min(said, key=lambda told: abs(told.at - seconds * share))
        rest = seconds - one.at
        print(f"after {one.at:.0f} s: {one.records:,.0f} to go, {one.megabytes:.0f} MB,", end=" ")
        print(f"said {one.seconds:.0f} s, took {rest:.0f} s")


def main(argv: Sequence[str] | None = None) -> int:
    """One run; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--people", type=int, default=20_000)
    parser.add_argument("--cached", type=int, default=10_000, help="batch.cached_persons, for each lane")
    given = parser.parse_args(argv)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory(prefix="retarget-overload-") as scratch:
            folder = Path(scratch)
            with running(folder) as broker, EmbeddedStore(folder=folder) as store:
                stage = Stage(
                    bootstrap=broker.bootstrap,
                    store=store,
                    folder=folder,
                    app_id="overload",
                    emit="transactional",
                    partitions=PARTITIONS,
                    settings=(*OLD_FILES, f"batch.cached_persons={given.cached}"),
                )
                return asyncio.run(measured(stage, given.records, given.people, given.cached))
    except KafkaMissing as error:
        print(error, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
