"""A person under all their ids, as the store has them: each id in its lane, and in any other that has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from retarget.errors import BadInput
from retarget.journeys import wire
from retarget.journeys.model import Journey
from streams.stores import Store


class Kept(NamedTuple):
    """One stored journey or redirect; `wait` is when the lane looks at it again, epoch ms, None for never."""

    lane: int
    journey: Journey
    wait: int | None

    @property
    def name(self) -> str:
        """The id under which it is stored."""
        return self.journey.person

    @property
    def is_mark(self) -> bool:
        """Whether it says only that the person was erased, and what is never to be sent to them again."""
        one = self.journey
        blank = Journey(person=one.person, marks=one.marks, erased=True, erased_at=one.erased_at)
        blank.alarm = one.alarm
        return wire.encode(one) == wire.encode(blank)


class Person(NamedTuple):
    """A person: the id that stands for them, every id of theirs that is known, and what is stored.

    `others`: which of these ids is somebody else's by now.
    """

    name: str
    ids: list[str]
    kept: list[Kept]
    others: frozenset[str] = frozenset()

    @property
    def journey(self) -> Journey | None:
        """What is stored under the id that stands for them."""
        return next((one.journey for one in self.kept if one.name == self.name), None)


async def find(store: Store, lanes: int, name: str, more: Sequence[str] = ()) -> Person:
    """Everything that is stored of a person, whichever of their ids `name` is; lanes may be at work.

    `more` are ids that were theirs too, as somebody says who knows.

    Raises BadInput for an anonymous id that several people had in turn, LaneRefused for a journey of another
    build, UnknownOutcome.
    """
    found = await under(store, lanes, name)
    owners = {to for one in found for _, to in one.journey.moved}
    if len(owners) > 1:
        said = ", ".join(sorted(owners))
        raise BadInput([f"{name!r} was the device of several people in turn: {said}; name one of them"])
    person = owners.pop() if owners else name
    kept = found if person == name else await under(store, lanes, person)
    ids = {person, name, *more}
    for one in kept:
        ids |= {*one.journey.joined, *filter(None, (one.journey.anonymous_id,))}
    others: set[str] = set()
    for other in sorted(ids - {person}):
        there = await under(store, lanes, other)
        theirs = [one for one in there if _is_theirs(one, person)]
        kept = kept + theirs
        if there and not theirs:
            others.add(other)
    return Person(person, [person, *sorted(ids - {person})], kept, frozenset(others))


async def under(store: Store, lanes: int, name: str) -> list[Kept]:
    """What the lanes have under this very id. Raises UnknownOutcome, LaneRefused."""
    found: list[Kept] = []
    for lane in range(lanes):
        data = await store.journey(lane, name)
        if data is not None:
            found.append(Kept(lane, wire.decode(data), await store.wait_of(lane, name)))
    return found


def _is_theirs(one: Kept, person: str) -> bool:
    """Whether what is stored under another id is this person's, and nobody else's by now."""
    owners = [to for _, to in one.journey.moved]
    return person in owners or (not owners and one.journey.user_id in (None, person))
