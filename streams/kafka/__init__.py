"""The Kafka side of the lanes: journal, outputs, bounded reads, topics."""

from streams.kafka.connection import KafkaAddress
from streams.kafka.creation import create_or_check, specs_of
from streams.kafka.headers import Mark, Marks, RepeatFilter, Stamp, decode_headers, encode_headers
from streams.kafka.idempotent import IdempotentLog
from streams.kafka.reader import Reader
from streams.kafka.transactional import TransactionalLog

__all__ = [
    "IdempotentLog",
    "KafkaAddress",
    "Mark",
    "Marks",
    "Reader",
    "RepeatFilter",
    "Stamp",
    "TransactionalLog",
    "create_or_check",
    "decode_headers",
    "encode_headers",
    "specs_of",
]
