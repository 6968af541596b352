"""The broker and the logs of the fault simulator against the real ones: the same calls, the same answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import Any, Final

import pytest

from streams.kafka import TransactionalLog
from streams.kafka.headers import RepeatFilter
from streams.ports import Fenced, History, JournalRecord, Output
from tests.contracts.test_logs import Name, Side, batch, world
from tests.contracts.test_logs import side as side  # noqa: PLC0414 - a fixture
from tests.protocol.broker import LANE, Broker
from tests.protocol.logs import IdempotentModel, TransactionalModel
from tests.protocol.steps import at_once
from tests.support.journals import whole

# Of one lane, of which only one can be the owner.
OWNERS: Final = ("first", "second")
CALLS: Final = ("claim", "take over", "commit", "commit", "commit", "history")
LENGTH: Final = 25

Answer = object
Ask = Callable[[str, str], Awaitable[Answer]]


def script(seed: int) -> list[tuple[str, str]]:
    """Calls in a random order, and whose each is; somebody begins by taking over."""
    chance = Random(seed)
    found = [(chance.choice(OWNERS), chance.choice(CALLS)) for _ in range(LENGTH)]
    return [(OWNERS[0], "take over"), *found]


class Owner:
    """One log and what its owner knows: the sequence it would write next."""

    def __init__(self, log: object, outputs: Callable[[int], list[Output]], *, modelled: bool) -> None:
        self._log, self._outputs, self._modelled = log, outputs, modelled
        self._next = 1

    async def answer(self, name: str) -> Answer:
        """What comes of a call, as far as both sides can say the same."""
        try:
            return await {
                "claim": self._claim, "take over": self._take_over, "commit": self._commit,
                "history": self._history,
            }[name]()  # fmt: skip
        except Fenced:
            return "fenced"

    async def _claim(self) -> Answer:
        await self._ask("claim")
        return "claimed"

    async def _take_over(self) -> Answer:
        await self._ask("claim")
        history, records = await self._read()
        for record in records:
            if record.sequence > history.acknowledged:
                await self._ask("emit_again", record, self._outputs(record.sequence))
        self._next = records[-1].sequence + 1 if records else 1
        return [record.sequence for record in records], history.acknowledged

    async def _commit(self) -> Answer:
        await self._ask("commit", batch(self._next), self._outputs(self._next))
        self._next += 1
        return "committed", self._next

    async def _history(self) -> Answer:
        history, records = await self._read()
        return [record.sequence for record in records], history.acknowledged

    async def _read(self) -> tuple[History, list[JournalRecord]]:
        history: History = await self._ask("history", 0)
        told = whole(history)
        return history, [record for _, record in await (at_once(told) if self._modelled else told)]

    async def _ask(self, name: str, *arguments: object) -> Any:  # noqa: ANN401 - as the call says
        call = getattr(self._log, name)(*arguments)
        return await (at_once(call) if self._modelled else call)


def modelled_outputs(sequence: int) -> list[Output]:
    """What the batch with this sequence sends, to the only partition of the model."""
    return [Output("out", b"p%d" % number, b"%d.%d" % (sequence, number)) for number in range(6)]


def taken(broker: Broker) -> list[bytes]:
    """What a read_committed consumer with the filter takes."""
    repeats = RepeatFilter()
    found = [sent for _, sent in broker.visible("out") if repeats.is_new("out", LANE, sent.headers)]
    return sorted(sent.value for sent in found)


@pytest.mark.parametrize("seed", range(6))
async def test_any_calls_of_two_owners_have_the_same_answers(
    side: Side, unique_name: Name, seed: int
) -> None:
    """Who is fenced, what the journal says, what is out: the model has no other Kafka in mind."""
    broker, tokens = Broker(), list[str]()
    model = TransactionalModel if side.log is TransactionalLog else IdempotentModel
    async with world(side, unique_name) as here:
        real = {name: Owner(here.log(), here.outputs, modelled=False) for name in OWNERS}
        modelled = {
            name: Owner(model(broker, [], tokens), modelled_outputs, modelled=True) for name in OWNERS
        }
        for who, call in script(seed):
            assert (who, call, await real[who].answer(call)) == (who, call, await modelled[who].answer(call))
        assert await here.emitted() == taken(broker)
