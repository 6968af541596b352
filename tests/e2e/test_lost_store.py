"""The store is lost as a whole: the lanes come back, from a snapshot or from the inputs, or say why not."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
import redis
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from retarget.errors import BadInput
from retarget.journeys import wire
from retarget.times import HOUR, MINUTE
from streams import topics
from streams.clocks import now_ms
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.embedded.processes import free_port, tail
from streams.files import FileEvent
from streams.images import Folder, manifest
from streams.kafka import KafkaAddress
from streams.lanes import positions
from streams.ports import LaneImage
from streams.privacy.cutting import Cut, cut, needed_from
from streams.settings import load_settings
from streams.stores import open_store
from tests.e2e.conftest import Staging
from tests.e2e.harness import (
    OLD_FILES,
    ROOT,
    WITHIN_S,
    Stage,
    WorkerProcess,
    file_events,
    on_stage,
    replayed,
    until,
)
from tests.factories import NOON, an_add, an_event
from tests.oracle.histories import random_history
from tests.support.kafka.real_kafka import RealKafka
from tests.support.leaving_worker import GONE
from tests.support.worker import page

_FIRST, _SECOND = 1_200, 1_400
# A worker that stops gives its lanes 8 s.
_BEFORE_IT_IS_CUT_OFF_S = 6.0


@pytest.fixture(scope="module")
def events() -> list[FileEvent]:
    """What happens in all of these tests."""
    return file_events(random_history(11, 2_000))


def command(stage: Stage, *words: str, code: int = 0) -> str:
    """What a command of this engine says."""
    done = stage.asked(*words, code=code)
    return done.stdout + done.stderr


def lose(store: EmbeddedStore) -> None:
    """Everything that the store holds is gone."""
    with redis.Redis.from_url(store.url) as client:
        client.flushall()


async def held(stage: Stage) -> list[tuple[LaneImage, object]]:
    """All that the store holds of each lane."""
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    found: list[tuple[LaneImage, object]] = []
    try:
        for lane in range(stage.partitions):
            parts = [portion async for portion in store.portions(lane)]
            everything = [dict(pair for part in parts for pair in part.journeys)]
            waits = dict(pair for part in parts for pair in part.waits)
            following = {pair for part in parts for pair in part.following}
            found.append((await store.image(lane), (everything, waits, following)))
    finally:
        await store.close()
    return found


async def test_lanes_come_back_from_a_snapshot_and_go_on(
    own_broker: EmbeddedBroker,
    store: EmbeddedStore,
    tmp_path: Path,
    staged: Staging,
    events: list[FileEvent],
) -> None:
    """A snapshot beside lanes at work, then the store is emptied: the end is as if nothing had been."""
    wanted = await replayed(events, OLD_FILES)
    stage = staged(own_broker.bootstrap, "idempotent", f"snapshot.folder={tmp_path}")
    async with on_stage(stage):
        worker = stage.worker("one", alone=True)
        await stage.shared_out()
        await stage.produce(events[:_FIRST])
        await stage.done()
        told = command(stage, "snapshot")
        assert told.count(" people, ") == stage.partitions, told
        before = await held(stage)
        worker.kill()
        lose(store)
        worker = stage.worker("one", alone=True)
        await stage.shared_out()
        assert worker.said.count("the store had lost it; it is back from ") == stage.partitions, worker.said
        assert await held(stage) == before
        assert await age_shown(worker) < WITHIN_S
        await stage.produce(events[_FIRST:])
        await stage.finish(wanted)


@pytest.mark.timeout(240)
async def test_a_way_back_may_take_longer_than_a_stall(
    real_kafka: RealKafka,
    store: EmbeddedStore,
    tmp_path: Path,
    staged: Staging,
    events: list[FileEvent],
) -> None:
    """A worker that repeats batch after batch is not ended by its watchdog; SIGTERM ends it between two."""
    wanted = await replayed(events, OLD_FILES)
    settings = (f"snapshot.folder={tmp_path}", "web.stalled_after=2s", "batch.records=50")
    stage = staged(real_kafka.bootstrap, "transactional", *settings)
    async with on_stage(stage):
        worker = stage.worker("one")
        await stage.shared_out()
        await stage.produce(events[:100])
        await stage.done()
        command(stage, "snapshot")
        await stage.produce(events[100:_FIRST])
        await stage.done()
        worker.send(signal.SIGTERM)
        assert await worker.ended() == 0, worker.said
        before = await held(stage)
        lose(store)

        stage.program = ("tests.support.slow_claims",)
        worker = stage.worker("two")

        async def begun() -> bool:
            return min(end.stored for end in await stage.ends()) > 2

        await until(begun, "batches repeated in both lanes", stage.logs)
        worker.send(signal.SIGTERM)
        assert await worker.ended(_BEFORE_IT_IS_CUT_OFF_S) == 0, worker.said
        assert " is ours, " not in worker.said
        worker = stage.worker("three")
        await stage.shared_out()
        assert await held(stage) == before
        assert worker.said.count(" is ours, ") == stage.partitions, worker.said
        assert "ending the process" not in stage.logs()
        await stage.produce(events[_FIRST:])
        await stage.finish(wanted)


async def test_what_claims_leave_behind_is_swept_up(
    own_broker: EmbeddedBroker,
    store: EmbeddedStore,
    staged: Staging,
    events: list[FileEvent],
) -> None:
    """Else a worker would keep lanes that were, with all their journeys, for hours beside those that are."""
    stage = staged(own_broker.bootstrap, "idempotent")
    stage.program = ("tests.support.leaving_worker",)
    async with on_stage(stage):
        worker = stage.worker("one")

        async def swept(claims: int) -> None:
            async def gone() -> bool:
                return worker.said.count(GONE) >= claims * stage.partitions

            await until(gone, f"what {claims} claims of each lane have left is gone", stage.logs)

        await swept(1)
        await stage.produce(events[:100])
        await stage.done()
        lose(store)
        await stage.produce(events[100:200])
        await swept(2)


async def test_snapshots_one_after_the_other_beside_lanes_at_work(
    own_broker: EmbeddedBroker,
    store: EmbeddedStore,
    tmp_path: Path,
    staged: Staging,
    events: list[FileEvent],
) -> None:
    """With `snapshot.every` one follows the other, each has what came meanwhile; SIGTERM ends it at once."""
    wanted = await replayed(events, OLD_FILES)
    settings = (
        f"snapshot.folder={tmp_path}",
        "snapshot.every=200ms",
        "snapshot.keep=2",
        "store.compress=zstd",
    )
    stage = staged(own_broker.bootstrap, "idempotent", *settings)
    copies = Folder(tmp_path, stage.app_id, stage.partitions)

    async def copied(sequences: list[int]) -> None:
        """Until there is one; the last batch of a lane may be missing, as its outputs need not be out yet."""

        async def there() -> bool:
            found = [one.sequence for path in copies.all()[:1] for one in manifest.read(path).lanes]
            return bool(found) and all(
                wanted - 1 <= there for wanted, there in zip(sequences, found, strict=True)
            )

        await until(there, f"a snapshot at {sequences}", lambda: tail(stage.folder / "copier.log"))

    async with on_stage(stage):
        worker = stage.worker("one", alone=True)
        await stage.shared_out()
        await stage.produce(events[:_FIRST])
        await stage.done()
        copier = beside(stage, "copier", "snapshot")
        try:
            await copied([end.stored for end in await stage.ends()])
            await stage.produce(events[_FIRST:])
            await stage.done()
            await copied([end.stored for end in await stage.ends()])
            before = await held(stage)
            assert copier.running, copier.said
            copier.send(signal.SIGTERM)
            assert await copier.ended() == 0, copier.said
        finally:
            copier.kill()
        assert "Traceback" not in copier.said, copier.said
        assert "removed " in copier.said, "no more than snapshot.keep are left"
        assert copies.everything() == sorted(copies.all()), "nothing half is left"
        assert len(copies.all()) <= 2
        assert worker.said.count(" is ours, ") == stage.partitions, "the lanes were not disturbed"
        worker.kill()
        lose(store)
        stage.worker("one", alone=True)
        await stage.shared_out()
        assert await held(stage) == before
        await stage.finish(wanted)


def beside(stage: Stage, name: str, *words: str) -> WorkerProcess:
    """A command of this engine that goes on beside the test."""
    argv = [sys.executable, "-m", "streams", *words]
    for setting in (*stage.given, f"kafka.bootstrap={stage.bootstrap}", f"store.url={stage.store.url}"):
        argv += ["--set", setting]
    env = {"PYTHONPATH": str(ROOT)}
    command = WorkerProcess(name, argv, port=free_port(), log=stage.folder / f"{name}.log", env=env)
    command.start(ready=lambda: True)
    return command


async def age_shown(worker: WorkerProcess) -> float:
    """How old its newest snapshot is, as its page tells, s."""
    lines = (await page(worker, "/metrics")).text.splitlines()
    (age,) = [line.split()[1] for line in lines if line.startswith("retarget_snapshot_age_seconds ")]
    return float(age)


async def forget_inputs(stage: Stage) -> None:
    """The broker drops every record of the inputs that the lanes have read, as retention does."""
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    admin = KafkaAddress(bootstrap=stage.bootstrap).admin()
    await admin.start()
    try:
        for lane in range(stage.partitions):
            frontier = positions.decode((await store.image(lane)).meta).frontier
            place = TopicPartition(topics.TOUCHPOINTS, lane)
            await admin.delete_records({place: RecordsToDelete(frontier[topics.TOUCHPOINTS])})
    finally:
        await store.close()
        await admin.close()


async def refused(worker: WorkerProcess, times: int) -> str:
    """Wait until so many lanes are refused; what was said."""

    async def said() -> bool:
        return worker.said.count("the store has lost it and it cannot come back") >= times

    await until(said, f"{times} lanes refused", lambda: worker.said)
    return worker.said


@pytest.mark.timeout(300)
async def test_inputs_that_are_gone(
    real_kafka: RealKafka,
    store: EmbeddedStore,
    tmp_path: Path,
    staged: Staging,
    events: list[FileEvent],
) -> None:
    """Without a snapshot the lanes refuse and say what to do; with one all is as it was."""
    wanted = await replayed(events, OLD_FILES)
    stage = staged(real_kafka.bootstrap, "transactional")
    folder = f"snapshot.folder={tmp_path}"
    async with on_stage(stage):
        worker = stage.worker("one")
        await stage.shared_out()
        await stage.produce(events[:_FIRST])
        await stage.done()
        command(stage, "pause", "whatsapp")
        command(stage, "snapshot", "--set", folder)
        await stage.produce(events[_FIRST:_SECOND])
        await stage.done()
        worker.kill()
        before = await held(stage)
        command(stage, "snapshot", "--set", folder)
        await forget_inputs(stage)
        lose(store)

        worker = stage.worker("one")
        said = await refused(worker, stage.partitions)
        assert "snapshot.folder is not set, so the inputs were read from their beginning" in said
        assert "the records from offset 0 to " in said
        worker.kill()
        assert all(image.sequence == 0 for image, *_ in await held(stage)), "nothing half was written"

        stage.given = (*stage.given, folder)
        worker = stage.worker("one")
        await stage.shared_out()
        assert await held(stage) == before
        assert "whatsapp" in command(stage, "pause", "--list")
        command(stage, "resume", "whatsapp")
        await stage.produce(events[_SECOND:])
        await stage.finish(wanted)


@pytest.mark.timeout(300)
async def test_what_lanes_told_each_other_is_cut_behind_the_snapshots(
    real_kafka: RealKafka,
    store: EmbeddedStore,
    tmp_path: Path,
    staged: Staging,
) -> None:
    """Up to where the oldest snapshot stands and no further: from it lanes come back, and go on as ever."""
    folder = (f"snapshot.folder={tmp_path}", "snapshot.merge_kept=1h")
    stage = staged(real_kafka.bootstrap, "transactional", *folder)
    copies = Folder(tmp_path, stage.app_id, stage.partitions)
    async with on_stage(stage):
        worker = stage.worker("one")
        await stage.shared_out()
        await become_known(stage, range(20))
        with pytest.raises(BadInput, match="no whole snapshot of lane 0: nothing is cut"):
            await cut_later(stage, copies)
        assert "is cut" not in command(stage, "snapshot"), "what is young stays"
        stands = [positions.decode(entry.meta) for entry in manifest.read(copies.all()[0]).lanes]
        await become_known(stage, range(20, 40))
        assert [one.after for one in await cut_later(stage, copies)] == [*map(needed_from, stands)]
        assert await cut_later(stage, copies) == [], "there is nothing more to be cut"
        before = await held(stage)
        worker.kill()
        lose(store)
        worker = stage.worker("one")
        await stage.shared_out()
        assert worker.said.count("the store had lost it; it is back from ") == stage.partitions, worker.said
        assert await held(stage) == before
        await become_known(stage, range(40, 60))
        command(stage, "snapshot")
        copies.tidy(1)
        assert all(one.before < one.after for one in await cut_later(stage, copies))


async def cut_later(stage: Stage, copies: Folder) -> list[Cut]:
    """Cut as in two hours, when all that is there now is old."""
    settings = load_settings(None, {}, [*stage.given, f"kafka.bootstrap={stage.bootstrap}"])
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)
    try:
        return await cut(settings, store, copies, now_ms() + 2 * HOUR)
    finally:
        await store.close()


async def become_known(stage: Stage, numbers: range) -> None:
    """So many anonymous people fill a cart and say who they are; wait until the known ones have the carts."""
    told = []
    for n in numbers:
        at = NOON + n * MINUTE
        told.append(an_add(f"p{n}", at=at, person=f"a{n}"))
        told.append(an_event("identify", at=at + 1, person=f"u{n}", anonymous_id=f"a{n}"))
    await stage.produce(file_events(told))
    store = await open_store(stage.store.url, stage.app_id, stage.partitions)

    async def known() -> bool:
        found = [await store.journey(topics.lane_of(f"u{n}", stage.partitions), f"u{n}") for n in numbers]
        return all(one is not None and wire.decode(one).products for one in found)

    try:
        await until(known, "everybody known, with their cart", stage.logs)
        await stage.done()
    finally:
        await store.close()
