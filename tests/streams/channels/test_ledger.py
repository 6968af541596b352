"""The ledger of a partition: one owner at a time, and what it knew is what the next one reads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from streams.channels.ledger import Ledger
from streams.channels.state import Entry, State, Tries, decode, encode, newest
from streams.embedded import EmbeddedBroker
from streams.kafka import KafkaAddress, Reader, create_or_check
from streams.ports import Fenced
from streams.topics import TopicSpec
from tests.support.kafka.real_kafka import RealKafka


@asynccontextmanager
async def ledgers(bootstrap: str, topic: str, own_id: str) -> AsyncIterator[Callable[[], Ledger]]:
    """Makes ledgers of one partition, each as of a service of its own."""
    address = KafkaAddress(bootstrap=bootstrap)
    await create_or_check(address, [TopicSpec(topic, 2, exact=True, keep="latest")])
    reader, made = Reader(address), list[Ledger]()
    await reader.start()

    def another() -> Ledger:
        made.append(Ledger(address, reader, topic, 1, own_id))
        return made[-1]

    try:
        yield another
    finally:
        for one in made:
            await one.close()
        await reader.close()


async def owners(another: Callable[[], Ledger]) -> None:
    """Two services, one after the other; the first does not know yet."""
    first, second = another(), another()
    assert await first.claim() is None
    known = State(read=7, waiting={3: Tries(1, 2, 99)}, marks={0: (1, 2, 3)}, foreign=["m1"])
    await first.write(State(read=2), [])
    await first.write(known, [])
    assert await second.claim() == known
    with pytest.raises(Fenced):
        await first.write(State(read=8), [])
    await second.write(State(read=9), [])
    for _ in range(70):
        await second.write(State(read=10), [])
    assert await another().claim() == State(read=10)


async def test_a_former_owner_is_shut_out(
    embedded_broker: EmbeddedBroker, unique_name: Callable[[str], str]
) -> None:
    """Without transactions: by the claim that it finds when it reads back."""
    async with ledgers(embedded_broker.bootstrap, unique_name("ledger"), "") as another:
        await owners(another)


async def test_a_former_owner_is_shut_out_by_the_broker(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """With transactions: by the fence."""
    topic = unique_name("ledger")
    async with ledgers(real_kafka.bootstrap, topic, f"{topic}-1") as another:
        await owners(another)


def test_what_a_former_owner_wrote_too_late_counts_only_while_nobody_else_has() -> None:
    """The latest claim that wrote anything has the last word."""
    old, new = State(read=1), State(read=2)
    late = State(read=3)
    assert newest([]) is None
    assert newest([Entry("a"), Entry("b")]) is None
    assert newest([Entry("a"), Entry("a", old), Entry("b")]) == old
    assert newest([Entry("a"), Entry("b"), Entry("a", late)]) == late
    assert newest([Entry("a"), Entry("b"), Entry("b", new), Entry("a", late)]) == new
    assert newest([Entry("x", old), Entry("b"), Entry("b", new)]) == new


def test_an_entry_comes_back_as_it_was() -> None:
    """As bytes and back."""
    entry = Entry("c", State(read=5, waiting={1: Tries(portion="ab")}, marks={2: (0, 1, 2)}))
    assert decode(encode(entry), "here") == entry
