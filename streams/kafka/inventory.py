"""What topics there are, asked without making the broker create any."""

from __future__ import annotations

from aiokafka.errors import KafkaError

from retarget.errors import BadInput, Unreachable
from retarget.rules.names import nearest
from streams.kafka.connection import KafkaAddress
from streams.topics import CHANNELS


async def existing_topics(address: KafkaAddress) -> dict[str, int]:
    """The number of partitions of every topic. Raises Unreachable."""
    admin = address.admin()
    try:
        await admin.start()
        return {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics()}
    except (KafkaError, TimeoutError) as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", str(error)) from error
    finally:
        await admin.close()


async def partitions_of_topic(address: KafkaAddress, topic: str) -> int:
    """How many partitions a topic has. Raises Unreachable, and BadInput without such a topic."""
    existing = await existing_topics(address)
    if topic not in existing:
        remedy = f"{nearest(topic, {*existing, *CHANNELS})}; `retarget topics` creates those of the engine"
        raise BadInput([f"there is no topic {topic} at {address.bootstrap}{remedy}"])
    return existing[topic]
