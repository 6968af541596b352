"""The transport that the shell gives to its Faust app, and the schema that reads its messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar, cast

import faust
from faust.transport.drivers.aiokafka import Transport
from faust.types import AppT, Message
from faust.types.transports import ConsumerT
from yarl import URL

from streams.transport.chunks import Chunk
from streams.transport.consumer import ChunkConsumer
from streams.transport.drain import FetchFailed
from streams.transport.settings import ReadSettings


class ChunkTransport(Transport):
    """aiokafka, read in chunks."""

    Consumer: ClassVar[type[ConsumerT]] = ChunkConsumer

    def __init__(
        self,
        url: list[URL],
        app: AppT,
        *,
        settings: ReadSettings,
        on_fault: Callable[[FetchFailed], Awaitable[None]] | None = None,
    ) -> None:
        """Without `on_fault` a fetch that fails ends the app."""
        super().__init__(url, app)
        self.settings = settings
        self._on_fault = on_fault

    async def fault(self, failure: FetchFailed) -> None:
        """Hold the partition and tell; raises `failure` itself when there is nobody to tell."""
        if self._on_fault is None:
            raise failure
        cast("ChunkConsumer", self.app.consumer).thread.hold(failure.partition)
        await self._on_fault(failure)


class ChunkSchema(faust.Schema[None, Chunk]):
    """There is nothing to decode: the value of a message is its chunk."""

    def loads_key(self, app: AppT, message: Message, **options: object) -> None:
        """A chunk has many keys, so none."""

    def loads_value(self, app: AppT, message: Message, **options: object) -> Chunk:  # noqa: ARG002
        """The chunk."""
        return cast("Chunk", message.value)
