"""How clients of the Kafka cluster are made, and how they are got rid of."""

import asyncio
import contextlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec
from aiokafka import AIOKafkaClient, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from streams.kafka.ending import end_once

MAX_RECORD_BYTES: Final = 4 * 1024 * 1024
MAX_BATCH_BYTES: Final = 256 * 1024
TOPIC_RECORD_BYTES: Final = MAX_RECORD_BYTES + MAX_BATCH_BYTES  # with what surrounds the largest record
REQUEST_TIMEOUT_MS: Final = 15_000
_TRANSACTION_TIMEOUT_MS: Final = 15_000
_GRACE_S: Final = 2.0
_NO_OPTIONS: Final[Mapping[str, Any]] = MappingProxyType({})


class KafkaAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where the cluster is; `security` holds aiokafka's options for TLS and SASL."""

    bootstrap: str
    security: Mapping[str, Any] = _NO_OPTIONS

    def client(self) -> AIOKafkaClient:
        """A bare client, for requests of our own; not started."""
        return AIOKafkaClient(**self._options(), client_id="retarget-reader")

    def admin(self) -> AIOKafkaAdminClient:
        """An admin client; not started."""
        return AIOKafkaAdminClient(**self._options(), client_id="retarget-admin")

    def producer(self, transactional_id: str | None = None) -> AIOKafkaProducer:
        """A producer for whole batches; not started."""
        transactions: dict[str, Any] = {}
        if transactional_id is not None:
            transactions = {
                "transactional_id": transactional_id,
                "transaction_timeout_ms": _TRANSACTION_TIMEOUT_MS,
            }
        producer = AIOKafkaProducer(
            **self._options(),
            **transactions,
            acks="all",
            # aiokafka has LZ4 at its slowest level only: four times the time, and half as much again to send.
            compression_type="zstd",
            linger_ms=0,  # batches are built by us
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_RECORD_BYTES,
        )
        if transactional_id is not None:
            end_once(producer)
        return producer

    def _options(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.bootstrap,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            **self.security,
        }


async def discard(producer: AIOKafkaProducer) -> None:
    """End a producer at once: nothing is flushed, nothing is sent again. Never raises but for a cancellation.

    Its own stop() waits for what it still wants to send, for ever when the broker is away; and a sender that
    lives on would end its old transaction whenever the broker comes back.
    """
    producer._closed = True  # noqa: SLF001 - stop() would flush
    sender = producer._sender.sender_task  # noqa: SLF001
    if sender is not None:
        sender.cancel()
    with contextlib.suppress(Exception):
        await asyncio.wait_for(producer.client.close(), _GRACE_S)
    # A cancelled sender waits for its requests; each further cancel reaches the one it waits for.
    for _ in range(20):
        if sender is None or sender.done():
            break
        sender.cancel()
        await asyncio.wait([sender], timeout=_GRACE_S / 20)
    _retrieve(producer, sender)


def _retrieve(producer: AIOKafkaProducer, sender: "asyncio.Task[None] | None") -> None:
    """Read the exceptions that nobody will ask for, or asyncio logs them as lost."""
    manager, accumulator = producer._txn_manager, producer._message_accumulator  # noqa: SLF001
    end = manager.wait_for_transaction_end() if manager is not None else None
    unsent = [one._drain_waiter for queue in accumulator._batches.values() for one in queue]  # noqa: SLF001
    for future in (sender, end, *unsent):
        if future is not None and future.done() and not future.cancelled():
            future.exception()
