"""From the setting `store.url` to a store."""

from __future__ import annotations

from streams.stores.memory import MemoryStore
from streams.stores.packing import Compression
from streams.stores.redis import RedisStore

Store = MemoryStore | RedisStore


async def open_store(url: str, app_id: str, lanes: int, *, compress: Compression = "none") -> Store:
    """The store that `url` names: `memory://`, or one that `RedisStore.connect` takes, with its errors."""
    if url.startswith("memory://"):
        return MemoryStore()
    return await RedisStore.connect(url, app_id, lanes, compress=compress)
