"""Reuniting: whoever turned out to be one with somebody of another part is moved to where they are.

Who is one with somebody of another lane, or came to a lane that is not theirs, is moved to a part beside
those of the lane, which all lanes work off together. That is known only when all is read, so the parts are
read once more, if there is anybody to move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Protocol

import msgspec

from retarget.engine.policy import Policy
from streams.backtest.spill import Sorted, Spill

# So many entries are in memory before they are written.
_KEPT: Final = 100_000


class Ids(Protocol):
    """What an event says of who it is about."""

    user_id: str | None
    anonymous_id: str | None


class _Who(msgspec.Struct):
    user_id: str | None = None
    anonymous_id: str | None = None


def somebody(who: Ids, is_nobody: Callable[[str], bool]) -> str:
    """Whose event it is: beside an anonymous id one that stands for nobody counts as none, as in a lane."""
    user, anonymous = who.user_id, who.anonymous_id
    return anonymous if anonymous and (not user or is_nobody(user)) else user or ""


_who: Final = msgspec.json.Decoder(_Who).decode


class Kin:
    """Names that may be one person's, or belong to one device: what happens to one may concern the others."""

    def __init__(self, home: Callable[[str], int]) -> None:
        """`home`: in which lane a person is."""
        self._leads: dict[str, str] = {}
        self._home, self._astray = home, set[str]()

    def come(self, name: str, lane: int) -> None:
        """Somebody has come to a lane, maybe to one that is not theirs."""
        if self._home(name) != lane:
            self._astray.add(name)

    def hear(self, who: Ids, policy: Policy) -> None:
        """An event: whoever stands in it with both ids is one, if the lanes believe it."""
        user, anonymous = who.user_id, who.anonymous_id
        if not user or not anonymous or anonymous in policy.apart:
            return
        if not (policy.is_nobody(user) or policy.is_nobody(anonymous)):
            self.meet(user, anonymous)

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

    def family(self, name: str) -> frozenset[str]:
        """All names that may be one person's with this one."""
        root, names = self.root(name), {name, *self._leads, *self._leads.values()}
        return frozenset(one for one in names if self.root(one) == root)

    def moved(self, part_of: Callable[[str], int], parts: int) -> dict[str, int]:
        """Who leaves their part of a lane, of so many, and for which; from `parts` on those of all lanes."""
        names = {*self._leads, *self._leads.values(), *self._astray}
        homes: dict[str, set[int]] = {}
        for name in names:
            homes.setdefault(self.root(name), set()).add(self._home(name))
        over = {root for root, lanes in homes.items() if len(lanes) > 1} | set(map(self.root, self._astray))
        to = {name: part_of(root) + parts * (root in over) for name in names for root in (self.root(name),)}
        return {name: part for name, part in to.items() if part != part_of(name)}


def reunited(
    parts: Sequence[Sorted],
    moved: dict[str, int],
    head: int,
    is_nobody: Callable[[str], bool],
    more: Sequence[Path] = (),
) -> list[Sorted]:
    """The parts of a lane with everybody where they belong, and `more`; the former files are removed.

    An entry is an event in JSON behind a `head` of so many bytes. What only tells the time goes along with
    whoever is moved: it is true for all of the lane.
    """
    spills = [Spill(path) for path in (*(Path(f"{part.path}-reunited") for part in parts), *more)]
    waiting = 0
    for number, part in enumerate(parts):
        for key, value, to in _placed(number, moved, partial(_people, part, head, is_nobody)):
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
    number: int, moved: dict[str, int], people: Callable[[], Iterator[tuple[bytes, bytes, str]]]
) -> Iterator[tuple[bytes, bytes, set[int]]]:
    """Each entry with the parts in which it belongs."""
    targets = {moved.get(person, number) for _, _, person in people()} | {number}
    for key, value, person in people():
        yield key, value, {moved.get(person, number)} if person else targets


def _people(part: Sorted, head: int, is_nobody: Callable[[str], bool]) -> Iterator[tuple[bytes, bytes, str]]:
    """Each entry with its person; none where it only tells the time."""
    for key, value in part.read():
        who = _who(memoryview(value)[head:])
        yield key, value, somebody(who, is_nobody)
