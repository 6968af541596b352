"""How the consumer reads; durations are milliseconds, sizes bytes."""

from __future__ import annotations

import msgspec


class ReadSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one worker's consumer that Faust has no name for."""

    worker_id: str  # the static member of the group: a restart under the same id moves nothing
    alone: bool = False  # take every partition without a group: at once, but only for a single worker
    session_timeout_ms: int = 15_000  # a worker silent for so long has lost its lanes
    read_committed: bool = True
    fetch_max_wait_ms: int = 50
    max_partition_fetch_bytes: int = 4 * 1024 * 1024
    chunk_records: int = 10_000  # a chunk is cut there; what is left of the fetch comes as the next one

    @property
    def isolation_level(self) -> str:
        """Kafka's name for it."""
        return "read_committed" if self.read_committed else "read_uncommitted"
