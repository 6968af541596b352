"""A broker that takes no more of one topic: lanes stand and say so; nothing is lost or comes twice."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams import topics
from streams.embedded import EmbeddedStore
from streams.kafka import KafkaAddress, create_or_check
from streams.stores import open_store
from tests.e2e.emitted import differences
from tests.e2e.harness import (
    OLD_FILES,
    Stage,
    WorkerProcess,
    delete_topics,
    file_events,
    on_stage,
    replayed,
    until,
)
from tests.oracle.histories import random_history
from tests.support.kafka.companion import create_on_both, settle, two_nodes
from tests.support.kafka.real_kafka import RealKafka
from tests.support.memory import watched
from tests.support.worker import comes_to, page

LIMITS: Final = ("batch.records=500", "batch.persons=300", "web.stalled_after=20s")
PARTITIONS: Final = 2
# Of a worker of two lanes: 2 x 16 MB read, a batch each, fetches under way, what a new try has not freed.
GROWTH_MB: Final = 220
WEIGHT: Final = 20_000
BEFORE: Final = 1_000
_WAITING: Final = 'retarget_service_waiting{service="broker"} '


class Refusal(NamedTuple):
    """What the broker does not take, and how it says so."""

    topic: str
    how: Literal["size", "deleted"]

    async def begin(self, address: KafkaAddress) -> None:
        """From now on nothing can be written to the topic."""
        if self.how == "size":
            await configure(address, self.topic, {"max.message.bytes": "150"})
        else:
            await delete_topics(address, [self.topic])

    async def end(self, address: KafkaAddress) -> None:
        """As it was."""
        specs = topics.topic_specs((topics.TOUCHPOINTS,), PARTITIONS)
        if self.how == "size":
            await configure(address, self.topic, {"max.message.bytes": str(5 * 1024 * 1024)})
        else:
            await create_or_check(address, specs)


async def configure(address: KafkaAddress, topic: str, values: dict[str, str]) -> None:
    """Set what a topic is; what is not named is the broker's."""
    admin = address.admin()
    await admin.start()
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, values)])
    finally:
        await admin.close()


async def stored(stage: Stage) -> list[int]:
    """The last confirmed batch of each lane."""
    store = await open_store(stage.store.url, stage.app_id, PARTITIONS)
    try:
        return [(await store.image(lane)).sequence for lane in range(PARTITIONS)]
    finally:
        await store.close()


async def stands(worker: WorkerProcess, stage: Stage, seconds: float) -> None:
    """For so long nothing is confirmed, the worker says all the time what it waits for, and is healthy."""
    before = await stored(stage)
    over = time.monotonic() + seconds

    async def looked() -> bool:
        ready, metrics, health = [await page(worker, path) for path in ("/ready", "/metrics", "/health")]
        assert ready.status == 503, worker.said
        assert "waiting for the broker" in ready.text
        assert _WAITING + "1.0" in metrics.text
        assert health.status == 200, worker.said
        return time.monotonic() > over

    await until(looked, "the end of the refusal", stage.logs, 3 * seconds)
    assert await stored(stage) == before


def waits(worker: WorkerProcess) -> list[str]:
    """The lines by which lanes tell that they wait."""
    return [line for line in worker.said.splitlines() if "waits for the broker" in line]


EMAIL: Final = topics.channel_topic("email")
CASES: Final = [
    pytest.param("transactional", Refusal(topics.DECISIONS, "size"), 5, id="decisions-too-small"),
    *(
        pytest.param(mode, refusal, 25, id=f"{mode}-{refusal.topic}-{refusal.how}", marks=pytest.mark.slow)
        for mode, refusal in (
            ("transactional", Refusal(topics.JOURNAL, "size")),
            ("transactional", Refusal(topics.DEAD, "size")),
            ("transactional", Refusal(EMAIL, "deleted")),
            ("idempotent", Refusal(topics.JOURNAL, "size")),
            ("idempotent", Refusal(topics.DECISIONS, "size")),
            ("idempotent", Refusal(EMAIL, "deleted")),
        )
    ),
]


@pytest.mark.timeout(400)
@pytest.mark.parametrize(("mode", "refusal", "seconds"), CASES)
async def test_one_topic_that_takes_nothing(
    own_kafka: RealKafka,
    store: EmbeddedStore,
    tmp_path: Path,
    unique_name: Callable[[str], str],
    mode: str,
    refusal: Refusal,
    seconds: float,
) -> None:
    """Lanes stand at the batch that is not confirmed, in bounded memory, and go on when it is mended."""
    stage = stage_of(own_kafka.bootstrap, store, tmp_path, unique_name("engine"), mode)
    address = KafkaAddress(bootstrap=own_kafka.bootstrap)
    async with on_stage(stage):
        before = 0 if refusal.how == "deleted" else BEFORE
        trouble = Trouble(
            refusal.topic, lambda: refusal.begin(address), lambda: refusal.end(address), seconds, before
        )
        await lives_through(stage, trouble)


@pytest.mark.slow
@pytest.mark.kafka
@pytest.mark.timeout(400)
@pytest.mark.parametrize("mode", ["transactional", "idempotent"])
async def test_too_few_replicas(
    store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str], mode: str
) -> None:
    """One of two nodes is away: what must lie on both is not confirmed, and is when the node is back."""
    with two_nodes(tmp_path) as (kafka, companion):
        stage = stage_of(kafka.bootstrap, store, tmp_path, unique_name("engine"), mode)
        async with on_stage(stage):
            await settle(kafka.bootstrap)
            companion.start()
            await delete_topics(KafkaAddress(bootstrap=kafka.bootstrap), [topics.DECISIONS])
            await create_on_both(kafka.bootstrap, topics.DECISIONS, PARTITIONS)

            async def leave() -> None:
                companion.kill()

            async def come_back() -> None:
                companion.start()

            await lives_through(stage, Trouble(topics.DECISIONS, leave, come_back, 40, BEFORE))


def stage_of(bootstrap: str, store: EmbeddedStore, folder: Path, app_id: str, mode: str) -> Stage:
    """An engine of two lanes with small batches."""
    return Stage(
        bootstrap=bootstrap,
        store=store,
        folder=folder,
        app_id=app_id,
        emit=mode,
        partitions=PARTITIONS,
        settings=(*OLD_FILES, *LIMITS),
    )


class Trouble(NamedTuple):
    """What happens to a topic, for how long, after how many events."""

    topic: str
    begin: Callable[[], Awaitable[None]]
    end: Callable[[], Awaitable[None]]
    seconds: float
    before: int


async def lives_through(stage: Stage, trouble: Trouble) -> None:
    """A worker at work when it begins; afterwards all is as if nothing had been."""
    events = file_events(random_history(11, 4_000))
    wanted = await replayed(events, OLD_FILES)
    async with stage.outlet() as outlet:
        worker = stage.worker("one")
        await stage.shared_out()
        await stage.produce(events[: trouble.before], end=False)

        async def under_way() -> bool:
            return trouble.before == 0 or await outlet.poll() > 0

        await until(under_way, "something sent", stage.logs)
    with watched(worker) as memory:
        await trouble.begin()
        await stage.produce(events[trouble.before :])
        await stage.ballast(WEIGHT)
        said = await comes_to(worker, "/ready", 503, "waiting for the broker")
        assert trouble.topic in said.text

        async def all_wait() -> bool:
            return len(waits(worker)) == PARTITIONS

        await until(all_wait, "all lanes wait", stage.logs)
        await stands(worker, stage, trouble.seconds)
        await trouble.end()
        await comes_to(worker, "/ready", 200)
        await stage.done(within_s=200)
    print(f"{stage.emit}, {trouble.topic}: grown by {memory.largest - memory.first:.0f} MB")  # noqa: T201
    assert memory.largest - memory.first < GROWTH_MB
    assert len(waits(worker)) == PARTITIONS, worker.said
    async with stage.outlet() as fresh:
        found = await fresh.to_end()
    assert sum(one.topic == topics.DEAD for one in found) == WEIGHT
    wrong = differences(wanted, [one for one in found if one.topic != topics.DEAD])
    assert not wrong, "\n".join([*wrong, stage.logs()])
    assert all(end.stored == end.journaled for end in await stage.ends())
