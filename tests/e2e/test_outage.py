"""A broker that is away for a minute: the workers say so, live through it, and go on without loss."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.embedded import EmbeddedStore
from tests.e2e.harness import OLD_FILES, Stage, WorkerProcess, file_events, on_stage, replayed, until
from tests.oracle.histories import random_history
from tests.support.kafka.real_kafka import RealKafka
from tests.support.worker import comes_to, page

_OUTAGE_S = 60.0
_WAITING = 'retarget_service_waiting{service="broker"} '
# What a worker of two lanes may say about an outage: lanes and libraries, once in ten seconds each.
_MOST_LINES = 150


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_minute_without_the_broker(
    own_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """Waiting is told on the pages and in the log, is no illness, and ends by itself; nothing is lost."""
    events = file_events(random_history(7, 6_000))
    wanted = await replayed(events, OLD_FILES)
    stage = Stage(
        bootstrap=own_kafka.bootstrap,
        store=store,
        folder=tmp_path,
        app_id=unique_name("engine"),
        emit="transactional",
        partitions=4,
        settings=(*OLD_FILES, "batch.records=150", "web.stalled_after=20s"),
    )
    async with on_stage(stage):
        workers = stage.worker("one"), stage.worker("two")
        await stage.shared_out()
        await stage.produce(events[:5_000], end=False)
        own_kafka.kill()
        for worker in workers:
            await comes_to(worker, "/ready", 503, "waiting for the broker")
            await comes_to(worker, "/metrics", 200, _WAITING + "1.0")
        await _bear(workers, stage)
        own_kafka.start()
        for worker in workers:
            await comes_to(worker, "/ready", 200)
            await comes_to(worker, "/metrics", 200, _WAITING + "0.0")
        await stage.produce(events[5_000:])
        await stage.finish(wanted)
        for worker in workers:
            assert len(worker.said.splitlines()) < _MOST_LINES, worker.said


async def _bear(workers: tuple[WorkerProcess, ...], stage: Stage) -> None:
    """Let the outage last; everybody is healthy all the time."""
    end = time.monotonic() + _OUTAGE_S

    async def over() -> bool:
        for worker in workers:
            assert (await page(worker, "/health")).status == 200, worker.said
        return time.monotonic() > end

    await until(over, "the end of the outage", stage.logs, 2 * _OUTAGE_S)
