"""From a producer's client library to the message: collector, Kafka, worker, channel topic."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from tests.e2e.harness import Stage, on_stage, until
from tests.support.client_libraries import KEY, LIBRARIES
from tests.support.collecting import collecting


async def test_each_library_leads_to_the_right_message(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path
) -> None:
    """Whoever has bought for the first time is thanked, once, at the address that the library told."""
    stage = Stage(
        bootstrap=own_broker.bootstrap,
        store=store,
        folder=tmp_path,
        app_id="engine",
        emit="idempotent",
        partitions=2,
        settings=("consent.assume=granted", "quiet_hours.enabled=false", "clock.lateness=200ms"),
    )
    async with on_stage(stage), stage.outlet() as outlet:
        stage.worker("a", alone=True)
        await stage.shared_out()
        with collecting(
            own_broker.bootstrap, topics.TOUCHPOINTS, tmp_path, f"collect.write_keys={KEY}"
        ) as collector:
            for library, send in LIBRARIES.items():
                await asyncio.to_thread(send, collector.url, f"u-{library}")

        def thanks() -> list[tuple[str, str]]:
            mails = [
                json.loads(one.value) for one in outlet.records if one.topic == topics.channel_topic("email")
            ]
            return [
                (one["person"], one["to"].get("email")) for one in mails if one["rule"] == "first_purchase"
            ]

        async def all_thanked() -> bool:
            await outlet.poll()
            return len(thanks()) >= len(LIBRARIES)

        await until(all_thanked, "a message for each", stage.logs)
        assert sorted(thanks()) == sorted((f"u-{library}", "p@shop.example") for library in LIBRARIES)
