"""Rules published while the engine works, on the embedded parts: no episode is lost, none comes twice."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
import redis

from retarget.engine.split import Part
from retarget.times import DAY, HOUR
from retarget.touchpoints import Touchpoint
from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.files import FileEvent
from streams.kafka import KafkaAddress, Reader, journal
from streams.lanes.outputs import digest
from streams.ports import JournalRecord, Output
from streams.resources import default_rules_dir
from streams.stores import open_store
from tests.e2e.emitted import Emitted, differences, identity
from tests.e2e.harness import OLD_FILES, Stage, WorkerProcess, file_events, on_stage, replayed, until
from tests.e2e.test_exactly_once import replays
from tests.oracle.histories import random_history
from tests.support.worker import ROOT, command

LANES: Final = 2
_EVENTS: Final = 3_000
_FIRST: Final = 1_500
_SECOND: Final = 2_200
_LATER: Final = _SECOND + 200
_CARTS: Final = 40
_CART: Final = "abandoned_cart.yaml"
_FOREVER: Final = 1 << 62
SALT: Final = "retarget"


@pytest.fixture
def stage(own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path) -> Stage:
    """An engine that decides by what is published, in small batches."""
    return Stage(
        bootstrap=own_broker.bootstrap,
        store=store,
        folder=tmp_path,
        app_id="engine",
        emit="idempotent",
        partitions=LANES,
        settings=(*OLD_FILES, "batch.records=100", "batch.persons=40", "rules.source=topic"),
    )


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """The rules that ship, without their cases, the cart's otherwise."""
    shutil.copytree(default_rules_dir(), folder, ignore=shutil.ignore_patterns("*.cases.yaml"))
    text = (folder / _CART).read_text()
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (folder / _CART).write_text(text)
    return folder


def publish(stage: Stage, rules: Path, *words: str) -> str:
    """`retarget rules publish`, as a process of its own; the bundle's id."""
    settings = (*stage.given, f"kafka.bootstrap={stage.bootstrap}")
    done = subprocess.run(
        command("rules", "publish", str(rules), *words, settings=settings),
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[1]


async def disturbed(stage: Stage, events: Sequence[FileEvent], rules: Path, *words: str) -> str:
    """Rules are published in mid-stream, and the worker is killed when it has taken them up; their id."""
    worker = stage.worker("one", alone=True)
    await stage.shared_out()
    await stage.produce(events[:_FIRST])
    await stage.done()
    publishing = asyncio.to_thread(publish, stage, rules, *words)
    bundle, _ = await asyncio.gather(publishing, stage.produce(events[_FIRST:_SECOND], end=False))
    await said(worker, f"decides by bundle {bundle}")
    worker.kill()
    stage.worker("one", alone=True)
    await stage.produce(events[_SECOND:])
    return bundle


async def said(worker: WorkerProcess, words: str) -> None:
    """Wait until a worker has logged these words."""

    async def logged() -> bool:
        return words in worker.said

    await until(logged, words, lambda: worker.said)


async def journals(stage: Stage) -> list[list[JournalRecord]]:
    """What counts in the journal of every lane."""
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    await reader.start()
    found = []
    try:
        for lane in range(LANES):
            end = await reader.end(topics.JOURNAL, lane)
            records = await reader.read(topics.JOURNAL, lane, 0, end)
            counted = journal.Arbiter(0).take((one.offset, journal.decode(one)) for one in records)
            found.append([record for _, record in counted])
    finally:
        await reader.close()
    return found


async def emitted(stage: Stage) -> list[Emitted]:
    """What a consumer has taken of all outputs."""
    async with stage.outlet() as outlet:
        return sorted(await outlet.to_end(), key=lambda one: (one.topic, one.partition, one.offset))


async def kept(stage: Stage, people: Sequence[str]) -> object:
    """Everything that the store has of these people."""
    store = await open_store(stage.store.url, stage.app_id, LANES)
    try:
        return [
            (await store.load(lane, people), await store.waits(lane, -1, _FOREVER, 1 << 20))
            for lane in range(LANES)
        ]
    finally:
        await store.close()


def as_journaled(records: Sequence[Emitted], lanes: Sequence[Sequence[JournalRecord]]) -> None:
    """Every batch has left exactly the outputs that its journal record says."""
    batches: dict[tuple[int, int], list[tuple[int, Output]]] = defaultdict(list)
    for one in records:
        assert one.stamp is not None
        place = one.stamp.lane, one.stamp.sequence
        batches[place].append((one.stamp.nth, Output(one.topic, one.key, one.value)))
    for lane, journaled in enumerate(lanes):
        for record in journaled:
            outputs = [output for _, output in sorted(batches.pop((lane, record.sequence), []))]
            assert (len(outputs), digest(outputs)) == (record.outputs, record.digest)
    assert not batches


def taken_up_once(lanes: Sequence[Sequence[JournalRecord]], before: str, after: str) -> None:
    """Each lane has decided by one, then by the other, and did not go back."""
    for journaled in lanes:
        named = [record.bundle for record in journaled]
        assert set(named) == {before, after}
        assert sum(one != other for one, other in pairwise(named)) == 1


async def test_no_episode_is_lost_and_none_comes_twice(stage: Stage, tmp_path: Path) -> None:
    """Other words for the same decisions, published in mid-stream: exactly the decisions of one quiet run."""
    events = file_events(random_history(7, _EVENTS))
    wanted = await replayed(events, OLD_FILES)
    other = changed(tmp_path / "b", ("You left something in your cart", "Your cart waits"))
    async with on_stage(stage):
        first = await asyncio.to_thread(publish, stage, changed(tmp_path / "a"))
        second = await disturbed(stage, events, other)
        await stage.done()
        found, lanes = await emitted(stage), await journals(stage)
        ends = await stage.ends()

    known = {identity(each.topic, each.value): each.value for each in wanted}
    new = [each for each in found if known.get(identity(each.topic, each.value)) != each.value]
    assert new, "nothing was decided by the second bundle"
    assert all(identity(each.topic, each.value)[0] == "abandoned_cart" for each in new)
    left = [line for line in differences(wanted, found) if " with another content: " not in line]
    assert left == []
    taken_up_once(lanes, first, second)
    as_journaled(found, lanes)
    assert [end.stored for end in ends] == [end.journaled for end in ends]


async def test_a_canary_loses_nothing_and_sends_nothing_twice(stage: Stage, tmp_path: Path) -> None:
    """Other words for half of the people, in mid-stream: one decision each, and shadows beside them."""
    events = file_events(random_history(9, _EVENTS))
    wanted = await replayed(events, OLD_FILES)
    other = changed(tmp_path / "b", ("You left something in your cart", "Your cart waits"))
    async with on_stage(stage):
        first = await asyncio.to_thread(publish, stage, changed(tmp_path / "a"))
        second = await disturbed(stage, events, other, "--canary", "50%")
        await stage.done()
        found, lanes = await emitted(stage), await journals(stage)

    shadows = [each for each in found if json.loads(each.value).get("shadow")]
    live = [each for each in found if each not in shadows]
    left = [line for line in differences(wanted, live) if " with another content: " not in line]
    assert left == []
    drawn = Part("canary abandoned_cart", 0.5)
    said = [json.loads(each.value) for each in found]
    tried = {one["person"] for one in said if "Your cart waits" in (one.get("why") or "")}
    assert tried, "nobody was in the canary"
    assert all(drawn.has(person, SALT) for person in tried)
    outside = {json.loads(each.value)["person"] for each in shadows}
    assert outside, "nothing was decided in shadow"
    assert not any(drawn.has(person, SALT) for person in outside)
    assert {each.topic for each in shadows} == {topics.DECISIONS}
    taken_up_once(lanes, first, second)
    as_journaled(found, lanes)


def versions(records: Sequence[Emitted]) -> dict[tuple[str, ...], list[str]]:
    """By which versions the messages of each cart's episode were decided: its opening event comes first."""
    found: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for each in records:
        one = json.loads(each.value)
        if each.topic == topics.DECISIONS and one["rule"] == "abandoned_cart" and one["operation"] == "send":
            episode = one["person"], one["subject"]["id"], one["evidence"][0], str(one["shadow"])
            found[episode].append(one["rule_version"])
    return found


def with_open_carts(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Wherever from `_FIRST` to `_SECOND` rules change, many have had the first message and not the second.

    Time nearly stands still there; what comes after is as far from one another as before.
    """
    before, within, after = history[: _FIRST - _CARTS], history[_FIRST - _CARTS : _LATER], history[_LATER:]
    noon = (before[-1]["time"] // DAY + 1) * DAY + 12 * HOUR
    shift = max(0, noon + 20 * HOUR - after[0]["time"])
    carts = [
        {"id": f"w{n}", "type": "add", "time": noon, "user_id": f"w{n}", "items": [{"product_id": "p1"}]}
        for n in range(_CARTS)
    ]  # fmt: skip
    still = [one | {"time": noon + 2 * HOUR + n} for n, one in enumerate(within)]
    return [*before, *carts, *still, *({**one, "time": one["time"] + shift} for one in after)]


FINISH: Final = ("again: 24h", "again: 24h\non_change: finish")
SLOWER: Final = (("after: 30m", "after: 60m"), ("after: 24h", "after: 20h"))


@pytest.mark.parametrize(
    ("keys", "words"),
    [((), ()), ((FINISH,), ()), ((), ("--canary", "50%")), ((FINISH,), ("--canary", "50%"))],
    ids=["anew", "finish", "canary", "canary that finishes"],
)
async def test_the_journal_comes_to_the_same_although_the_rules_have_changed(
    stage: Stage, tmp_path: Path, keys: tuple[tuple[str, str], ...], words: tuple[str, ...]
) -> None:
    """Another wait, published in mid-stream; the store is lost, and the journal makes all of it again."""
    events = file_events(with_open_carts(random_history(8, _EVENTS)))
    people = sorted({one.found.person for one in events if isinstance(one.found, Touchpoint)})
    other = changed(tmp_path / "b", *SLOWER, *keys)
    async with on_stage(stage):
        first = await asyncio.to_thread(publish, stage, changed(tmp_path / "a", *keys))
        second = await disturbed(stage, events, other, *words)
        await stage.done()
        found, lanes, before = await emitted(stage), await journals(stage), await kept(stage, people)
        taken_up_once(lanes, first, second)
        as_journaled(found, lanes)
        by_episode = versions(found).values()
        assert len({version for seen in by_episode for version in seen}) == 2
        assert any(len(set(seen)) > 1 for seen in by_episode) is not bool(keys)

        stage.workers[-1].kill()
        with redis.Redis.from_url(stage.store.url) as client:
            client.flushall()
        worker = stage.worker("two", alone=True)
        await stage.done()
        await stage.shared_out()  # the store is at the end a moment before the lane says what it replayed
        assert sum(replays(worker)) == sum(map(len, lanes))
        assert "came to other outputs" not in worker.said
        assert await kept(stage, people) == before
        assert await emitted(stage) == found
