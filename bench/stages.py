"""Where the time of one event goes, from the broker's bytes to the checkpoint: `python -m bench.stages`.

The worker runs the common job with a clock around its own synchronous parts; what the clocks do not see is
the event loop with the Kafka and store clients. The step is then split by profiling the same lanes in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import json
import pstats
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from bench import sheet
from bench.common_job import topics
from bench.common_job.check import found_in
from bench.common_job.measure import Figures, Job
from bench.common_job.peers import Peers, PeersMissing
from bench.common_job.run import Services, engine, one_run, servers
from tests.support.kafka.jars import KafkaMissing

QUESTION: Final = "stages"
# Parts of the step by the file that a function stands in.
_PARTS: Final = {
    "lane/": "hold, clock and waits",
    "journeys/repeats": "repeats",
    "journeys/": "facts of the journey",
    "rules/tallies": "tallies",
    "rules/": "conditions and subjects",
    "engine/": "episodes and decisions",
    "messages": "messages and decision records",
    "times": "messages and decision records",
}


class Stages(msgspec.Struct, kw_only=True):
    """CPU µs per event by stage, of one run; `step` splits the step in shares of 1."""

    figures: Figures
    stages: dict[str, float]
    step: dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table and write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m bench.stages", description=__doc__)
    parser.add_argument("--copies", type=int, default=3, help="of the data set (84,252 events each)")
    given = parser.parse_args(argv)
    try:
        peers = Peers()
        with servers() as services:
            found = asyncio.run(_measured(peers, given.copies, services))
    except (PeersMissing, KafkaMissing) as missing:
        print(f"skipped: {missing}")
        return 0
    result = Stages(figures=found[0], stages=found[1], step=step_shares(peers.lanes(1)[0]))
    print(table(result))
    data = f"the common job over {result.figures.events:,} events"
    sheet.keep(sheet.of(QUESTION, data, result))
    return 0


async def _measured(peers: Peers, copies: int, services: Services) -> tuple[Figures, dict[str, float]]:
    lanes = peers.lanes(copies)
    job = Job("touchpoints", sum(map(len, lanes)), peers.expected(lanes))
    await topics.load(services.bootstrap, job.topic, lanes)
    told = services.scratch / "stages.json"
    figures = await one_run(engine(), job, services, more={"STAGES": str(told)})
    if not told.exists():
        log = (services.scratch / f"{figures.program}.log").read_text()
        sys.exit(f"the worker wrote no stages: {figures.note}\n{log}")
    return figures, _by_stage(figures, json.loads(told.read_text()))


def _by_stage(figures: Figures, told: dict[str, Any]) -> dict[str, float]:
    """µs per event of every stage; what is left of each thread's time has a line of its own."""
    per_event = 1e6 / figures.events
    stages = {name: seconds * per_event for name, seconds in told["stages"].items()}
    known = sum(stages.values())
    rest = figures.main_thread_us_per_event - known
    stages["fetch thread"] = figures.other_threads_us_per_event
    stages["event loop, Kafka and store clients, start"] = rest
    return {name: round(value, 2) for name, value in stages.items()}


def step_shares(lane: list[tuple[bytes, bytes]]) -> dict[str, float]:
    """The step's time by part of the core, by profiling one lane in memory; it favours large functions."""
    profile = cProfile.Profile()
    profile.enable()
    found: Counter[str] = found_in([lane])
    profile.disable()
    assert found, "the lane sends something"
    spent: dict[str, float] = defaultdict(float)
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (path, _, name), (_, _, own, _, callers) in stats.items():
        part = _part(path)
        if part:
            spent[part] += own
        elif path == "~" and "encode" not in name:
            for (caller, *_), (_, _, inside, _) in callers.items():
                if owner := _part(caller):
                    spent[owner] += inside
    whole = sum(spent.values())
    return {part: round(seconds / whole, 3) for part, seconds in sorted(spent.items(), key=lambda kv: -kv[1])}


def _part(path: str) -> str | None:
    _, found, inside = path.rpartition("/retarget/")
    if not found or inside.startswith(("decode", "dialects", "journeys/wire", "lane/intake")):
        return None
    return next((part for start, part in _PARTS.items() if inside.startswith(start)), None)


def table(result: Stages) -> str:
    """Markdown: the stages of the worker, then the parts of its step."""
    rows = [f"| {name} | {value:.1f} |" for name, value in result.stages.items()]
    split = [f"| {name} | {share:.0%} |" for name, share in result.step.items()]
    return "\n".join(
        [
            "| stage | CPU µs/event |",
            "|---|---:|",
            *rows,
            "",
            "| part of the step | share |",
            "|---|---:|",
            *split,
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
