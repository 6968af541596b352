"""People turn out to be each other while workers are killed: all is as one undisturbed process has it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Final, NamedTuple

import pytest
import redis

from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import DAY, HOUR, MINUTE, SECOND
from streams import topics
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress, Reader, journal
from streams.kafka.sending import producing
from streams.lanes import positions
from streams.ports import Output
from streams.stores import open_store
from tests.e2e.harness import OLD_FILES, Stage, WorkerProcess, file_events, on_stage, replayed, until
from tests.factories import MIDNIGHT, Event, an_item
from tests.support.kafka.real_kafka import RealKafka

pytestmark = pytest.mark.timeout(300)

LANES: Final = 4
PEOPLE: Final = 120
NOON: Final = MIDNIGHT + 12 * HOUR
# Small batches: many moments at which a crash can come between the halves. What crosses comes in time.
SETTINGS: Final = (
    *OLD_FILES,
    "quiet_hours.enabled=false",
    "clock.lateness=10s",
    "batch.records=20",
    "batch.persons=7",
)


def did(kind: str, at: int, **fields: object) -> Event:
    """An event of one product, whose id is told by what it is."""
    who = fields.get("user_id") or fields.get("anonymous_id")
    return {"id": f"{who}-{kind}-{at}", "type": kind, "time": at} | fields


def before(chance: Random) -> Iterator[Event]:
    """What is done under both ids until they are told to be one."""
    for number in range(PEOPLE):
        for place in range(4):
            who = {"user_id": f"u{number}"} if chance.random() < 0.4 else {"anonymous_id": f"a{number}"}
            kind = chance.choice(("view", "add", "wishlist"))
            at = NOON + place * MINUTE + number * 10
            yield did(kind, at, items=[an_item(f"p{chance.randrange(3)}")], **who)


def words() -> Iterator[Event]:
    """Everybody says who they are."""
    for number in range(PEOPLE):
        at = NOON + 6 * MINUTE + number * 10
        yield did(
            "identify", at, user_id=f"u{number}", anonymous_id=f"a{number}", traits={"first_name": "Eve"}
        )


def after(chance: Random) -> Iterator[Event]:
    """What is done with the devices afterwards, and by some their purchase."""
    for number in range(PEOPLE):
        at = NOON + 15 * MINUTE + number * 10
        yield did("view", at, anonymous_id=f"a{number}", items=[an_item("p1")])
        if chance.random() < 0.3:
            bought = {"order_id": f"o{number}", "items": [an_item("p0"), an_item("p1"), an_item("p2")]}
            yield did("purchase", at + SECOND, anonymous_id=f"a{number}", **bought)


def last() -> Iterator[Event]:
    """What moves the clock to where all has been decided."""
    yield did("view", NOON + 5 * DAY, user_id="last", items=[an_item("p1")])


async def joined(stage: Stage) -> None:
    """Wait until everything is read, and everything that the lanes have told each other is in the store."""
    reader = Reader(KafkaAddress(bootstrap=stage.bootstrap))
    await reader.start()
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    try:

        async def at_rest() -> bool:
            people = 0
            for lane in range(LANES):
                stands = positions.decode((await store.image(lane)).meta)
                for topic in (topics.TOUCHPOINTS, topics.MERGE):
                    end, read = await reader.end(topic, lane), stands.frontier.get(topic, 0)
                    if end > read and await reader.read(topic, lane, read, end):
                        return False
                _, found = await store.load(lane, [f"a{number}" for number in range(PEOPLE)])
                people += sum(bool(one is not None and wire.decode(one).moved) for one in found)
            return people == PEOPLE

        await until(at_rest, "everybody joined", stage.logs)
    finally:
        await reader.close()
        await store.close()


async def play(stage: Stage, chance: Random) -> None:
    """All of it, with a worker killed between the halves of merges, and required to be as in a replay."""
    parts = [file_events(part) for part in (before(chance), words(), after(chance), last())]
    wanted: list[Output] = await replayed([event for part in parts for event in part], SETTINGS)
    async with on_stage(stage):
        first, _ = stage.worker("one"), stage.worker("two")
        await stage.shared_out()
        await stage.produce(parts[0])
        await stage.produce(parts[1])
        await asyncio.sleep(chance.random())
        first.kill()
        stage.worker("one")
        await stage.done()
        await joined(stage)
        await stage.produce(parts[2], end=False)
        await joined(stage)
        await stage.produce(parts[3])
        await stage.finish(wanted)
    assert any(b'"person":"u1"' in one.value for one in wanted)


class Halves(NamedTuple):
    """How much of what crosses is in its topic, and how much of it lanes have taken, by journal and by store.

    `journaled` and `stored`: whether the batch at which the worker died is there.
    """

    written: int
    taken: int
    kept: int
    journaled: bool
    stored: bool


async def halves(stage: Stage, died: WorkerProcess) -> Halves:
    """Where the merge stands while nobody works."""
    lane, sequence = map(int, re.findall(r"dies of \w+ in lane (\d+) at (\d+)", died.said)[-1])
    address = KafkaAddress(bootstrap=stage.bootstrap)
    if stage.emit == "transactional":
        for each in range(LANES):  # what other lanes had begun to write would stay undecided for long
            async with producing(address, f"{stage.app_id}-lane-{each}"):
                pass
    reader = Reader(address)
    await reader.start()
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    written = taken = kept = 0
    try:
        for each in range(LANES):
            end = await reader.end(topics.MERGE, each)
            written += len(await reader.read(topics.MERGE, each, 0, end))
            kept += positions.decode((await store.image(each)).meta).frontier.get(topics.MERGE, 0)
            journaled = await reader.read(topics.JOURNAL, each, 0, await reader.end(topics.JOURNAL, each))
            records = [journal.decode(one) for one in journaled]
            taken += max((one.frontier.get(topics.MERGE, 0) for one in records), default=0)
    finally:
        await reader.close()
        await store.close()
    stands = (await stage.ends())[lane]
    return Halves(written, taken, kept, stands.journaled >= sequence, stands.stored >= sequence)


# What is found when the worker has killed itself at the first batch of which it holds.
HIT: Final[dict[str, Callable[[Halves], bool]]] = {
    "unwritten": lambda found: found == Halves(0, 0, 0, journaled=False, stored=False),
    "unsent": lambda found: found == Halves(0, 0, 0, journaled=True, stored=False),
    "written": lambda found: found.written > 0 and found[1:] == (0, 0, True, False),
    "taken": lambda found: found.taken > found.kept and found.journaled and not found.stored,
}


async def die_at(stage: Stage, point: str) -> None:
    """The only worker kills itself at that point of a merge; another goes on, and all is as in a replay."""
    chance = Random(point)
    parts = [file_events(part) for part in (before(chance), words(), after(chance), last())]
    wanted: list[Output] = await replayed([event for part in parts for event in part], SETTINGS)
    async with on_stage(stage):
        whole, stage.program, stage.environ = stage.program, ("tests.e2e.dying_worker",), {"DIES_AT": point}
        first = stage.worker("one")
        await stage.shared_out()
        await stage.produce(parts[0])
        await stage.produce(parts[1])
        assert await first.ended() == -signal.SIGKILL, stage.logs()
        found = await halves(stage, first)
        assert HIT[point](found), f"{point} was not hit: {found}"
        stage.program, stage.environ = whole, {}
        stage.worker("two", alone=True)
        await stage.done()
        await joined(stage)
        await stage.produce(parts[2], end=False)
        await joined(stage)
        await stage.produce(parts[3])
        await stage.finish(wanted)


def stage_on(bootstrap: str, store: EmbeddedStore, folder: Path, app_id: str, emit: str) -> Stage:
    """An engine of four lanes."""
    return Stage(
        bootstrap=bootstrap, store=store, folder=folder, app_id=app_id, emit=emit, partitions=LANES,
        settings=SETTINGS,
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_a_kill_between_the_halves_with_transactions(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str], seed: int
) -> None:
    """On Kafka: merged exactly once, and decided as one lane would."""
    stage = stage_on(real_kafka.bootstrap, store, tmp_path, unique_name("engine"), "transactional")
    await play(stage, Random(seed))


async def test_a_kill_between_the_halves_without_transactions(store: EmbeddedStore, tmp_path: Path) -> None:
    """On the embedded broker, where what crosses may be written twice."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        await play(stage_on(broker.bootstrap, store, tmp_path, "engine", "idempotent"), Random(3))


@pytest.mark.parametrize("point", HIT)
async def test_a_kill_at_each_point_of_a_merge_without_transactions(
    store: EmbeddedStore, tmp_path: Path, point: str
) -> None:
    """Hit each time, as topics and store show before anybody goes on; merged exactly once."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        await die_at(stage_on(broker.bootstrap, store, tmp_path, "engine", "idempotent"), point)


@pytest.mark.parametrize("point", [point for point in HIT if point != "unsent"])
async def test_a_kill_at_each_point_of_a_merge_with_transactions(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str], point: str
) -> None:
    """On Kafka, where journal and what crosses come together."""
    stage = stage_on(real_kafka.bootstrap, store, tmp_path, unique_name("engine"), "transactional")
    await die_at(stage, point)


async def test_a_wrong_word_is_taken_back(store: EmbeddedStore, tmp_path: Path) -> None:
    """As docs/runbook.md has it: the id is named, the store emptied, and each has again what they did."""
    person = next(f"u{n}" for n in range(99) if topics.lane_of(f"u{n}", LANES) == 1)
    device, right = (
        next(f"{kind}{n}" for n in range(99) if topics.lane_of(f"{kind}{n}", LANES) == 2) for kind in "ad"
    )

    def filled(who: str, product: str, at: int) -> Event:
        name = "user_id" if who == person else "anonymous_id"
        return did("add", NOON + at, items=[an_item(product)], **{name: who})

    def said(who: str, at: int) -> Event:
        return did("identify", NOON + at, user_id=person, anonymous_id=who) | {"id": f"said-{who}"}

    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker.bootstrap, store, tmp_path, "engine", "idempotent")
        async with on_stage(stage), stage.outlet() as outlet:
            worker = stage.worker("one", alone=True)
            await stage.shared_out()
            story = [filled(person, "p0", 0), filled(device, "p1", 1), filled(right, "p2", 2)]
            await stage.produce(file_events([*story, said(device, MINUTE), said(right, MINUTE)]))
            await crossed(stage, {device, right})
            await stage.produce(file_events([filled(device, "p3", 2 * MINUTE)]))
            await stage.done()
            await eventually(stage, person, {"p0", "p1", "p2", "p3"})
            worker.kill()
            with redis.Redis.from_url(store.url) as client:
                client.flushall()
            stage.given = (*stage.given, f"identity.apart={device}")
            stage.worker("two", alone=True)
            await stage.shared_out()
            await eventually(stage, person, {"p0", "p2"})
            await eventually(stage, device, {"p1", "p3"})
            await stage.produce(
                file_events([filled(device, "p4", 3 * MINUTE), filled(right, "p5", 3 * MINUTE)])
            )
            await stage.done()
            await eventually(stage, person, {"p0", "p2", "p5"})
            await eventually(stage, device, {"p1", "p3", "p4"})
            await stage.produce(file_events(list(last())))
            await stage.done()
            found = [json.loads(one.value) for one in await outlet.to_end() if one.topic == topics.DECISIONS]
    carts = [one for one in found if one["rule"] == "abandoned_cart" and one["operation"] == "send"]
    assert {one["person"] for one in carts} == {person, device}
    assert len({one["decision_id"] for one in carts}) == len(carts)


async def crossed(stage: Stage, devices: set[str]) -> None:
    """Wait until all of these lead to somebody."""
    await _stored(stage, devices, lambda found: all(one is not None and one.moved for one in found))


async def eventually(stage: Stage, person: str, products: set[str]) -> None:
    """Wait until this person has had to do with these products and no others."""
    await _stored(stage, {person}, lambda found: found[0] is not None and set(found[0].products) == products)


async def _stored(stage: Stage, people: set[str], fits: Callable[[list[Journey | None]], bool]) -> None:
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)

    async def there() -> bool:
        data = [await store.journey(topics.lane_of(one, LANES), one) for one in sorted(people)]
        return fits([None if one is None else wire.decode(one) for one in data])

    try:
        await until(there, f"{people} as they should be", stage.logs)
    finally:
        await store.close()


async def test_whoever_is_erased_has_no_other_ids(store: EmbeddedStore, tmp_path: Path) -> None:
    """Over lanes, in the store, and in one that comes back from the journal after it was lost."""
    person = next(f"u{n}" for n in range(99) if topics.lane_of(f"u{n}", LANES) == 1)
    device = next(f"a{n}" for n in range(99) if topics.lane_of(f"a{n}", LANES) == 2)
    seen = did("add", NOON, anonymous_id=device, items=[an_item("p1")])
    word = did("identify", NOON + MINUTE, user_id=person, anonymous_id=device)
    erase = did("erase", NOON + HOUR, user_id=person)
    late = did("view", NOON + 2 * MINUTE, anonymous_id=device, items=[an_item("p2")])

    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker.bootstrap, store, tmp_path, "engine", "idempotent")
        async with on_stage(stage):
            worker = stage.worker("one", alone=True)
            await stage.shared_out()
            await stage.produce(file_events([seen, word]))
            await crossed(stage, {device})
            await stage.produce(file_events([erase]))
            await gone(stage, device)
            worker.kill()
            with redis.Redis.from_url(store.url) as client:
                client.flushall()
            stage.worker("two", alone=True)
            await stage.shared_out()
            await stage.done()
            await gone(stage, device)
            await stage.produce(file_events([late]))
            await stage.done()
            await eventually(stage, device, {"p2"})
            await eventually(stage, person, set())


async def gone(stage: Stage, person: str) -> None:
    """Wait until nothing is stored of this id."""
    await _stored(stage, {person}, lambda found: found == [None])
