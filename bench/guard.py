"""Whether an event has become dearer: `python -m bench.guard` holds its stages against a fixed piece of work.

A lane in memory works off the simulated shop under the shipped rules. After every small batch the fixed piece
of work is done, too, and each stage's cost is told in units of it, so that a slow machine, or a slow minute,
is slow for both. Of every batch, and of the piece, the quickest of all rounds counts: what others did on the
machine in between falls out. `make guard` writes the bounds with an earlier commit, holds the present one
against them, and believes that a stage is too dear when three pairs of processes found it so.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from bench.many_rules import bundle_for, shop_records
from retarget.decode import decode_canonical
from retarget.engine.moment import Moment
from retarget.journeys import wire
from retarget.rules.vocabulary import VOCABULARY
from streams.collector import relieve
from streams.lanes import outputs as emitted
from streams.lanes.bundle import Bundle
from streams.ports import Record
from streams.resources import default_rules_dir
from streams.rulebook import load_rules

ALLOWED: Final = 1.20
STAGES: Final = ("decode", "load", "step", "encode outputs", "encode journeys")
EVENTS: Final = 5_000
PEOPLE: Final = 60
SIZE: Final = 250
ROUNDS: Final = 10
# What is read and written in a few us each: where it lies in memory decides what the first time costs.
TURNS: Final = 3
_FAR: Final = 2**62
_T = TypeVar("_T")


class Known(msgspec.Struct):
    """What the fixed piece of work reads and writes."""

    name: str
    count: int = 0
    seen: list[int] = []


_TEXT: Final = msgspec.json.encode({"name": "somebody", "count": 3, "seen": [1, 2, 3], "more": "x" * 80})
_read: Final = msgspec.json.Decoder(Known).decode
_write: Final = msgspec.msgpack.Encoder().encode


def reference() -> int:
    """The fixed piece of work, some ms: the kinds of steps that an event takes, and none of our code."""
    known: dict[str, Known] = {}
    for turn in range(1_500):
        key = f"p{turn * 7919 % 501}"
        found = known.get(key)
        if found is None:
            found = known[key] = _read(_TEXT)
        found.count += 1
        found.seen.append(turn)
        if len(found.seen) > 5:
            del found.seen[0]
    return sum([len(_write(one)) for one in known.values()])


class Quickest:
    """Of every piece of work the shortest CPU time so far, seconds."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, int], float] = {}

    def time(self, stage: str, place: int, work: Callable[[], _T]) -> _T:
        """Do the work and note how long it took."""
        started = time.thread_time()
        done = work()
        spent = time.thread_time() - started
        key = stage, place
        self._found[key] = min(spent, self._found.get(key, spent))
        return done

    def total(self, stage: str) -> float:
        """Of all pieces of a stage."""
        return sum(spent for (name, _), spent in self._found.items() if name == stage)


def one_round(records: Sequence[Record], bundle: Bundle, quickest: Quickest) -> None:
    """All events through a new lane, batch after batch."""
    lane, intake = bundle.lane(0), bundle.intake(0)
    lane.waits.horizon = _FAR
    for place, start in enumerate(range(0, len(records), SIZE)):
        some = records[start : start + SIZE]
        arrivals = quickest.time(
            "decode",
            place,
            lambda some=some: [intake.arrival(r.topic, r.offset, r.timestamp, r.value) for r in some],  # type: ignore[misc]
        )
        moment = Moment(bundle.policy)
        batch = quickest.time(
            "step",
            place,
            lambda arrivals=arrivals, moment=moment: lane.work(arrivals, moment, limit=_FAR),  # type: ignore[misc]
        )
        if batch.consumed != len(arrivals):
            sys.exit(
                f"the lane stopped after {batch.consumed} of {len(arrivals)} events: nothing is measured"
            )
        quickest.time(
            "encode outputs",
            place,
            lambda batch=batch: emitted.digest(emitted.outputs(batch.results)),  # type: ignore[misc]
        )
        for _ in range(TURNS):
            stored = quickest.time(
                "encode journeys",
                place,
                lambda batch=batch: [wire.encode(one) for one in batch.changed.values()],  # type: ignore[misc]
            )
            quickest.time("load", place, lambda stored=stored: [wire.decode(one) for one in stored])  # type: ignore[misc]
        quickest.time("reference", place, reference)


def ratios(quickest: Quickest) -> dict[str, float]:
    """The CPU of each stage for a thousand events, in pieces of the fixed work."""
    unit = quickest.total("reference") * SIZE / 1000
    return {stage: round(quickest.total(stage) / unit, 4) for stage in STAGES}


def too_dear(found: dict[str, float], base: dict[str, float]) -> list[str]:
    """The stages that cost more than ALLOWED times what they did, each as a line."""
    return [
        f"{stage}: {found[stage]:.3f}, {found[stage] / base[stage]:.2f} times what it was"
        for stage in STAGES
        if found[stage] > base[stage] * ALLOWED
    ]


def measure() -> dict[str, float]:
    """What each stage costs in this process."""
    made, _ = shop_records(EVENTS, PEOPLE)
    # News of the catalogue would stop the lane, as they wait for people to be loaded.
    records = [one for one in made if decode_canonical(one.value or b"").person]
    bundle = bundle_for(load_rules([default_rules_dir()], VOCABULARY))
    quickest = Quickest()
    relieve()
    gc.disable()  # what it costs depends on everything else in the process
    for _ in range(ROUNDS):
        one_round(records, bundle, quickest)
    return ratios(quickest)


def main() -> int:
    """Print each stage's ratio beside what it was; 1 when one is too dear."""
    parser = argparse.ArgumentParser(prog="python -m bench.guard", description=__doc__)
    parser.add_argument("--base", type=Path, required=True, help="the file of the bounds")
    parser.add_argument("--write", action="store_true", help="let these ratios be the bounds")
    given = parser.parse_args()
    base = None if given.write else msgspec.json.decode(given.base.read_bytes(), type=dict[str, float])
    found = measure()
    for stage, ratio in found.items():
        beside = "" if base is None else f"  was {base[stage]:.3f}, allowed {base[stage] * ALLOWED:.3f}"
        print(f"{stage:>16}  {ratio:.3f}{beside}")
    if base is None:
        given.base.write_bytes(msgspec.json.encode(found))
    elif dear := too_dear(found, base):
        print("too dear:", *dear, sep="\n  ")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
