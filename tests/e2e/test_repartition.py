"""More partitions: everybody's state goes to their new lane, nothing is decided twice, nothing is lost."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import redis

from streams import topics
from streams.embedded import EmbeddedStore
from streams.files import FileEvent
from streams.kafka import KafkaAddress
from streams.kafka.inventory import existing_topics
from tests.e2e.conftest import Staging
from tests.e2e.harness import OLD_FILES, Stage, on_stage, replayed, until
from tests.e2e.test_lost_store import command, events
from tests.support.kafka.real_kafka import RealKafka

__all__ = ["events"]

_HALF = 1_200
_MORE = 5


async def nobody_at_work(stage: Stage) -> None:
    """Wait until the group has no members any more."""
    from streams.kafka.widening import members

    async def gone() -> bool:
        return await members(KafkaAddress(bootstrap=stage.bootstrap), stage.app_id) == 0

    await until(gone, "an empty group", stage.logs)


@pytest.mark.timeout(300)
async def test_people_go_to_other_lanes_with_all_that_is_theirs(
    real_kafka: RealKafka,
    store: EmbeddedStore,
    tmp_path: Path,
    staged: Staging,
    events: list[FileEvent],
) -> None:
    """From 2 lanes to 5 in mid-stream: all is as one lane would have sent it; refused while at work."""
    wanted = await replayed(events, OLD_FILES)
    folder = f"snapshot.folder={tmp_path}"
    stage = staged(real_kafka.bootstrap, "transactional", folder)
    to = ("repartition", "--to", str(_MORE))
    async with on_stage(stage), stage.outlet() as outlet:
        worker = stage.worker("one")
        await stage.shared_out()
        await stage.produce(events[:_HALF])
        await stage.done()
        assert "workers are at work; stop them all" in command(stage, *to, code=1)
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0
        await nobody_at_work(stage)

        await stage.produce(events[_HALF : _HALF + 20])
        told = command(stage, *to, code=1)
        assert "touchpoints[0]: the records from offset " in told
        assert "are not worked off; stop the producers, and start the workers once more" in told
        assert (await existing_topics(KafkaAddress(bootstrap=stage.bootstrap)))[topics.JOURNAL] == 2
        worker = stage.worker("one")
        await stage.shared_out()
        await stage.done()
        worker.send(signal.SIGTERM)
        await worker.ended()
        await nobody_at_work(stage)

        told = command(stage, *to)
        assert told.count(" people, ") == _MORE
        assert f"kafka.partitions={_MORE}" in told
        assert command(stage, *to).count(" people, ") == _MORE, "once more is no harm"

        stage.partitions, stage.raised = _MORE, 1
        stage.given = tuple(
            f"kafka.partitions={_MORE}" if each.startswith("kafka.partitions") else each
            for each in stage.given
        )
        worker = stage.worker("one")
        await stage.shared_out()
        await stage.produce(events[_HALF + 20 :])
        await stage.finish(wanted, outlet)

        command(stage, "snapshot")
        worker.kill()
        with redis.Redis.from_url(store.url) as client:
            client.flushall()
        stage.worker("two")
        await stage.shared_out()
        await stage.finish(wanted, outlet)
