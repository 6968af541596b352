"""Touchpoints as records for a topic: each with its key, in its partition, at a rate or at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

from aiokafka import AIOKafkaProducer

from retarget.decode import encode_touchpoint
from retarget.touchpoints import Touchpoint
from streams.kafka.sending import Outgoing, send
from streams.topics import partition_of

_CHUNK: Final = 5_000
# So often a second records leave when there is a rate.
_BEATS: Final = 10


def outgoing(event: Touchpoint | bytes, topic: str, partitions: int) -> Iterator[Outgoing]:
    """The records for one touchpoint; a heartbeat goes to every partition.

    Bytes are a record that could not be read: it goes on as it is; the engine sets it aside and counts it.
    """
    if isinstance(event, bytes):
        yield keyed(b"", event, topic, partitions)
    elif event.type == "heartbeat" and not event.person:
        yield from heartbeats(event, topic, partitions)
    else:
        product = next((item.product_id for item in event.items if item.product_id), "")
        yield keyed((event.person or product).encode(), encode_touchpoint(event), topic, partitions)


def keyed(key: bytes, value: bytes, topic: str, partitions: int) -> Outgoing:
    """A record in the partition of its key; without a key, in one that depends on the value."""
    return Outgoing(topic, partition_of(key or value, partitions), key or None, value)


def heartbeats(beat: Touchpoint, topic: str, partitions: int) -> Iterator[Outgoing]:
    """The same heartbeat for every partition."""
    value = encode_touchpoint(beat)
    return (Outgoing(topic, partition, None, value) for partition in range(partitions))


async def send_all(
    producer: AIOKafkaProducer,
    records: Iterable[Outgoing],
    *,
    rate: float | None = None,
    sent: Callable[[int], None] = lambda _: None,
) -> int:
    """Send and await every record, at most `rate` a second; how many. `sent` hears of each part's number."""
    started, total, rest = time.monotonic(), 0, iter(records)
    size = _CHUNK if rate is None else max(1, min(_CHUNK, round(rate / _BEATS)))
    while chunk := list(islice(rest, size)):
        await send(producer, chunk)
        total += len(chunk)
        sent(len(chunk))
        if rate is not None:
            await asyncio.sleep(max(0.0, started + total / rate - time.monotonic()))
    return total
