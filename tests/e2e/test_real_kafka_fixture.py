"""The broker that the end-to-end tests stand on does what they take for granted."""

from collections.abc import Callable

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced

from tests.support.kafka.real_kafka import RealKafka, create_topic

pytestmark = pytest.mark.slow


async def committed_values(bootstrap: str, topic: str) -> list[bytes]:
    """All values of partition 0 that a read_committed consumer gets to see."""
    lane = TopicPartition(topic, 0)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        consumer.assign([lane])
        end = (await consumer.end_offsets([lane]))[lane]
        values: list[bytes] = []
        # Markers and aborted records hold offsets too, so the position tells the end, not the count.
        while await consumer.position(lane) < end:
            fetched = await consumer.getmany(lane, timeout_ms=200)
            values += [record.value for record in fetched.get(lane, [])]
        return values
    finally:
        await consumer.stop()


async def transaction(bootstrap: str, topic: str, value: bytes, *, abort: bool = False) -> None:
    """Send one record in a transaction of its own, and end the transaction as asked."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id=f"{topic}.lane-0")
    await producer.start()
    try:
        await producer.begin_transaction()
        await (await producer.send(topic, value, partition=0))
        await (producer.abort_transaction() if abort else producer.commit_transaction())
    finally:
        await producer.stop()


async def test_only_committed_transactions_are_read(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """A read_committed consumer gets what was committed and never what was aborted."""
    topic = unique_name("decisions")
    await create_topic(real_kafka.bootstrap, topic, 1)

    await transaction(real_kafka.bootstrap, topic, b"first")
    await transaction(real_kafka.bootstrap, topic, b"aborted", abort=True)
    await transaction(real_kafka.bootstrap, topic, b"second")

    assert await committed_values(real_kafka.bootstrap, topic) == [b"first", b"second"]


async def test_a_second_producer_fences_the_first(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """Whoever claims a lane shuts its former owner out."""
    topic = unique_name("journal")
    await create_topic(real_kafka.bootstrap, topic, 1)
    zombie = AIOKafkaProducer(bootstrap_servers=real_kafka.bootstrap, transactional_id=f"{topic}.lane-0")
    await zombie.start()
    await zombie.begin_transaction()
    await (await zombie.send(topic, b"zombie", partition=0))

    await transaction(real_kafka.bootstrap, topic, b"owner")

    with pytest.raises(ProducerFenced):
        await zombie.commit_transaction()
    await zombie.stop()
    assert await committed_values(real_kafka.bootstrap, topic) == [b"owner"]


async def test_a_topic_that_nobody_created_does_not_come_by_itself(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """A misspelt topic is an error, not a new topic."""
    producer = AIOKafkaProducer(bootstrap_servers=real_kafka.bootstrap, request_timeout_ms=2000)
    await producer.start()
    try:
        with pytest.raises(KafkaError):
            await producer.send_and_wait(unique_name("misspelt"), b"value")
    finally:
        await producer.stop()


async def test_a_killed_broker_comes_back_with_what_was_committed(own_kafka: RealKafka) -> None:
    """After SIGKILL and a restart on the same address nothing that was committed is missing."""
    await create_topic(own_kafka.bootstrap, "decisions", 1)
    await transaction(own_kafka.bootstrap, "decisions", b"before")

    own_kafka.kill()
    own_kafka.start()

    await transaction(own_kafka.bootstrap, "decisions", b"after")
    assert await committed_values(own_kafka.bootstrap, "decisions") == [b"before", b"after"]
