"""How far every partition has been handed over, as the main loop knows it.

The consumer runs in a thread of its own and Faust may drop what is on the way between the two. Here that
shows: a chunk is handed over only if it follows the last seek and begins where the one before it ended.
"""

from __future__ import annotations

from enum import Enum

from streams.transport.chunks import Chunk, Partition


class Admission(Enum):
    """What to do with a chunk that arrived."""

    GO = "go"  # hand it over
    STALE = "stale"  # fetched before the last seek, or of a partition that is no longer ours: forget it
    BROKEN = "broken"  # something between is missing: seek to the position again


class Positions:
    """The positions of the assigned partitions; a partition has none until it is sought."""

    def __init__(self) -> None:
        self._serial = 0
        self._sought: dict[Partition, int] = {}
        self._expected: dict[Partition, int] = {}
        self._handed: dict[Partition, int] = {}

    def seek(self, partition: Partition, offset: int) -> int:
        """Expect `offset` next; the serial that chunks must carry from now on."""
        self._serial += 1
        self._sought[partition] = self._serial
        self._expected[partition] = self._handed[partition] = offset
        return self._serial

    def admit(self, chunk: Chunk) -> Admission:
        """Judge a chunk, and expect what follows it when it was the expected one."""
        partition = Partition(chunk.topic, chunk.partition)
        if self._sought.get(partition) != chunk.seek:
            return Admission.STALE
        if self._expected[partition] != chunk.before:
            return Admission.BROKEN
        self._expected[partition] = chunk.next
        return Admission.GO

    def handed_over(self, chunk: Chunk) -> None:
        """Whoever an admitted chunk was for has it now."""
        partition = Partition(chunk.topic, chunk.partition)
        if self._sought.get(partition) == chunk.seek:
            self._handed[partition] = chunk.next

    def position(self, partition: Partition) -> int | None:
        """The offset after the last chunk handed over, or the one sought since; None without either."""
        return self._handed.get(partition)

    def clear(self) -> None:
        """Forget everything: the assignment has changed."""
        self._sought.clear()
        self._expected.clear()
        self._handed.clear()
