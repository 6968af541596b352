"""Which fault comes when: drawn from a seed, so that a bad run can be played again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

# What can happen to workers and broker, whatever the store is.
WORKERS_AND_BROKER: Final = (
    "worker_kill",
    "worker_crash_restart",
    "worker_stop",
    "worker_zombie",
    "rebalance_storm",
    "rolling_restart",
    "broker_kill",
    "broker_bounce",
    "broker_cut",
    "broker_delay",
    "clock_jump",
)
PAIR: Final = (
    "store_kill",
    "store_failover",
    "store_old_image",
    "store_flush",
    "store_full",
    "store_disk_full",
    "store_freeze",
    "store_cut",
    "store_delay",
)
CLUSTER: Final = (
    "slot_migration",
    "shard_kill",
    "shard_old_image",
    "shard_freeze",
    "shard_full",
    "shard_disk_full",
)
KINDS_OF: Final = {"pair": WORKERS_AND_BROKER + PAIR, "cluster": WORKERS_AND_BROKER + CLUSTER}
_SHORTEST_S, _LONGEST_S = 1.0, 4.0


class Fault(NamedTuple):
    """One misfortune: `after_s` of peace, then `kind`, for `lasts_s` where it has a length.

    `choice`, from 0 to 1, chooses whom it hits.
    """

    number: int
    kind: str
    after_s: float
    lasts_s: float
    choice: float


def schedule(seed: int, kinds: Sequence[str]) -> Iterator[Fault]:
    """Faults without end: every kind once, in a drawn order, then all of them again in another."""
    draw = random.Random(seed)
    number = 0
    while True:
        for kind in draw.sample(kinds, len(kinds)):
            number += 1
            after, lasts = draw.uniform(0.5, 3.0), draw.uniform(_SHORTEST_S, _LONGEST_S)
            yield Fault(number, kind, round(after, 1), round(lasts, 1), round(draw.random(), 3))
