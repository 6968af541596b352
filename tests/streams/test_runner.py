"""A lane claimed in memory: what its replay asks of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import Item, Touchpoint
from streams.lanes.bundle import Bundle, bundle_of
from streams.lanes.bundles import OneBundle
from streams.lanes.limits import Limits
from streams.lanes.observer import Observer
from streams.lanes.runner import LaneRunner
from streams.ports import History, JournalRecord, Output, Record, UnknownOutcome
from streams.replaying import LANE, TOPIC, RecordFeed, ReplayLog, ReplayWall
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import load_settings
from streams.stores.memory import MemoryStore
from tests.factories import NOON

_VIEWS: Final = 6


class KeptLog(ReplayLog):
    """A log that keeps its journal, and the input to read it from again."""

    def __init__(self, inputs: Sequence[Record]) -> None:
        super().__init__(lambda _: None)
        self.journal: list[JournalRecord] = []
        self._inputs = inputs

    async def history(self, offset: int) -> History:
        """See LaneLog."""
        return History.of([*enumerate(self.journal)][offset:], len(self.journal))

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog."""
        self.journal.append(record)
        return await super().commit(record, outputs)

    async def read(self, topic: str, start: int, end: int) -> list[Record]:  # noqa: ARG002 - one topic
        """See LaneLog."""
        return list(self._inputs[start:end])


class Refusing(KeptLog):
    """A log that can be claimed, and commits nothing for a while."""

    refusals = 6

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog."""
        if self.refusals:
            self.refusals -= 1
            raise UnknownOutcome("retarget.decisions refuses a record as too large")
        return await super().commit(record, outputs)


class Watch(Observer, ReplayWall):
    """Writes down what is told and how long it is waited, and stops the lane when it has done its work."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.pauses: list[float] = []
        self.lane: LaneRunner | None = None

    def waiting(self, service: str, detail: str) -> None:
        """See Observer."""
        self.told.append(f"waits for the {service}: {detail}")

    def answered(self, service: str) -> None:
        """See Observer."""
        if self.told[-1:] != [f"the {service} answers"]:
            self.told.append(f"the {service} answers")

    def state(self, clock: int, held: int, waits: int, frontier: Mapping[str, int]) -> None:  # noqa: ARG002
        """See Observer."""
        assert self.lane is not None
        if self.lane.sequence == _VIEWS:
            self.lane.stop()

    async def sleep(self, seconds: float) -> None:
        """See Wall."""
        self.pauses.append(seconds)


class Again(RecordFeed):
    """A feed that can be started where a claim says."""

    def __init__(self, inputs: Sequence[Record]) -> None:
        super().__init__(inputs, lambda: -1)
        self._inputs = inputs

    async def start(self, frontier: dict[str, int]) -> None:
        """See Feed."""
        self.go_on(self._inputs[frontier[TOPIC] :])


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


def runner(
    bundle: Bundle,
    store: MemoryStore,
    log: KeptLog,
    inputs: Sequence[Record],
    watch: Watch | None = None,
) -> LaneRunner:
    """A lane that works record by record."""
    return LaneRunner(
        LANE,
        (TOPIC,),
        StandingIn(bundle),
        store=store,
        log=log,
        feed=Again(inputs),
        wall=watch or ReplayWall(),
        limits=Limits(records=1, wait=0, idle=0),
        ticks=False,
        observer=watch,
    )


def plain_bundle() -> Bundle:
    """The rules that come with the engine, for old files."""
    rules = load_rules([default_rules_dir()], VOCABULARY)
    settings = load_settings(None, {}, ["clock.lateness=0s", "consent.assume=granted", "clock.now=event"])
    return bundle_of(settings, rules, [TOPIC])._replace(decoders={TOPIC: decode_canonical})


async def test_a_broker_that_refuses_every_commit_is_waited_for() -> None:
    """That the lane can be claimed proves nothing: pauses grow, and it answers when work is confirmed."""
    inputs, watch = views(), Watch()
    log = Refusing(inputs)
    lane = watch.lane = runner(plain_bundle(), MemoryStore(), log, inputs, watch)
    await lane.run()
    refused = "waits for the broker: retarget.decisions refuses a record as too large"
    broker = [line for line in watch.told if "broker" in line]
    assert broker == ["the broker answers", *[refused] * Refusing.refusals, "the broker answers"]
    assert watch.pauses[: Refusing.refusals] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6]
    assert [record.sequence for record in log.journal] == [*range(1, _VIEWS + 1)]


async def test_what_stands_in_for_a_lost_bundle_begins_once() -> None:
    """Batch after batch it is the same one: what is in memory stays, and the person is loaded once."""
    newest = plain_bundle()
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
