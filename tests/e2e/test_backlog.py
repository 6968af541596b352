"""The wall clock moves a lane that has read everything, and no other: with `clock.idle=wall`, the default."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from streams import topics
from streams.embedded import EmbeddedStore
from streams.files import FileEvent
from streams.kafka import KafkaAddress
from streams.kafka.sending import producing, send
from streams.topics import partition_of
from tests.e2e.emitted import Emitted, Outlet
from tests.e2e.harness import Stage, file_events, on_stage, until
from tests.support.kafka.real_kafka import RealKafka

LANES: Final = 2
BEHIND: Final = 0  # the lane whose last records nobody can fetch yet
# How often the other lane is moved by the wall clock meanwhile; each time it has been idle for `idle_after`.
TIMES: Final = 3
RULE: Final = """\
rule: cart_left
description: Somebody filled a cart and went away.
subject: cart
quiet: {after: 30m, opens: [add]}
unless: [purchase]
steps:
  - {channels: [email], template: cart}
"""
SETTINGS: Final = (
    "clock.idle_after=200ms",
    "consent.assume=granted",
    "quiet_hours.enabled=false",
)
MINUTE: Final = 60_000


@pytest.fixture
def stage(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> Stage:
    """An engine of two lanes with a rule that waits for half an hour, and all else as it ships."""
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "cart_left.yaml").write_text(RULE)
    return Stage(
        bootstrap=real_kafka.bootstrap,
        store=store,
        folder=tmp_path,
        app_id=unique_name("engine"),
        emit="transactional",
        partitions=LANES,
        settings=(*SETTINGS, f"rules.dir={folder}"),
    )


def person(lane: int, number: int) -> str:
    """Somebody of that lane."""
    names = (f"p{number}.{n}" for n in count())
    return next(name for name in names if partition_of(name.encode(), LANES) == lane)


def told(who: str, type_: str, minutes_ago: int, **more: object) -> FileEvent:
    """An event of somebody."""
    at = int(time.time() * 1000) - minutes_ago * MINUTE
    line = {"id": f"{who}.{type_}", "type": type_, "user_id": who, "time": at, **more}
    return file_events([line])[0]


def cart(who: str) -> FileEvent:
    """They fill a cart so long ago that the wait is over by the wall clock, and not stale."""
    return told(who, "add", 45, items=[{"product_id": "lamp", "price": 20, "quantity": 1}])


def about(found: list[Emitted], who: str) -> list[Mapping[str, Any]]:
    """Messages for somebody."""
    mail = [msgspec.json.decode(one.value) for one in found if one.topic == topics.channel_topic("email")]
    return [one for one in mail if one["person"] == who]


async def until_written_to(stage: Stage, outlet: Outlet, who: str) -> None:
    """Wait for their message, which only the wall clock brings."""

    async def written() -> bool:
        await outlet.poll()
        return bool(about(outlet.records, who))

    await until(written, f"a message for {who}", stage.logs)


@asynccontextmanager
async def unfinished(stage: Stage, event: FileEvent, name: str) -> AsyncIterator[None]:
    """The event is in the topic, and cannot be fetched before the end of the block."""
    async with producing(KafkaAddress(bootstrap=stage.bootstrap), name) as producer:
        await producer.begin_transaction()
        await send(producer, stage.outgoing([event]))
        yield
        await producer.commit_transaction()


async def test_no_wait_ends_early_because_of_a_backlog(
    stage: Stage, unique_name: Callable[[str], str]
) -> None:
    """Far longer than `clock.idle_after` the purchase lies where the lane cannot get at it: no message."""
    buyer = person(BEHIND, 0)
    bought = told(buyer, "purchase", 40, order_id="o1")
    async with on_stage(stage), stage.outlet() as outlet:
        await stage.produce([cart(buyer)], end=False)
        async with unfinished(stage, bought, unique_name("shop")):
            stage.worker("one")
            await stage.shared_out()
            for number in range(TIMES):
                other = person(1 - BEHIND, number)
                await stage.produce([cart(other)], end=False)
                await until_written_to(stage, outlet, other)
            assert not about(await outlet.to_end(), buyer), "the wall clock has moved a lane that is behind"
        # The lane behind is moved by the wall clock too, once it has everything.
        last = person(BEHIND, 1)
        await stage.produce([cart(last)], end=False)
        await until_written_to(stage, outlet, last)
        assert not about(await outlet.to_end(), buyer)
