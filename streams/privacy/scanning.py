"""Looking for what is left of a person: in every lane of the store, in every snapshot, in the topics.

Everything is looked at, whoever it is under, not only where the person should be: that is what it proves. Ids
are compared whole, and where they stand for people: a product may have the same name.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from retarget.errors import BadInput
from retarget.journeys import wire
from retarget.journeys.model import Journey
from streams.images import Folder, manifest, parts
from streams.kafka.connection import KafkaAddress
from streams.kafka.looking import Seen
from streams.lanes import positions
from streams.ports import Portion
from streams.privacy.people import Kept
from streams.privacy.topics import of_person
from streams.sealing.opening import Opening, Unopened
from streams.stores import Store
from streams.topics import CHANNELS, DEAD, KEYS, MERGE, dead_channel_topic

# Beside the inputs, the decisions and the messages: what may hold something of a person.
OTHERS: Final = (DEAD, *map(dead_channel_topic, CHANNELS), MERGE, KEYS)


class _Letter(msgspec.Struct):
    raw: str


_letter: Final = msgspec.json.Decoder(_Letter).decode


class Find(NamedTuple):
    """Something of a person; `is_mark`: only that they were erased, which stays."""

    place: str
    name: str
    what: str
    is_mark: bool = False


class InTopic(NamedTuple):
    """How many records of a topic are under the ids; times of the first and the last, epoch ms.

    `sealed`: how many of them nobody can read any more.
    """

    topic: str
    records: int
    first: int
    last: int
    sealed: int = 0


class Scanner:
    """Looks for some ids."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = frozenset(names)
        # As a journey has them: with the length before, so that no longer name is meant.
        self._written = [msgspec.msgpack.encode(name) for name in names]

    async def store(self, store: Store, lanes: int) -> list[Find]:
        """What the lanes hold; they may be at work. Raises UnknownOutcome, LaneRefused."""
        found: list[Find] = []
        for lane in range(lanes):
            found += self._positions((await store.image(lane)).meta, f"lane {lane}")
            found += [one async for one in self._portions(store.portions(lane), f"lane {lane}")]
        return list(dict.fromkeys(found))  # a portion may come twice

    def snapshots(self, folder: Folder) -> list[Find]:
        """What the snapshots hold, those included that are not whole. Raises BadInput, LaneRefused."""
        return [one for path in folder.everything() for one in self.snapshot(path)]

    async def topics(
        self, address: KafkaAddress, topics: Sequence[str], opening: Opening | None = None
    ) -> list[InTopic]:
        """What the topics hold under these ids, and what of it `opening` does not open.

        Raises Unreachable, UnknownOutcome.
        """
        by_topic: dict[str, list[Seen]] = {}
        async for seen in of_person(address, topics, self._names):
            by_topic.setdefault(seen.topic, []).append(seen)
        return [await _in_topic(topic, found, opening) for topic, found in by_topic.items()]

    def snapshot(self, path: Path) -> Iterator[Find]:
        """What one snapshot holds. Raises BadInput, LaneRefused."""
        for part in sorted(path.glob("*.part")):
            place = f"snapshot {path.name}, {part.name}"
            try:
                for portion in parts.read(part):
                    yield from self._portion(portion, place)
            except (OSError, EOFError, ValueError) as error:
                raise BadInput(
                    [f"{part}: cannot be read ({error}); remove it, nobody comes back from it"]
                ) from error
        if (path / manifest.NAME).is_file():
            for entry in manifest.read(path).lanes:
                yield from self._positions(entry.meta, f"snapshot {path.name}, {manifest.NAME}")

    async def _portions(self, portions: AsyncIterator[Portion], place: str) -> AsyncIterator[Find]:
        async for portion in portions:
            for one in self._portion(portion, place):
                yield one

    def _portion(self, portion: Portion, place: str) -> Iterator[Find]:
        names = self._names
        for person, data in portion.journeys:
            if person in names or any(written in data for written in self._written):
                yield from self._journey(person, wire.decode(data), place)
        for person, _ in portion.waits:
            if person in names:
                yield Find(place, person, "a wait")
        for product, person in portion.following:
            if person in names:
                yield Find(place, person, f"follows product {product}")

    def _journey(self, person: str, journey: Journey, place: str) -> Iterator[Find]:
        if person in self._names:
            is_mark = Kept(0, journey, None).is_mark
            yield Find(place, person, "that they were erased" if is_mark else "a journey", is_mark)
            return
        for name in sorted(self._names & {*_people_in(journey)}):
            yield Find(place, name, f"named in the journey of {person}")

    def _positions(self, meta: bytes, place: str) -> Iterator[Find]:
        for spread in positions.decode(meta).spreads:
            if spread.after in self._names:
                yield Find(place, spread.after, "where news of the catalogue have come to, for a moment")


async def _in_topic(topic: str, found: list[Seen], opening: Opening | None) -> InTopic:
    times, values = [seen.timestamp for seen in found], [inside(seen.value or b"") for seen in found]
    if topic == KEYS:
        sealed = values.count(b"")
    elif opening is None:
        sealed = 0
    else:
        sealed = [*await opening(values)].count(Unopened.GONE)
    return InTopic(topic, len(found), min(times), max(times), sealed)


def inside(value: bytes) -> bytes:
    """What a dead letter of a channel service has put aside; anything else as it is."""
    try:
        return b64decode(_letter(value).raw)
    except (msgspec.MsgspecError, ValueError):
        return value


def _people_in(journey: Journey) -> Iterator[str]:
    """Everybody that a journey names beside its own person."""
    yield from filter(None, (journey.user_id, journey.anonymous_id))
    yield from journey.joined
    yield from (to for _, to in journey.moved)
    yield from (one.person for one in journey.deferred if one.person)
    yield from (one.key for one in journey.sends if one.key)
