"""Records deleted from the beginning of a topic's partitions."""

from __future__ import annotations

from collections.abc import Mapping

from aiokafka import TopicPartition
from aiokafka.admin import RecordsToDelete
from aiokafka.errors import KafkaError

from retarget.errors import BadInput, Unreachable
from streams.kafka.connection import KafkaAddress
from streams.kafka.refusals import is_refusal, refusal


async def delete_before(address: KafkaAddress, topic: str, offsets: Mapping[int, int]) -> None:
    """Delete what lies before these offsets, by partition, which must not exceed the ends.

    Raises BadInput when the broker refuses, Unreachable.
    """
    wanted = {TopicPartition(topic, lane): RecordsToDelete(before) for lane, before in offsets.items()}
    if not wanted:
        return
    admin = address.admin()
    try:
        await admin.start()
        await admin.delete_records(wanted)
    except (KafkaError, TimeoutError) as error:
        if is_refusal(error) or not getattr(error, "retriable", True):
            said = refusal(error, "Delete", topic)
            raise BadInput([f"{topic} cannot be cut: {said}; snapshot.merge_kept=0 keeps all"]) from error
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", repr(error)) from error
    finally:
        await admin.close()
