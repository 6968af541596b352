"""Touchpoints that Kafka drops before they are read: their lane says so and stands, the others go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from aiokafka import TopicPartition

from streams import topics
from streams.embedded import EmbeddedStore
from streams.kafka import KafkaAddress, Reader
from tests.e2e.harness import OLD_FILES, Stage, file_events, on_stage, until
from tests.oracle.histories import random_history
from tests.support.kafka.real_kafka import RealKafka, drop_records

_SAID = "touchpoints[0]: the records from offset {} on are needed, but the topic holds those from {} to"


async def end(bootstrap: str, lane: int) -> int:
    """Of the input of a lane."""
    reader = Reader(KafkaAddress(bootstrap=bootstrap))
    await reader.start()
    try:
        return await reader.end(topics.TOUCHPOINTS, lane)
    finally:
        await reader.close()


async def test_one_lane_stands_and_the_other_goes_on(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """The worker was away for longer than the topic keeps what nobody has read."""
    events = file_events(random_history(7, 600))
    stage = Stage(
        bootstrap=real_kafka.bootstrap,
        store=store,
        folder=tmp_path,
        app_id=unique_name("engine"),
        emit="transactional",
        partitions=2,
        settings=OLD_FILES,
    )
    async with on_stage(stage):
        worker = stage.worker("before", alone=True)
        await stage.shared_out()
        await stage.produce(events[:400])
        await stage.done()
        worker.kill()
        read = await end(stage.bootstrap, 0)
        await stage.produce(events[400:])
        await drop_records(stage.bootstrap, TopicPartition(topics.TOUCHPOINTS, 0), read + 5)
        before = await stage.ends()

        worker = stage.worker("after", alone=True)

        async def stands() -> bool:
            return _SAID.format(read, read + 5) in worker.said

        async def goes_on() -> bool:
            return (await stage.ends())[1].stored > before[1].stored

        await until(stands, "a lane that stands, and why", stage.logs)
        await until(goes_on, "the other one at work", stage.logs)
        assert (await stage.ends())[0] == before[0]
        assert worker.running
