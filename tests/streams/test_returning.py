"""A lane comes back from a copy: whoever is interrupted or else at work, it is whole or not there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

import pytest
from msgspec.structs import replace

from retarget.errors import LaneRefused
from retarget.rules.vocabulary import VOCABULARY
from retarget.times import DAY
from streams.lanes import positions
from streams.lanes.bundle import Bundle, bundle_of
from streams.lanes.bundles import OneBundle
from streams.lanes.limits import Limits, Reclaim
from streams.lanes.returning import Returning
from streams.lanes.runner import LaneRunner
from streams.ports import Checkpoint, History, JournalRecord, LaneImage, Portion, Record
from streams.replaying import LANE, TOPIC, RecordFeed, ReplayWall
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import load_settings
from streams.snapshotting import RecountedLane
from streams.stores.memory import MemoryStore
from tests.e2e.harness import OLD_FILES, file_events
from tests.oracle.histories import random_history
from tests.streams.test_runner import KeptLog
from tests.support.journals import whole

_PORTION: Final = 40
LIMITS: Final = Limits(records=50, wait=0, idle=0)
# The further ahead waits are loaded, the more of them are stale when they come due.
FAR_AHEAD: Final = LIMITS._replace(records=3, ahead=DAY)


class MemoryCopy:
    """See LaneCopy; taken from a store in memory."""

    source = "memory"

    def __init__(self, image: LaneImage, portions: list[Portion], pauses: Mapping[str, int]) -> None:
        self.image, self.pauses, self._portions = image, pauses, portions

    @classmethod
    async def of(cls, store: MemoryStore) -> MemoryCopy:
        """What the store holds now."""
        portions = [portion async for portion in store.portions(LANE, _PORTION)]
        return cls(await store.image(LANE), portions, {"copied": 7})

    async def portions(self, follows: int) -> AsyncIterator[Portion]:  # noqa: ARG002 - nobody was erased
        """All of it."""
        for portion in self._portions:
            yield portion


class OneCopy:
    """Copies that hold this one, or none."""

    place = "memory"

    def __init__(self, copy: MemoryCopy | None) -> None:
        self.copy = copy

    async def newest(self, lane: int) -> MemoryCopy | None:  # noqa: ARG002 - one lane
        """See Copies."""
        return self.copy


class Crash(Exception):
    """The process ends here."""


class DyingStore(MemoryStore):
    """Its process dies at a checkpoint: before that is written, or after."""

    def __init__(self) -> None:
        super().__init__()
        self.left = -1
        self.written = False

    async def checkpoint(self, lane: int, checkpoint: Checkpoint) -> int:
        """See JourneyStore."""
        self.left -= 1
        if self.left == 0 and not self.written:
            raise Crash
        stored = await super().checkpoint(lane, checkpoint)
        if self.left == 0:
            raise Crash
        return stored


class PastKeptLog(KeptLog):
    """The same, for a recount, in portions."""

    pauses: Mapping[str, int] | None = None

    async def history(self, offset: int) -> History:
        """See LaneLog."""
        found = await super().history(offset)
        records = (await whole(found))[:7]
        if records:
            self.pauses = records[-1][1].pauses
        return History.of(records, found.acknowledged)


class Life:
    """A lane that has lived for a while: its journal, its store, and copies of former times."""

    def __init__(self, bundle: Bundle, inputs: Sequence[Record]) -> None:
        self.bundle, self.inputs = bundle, inputs
        self.log, self.store = KeptLog(inputs), MemoryStore()
        self.copies: list[MemoryCopy] = []

    async def live(self) -> None:
        """From the first record to the last."""
        runner = self.runner(self.store, None, RecordFeed(self.inputs, lambda: -1))
        await runner.claim()
        while await runner.batch():
            self.copies.append(await MemoryCopy.of(self.store))

    def runner(
        self,
        store: MemoryStore,
        copy: MemoryCopy | None,
        feed: RecordFeed | None = None,
        limits: Limits = LIMITS,
        **more: object,
    ) -> LaneRunner:
        """The lane in a process of its own."""
        return LaneRunner(
            LANE,
            (TOPIC,),
            OneBundle(self.bundle),
            store=store,
            log=self.log,
            feed=feed or RecordFeed((), lambda: -1),
            wall=ReplayWall(),
            limits=limits,
            ticks=False,
            pauses=lambda: {"live": 9},
            returning=Returning(OneCopy(copy), **more),  # type: ignore[arg-type] # what a test gives
        )

    async def held(self, store: MemoryStore) -> object:
        """Everything in a store."""
        parts = [portion async for portion in store.portions(LANE)]
        return (
            await store.image(LANE),
            dict(one for part in parts for one in part.journeys),
            dict(one for part in parts for one in part.waits),
            dict(one for part in parts for one in part.listings),
            {one for part in parts for one in part.following},
        )


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The rules that ship."""
    rules = load_rules([default_rules_dir()], VOCABULARY)
    return bundle_of(load_settings(None, {}, OLD_FILES), rules, [TOPIC])


async def lived(bundle: Bundle) -> Life:
    """A life of some hundred events."""
    events = file_events(random_history(5, 600))
    life = Life(bundle, [Record(TOPIC, n, -1, None, each.raw) for n, each in enumerate(events)])
    await life.live()
    assert len(life.copies) >= 10
    return life


async def test_a_copy_and_what_follows_are_all_there_was(bundle: Bundle) -> None:
    """From each copy, and from none, the store comes to hold what the lost one held."""
    life = await lived(bundle)
    for copy in (None, *life.copies):
        store = MemoryStore()
        runner = life.runner(store, copy)
        await runner.claim()
        assert await life.held(store) == await life.held(life.store)
        assert runner.sequence == len(life.log.journal)


@pytest.mark.parametrize("written", [False, True])
async def test_a_crash_at_any_moment_leaves_nothing_half(bundle: Bundle, written: bool) -> None:  # noqa: FBT001
    """Whoever comes next may find an older copy, or none: nothing of the first try is left."""
    life = await lived(bundle)
    old, new = life.copies[1], life.copies[-2]
    steps = 0
    while True:
        steps += 1
        for second in (old, None, new):
            store = DyingStore()
            store.left, store.written = steps, written
            try:
                await life.runner(store, new).claim()
            except Crash:
                pass
            else:
                assert steps > 5
                return
            store.left = -1
            await life.runner(store, second).claim()
            assert await life.held(store) == await life.held(life.store)


class WaitingStore(MemoryStore):
    """A store as a frozen process sees it: what happens `meanwhile` happens before its next checkpoint."""

    def __init__(self, real: MemoryStore, left: int, meanwhile: LaneRunner) -> None:
        super().__init__()
        self._lanes = real._lanes  # noqa: SLF001 - two processes, one store
        self.left = left
        self._meanwhile = meanwhile

    async def checkpoint(self, lane: int, checkpoint: Checkpoint) -> int:
        """See JourneyStore."""
        self.left -= 1
        if self.left == 0:
            with suppress(Crash):
                await self._meanwhile.claim()
        return await super().checkpoint(lane, checkpoint)


@pytest.mark.parametrize("others", [0, 2, 3, 5, 8])
async def test_a_zombie_with_an_older_copy_changes_nothing(bundle: Bundle, others: int) -> None:
    """Frozen at each step, while its successor gets so far (0: to the end), it is refused afterwards."""
    life = await lived(bundle)
    old, new = life.copies[3], life.copies[-2]
    for left in range(1, 5):
        store = DyingStore()
        store.left = others
        frozen = WaitingStore(store, left, life.runner(store, new))
        with pytest.raises(Reclaim, match=r"another worker brings lane 0 back|the store went to sequence"):
            await life.runner(frozen, old).claim()
        assert frozen.left <= 0, "there are fewer steps than thought"
        store.left = -1
        await life.runner(store, new).claim()
        assert await life.held(store) == await life.held(life.store)


async def test_kill_switches_are_told_before_anything_is_written(bundle: Bundle) -> None:
    """Those of the journal's last batch; of the copy when nothing follows it."""
    life = await lived(bundle)
    life.log.journal[-1] = replace(life.log.journal[-1], pauses={"last": 3})
    told: list[Mapping[str, int]] = []
    store = DyingStore()
    store.left = 1

    async def regained(pauses: Mapping[str, int]) -> None:
        told.append(pauses)

    with pytest.raises(Crash):
        await life.runner(store, life.copies[0], regained=regained).claim()
    assert told == [{"last": 3}]
    await life.runner(MemoryStore(), life.copies[-1], regained=regained).claim()
    assert told[1:] == [{"copied": 7}]
    await life.runner(life.store, None, regained=regained).claim()
    assert len(told) == 2, "nothing was lost"


async def test_a_copy_of_another_journal_is_refused(bundle: Bundle) -> None:
    """The journal does not go on with the next sequence: nothing is written."""
    life = await lived(bundle)
    image, *_ = life.copies[2].image, None
    stranger = MemoryCopy(image._replace(sequence=image.sequence + 3), [], {})
    store = MemoryStore()
    with pytest.raises(
        LaneRefused, match=r"lane 0: .*cannot come back.*from memory.*goes on at offset 3 with"
    ):
        await life.runner(store, stranger).claim()
    assert await store.image(LANE) == LaneImage(0, b"")


async def test_a_first_offset_is_kept_in_the_first_record(bundle: Bundle) -> None:
    """Inputs whose beginning is gone since are asked for, not skipped."""
    life = await lived(bundle)
    assert [record.first for record in life.log.journal] == [{TOPIC: 0}] + [{}] * (len(life.log.journal) - 1)

    class Cut(KeptLog):
        async def beginning(self, topic: str) -> int:  # noqa: ARG002 - one topic
            return 60

        async def read(self, topic: str, start: int, end: int) -> list[Record]:
            if start < 60:
                raise LaneRefused(f"{topic}: {start} is gone")
            return await super().read(topic, start, end)

    cut = Cut(life.inputs)
    for journal in (life.log.journal, [_without_first(record) for record in life.log.journal]):
        cut.journal = journal
        life.log = cut
        with pytest.raises(LaneRefused, match=r"lane 0: .*cannot come back.* 0 is gone"):
            await life.runner(MemoryStore(), None).claim()


def _without_first(record: JournalRecord) -> JournalRecord:
    """As a former build wrote it."""
    return replace(record, first={})


async def test_a_journal_that_begins_anew_is_no_history_of_these_people(bundle: Bundle) -> None:
    """After `repartition` only a snapshot of then, or a later one, brings a lane back."""
    life = await lived(bundle)
    marks = len(life.log.journal)
    life.log.journal.append(JournalRecord(sequence=marks + 1, lanes=3))
    with pytest.raises(LaneRefused, match=r"lane 0: .* begins anew .* one of 3 lanes; only the snap"):
        await life.runner(MemoryStore(), None).claim()
    known = MemoryCopy(LaneImage(marks + 1, positions.encode(positions.Positions(journal=marks + 1))), [], {})
    store = MemoryStore()
    await life.runner(store, known).claim()
    assert (await store.image(LANE)).sequence == marks + 1


async def test_a_recount_is_what_the_store_holds(bundle: Bundle) -> None:
    """From the beginning and from each copy, in portions; the kill switches are those of the end."""
    life = await lived(bundle)
    for copy in (None, *life.copies):
        past = PastKeptLog(life.inputs)
        past.journal = life.log.journal
        lane = RecountedLane(LANE, past, OneBundle(bundle), (TOPIC,), OneCopy(copy))
        image = await lane.recount()
        assert image == await life.store.image(LANE)
        assert positions.decode(image.meta).journal == len(life.log.journal)
        assert await life.held(lane.store) == await life.held(life.store)
        assert lane.pauses == ({"copied": 7} if copy is life.copies[-1] else {"live": 9})


async def test_a_recount_that_comes_to_other_outputs_is_refused(bundle: Bundle) -> None:
    """Its state would not be that of the lane either."""
    life = await lived(bundle)
    past = PastKeptLog(life.inputs)
    past.journal = [replace(record, digest="other") for record in life.log.journal]
    lane = RecountedLane(LANE, past, OneBundle(bundle), (TOPIC,), OneCopy(None))
    with pytest.raises(LaneRefused, match=r"batch 1 comes to other outputs here.*--from-store"):
        await lane.recount()


async def test_a_replay_over_former_claims_comes_to_the_same(bundle: Bundle) -> None:
    """Which stale waits are in memory depends on when the lane was claimed, and counts for nothing."""
    events = file_events(random_history(5, 1_200, long_gaps=False))
    life = Life(bundle, [Record(TOPIC, n, -1, None, each.raw) for n, each in enumerate(events)])
    for end in range(0, len(life.inputs), 7):
        feed = RecordFeed(life.inputs[end : end + 7], lambda: -1)
        runner = life.runner(life.store, None, feed, FAR_AHEAD)
        await runner.claim()
        while await runner.batch():
            pass
    again = MemoryStore()
    await life.runner(again, None, None, FAR_AHEAD).claim()
    assert await life.held(again) == await life.held(life.store)
