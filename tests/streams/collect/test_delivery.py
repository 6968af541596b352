"""Nothing is acknowledged that is not in Kafka, memory is bounded, and the time is told."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import ref

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from retarget.errors import BadInput
from retarget.touchpoints import Touchpoint
from streams.collect import Delivery, Entrance, NotTaken
from streams.collect.keys import Keys
from streams.commands.collect import beat, require_readable
from streams.embedded import EmbeddedBroker
from streams.kafka import KafkaAddress, Reader
from streams.kafka.sending import producing
from streams.settings import Settings, load_settings
from tests.support.brokers import a_broker
from tests.support.collecting import collecting

CALL = {"userId": "u1", "event": "Product Viewed", "properties": {"product_id": "tent"}}


class Stopped(Delivery):
    """A delivery of which Kafka takes nothing until it is let."""

    def __init__(self) -> None:
        self.taken: list[Touchpoint | bytes] = []
        self.let, self.full = asyncio.Event(), asyncio.Event()
        self.trouble, self.asked = "", 0

    async def deliver(self, events: Sequence[Touchpoint | bytes]) -> None:
        """As long as it takes; `full` when three wait."""
        self.asked += 1
        if self.asked == 3:
            self.full.set()
        await self.let.wait()
        self.taken += events


def settings(*more: str) -> Settings:
    """Any free port of this machine."""
    return load_settings(overrides=["collect.port=0", *more])


@asynccontextmanager
async def entrance(delivery: Delivery, *more: str) -> AsyncIterator[tuple[str, aiohttp.ClientSession]]:
    """Its address, and a client."""
    async with (
        Entrance(settings(*more), delivery, CollectorRegistry()) as open_one,
        aiohttp.ClientSession() as session,
    ):
        yield f"http://127.0.0.1:{open_one.port}", session


async def test_who_comes_while_too_much_waits_comes_again() -> None:
    """429 with Retry-After, and as soon as there is room again 200."""
    delivery = Stopped()
    async with entrance(delivery, "collect.max_waiting=260", "collect.max_body=200") as (url, client):
        held = [asyncio.create_task(client.post(f"{url}/v1/track", json=CALL)) for _ in range(3)]
        await delivery.full.wait()
        answer = await client.post(f"{url}/v1/track", json=CALL)
        assert answer.status == 429
        assert answer.headers["Retry-After"] == "1"
        assert (await answer.json())["error"]["remedy"]
        delivery.let.set()
        assert [(await one).status for one in held] == [200, 200, 200]
        assert (await client.post(f"{url}/v1/track", json=CALL)).status == 200


async def test_what_kafka_does_not_confirm_is_not_acknowledged() -> None:
    """503 with Retry-After once patience is at its end."""
    async with entrance(Stopped(), "collect.patience=50ms") as (url, client):
        answer = await client.post(f"{url}/v1/track", json=CALL)
        assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    """408, and its room is free."""
    async with entrance(Stopped(), "collect.patience=50ms") as (url, client):

        async def slowly() -> AsyncIterator[bytes]:
            yield b"{"
            await asyncio.sleep(5)

        answer = await client.post(
            f"{url}/v1/track", data=slowly(), headers={"Content-Type": "application/json"}
        )
        assert answer.status == 408


def test_a_broker_that_dies_takes_no_answer_with_it(tmp_path: Path) -> None:
    """Whatever was answered 200 stands in Kafka; without a broker it is 503."""
    (tmp_path / "b").mkdir()
    for broker in a_broker(tmp_path / "b"):
        broker.create_topic("t", 2)
        with collecting(
            broker.bootstrap, "t", tmp_path, "collect.patience=1s", "collect.heartbeat=0ms"
        ) as collector:
            assert collector.send("/v1/track", CALL).status == 200
            assert len(collector.records()) == 1
            broker.process.kill()
            answer = collector.send("/v1/track", CALL)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "2")


async def test_every_partition_hears_the_time(
    embedded_broker: EmbeddedBroker, unique_name: Callable[[str], str]
) -> None:
    """One heartbeat in each."""
    topic, address = unique_name("t"), KafkaAddress(bootstrap=embedded_broker.bootstrap)
    embedded_broker.create_topic(topic, 3)
    reader = Reader(address)
    await reader.start()
    async with producing(address) as producer:
        delivery = Delivery(producer, topic)
        tasks = [asyncio.create_task(delivery.run()), asyncio.create_task(beat(delivery, 60_000))]
        async with asyncio.timeout(20):
            while not all([await reader.end(topic, place) for place in range(3)]):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    found = [record.value for place in range(3) for record in await reader.read(topic, place, 0, 1)]
    await reader.close()
    assert all(b'"heartbeat"' in (value or b"") for value in found)


async def test_a_refusal_of_kafka_reaches_who_waits() -> None:
    """And the next group is tried again."""

    class Broken:
        async def partitions_for(self, _: str) -> set[int]:
            raise TimeoutError("gone")

    delivery = Delivery(Broken(), "t")
    task = asyncio.create_task(delivery.run())
    for _ in range(2):
        with pytest.raises(NotTaken, match="gone"):
            await delivery.deliver([Touchpoint(type="view", user_id="u")])
    assert delivery.trouble
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_who_gave_up_holds_no_memory() -> None:
    """What nobody waits for any more is neither kept nor sent."""

    class Many(list[Touchpoint | bytes]):
        """A list that tells when it is gone."""

    class Unasked:
        async def partitions_for(self, _: str) -> set[int]:
            raise AssertionError("there is nothing to send")

    delivery = Delivery(Unasked(), "t")

    async def give_up() -> ref[Many]:
        events = Many([b"{}"])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await delivery.deliver(events)
        return ref(events)

    held = await asyncio.create_task(give_up())  # a task of its own, as each request has
    gc.collect()
    assert held() is None
    task = asyncio.create_task(delivery.run())
    await asyncio.sleep(0)
    assert not task.done()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_strangers_are_asked_for_a_key() -> None:
    """Beyond this machine nothing starts without one that cannot be guessed."""
    for more, word in (((), "no write keys"), (("collect.write_keys=short",), "guessed")):
        with pytest.raises(BadInput, match=word):
            Keys(settings("collect.host=0.0.0.0", *more).collect)
    Keys(settings("collect.host=0.0.0.0", "collect.write_keys=long-enough-to-be-one").collect)


def test_the_engine_must_understand_what_is_written() -> None:
    """A topic that is read as another dialect is refused."""
    with pytest.raises(BadInput, match=r"input\.dialect"):
        require_readable(settings("input.dialect=segment"), "touchpoints")
    require_readable(settings("input.dialect=canonical"), "touchpoints")


async def test_metrics_are_not_for_everybody() -> None:
    """On this machine they are; with web.token only for who brings it."""
    async with entrance(Stopped()) as (url, client):
        page = await (await client.get(f"{url}/metrics")).text()
        assert 'retarget_collect_refused_total{reason="no_person"} 0.0' in page
    token = "a-token-of-some-length"  # noqa: S105
    async with entrance(Stopped(), f"web.token={token}") as (url, client):
        assert (await client.get(f"{url}/metrics")).status == 401
        told = await client.get(f"{url}/metrics", headers={"Authorization": f"Bearer {token}"})
        assert told.status == 200
        assert (await client.get(f"{url}/health")).status == 200
