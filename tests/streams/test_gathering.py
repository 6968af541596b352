"""How far the wall clock moves an idle lane: never beyond what it has seen that nothing is left to read."""

from __future__ import annotations

import pytest

from retarget.lane.batch import NEVER
from retarget.lane.lane import Lane
from retarget.times import HOUR, MINUTE, SECOND
from streams.lanes.gathering import TICK_AT_LEAST, Gathering
from streams.lanes.limits import Limits
from streams.ports import Record
from tests.protocol import workload
from tests.protocol.workload import ONE_TOPIC, START

LATENESS = 2 * SECOND


class Source:
    """A feed that says when it had given out everything, and gives out nothing."""

    def __init__(self, caught_up_at: int | None) -> None:
        self.seen = caught_up_at

    async def start(self, frontier: dict[str, int]) -> None:
        """See Feed."""

    async def take(self, records: int, wait_ms: int, idle_ms: int) -> list[Record]:
        """See Feed."""
        del records, wait_ms, idle_ms
        return []

    def caught_up_at(self) -> int | None:
        """See Feed."""
        return self.seen


class StandingWall:
    """A wall clock that stands."""

    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        """See Wall."""
        return self._now

    async def sleep(self, seconds: float) -> None:
        """See Wall."""


def gathering(seen: int | None, now: int) -> Gathering:
    """Of a lane whose feed had given out everything at `seen`, when it is `now` on the wall."""
    intake = workload.bundle(ONE_TOPIC).intake(0)
    return Gathering(intake, Source(seen), StandingWall(now), Limits())


def waiting_lane(due: int, clock: int = START) -> Lane:
    """A lane with one wait, which has read up to `clock`."""
    lane = workload.bundle(ONE_TOPIC).lane(0)
    lane.clock = clock
    lane.waits.load([(due, "ann")], START + HOUR)
    return lane


def test_a_lane_that_is_behind_is_not_moved() -> None:
    """Whatever is due by the wall clock and however long it stood still: what ends the wait may be unread."""
    lane = waiting_lane(START + MINUTE)
    assert gathering(None, START + 10 * HOUR).idle_advance(lane, LATENESS) == NEVER
    assert gathering(START + HOUR, START + HOUR).idle_advance(lane, LATENESS) != NEVER


@pytest.mark.parametrize("seen", [START + MINUTE + LATENESS, START + 2 * MINUTE, START + HOUR])
def test_a_lane_is_moved_no_further_than_it_has_seen(seen: int) -> None:
    """What was written since the last answer to a fetch may end a wait: the wall says nothing about it."""
    lane = waiting_lane(START + MINUTE)
    assert gathering(seen, START + 10 * HOUR).idle_advance(lane, LATENESS) == seen - LATENESS


def test_an_answer_that_stands_for_ever_moves_a_lane_once() -> None:
    """A feed that gets no more answers, as one cut off, does not move the clock by the wall."""
    seen = START + 2 * MINUTE
    lane = waiting_lane(START + 3 * MINUTE, clock=seen - LATENESS)
    assert gathering(seen, START + 10 * HOUR).idle_advance(lane, LATENESS) == NEVER


def test_an_answer_from_the_future_moves_a_lane_to_now() -> None:
    """A wall clock that was put back counts."""
    lane = waiting_lane(START + MINUTE)
    now = START + 5 * MINUTE
    assert gathering(START + HOUR, now).idle_advance(lane, LATENESS) == now - LATENESS


def test_a_lane_without_work_is_moved_now_and_then() -> None:
    """With nothing due its clock is written down once a minute, not at every look."""
    lane = waiting_lane(START + 30 * MINUTE)
    early = START + TICK_AT_LEAST - 1 + LATENESS
    assert gathering(early, early).idle_advance(lane, LATENESS) == NEVER
    assert gathering(early + 1, early + 1).idle_advance(lane, LATENESS) == START + TICK_AT_LEAST
