"""Every line of the table with its bound and verdict: `python -m bench` (5 minutes), `--whole` (40 minutes).

The lines are also written to `bench/results/board.json`. Where messages differ from the reference
answer there are no figures, and the exit status is 2; it is 1 when a bound is not kept.
"""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from bench import crowd, in_memory, latency, waits, whole_path
from bench.common_job.peers import Peers, PeersMissing
from bench.common_job.processes import calibration_ms, machine_text
from bench.common_job.rivals import RIVALS
from bench.common_job.run import RESULTS, revision
from bench.lines import Line, Unusable
from tests.support.kafka.jars import KafkaMissing

LATEST: Final = RESULTS / "board.json"


class Board(msgspec.Struct, kw_only=True):
    """All lines of one call, and what it ran on."""

    date: str
    revision: str
    machine: str
    python: str
    whole: bool
    calibration_ms: float
    seconds: float
    lines: list[Line]


def parts(*, whole: bool) -> list[Callable[[], list[Line]]]:
    """What is measured, the cheapest first. Raises PeersMissing."""
    peers, runs = Peers(), 5 if whole else 1
    return [
        lambda: [in_memory.bytes_per_journey(peers)],
        lambda: [in_memory.shipped_against_job(peers, runs), in_memory.lanes_8_and_64(peers, runs)],
        lambda: [in_memory.many_rules(runs, 60_000 if whole else 10_000)],
        lambda: waits.lines(10_000_000 if whole else 500_000),
        lambda: whole_path.lines(
            peers, 12 if whole else 1, runs, [one.name for one in (RIVALS if whole else RIVALS[:1])]
        ),
        lambda: crowd.lines(peers, 6 if whole else 1, min(runs, 3), 1_000_000 if whole else 100_000),
        lambda: latency.lines(60 if whole else 5),
    ]


def table(lines: list[Line]) -> str:
    """Markdown."""
    rows = [f"| {one.what} | {one.figure} | {one.bound} | {_verdict(one)} | {one.note} |" for one in lines]
    return "\n".join(["| what | figure | bound | kept | note |", "|---|---|---|---|---|", *rows])


def _verdict(line: Line) -> str:
    return {True: "yes", False: "**no**", None: "-"}[line.kept]


def main() -> int:
    """Measure all, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--whole", action="store_true", help="all events and runs: 40 minutes")
    parser.add_argument("--out", type=Path, default=LATEST)
    given = parser.parse_args()
    started, lines = time.monotonic(), list[Line]()
    try:
        for part in parts(whole=given.whole):
            lines += part()
            print(f"{time.monotonic() - started:5.0f} s  {lines[-1].what}", file=sys.stderr, flush=True)
    except (PeersMissing, KafkaMissing) as missing:
        print(f"skipped: {missing}")
        return 0
    except Unusable as wrong:
        print(f"no figures, as the messages are not the expected ones: {wrong}")
        return 2
    board = Board(
        date=time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), revision=revision(), machine=machine_text(),
        python=platform.python_version(), whole=given.whole, calibration_ms=round(calibration_ms(), 2),
        seconds=round(time.monotonic() - started, 1), lines=lines,
    )  # fmt: skip
    given.out.parent.mkdir(parents=True, exist_ok=True)
    given.out.write_bytes(msgspec.json.format(msgspec.json.encode(board)) + b"\n")
    print(f"{board.date}, {board.revision}, {board.machine}, Python {board.python}, {board.seconds:.0f} s\n")
    print(table(lines))
    return 1 if any(one.kept is False for one in lines) else 0


if __name__ == "__main__":
    sys.exit(main())
