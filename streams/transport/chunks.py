"""What the transport hands over: the records that one fetch brought of one partition."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams.ports import Record


class Partition(NamedTuple):
    """One partition of one topic; equal to, and hashed like, the pairs Faust and aiokafka use."""

    topic: str
    partition: int


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """Everything of one partition from position `before` up to, without, position `next`.

    Offsets between the two that no record has belong to aborted transactions, transaction markers or records
    compacted away, so a chunk may move the position and hold no record at all.
    """

    topic: str
    partition: int
    before: int  # position it was fetched from: `next` of the chunk before, or the offset last sought
    first: int  # offset of the first record; `before` when there is none
    next: int  # position after it
    records: list[Record]
    generation: int  # of the consumer group, when it was fetched
    seek: int = 0  # serial of the seek it follows; chunks of an older one are never handed over


class Tail(NamedTuple):
    """Where a partition ended when the broker last answered a fetch of it."""

    highwater: int  # offset that the next record written gets
    last_stable: (
        int | None
    )  # the first offset of an open transaction, or the high watermark; None if not told
    answered_ms: int  # wall clock of this machine when the answer came, epoch ms
