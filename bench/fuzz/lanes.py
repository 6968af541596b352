"""A lane that reads bad records on all of its topics at once, and must still do its work."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache
from random import Random
from typing import Final

import msgspec

from bench.fuzz import seeds
from bench.fuzz.mutating import broken
from retarget.dialects import DIALECTS
from retarget.rules.vocabulary import VOCABULARY
from streams.lanes.bundle import Bundle, bundle_of
from streams.lanes.bundles import OneBundle
from streams.lanes.limits import Limits
from streams.lanes.runner import LaneRunner
from streams.ports import Output, Record
from streams.replaying import LANE, RecordFeed, ReplayLog, ReplayWall, Tally
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import load_settings
from streams.stores.memory import MemoryStore
from streams.topics import FANNED, MERGE

# Enough that what one of them leaves behind meets the others.
RECORDS: Final = 60
_DIALECTS: Final = {name: name for name, dialect in DIALECTS.items() if dialect.kind == "record"}
_TOPICS: Final = (*_DIALECTS, FANNED, MERGE)
# Of a CloudEvent in binary mode.
_BINARY: Final = (("ce_specversion", b"1.0"), ("ce_type", b"view"), ("content-type", b"application/json"))
_LIMITS: Final = Limits(records=20, persons=20, waits=200, wait=0, idle=0, cached=50)
_DAY: Final = 86_400_000
_LAST: Final = 4_102_444_800_000 + 400 * _DAY


@cache
def _bundle() -> Bundle:
    settings = load_settings(
        overrides=(
            *seeds.SETTINGS,
            f"kafka.input_topics={','.join(_DIALECTS)}",
            f"input.dialect_by_topic={','.join(f'{topic}={name}' for topic, name in _DIALECTS.items())}",
            "arbitration.window=10m",
        )
    )
    return bundle_of(settings, load_rules([default_rules_dir()], VOCABULARY), [*_DIALECTS])


def run_lane(value: bytes) -> None:
    """Read these bytes among others that follow from them, on every topic; then somebody buys."""
    draw = Random(value)
    records = [*_records(draw, value)]
    outputs: list[Output] = []
    counts = asyncio.run(_run(records, outputs))
    said = [msgspec.json.decode(one.value) for one in outputs if one.topic == "retarget.decisions"]
    assert any(one["person"] == "buyer" for one in said), "the lane came to no decision on what was right"
    dead = [msgspec.json.decode(one.value) for one in outputs if one.topic == "retarget.dead"]
    assert not [one for one in dead if one["reason"] == "rule_failed"], dead
    assert counts["read",] == len(records)
    assert all(one["detail"] for one in dead)


def _records(draw: Random, value: bytes) -> Iterator[Record]:
    right = [*seeds.of_a_lane()]
    places = dict.fromkeys(_TOPICS, 0)
    for nth in range(RECORDS):
        topic = draw.choice(_TOPICS)
        given = value if nth % 8 == 0 else draw.choice(right) if nth % 3 else broken(draw, right)
        time = draw.choice((-(2**63), -1, 0, seeds.NOON + nth, seeds.NOON + nth * _DAY, _LAST))
        headers = [(name, broken(draw, [said])) for name, said in _BINARY] if draw.random() < 0.05 else []
        yield Record(topic, places[topic], time, None, given if draw.random() < 0.98 else None, headers)
        places[topic] += 1
    buys = {"id": "buys", "type": "purchase", "user_id": "buyer", "order_id": "o", "time": _LAST}
    yield Record("canonical", places["canonical"], _LAST, None, msgspec.json.encode(buys))


async def _run(records: list[Record], outputs: list[Output]) -> dict[tuple[str, ...], int]:
    tally = Tally()
    feed = RecordFeed(records, lambda: _LAST + 40 * _DAY)
    runner = LaneRunner(
        LANE, _TOPICS, OneBundle(_bundle()), store=MemoryStore(), log=ReplayLog(outputs.append), feed=feed,
        wall=ReplayWall(), limits=_LIMITS, ticks=True, observer=tally,
    )  # fmt: skip
    await runner.claim()
    while await runner.batch():
        pass
    return tally.counts
