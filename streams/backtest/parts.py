"""Parts: the events of some or all people, worked through by a lane's code under one or two sets of rules."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import merge
from pathlib import Path
from typing import Final

import msgspec

from streams.backtest.crossing import Crossing
from streams.backtest.figures import Comparison, Figures
from streams.backtest.sends import Sends, Sent, read_sent
from streams.backtest.spill import Entry, Sorted
from streams.backtest.splitting import SEVERAL, TIME, Part, Together, product_mark, time_of, unpacked
from streams.lanes.bundle import Bundle
from streams.lanes.limits import Limits
from streams.ports import Record
from streams.replaying import (
    IN_MEMORY,
    LISTED,
    TOPIC,
    RecordFeed,
    Sink,
    clock_record,
    listed_of_file,
    work_through,
)
from streams.stores.memory import MemoryStore
from streams.stores.shelf import Shelf

Progress = Callable[[int], None]
# A whole lane may have any number of people: so many of them are in memory.
_OF_MANY: Final = IN_MEMORY._replace(cached=20_000)


class Outcome(msgspec.Struct, kw_only=True):
    """What came of the input, or of a part of it, under the rules on trial, and against others."""

    rules: Figures
    against: Figures | None = None
    comparison: Comparison | None = None

    def add(self, other: Outcome) -> None:
        """Take in that of another part."""
        self.rules.add(other.rules)
        if self.against is not None and other.against is not None:
            self.against.add(other.against)
        if self.comparison is not None and other.comparison is not None:
            self.comparison.add(other.comparison)


def run_part(
    part: Part | Together, bundle: Bundle, sink: Sink, progress: Progress
) -> Counter[tuple[str, ...]]:
    """Work one part through; what happened, by kind. `bundle` decodes TOPIC as canonical records."""
    with _keeping(part) as (store, limits):
        if isinstance(part, Together):
            ends = [one.caught_up_at for one in part.lanes]
            crossing = Crossing(bundle, sink, part.times, ends, store, limits)
            records = [_Told(one, bundle).records() for one in part.lanes]
            return asyncio.run(crossing.work(records, progress))
        told = _Told(part, bundle)
        feed = RecordFeed(told.records(), lambda: part.caught_up_at, progress)
        return asyncio.run(
            work_through(
                feed,
                bundle,
                sink,
                store=store,
                at_end=lambda: feed.go_on(told.rest()),
                lane=part.lane,
                limits=limits,
            )
        )


@contextmanager
def _keeping(part: Part | Together) -> Iterator[tuple[MemoryStore, Limits]]:
    """Where the journeys of a part are: in memory, or on disk where there may be too many for it."""
    if not part.whole:
        yield MemoryStore(), IN_MEMORY
        return
    shelves: list[Shelf] = []

    def shelf() -> Shelf:
        shelves.append(Shelf(Path(f"{part.path}-journeys-{len(shelves)}")))
        return shelves[-1]

    try:
        yield MemoryStore(shelf), _OF_MANY
    finally:
        for one in shelves:
            one.remove()


class _Item(msgspec.Struct):
    product_id: str | None = None


class _WithItems(msgspec.Struct):
    items: list[_Item] = []


_items: Final = msgspec.json.Decoder(_WithItems).decode


class _Told:
    """The records of a part and, where rules follow the catalogue, what all parts of its lane are told."""

    def __init__(self, part: Part, bundle: Bundle) -> None:
        self._part, self._end = part, part.caught_up_at - bundle.lateness
        self._follows = bundle.matcher.follows
        # Records of the catalogue that no event moves the clock to.
        self._behind: list[tuple[int, bytes]] = []

    def records(self) -> Iterator[Record]:
        """All but what is behind the end."""
        everything = merge(self._part.events.read(), self._shared())
        for offset, (key, value) in enumerate(everything):
            entry = unpacked(value)
            if not entry.listed:
                yield Record(TOPIC, offset, entry.timestamp, None, entry.value)
            elif entry.timestamp >= 0:
                yield Record(LISTED, offset, entry.timestamp, None, entry.value)
            elif time_of(key) <= self._end:
                yield listed_of_file(entry.value, offset, at_once=False)
            else:
                self._behind.append((offset, entry.value))

    def _shared(self) -> Iterator[Entry]:
        """Of what all parts are told, what is about products that somebody of this part ever looks at."""
        if not (self._follows and self._part.shared.entries):
            return
        concerned, time = {SEVERAL, *self._products()}, None
        for entry in self._part.shared.read():
            about = unpacked(entry[1]).about
            if about == TIME:
                time = entry
            elif about in concerned:
                if time is not None:
                    yield time
                time = None
                yield entry

    def _products(self) -> Iterator[int]:
        for _, value in self._part.events.read():
            for item in _items(unpacked(value).value).items:
                yield product_mark(item.product_id or "")

    def rest(self) -> Iterator[Record]:
        """What is behind the end, at the time that the whole lane has come to by then."""
        if self._behind and self._end >= 0:
            yield clock_record(self._end, self._behind[0][0])
        for offset, event in self._behind:
            yield listed_of_file(event, offset, at_once=True)


def outcome_of(
    part: Part | Together, rules: Bundle, against: Bundle | None, folder: Path, progress: Progress
) -> Outcome:
    """Run a part under the rules on trial and, when there are others, compare; `folder` is for files.

    The events of the part are removed: the disk has room for the next.
    """
    name, progress = part.name, _bounded(progress, part.entries * (1 if against is None else 2))
    mine = Sends(folder / f"{name}-rules" if against is not None else None)
    found = Outcome(rules=mine.figures(run_part(part, rules, mine, progress)))
    if against is not None:
        theirs = Sends(folder / f"{name}-against")
        found.against = theirs.figures(run_part(part, against, theirs, progress))
        found.comparison = _compared(mine, theirs)
    part.remove()
    return found


def _bounded(progress: Progress, most: int) -> Progress:
    """Tells so many and no more: beside its own entries a part reads what all parts of its lane are told."""
    left = most

    def told(done: int) -> None:
        nonlocal left
        progress(min(done, left))
        left -= min(done, left)

    return told


def _compared(mine: Sends, theirs: Sends) -> Comparison:
    comparison = Comparison(
        newly_reached=len(mine.people - theirs.people), no_longer_reached=len(theirs.people - mine.people)
    )
    match(mine.close(), theirs.close(), comparison)
    return comparison


def match(mine: Sorted | None, theirs: Sorted | None, comparison: Comparison) -> None:
    """Count what was added, removed, moved: sends of the same decision are the same send."""
    assert mine is not None  # both are written when there is something to compare
    assert theirs is not None
    ours, others = mine.read(), theirs.read()
    one, other = next(ours, None), next(others, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one[0] < other[0]):
            assert one is not None
            _count(read_sent(one[1]), None, comparison)
            one = next(ours, None)
        elif one is None or other[0] < one[0]:
            _count(None, read_sent(other[1]), comparison)
            other = next(others, None)
        else:
            _count(read_sent(one[1]), read_sent(other[1]), comparison)
            one, other = next(ours, None), next(others, None)
    mine.remove()
    theirs.remove()


def _count(mine: Sent | None, theirs: Sent | None, comparison: Comparison) -> None:
    if mine is None:
        assert theirs is not None
        comparison.of((theirs.rule, theirs.channel)).removed += 1
        return
    change = comparison.of((mine.rule, mine.channel))
    if theirs is None:
        change.added += 1
    elif (mine.channel, mine.at) == (theirs.channel, theirs.at):
        change.same += 1
    else:
        change.moved += 1
        change.later_ms += mine.at - theirs.at
