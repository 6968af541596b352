"""Looking for what is left of a person: in every lane of the store, in every snapshot.

Everything is looked at, whoever it is under, not only where the person should be: that is what it proves. Ids
are compared whole, and where they stand for people: a product may have the same name.
"""

from __future__ import annotations

import math
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from retarget.errors import BadInput
from retarget.journeys import wire
from retarget.journeys.model import Journey
from streams.images import Folder, manifest, parts
from streams.lanes import positions
from streams.ports import Portion
from streams.privacy.people import Kept
from streams.stores import Store
from streams.topics import CHANNELS, DEAD, KEYS, MERGE, dead_channel_topic

# Beside the inputs, the decisions and the messages: what may hold something of a person.
OTHERS: Final = (DEAD, *map(dead_channel_topic, CHANNELS), MERGE, KEYS)


class _Letter(msgspec.Struct):
    raw: str


_letter: Final = msgspec.json.Decoder(_Letter).decode


class Find(NamedTuple):
    """Something of a person; `is_mark`: only that they were erased, which stays.

    `leads_on`: an id that is the device of somebody else, who is not looked for; `beside`: what such a device
    has beside that, a wait and its place in the journey of that other one.
    """

    place: str
    name: str
    what: str
    is_mark: bool = False
    leads_on: bool = False
    beside: bool = False


def left_of(found: Sequence[Find]) -> list[Find]:
    """What of it should not be there: of the erased, a device that somebody else has by now may be."""
    gone_on = {one.name for one in found if one.leads_on} if any(one.is_mark for one in found) else set()
    may_be = (one for one in found if one.name in gone_on and (one.leads_on or one.beside))
    stays = {*may_be, *(one for one in found if one.is_mark)}
    return [one for one in found if one not in stays]


class Scanner:
    """Looks for some ids."""

    def __init__(self, names: Sequence[str], until: float = math.inf) -> None:
        """`until`: when to leave off, by `time.monotonic`; everything raises TimeoutError then."""
        self._names, self._until = frozenset(names), until
        # As a journey has them: with the length before, so that no longer name is meant.
        self._written = [msgspec.msgpack.encode(name) for name in names]

    async def store(self, store: Store, lanes: int) -> list[Find]:
        """What the lanes hold; they may be at work. Raises UnknownOutcome, LaneRefused, TimeoutError."""
        found: list[Find] = []
        for lane in range(lanes):
            found += self._positions((await store.image(lane)).meta, f"lane {lane}")
            found += [one async for one in self._portions(store.portions(lane), f"lane {lane}")]
        return list(dict.fromkeys(found))  # a portion may come twice

    def snapshots(self, folder: Folder) -> list[Find]:
        """What the snapshots hold, those included that are not whole.

        Raises BadInput, LaneRefused, TimeoutError.
        """
        return [one for path in folder.everything() for one in self.snapshot(path)]

    def snapshot(self, path: Path) -> Iterator[Find]:
        """What one snapshot holds. Raises BadInput, LaneRefused, TimeoutError."""
        for part in sorted(path.glob("*.part")):
            place = f"snapshot {path.name}, {part.name}"
            try:
                for portion in parts.read(part):
                    yield from self._portion(portion, place)
            except TimeoutError:
                raise
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
        if time.monotonic() > self._until:
            raise TimeoutError
        for person, data in portion.journeys:
            if person in names or any(written in data for written in self._written):
                yield from self._journey(person, wire.decode(data), place)
        for person, _ in portion.waits:
            if person in names:
                yield Find(place, person, "a wait", beside=True)
        for product, person in portion.following:
            if person in names:
                yield Find(place, person, f"follows product {product}")

    def _journey(self, person: str, journey: Journey, place: str) -> Iterator[Find]:
        if person in self._names:
            yield self._under(person, journey, place)
            return
        for name in sorted(self._names & {*_people_in(journey)}):
            yield Find(place, name, f"named in the journey of {person}", beside=True)

    def _under(self, person: str, journey: Journey, place: str) -> Find:
        if Kept(0, journey, None).is_mark:
            return Find(place, person, "that they were erased", is_mark=True)
        owners = {to for _, to in journey.moved}
        if owners and owners.isdisjoint(self._names):
            return Find(place, person, "leads to somebody who was not named", leads_on=True)
        return Find(place, person, "a journey")

    def _positions(self, meta: bytes, place: str) -> Iterator[Find]:
        for spread in positions.decode(meta).spreads:
            if spread.after in self._names:
                yield Find(place, spread.after, "where news of the catalogue have come to, for a moment")


def inside(value: bytes) -> bytes:
    """What a dead letter of a channel service has put aside; anything else as it is."""
    try:
        return b64decode(_letter(value).raw) or value
    except (ValueError, RecursionError):
        return value


def _people_in(journey: Journey) -> Iterator[str]:
    """Everybody that a journey names beside its own person."""
    yield from filter(None, (journey.user_id, journey.anonymous_id))
    yield from journey.joined
    yield from (to for _, to in journey.moved)
    yield from (one.person for one in journey.deferred if one.person)
    yield from (one.key for one in journey.sends if one.key)
