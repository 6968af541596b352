"""Whoever withdraws is out of the audiences a second after that was applied, at the platform itself."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress
from streams.privacy.topics import of_person
from tests.e2e.harness import Stage, file_events, until
from tests.e2e.test_privacy import LANES, at_work, did
from tests.streams.channels.test_killed import running
from tests.support.receiver import Receiver

pytestmark = pytest.mark.timeout(300)

DEADLINE_MS = 1_000
WITHDRAWN: Mapping[str, dict[str, Any]] = {
    "u1": {"consent": {"purpose": "marketing", "state": "revoked"}},
    "u2": {"consent": {"purpose": "marketing", "channel": "ads", "state": "denied"}},
}


def heard(platform: Receiver) -> dict[str, tuple[int, str, str]]:
    """What the platform was told, by message: when (epoch ms), of whom, and what to do."""
    ahead = time.time() - time.monotonic()
    return {
        member["message_id"]: (round((one.at + ahead) * 1000), member["user_id"], batch["operation"])
        for one in platform.posted
        for batch in [json.loads(one.body)]
        for member in batch["members"]
    }


async def emitted(stage: Stage, *persons: str) -> dict[str, int]:
    """The changes of audiences of these people, and when a lane had applied their cause, epoch ms."""
    address = KafkaAddress(bootstrap=stage.bootstrap)
    async with aclosing(of_person(address, ["retarget.ads"], persons)) as found:
        return {json.loads(seen.value or b"{}")["message_id"]: seen.timestamp async for seen in found}


async def test_audiences_are_left_within_a_second_of_its_being_applied(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> None:
    """From a lane's batch to the platform that is posted to: worker, broker, store and channel service."""
    app = unique_name("engine")
    settings: dict[str, object] = {
        "kafka.bootstrap": own_broker.bootstrap, "kafka.emit": "idempotent", "store.url": store.url,
        "app.id": app, "kafka.partitions": LANES,
    }  # fmt: skip
    with Receiver() as platform:
        async with at_work(own_broker, store, tmp_path, app) as stage:
            with running("ads", settings | {"ads.url": platform.url}) as service:
                await asyncio.to_thread(service.listening)

                async def all_told() -> bool:
                    told = await emitted(stage, *WITHDRAWN)
                    return bool(told) and told.keys() <= heard(platform).keys()

                await until(all_told, "the platform knows who is in which audience", stage.logs)
                for person, word in WITHDRAWN.items():
                    before = frozenset(heard(platform))
                    event = did("consent", int(time.time() * 1000), person) | word
                    await stage.produce(file_events([event]), end=False)

                    async def left(person: str = person, before: frozenset[str] = before) -> bool:
                        news = [one for name, one in heard(platform).items() if name not in before]
                        return (person, "remove") in [one[1:] for one in news]

                    await until(left, f"{person} has left", stage.logs)
                    news = {name: one for name, one in heard(platform).items() if name not in before}
                    applied = await emitted(stage, person)
                    late = {name: one[0] - applied[name] for name, one in news.items()}
                    assert max(late.values()) <= DEADLINE_MS, late
                    assert {one[1:] for one in news.values()} == {(person, "remove")}
