"""Every placement of up to two faults of every kind in one short world: `python -m tests.protocol.pairs`.

One topic, one lane, two workers, a wait and its message: no fault, each single one at each step where it can
happen, and after each of these each second one wherever that can happen then. `--long` takes the world of the
other tests, in which that is more than a million runs, and takes hours.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from typing import Final, NamedTuple

from tests.protocol.faults import Fault, Faults
from tests.protocol.judge import judge
from tests.protocol.search import at_once, one_more, shrunk, told
from tests.protocol.workload import ONE_TOPIC, SHORT
from tests.protocol.world import MODES, Setup

_EVERY_S: Final = 60.0


class Tried(NamedTuple):
    """What came of the placements that begin with one fault: the second ones by kind, and a failure."""

    seconds: Counter[str]
    failed: str = ""


def tried(setup: Setup, first: Faults) -> Tried:
    """Run with this fault alone, and with each second one after it, until one run fails."""
    verdict = judge(setup, first)
    if verdict.problem:
        return Tried(Counter(), told(setup, first))
    seconds: Counter[str] = Counter()
    for placed in one_more(first, verdict.choices):
        if judge(setup, placed, surveyed=False).problem:
            return Tried(seconds, told(setup, shrunk(setup, placed)))
        seconds[placed[max(placed)].name] += 1
    return Tried(seconds)


def tried_at_once(setup: Setup, placed: Faults) -> Tried:
    """Run with two faults at one step."""
    failed = judge(setup, placed, surveyed=False).problem
    return Tried(Counter(), told(setup, shrunk(setup, placed)) if failed else "")


def main(given: Sequence[str] | None = None) -> int:
    """Try all placements on all cores; 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.protocol.pairs", description=__doc__)
    parser.add_argument("--mode", choices=MODES, default="transactional")
    parser.add_argument("--long", action="store_true", help="in the world of the other tests")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    asked = parser.parse_args(given)
    setup = Setup(asked.mode, ONE_TOPIC if asked.long else SHORT)
    choices = judge(setup, {}).choices
    firsts, together = list(one_more({}, choices)), list(at_once(choices))
    seconds: Counter[str] = Counter()
    with ProcessPoolExecutor(asked.processes) as pool:
        after = _shown(pool.map(tried, [setup] * len(firsts), firsts), len(firsts))
        for one in chain(after, pool.map(tried_at_once, [setup] * len(together), together, chunksize=64)):
            seconds += one.seconds
            if one.failed:
                pool.shutdown(cancel_futures=True)
                _print([one.failed])
                return 1
    _print([
        f"{asked.mode}: {len(firsts):,} placements of one fault, {seconds.total():,} of two, by the second:",
        *(f"  {seconds[fault.name]:>8,}  {fault.name}" for fault in Fault),
        f"and {len(together):,} of two at one and the same step",
        "every one came to what it comes to undisturbed, or stood where it had to",
    ])  # fmt: skip
    return 0


def _print(lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join(lines) + "\n")


def _shown(found: Iterator[Tried], firsts: int) -> Iterator[Tried]:
    said = time.monotonic()
    for done, one in enumerate(found, start=1):
        yield one
        if time.monotonic() - said > _EVERY_S:
            said = time.monotonic()
            sys.stderr.write(f"{done:,} of {firsts:,} first faults\n")


if __name__ == "__main__":
    sys.exit(main())
