"""Health is judged on progress: a lane that has work and does none is ill, whatever else is well."""

from __future__ import annotations

from streams.progress import Progress

LIMIT = 60_000


def worker() -> Progress:
    """A worker in the group whose lane 0 finished a batch at 0 and is caught up."""
    progress = Progress(LIMIT)
    progress.joined()
    progress.assigned(0, 0)
    progress.finished(0, 0, lag=0)
    return progress


def test_a_lane_with_lag_that_finishes_nothing_has_stalled() -> None:
    """The limit itself is still well; beyond it the lane is named."""
    progress = worker()
    progress.finished(0, 0, lag=5)

    assert progress.stalled(LIMIT) == ()
    assert progress.stalled(LIMIT + 1) == ("lane 0 has 5 records to go and finished nothing for 60 s",)


def test_a_lane_that_is_caught_up_never_stalls() -> None:
    """At night nothing comes, and nothing is wrong."""
    assert worker().stalled(10 * LIMIT) == ()


def test_the_time_of_an_idle_lane_counts_from_its_first_new_record() -> None:
    """The first record of the morning does not find a worker that is ill from the night."""
    progress = worker()
    progress.behind(0, 10 * LIMIT, lag=1)
    progress.behind(0, 11 * LIMIT, lag=9)

    assert progress.stalled(11 * LIMIT) == ()
    assert len(progress.stalled(11 * LIMIT + 1)) == 1


def test_a_claim_that_does_not_get_done_is_a_stall() -> None:
    """A lane that was assigned and never claimed has lag that nobody sees."""
    progress = worker()
    progress.assigned(4, 0)

    assert progress.unready(1) == ("lane 4 is being claimed",)
    assert progress.stalled(LIMIT + 1)[0].startswith("lane 4 ")


def test_a_claim_that_gets_on_is_none_however_long_it_takes() -> None:
    """A lost store comes back by repeating days of batches; another lane's claim does not count."""
    progress = worker()
    progress.assigned(4, 0)
    for at in range(0, 10 * LIMIT, LIMIT // 2):
        progress.gets_on(4, at)
        assert progress.stalled(at) == ()
    progress.gets_on(5, 20 * LIMIT)

    assert progress.unready(9 * LIMIT) == ("lane 4 is being claimed",)
    assert progress.stalled(11 * LIMIT)[0].startswith("lane 4 ")
    assert 5 not in progress.lanes


def test_waiting_for_a_service_is_unready_but_not_ill() -> None:
    """Starting the worker again would not bring the store back."""
    progress = worker()
    progress.finished(0, 0, lag=5)
    progress.waiting("store", "connection refused")

    assert progress.stalled(10 * LIMIT) == ()
    assert progress.unready(10 * LIMIT) == ("waiting for the store: connection refused",)

    progress.answered("store", 10 * LIMIT)
    assert progress.unready(11 * LIMIT) == ()
    assert len(progress.stalled(11 * LIMIT + 1)) == 1


def test_a_service_is_waited_for_until_it_has_answered_everybody() -> None:
    """One lane's answer says nothing of the others; a lane that has gone waits no more."""
    progress = worker()
    for lane in (0, 1, 2):
        progress.waiting("broker", f"lane {lane} asked", lane=lane)

    progress.answered("broker", 1, lane=0)
    assert progress.unready(1) == ("waiting for the broker: lane 1 asked",)
    progress.answered("broker", 2, lane=2)
    assert progress.waits_for("broker")
    progress.revoked(1)
    assert not progress.waits_for("broker")
    assert progress.unready(2) == ()


def test_to_claim_again_and_again_is_no_progress() -> None:
    """A lane that was caught up and cannot be claimed any more stalls like one that never was."""
    progress = worker()
    progress.claiming(0, 10)
    progress.claiming(0, LIMIT)

    assert progress.unready(LIMIT) == ("lane 0 is being claimed",)
    assert len(progress.stalled(LIMIT + 11)) == 1


def test_a_refused_lane_is_unready_but_not_ill() -> None:
    """It needs a person, not a restart."""
    progress = worker()
    progress.refused(0, 0, "the store is ahead of the journal")

    assert progress.stalled(10 * LIMIT) == ()
    assert progress.unready(0) == ("lane 0 refused: the store is ahead of the journal",)


def test_a_lane_that_has_gone_is_not_judged() -> None:
    """Its new owner is."""
    progress = worker()
    progress.finished(0, 0, lag=5)
    progress.revoked(0)

    assert progress.unready(10 * LIMIT) == ()


def test_a_worker_outside_the_group_is_not_ready() -> None:
    """Nothing is sent to a worker that has not begun."""
    assert Progress(LIMIT).unready(0) == ("the worker has not joined the group yet",)
