"""`retarget redrive` on a real Kafka: the record and the note that it went are one transaction."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from retarget.times import format_time
from streams import topics
from streams.kafka import KafkaAddress, create_or_check
from streams.kafka.sending import Outgoing, producing, send
from streams.redriving.ledger import opened
from tests.streams.commands.conftest import Retarget
from tests.support.kafka.real_kafka import RealKafka

NOON = 1_772_362_800_000


@pytest.fixture
def engine(own_kafka: RealKafka) -> KafkaAddress:
    """The topics of an engine, and a dead letter."""
    address = KafkaAddress(bootstrap=own_kafka.bootstrap)

    async def make() -> None:
        await create_or_check(address, topics.topic_specs(["touchpoints"], 2))
        event = {"type": "track", "event": "Order Completed", "userId": "u1"}
        letter = {
            "reason": "unknown_dialect", "detail": "…", "topic": "touchpoints", "partition": 0, "offset": 3,
            "time": format_time(NOON), "raw": base64.b64encode(json.dumps(event).encode()).decode(),
        }  # fmt: skip
        async with producing(address) as producer:
            await send(producer, [Outgoing(topics.DEAD, 0, b"u1", json.dumps(letter).encode())])

    asyncio.run(make())
    return address


def test_once_although_it_broke_off(retarget: Retarget, engine: KafkaAddress) -> None:
    """A run that dies in its transaction has sent nothing; the next sends it, and no further one does."""

    async def die() -> None:
        async with opened(engine, "retarget", transactional=True) as ledger:
            producer = ledger._producer  # noqa: SLF001 - what a crash leaves
            await producer.begin_transaction()
            await send(
                producer,
                [Outgoing("touchpoints", 0, b"u1", b"{}"), Outgoing(topics.REDRIVEN, 0, b"x", b"{}")],
            )

    asyncio.run(die())
    where = ["--set", f"kafka.bootstrap={engine.bootstrap}"]
    assert retarget("redrive", *where).out == "1 sent again, 0 had been before, 0 left\n"
    assert retarget("redrive", *where).out == "0 sent again, 1 had been before, 0 left\n"
    [sent] = retarget("tail", "touchpoints", "--from-start", "--json", *where).out.splitlines()
    assert json.loads(sent)["id"] == "touchpoints-0-3"


def test_who_only_looks_shuts_nobody_out(retarget: Retarget, engine: KafkaAddress) -> None:
    """A dry run beside one that sends: the latter goes on."""
    where = ["--set", f"kafka.bootstrap={engine.bootstrap}"]

    async def beside() -> str:
        async with opened(engine, "retarget", transactional=True) as ledger:
            told = await asyncio.to_thread(retarget, "redrive", "--dry-run", *where)
            await ledger.send([Outgoing("touchpoints", 0, b"u1", b"{}")], ["touchpoints-0-3"])
        return told.out

    assert asyncio.run(beside()) == "1 would be sent again, 0 had been before, 0 left\n"
    assert retarget("redrive", *where).out == "0 sent again, 1 had been before, 0 left\n"
