"""Sealed by real workers: opened, it is what would have been told, whatever broke down meanwhile."""

from __future__ import annotations

import pytest
import redis

from streams.embedded import EmbeddedBroker
from streams.files import FileEvent
from streams.sealing.opening import Opening
from streams.stores import open_store
from tests.e2e.conftest import Staging
from tests.e2e.emitted import Emitted, differences
from tests.e2e.harness import OLD_FILES, Stage, file_events, on_stage, replayed
from tests.oracle.histories import random_history
from tests.support.kafka.real_kafka import RealKafka

pytestmark = pytest.mark.timeout(300)

SECRET = "a secret that is long enough"  # noqa: S105 - of a test
SEALS = f"privacy.keys={SECRET}"


@pytest.fixture(scope="module")
def events() -> list[FileEvent]:
    """What happens in these tests."""
    return file_events(random_history(17, 1_200))


async def live_through(stage: Stage, events: list[FileEvent]) -> None:
    """Work it off while the worker dies twice, the second time with the store; open all, and compare."""
    wanted, alone = (
        await replayed(events, OLD_FILES),
        stage.emit == "idempotent",
    )  # its broker is slow with groups
    async with on_stage(stage):
        worker = stage.worker("one", alone=alone)
        await stage.shared_out()
        await stage.produce(events[:400])
        worker.kill()
        worker = stage.worker("two", alone=alone)
        await stage.shared_out()
        await stage.produce(events[400:800])
        worker.kill()
        with redis.Redis.from_url(stage.store.url) as client:
            client.flushall()
        stage.worker("three", alone=alone)
        await stage.shared_out()
        await stage.produce(events[800:])
        await stage.done()
        async with stage.outlet() as outlet:
            found = await outlet.to_end()
        assert sum(b'"sealed":"' in one.value for one in found) == len(wanted) > 100
        opened = await opened_by_the_store(stage, found)
        wrong = differences(wanted, opened, stage.raised)
        assert not wrong, "\n".join([f"{len(wanted)} wanted, {len(found)} found", *wrong, stage.logs()])


async def opened_by_the_store(stage: Stage, found: list[Emitted]) -> list[Emitted]:
    """Every record as it was before it was sealed."""
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    try:
        opened = await Opening(store, stage.partitions, [SECRET])([one.value for one in found])
    finally:
        await store.close()
    values = [one for one in opened if isinstance(one, bytes)]
    assert len(values) == len(found), [one for one in opened if not isinstance(one, bytes)]
    return [one._replace(value=value) for one, value in zip(found, values, strict=True)]


async def test_with_transactions(real_kafka: RealKafka, staged: Staging, events: list[FileEvent]) -> None:
    """Keys are out with what they seal, or neither is."""
    await live_through(staged(real_kafka.bootstrap, "transactional", SEALS), events)


async def test_without_transactions(
    own_broker: EmbeddedBroker, staged: Staging, events: list[FileEvent]
) -> None:
    """Keys are out before what they seal; what is sent again is sealed by the same."""
    await live_through(staged(own_broker.bootstrap, "idempotent", SEALS), events)
