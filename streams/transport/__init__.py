"""Kafka, read in chunks: one Faust message for what one fetch brought of one partition."""

from streams.transport.assignor import NumberAssignor, share_out
from streams.transport.chunks import Chunk, Partition, Tail
from streams.transport.drain import FetchFailed
from streams.transport.settings import ReadSettings
from streams.transport.transport import ChunkSchema, ChunkTransport

__all__ = [
    "Chunk",
    "ChunkSchema",
    "ChunkTransport",
    "FetchFailed",
    "NumberAssignor",
    "Partition",
    "ReadSettings",
    "Tail",
    "share_out",
]
