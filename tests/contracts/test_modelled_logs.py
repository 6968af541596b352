# ruff: noqa: SLF001 - how far a reader sees is asked by the reader's own means
"""The broker and the logs of the fault simulator against the real ones: the same calls, the same answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any, Final, TypeVar

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import IllegalOperation
from aiokafka.protocol.offset import OffsetRequest

from retarget.errors import LaneRefused
from streams.kafka import IdempotentLog, TransactionalLog
from streams.kafka.headers import RepeatFilter
from streams.ports import Fenced, History, JournalRecord, Output, UnknownOutcome
from streams.topics import JOURNAL
from tests.contracts.test_logs import LANE as REAL_LANE
from tests.contracts.test_logs import (
    PARTITIONS,
    Name,
    Side,
    World,
    batch,
    go_on,
    stop_half_way,
    take_over,
    world,
)
from tests.contracts.test_logs import side as side  # noqa: PLC0414 - a fixture
from tests.protocol.broker import LANE, Broker
from tests.protocol.logs import IdempotentModel, TransactionalModel
from tests.protocol.steps import Operation, at_once, following
from tests.support.journals import whole
from tests.support.kafka.companion import TRANSACTIONS, move, settle, two_nodes
from tests.support.kafka.real_kafka import RealKafka, drop_records

# Of one lane, of which only one can be the owner.
OWNERS: Final = ("first", "second")
CALLS: Final = ("claim", "take over", "commit", "commit", "commit", "history")
# With transactions: what was begun stays open, until its owner goes on or another one comes.
STALLING: Final = ("claim", "take over", "take over", "commit", "stall", "stall", "go on", "history")
MOVING: Final = (*STALLING, "commit", "move", "move", "move")
LENGTH: Final = 25

Answer = object
T = TypeVar("T")


def script(seed: int, calls: Sequence[str] = CALLS) -> list[tuple[str, str]]:
    """Calls in a random order, and whose each is; somebody begins by taking over."""
    chance = Random(seed)
    found = [(chance.choice(OWNERS), chance.choice(calls)) for _ in range(LENGTH)]
    return [(OWNERS[0], "take over"), *found]


class Owner(ABC):
    """One log and what its owner knows: the sequence it would write next, and whether it is half way."""

    def __init__(self, log: Any, outputs: Callable[[int], list[Output]]) -> None:  # noqa: ANN401 - any of the four
        self._log, self._outputs = log, outputs
        self._next = 1
        self._stalled = False

    async def answer(self, name: str) -> Answer:
        """What comes of a call, as far as both sides can say the same."""
        if self._stalled and name in ("commit", "stall"):
            return "busy"
        try:
            return await {
                "claim": self._claim, "take over": self._take_over, "commit": self._commit,
                "stall": self._stall, "go on": self._go_on, "history": self._history,
            }[name]()  # fmt: skip
        except Fenced:
            return "fenced"
        except UnknownOutcome as problem:
            if "not acknowledged" in str(problem):
                return "unknown"
            if not isinstance(problem.__cause__, IllegalOperation):
                raise
            return "fenced"  # the producer heard of it between two sends; to the lane it is the same

    async def _claim(self) -> Answer:
        self._stalled = False
        await self._carried(self._log.claim())
        return "claimed"

    async def _take_over(self) -> Answer:
        await self._claim()
        history, records = await self._read()
        for record in records:
            if record.sequence > history.acknowledged:
                await self._carried(self._log.emit_again(record, self._outputs(record.sequence)))
        self._next = records[-1].sequence + 1 if records else 1
        return [record.sequence for record in records], history.acknowledged

    async def _commit(self) -> Answer:
        await self._carried(self._log.commit(batch(self._next), self._outputs(self._next)))
        self._next += 1
        return "committed", self._next

    async def _stall(self) -> Answer:
        await self._stop(self._next)
        self._stalled = True
        return "half way"

    async def _go_on(self) -> Answer:
        if not self._stalled:
            return "nothing to do"
        self._stalled = False
        await self._finish()
        self._next += 1
        return "committed", self._next

    async def _history(self) -> Answer:
        history, records = await self._read()
        return [record.sequence for record in records], history.acknowledged

    async def told_from(self, start: int, end: int) -> Answer:
        """The offsets that a read gives from one offset to another, and the history behind the first."""
        try:
            read = await self._offsets(start, end)
            history = await self._carried(self._log.history(start))
            return read, [offset for offset, _ in await self._carried(whole(history))]
        except LaneRefused:
            return "gone"

    async def _read(self) -> tuple[History, list[JournalRecord]]:
        history = await self._carried(self._log.history(0))
        return history, [record for _, record in await self._carried(whole(history))]

    @abstractmethod
    async def _carried(self, call: Coroutine[Any, Any, T]) -> T:
        """The answer of a call."""

    @abstractmethod
    async def _offsets(self, start: int, end: int) -> list[int]:
        """Where in a range of the journal records are."""

    @abstractmethod
    async def _stop(self, sequence: int) -> None:
        """Commit, up to the end of the transaction."""

    @abstractmethod
    async def _finish(self) -> None:
        """End the transaction."""


class RealOwner(Owner):
    """One on a broker."""

    def __init__(self, here: World) -> None:
        super().__init__(here.log(), here.outputs)
        self._here = here

    async def _carried(self, call: Coroutine[Any, Any, T]) -> T:
        return await call

    async def _offsets(self, start: int, end: int) -> list[int]:
        found = await self._here.reader.read(self._here.journal, REAL_LANE, start, end)
        return [record.offset for record in found]

    async def _stop(self, sequence: int) -> None:
        await stop_half_way(self._here, self._log, sequence)

    async def _finish(self) -> None:
        await go_on(self._log)


class ModelledOwner(Owner):
    """One in the simulator."""

    def __init__(self, log: TransactionalModel | IdempotentModel) -> None:
        super().__init__(log, modelled_outputs)
        self._left: Callable[[], object] = lambda: None

    async def _carried(self, call: Coroutine[Any, Any, T]) -> T:
        return await at_once(call)

    async def _offsets(self, start: int, end: int) -> list[int]:
        return [offset for offset, _ in self._log._broker.read(JOURNAL, start, end)]

    async def _stop(self, sequence: int) -> None:
        call = self._log.commit(batch(sequence), self._outputs(sequence))
        self._left = _but_for_its_end(call)

    async def _finish(self) -> None:
        self._left()


def _but_for_its_end(call: Coroutine[Operation, Any, int]) -> Callable[[], object]:
    """Carry the steps of a commit out up to the one that ends its transaction; what does the rest."""
    operation = call.send(None)
    while operation.name != "end":
        operation = following(operation, call)

    def end() -> None:
        with suppress(StopIteration):
            following(operation, call)

    return end


def modelled_outputs(sequence: int) -> list[Output]:
    """What the batch with this sequence sends, to the only partition of the model."""
    return [Output("out", b"p%d" % number, b"%d.%d" % (sequence, number)) for number in range(6)]


class TwoOwners:
    """The same two on a real broker and in the model, asked alike."""

    def __init__(self, here: World) -> None:
        self.broker = Broker()
        self._here = here
        self._real = {name: RealOwner(here) for name in OWNERS}
        self._modelled = {name: ModelledOwner(TransactionalModel(self.broker, [], [])) for name in OWNERS}

    async def ask(self, who: str, call: str) -> None:
        """One call, whose answers are the same, and what readers see then as well."""
        broker, here = self.broker, self._here
        if call == "history" and broker.in_transaction:
            return  # nobody reads before a claim; it would wait in vain
        answer = await self._modelled[who].answer(call)
        assert (who, call, await self._real[who].answer(call)) == (who, call, answer)
        stable, end = broker.stable(JOURNAL), len(broker.logs[JOURNAL])
        await here.reader.read(here.journal, REAL_LANE, 0, stable)  # its markers, too
        found = await seen(here, half_way=broker.in_transaction)
        assert (who, call, found) == (who, call, (stable, end, taken(broker)))


async def seen(here: World, *, half_way: bool) -> tuple[int, int, list[bytes]]:
    """How far a reader of the journal sees, how far it reaches, and what a reader of outputs takes."""
    repeats, found = RepeatFilter(), []
    for partition in range(PARTITIONS):
        # Markers come a little after the end of a transaction, but before the next one begins.
        end = await (stable_end if half_way else whole_end)(here, here.out, partition)
        told = await here.reader.read_with_headers(here.out, partition, 0, end)
        found += [
            record.value or b""
            for record, headers in zip(told.records, told.headers, strict=True)
            if repeats.is_new(here.out, partition, headers)
        ]
    stable = await stable_end(here, here.journal, REAL_LANE)
    return stable, await here.reader.end(here.journal, REAL_LANE), sorted(found)


async def whole_end(here: World, topic: str, partition: int) -> int:
    """The end of a partition, open transactions included."""
    return await here.reader.end(topic, partition)


async def stable_end(here: World, topic: str, partition: int) -> int:
    """The last stable offset of a partition."""
    request = OffsetRequest(-1, 1, [(topic, [(partition, -1)])])
    ((_, ((_, _, _, offset),)),) = (await here.reader._ask(topic, partition, request)).topics
    return int(offset)


def taken(broker: Broker) -> list[bytes]:
    """What a read_committed consumer with the filter takes."""
    repeats = RepeatFilter()
    found = [sent for _, sent in broker.visible("out") if repeats.is_new("out", LANE, sent.headers)]
    return sorted(sent.value for sent in found)


def _model(side: Side) -> type[TransactionalModel | IdempotentModel]:
    return TransactionalModel if side.log is TransactionalLog else IdempotentModel


@pytest.mark.parametrize("seed", range(6))
async def test_any_calls_of_two_owners_have_the_same_answers(
    side: Side, unique_name: Name, seed: int
) -> None:
    """Who is fenced, what the journal says, what is out: the model has no other Kafka in mind."""
    broker, tokens = Broker(), list[str]()
    model = _model(side)
    async with world(side, unique_name) as here:
        real = {name: RealOwner(here) for name in OWNERS}
        modelled = {name: ModelledOwner(model(broker, [], tokens)) for name in OWNERS}
        for who, call in script(seed):
            assert (who, call, await real[who].answer(call)) == (who, call, await modelled[who].answer(call))
        assert await here.emitted() == taken(broker)


@pytest.mark.parametrize(
    "side",
    [
        pytest.param(("real_kafka", kind), marks=pytest.mark.kafka, id=kind.__name__)
        for kind in (TransactionalLog, IdempotentLog)
    ],
    indirect=True,
)
@pytest.mark.parametrize("seed", range(3))
async def test_what_retention_has_dropped_is_gone_for_both(side: Side, unique_name: Name, seed: int) -> None:
    """Wherever the journal begins: where it is read before that it is refused, elsewhere it is as it was."""
    broker, chance = Broker(), Random(seed)
    async with world(side, unique_name) as here:
        owners = RealOwner(here), ModelledOwner(_model(side)(broker, [], []))
        for _ in range(3):
            for call in ("claim", "commit", "commit", "commit"):
                answers = [await owner.answer(call) for owner in owners]
                assert answers[0] == answers[1]
            end = len(broker.logs[JOURNAL])
            begins = chance.randint(broker.beginnings[JOURNAL], end)
            broker.drop(JOURNAL, begins)
            await drop_records(side.bootstrap, TopicPartition(here.journal, REAL_LANE), begins)
            assert await here.reader.beginning(here.journal, REAL_LANE) == begins
            for start in range(end + 1):
                told = [await owner.told_from(start, end) for owner in owners]
                assert (start, told[0]) == (start, told[1])


@pytest.mark.parametrize(
    "side",
    [pytest.param(("real_kafka", TransactionalLog), marks=pytest.mark.kafka)],
    indirect=True,
    ids=["kafka"],
)
@pytest.mark.parametrize("seed", range(6))
async def test_what_is_left_open_is_ended_by_the_next_owner_only(
    side: Side, unique_name: Name, seed: int
) -> None:
    """Until then readers see what stands before it; afterwards nothing of it, and all behind it."""
    async with world(side, unique_name) as here:
        stage = TwoOwners(here)
        for who, call in script(seed, STALLING):
            await stage.ask(who, call)


@pytest.mark.kafka
@pytest.mark.timeout(300)
async def test_a_coordinator_that_moves_shows_as_the_model_says(tmp_path: Path, unique_name: Name) -> None:
    """Between two nodes, at any time: what the next request comes to, and what becomes of what is open."""
    with two_nodes(tmp_path) as (kafka, companion):
        await settle(kafka.bootstrap)
        companion.start()
        for seed in range(4):
            async with world(Side(kafka.bootstrap, TransactionalLog), unique_name) as here:
                stage, moves = TwoOwners(here), 0
                for who, call in script(seed, MOVING):
                    if call == "move":
                        moves += 1
                        node = 2 if moves % 2 else 1
                        await move(kafka.bootstrap, TRANSACTIONS, f"{here.out}-lane-{REAL_LANE}", node)
                        stage.broker.coordinator.move()
                    else:
                        await stage.ask(who, call)
                assert moves > 2
                await move(kafka.bootstrap, TRANSACTIONS, f"{here.out}-lane-{REAL_LANE}", 1)


async def test_what_shall_be_committed_outlives_the_coordinator(
    own_kafka: RealKafka, unique_name: Name
) -> None:
    """It is put down before the answer: killed at once after that, the next one goes on and completes it."""
    async with world(Side(own_kafka.bootstrap, TransactionalLog), unique_name) as here:
        log = here.log()
        await log.claim()
        for sequence in (1, 2, 3):
            await log.commit(batch(sequence), here.outputs(sequence))
        own_kafka.kill()
        await log.close()
        own_kafka.start()
        assert await take_over(here, here.log()) == 3
        assert await here.emitted() == here.expected(1, 2, 3)
