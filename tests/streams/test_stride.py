"""How much a lane takes at once, so that others get their turn."""

from __future__ import annotations

import pytest

from streams.lanes.limits import Limits
from streams.lanes.stride import Stride

LIMITS = Limits(records=10_000, waits=1_000, step=250)


def test_a_lane_takes_more_while_it_is_quick_and_less_when_it_is_slow() -> None:
    """It begins carefully, doubles up to what batches may hold, and comes down to a quarter of a second."""
    stride = Stride(LIMITS)
    taken = []
    for seconds in (0.01, 0.02, 0.04, 0.08, 0.16, 1.0, 0.25, 0.2, 0.1):
        taken.append(stride.records)
        stride.took(stride.records, seconds)
    assert taken == [1_000, 2_000, 4_000, 8_000, 10_000, 10_000, 2_500, 2_500, 2_500]
    assert stride.records == 5_000
    assert stride.worked == 5_500


def test_a_lane_always_gets_on() -> None:
    """However slow, a hundred at a time; and where batches are smaller, a whole one."""
    stride = Stride(LIMITS)
    for _ in range(3):
        stride.took(stride.records, 60.0)
    assert (stride.records, stride.worked) == (100, 110)
    small = Stride(Limits(records=5, waits=1, step=250))
    small.took(5, 60.0)
    assert (small.records, small.worked) == (5, 6)


def test_half_a_batch_that_is_slow_counts_for_what_it_was() -> None:
    """The rate is that of what was worked off, not of what might have been."""
    stride = Stride(LIMITS)
    stride.took(200, 0.5)
    assert stride.records == 100


@pytest.mark.parametrize("seconds", [0.001, 60.0])
def test_without_a_bound_batches_are_cut_by_their_limits_only(seconds: float) -> None:
    """A replay from files goes by numbers alone, the same on every machine."""
    stride = Stride(Limits(records=5_000, waits=5_000))
    stride.took(5_000, seconds)
    assert (stride.records, stride.worked) == (5_000, 10_000)
