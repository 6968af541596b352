"""Whether the engine comes to the reference answer, in memory: `python -m bench.common_job.check`."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.common_job.answer import compare, id_of
from bench.common_job.engine import job_bundle
from bench.common_job.peers import Peers, PeersMissing
from retarget.decode import decode_canonical
from streams.files import FileEvent
from streams.ports import Output
from streams.replaying import TOPIC, replay


def found_in(lanes: list[list[tuple[bytes, bytes]]]) -> Counter[str]:
    """The ids that replaying each partition as a lane of its own comes to."""
    found: Counter[str] = Counter()

    def keep(output: Output) -> None:
        if output.topic in ("retarget.email", "retarget.push") and (key := id_of(output.value)):
            found[key] += 1

    for lane in lanes:
        asyncio.run(replay(_file_events(lane), job_bundle(TOPIC), keep))
    return found


def _file_events(lane: Sequence[tuple[bytes, bytes]]) -> Iterator[FileEvent]:
    for line, (_, value) in enumerate(lane, start=1):
        yield FileEvent("job", line, decode_canonical(value), value)


def main() -> int:
    """Print the comparison as one line; 1 when anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--copies", type=int, default=1, help="how often the data set is repeated (84,252 events)"
    )
    given = parser.parse_args()
    try:
        peers = Peers()
    except PeersMissing as missing:
        print(f"skipped: {missing}")
        return 0
    lanes = peers.lanes(given.copies)
    started = time.process_time()
    found = found_in(lanes)
    events = sum(map(len, lanes))
    spent = (time.process_time() - started) / events * 1e6
    compared = compare(found, peers.expected(lanes))
    print(f"{events:,} events, {spent:.1f} µs CPU each in replay, {compared}")
    return 1 if compared.missing or compared.extra or compared.duplicates else 0


if __name__ == "__main__":
    sys.exit(main())
