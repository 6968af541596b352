"""What is told of a lane with a backlog."""

from __future__ import annotations

from math import inf

from streams.lanes.catching_up import BACKLOG, CatchingUp


def test_the_rate_is_that_of_the_last_half_minute() -> None:
    """A minute of 100 a second, then of 900: what was before the window does not count any more."""
    lane, lag = CatchingUp(), 100_000
    for second in range(120):
        lag -= 100 if second < 60 else 900
        lane.look(second * 1_000, lag)
    assert lane.rate == 900
    assert lane.seconds(lag) == lag / 900


def test_what_comes_in_meanwhile_is_taken_off() -> None:
    """A backlog that grows, or stays, has no end in sight; none at all is worked off."""
    lane = CatchingUp()
    assert lane.seconds(0) == 0
    lane.look(0, 1_000)
    assert lane.seconds(1_000) == inf
    lane.look(5_000, 1_500)
    assert lane.seconds(1_500) == inf
    lane.look(10_000, 500)
    assert lane.seconds(500) == 10


def test_a_backlog_that_shows_up_at_once_is_no_growth() -> None:
    """Before the broker has answered nothing is known to be left: the rate begins with what it says."""
    lane = CatchingUp()
    lane.look(0, 0)
    lane.look(2_000, 1_000_000)
    lane.look(4_000, 990_000)
    assert lane.rate == 5_000


def test_the_log_tells_of_a_backlog_now_and_then() -> None:
    """After five seconds, every half minute, and when it is over; of a small one it says nothing."""
    lane, said = CatchingUp(), []
    lag = 20 * BACKLOG
    for second in range(75):
        lag = max(lag - 6_000, 0)
        lane.look(second * 1_000, lag)
        line = lane.line(second * 1_000, lag)
        if line:
            said.append((second, line))
    assert said == [
        (5, "is behind by 364000 records, 6000 fewer each second: about 1m 1s"),
        (35, "is behind by 184000 records, 6000 fewer each second: about 31s"),
        (65, "is behind by 4000 records, 6000 fewer each second: about 1s"),
        (66, "has caught up"),
    ]
    assert lane.line(75_000, BACKLOG - 1) is None


def test_a_standing_lane_is_told_apart() -> None:
    """Nobody should wait for the end of what does not end."""
    lane = CatchingUp()
    for second in range(6):
        lane.look(second * 1_000, BACKLOG)
        line = lane.line(second * 1_000, BACKLOG)
    assert line == f"is behind by {BACKLOG} records, and they do not become fewer"
