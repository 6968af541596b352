"""Opening what was sealed, by the keys that the store has of people.

The store may be behind what has left a lane, by a batch or, while it is brought back, by more: only when it
has come to the record's own batch a key that is missing is gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from retarget.journeys import wire
from streams.sealing import records
from streams.sealing.keys import Wrapping
from streams.sealing.records import Sealed
from streams.topics import lane_of


class Unopened(Enum):
    """Why a record is not opened."""

    GONE = "its key is gone: the person was forgotten"
    NOT_YET = "the store has not come to its batch"
    FOREIGN = "none of privacy.keys opens the key of its person"


class _Journeys(Protocol):
    async def load(self, lane: int, persons: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """The journeys of these people, and the sequence read at. Raises UnknownOutcome."""


class Opening:
    """Opens records."""

    def __init__(self, store: _Journeys, lanes: int, secrets: Sequence[str]) -> None:
        self._store, self._lanes, self._wrapping = store, lanes, Wrapping(secrets)

    async def __call__(self, values: Sequence[bytes]) -> list[bytes | Unopened]:
        """Each record as it was before it was sealed; what is not sealed as it is.

        Raises UnknownOutcome, LaneRefused for a journey of another build.
        """
        read = [records.read(value) for value in values]
        kept = await self._kept({one.person for one in read if one is not None})
        return [
            value if one is None else self._opened(one, *kept[one.person])
            for value, one in zip(values, read, strict=True)
        ]

    async def _kept(self, persons: set[str]) -> dict[str, tuple[int, bytes]]:
        """The wrapped key of each, empty for none, and how far their lane has come in the store."""
        by_lane: dict[int, list[str]] = {}
        for person in sorted(persons):
            by_lane.setdefault(lane_of(person, self._lanes), []).append(person)
        found: dict[str, tuple[int, bytes]] = {}
        for lane, names in by_lane.items():
            sequence, journeys = await self._store.load(lane, names)
            for name, data in zip(names, journeys, strict=True):
                found[name] = sequence, b"" if data is None else wire.decode(data).key
        return found

    def _opened(self, sealed: Sealed, sequence: int, kept: bytes) -> bytes | Unopened:
        key = self._wrapping.opened(sealed.person, kept) if kept else None
        whole = None if key is None or not sealed.data else records.opened(sealed, key)
        if whole is not None:
            return whole
        if sealed.data and sequence < sealed.batch:
            return Unopened.NOT_YET
        return Unopened.FOREIGN if kept and key is None else Unopened.GONE
