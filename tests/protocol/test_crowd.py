"""Made-up stories of two lanes of one world among faults; thousands of them are a command (crowd)."""

from __future__ import annotations

import pytest

from tests.protocol.crowd import LANES, main, story, tried
from tests.protocol.faults import HANDOVERS
from tests.protocol.workload import EVENTS, records


def test_some_stories_come_to_the_same_whatever_happens() -> None:
    """Sixty seeds; in each, two lanes, two hundred events, three faults that happened and a handover."""
    for seed in range(60):
        setup, placed = story(seed)
        assert setup.shape.lanes == LANES
        assert sum(len(records(setup.shape, lane)) for lane in range(LANES)) >= EVENTS * LANES
        assert len(placed) >= 3
        found = tried([seed])
        assert not found.failed, found.failed
        assert found.happened.total() >= 3
        assert found.happened.keys() & {fault.name for fault in HANDOVERS}


def test_the_former_owner_ends_a_batch_while_the_next_one_begins() -> None:
    """A story that was found: what a lane has read of its journal before it has shut him out is not all."""
    found = tried([392])
    assert not found.failed, found.failed


def test_the_command_says_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind of fault has a line; too few seeds for all kinds is a failure: nobody shall trust them."""
    assert main(["--seeds", "2"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("2 seeds, 2 lanes with 200 events")
    assert "TIME_OUT" in said
