"""What topics there are, asked without making the broker create any."""

from __future__ import annotations

from collections.abc import Sequence

from aiokafka.errors import KafkaError, TopicAuthorizationFailedError
from aiokafka.protocol.metadata import MetadataRequest

from retarget.errors import BadInput, Unreachable
from retarget.rules.names import nearest
from streams.kafka.connection import KafkaAddress
from streams.kafka.refusals import refusal
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


async def partitions_of(address: KafkaAddress, topics: Sequence[str]) -> dict[str, int]:
    """The same of these topics, those that are not there left out.

    A topic that is hidden from whoever asks is no topic that is not there. Raises BadInput with each right
    that is missing, Unreachable.
    """
    client = address.client()
    try:
        await client.bootstrap()
        asked = MetadataRequest([*topics], allow_auto_topic_creation=False)
        answer = (await client.send(client.get_random_node(), asked)).to_object()["topics"]
    except (KafkaError, TimeoutError) as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", str(error)) from error
    finally:
        await client.close()
    hidden = [one["topic"] for one in answer if one["error_code"] == TopicAuthorizationFailedError.errno]
    if hidden:
        raise BadInput([refusal(TopicAuthorizationFailedError(topic), "Describe") for topic in hidden])
    return {one["topic"]: len(one["partitions"]) for one in answer if one["partitions"]}


async def partitions_of_topic(address: KafkaAddress, topic: str) -> int:
    """How many partitions a topic has. Raises Unreachable, and BadInput without such a topic or the right."""
    if found := (await partitions_of(address, [topic])).get(topic):
        return found
    existing = await existing_topics(address)
    remedy = f"{nearest(topic, {*existing, *CHANNELS})}; `retarget topics` creates those of the engine"
    raise BadInput([f"there is no topic {topic} at {address.bootstrap}{remedy}"])
