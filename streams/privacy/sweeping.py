"""Reading all partitions at once in which something of a person can be, within a time.

What is looked at is what lies there, for whoever reads it: repeats, and what transactions have taken back.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from retarget.errors import BadInput, Unreachable
from streams.kafka.connection import KafkaAddress
from streams.kafka.creation import configured
from streams.kafka.inventory import partitions_of
from streams.kafka.looking import Seen, Span, looking, seen_of
from streams.kafka.reader import Reader
from streams.kafka.refusals import is_refusal, refusal
from streams.ports import UnknownOutcome
from streams.privacy.scanning import inside
from streams.topics import DEAD, partition_of

_POLL_MS: Final = 200
_AT_ONCE: Final = 5_000
_PATIENCE_S: Final = 5.0
_RETENTION: Final = "retention.ms"
_POLICY: Final = "cleanup.policy"
_FOREVER: Final = -1
_INTEGER: Final = re.compile(r"-?(0|[1-9][0-9]*)")


class Swept(NamedTuple):
    """The records under the ids by topic, and a line for each partition that was not read to its end.

    `retention`: what the broker says of how long it keeps each topic, ms (-1: for ever), where it says so.
    """

    found: Mapping[str, list[Seen]]
    unread: Sequence[str]
    retention: Mapping[str, int]


async def sweep(address: KafkaAddress, topics: Sequence[str], ids: Collection[str], until: float) -> Swept:
    """Read all that is there now, until a moment of `time.monotonic`. Raises Unreachable, BadInput.

    Of dead letters all: those of records that could not be read are under no id, and may name one.
    What is asked before the reading has the client's own bounds, as everywhere.
    """
    keys = {name.encode() for name in ids}
    found: dict[str, list[Seen]] = {}
    there = await partitions_of(address, topics)
    left: dict[TopicPartition, Span | None] = {
        TopicPartition(topic, number): None
        for topic, partitions in there.items()
        for number in _partitions(topic, partitions, keys)
    }
    retention = await _retention(address, [*there])
    await _measure(address, left)
    async with looking(address, "read_uncommitted") as consumer:
        await _read(consumer, left, _Wanted(keys), found, until)
    return Swept(found, [_said(place, span) for place, span in left.items()], retention)


def _said(place: TopicPartition, span: Span | None) -> str:
    where = "from its beginning on" if span is None else f"from offset {span.start} to {span.end}"
    return f"{place.topic}[{place.partition}] {where}"


def _partitions(topic: str, number: int, keys: Collection[bytes]) -> Sequence[int]:
    return range(number) if topic == DEAD else sorted({partition_of(key, number) for key in keys})


class _Wanted:
    """Whether a record is of the person: by its key, or by an id as JSON has it in a dead letter."""

    def __init__(self, keys: Collection[bytes]) -> None:
        self._keys = keys
        self._written = re.compile(b"|".join(_as_json(key.decode()) for key in sorted(keys)))

    def __call__(self, topic: str, key: bytes | None, value: bytes | None) -> bool:
        if key in self._keys:
            return True
        if topic != DEAD or not value:
            return False
        return self._written.search(inside(value)) is not None


def _as_json(name: str) -> bytes:
    """Whatever writes this id as a text of JSON, or as a number: of one a decoder makes the same text."""
    text = b'"%b"' % b"".join(map(_character, name))
    return rb"%b|[:\[,]\s*%b(?:\.0+)?\s*[],}]" % (text, name.encode()) if _INTEGER.fullmatch(name) else text


def _character(one: str) -> bytes:
    units = one.encode("utf-16-be").hex()
    ways = [re.escape(json.dumps(one, ensure_ascii=False)[1:-1].encode())]
    ways.append(b"".join(rb"\\u(?i:%b)" % units[at : at + 4].encode() for at in range(0, len(units), 4)))
    return b"(?:%b)" % b"|".join([*ways, rb"\\/"] if one == "/" else ways)


async def _measure(address: KafkaAddress, left: dict[TopicPartition, Span | None]) -> None:
    """Find out from where to where each goes; those that are empty are read. Raises BadInput."""
    reader = Reader(address)
    await reader.start()
    try:
        places = [*left]
        starts = await asyncio.gather(*(reader.beginning(*place) for place in places))
        ends = await asyncio.gather(*(reader.end(*place) for place in places))
    except UnknownOutcome as error:
        if is_refusal(error.__cause__):
            raise BadInput([refusal(error.__cause__, "Read")]) from error
        return  # what is not known is not read, and told
    finally:
        await reader.close()
    for place, start, end in zip(places, starts, ends, strict=True):
        left[place] = Span(start, end)
        if start >= end:
            del left[place]


async def _read(
    consumer: AIOKafkaConsumer,
    left: dict[TopicPartition, Span | None],
    wanted: _Wanted,
    found: dict[str, list[Seen]],
    until: float,
) -> None:
    """Read until nothing is left, nothing comes any more, or the time is up."""
    known = {place: span for place, span in left.items() if span is not None}
    consumer.assign(list(known))
    for place, span in known.items():
        consumer.seek(place, span.start)
    progress = time.monotonic()
    while known and time.monotonic() < min(until, progress + _PATIENCE_S):
        fetched = await consumer.getmany(timeout_ms=_POLL_MS, max_records=_AT_ONCE)
        for place, records in fetched.items():
            progress = time.monotonic()
            for one in records:
                if wanted(place.topic, one.key, one.value):
                    found.setdefault(place.topic, []).append(seen_of(one))
        for place, span in [*known.items()]:
            at = await consumer.position(place)
            left[place] = Span(at, span.end)
            if at >= span.end:
                del known[place], left[place]
                consumer.pause(place)


async def _retention(address: KafkaAddress, topics: Sequence[str]) -> dict[str, int]:
    async with _asking(address) as admin:
        said = await configured(admin, topics)
    # Of a topic that hides its settings nobody could say that what is there goes in time.
    if hidden := [topic for topic, told in said.items() if not told]:
        refused = (TopicAuthorizationFailedError(topic) for topic in hidden)
        raise BadInput([refusal(error, "DescribeConfigs") for error in refused])
    return {topic: kept for topic, told in said.items() if (kept := _kept(told)) is not None}


def _kept(told: Mapping[str, str]) -> int | None:
    """How long by these settings; a topic that is compacted alone drops nothing by its age."""
    if "delete" not in told.get(_POLICY, "delete"):
        return _FOREVER
    return int(told[_RETENTION]) if told.get(_RETENTION) else None


@asynccontextmanager
async def _asking(address: KafkaAddress) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = address.admin()
    try:
        await admin.start()
        yield admin
    except KafkaError as error:
        raise Unreachable("Kafka", address.bootstrap, "kafka.bootstrap", repr(error)) from error
    finally:
        await admin.close()
