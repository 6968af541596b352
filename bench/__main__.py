"""Each question with its lines, bounds and verdicts: `python -m bench latency`, `python -m bench --whole`.

Without a question all are asked, in 5 minutes; `--whole` takes all events and runs, 40 minutes. The lines are
also written to `bench/results`. Where messages differ from the reference answer there are no figures, and the
exit status is 2; it is 1 when a bound is not kept.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from bench import crowd, in_memory, latency, sheet, waits, whole_path
from bench.common_job.peers import Peers, PeersMissing
from bench.common_job.rivals import RIVALS
from bench.lines import Line, Unusable, listed
from tests.support.kafka.jars import KafkaMissing

_FIRST, *_ = [one.name for one in RIVALS]


def questions(*, whole: bool) -> Mapping[str, Callable[[], list[Line]]]:
    """What can be asked, the cheapest first. Raises PeersMissing."""
    peers, runs = Peers(), 5 if whole else 1
    rivals = [one.name for one in RIVALS] if whole else [_FIRST]
    return {
        "journeys": lambda: in_memory.bytes_per_journey(peers),
        "shipped_rules": lambda: [in_memory.shipped_against_job(peers, runs)],
        "lanes": lambda: [in_memory.lanes_8_and_64(peers, runs)],
        "number_of_rules": lambda: [in_memory.many_rules(runs, 60_000 if whole else 10_000)],
        "waits": lambda: waits.lines(10_000_000 if whole else 500_000),
        "rivals": lambda: whole_path.lines(peers, 12 if whole else 1, runs, rivals),
        "crowd": lambda: crowd.lines(peers, 6 if whole else 1, min(runs, 3), 1_000_000 if whole else 100_000),
        "latency": lambda: latency.lines(60 if whole else 5),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Ask, print the table, write the JSON file."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("question", nargs="*", help="none: all of them")
    parser.add_argument("--whole", action="store_true", help="all events and runs")
    given = parser.parse_args(argv)
    try:
        known = questions(whole=given.whole)
        if unknown := [one for one in given.question if one not in known]:
            parser.error(f"no question {', '.join(unknown)}; known: {', '.join(known)}")
        name, data = (
            "-".join(given.question) or "board",
            f"taobao-users; {'whole' if given.whole else 'quick'}",
        )
        lines = list[Line]()
        for line in _answers({one: known[one] for one in given.question or known}):
            lines.append(line)
            sheet.write(sheet.of(name, data, lines))  # so that what breaks later takes nothing along
    except (PeersMissing, KafkaMissing) as missing:
        print(f"skipped: {missing}")
        return 0
    except Unusable as wrong:
        print(f"no figures, as the messages are not the expected ones: {wrong}")
        return 2
    print(listed(lines))
    sheet.keep(sheet.of(name, data, lines))
    return 1 if any(one.kept is False for one in lines) else 0


def _answers(asked: Mapping[str, Callable[[], list[Line]]]) -> Iterator[Line]:
    started = time.monotonic()
    for name, answer in asked.items():
        yield from answer()
        print(f"{time.monotonic() - started:5.0f} s  {name}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
