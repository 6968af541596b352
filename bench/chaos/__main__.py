"""Chaos on real parts: `python -m bench.chaos --seed 1 --minutes 5`, `make chaos SEED=1 MINUTES=5`.

Prints a line for each fault and the verdict; ends with 1 when anything is not as one undisturbed process
would have left it, or a lane was longer away than allowed (bench/chaos/bounds.py).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.chaos.run import Plan, play
from bench.chaos.schedule import KINDS_OF
from tests.support.kafka.jars import KafkaMissing


def main(argv: Sequence[str] | None = None) -> int:
    """Play one run; its exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=5.0, help="no fault begins later")
    parser.add_argument("--store", choices=sorted(KINDS_OF), default="pair")
    parser.add_argument("--rate", type=float, default=60.0, help="events a second")
    parser.add_argument("--kinds", default="", help="only these, with commas")
    parser.add_argument("--emit", choices=("transactional", "idempotent"), default="transactional")
    parser.add_argument(
        "--clock", choices=("events", "wall"), default="events", help="wall: it ends waits between bursts"
    )
    parser.add_argument("--soak", action="store_true", help="no fault ends one worker; judge how it grows")
    parser.add_argument("--no-log", action="store_true", help="leave no file in bench/results/chaos")
    parser.add_argument("--folder", type=Path, help="for the servers' and workers' logs; kept")
    given = parser.parse_args(argv)
    kinds = tuple(given.kinds.split(",")) if given.kinds else KINDS_OF[given.store]
    unknown = sorted(set(kinds) - set(KINDS_OF[given.store]))
    if unknown:
        parser.error(f"no such faults with --store {given.store}: {', '.join(unknown)}")
    plan = Plan(
        seed=given.seed,
        minutes=given.minutes,
        layout=given.store,
        rate=given.rate,
        kinds=kinds,
        soak=given.soak,
        emit=given.emit,
        wall=given.clock == "wall",
        keep=not given.no_log,
    )
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it complains of every fault
    try:
        with tempfile.TemporaryDirectory(prefix="retarget-chaos-") as scratch:
            folder = given.folder or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            return asyncio.run(play(plan, folder))
    except KafkaMissing as error:
        print(error, file=sys.stderr)
        return 3


if __name__ == "__main__":
    sys.exit(main())
