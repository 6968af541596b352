"""Made-up stories of two lanes among faults; thousands of them are a command of its own (crowd)."""

from __future__ import annotations

import pytest

from tests.protocol.crowd import LANES, main, story, tried
from tests.protocol.faults import HANDOVERS
from tests.protocol.workload import EVENTS, records


def test_some_stories_come_to_the_same_whatever_happens() -> None:
    """Sixty seeds; each lane has its hundred events, three faults and a handover."""
    for seed in range(60):
        for lane in range(LANES):
            setup, placed = story(seed, lane)
            assert len(records(setup.shape)) >= EVENTS
            assert len(placed) >= 3
            assert set(placed.values()) & set(HANDOVERS)
    found = tried(range(60))
    assert not found.failed, found.failed
    assert found.happened.total() > 300


def test_the_command_says_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    """Every kind of fault has a line; too few seeds for all kinds is a failure: nobody shall trust them."""
    assert main(["--seeds", "2"]) == 1
    said = capsys.readouterr().out
    assert said.startswith("2 seeds, 2 lanes of 100 events each")
    assert "TIME_OUT" in said
