"""What leaves a lane, sealed; the keys go with it, into a topic, before or with what is sealed by them.

A key is drawn at the first record that needs it and kept in the journey. A batch that is repeated finds it in
the topic, so that it is the same key, and the same bytes. It is gone with the journey.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Final, Protocol

import msgspec

from retarget.engine.moment import Result
from retarget.journeys.model import Journey
from streams.ports import Output
from streams.sealing import records
from streams.sealing.keys import PersonKey, Wrapping
from streams.topics import KEYS

Past = Callable[[int], Awaitable[Mapping[str, bytes]]]  # the keys of a lane's people that are in the topic
# What is still to be done when the key has been thrown away.
_UNDOES: Final = frozenset({"remove", "recall"})


class _Lane(Protocol):
    """What is looked at of a lane."""

    journeys: dict[str, Journey]
    redirects: dict[str, Journey]
    partition: int


class _Batch(Protocol):
    """What is looked at of a batch."""

    results: list[Result]
    changed: dict[str, Journey]
    forgotten: list[str]
    keyless: list[str]


class _Operation(msgspec.Struct):
    operation: str


_operation: Final = msgspec.json.Decoder(_Operation).decode


class Leaving(Protocol):
    """One lane's outputs on their way out."""

    async def remember(self, lane: int) -> None:
        """Read the keys that the batches to be repeated have made. Raises UnknownOutcome, LaneRefused."""

    def forget(self) -> None:
        """All is repeated."""

    def repeated(self, lane: _Lane, batch: _Batch) -> None:
        """Give people the keys that they had after a batch which is out already."""

    def leaving(self, lane: _Lane, batch: _Batch, found: list[Output], number: int) -> list[Output]:
        """The outputs of batch `number` as they leave; `found` are those of its results, in their order."""


class AsTheyAre:
    """Leaving without seals."""

    async def remember(self, lane: int) -> None:
        """Nothing has been kept."""

    def forget(self) -> None:
        """Nothing was."""

    def repeated(self, lane: _Lane, batch: _Batch) -> None:
        """Nobody has a key."""

    def leaving(self, _lane: _Lane, _batch: _Batch, found: list[Output], _number: int) -> list[Output]:
        """See Leaving."""
        return found


class Sealing:
    """Leaving with what is personal sealed."""

    def __init__(self, wrapping: Wrapping, past: Past) -> None:
        self._wrapping, self._past = wrapping, past
        self._known: Mapping[str, bytes] = {}

    async def remember(self, lane: int) -> None:
        """See Leaving."""
        self._known = await self._past(lane)

    def forget(self) -> None:
        """See Leaving."""
        self._known = {}

    def repeated(self, lane: _Lane, batch: _Batch) -> None:
        """See Leaving."""
        for person in self._without(lane, batch):
            if key := self._known.get(person):
                self._give(lane, batch, person, key)

    def leaving(self, lane: _Lane, batch: _Batch, found: list[Output], number: int) -> list[Output]:
        """See Leaving. Keys come last: so everything has the same headers whenever it is sent again."""
        new = self._without(lane, batch)
        for person in new:
            self._give(lane, batch, person, self._known.get(person) or self._wrapping.new(person))
        opened: dict[str, PersonKey | None] = {}
        sealed = [
            self._of(result, output, lane, opened, number)
            for result, output in zip(batch.results, found, strict=True)
        ]
        given = [Output(KEYS, person.encode(), _kept(lane, person)) for person in new]
        return sealed + given + [Output(KEYS, person.encode(), b"") for person in _gone(batch)]

    def _without(self, lane: _Lane, batch: _Batch) -> list[str]:
        """Who of those that something is told of has no key yet, in order."""
        told = dict.fromkeys(result.person for result in batch.results if result.kind in records.PERSONAL)
        return [person for person in told if (found := _of(lane, person)) and _lives(found) and not found.key]

    def _give(self, lane: _Lane, batch: _Batch, person: str, key: bytes) -> None:
        journey = _of(lane, person)
        assert journey is not None
        journey.key = key
        batch.changed[person] = journey

    def _of(
        self, result: Result, output: Output, lane: _Lane, opened: dict[str, PersonKey | None], number: int
    ) -> Output:
        if result.kind not in records.PERSONAL:
            return output
        person = result.person
        if person not in opened:
            opened[person] = self._wrapping.opened(person, _kept(lane, person))
        key = opened[person]
        if result.kind == "dead" and _of(lane, person) is None:
            return output  # of a record whose person is not known
        if key is None and result.kind == "message" and _operation(output.value).operation in _UNDOES:
            # Whoever took them in must hear whom to let go, and nothing else.
            return Output(output.topic, output.key, records.undoing(output.value))
        return Output(output.topic, output.key, records.seal(output.value, result.kind, person, key, number))


def _of(lane: _Lane, person: str) -> Journey | None:
    return lane.journeys.get(person) or lane.redirects.get(person)


def _kept(lane: _Lane, person: str) -> bytes:
    journey = _of(lane, person)
    return b"" if journey is None else journey.key


def _lives(journey: Journey) -> bool:
    """Whether more is known of them than that they were forgotten, and what outlives that."""
    return bool(journey.recent_marks or journey.moved)


def _gone(batch: _Batch) -> Iterator[str]:
    """Whose keys are thrown away, if they had any."""
    yield from batch.forgotten
    yield from batch.keyless
    for person, journey in batch.changed.items():
        if not (journey.key or _lives(journey)):
            yield person
