"""How fast a backtest is, and what memory it takes as its input grows: `python -m bench.backtest 100000`.

The input is that of the simulated shop, with the same people however long it runs. `--part` shows what one
process takes for one part, of so many events of four people: ten million events of a thousand people make
parts of 40,000.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from bench import sheet
from retarget.decode import encode_touchpoint
from streams.backtest.pool import Plan, backtest
from streams.backtest.reading import Told
from streams.backtest.splitting import Splitting
from streams.resources import default_rules_dir
from streams.settings import load_settings
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


def measure_part(events: int) -> float:
    """MB of a process of the pool that has worked off one part of so many events of four people."""
    on_trial = Plan(load_settings(None, {}, ["clock.lateness=0s"]), default_rules_dir()).bundles()
    with tempfile.TemporaryDirectory() as folder:
        splitting = Splitting(
            Path(folder), lanes=1, parts=1, by_time=True, is_nobody=on_trial.rules.policy.is_nobody
        )
        for event in islice(simulate(open_shop(1), seed=1, people=4, start_ms=_START), events):
            splitting.add(Told(0, event.time, None if event.type == "heartbeat" else event))
        backtest(on_trial, splitting.close(ahead=0), Path(folder), jobs=2, progress=lambda _: None)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def main() -> int:
    """Measure each size and print a line for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("events", nargs="+", type=int)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--part", action="store_true", help="one part; sizes in rising order")
    given = parser.parse_args()
    if given.part:
        print("| events of the part | the process that works it off, MB |\n|---:|---:|")
        for events in given.events:
            print(f"| {events:,} | {measure_part(events):.0f} |", flush=True)
        return 0
    print("| events | reading s | working s | events/s and process | CPU µs/event | largest process MB |")
    print("|---:|---:|---:|---:|---:|---:|")
    runs: list[Run] = []
    for events in given.events:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "shop.jsonl"
            write_shop(file, events, given.people)
            run = measure(file, events, given.jobs)
        cells = [f"{events:,}", f"{run.reading_s:.1f}", f"{run.working_s:.1f}"]
        cells += [f"{run.per_second_and_core:,}", f"{run.cpu_us:.0f}", f"{run.largest_mb:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
        runs.append(run)
    data = f"the simulated shop with {given.people:,} people, on {given.jobs} processes"
    sheet.keep(sheet.of("backtest", data, [run._asdict() for run in runs]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
