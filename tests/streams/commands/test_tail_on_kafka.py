"""What only a real Kafka has: transactions."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Callable

from aiokafka.admin import NewTopic

from streams.embedded import EmbeddedBroker
from streams.kafka.connection import KafkaAddress, discard
from tests.streams.commands.conftest import Retarget
from tests.support.kafka.real_kafka import RealKafka


async def _leave_open(address: KafkaAddress, topic: str) -> None:
    """Two records in a transaction that is committed, one in a transaction that never ends."""
    admin = address.admin()
    await admin.start()
    await admin.create_topics([NewTopic(topic, 1, 1)])
    await admin.close()
    producer = address.producer(f"{topic}.writer")
    await producer.start()
    async with producer.transaction():
        await producer.send_and_wait(topic, b'{"n":1}')
        await producer.send_and_wait(topic, b'{"n":2}')
    await producer.begin_transaction()
    await producer.send_and_wait(topic, b'{"n":3}')
    await discard(producer)


def test_open_transactions_are_shown_only_when_asked_for(
    retarget: Retarget, real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """The command ends although a transaction is open, and shows what is committed."""
    topic, where = unique_name("tail"), ["--set", f"kafka.bootstrap={real_kafka.bootstrap}"]
    asyncio.run(_leave_open(KafkaAddress(bootstrap=real_kafka.bootstrap), topic))
    assert retarget("tail", topic, "--json", *where).out.splitlines() == ['{"n": 1}', '{"n": 2}']
    everything = retarget("tail", topic, "--from-start", "--read-uncommitted", "--json", *where)
    assert everything.out.splitlines() == ['{"n": 1}', '{"n": 2}', '{"n": 3}']


def test_ctrl_c_ends_tail_at_once(
    retarget: Retarget, embedded_broker: EmbeddedBroker, unique_name: Callable[[str], str]
) -> None:
    """SIGINT while following is exit code 130 without a traceback."""
    topic = unique_name("follow")
    embedded_broker.create_topic(topic, 1)
    where = ["--set", f"kafka.bootstrap={embedded_broker.bootstrap}"]
    file = ["-", *where, "--topic", topic]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RETARGET_")}
    subprocess.run(
        [sys.executable, "-m", "streams", "produce", *file],
        input=b'{"type":"view","user_id":"ann"}\n',
        check=True,
        capture_output=True,
        env=clean,
    )
    command = [sys.executable, "-m", "streams", "tail", topic, "--follow", *where]
    tail = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean)
    try:
        assert tail.stdout is not None
        assert b"view  ann" in tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        _, said = tail.communicate(timeout=10)
    finally:
        tail.kill()
    assert (tail.returncode, said) == (130, b"")
    assert retarget("tail", topic, *where).code == 0
