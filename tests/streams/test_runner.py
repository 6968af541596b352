"""A lane claimed in memory: what its replay asks of the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import Item, Touchpoint
from streams.lanes.bundle import Bundle, bundle_of
from streams.lanes.bundles import OneBundle
from streams.lanes.limits import Limits
from streams.lanes.runner import LaneRunner
from streams.ports import History, JournalRecord, Output, Record
from streams.replaying import LANE, TOPIC, RecordFeed, ReplayLog, ReplayWall
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import load_settings
from streams.stores.memory import MemoryStore
from tests.factories import NOON

_VIEWS: Final = 6
_AT_ONCE: Final = 5


class KeptLog(ReplayLog):
    """A log that keeps its journal, and the input to read it from again."""

    def __init__(self, inputs: Sequence[Record]) -> None:
        super().__init__(lambda _: None)
        self.journal: list[JournalRecord] = []
        self._inputs = inputs

    async def history(self, offset: int) -> History:
        """See LaneLog."""
        found = [*enumerate(self.journal)][offset:]
        return History(found[:_AT_ONCE], len(self.journal), whole=len(found) <= _AT_ONCE)

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog."""
        self.journal.append(record)
        return await super().commit(record, outputs)

    async def read(self, topic: str, start: int, end: int) -> list[Record]:  # noqa: ARG002 - one topic
        """See LaneLog."""
        return list(self._inputs[start:end])


class CountingStore(MemoryStore):
    """Counts how many journeys it was asked for."""

    asked = 0

    async def load(self, lane: int, persons: Sequence[str]) -> tuple[int, list[bytes | None]]:
        """See JourneyStore."""
        self.asked += len(persons)
        return await super().load(lane, persons)


class StandingIn(OneBundle):
    """Bundles with `rules.unknown` newest, when every other one is lost."""

    async def named(self, bundle: str) -> Bundle:  # noqa: ARG002 - whichever it is
        """See Bundles."""
        return self.newest()


def views() -> list[Record]:
    """One person looks at something, again and again."""
    events = [
        Touchpoint(id=f"v{n}", type="view", time=NOON + n * 1000, user_id="u1", items=[Item(product_id="p1")])
        for n in range(_VIEWS)
    ]
    return [Record(TOPIC, n, event.time, None, encode_touchpoint(event)) for n, event in enumerate(events)]


def runner(bundle: Bundle, store: MemoryStore, log: KeptLog, inputs: Sequence[Record]) -> LaneRunner:
    """A lane that works record by record."""
    return LaneRunner(
        LANE,
        (TOPIC,),
        StandingIn(bundle),
        store=store,
        log=log,
        feed=RecordFeed(inputs, lambda: -1),
        wall=ReplayWall(),
        limits=Limits(records=1, wait=0, idle=0),
        ticks=False,
    )


async def test_what_stands_in_for_a_lost_bundle_begins_once() -> None:
    """Batch after batch it is the same one: what is in memory stays, and the person is loaded once."""
    rules = load_rules([default_rules_dir()], VOCABULARY)
    settings = load_settings(None, {}, ["clock.lateness=0s", "consent.assume=granted", "clock.now=event"])
    newest = bundle_of(settings, rules, [TOPIC])._replace(decoders={TOPIC: decode_canonical})
    inputs = views()
    log = KeptLog(inputs)
    first = runner(newest._replace(id="lost"), MemoryStore(), log, inputs)
    await first.claim()
    while await first.batch():
        pass
    assert [record.bundle for record in log.journal] == ["lost"] * _VIEWS

    store = CountingStore()
    again = runner(newest, store, log, ())
    await again.claim()
    assert again.sequence == _VIEWS
    assert store.asked == 1
