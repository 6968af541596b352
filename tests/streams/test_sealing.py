"""What is told of people outside the store, sealed: always the same bytes; nothing when the key is gone."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from itertools import count
from types import SimpleNamespace
from typing import Any, Final

import pytest

from retarget.decode import decode_canonical, encode_touchpoint
from retarget.engine.moment import Result
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.lane.intake import failed
from retarget.rules.vocabulary import VOCABULARY
from retarget.touchpoints import Item, Touchpoint
from streams.kafka import idempotent
from streams.kafka.connection import KafkaAddress
from streams.kafka.reader import Reader
from streams.kafka.sending import Outgoing
from streams.lanes.bundle import Bundle, bundle_of
from streams.lanes.limits import Limits
from streams.lanes.runner import LaneRunner
from streams.ports import Checkpoint, History, JournalRecord, Output, Record
from streams.replaying import LANE, TOPIC, ReplayWall
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.sealing.keys import Wrapping
from streams.sealing.leaving import Sealing
from streams.sealing.opening import Opening, Unopened
from streams.settings import load_settings
from streams.stores.memory import MemoryStore
from streams.topics import DEAD, DECISIONS, KEYS, channel_topic
from tests.factories import NOON
from tests.streams.test_runner import Again, KeptLog, StandingIn

SECRETS: Final = ("a secret that is long enough", "the former one, long enough")
MINUTE: Final = 60_000


class OutLog(KeptLog):
    """A log of which outputs are kept too, and that may forget to say that the last ones are out."""

    def __init__(self, inputs: Sequence[Record]) -> None:
        super().__init__(inputs)
        self.out: list[list[Output]] = []
        self.again: list[list[Output]] = []
        self.unsure = 0

    async def history(self, offset: int) -> History:
        """See LaneLog."""
        return History.of([*enumerate(self.journal)][offset:], len(self.journal) - self.unsure)

    async def commit(self, record: JournalRecord, outputs: Sequence[Output]) -> int:
        """See LaneLog."""
        self.out.append(list(outputs))
        return await super().commit(record, outputs)

    async def emit_again(self, record: JournalRecord, outputs: Sequence[Output]) -> None:  # noqa: ARG002
        """See LaneLog."""
        self.again.append(list(outputs))

    async def keys(self, lane: int) -> Mapping[str, bytes]:  # noqa: ARG002 - one lane
        """The keys that are out."""
        return {one.key.decode(): one.value for one in self.told(KEYS)}

    def told(self, *topics: str) -> list[Output]:
        """All that is out in these topics."""
        return [one for batch in self.out for one in batch if one.topic in topics]


class Life:
    """A lane that seals what it tells, record by record."""

    def __init__(self, *events: Touchpoint) -> None:
        self.inputs = [
            Record(TOPIC, n, one.time, None, encode_touchpoint(one)) for n, one in enumerate(events)
        ]
        self.log, self.store = OutLog(self.inputs), MemoryStore()
        self.drawn = count(1)

    def runner(self, *, seals: bool = True, at_once: int = 1) -> LaneRunner:
        """One that goes on from what log and store have."""
        wrapping = Wrapping(SECRETS, lambda size: next(self.drawn).to_bytes(size, "big"))
        return LaneRunner(
            LANE, (TOPIC,), StandingIn(the_bundle()), store=self.store, log=self.log,
            feed=Again(self.inputs), wall=ReplayWall(), ticks=False,
            limits=Limits(records=at_once, wait=0, idle=0),
            leaving=Sealing(wrapping, self.log.keys) if seals else None,
        )  # fmt: skip

    async def live(self, *, seals: bool = True) -> OutLog:
        """Until the end of the input."""
        runner = self.runner(seals=seals)
        await runner.claim()
        while await runner.batch():
            pass
        return self.log

    async def opened(self, *topics: str) -> list[bytes | Unopened]:
        """What is out in these topics, as far as the store's keys open it."""
        return await Opening(self.store, 1, SECRETS[::-1])([one.value for one in self.log.told(*topics)])

    async def journey(self, person: str) -> Journey:
        """As the store has it."""
        data = await self.store.journey(LANE, person)
        assert data is not None
        return wire.decode(data)


def the_bundle() -> Bundle:
    """The rules that come with the engine."""
    rules = load_rules([default_rules_dir()], VOCABULARY)
    given = ["clock.lateness=0s", "consent.assume=granted", "clock.now=event", "quiet_hours.enabled=false"]
    return bundle_of(load_settings(None, {}, given), rules, [TOPIC])._replace(
        decoders={TOPIC: decode_canonical}
    )


def did(kind: str, minute: int, who: str = "u1", **more: Any) -> Touchpoint:  # noqa: ANN401 - fields of it
    """An event so many minutes after noon."""
    event = Touchpoint(id=f"{who}-{kind}-{minute}", type=kind, time=NOON + minute * MINUTE, **more)
    if who.startswith("a"):
        event.anonymous_id = who
    else:
        event.user_id = who
    return event


def cart(who: str = "u1", minute: int = 1) -> list[Touchpoint]:
    """Somebody leaves a cart behind, and is reminded of it."""
    tent = [Item(product_id="tent", name="Tent of Ann's", price=99.0, quantity=1)]
    return [
        did("profile", minute, who, traits={"email": "ann@mail.example", "last_name": "Lovelace"}),
        did("add", minute + 1, who, items=tent),
        did("heartbeat", minute + 24 * 60, who),
    ]


def who_comes_back() -> list[Touchpoint]:
    """Somebody who was erased says yes once more, and leaves another cart."""
    return [did("consent", 3_000, consent={"state": "granted"}), *cart("u1", 3_001)]


TOLD: Final = (channel_topic("push"), channel_topic("ads"), DECISIONS)


def values(outputs: Sequence[Output]) -> list[bytes]:
    """What they say."""
    return [one.value for one in outputs]


async def test_what_is_opened_is_what_would_have_been_told() -> None:
    """Byte for byte, and the journal is the same; sealed, nothing of the person is to be read."""
    sealed, plain = Life(*cart()), Life(*cart())
    await sealed.live()
    await plain.live(seals=False)
    assert await sealed.opened(*TOLD) == values(plain.log.told(*TOLD))
    assert sealed.log.journal == plain.log.journal
    assert b"ann@" in b"".join(values(plain.log.told(*TOLD)))
    for one in sealed.log.told(*TOLD):
        assert b'"sealed":"' in one.value
        assert not any(word in one.value for word in (b"ann@", b"Lovelace", b"Tent", b"tent"))


async def test_a_key_is_the_same_after_a_crash_and_when_the_store_is_lost() -> None:
    """It comes back from its topic: what is sent once more are the same bytes, and all stays readable."""
    life = Life(*cart(), *cart("u2", 2))
    log = await life.live()
    before = values(log.told(*TOLD)), await life.journey("u1"), await life.journey("u2")
    assert (await life.journey("u1")).key
    life.store = MemoryStore()
    log.unsure = len(log.journal)  # as if nobody knew whether anything was out
    await life.runner().claim()
    assert log.again == log.out
    assert (before[1], before[2]) == (await life.journey("u1"), await life.journey("u2"))
    life.store, log.unsure = MemoryStore(), 0
    await life.runner().claim()
    assert (before[1], before[2]) == (await life.journey("u1"), await life.journey("u2"))
    assert not any(isinstance(one, Unopened) for one in await life.opened(*TOLD))


async def test_a_key_is_drawn_once_and_told_before_it_is_forgotten_that_it_is_new() -> None:
    """A batch whose commit has failed leaves no key behind that its topic does not have."""
    life = Life(*cart(), *cart("u1", 3_000))
    log = await life.live()
    assert [one.key for one in log.told(KEYS)] == [b"u1"]
    (key,) = log.told(KEYS)
    assert (await life.journey("u1")).key == key.value
    assert Wrapping(SECRETS).opened("u2", key.value) is None
    assert Wrapping(["another secret, long enough"]).opened("u1", key.value) is None


async def test_after_an_erasure_nothing_opens() -> None:
    """Neither messages nor decisions; no key is in store or topic, and whoever comes back has another."""
    life = Life(*cart(), did("erase", 2_000), *who_comes_back())
    log = await life.live()
    opened = dict(zip(values(log.told(*TOLD)), await life.opened(*TOLD), strict=True))
    late = [one for one in opened.values() if isinstance(one, bytes) and b"2024-03-03" in one]
    gone = [value for value, one in opened.items() if one is Unopened.GONE]
    plain = [value for value, one in opened.items() if one == value]
    assert late
    assert len(gone) >= 6
    # The audiences that were to be left must be left: nobody could open who. A recall needs no name.
    removed = [one for one in plain if b'"operation":"remove"' in one]
    recalled = [one for one in plain if b'"operation":"recall"' in one]
    assert removed
    assert recalled
    assert len(removed) + len(recalled) == len(plain)
    assert all(b"ann@mail.example" in one for one in removed)
    assert all(b"ann@mail.example" not in one for one in recalled)
    assert not any(b"tent" in one or b"Lovelace" in one for one in plain)
    assert len(opened) == len(late) + len(gone) + len(plain)
    first, thrown_away, second = log.told(KEYS)
    assert thrown_away.value == b""
    assert first.value != second.value
    assert (await life.journey("u1")).key == second.value


async def test_who_comes_back_in_the_batch_of_the_erasure_is_told_something() -> None:
    """Their new key seals what that batch says of them: a message that nobody can open would be lost."""
    life = Life(*cart(), did("erase", 2_000), *who_comes_back())
    runner = life.runner(at_once=100)
    await runner.claim()
    await runner.batch()
    assert [one.key for one in life.log.told(KEYS)] == [b"u1"]
    late = [one for one in await life.opened(*TOLD) if isinstance(one, bytes) and b"2024-03-03" in one]
    assert any(b"ann@mail.example" in one for one in late)


async def test_an_old_store_brings_no_key_back() -> None:
    """A copy from before the erasure is repeated up to it, and the key is gone again."""
    life = Life(*cart(), did("erase", 2_000))
    runner = life.runner()
    await runner.claim()
    for _ in range(3):
        await runner.batch()
    old = await _copy(life.store)
    while await runner.batch():
        pass
    life.store = old
    assert (await life.journey("u1")).key
    await life.runner().claim()
    assert (await life.journey("u1")) == Journey(
        person="u1", erased=True, erased_at=(await life.journey("u1")).erased_at
    )
    undone = (b'"operation":"remove"', b'"operation":"recall"')
    told = [one for one in life.log.told(*TOLD) if not any(each in one.value for each in undone)]
    # Decisions say so too, and are sealed.
    told += [one for one in life.log.told(DECISIONS) if any(each in one.value for each in undone)]
    assert {*await Opening(life.store, 1, SECRETS)(values(told))} == {Unopened.GONE}


async def _copy(store: MemoryStore) -> MemoryStore:
    image = await store.image(LANE)
    copied, portions = MemoryStore(), [one async for one in store.portions(LANE)]
    for portion in portions:
        await copied.checkpoint(
            LANE,
            Checkpoint(
                expected=0,
                then=image.sequence,
                meta=image.meta,
                journeys=portion.journeys,
                waits=portion.waits,
            ),
        )
    return copied


async def test_a_key_stays_with_its_id_when_somebody_is_known() -> None:
    """What was sealed for the anonymous id still opens, and the history that leaves it has no key in it."""
    life = Life(*cart("a1"), did("identify", 3_000, "u1", anonymous_id="a1"), *cart("u1", 3_001))
    log = await life.live()
    redirect = await life.journey("a1")
    assert redirect.moved
    assert redirect.key
    assert (await life.journey("u1")).key not in (b"", redirect.key)
    assert not any(isinstance(one, Unopened) for one in await life.opened(*TOLD))
    assert {one.key for one in log.told(KEYS)} == {b"a1", b"u1"}


async def test_a_device_that_went_on_keeps_no_key_of_the_erased() -> None:
    """What the id was told before anybody had it was told to its first owner: it does not open any more."""
    handed_on = did("identify", 3_002, "u2", anonymous_id="a1")
    joined = did("identify", 3_000, "u1", anonymous_id="a1")
    life = Life(*cart("a1"), joined, handed_on, did("erase", 3_010), did("view", 3_011, "u2"))
    log = await life.live()
    redirect = await life.journey("a1")
    assert ([to for _, to in redirect.moved], redirect.key) == (["u2"], b"")
    told = [one for one in log.told(*TOLD) if one.key == b"a1" and b'"operation":"remove"' not in one.value]
    assert told
    assert {*await Opening(life.store, 1, SECRETS)(values(told))} == {Unopened.GONE}
    assert [one.value for one in log.told(KEYS) if one.key == b"a1"][1:] == [b""]


async def test_a_device_that_went_on_keeps_the_key_of_who_stays() -> None:
    """The erased had it later."""
    joined = did("identify", 3_000, "u1", anonymous_id="a1")
    others = [did("identify", 3_002 + n, f"u{n}", anonymous_id="a1") for n in (2, 3)]
    life = Life(*cart("a1"), joined, *others, did("erase", 3_010, "u2"), did("view", 3_011))
    log = await life.live()
    assert (await life.journey("a1")).key
    told = values([one for one in log.told(*TOLD) if one.key == b"a1"])
    assert not any(isinstance(one, Unopened) for one in await Opening(life.store, 1, SECRETS)(told))


async def test_the_store_is_waited_for() -> None:
    """It may not have come to the record's batch; behind that a key that is missing is gone."""
    life = Life(*cart())
    await life.live()
    told = values(life.log.told(*TOLD))
    behind = Opening(MemoryStore(), 1, SECRETS)
    assert {*await behind(told)} == {Unopened.NOT_YET}
    other = Opening(life.store, 1, ["another secret, long enough"])
    assert {*await other(told)} == {Unopened.FOREIGN}
    others = [b"{}", b'{"sealed":1}', b'"sealed"', b'{"sealed":' + b"[" * 9_999, b"no json"]
    assert await behind(others) == others


async def test_without_transactions_keys_are_out_before_what_they_seal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A crash between the two would else make another key, and what is out with the first never opens."""
    sent: list[list[str]] = []

    async def send(_: object, outgoing: Sequence[Outgoing], **__: object) -> dict[tuple[str, int], int]:
        sent.append([one.topic for one in outgoing])
        return {}

    monkeypatch.setattr(idempotent, "send", send)
    address = KafkaAddress(bootstrap="127.0.0.1:1")
    log = idempotent.IdempotentLog(address, Reader(address), LANE, app_id="engine")
    told = [Outgoing(topic, 0, b"u1", b"") for topic in (TOLD[0], DECISIONS, KEYS)]
    await log._emit(None, told)  # noqa: SLF001
    assert sent == [[KEYS], [TOLD[0], DECISIONS]]


def letter(person: str, offset: int) -> Result:
    """The dead letter of an event of theirs that a rule could not stand."""
    event = Touchpoint(id="e", type="view", user_id=person, query="a secret search")
    return Result("dead", "", person, failed(event, (TOPIC, 0, offset), ValueError("no a secret search")))


async def test_a_dead_letter_about_somebody_is_sealed_by_their_key() -> None:
    """What it holds and says; reason and place stay. Of a record of nobody knows whom everything stays."""
    known = Journey(person="ann", recent_marks="5")
    lane = SimpleNamespace(journeys={"ann": known}, redirects={}, partition=LANE)
    results = [letter("ann", 7), letter("touchpoints-8", 8)]
    batch = SimpleNamespace(results=results, changed={}, forgotten=[], keyless=[])
    found = [Output(DEAD, one.person.encode(), one.value) for one in results]
    sealing = Sealing(Wrapping(SECRETS), _no_keys)
    sealed, as_it_was, key = sealing.leaving(lane, batch, found, 1)
    assert as_it_was == found[1]
    assert (key.topic, key.key, key.value) == (KEYS, b"ann", known.key)
    assert b"secret" not in sealed.value
    assert b64encode(b"secret")[:6] not in sealed.value
    said = json.loads(sealed.value)
    assert (said["reason"], said["topic"], said["offset"], said["person"]) == ("rule_failed", TOPIC, 7, "ann")
    store = MemoryStore()
    written = Checkpoint(expected=0, meta=b"", journeys=[("ann", wire.encode(known))])
    await store.checkpoint(LANE, written)
    assert await Opening(store, 1, SECRETS)([sealed.value]) == [results[0].value]
    gone = Checkpoint(expected=1, meta=b"", forgotten=["ann"])
    await store.checkpoint(LANE, gone)
    assert await Opening(store, 1, SECRETS)([sealed.value]) == [Unopened.GONE]


async def _no_keys(_: int) -> Mapping[str, bytes]:
    return {}
