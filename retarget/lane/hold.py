"""The hold: events that are read but not yet reached by the clock, in the order in which they are applied."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from retarget.touchpoints import Touchpoint

# At one moment the catalogue comes before people, whatever the topics are called; then who they are.
CATALOGUE: Final = 0
PEOPLE: Final = 1
WORDS: Final = 2
# After every time there is.
NOTHING: Final = 2**63
_NONE: Final[list[Touchpoint]] = []
# Applied entries are cut off in portions; to cut after each would move the whole list each time.
_SPARE: Final = 4096


class Held(NamedTuple):
    """One held event; the order is by time, the catalogue first, then by place in the input."""

    time: int
    rank: int  # CATALOGUE, PEOPLE or WORDS
    topic: str
    offset: int
    event: Touchpoint


class Hold:
    """Held events in order of time. Those that may end something can also be asked for by person."""

    def __init__(self, ending_types: frozenset[str]) -> None:
        self.first = NOTHING  # the time of the first held event
        self.listings = 0  # how many of them are the catalogue's
        self._entries: list[Held] = []
        self._head = 0
        self._ending_types = ending_types
        self._endings: dict[str, list[Touchpoint]] = {}

    def __len__(self) -> int:
        return len(self._entries) - self._head

    def __iter__(self) -> Iterator[Held]:
        return iter(self._entries[self._head :])

    def add(self, held: Held) -> None:
        """Keep an event until its time; in order of arrival this is an append."""
        entries = self._entries
        if not entries or entries[-1] < held:
            entries.append(held)
        else:
            insort(entries, held, lo=self._head)
        self.first = min(self.first, held.time)
        if held.rank == CATALOGUE:
            self.listings += 1
        elif held.event.type in self._ending_types:
            self._endings.setdefault(held.event.person, []).append(held.event)

    def pop(self) -> Held:
        """Take the first held event out."""
        entries = self._entries
        held = entries[self._head]
        self._head += 1
        self.first = entries[self._head].time if self._head < len(entries) else NOTHING
        if self._head >= _SPARE:
            del entries[: self._head]
            self._head = 0
        if held.rank == CATALOGUE:
            self.listings -= 1
        elif held.event.type in self._ending_types:
            self._released(held.event)
        return held

    def take_of(self, person: str, most: int | None = None) -> list[Held]:
        """Take out the held events of a person, in order; the first `most` of them, where they are more."""
        mine = [held for held in self if held.rank == PEOPLE and held.event.person == person][:most]
        if mine:
            places = {(held.topic, held.offset) for held in mine}
            self._entries = [held for held in self if (held.topic, held.offset) not in places]
            self._head = 0
            self.first = self._entries[0].time if self._entries else NOTHING
            for held in mine:
                if held.event.type in self._ending_types:
                    self._released(held.event)
        return mine

    def _released(self, event: Touchpoint) -> None:
        mine = self._endings[event.person]
        mine.remove(event)
        if not mine:
            del self._endings[event.person]

    def endings_of(self, person: str) -> list[Touchpoint]:
        """What is known early about a person: held events that may end something, in order of time."""
        mine = self._endings.get(person)
        return sorted(mine, key=lambda event: event.time) if mine else _NONE

    def until(self, time: int) -> Iterator[Held]:
        """The held events with times up to `time`, without taking them out."""
        for index in range(self._head, len(self._entries)):
            held = self._entries[index]
            if held.time > time:
                return
            yield held

    def ranges(self) -> dict[str, list[tuple[int, int]]]:
        """Where the held events stand in the input: topic -> half-open ranges of offsets, ascending."""
        offsets: dict[str, list[int]] = {}
        for held in self:
            offsets.setdefault(held.topic, []).append(held.offset)
        return {topic: _ranges(sorted(found)) for topic, found in offsets.items()}


def _ranges(offsets: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for offset in offsets:
        if found and found[-1][1] == offset:
            found[-1] = (found[-1][0], offset + 1)
        else:
            found.append((offset, offset + 1))
    return found
