"""The story of one person: their events in the order of their lane, and what others told its clock."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from heapq import merge
from typing import Final, NamedTuple

from retarget.times import MINUTE
from retarget.touchpoints import Touchpoint
from streams.backtest.reading import NO_TIME, Told
from streams.backtest.reuniting import somebody
from streams.backtest.splitting import NEVER

# What others tell the clock is kept in steps of so much event time, and exactly before each own event.
_MARKED_EVERY: Final = MINUTE


class Step(NamedTuple):
    """One record: the person's event, or without one how far others had moved the clock, lateness included.

    An event of nobody is a change of price or stock; `listed` has the bytes of a record of the catalogue, of
    the time `tells`, which it does not tell the clock. `timestamp` is that of the record, -1 without one.
    """

    tells: int
    timestamp: int
    event: Touchpoint | None = None
    listed: bytes | None = None

    @property
    def place(self) -> int:
        """When the lane got it, as far as that is known."""
        return self.timestamp if self.timestamp >= 0 else self.tells


class Story(NamedTuple):
    """All steps; `end`: where the input leaves the clock, lateness included; -1 moves it no further.

    `names` are the ids of the person. Those of others stand in steps, too, who have used the same device.
    """

    steps: tuple[Step, ...]
    end: int
    names: frozenset[str] = frozenset()

    @property
    def events(self) -> list[Touchpoint]:
        """The person's own."""
        return [event for event in self.everybody if self.names & {event.user_id or event.anonymous_id}]

    @property
    def everybody(self) -> list[Touchpoint]:
        """All that were done by somebody."""
        return [step.event for step in self.steps if step.event is not None and step.event.person]

    def of(self, person: str) -> Story:
        """With the ids that are this person's: no other user of a device is."""
        users = {event.user_id for event in self.everybody if event.user_id}
        return self._replace(names=self.names - (users - {person}) if person in users else self.names)


def _step(told: Told, event: Touchpoint) -> Step:
    if told.listed is None:
        return Step(told.tells, told.timestamp, event)
    return Step(event.time, told.timestamp, listed=told.listed)


class StoryTeller:
    """Takes a lane record by record. `by_time`: the lane is sorted by time, so that nothing comes late."""

    def __init__(
        self,
        names: Collection[str],
        *,
        by_time: bool,
        is_nobody: Callable[[str], bool],
        idle_after: int = NEVER,
    ) -> None:
        """`names`: all ids under which the person may come.

        After `idle_after` ms without a record the wall clock moves the lane on.
        """
        self._names, self._is_nobody = frozenset(names), is_nobody
        self._by_time, self._idle_after = by_time, idle_after
        self._steps: list[Step] = []
        self._others = self._marked = self._arrived = self._last = NO_TIME

    def add(self, told: Told) -> None:
        """Take in one record."""
        if told.timestamp >= 0:
            self._note_arrival(told.timestamp)
        self._last = max(self._last, told.tells)
        if told.event is not None and self._is_ours(told.event):
            self._mark()
            self._steps.append(_step(told, told.event))
            return
        self._others = max(self._others, told.tells)
        if self._others - self._marked >= _MARKED_EVERY:
            self._mark()

    def _is_ours(self, event: Touchpoint) -> bool:
        return not event.person or somebody(event, self._is_nobody) in self._names

    def _note_arrival(self, timestamp: int) -> None:
        if self._arrived >= 0 and timestamp - self._arrived >= self._idle_after:
            self._others = max(self._others, timestamp)
        self._arrived = max(self._arrived, timestamp)

    def _mark(self) -> None:
        """Where all is sorted each own event moves the clock as far as those of others before it."""
        if self._others > self._marked and not self._by_time:
            self._steps.append(Step(self._others, self._arrived))
            self._marked = self._others

    def close(self, *, ahead: int, at_least: int = NO_TIME) -> Story:
        """The story. The clock ends `ahead` of the last event or at `at_least`, less the lateness."""
        self._mark()
        steps = self._steps
        if self._by_time:
            steps = sorted(steps, key=lambda step: step.tells)
        last = max(self._last, self._others)
        end = max(last + ahead, at_least) if last >= 0 else at_least
        return Story(tuple(steps), end, self._names)


def together(own: Story, others: Sequence[Story]) -> Story:
    """The story of a lane with what was done in others: by when the records came, at that lane's time."""
    told = [_placed(own.steps), *(_placed(other.steps, own=True) for other in others)]
    steps = tuple(step for _, step in merge(*told, key=lambda placed: placed[0]))
    return own._replace(steps=steps)


def _placed(steps: Sequence[Step], *, own: bool = False) -> Iterator[tuple[tuple[int, int], Step]]:
    """Each step with the latest time at which anything came, and was told; `own`: only what somebody did."""
    came = told = NO_TIME
    for step in steps:
        came, told = max(came, step.place), max(told, step.tells)
        if not own or (step.event is not None and step.event.person):
            yield (came, told), step
