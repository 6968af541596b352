"""More than a worker can do at once: it takes in what it can hold, and comes to the same in the end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import pytest

from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.files import FileEvent
from tests.e2e.harness import OLD_FILES, Stage, file_events, on_stage, replayed
from tests.oracle.histories import random_history
from tests.support.memory import Memory, watched
from tests.support.slow_door import slow_store

# What a worker of two lanes may grow by under any load: its limits below, and the fetches under way.
GROWTH_MB: Final = 220
LIMITS: Final = ("batch.records=2000", "batch.persons=500", "batch.cached_persons=1000")
EVENTS: Final = 12_000
HOT: Final = 4_000
WEIGHT: Final = 60_000


def crowd(seed: int) -> list[FileEvent]:
    """People of all kinds, and one who never rests."""
    events = file_events(random_history(seed, EVENTS))
    first = min(one.found.time for one in events if hasattr(one.found, "time"))
    hot = [
        {"id": f"hot-{n}", "type": "view", "user_id": "hot", "time": first + n * 200,
         "items": [{"product_id": f"h{n % 50}", "price": 5, "category": "c"}]}
        for n in range(HOT)
    ]  # fmt: skip
    both = [*events, *file_events(hot)]
    return sorted(both, key=lambda one: getattr(one.found, "time", 0))


def stage_of(broker: EmbeddedBroker, store: EmbeddedStore, folder: Path) -> Stage:
    """An engine of two lanes."""
    return Stage(
        bootstrap=broker.bootstrap,
        store=store,
        folder=folder,
        app_id="engine",
        emit="idempotent",
        partitions=2,
        settings=(*OLD_FILES, *LIMITS),
    )


def told(name: str, memory: Memory, records: int, seconds: float) -> None:
    """A line for docs/overload.md."""
    grown = memory.largest - memory.first
    rate = f"{seconds:.0f} | {records / seconds:,.0f}"
    line = f"| {name} | {records:,} | {rate} | {memory.first:.0f} | {grown:.0f} |"
    print(line)  # noqa: T201 - the figures
    assert grown < GROWTH_MB, line


async def worked_off(stage: Stage, events: Sequence[FileEvent], weight: int, name: str) -> None:
    """Everything lies there when the worker starts; it comes to what a replay comes to."""
    wanted = await replayed(events, OLD_FILES)
    async with on_stage(stage), stage.outlet() as outlet:
        worker = stage.worker("one", alone=True)
        await stage.shared_out()
        with watched(worker) as memory:
            started = time.monotonic()
            await stage.ballast(weight)
            await stage.produce(events)
            await stage.done(within_s=400)
            seconds = time.monotonic() - started
            found = await outlet.to_end()
        assert sum(one.topic == topics.DEAD for one in found) == weight
        plain = [one for one in found if one.topic != topics.DEAD]
        compared = [one for one in wanted if one.topic != topics.DEAD]
        assert sorted(one.value for one in plain) == sorted(one.value for one in compared)
        told(name, memory, weight + len(events), seconds)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_burst_with_a_hot_person(store: EmbeddedStore, tmp_path: Path) -> None:
    """240 MB at once, a quarter of the events about one person: memory stays, no wait ends early."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        await worked_off(stage_of(broker, store, tmp_path), crowd(3), WEIGHT, "burst, hot person")


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_slow_store(store: EmbeddedStore, tmp_path: Path) -> None:
    """Every answer of the store takes 100 ms more: what waits, waits in Kafka."""
    with (
        EmbeddedBroker(folder=tmp_path) as broker,
        slow_store(store.process.port, 0.1) as slow,
    ):
        stage = stage_of(broker, cast("EmbeddedStore", slow), tmp_path)
        await worked_off(stage, crowd(4), WEIGHT, "store 100 ms slower")
