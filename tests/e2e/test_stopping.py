"""How a worker ends: when it is asked to, in an outage as well, and by itself when it is stuck."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.embedded import EmbeddedStore
from streams.watchdog import STALLED
from tests.e2e.harness import Stage, WorkerProcess, file_events, on_stage, until
from tests.oracle.histories import random_history
from tests.support.kafka.real_kafka import RealKafka
from tests.support.worker import comes_to, started

LANES = 2
# Measured: a tenth of a second idle, half a second without a broker; the rest is for a machine under load.
_SOON_S = 5.0
# Who leaves without a word is missed after the session timeout only, 15 s.
_HANDED_OVER_S = 10.0


def stage_on(
    kafka: RealKafka, store: EmbeddedStore, folder: Path, unique_name: Callable[[str], str]
) -> Stage:
    """An engine of two lanes."""
    return Stage(
        bootstrap=kafka.bootstrap,
        store=store,
        folder=folder,
        app_id=unique_name("engine"),
        emit="transactional",
        partitions=LANES,
        settings=("consent.assume=granted",),
    )


async def asked_to_stop(worker: WorkerProcess) -> float:
    """How long it takes to end by SIGTERM, which must be with code 0, seconds."""
    begun = time.monotonic()
    worker.send(signal.SIGTERM)
    assert await worker.ended() == 0, worker.said
    assert "Traceback" not in worker.said, worker.said
    return time.monotonic() - begun


@pytest.mark.slow
async def test_a_stop_is_quick_and_says_goodbye(
    own_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """An idle worker ends at once and the others have its lanes; the last one ends without a broker, too."""
    stage = stage_on(own_kafka, store, tmp_path, unique_name)
    async with on_stage(stage):
        first, second = stage.worker("one"), stage.worker("two")
        await stage.shared_out()

        assert await asked_to_stop(first) < _SOON_S

        async def handed_over() -> bool:
            return await second.lanes() == list(range(LANES))

        await until(handed_over, "the lanes handed over", stage.logs, _HANDED_OVER_S)
        own_kafka.kill()
        await comes_to(second, "/ready", 503, "waiting for the broker")
        assert await asked_to_stop(second) < _SOON_S
        own_kafka.start()


async def test_a_stop_while_the_group_is_sharing_out_says_goodbye(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """Who waits for a share, because somebody else is silent, is out of the group when it is stopped."""
    stage = stage_on(real_kafka, store, tmp_path, unique_name)
    async with on_stage(stage):
        first, second = stage.worker("one"), stage.worker("two")
        await stage.shared_out()
        second.send(signal.SIGSTOP)
        stage.worker("three")

        async def waits_for_a_share() -> bool:
            return not await first.lanes()

        await until(waits_for_a_share, "the first one waiting for a share", stage.logs)
        assert (await group_of(stage)).state == "PreparingRebalance"
        assert await asked_to_stop(first) < _SOON_S
        left = (await group_of(stage)).members
        assert not [member for member in left if member.startswith("one-")], left


class Group(NamedTuple):
    """The workers' group as the broker describes it: its state and the ids of its members."""

    state: str
    members: list[str]


async def group_of(stage: Stage) -> Group:
    """How the group stands now."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([stage.app_id])
        ((_, _, state, _, _, members, *_),) = answer.groups
        return Group(state, [member[0] for member in members])
    finally:
        await admin.close()


@asynccontextmanager
async def stuck(stage: Stage, kind: str) -> AsyncIterator[WorkerProcess]:
    """A worker with a bug in lane 0 that has touched all its lanes' records."""
    settings = (
        f"kafka.bootstrap={stage.bootstrap}",
        f"kafka.partitions={LANES}",
        f"store.url={stage.store.url}",
        f"app.id={stage.app_id}",
        "web.stalled_after=4s",
    )
    worker = started(stage.folder, kind, settings, words=(kind,), module="tests.support.stuck_worker")
    try:
        await comes_to(worker, "/ready", 200)
        await stage.produce(file_events(random_history(7, 200)))
        yield worker
    finally:
        worker.kill()


async def test_a_lane_that_gets_stuck_is_named_and_ends_the_process(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """Health names the lane first, then the process ends with the code for supervisors."""
    stage = stage_on(real_kafka, store, tmp_path, unique_name)
    async with on_stage(stage), stuck(stage, "awaiting") as worker:
        answer = await comes_to(worker, "/health", 503)
        assert "lane 0 has " in answer.text
        assert "lane 1 has " not in answer.text
        assert await worker.ended() == STALLED, worker.said
        assert "no progress: lane 0 has " in worker.said


async def test_a_process_that_hangs_ends_and_shows_where(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """No task runs any more, so a thread ends the process, with the place in the code."""
    stage = stage_on(real_kafka, store, tmp_path, unique_name)
    async with on_stage(stage), stuck(stage, "hanging") as worker:
        assert await worker.ended() == STALLED, worker.said
        assert "stuck_worker.py" in worker.said
        assert "the event loop hangs" in worker.said
