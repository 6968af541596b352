"""The shelf: the topic that keeps every bundle of rules by its id, and says which one is published."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

import msgspec

from retarget.errors import BadInput
from streams.kafka.connection import KafkaAddress
from streams.kafka.inventory import partitions_of_topic
from streams.kafka.reader import Reader
from streams.kafka.sending import Outgoing, producing, send
from streams.ports import Record
from streams.topics import RULES

log: Final = logging.getLogger("retarget.rules")

# The key beside those that are ids; it has no hex digits only.
PUBLISHED: Final = b"published"
# Everything is in one partition, so that all see what is published in one order.
_PARTITION: Final = 0


class Pointer(msgspec.Struct, frozen=True, kw_only=True):
    """Which bundle is published since when (RFC 3339)."""

    bundle: str
    at: str
    schema: int = 1


class Shelved(NamedTuple):
    """One bundle as it lies in the topic; `at` is when it was put there, epoch ms."""

    at: int
    value: bytes


_decoder: Final = msgspec.json.Decoder(Pointer)


def pointer_of(value: bytes) -> Pointer:
    """What a record says is published. Raises BadInput for one that says nothing of it."""
    try:
        return _decoder.decode(value)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadInput([f"it does not say what is published ({error})"]) from None


class Shelf:
    """What the topic held when it was last read. An async context manager; needs the topic."""

    def __init__(self, address: KafkaAddress, topic: str = RULES) -> None:
        self._address, self._topic = address, topic
        self._reader = Reader(address)
        self._reading = asyncio.Lock()
        self._read_to = 0
        self._shelved: dict[str, Shelved] = {}
        self._published: Pointer | None = None

    async def __aenter__(self) -> Self:
        """Connect and read everything. Raises Unreachable, UnknownOutcome, BadInput without the topic."""
        await partitions_of_topic(self._address, self._topic)
        await self._reader.start()
        try:
            await self.refresh()
        except BaseException:
            await self._reader.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Disconnect."""
        await self._reader.close()

    @property
    def shelved(self) -> Mapping[str, Shelved]:
        """Every bundle by its id, the oldest first."""
        return self._shelved

    @property
    def published(self) -> Pointer | None:
        """The bundle that is published; None before the first time."""
        return self._published

    async def refresh(self) -> None:
        """Read what has come since. Raises UnknownOutcome."""
        async with self._reading:
            await self._read_on()

    async def _read_on(self) -> None:
        end = await self._reader.end(self._topic, _PARTITION)
        if end > self._read_to:
            for record in await self._reader.read(self._topic, _PARTITION, self._read_to, end):
                self._take(record)
            self._read_to = end

    def _take(self, record: Record) -> None:
        key, value = record.key or b"", record.value or b""
        if key == PUBLISHED:
            self._point(record.offset, value)
        else:
            self._shelved.setdefault(key.decode(errors="replace"), Shelved(record.timestamp, value))

    def _point(self, offset: int, value: bytes) -> None:
        try:
            self._published = pointer_of(value)
        except BadInput as error:
            log.warning("%s: offset %d: %s", self._topic, offset, error)

    async def put(self, bundle: str, value: bytes) -> bool:
        """Shelve a bundle under its id; False when it was there.

        Raises Unreachable, BadInput, UnknownOutcome.
        """
        await self.refresh()
        if bundle in self._shelved:
            return False
        await self._write(bundle.encode(), value)
        return True

    async def publish(self, bundle: str, at: str) -> bool:
        """Make a shelved bundle the published one, at this time (RFC 3339); False when it was already."""
        await self.refresh()
        assert bundle in self._shelved, "what is published must be there to be read"
        if self._published is not None and self._published.bundle == bundle:
            return False
        await self._write(PUBLISHED, msgspec.json.encode(Pointer(bundle=bundle, at=at)))
        return True

    async def _write(self, key: bytes, value: bytes) -> None:
        async with producing(self._address) as producer:
            await send(producer, [Outgoing(self._topic, _PARTITION, key, value)])
        await self.refresh()
