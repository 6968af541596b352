"""What the new lanes begin with, when there are more of them."""

from __future__ import annotations

from streams.lanes.positions import Positions
from streams.ports import LaneImage
from streams.repartitioning import OldLane, common_positions


def lanes(*found: Positions) -> list[OldLane]:
    """Lanes that end so."""
    return [OldLane(number, LaneImage(1, b""), one) for number, one in enumerate(found)]


def test_no_wait_is_passed_and_no_word_forgotten() -> None:
    """The earliest clock, so that each wait is decided at its time; the latest purchase that was heard of."""
    after = common_positions(
        lanes(
            Positions(clock=500, heard={"purchase": 400, "view": 9}, fanned={0: 7}, has_listings=True),
            Positions(clock=300, heard={"purchase": 450}, fanned={0: 7}, has_listings=True),
            Positions(),
        ),
        5,
        4,
    )
    assert (after.clock, after.heard) == (300, {"purchase": 450, "view": 9})
    assert (after.fanned, after.has_listings, after.incarnation) == ({0: 7}, True, 4)
    assert (after.frontier, after.held, after.spreads) == ({}, {}, [])


def test_lanes_that_never_ran_begin_as_such() -> None:
    """No clock, nothing heard."""
    assert common_positions(lanes(Positions(), Positions()), 4, 1) == Positions(incarnation=1)


def test_rates_and_ceilings_are_not_exceeded_together() -> None:
    """What was given away stays so; what was sent in the latest window is shared out, rounded up."""
    after = common_positions(
        lanes(
            Positions(clock=1, paced={"email": 70, "sms": 9}, risen={"a": (3, 4), "b": (9, 1)}),
            Positions(clock=1, paced={"email": 90}, risen={"a": (3, 3), "b": (8, 50)}),
        ),
        4,
        1,
    )
    assert after.paced == {"email": 90, "sms": 9}
    assert after.risen == {"a": (3, 2), "b": (9, 1)}
