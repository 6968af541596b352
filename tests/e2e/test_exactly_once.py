"""Whatever is killed, frozen or taken away, the topics hold what one undisturbed process would have sent."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import NamedTuple

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.files import FileEvent
from streams.ports import Output
from tests.e2e.emitted import Outlet
from tests.e2e.harness import OLD_FILES, HasUrl, Stage, WorkerProcess, file_events, on_stage, replayed, until
from tests.e2e.stopping_worker import STANDS
from tests.oracle.histories import random_history
from tests.support.kafka.real_kafka import RealKafka

# Small batches: many moments at which a crash can come between journal and store.
SMALL = ("batch.records=150", "batch.persons=50")
_EVENTS = 10_000
_LATER = 9_000
_SOME = 300
_ROUNDS = 8


class Story(NamedTuple):
    """Events, and what one lane in one process makes of them."""

    events: list[FileEvent]
    wanted: list[Output]


@pytest.fixture(scope="module")
def story() -> Story:
    """A made-up history of some months and hundreds of people."""
    events = file_events(random_history(7, _EVENTS))
    return Story(events, asyncio.run(replayed(events, OLD_FILES)))


@pytest.fixture
def stage(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, unique_name: Callable[[str], str]
) -> Stage:
    """An engine on the shared broker with transactions."""
    return stage_on(real_kafka.bootstrap, store, tmp_path, unique_name("engine"), "transactional")


def stage_on(bootstrap: str, store: EmbeddedStore, folder: Path, app_id: str, emit: str) -> Stage:
    """An engine of four lanes."""
    return Stage(
        bootstrap=bootstrap,
        store=store,
        folder=folder,
        app_id=app_id,
        emit=emit,
        partitions=4,
        settings=(*OLD_FILES, *SMALL),
    )


async def begin(stage: Stage, outlet: Outlet, story: Story) -> None:
    """Send most of the events and wait until some outputs are there: the others cannot be there yet."""
    await stage.shared_out()
    await stage.produce(story.events[:_LATER], end=False)

    async def some() -> bool:
        return await outlet.poll() >= _SOME

    await until(some, f"{_SOME} outputs", stage.logs)


async def finish(stage: Stage, outlet: Outlet | None, story: Story) -> None:
    """Send the rest, and require that all is as if nothing had happened."""
    await stage.produce(story.events[_LATER:])
    await stage.finish(story.wanted, outlet)


async def test_a_killed_workers_lanes_are_taken_over(stage: Stage, story: Story) -> None:
    """SIGKILL of one of two workers in mid-stream: nothing is missing, nothing is there twice."""
    async with on_stage(stage), stage.outlet() as outlet:
        first, _ = stage.worker("one"), stage.worker("two")
        await begin(stage, outlet, story)
        first.kill()
        await finish(stage, outlet, story)


async def test_a_worker_that_is_asked_to_stop_hands_its_lanes_on(stage: Stage, story: Story) -> None:
    """SIGTERM in mid-stream: the batch at hand is finished, nothing is replayed, the group knows at once."""
    async with on_stage(stage), stage.outlet() as outlet:
        first, second = stage.worker("one"), stage.worker("two")
        await begin(stage, outlet, story)
        first.send(signal.SIGTERM)
        assert await first.ended() == 0, first.said
        members = await members_of(stage)
        assert len(members) == 1, "it has left without a word, and its lanes wait for a session timeout"
        await finish(stage, outlet, story)
    assert replays(second) == [0] * len(replays(second)), second.said


@pytest.mark.slow
async def test_a_restart_under_the_same_name_goes_on_at_once(stage: Stage, story: Story) -> None:
    """A killed worker that comes back has its lanes again before the group has missed it."""
    async with on_stage(stage), stage.outlet() as outlet:
        first, second = stage.worker("one"), stage.worker("two")
        await begin(stage, outlet, story)
        claimed = second.said.count("is ours, ")
        first.kill()
        stage.worker("one")
        await finish(stage, outlet, story)
        assert second.said.count("is ours, ") == claimed, second.said


async def test_a_broker_that_dies_and_comes_back(stage: Stage, real_kafka: RealKafka, story: Story) -> None:
    """SIGKILL of the broker in mid-stream: the workers wait for it and go on."""
    async with on_stage(stage):
        async with stage.outlet() as outlet:
            workers = stage.worker("one"), stage.worker("two")
            await begin(stage, outlet, story)
        real_kafka.kill()
        real_kafka.start()
        await finish(stage, None, story)
    assert all(worker.said.count("Traceback") == 0 for worker in workers), stage.logs()


async def test_a_store_that_does_not_answer_is_waited_for(stage: Stage, story: Story) -> None:
    """SIGSTOP of the store in mid-stream, until a lane has noticed."""
    async with on_stage(stage), stage.outlet() as outlet:
        stage.worker("one"), stage.worker("two")
        await begin(stage, outlet, story)
        with frozen(stage.store):
            await until_logged(stage, "waits for the store")
        await finish(stage, outlet, story)


@pytest.mark.slow
@pytest.mark.parametrize("emit", ["transactional", "idempotent"])
async def test_a_zombie_changes_nothing(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, story: Story, emit: str
) -> None:
    """A worker frozen for longer than its session loses its lanes, and cannot disturb the new owner."""
    stage = stage_on(real_kafka.bootstrap, store, tmp_path, f"zombie-{emit}", emit)
    async with on_stage(stage), stage.outlet() as outlet:
        first, _ = stage.worker("one"), stage.worker("two")
        await begin(stage, outlet, story)
        first.send(signal.SIGSTOP)
        await others_have_all(stage, first)
        first.send(signal.SIGCONT)
        await finish(stage, outlet, story)
        assert first.running, first.said


async def test_a_zombie_comes_back_into_its_transaction(stage: Stage, story: Story) -> None:
    """Stopped between sending and commit, for longer than its session: nothing torn, nothing twice."""
    stage.program, stage.environ = ("tests.e2e.stopping_worker",), {"STOPS_AT": "25"}
    async with on_stage(stage), stage.outlet() as outlet:
        first = stage.worker("one")
        stage.program, stage.environ = ("streams", "run"), {}
        stage.worker("two")
        await stage.shared_out()
        await stage.produce(story.events[:_LATER], end=False)

        async def stands() -> bool:
            return STANDS in first.said

        await until(stands, STANDS, stage.logs)
        await others_have_all(stage, first)
        first.send(signal.SIGCONT)
        await finish(stage, outlet, story)
        assert first.running, first.said


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("emit", ["transactional", "idempotent"])
async def test_a_bad_day(
    real_kafka: RealKafka, store: EmbeddedStore, tmp_path: Path, story: Story, emit: str
) -> None:
    """One misfortune after the other, drawn by a seed, while the events come in."""
    draw = random.Random(20)
    stage = stage_on(real_kafka.bootstrap, store, tmp_path, f"bad-day-{emit}", emit)
    size = len(story.events) // _ROUNDS
    async with on_stage(stage):
        for name in ("one", "two", "three"):
            stage.worker(name)
        await stage.shared_out()
        for start in range(0, len(story.events), size):
            await stage.produce(story.events[start : start + size], end=False)
            await misfortune(stage, draw)
        await stage.move_clocks(stage.latest)
        await stage.finish(story.wanted, within_s=300)


async def misfortune(stage: Stage, draw: random.Random) -> None:
    """A worker is killed, stopped or frozen, or the store is; afterwards all are there again."""
    worker = draw.choice([each for each in stage.workers if each.running])
    what = draw.choice(("kill", "kill", "stop", "freeze", "store"))
    if what == "store":
        with frozen(stage.store):
            await until_logged(stage, "waits for the store")
    elif what == "freeze":
        worker.send(signal.SIGSTOP)
        await others_have_all(stage, worker)
        worker.send(signal.SIGCONT)
    else:
        worker.send(signal.SIGKILL if what == "kill" else signal.SIGTERM)
        await worker.ended()
        stage.worker(worker.name)


# -- without transactions --


async def test_without_transactions_a_killed_worker_repeats_and_the_headers_tell(
    store: EmbeddedStore, tmp_path: Path, story: Story
) -> None:
    """The embedded broker, a worker killed and started again: without the repeats all is as it should be."""
    with EmbeddedBroker(folder=tmp_path) as broker:
        stage = stage_on(broker.bootstrap, store, tmp_path, "engine", "idempotent")
        async with on_stage(stage), stage.outlet() as outlet:
            worker = stage.worker("one", alone=True)
            await begin(stage, outlet, story)
            worker.kill()
            stage.worker("one", alone=True)
            await finish(stage, outlet, story)


# -- parts --


@contextmanager
def frozen(store: HasUrl) -> Iterator[None]:
    """The store does not answer inside the block, and holds all it held afterwards."""
    assert isinstance(store, EmbeddedStore)
    assert store.process.pid is not None
    os.kill(store.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(store.process.pid, signal.SIGCONT)


async def until_logged(stage: Stage, words: str) -> None:
    """Wait until a worker has logged these words once more."""

    def times() -> int:
        return sum(worker.said.count(words) for worker in stage.workers)

    before = times()

    async def logged() -> bool:
        return times() > before

    await until(logged, f"a worker says: {words}", stage.logs)


async def others_have_all(stage: Stage, frozen_one: WorkerProcess) -> None:
    """Wait until the other workers have claimed every lane."""

    async def taken_over() -> bool:
        others = [each for each in stage.workers if each.running and each is not frozen_one]
        shares = [await each.lanes() for each in others]
        return sorted(chain(*shares)) == list(range(stage.partitions))

    await until(taken_over, "the other workers have all lanes", stage.logs)


def replays(worker: WorkerProcess) -> list[int]:
    """How many batches it had to replay at each of its claims."""
    return [int(count) for count in re.findall(r"is ours, (\d+) batches replayed", worker.said)]


async def members_of(stage: Stage) -> list[object]:
    """The members of the workers' group."""
    admin = AIOKafkaAdminClient(bootstrap_servers=stage.bootstrap)
    await admin.start()
    try:
        (answer,) = await admin.describe_consumer_groups([stage.app_id])
        ((_, _, _, _, _, members, *_),) = answer.groups
        return list(members)
    finally:
        await admin.close()
