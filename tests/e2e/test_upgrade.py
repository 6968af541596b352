"""Today's workers go on where an earlier build stopped: from its store, and from its snapshot."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress
from streams.kafka.sending import producing
from streams.producing import send_all
from tests.e2e.emitted import OUTPUT_TOPICS, identity
from tests.e2e.harness import Stage, on_stage, until
from tests.e2e.stored_engine import PARTITIONS, Kept, StoredEngine, records, stage_of, unpacked

_KEPT: Final = Path(__file__).resolve().parents[1] / "fixtures" / "engines"
# Builds of 22 November 2026, 12:33 UTC (ad17071), and of 23 November, 01:54 (087a629).
_OLD, _RECENT = _KEPT / "2026-11-22.tar.xz", _KEPT / "2026-11-23.tar.xz"


async def send(stage: Stage, kept: Sequence[Kept]) -> None:
    """Send the records as they were, and know the clock that they lead to."""
    async with producing(KafkaAddress(bootstrap=stage.bootstrap)) as producer:
        await send_all(producer, (each.to_send for each in kept))
    told = [json.loads(each.value) for each in kept if each.topic == topics.TOUCHPOINTS]
    beats = [each["time"] for each in told if each["type"] == "heartbeat"]
    stage.latest = max(beats) - stage.settings.clock.lateness


async def left_as_it_was(stage: Stage, engine: StoredEngine) -> None:
    """The topics as the earlier build left them, each record at its offset."""
    kept = engine.sent(before=True)
    await send(stage, kept)
    there = await records(stage.bootstrap, {})
    assert [(one.topic, one.partition, one.offset, one.value) for one in there] == [
        (one.topic, one.partition, one.offset, one.value) for one in kept
    ]


def fill(store: EmbeddedStore, engine: StoredEngine) -> None:
    """The store as the earlier build left it."""
    with redis.Redis.from_url(store.url) as client:
        for key in engine.keys:
            key.put(client)


def what_left(kept: Sequence[Kept]) -> Counter[Any]:
    """What went out, each by what it is known by."""
    return Counter(identity(one.topic, one.value) for one in kept if one.topic in OUTPUT_TOPICS)


def what_was_decided(left: Counter[Any]) -> Counter[tuple[str, str, str]]:
    """Of whom, when and what, without ids: the place, `person` to `decided_at`, the operation."""
    said: Counter[tuple[str, str, str]] = Counter()
    for (rule, topic, *about), times in left.items():
        said[rule + topic, str(about[:6]), about[6]] += times
    return said


async def gone_on(stage: Stage, engine: StoredEngine) -> Counter[Any]:
    """Let today's worker have what the earlier build then had; all that has left since the beginning."""
    await stage.shared_out()
    await send(stage, [one for one in engine.sent(before=False) if one.topic == topics.TOUCHPOINTS])
    await stage.done()
    assert all(end.stored == end.journaled for end in await stage.ends())
    return what_left(await records(stage.bootstrap, {}))


@pytest.mark.parametrize("way", ["store", "snapshot"])
async def test_an_engine_of_an_earlier_build_goes_on(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path, way: str
) -> None:
    """It sends what its own build then sent: nothing is forgotten, nothing is told twice."""
    engine = unpacked(_RECENT, tmp_path)
    stage = stage_of(own_broker.bootstrap, store, tmp_path, f"snapshot.folder={engine.snapshots}")
    async with on_stage(stage):
        await left_as_it_was(stage, engine)
        if way == "store":
            fill(store, engine)
        worker = stage.worker("today", alone=True)
        assert await gone_on(stage, engine) == what_left(engine.records), worker.said
        assert worker.said.count("it is back from ") == (PARTITIONS if way == "snapshot" else 0), worker.said


async def test_an_older_store_is_read_though_more_is_decided_by_now(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path
) -> None:
    """All that its build then sent is sent, once; beside it only recalls, which it did not know in all cases.

    Removals from audiences have got other ids since.
    """
    engine = unpacked(_OLD, tmp_path)
    stage = stage_of(own_broker.bootstrap, store, tmp_path)
    async with on_stage(stage):
        await left_as_it_was(stage, engine)
        fill(store, engine)
        worker = stage.worker("today", alone=True)
        found, wanted = await gone_on(stage, engine), what_left(engine.records)
        assert {*found.values()} == {1}
        found, wanted = what_was_decided(found), what_was_decided(wanted)
        assert not wanted - found, worker.said
        assert {operation for *_, operation in found - wanted} == {"recall"}, worker.said


async def test_an_older_snapshot_whose_rules_are_understood_otherwise_is_refused(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path
) -> None:
    """Batches that follow on it cannot be repeated by the rules of then: the lanes say so and stand."""
    engine = unpacked(_OLD, tmp_path)
    stage = stage_of(own_broker.bootstrap, store, tmp_path, f"snapshot.folder={engine.snapshots}")
    async with on_stage(stage):
        await left_as_it_was(stage, engine)
        worker = stage.worker("today", alone=True)

        async def refused() -> bool:
            return worker.said.count("stands still: ") == PARTITIONS

        await until(refused, "both lanes refused", lambda: worker.said)
        assert worker.said.count("; deploy retarget 0.1.0 with tzdata ") == PARTITIONS, worker.said
