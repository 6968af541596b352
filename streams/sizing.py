"""Sizing: from people and their events to memory, shards, workers and bytes, by measured figures."""

from __future__ import annotations

from math import ceil
from typing import Final, NamedTuple

DAY_S: Final = 86_400
GIB: Final = 2**30


class Measured(NamedTuple):
    """What one of each takes, as `docs/sizing.md` says where it was measured."""

    journey_bytes: float = 21_000
    key_bytes: float = 111  # of the store, for each journey beside its value
    wait_bytes: float = 108
    follower_bytes: float = 107
    cpu_us: float = 60  # of a worker, per event, with all shipped rules
    decisions: float = 0.56  # per event
    messages: float = 0.16
    decision_bytes: float = 742  # before compression
    message_bytes: float = 1_083
    packed: float = 0.13  # what compression leaves of outputs
    copied: int = 3  # copies that Kafka keeps


class Demand(NamedTuple):
    """Who comes, and how often. `peak`: the busiest hour against the mean one."""

    people: int
    events_per_person_day: float
    peak: float = 3.0
    products: float = 20.0  # that a person follows; 0 without a catalogue
    event_bytes: float = 200
    days_kept: float = 7.0
    shard_gib: float = 24.0


class Sized(NamedTuple):
    """What it takes."""

    events_s: float
    peak_events_s: float
    store_gib: float
    shards: int
    cores: int
    partitions: int
    kafka_in_gib_day: float
    kafka_out_gib_day: float
    kafka_kept_gib: float


# A store needs room to grow, and a worker to catch up after a stop.
FULL: Final = 0.7
BUSY: Final = 0.6
# Lanes move whole, so each core has several; and partitions are hard to add, so twice what is needed now.
LANES_PER_CORE: Final = 4
SPARE: Final = 2
LEAST_PARTITIONS: Final = 8


def sized(demand: Demand, by: Measured) -> Sized:
    """The calculation; every line of it stands in `docs/sizing.md`."""
    events_s = demand.people * demand.events_per_person_day / DAY_S
    peak = events_s * demand.peak
    each = by.journey_bytes + by.key_bytes + by.wait_bytes + demand.products * by.follower_bytes
    store = demand.people * each / GIB
    cores = max(ceil(peak * by.cpu_us / 1e6 / BUSY), 1)
    outputs = by.decisions * by.decision_bytes + by.messages * by.message_bytes
    came, left = (events_s * DAY_S * size / GIB for size in (demand.event_bytes, outputs * by.packed))
    return Sized(
        events_s=events_s,
        peak_events_s=peak,
        store_gib=store,
        shards=max(ceil(store / (demand.shard_gib * FULL)), 1),
        cores=cores,
        partitions=_power_of_two(max(cores * LANES_PER_CORE * SPARE, LEAST_PARTITIONS)),
        kafka_in_gib_day=came,
        kafka_out_gib_day=left,
        kafka_kept_gib=(came + left) * demand.days_kept * by.copied,
    )


def _power_of_two(least: int) -> int:
    return 1 << (least - 1).bit_length()
