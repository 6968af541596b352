"""Reuniting: whoever turned out to be one with somebody of another part of their lane is moved there.

That is known only when all is read, so the parts are read once more, if there is anybody to move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec

from streams.backtest.spill import Sorted, Spill

# So many entries are in memory before they are written.
_KEPT: Final = 100_000


class _Who(msgspec.Struct):
    user_id: str | None = None
    anonymous_id: str | None = None


_who: Final = msgspec.json.Decoder(_Who).decode


class Kin:
    """Names that may be one person's, or belong to one device: what happens to one may concern the others."""

    def __init__(self) -> None:
        self._leads: dict[str, str] = {}

    def meet(self, one: str, other: str) -> None:
        """These two have stood in one event."""
        first, second = sorted((self.root(one), self.root(other)))
        if first != second:
            self._leads[second] = first

    def root(self, name: str) -> str:
        """The name that stands for all of them."""
        while (lead := self._leads.get(name)) is not None:
            name = lead
        return name

    def moved(self, part_of: Callable[[str], int]) -> dict[str, int]:
        """Who leaves their part, and for which."""
        names = {*self._leads, *self._leads.values()}
        parts = {name: part_of(self.root(name)) for name in sorted(names)}
        return {name: part for name, part in parts.items() if part != part_of(name)}


def reunited(parts: Sequence[Sorted], moved: dict[str, int], head: int) -> list[Sorted]:
    """The parts of a lane with everybody where they belong; the former files are removed.

    An entry is an event in JSON behind a `head` of so many bytes. What only tells the time goes along with
    whoever is moved: it is true for all of the lane.
    """
    spills = [Spill(Path(f"{part.path}-reunited")) for part in parts]
    waiting = 0
    for number, part in enumerate(parts):
        for key, value, to in _placed(part, number, moved, head):
            for target in to:
                spills[target].add(key, value)
            waiting += len(to)
            if waiting > _KEPT:
                waiting = 0
                for spill in spills:
                    spill.flush()
        part.remove()
    return [spill.close() for spill in spills]


def _placed(
    part: Sorted, number: int, moved: dict[str, int], head: int
) -> Iterator[tuple[bytes, bytes, set[int]]]:
    """Each entry with the parts in which it belongs."""
    targets = {moved.get(person, number) for _, _, person in _people(part, head)} | {number}
    for key, value, person in _people(part, head):
        yield key, value, {moved.get(person, number)} if person else targets


def _people(part: Sorted, head: int) -> Iterator[tuple[bytes, bytes, str]]:
    """Each entry with its person; none where it only tells the time."""
    for key, value in part.read():
        who = _who(memoryview(value)[head:])
        yield key, value, who.user_id or who.anonymous_id or ""
