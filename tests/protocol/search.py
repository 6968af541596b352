"""Search: where faults can be placed, all of it or at random, and the shortest form of what fails."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain
from random import Random
from time import monotonic
from typing import Final, NamedTuple

from tests.protocol.faults import FATAL, HANDOVERS, UNANSWERED, AtOnce, Fault, Faults
from tests.protocol.judge import in_peace, judge
from tests.protocol.world import Setup

_PASSING: Final[tuple[Fault, ...]] = tuple(fault for fault in Fault if fault not in FATAL)
_SELDOM: Final = 6  # of so many runs one


class Found(NamedTuple):
    """What a search came to. `complete`: it was not cut short."""

    runs: int
    complete: bool
    failure: Faults | None = None


def every_placement(
    setup: Setup, faults: int, *, seconds: float = 1e9, of: Collection[Fault] = tuple(Fault)
) -> Found:
    """Run with every placement of up to `faults` faults, until one run fails or the time is up."""
    deadline, runs = monotonic() + seconds, 0
    level: Iterable[Faults] = [{}]
    for left in range(faults, -1, -1):
        further: list[Iterator[Faults]] = []
        for placed in level:
            if monotonic() > deadline:
                return Found(runs, complete=False)
            verdict = judge(setup, placed, surveyed=left > 0)
            runs += 1
            if verdict.problem:
                return Found(runs, complete=False, failure=placed)
            if left:
                further.append(one_more(placed, verdict.choices, of))
        level = chain.from_iterable(further)
    return Found(runs, complete=True)


def pairs_at_random(setup: Setup, seed: int) -> Faults:
    """Two faults, the second one where it can happen after the first."""
    random = Random(seed)
    placed: Faults = {}
    for _ in range(2):
        further = list(one_more(placed, judge(setup, placed).choices))
        placed = random.choice(further) if further else placed
    return placed


def at_random(setup: Setup, seed: int, least: int = 3, most: int = 10) -> dict[int, Fault]:
    """Some faults at random steps; those that cannot happen there do not. Few end with a lane that stands."""
    random = Random(seed)
    steps = in_peace(setup).steps * 2
    placed = {random.randrange(steps): random.choice(_PASSING) for _ in range(random.randint(least, most))}
    if not random.randrange(_SELDOM):
        placed[random.randrange(steps)] = random.choice(FATAL)
    return placed


def shrunk(setup: Setup, faults: Faults) -> Faults:
    """A shorter list of faults that fails, too: without some of them, or earlier or later by a few steps."""
    best = faults
    while smaller := next((one for one in _smaller(best) if judge(setup, one, surveyed=False).problem), None):
        best = smaller
    return best


def told(setup: Setup, faults: Faults) -> str:
    """A failing run for people: its faults, to be replayed by `judge`, and its steps."""
    verdict = judge(setup, faults, traced=True)
    placed = ", ".join(f"{step}: Fault.{fault.name}" for step, fault in sorted(faults.items()))
    return "\n".join([f"{verdict.problem}: {setup.mode}, {setup.shape.topics}, {{{placed}}}", *verdict.trace])


def one_more(
    placed: Faults, choices: Sequence[tuple[Fault, ...]], of: Collection[Fault] = tuple(Fault)
) -> Iterator[Faults]:
    """The placements with one fault more, after the last one, where the run said that it can happen."""
    for step in range(max(placed, default=-1) + 1, len(choices)):
        for fault in choices[step]:
            if fault in of:
                yield {**placed, step: fault}


def at_once(choices: Sequence[tuple[Fault, ...]]) -> Iterator[Faults]:
    """Two faults at one and the same step, all that a run without any said can happen there.

    A worker that begins, or one that goes on elsewhere, may have anything to do.
    """
    everything = tuple(sorted(set(chain.from_iterable(choices))))
    for step, possible in enumerate(choices):
        for first in possible:
            if first not in UNANSWERED:
                anew = first in HANDOVERS or first is Fault.CRASH
                for second in everything if anew else possible:
                    yield {step: AtOnce(first, second)}


def _smaller(faults: Faults) -> Iterator[Faults]:
    for step, fault in faults.items():
        for one in fault if isinstance(fault, AtOnce) else ():
            yield {**faults, step: one}
    for gone in sorted(faults, reverse=True):
        for shift in (0, -1, 1, -2, 2, -4, 4, -7, 7):
            left = {step + shift * (step > gone): fault for step, fault in faults.items() if step != gone}
            if len(left) == len(faults) - 1 and min(left, default=0) >= 0:
                yield left
