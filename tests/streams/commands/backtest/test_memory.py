"""A longer past needs no more memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.backtest import measure, write_shop


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_memory_does_not_grow_with_the_events(tmp_path: Path) -> None:
    """Three times the events of the same few people, each a part of many batches: no process is larger."""
    largest = []
    # Fewer events of each, and what is kept of a person would still grow to its bounds.
    for events in (160_000, 480_000):
        file = tmp_path / f"{events}.jsonl"
        write_shop(file, events, 8)
        largest.append(measure(file, events, 2).largest_mb)
    assert largest[1] < largest[0] * 1.15
