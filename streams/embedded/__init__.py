"""Servers started on this machine for `retarget demo` and the tests: a broker and a store, in memory."""

from streams.embedded.broker import EmbeddedBroker
from streams.embedded.processes import PartMissing, StartFailed
from streams.embedded.store import EmbeddedStore

__all__ = ["EmbeddedBroker", "EmbeddedStore", "PartMissing", "StartFailed"]
