"""Kill switches: what lies in a channel's topic already is not handed over while one is on."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from retarget.messages import Message
from streams.channels.batches.ads import AdsChannel
from streams.channels.pausing import stopped_by
from streams.embedded import EmbeddedStore
from streams.redriving import Choice, redrive
from streams.stores.redis import RedisStore
from streams.switches import Switches
from tests.factories import NOON
from tests.streams.channels.conftest import Engine, message, until, working
from tests.streams.channels.test_batches import change
from tests.streams.channels.test_killed import counted, of_mails, page, running
from tests.support.mailbox import Mailbox
from tests.support.people import granted, store_people
from tests.support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """The platform."""
    with Receiver() as server:
        yield server


@asynccontextmanager
async def switches(store: EmbeddedStore) -> AsyncIterator[tuple[RedisStore, Switches]]:
    """The store, and what a service knows of its switches."""
    opened = await RedisStore.connect(store.url, "retarget", 2)
    known = Switches(opened, lambda _: None)
    await known.read()
    following = asyncio.create_task(known.follow())
    try:
        yield opened, known
    finally:
        following.cancel()
        await asyncio.wait([following])
        await opened.close()


async def throw(command: str, store: EmbeddedStore, *names: str) -> None:
    """`retarget pause` or `resume`, in a process of its own."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("RETARGET_")}
    words = [sys.executable, "-m", "streams", command, *names, "--set", f"store.url={store.url}"]
    await asyncio.to_thread(subprocess.run, words, check=True, env=environ, capture_output=True)


async def in_force(address: str, switches: int) -> None:
    """Wait until the service has heard of so many."""
    wanted = f"\nretarget_channel_paused_switches {switches:.1f}\n"
    async with asyncio.timeout(30):
        while wanted not in await asyncio.to_thread(page, address):  # noqa: ASYNC110 - nothing signals it
            await asyncio.sleep(0.05)


async def test_what_a_switch_stops_can_be_sent_later(
    topics: Engine, store: EmbeddedStore, mailbox: Mailbox
) -> None:
    """Mails of a paused rule become dead letters; others go on; redriven they go once it is resumed."""
    with running("email", of_mails(topics, mailbox)) as service:
        address = service.listening()
        await topics.put(message("before"))
        await until(lambda: mailbox.ids == ["mbefore"])
        await throw("pause", store, "abandoned_cart")
        await in_force(address, 1)
        await topics.put(*map(message, range(5)), message("other", rule="price_drop"))
        await until(lambda: "mother" in mailbox.ids)
        async with asyncio.timeout(30):
            while len(await topics.dead()) < 5:  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.1)
        assert mailbox.ids == ["mbefore", "mother"]
        assert {reason for reason, _ in (await topics.dead()).values()} == {"paused"}
        assert counted(await asyncio.to_thread(page, address), "retarget_channel_dead_letters_total") == 5
        await throw("resume", store, "abandoned_cart")
        await in_force(address, 0)
        settings = topics.settings(f"store.url={store.url}", "kafka.partitions=2")
        await store_people(store.url, 2, *(granted(f"person {number}") for number in range(5)))
        again = await redrive(settings, Choice(reasons=frozenset({"paused"})), channel="email", now=NOON)
        assert again.sent == 5
        await until(lambda: len(mailbox.ids) == 7)
        assert service.stop() == 0
    assert sorted(mailbox.ids) == sorted([*(f"m{number}" for number in range(5)), "mbefore", "mother"])


async def test_removals_go_and_a_batch_in_doubt_waits(
    topics: Engine, store: EmbeddedStore, receiver: Receiver
) -> None:
    """What has begun is not given up: resumed, it goes as it was. Whom a switch protects can still leave."""
    settings = topics.settings(f"ads.url={receiver.url}")
    receiver.answers = lambda _: 0
    async with switches(store) as (held, known):
        async with working(topics, AdsChannel(settings), pauses=known.told) as service:
            await topics.put(*(change(number) for number in range(6)), channel="ads")
            await until(lambda: service.count("doubt", "ads") >= 6)
        await held.set_pause("ads", NOON)
        await until(lambda: "ads" in (known.told() or {}))
        lost = {one.headers["idempotency-key"]: one.body for one in receiver.posted}
        receiver.posted.clear()
        receiver.answers = lambda _: 200
        async with working(topics, AdsChannel(settings), pauses=known.told) as service:
            leaving = [change(number, "remove", person=f"v{number}") for number in range(6)]
            await topics.put(*leaving, *(change(number) for number in range(10, 14)), channel="ads")
            await until(lambda: service.count("handed", "ads") == 6)
            await until(lambda: service.count("dead", "ads") == 4)
            assert all(b'"operation":"remove"' in one.body for one in receiver.posted)
            await held.set_pause("ads", None)
            await until(lambda: service.count("handed", "ads") == 12)
    again = {one.headers["idempotency-key"]: one.body for one in receiver.posted}
    assert lost.items() <= again.items()


async def test_nothing_leaves_until_the_switches_are_known(topics: Engine, receiver: Receiver) -> None:
    """A store that has not answered yet may hold one."""
    pauses: list[Mapping[str, int] | None] = [None]
    settings = topics.settings(f"ads.url={receiver.url}")
    async with working(topics, AdsChannel(settings), pauses=lambda: pauses[0]) as service:
        await topics.put(change(1), channel="ads")
        await until(lambda: service.waiting("ads") == 1)
        begun = time.monotonic()
        await until(lambda: time.monotonic() > begun + 0.5)
        assert receiver.posted == []
        pauses[0] = {}
        await until(lambda: service.count("handed", "ads") == 1)


async def test_a_store_that_lets_nobody_in_for_a_while(tmp_path: Path) -> None:
    """What was in force is, and what is thrown later is heard of."""
    with EmbeddedStore(folder=tmp_path) as own, redis.Redis.from_url(own.url) as admin:
        async with switches(own) as (held, known):
            await held.set_pause("email", NOON)
            await known.read()
            admin.execute_command("ACL", "SETUSER", "default", "-hgetall")
            await known.read()
            assert known.told() == {"email": NOON}
            admin.execute_command("ACL", "SETUSER", "default", "+hgetall")
            await held.set_pause("push", NOON)
            await until(lambda: "push" in (known.told() or {}))


@pytest.mark.parametrize(
    ("more", "pauses", "said"),
    [
        ({}, {}, None),
        ({}, {"email": NOON}, "email is paused since 2024-03-01T12:00:00.000Z"),
        ({}, {"abandoned_cart": NOON}, "abandoned_cart is paused since 2024-03-01T12:00:00.000Z"),
        ({}, {"all": NOON}, "everything is paused since 2024-03-01T12:00:00.000Z"),
        ({}, {"push": NOON, "price_drop": NOON}, None),
        ({"operation": "recall"}, {"all": NOON}, None),
        ({"operation": "remove"}, {"email": NOON}, None),
        ({"operation": "add"}, {"email": NOON}, "email is paused since 2024-03-01T12:00:00.000Z"),
    ],
)
def test_which_messages_a_switch_stops(
    more: dict[str, Any], pauses: dict[str, int], said: str | None
) -> None:
    """Those of its rule or channel, or all; what undoes something goes out."""
    assert stopped_by(msgspec.convert(message(1, **more), Message), pauses) == said
