"""The calculator of `retarget sizing`."""

from __future__ import annotations

import json

import pytest

from streams import cli
from streams.sizing import Demand, Measured, sized


def test_what_grows_grows_in_proportion() -> None:
    """Ten times the people take ten times the store, the events and the bytes of Kafka."""
    small, large = (sized(Demand(people, 2), Measured()) for people in (1_000_000, 10_000_000))
    for part in ("events_s", "store_gib", "kafka_in_gib_day", "kafka_out_gib_day", "kafka_kept_gib"):
        assert getattr(large, part) == pytest.approx(10 * getattr(small, part))


def test_shards_and_workers_have_room() -> None:
    """No shard is fuller than 70 %, no worker busier than 60 %, and each has eight partitions at least."""
    demand, by = Demand(100_000_000, 5), Measured()
    found = sized(demand, by)
    assert found.store_gib <= found.shards * demand.shard_gib * 0.7
    assert found.peak_events_s * by.cpu_us / 1e6 <= found.cores * 0.6
    assert found.partitions >= found.cores * 8


def test_one_wait_and_one_journey_of_each_person_are_counted() -> None:
    """The store's memory is people times what one takes."""
    by = Measured(journey_bytes=1000, key_bytes=100, wait_bytes=100, follower_bytes=50)
    assert sized(Demand(2**20, 1, products=2), by).store_gib == pytest.approx(1300 / 1024)


def test_the_command_prints_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The command's JSON is what the calculator says."""
    assert cli.main(["sizing", "--people", "1000000", "--events", "2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == sized(Demand(1_000_000, 2), Measured())._asdict()
