"""The stores that hold the image of every lane: one in memory, one in Redis or Valkey."""

from streams.stores.memory import MemoryStore
from streams.stores.opening import Store, open_store
from streams.stores.redis import RedisStore

__all__ = ["MemoryStore", "RedisStore", "Store", "open_store"]
