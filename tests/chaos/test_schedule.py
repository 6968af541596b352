"""The schedule of a chaos run: drawn from its seed alone, and fair to every kind."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from bench.chaos import store_faults
from bench.chaos.faults import KINDS
from bench.chaos.schedule import KINDS_OF, schedule

assert store_faults.__name__  # its faults are in KINDS once it is imported


def test_a_seed_gives_the_same_faults_again() -> None:
    """Kinds, pauses, lengths and choices."""
    kinds = KINDS_OF["pair"]
    assert list(islice(schedule(7, kinds), 50)) == list(islice(schedule(7, kinds), 50))
    assert list(islice(schedule(7, kinds), 50)) != list(islice(schedule(8, kinds), 50))


@pytest.mark.parametrize("layout", sorted(KINDS_OF))
def test_every_kind_comes_once_before_any_comes_twice(layout: str) -> None:
    """So that a run of some minutes has had them all."""
    kinds = KINDS_OF[layout]
    drawn = [fault.kind for fault in islice(schedule(1, kinds), 3 * len(kinds))]
    assert set(drawn[: len(kinds)]) == set(kinds)
    assert Counter(drawn) == dict.fromkeys(kinds, 3)


def test_every_kind_of_the_schedule_is_a_fault() -> None:
    """And the other way round."""
    planned = {kind for kinds in KINDS_OF.values() for kind in kinds}
    assert planned == KINDS.keys()
