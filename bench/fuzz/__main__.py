"""Any bytes, many times: `python -m bench.fuzz --examples 1000000`; the exit code is 1 when anything is wrong."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from random import Random

from bench.fuzz.mutating import broken
from bench.fuzz.targets import TARGETS, Target, tried
from retarget.times import format_time
from streams.clocks import now_ms


class Found:
    """What came of the examples of one target; failures by where they happened, each with its first bytes."""

    def __init__(self) -> None:
        self.used = 0
        self.refused = 0
        self.slowest = 0.0
        self.failures: Counter[str] = Counter()
        self.first: dict[str, tuple[bytes, str]] = {}

    def take(self, target: Target, value: bytes) -> None:
        """Try one."""
        started = time.perf_counter()
        try:
            used = tried(target, value)
        except Exception as error:  # noqa: BLE001 - that is what is looked for
            last = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}"
            self.failures[where] += 1
            self.first.setdefault(where, (value, str(error)))
            return
        finally:
            self.slowest = max(self.slowest, time.perf_counter() - started)
        self.used += used
        self.refused += not used


def main() -> int:
    """Try so many examples, shared out among the targets, and say what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="targets whose name contains this")
    parser.add_argument("--write", type=Path, help="a page for what came of it")
    parser.add_argument("--keep", type=Path, help="a folder for the bytes that failed")
    given = parser.parse_args()
    began = time.perf_counter()
    found = run(given.examples, given.seed, given.only)
    took = time.perf_counter() - began
    lines = [*page(found, given.examples, given.seed, took)]
    print("\n".join(lines))
    for name, result in found.items():
        for where, times in result.failures.most_common():
            value, said = result.first[where]
            print(f"FAILED {name}: {times} times {where}: {said[:200]}\n  {value[:300]!r}", file=sys.stderr)
            if given.keep:
                given.keep.mkdir(exist_ok=True, parents=True)
                digest = hashlib.sha256(value).hexdigest()[:12]
                (given.keep / f"{digest}.bin").write_bytes(value)
    if given.write:
        given.write.write_text("\n".join(lines) + "\n")
    return 1 if any(result.failures for result in found.values()) else 0


def run(examples: int, seed: int, only: str = "") -> dict[str, Found]:
    """So many examples, those of each target in one go."""
    chosen = {name: target for name, target in TARGETS.items() if only in name}
    shares = sum(target.share for target in chosen.values())
    found: dict[str, Found] = {}
    for name, target in chosen.items():
        result, right = found.setdefault(name, Found()), target.seeds()
        draw = Random(f"{seed} {name}")
        for value in right:
            result.take(target, value)
        for _ in range(round(examples * target.share / shares)):
            result.take(target, broken(draw, right))
        print(f"{name}: {result.used + result.refused:,}", file=sys.stderr, flush=True)
    return found


def page(found: dict[str, Found], examples: int, seed: int, took: float) -> list[str]:
    """What came of it, as a page."""
    failed = sum(sum(result.failures.values()) for result in found.values())
    lines = [
        "# Any bytes",
        "",
        "Written by `python -m bench.fuzz --write docs/fuzzing.md`; a few hundred of each kind run in every test run"
        " (`tests/streams/test_any_bytes.py`). Each example is something right after a few changes: bits, pieces,"
        " odd words, odd values inside JSON and MessagePack. It must be used, or refused in a sentence; an example of"
        " a lane is 61 records on all of its topics, after which somebody who buys must get a decision.",
        "",
        f"Last run: {format_time(now_ms())[:10]}, seed {seed}, {examples:,} examples in {took / 60:.0f} min:"
        f" **{failed} {'failure' if failed == 1 else 'failures'}**.",
        "",
        "| where | used | refused | failed | slowest ms |",
        "|---|---:|---:|---:|---:|",
    ]
    for name, one in found.items():
        cells = (one.used, one.refused, sum(one.failures.values()), round(one.slowest * 1000))
        lines.append(f"| {name} | {' | '.join(f'{cell:,}' for cell in cells)} |")
    return lines


if __name__ == "__main__":
    sys.exit(main())
