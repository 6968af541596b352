"""Somebody on the way stalls, and then everything moves at once: the rate holds all the same."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from aiohttp import web
from msgspec import convert

from retarget.messages import Message
from streams.channels.email import EmailChannel
from streams.channels.gateways import GATEWAYS
from streams.channels.outcomes import NOT_YET, Channel
from streams.channels.push import PushChannel
from streams.channels.rates import Lease, Rate, Turn, pace_of
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.settings_kinds import Limit
from streams.stores.leases import Leased, Leases
from tests.streams.channels.conftest import SEAL, Engine, Working, message, until, working
from tests.support.mailbox import Mailbox
from tests.support.receiver import Receiver

RATE = Limit(20, 1_000)
DESKS, SERVICES, MESSAGES, STALL_S = 9, 3, 90, 3.0


@pytest.fixture
def many_desks(own_broker: EmbeddedBroker, store: EmbeddedStore) -> Engine:
    """An engine whose channels have a desk for each of many partitions."""
    engine = Engine(own_broker.bootstrap, DESKS, store.url)
    asyncio.run(engine.make())
    return engine


@asynccontextmanager
async def services(engine: Engine, channel: Callable[[], Channel]) -> AsyncIterator[Sequence[Working]]:
    """Several that keep one rate."""
    async with AsyncExitStack() as stack:
        found = []
        for _ in range(SERVICES):
            leases = Leases.at(engine.store, "test")
            stack.push_async_callback(leases.close)
            one = channel()
            found.append(await stack.enter_async_context(working(engine, one, Rate(one.name, RATE, leases))))
        yield found


def worst(moments: Sequence[float]) -> int:
    """The most in any window of the rate."""
    return max(sum(1 for other in moments if at - RATE.window / 1e3 < other <= at) for at in moments)


@pytest.mark.timeout(120)
async def test_a_relay_that_stalls(many_desks: Engine, mailbox: Mailbox) -> None:
    """Whatever each connection waits for, MAIL, RCPT or DATA, when it stalls; no mail is lost or repeated."""
    settings = many_desks.settings("email.host=127.0.0.1", f"email.port={mailbox.port}")
    async with services(many_desks, lambda: EmailChannel(settings, SEAL)) as found:
        await many_desks.put(*(message(number) for number in range(MESSAGES)))
        for least in (10, 40):
            await until(lambda least=least: len(mailbox.arrived) >= least)  # type: ignore[misc]
            mailbox.stalls = True
            await asyncio.sleep(STALL_S)
            mailbox.stalls = False
        await until(lambda: len(mailbox.arrived) >= MESSAGES)
        await until(lambda: sum(one.count("handed") for one in found) == MESSAGES)
        assert sum(one.repeats() for one in found) == 0
    assert sorted(mailbox.ids) == sorted(f"m{number}" for number in range(MESSAGES))
    assert worst([one.at for one in mailbox.arrived]) <= RATE.most


class Book:
    """An address book on this machine, which can stall."""

    def __init__(self) -> None:
        self.answers = asyncio.Event()
        self.answers.set()
        self.url = ""

    async def _answer(self, request: web.Request) -> web.Response:
        await self.answers.wait()
        name = request.match_info["name"]
        return web.json_response({"push_tokens": [f"phone-{name}"], "phone": "+4915112345678"})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Answer until the end of the block."""
        app = web.Application()
        app.add_routes([web.get("/{name}", self._answer)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        self.url = f"http://{host}:{port}/{{user_id}}"
        try:
            yield
        finally:
            await runner.cleanup()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["push", "sms"])
async def test_an_address_book_that_stalls(many_desks: Engine, name: str) -> None:
    """What had its token before the address was known asks for another one before it is posted."""
    book = Book()
    with Receiver() as receiver:
        async with book.open():
            settings = many_desks.settings(
                f"channel.addresses={book.url}", f"push.fcm_url={receiver.url}", "push.fcm_project=shop",
                f"sms.url={receiver.url}", "sms.sender=Shop", "sms.stop=STOP to 12345",
            )  # fmt: skip

            def channel() -> Channel:
                return PushChannel(settings) if name == "push" else GATEWAYS[name](settings)

            async with services(many_desks, channel) as found:
                template = "chat-follow-up" if name == "sms" else "cart-reminder-1"
                await many_desks.put(
                    *(
                        message(number, channel=name, to={"external": f"u{number}"}, template=template)
                        for number in range(60)
                    ),
                    channel=name,
                )
                await until(lambda: len(receiver.posted) >= 10)
                book.answers.clear()
                await asyncio.sleep(STALL_S)
                book.answers.set()
                await until(lambda: sum(one.count("handed", name) for one in found) == 60)
    assert len(receiver.posted) == 60
    assert worst([one.at for one in receiver.posted]) <= RATE.most


async def test_a_turn_that_has_passed() -> None:
    """Within the lease nothing is asked; later another token is needed, and without one nothing leaves."""
    asked: list[object] = []
    wait_us = [0]

    class Tokens:
        async def lease(
            self, name: str, count: int, *, asker: str, apart_us: int, saved: int, kept_ms: int
        ) -> Leased:
            assert asker
            asked.append((name, count, apart_us, saved, kept_ms))
            return Leased(count, wait_us[0])

    rate, now = Rate("email", RATE, Tokens()), time.monotonic()
    assert await Turn(rate, Lease(1, now + 60))(1)
    assert asked == []
    assert await Turn(rate, Lease(1, now - 1))(1)
    pace = pace_of(RATE)
    assert asked == [("email", 1, pace.apart_us, pace.saved, pace.kept_ms)]
    wait_us[0] = 3_600_000_000
    assert not await Turn(rate, Lease(1, now - 1), soon_s=0.05)(1)


@pytest.mark.parametrize("name", ["email", "push", "sms", "onsite", "chat"])
async def test_what_may_not_leave_is_not_seen_by_anybody(topics: Engine, mailbox: Mailbox, name: str) -> None:
    """It is as if it had not been handed over: no doubt, no failure; and it can go the next time."""
    with Receiver() as receiver:
        settings = topics.settings(
            "email.host=127.0.0.1", f"email.port={mailbox.port}", f"push.fcm_url={receiver.url}",
            "push.fcm_project=shop", "sms.sender=Shop", "sms.stop=STOP to 12345",
            *(f"{one}.url={receiver.url}" for one in ("sms", "onsite", "chat")),
        )  # fmt: skip
        channel: Channel
        if name == "email":
            channel = EmailChannel(settings, SEAL)
        else:
            channel = PushChannel(settings) if name == "push" else GATEWAYS[name](settings)
        to = {"email": "a@mail.example", "push_tokens": ["t1", "t2"], "phone": "+4915112345678"}
        template = "chat-follow-up" if name == "sms" else "cart-reminder-1"
        made = convert(message(1, channel=name, to=to, template=template), Message)

        async def never(_: int) -> bool:
            return False

        await channel.start()
        try:
            assert await channel.hand_over([made], never) == [NOT_YET]
            assert (receiver.posted, mailbox.arrived) == ([], [])
            [outcome] = await channel.hand_over([made])
            assert outcome.kind == "handed"
        finally:
            await channel.stop()
        assert len(receiver.posted) + len(mailbox.arrived) == (2 if name == "push" else 1)
