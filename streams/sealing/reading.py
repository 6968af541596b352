"""What opens sealed records, by the settings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from streams.sealing.opening import Opening, Unopened
from streams.settings import Settings
from streams.stores import open_store


@asynccontextmanager
async def opening_of(settings: Settings) -> AsyncIterator[Opening | None]:
    """An opening by the engine's store; None without privacy.keys. Raises Unreachable."""
    if not settings.privacy.keys:
        yield None
        return
    store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
    try:
        yield Opening(store, settings.kafka.partitions, settings.privacy.keys)
    finally:
        await store.close()


async def as_far_as_opened(settings: Settings, values: Sequence[bytes]) -> list[bytes]:
    """Each record opened, or as it is where that cannot be.

    Raises Unreachable, UnknownOutcome, LaneRefused.
    """
    async with opening_of(settings) as opening:
        found = list(values) if opening is None else await opening(values)
    return [value if isinstance(one, Unopened) else one for value, one in zip(values, found, strict=True)]
