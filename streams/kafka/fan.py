"""The fan: every record of the catalogue goes to every lane, through a topic that each has a partition of.

Workers share the partitions of the catalogue as an ordinary group. A record may be handed on twice, when its
worker dies before it says that it has done so; but always in order, so a lane that has seen a place in the
catalogue drops everything up to there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from retarget.catalogue import Fanned, pack
from streams.kafka.connection import (
    MAX_BATCH_BYTES,
    MAX_RECORD_BYTES,
    REQUEST_TIMEOUT_MS,
    KafkaAddress,
    discard,
)
from streams.kafka.refusals import is_refusal, refusal
from streams.kafka.sending import Outgoing, send
from streams.topics import FANNED

_log: Final = logging.getLogger("retarget.catalogue")
_POLL_MS: Final = 1_000
# In each portion, before it is multiplied by the lanes.
_AT_ONCE: Final = 500
_PAUSE_S: Final = 2.0
# What is longer is cut, so that it fits into its envelope; a lane makes a dead letter of it all the same.
_LONGEST: Final = MAX_RECORD_BYTES - MAX_BATCH_BYTES
_LONGEST_KEY: Final = 8 * 1024


class Fan:
    """One worker's share of the catalogue."""

    def __init__(
        self,
        address: KafkaAddress,
        *,
        app_id: str,
        topic: str,
        lanes: int,
        handed_on: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`handed_on` hears of the number of records that have gone to all lanes."""
        self._address, self._group = address, f"{app_id}-catalogue"
        self._topic, self._lanes, self._handed_on = topic, lanes, handed_on

    async def run(self) -> None:
        """Hand records on until cancelled; whatever fails is begun anew from what was said to be done."""
        while True:
            try:
                await self._work()
            except (KafkaError, TimeoutError, OSError, AssertionError) as error:
                _log.warning("the catalogue waits: %s", _said(error))
            await asyncio.sleep(_PAUSE_S)

    async def _work(self) -> None:
        consumer, producer = self._consumer(), self._address.producer()
        try:
            await producer.start()
            await consumer.start()
            consumer.subscribe([self._topic])
            while True:
                found = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
                if found:
                    await self._hand_on(consumer, producer, found)
        finally:
            await discard(producer)
            await consumer.stop()

    def _consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            bootstrap_servers=self._address.bootstrap,
            group_id=self._group,
            client_id="retarget-catalogue",
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            **self._address.security,
        )

    async def _hand_on(
        self,
        consumer: AIOKafkaConsumer,
        producer: AIOKafkaProducer,
        found: Mapping[TopicPartition, Sequence[Any]],
    ) -> None:
        records = [record for of_partition in found.values() for record in of_partition]
        await send(producer, [one for record in records for one in self._for_all(record)])
        try:
            await consumer.commit({place: known[-1].offset + 1 for place, known in found.items()})
        except (CommitFailedError, IllegalStateError):
            _log.info("a part of the catalogue has gone to another worker")
        self._handed_on(len(records))

    def _for_all(self, record: Any) -> list[Outgoing]:  # noqa: ANN401 - aiokafka's record has no types
        key = None if record.key is None else record.key[:_LONGEST_KEY]
        value = pack(Fanned(record.partition, record.offset, key, (record.value or b"")[:_LONGEST], time=-1))
        return [Outgoing(FANNED, lane, key, value, timestamp=record.timestamp) for lane in range(self._lanes)]


def _said(error: Exception) -> str:
    if is_refusal(error):
        return refusal(error, "Write" if FANNED in str(error) else "Read")
    return str(error) or type(error).__name__
