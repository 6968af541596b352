"""What is required of the runs: how many faults, and how soon every lane is back after some of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from bench.chaos.records import Happened

#: What the kept logs must have together: so many faults, and of each kind so many.
FAULTS: Final = 200
OF_EACH: Final = 8
#: Seconds, by kind: the session timeout and 2 s after SIGKILL; a clean stop.
MOST_S: Final[Mapping[str, float]] = {"worker_kill": 17.0, "worker_stop": 3.0}


def late(faults: Iterable[Happened]) -> list[str]:
    """A line for each fault after which a lane was longer away than allowed."""
    return [
        f"fault {fault.number}, {fault.kind} of {fault.hit}: back after {fault.recovered_s:g} s, "
        f"allowed are {MOST_S[fault.kind]:g}"
        for fault in faults
        if fault.recovered_s > MOST_S.get(fault.kind, fault.recovered_s)
    ]
