"""What the new lanes begin with, when there are more of them."""

from __future__ import annotations

from retarget.engine.ceilings import Granted
from streams.lanes.positions import Positions
from streams.ports import LaneImage
from streams.repartitioning import OldLane, common_positions, with_its_own


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
        4,
    )
    assert (after.clock, after.heard) == (300, {"purchase": 450, "view": 9})
    assert (after.fanned, after.has_listings, after.incarnation) == ({0: 7}, True, 4)
    assert (after.frontier, after.held, after.spreads) == ({}, {}, [])


def test_lanes_that_never_ran_begin_as_such() -> None:
    """No clock, nothing heard."""
    assert common_positions(lanes(Positions(), Positions()), 1) == Positions(incarnation=1)


def test_rates_are_not_exceeded_together() -> None:
    """What was given away stays so."""
    after = common_positions(
        lanes(
            Positions(clock=1, paced={"email": 70, "sms": 9}),
            Positions(clock=1, paced={"email": 90}),
        ),
        1,
    )
    assert after.paced == {"email": 90, "sms": 9}


def test_each_lane_keeps_what_it_was_granted_of_a_ceiling() -> None:
    """Its number stays, and the store counts by it; a new lane begins with nothing and asks."""
    own = Positions(clock=1, risen={"a": (3, 4)}, granted={"a": Granted(3, 5, last=False)})
    found = lanes(own, Positions())
    after = [with_its_own(common_positions(found, 1), lane) for lane in found]
    assert [(one.risen, one.granted) for one in after] == [(own.risen, own.granted), ({}, {})]
