"""The keys that are in their topic: the latest of each person, without repeats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streams.kafka.connection import KafkaAddress
from streams.kafka.headers import RepeatFilter
from streams.kafka.reader import Reader
from streams.kafka.sending import Outgoing, producing, send
from streams.topics import KEYS, lane_of

_PORTION: Final = 2_000


class KeysInTopic:
    """Reads them; `reader` is shared and not closed here."""

    def __init__(self, reader: Reader, portion: int = _PORTION) -> None:
        """`portion`: offsets that are read at once."""
        self._reader, self._portion = reader, portion

    async def __call__(self, lane: int) -> Mapping[str, bytes]:
        """The key of each person of a lane, as it is kept; empty where it was thrown away.

        Raises UnknownOutcome, LaneRefused.
        """
        begin, end = await self._reader.beginning(KEYS, lane), await self._reader.end(KEYS, lane)
        repeats, known = RepeatFilter(), dict[str, bytes]()
        for start in range(begin, end, self._portion):
            found = await self._reader.read_with_headers(KEYS, lane, start, min(start + self._portion, end))
            for record, headers in zip(found.records, found.headers, strict=True):
                if repeats.is_new(KEYS, lane, headers):
                    known[(record.key or b"").decode(errors="replace")] = record.value or b""
        return known


async def retire(address: KafkaAddress, reader: Reader, before: int, lanes: int) -> int:
    """Throw away, where they were, the keys of people who change lanes as there become `lanes`; how many.

    Their lane of now would never take them out of the partition of the former one. The journeys have them.

    Raises UnknownOutcome, LaneRefused, Unreachable, BadInput.
    """
    known, moved = KeysInTopic(reader), list[Outgoing]()
    for lane in range(before):
        gone = [name for name, key in (await known(lane)).items() if key and lane_of(name, lanes) != lane]
        moved += [Outgoing(KEYS, lane, name.encode(), b"") for name in gone]
    async with producing(address) as producer:
        await send(producer, moved)
    return len(moved)
