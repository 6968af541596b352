"""More partitions for topics that exist, and whether anybody is at work on them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from aiokafka.admin import NewPartitions
from aiokafka.errors import KafkaError, for_code

from retarget.errors import BadInput, Unreachable
from streams.kafka.connection import KafkaAddress
from streams.kafka.inventory import existing_topics


async def members(address: KafkaAddress, group: str) -> int:
    """How many workers a group has; a killed one counts until its session is over. Raises Unreachable."""
    admin = address.admin()
    try:
        await admin.start()
        (answer,) = await admin.describe_consumer_groups([group])
    except (KafkaError, TimeoutError) as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", repr(error)) from error
    finally:
        await admin.close()
    ((_, _, _, _, _, found, *_),) = answer.groups
    return len(found)


async def widen(address: KafkaAddress, topics: Collection[str], partitions: int) -> list[str]:
    """Give each topic so many partitions; the names of those that had fewer.

    Raises BadInput when one has more or the broker refuses, Unreachable.
    """
    existing = await existing_topics(address)
    wrong = [
        f"topic {name} has {existing.get(name, 0)} partitions, and they cannot become {partitions}"
        for name in topics
        if not 0 < existing.get(name, 0) <= partitions
    ]
    if wrong:
        raise BadInput(wrong)
    fewer = [name for name in topics if existing[name] < partitions]
    admin = address.admin()
    try:
        await admin.start()
        answer: Any = None
        if fewer:
            answer = await admin.create_partitions({name: NewPartitions(partitions) for name in fewer})
    except (KafkaError, TimeoutError) as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", repr(error)) from error
    finally:
        await admin.close()
    refused = [
        f"topic {name}: the broker refuses more partitions: {for_code(code).__name__} {detail or ''}".rstrip()
        for name, code, detail in (answer.topic_errors if answer else ())
        if code
    ]
    if refused:
        raise BadInput(refused)
    return fewer
