"""The keys that are in their topic: the latest of each person, without repeats."""

from __future__ import annotations

from collections.abc import Mapping

from streams.kafka.headers import RepeatFilter
from streams.kafka.reader import Reader
from streams.topics import KEYS


class KeysInTopic:
    """Reads them; `reader` is shared and not closed here."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def __call__(self, lane: int) -> Mapping[str, bytes]:
        """The key of each person of a lane, as it is kept; empty where it was thrown away.

        Raises UnknownOutcome, LaneRefused.
        """
        begin, end = await self._reader.beginning(KEYS, lane), await self._reader.end(KEYS, lane)
        if begin == end:
            return {}
        found = await self._reader.read_with_headers(KEYS, lane, begin, end)
        repeats, known = RepeatFilter(), dict[str, bytes]()
        for record, headers in zip(found.records, found.headers, strict=True):
            if repeats.is_new(KEYS, lane, headers):
                known[(record.key or b"").decode()] = record.value or b""
        return known
