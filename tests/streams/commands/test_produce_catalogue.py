"""`retarget produce FILE --topic catalogue`: what the shop says of its products, on its way to every lane."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from streams.embedded import EmbeddedBroker
from streams.topics import partition_of
from tests.streams.commands.conftest import Retarget

ROWS = [
    '{"product_id": "tent", "price": 80}',
    '{"product_id": "tent"}',
    "no json",
    '{"price": 3}',
    '{"product_id": "mug", "stock": -1}',
    '{"product_id": "mug", "stock": 3, "time": "2026-03-02T10:00:00Z"}',
]


def test_what_can_be_used_is_sent_and_the_rest_is_told(
    retarget: Retarget, embedded_broker: EmbeddedBroker, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    """Each record as it stands, in the partition of its product; each bad row with its line, and exit 1."""
    topic, file = unique_name("catalogue"), tmp_path / "prices.jsonl"
    embedded_broker.create_topic(topic, 2)
    file.write_text("\n".join(ROWS))
    where = [
        "--set",
        f"kafka.bootstrap={embedded_broker.bootstrap}",
        "--set",
        f"kafka.catalogue_topic={topic}",
    ]
    answer = retarget("produce", file, "--topic", topic, *where)
    assert answer.code == 1
    assert answer.out.startswith(f"2 records of the catalogue, 4 left out to {topic} (2 partitions) in ")
    assert [line.split(" ")[0] for line in answer.err.splitlines()] == [
        f"prices.jsonl:{n}:" for n in (2, 3, 4, 5)
    ]
    told = retarget("tail", topic, "--from-start", "--json", *where).out.splitlines()
    assert sorted(told) == sorted([ROWS[0], ROWS[5]])
    lines = retarget("tail", topic, *where).out.splitlines()
    assert {line.split()[1].split(":")[0] for line in lines if '"tent"' in line} == {
        str(partition_of(b"tent", 2))
    }
    file.write_text(json.dumps({"product_id": "tent", "margin": 2}))
    assert retarget("produce", file, "--topic", topic, *where).code == 0


def test_a_sale_that_has_not_begun_is_no_price_of_today(
    retarget: Retarget, embedded_broker: EmbeddedBroker, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    """What is loaded holds now, by the clock."""
    topic, file = unique_name("catalogue"), tmp_path / "feed.csv"
    embedded_broker.create_topic(topic, 1)
    rows = [
        "past,9,7,2020-01-01/2020-01-31",
        "now,9,7,2020-01-01/2199-01-31",
        "to come,9,7,2199-01-01/2199-01-31",
    ]
    file.write_text("\n".join(["id,price,sale_price,sale_price_effective_date", *rows]))
    where = ["--set", f"kafka.bootstrap={embedded_broker.bootstrap}"]
    where += ["--set", f"kafka.catalogue_topic={topic}"]
    assert retarget("produce", file, "--topic", topic, *where).code == 0
    told = map(json.loads, retarget("tail", topic, "--from-start", "--json", *where).out.splitlines())
    assert {one["product_id"]: one["price"] for one in told} == {"past": 9, "now": 7, "to come": 9}


def test_what_is_for_touchpoints_is_refused(retarget: Retarget) -> None:
    """A catalogue has one form, and moves no clock."""
    answer = retarget("produce", "f", "--topic", "catalogue", "--end-heartbeats", "--as-is")
    assert (answer.code, answer.err.splitlines()) == (
        1,
        [
            "--as-is: is for touchpoints, not for the catalogue",
            "--end-heartbeats: is for touchpoints, not for the catalogue",
        ],
    )
