"""How a soak judges the worker that lives through it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.chaos.records import Happened, Weight
from bench.chaos.run import told
from bench.chaos.soak import soaked
from retarget.times import DAY
from retarget.touchpoints import Touchpoint
from tests.factories import NOON


def faults(memory: Sequence[float], files: Sequence[int], pids: Sequence[int]) -> list[Happened]:
    """A fault every minute, with what worker one held after it; the other one is no matter."""
    return [
        Happened(
            number=number,
            kind="clock_jump",
            hit="",
            at_s=60.0 * number,
            took_s=1,
            recovered_s=1,
            lanes_s=[1],
            noted=[],
            workers=[Weight("one", pid, held, open_files), Weight("two", 1000 + number, 70.0 * number, 30)],
        )
        for number, (held, open_files, pid) in enumerate(zip(memory, files, pids, strict=True))
    ]


def test_what_stays_as_it_was_after_the_warm_up_is_flat() -> None:
    """The first quarter may be anything."""
    memory, files = soaked("one", faults([50, 60, 80, 80, 80, 81, 80, 82], [20, 40, *[33] * 6], [7] * 8))
    assert memory.quarters == [55, 80, 80.5, 81]
    assert memory.most == 82
    assert memory.flat
    assert files.quarters == [30, 33, 33, 33]
    assert files.flat


def test_memory_that_grows_by_more_than_a_tenth_is_told() -> None:
    """A tenth is the bound, from the second quarter to the last."""
    memory, files = soaked("one", faults([70, 72, 80, 80, 85, 85, 88, 89], [33] * 8, [7] * 8))
    assert not memory.flat
    assert files.flat
    assert "GROWING" in str(memory)


def test_files_that_are_left_open_are_told() -> None:
    """One more with every fault."""
    memory, files = soaked("one", faults([80] * 8, range(30, 38), [7] * 8))
    assert memory.flat
    assert not files.flat


def test_a_worker_that_ended_meanwhile_proves_nothing() -> None:
    """Another process begins with little."""
    with pytest.raises(ValueError, match="2 processes"):
        soaked("one", faults([80] * 8, [33] * 8, [7] * 4 + [8] * 4))


def test_a_fault_after_which_the_worker_was_not_seen_proves_nothing() -> None:
    """It may have been gone."""
    seen = faults([80] * 8, [33] * 8, [7] * 8)
    seen[3].workers = seen[3].workers[1:]
    with pytest.raises(ValueError, match="seen after 7 of 8 faults"):
        soaked("one", seen)


def test_a_long_story_does_not_reach_into_the_future() -> None:
    """Whatever comes from there is clamped by workers, which a replay of files does not do."""
    last = max(event.found.time for event in told(3, 3_000, NOON) if isinstance(event.found, Touchpoint))
    assert last == NOON - DAY
