"""The fan on a real broker: whatever happens to workers, each lane can tell the whole catalogue, in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Final

import pytest

from retarget.catalogue import Fanned, unpack
from streams.embedded import EmbeddedBroker
from streams.embedded.processes import LOOPBACK, free_port
from streams.kafka import KafkaAddress, create_or_check
from streams.kafka.connection import MAX_RECORD_BYTES
from streams.kafka.fan import Fan
from streams.kafka.looking import Span, looking, records
from streams.kafka.sending import Outgoing, producing, send
from streams.topics import CATALOGUE, FANNED, topic_specs

LANES: Final = 2
_WITHIN_S: Final = 60.0


async def prepared(broker: EmbeddedBroker) -> KafkaAddress:
    """The address of a broker with all topics, the catalogue's too."""
    address = KafkaAddress(bootstrap=broker.bootstrap)
    await create_or_check(address, topic_specs(["touchpoints"], LANES))
    return address


@asynccontextmanager
async def fanning(address: KafkaAddress) -> AsyncIterator[None]:
    """One worker's fan, gone at the end without a word."""
    task = asyncio.create_task(Fan(address, app_id="shop", topic=CATALOGUE, lanes=LANES).run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def tell(address: KafkaAddress, partition: int, values: Sequence[bytes]) -> None:
    """Put records into a partition of the catalogue."""
    async with producing(address) as producer:
        await send(producer, [Outgoing(CATALOGUE, partition, b"p", value, timestamp=1) for value in values])


async def heard(address: KafkaAddress, lane: int, wanted: int) -> list[Fanned]:
    """What a lane has after so many different records have come, repeats left out as a lane does it."""
    found: list[Fanned] = []
    following: dict[int, int] = {}
    async with looking(address, "read_committed") as consumer:
        async with asyncio.timeout(_WITHIN_S):
            async for seen in records(consumer, FANNED, {lane: Span(0, 0)}, follow=True):
                fanned = unpack(seen.value or b"")
                if fanned.offset >= following.get(fanned.partition, 0):
                    found.append(fanned)
                    following[fanned.partition] = fanned.offset + 1
                if len(found) == wanted:
                    break
    return found


def assert_whole(found: Sequence[Fanned], told: Sequence[Sequence[bytes]]) -> None:
    """Each partition's records are there, each once, in their order."""
    for partition, values in enumerate(told):
        of_it = [fanned for fanned in found if fanned.partition == partition]
        assert [fanned.offset for fanned in of_it] == list(range(len(values)))
        assert [fanned.value for fanned in of_it] == list(values)


async def test_every_lane_gets_every_record_with_its_place(own_broker: EmbeddedBroker) -> None:
    """Of all partitions, with key and value as they were."""
    address = await prepared(own_broker)
    told = [[b"%d-%d" % (partition, n) for n in range(700)] for partition in range(LANES)]
    async with fanning(address):
        for partition, values in enumerate(told):
            await tell(address, partition, values)
        for lane in range(LANES):
            found = await heard(address, lane, 1400)
            assert_whole(found, told)
            assert {fanned.key for fanned in found} == {b"p"}


async def test_workers_that_come_and_go_lose_nothing(own_broker: EmbeddedBroker) -> None:
    """One ends in the middle of a portion, others take over and share: no lane misses a record."""
    address = await prepared(own_broker)
    told: list[list[bytes]] = [[], []]
    for turn in range(2):
        async with fanning(address):
            for partition in range(LANES):
                more = [b"%d-%d-%d" % (turn, partition, n) for n in range(1500)]
                told[partition] += more
                await tell(address, partition, more)
            # Somewhere in the middle: the worker ends as soon as something new has come to the first lane.
            await heard(address, 0, turn * 3000 + 1)
    async with fanning(address):
        await heard(address, 0, 3001)
        async with fanning(address):
            for lane in range(LANES):
                assert_whole(await heard(address, lane, 6000), told)


async def test_a_record_that_does_not_fit_its_envelope_holds_nothing_up(own_broker: EmbeddedBroker) -> None:
    """It is cut, still longer than any that is taken, and what stands behind it comes."""
    address = await prepared(own_broker)
    whole = b"x" * (MAX_RECORD_BYTES - 1000)
    async with fanning(address):
        await tell(address, 0, [b"before", whole, b"behind"])
        before, cut, behind = await heard(address, 1, 3)
    assert (before.value, behind.value) == (b"before", b"behind")
    assert 1_000_000 < len(cut.value) < len(whole)


async def test_while_the_broker_is_away_the_fan_waits(caplog: pytest.LogCaptureFixture) -> None:
    """It says so, and goes on trying."""
    said = asyncio.Event()
    caplog.set_level(logging.WARNING, "retarget.catalogue")
    logger, handler = logging.getLogger("retarget.catalogue"), logging.Handler()
    handler.emit = lambda record: said.set()  # type: ignore[method-assign]  # noqa: ARG005
    logger.addHandler(handler)
    try:
        async with fanning(KafkaAddress(bootstrap=f"{LOOPBACK}:{free_port()}")):
            async with asyncio.timeout(_WITHIN_S):
                for _ in range(2):
                    await said.wait()
                    said.clear()
    finally:
        logger.removeHandler(handler)
    ours = [record.message for record in caplog.records if record.name == logger.name]
    assert all(message.startswith("the catalogue waits: ") for message in ours)
