"""What only a real Kafka has: transactions in a topic that a backtest reads."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic

from retarget.times import HOUR
from streams.kafka.connection import KafkaAddress, discard
from tests.factories import NOON, Event, a_view, an_add
from tests.streams.commands.conftest import Retarget
from tests.support.kafka.real_kafka import RealKafka

RULE = """
rule: forgotten_cart
description: Somebody filled a cart and went away.
subject: cart
quiet: {after: 30m, opens: [add]}
steps: [{channels: [push], template: cart}]
"""


async def write(address: KafkaAddress, topic: str, *, leave_open: bool) -> None:
    """One cart in a transaction that is committed, one in an aborted one, and perhaps one that stays open."""
    admin = address.admin()
    await admin.start()
    await admin.create_topics([NewTopic(topic, 2, 1)])
    await admin.close()
    producer = address.producer(f"{topic}.writer")
    await producer.start()

    async def send(event: Event) -> None:
        await producer.send_and_wait(topic, json.dumps(event).encode(), partition=0)

    async with producer.transaction():
        await send(an_add("p1", at=NOON, person="kept"))
    await producer.begin_transaction()
    await send(an_add("p1", at=NOON, person="taken-back"))
    await producer.abort_transaction()
    async with producer.transaction():
        await send(a_view("p1", at=NOON + HOUR, person="kept"))
    if leave_open:
        await producer.begin_transaction()
        await send(an_add("p1", at=NOON + HOUR, person="undecided"))
        await discard(producer)
    else:
        await producer.stop()


def words(real_kafka: RealKafka, folder: Path, topic: str) -> list[object]:
    """The command over that topic."""
    (folder / "rule.yaml").write_text(RULE)
    settings = ["--set", f"kafka.bootstrap={real_kafka.bootstrap}", "--set", "clock.idle=heartbeat"]
    rules = ["--rules", folder / "rule.yaml", "--jobs", 1, "--json", "-", "--assume-consent"]
    return ["backtest", "--topic", topic, *rules, *settings]


def test_what_was_aborted_never_happened(
    retarget: Retarget, real_kafka: RealKafka, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Only committed records count; the marks of transactions are no records."""
    topic = unique_name("history")
    asyncio.run(write(KafkaAddress(bootstrap=real_kafka.bootstrap), topic, leave_open=False))
    answer = retarget(*words(real_kafka, tmp_path, topic))
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["records"], found["rules"]["messages"], found["rules"]["reached"]) == (2, 1, 1)


@pytest.mark.slow
def test_an_open_transaction_is_no_history_yet(
    retarget: Retarget, real_kafka: RealKafka, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    """It is said, with exit 3: to count without it could be wrong, and to wait for it could take for ever."""
    topic = unique_name("history")
    asyncio.run(write(KafkaAddress(bootstrap=real_kafka.bootstrap), topic, leave_open=True))
    answer = retarget(*words(real_kafka, tmp_path, topic))
    assert (answer.code, answer.out) == (3, "")
    assert "a transaction may be open" in answer.err
