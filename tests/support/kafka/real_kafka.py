"""A real Apache Kafka: a KRaft single node with transactions, that can be killed and restarted.

It runs on this machine's Java, else in a container; RETARGET_TEST_KAFKA=java or =docker insists on one.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete

from tests.support.kafka.containers import KafkaInContainer, engine_answers
from tests.support.kafka.jars import KafkaMissing, classpath
from tests.support.kafka.processes import KafkaOnJava


class RealKafka(Protocol):
    """A running broker; whoever stops or kills it starts it again before the next test."""

    @property
    def bootstrap(self) -> str:
        """`host:port`, the same before and after a restart."""

    def start(self) -> None:
        """Start it, with all it held; ready for clients on return. Harmless when it runs."""

    def stop(self) -> None:
        """Shut it down in good order; what it holds stays."""

    def kill(self) -> None:
        """End it with SIGKILL; what it holds stays."""

    def close(self) -> None:
        """Stop it for good."""


@contextmanager
def running(folder: Path) -> Iterator[RealKafka]:
    """A new, empty broker with its files in `folder`. Raises KafkaMissing with the reason."""
    broker = _choose(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.close()


def _choose(folder: Path) -> RealKafka:
    wanted = os.environ.get("RETARGET_TEST_KAFKA", "")
    if wanted != "docker":
        try:
            return KafkaOnJava(folder, classpath())
        except KafkaMissing:
            if wanted == "java" or not engine_answers():
                raise
    if not engine_answers():
        raise KafkaMissing("no Docker engine answers")
    return KafkaInContainer()


async def create_topic(
    bootstrap: str, name: str, partitions: int, configs: Mapping[str, str] | None = None
) -> None:
    """Create one topic on a single-node broker. Raises aiokafka's errors, as for one that exists already."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        topic = NewTopic(name, partitions, replication_factor=1, topic_configs=dict(configs or {}))
        await admin.create_topics([topic])
    finally:
        await admin.close()


async def drop_records(bootstrap: str, place: TopicPartition, before: int) -> None:
    """Have a partition begin at an offset, as retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_records({place: RecordsToDelete(before)})
    finally:
        await admin.close()
