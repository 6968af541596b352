"""Thousands of made-up stories among faults: `python -m tests.protocol.crowd --seeds 5000`.

Each seed is a story of two lanes of one world, with one broker and one store: two hundred events, three to
fourteen faults for each lane, one handover at least among them; where fewer than three can happen at the
steps for which they were drawn, others are put in until three have. In every fourth, people turn out to be
each other, in the same lane or in another, and some events come under a wrong key: what the lanes have to
tell each other crosses between them, output of one and input of the other, whoever is ahead. It is printed
how often each kind of fault happened, and what happens in the first seed that failed, shortened.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Final, NamedTuple

from retarget.times import HOUR
from streams.lanes.limits import Limits
from tests.protocol.faults import FATAL, HANDOVERS, Fault, Faults
from tests.protocol.judge import Verdict, judge
from tests.protocol.search import at_random, shrunk, told
from tests.protocol.workload import EVENTS, JOINS, Shape
from tests.protocol.world import MODES, Setup

LANES: Final = 2
_ASTRAY: Final = 0.05
_PACES: Final = ((1, 1), (3, 1), (1, 3), (1, 12))
_LEAST, _MOST = 3, 13
_PASSING: Final = tuple(fault for fault in Fault if fault not in FATAL)
_AT_ONCE: Final = 25
# So little that batches end in the middle of what has the same time.
_LIMITS: Final = Limits(records=5, persons=4, waits=1, cached=4)
# Waits that are loaded long before they are due, and mean nothing by then.
_FAR_AHEAD: Final = _LIMITS._replace(waits=10, ahead=HOUR)


class Tried(NamedTuple):
    """What came of some seeds: faults that happened, handovers among them, and the first that failed."""

    seeds: int
    happened: Counter[str]
    failed: str = ""


def story(seed: int) -> tuple[Setup, Faults]:
    """The world of a seed, and what happens in it; at least one handover."""
    limits = _FAR_AHEAD if seed % 7 < 3 else _LIMITS
    if seed % 4 == 3:
        shape = JOINS._replace(
            limits=limits, story=1 + seed, shares=seed % 3 == 0, lanes=LANES, astray=_ASTRAY
        )
    else:
        topics = (("touchpoints",), ("app", "web"))[seed % 2]
        shape = Shape(topics, ticks=seed % 3 == 0, limits=limits, story=1 + seed, lanes=LANES)
    publishes = seed % 5 == 0 and not shape.joins
    pace = _PACES[seed // 8 % len(_PACES)]
    setup = Setup(MODES[seed // 2 % len(MODES)], shape, publishes=publishes, pace=pace)
    chance = Random(seed)
    placed: dict[int, Fault] = {}
    for _ in range(LANES):
        placed |= at_random(setup, chance.randrange(10**9), _LEAST, _MOST)
    placed[chance.randrange(40)] = chance.choice(HANDOVERS)
    return setup, placed


def tried(seeds: Sequence[int]) -> Tried:
    """Run these seeds until one fails."""
    happened: Counter[str] = Counter()
    for done, seed in enumerate(seeds, start=1):
        setup, placed = story(seed)
        verdict = judge(setup, placed, surveyed=False)
        chance = Random(seed)
        while not (verdict.problem or _enough(met(verdict, placed))):
            placed = one_more_met(setup, placed, chance)
            verdict = judge(setup, placed, surveyed=False)
        if verdict.problem:
            return Tried(done, happened, f"seed {seed}: {told(setup, shrunk(setup, placed))}")
        happened.update(fault.name for fault in met(verdict, placed).values())
    return Tried(len(seeds), happened)


def met(verdict: Verdict, placed: Faults) -> Faults:
    """Those of the faults that could happen where they were put."""
    choices = verdict.choices
    return {at: fault for at, fault in placed.items() if at < len(choices) and fault in choices[at]}


def one_more_met(setup: Setup, placed: Faults, chance: Random) -> Faults:
    """Those that happened and one that can happen where it is put: a handover as long as there is none."""
    verdict = judge(setup, placed)
    happened = met(verdict, placed)
    of = _PASSING if set(happened.values()) & set(HANDOVERS) else HANDOVERS
    steps = enumerate(verdict.choices)
    free = [(at, fault) for at, can in steps if at not in happened for fault in can if fault in of]
    at, fault = chance.choice(free)
    return {**happened, at: fault}


def _enough(happened: Faults) -> bool:
    return len(happened) >= _LEAST and bool(set(happened.values()) & set(HANDOVERS))


def main(given: Sequence[str] | None = None) -> int:
    """Try all seeds on all cores; 1 when one failed, or when some kind of fault never happened."""
    parser = argparse.ArgumentParser(prog="python -m tests.protocol.crowd", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5_000)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args(given)
    portions = [
        range(first, min(first + _AT_ONCE, asked.first + asked.seeds))
        for first in range(asked.first, asked.first + asked.seeds, _AT_ONCE)
    ]
    happened: Counter[str] = Counter()
    seeds, failed = 0, []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for one in pool.map(tried, portions):
            happened += one.happened
            seeds += one.seeds
            failed += [one.failed] if one.failed else []
    missing = [fault.name for fault in Fault if not happened[fault.name]]
    _print(seeds, happened, failed, missing)
    return 1 if failed or missing else 0


def _print(seeds: int, happened: Counter[str], failed: Sequence[str], missing: Sequence[str]) -> None:
    lines = [f"{seeds:,} seeds, {LANES} lanes with {EVENTS * LANES} events, {happened.total():,} faults"]
    lines += [f"  {happened[fault.name]:>8,}  {fault.name}" for fault in Fault]
    well = "every one came to what it comes to undisturbed, or stood where it had to"
    lines.append(failed[0] if failed else well)
    lines += [f"never happened, so that it takes more seeds: {', '.join(missing)}"] if missing else []
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    sys.exit(main())
