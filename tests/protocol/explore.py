"""Longer searches by hand: `python -m tests.protocol.explore transactional 2 60` (mode, faults, seconds).

Up to two faults are placed everywhere, as far as the time goes; more than two are placed at random.
"""

from __future__ import annotations

import sys
from itertools import count
from time import monotonic

from tests.protocol.judge import judge
from tests.protocol.search import Found, at_random, every_placement, shrunk, told
from tests.protocol.workload import ONE_TOPIC, TWO_TOPICS
from tests.protocol.world import Mode, Setup


def main(mode: Mode, faults: int, seconds: float) -> int:
    """Search both shapes; 1 when something failed."""
    failed = 0
    for shape in (ONE_TOPIC, TWO_TOPICS):
        setup = Setup(mode, shape)
        found = _search(setup, faults, seconds / 2)
        extent = "every placement" if found.complete else "not every placement"
        print(f"{mode}, {shape.topics}: {found.runs} runs, {extent}")  # noqa: T201
        if found.failure is not None:
            print(told(setup, shrunk(setup, found.failure)))  # noqa: T201
            failed = 1
    return failed


def _search(setup: Setup, faults: int, seconds: float) -> Found:
    if faults <= 2:
        return every_placement(setup, faults, seconds=seconds)
    deadline = monotonic() + seconds
    for seed in count():
        placed = at_random(setup, seed, 3, max(faults, 3))
        if judge(setup, placed).problem:
            return Found(seed + 1, complete=False, failure=placed)
        if monotonic() > deadline:
            return Found(seed + 1, complete=False)
    raise AssertionError


if __name__ == "__main__":
    chosen: Mode = "idempotent" if sys.argv[1].startswith("idem") else "transactional"
    sys.exit(main(chosen, int(sys.argv[2]), float(sys.argv[3])))
