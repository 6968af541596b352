"""How fast a backtest is, and what memory it takes as its input grows: `python -m bench.backtest 100000`.

The input is that of the simulated shop, with the same people however long it runs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from retarget.decode import encode_touchpoint
from streams.shop import open_shop, simulate

_START: Final = 1_700_000_000_000


class Run(NamedTuple):
    """One backtest: seconds for reading and for the work, CPU µs of all for each event, largest process."""

    events: int
    reading_s: float
    working_s: float
    per_second_and_core: int
    cpu_us: float
    largest_mb: float


def write_shop(file: Path, events: int, people: int) -> None:
    """So many events of the shop as JSON lines."""
    stream = simulate(open_shop(1), seed=1, people=people, start_ms=_START)
    with file.open("wb") as lines:
        lines.writelines(encode_touchpoint(event) + b"\n" for event in islice(stream, events))


def measure(file: Path, events: int, jobs: int) -> Run:
    """Try the shipped rules on a file."""
    report = file.with_suffix(".report")
    command = [
        sys.executable,
        "-m",
        "streams",
        "backtest",
        str(file),
        "--jobs",
        str(jobs),
        "--json",
        str(report),
    ]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert status == 0, f"the backtest ended with {status}"
    speed = json.loads(report.read_text())["speed"]
    # ru_maxrss of a process that has waited for its children is that of the largest of them all.
    return Run(
        events,
        speed["reading_s"],
        speed["working_s"],
        speed["events_per_second_and_core"],
        (used.ru_utime + used.ru_stime) * 1e6 / events,
        used.ru_maxrss / 1024,
    )


def main() -> int:
    """Measure each size and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="+", type=int)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    print("| events | reading s | working s | events/s and process | CPU µs/event | largest process MB |")
    print("|---:|---:|---:|---:|---:|---:|")
    for events in given.events:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "shop.jsonl"
            write_shop(file, events, given.people)
            run = measure(file, events, given.jobs)
        cells = [f"{events:,}", f"{run.reading_s:.1f}", f"{run.working_s:.1f}"]
        cells += [f"{run.per_second_and_core:,}", f"{run.cpu_us:.0f}", f"{run.largest_mb:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
