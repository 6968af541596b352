"""A service that is killed at any point, and the next one: every message goes out once."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from random import Random
from typing import NamedTuple

import pytest

from streams.embedded import EmbeddedStore
from tests.streams.channels.conftest import Engine, message
from tests.support.kafka.real_kafka import RealKafka
from tests.support.mailbox import Mailbox, Stage
from tests.support.receiver import Posted, Receiver

MESSAGES = 40
PUSHES = 150
# Without these no mail service starts.
A_WAY_OUT = {"channel.public_url": "https://news.shop.example", "channel.secret": "a secret of these tests"}


class Service:
    """`retarget channel NAME` in a process of its own."""

    def __init__(
        self, name: str, settings: Mapping[str, object], dies: tuple[str, int] | None = None
    ) -> None:
        """`dies`: at which stage, and the how manyeth time it comes there; see tests.support.dying."""
        common: dict[str, object] = {"channel.port": 0, "channel.session": "1500ms"}
        words = [
            word for key, value in {**common, **settings}.items() for word in ("--set", f"{key}={value}")
        ]
        environ = {name: value for name, value in os.environ.items() if not name.startswith("RETARGET_")}
        module = ["streams"] if dies is None else ["tests.support.dying", *map(str, dies)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", *module, "channel", name, *words],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ,
        )  # fmt: skip

    def listening(self) -> str:
        """The address of its pages, once it works."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        return found[0]

    def kill(self) -> None:
        """SIGKILL; nothing is put in order."""
        self._process.kill()

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(20)

    def ended(self) -> int:
        """Wait until it is gone; its exit code."""
        code = self._process.wait(20)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code


def counted(page: str, name: str) -> int:
    """A counter's sum on the page."""
    return int(sum(float(value) for value in re.findall(rf"^{name}\{{.*\}} (\S+)$", page, re.MULTILINE)))


@contextmanager
def running(
    name: str, settings: Mapping[str, object], dies: tuple[str, int] | None = None
) -> Iterator[Service]:
    """One at work; killed at the end if it is not gone."""
    service = Service(name, settings, dies)
    try:
        yield service
    finally:
        service.kill()
        service.ended()


def of_mails(engine: Engine, mailbox: Mailbox, emit: str = "idempotent") -> dict[str, object]:
    """The settings of a mail service."""
    return {
        "kafka.bootstrap": engine.address.bootstrap, "kafka.emit": emit, "store.url": engine.store,
        "email.host": "127.0.0.1", "email.port": mailbox.port, **A_WAY_OUT,
    }  # fmt: skip


def page(address: str) -> str:
    """Its metrics."""
    with urllib.request.urlopen(f"{address}/metrics", timeout=5) as answer:  # noqa: S310 - our own service
        return str(answer.read().decode())


async def go_out(engine: Engine, mailbox: Mailbox, stages: list[Stage | None]) -> int:
    """Kill one service after the other at these stages (None: at some moment), then let one finish.

    How many mails it may have repeated, as its metrics say.
    """
    await engine.put(*(message(number) for number in range(MESSAGES)))
    random = Random(1)
    for number, stage in enumerate(stages):
        with running("email", of_mails(engine, mailbox)) as service:
            service.listening()
            left = [3 + 4 * number]

            def kill(reached: Stage, stage: Stage | None = stage, left: list[int] = left) -> None:
                if reached == stage:
                    left[0] -= 1
                    if left[0] == 0:
                        service.kill()

            before = len(mailbox.arrived)
            mailbox.stages = kill
            if stage is None:
                async with asyncio.timeout(30):
                    while len(mailbox.arrived) == before:  # noqa: ASYNC110 - nothing signals it
                        await asyncio.sleep(0.001)
                await asyncio.sleep(random.random() / 50)
                service.kill()
            await asyncio.to_thread(service.ended)
    mailbox.stages = lambda _: None
    with running("email", of_mails(engine, mailbox)) as service:
        address = service.listening()
        async with asyncio.timeout(60):
            while len({*mailbox.ids, *await engine.dead()}) < MESSAGES or not await settled(address):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        repeats = counted(page(address), "retarget_channel_repeats_total")
        assert service.stop() == 0
    return repeats


async def settled(address: str) -> bool:
    """Whether nothing waits there."""
    shown = await asyncio.to_thread(page, address)
    return "retarget_channel_waiting{" in shown and counted(shown, "retarget_channel_waiting") == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data", "taken", None])
async def test_every_mail_once_with_one_repeat_at_most(
    topics: Engine, mailbox: Mailbox, stage: Stage | None
) -> None:
    """Killed before, within and after DATA, and before or after what came of it was put down."""
    repeats = await go_out(topics, mailbox, [stage])
    sent = Counter(mailbox.ids)
    assert sent.keys() == {f"m{number}" for number in range(MESSAGES)}
    assert max(sent.values()) <= 2
    # Only what was under way when it died may come again: so many at once, in each of two partitions.
    assert sum(sent.values()) - MESSAGES <= repeats <= 8
    assert await topics.dead() == {}
    told = {one["id"] for one in await topics.there("touchpoints")}
    assert len(told) == MESSAGES


@pytest.mark.timeout(240)
async def test_killed_again_and_again(topics: Engine, mailbox: Mailbox) -> None:
    """One after the other dies, each somewhere else; nothing is lost, nothing goes a third time."""
    await go_out(topics, mailbox, ["data", None, "rcpt", "taken", None])
    sent = Counter(mailbox.ids)
    in_doubt_twice = {
        name for name, (reason, _) in (await topics.dead()).items() if reason == "unknown_outcome"
    }
    assert sent.keys() | in_doubt_twice == {f"m{number}" for number in range(MESSAGES)}
    assert max(sent.values()) <= 2


@pytest.mark.timeout(300)
async def test_three_services_of_which_two_die(
    own_kafka: RealKafka, store: EmbeddedStore, mailbox: Mailbox
) -> None:
    """With transactions: the third takes over what the others leave, and all stay within the rate."""
    topics = Engine(own_kafka.bootstrap, 3, store.url)
    await topics.make()
    loop = asyncio.get_running_loop()
    rate = {"rates.email": "20/1s"}
    with ExitStack() as stack:
        settings = of_mails(topics, mailbox, "transactional") | rate
        services = [stack.enter_context(running("email", settings)) for _ in range(3)]
        addresses = [service.listening() for service in services]
        await topics.put(*(message(number) for number in range(3 * MESSAGES)))
        for number, (service, stage) in enumerate(zip(services, ("data", "taken"), strict=False), 1):
            reached = asyncio.Event()

            def kill(
                now: Stage, wanted: str = stage, service: Service = service, event: asyncio.Event = reached,
                least: int = 15 * number,
            ) -> None:  # fmt: skip
                if now == wanted and len(mailbox.arrived) >= least:
                    service.kill()
                    loop.call_soon_threadsafe(event.set)

            mailbox.stages = kill
            async with asyncio.timeout(60):
                await reached.wait()
            mailbox.stages = lambda _: None
        async with asyncio.timeout(90):
            while len(set(mailbox.ids)) < 3 * MESSAGES or not await settled(addresses[2]):  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        repeats = counted(page(addresses[2]), "retarget_channel_repeats_total")
        assert services[2].stop() == 0
    sent = Counter(mailbox.ids)
    assert len(sent) == 3 * MESSAGES
    assert max(sent.values()) <= 2
    assert sum(sent.values()) - 3 * MESSAGES <= repeats
    moments = [one.at for one in mailbox.arrived]
    assert max(sum(1 for other in moments if at - 1 < other <= at) for at in moments) <= 20
    told = {one["id"] for one in await topics.there("touchpoints")}
    assert len(told) == 3 * MESSAGES


@pytest.mark.timeout(240)
@pytest.mark.parametrize("answered", [True, False])
async def test_pushes_never_twice(
    topics: Engine,
    answered: bool,  # noqa: FBT001
) -> None:
    """What was under way at a death is set aside; everything is posted, or stands there."""
    numbers = range(PUSHES)
    given = [message(one, channel="push", to={"push_tokens": [f"phone-{one}"]}) for one in numbers]
    await topics.put(*given, channel="push")
    with Receiver() as receiver:
        settings = {
            "kafka.bootstrap": topics.address.bootstrap, "kafka.emit": "idempotent",
            "store.url": topics.store, "push.fcm_url": receiver.url,
            "push.fcm_project": "shop",
        }  # fmt: skip
        with running("push", settings) as service:
            receiver.answers = _killing(service, 5, lambda: None, answered=answered)
            service.listening()
            await asyncio.to_thread(service.ended)
        receiver.answers = lambda _: 200
        with running("push", settings) as service:
            address = service.listening()
            async with asyncio.timeout(60):
                while len(_ids(receiver.posted) | {*await topics.dead("push")}) < PUSHES:  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
                while not await settled(address):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert service.stop() == 0
        came = Counter(found for one in receiver.posted for found in _named(one.body))
    dead = await topics.dead("push")
    assert max(came.values()) == 1
    assert came.keys() | dead.keys() == {f"m{number}" for number in numbers}
    assert {reason for reason, _ in dead.values()} == {"unknown_outcome"}
    # At most what was under way: so many at once, in each of two partitions.
    assert len(dead) <= 2 * 32


@pytest.mark.timeout(240)
@pytest.mark.parametrize("answered", [True, False])
async def test_audiences_never_twice(
    topics: Engine,
    answered: bool,  # noqa: FBT001
) -> None:
    """What comes again is known again: the same key, exactly the same in it; nothing is in two batches."""
    name = "ads"
    with Receiver() as receiver:
        settings = {
            "kafka.bootstrap": topics.address.bootstrap, "kafka.emit": "idempotent", "ads.url": receiver.url,
            "store.url": topics.store, "ads.batch": 7,
        }  # fmt: skip
        ads = {"operation": "add", "audience": "cart-left", "template": None}
        to = {"push_tokens": ["phone"]}
        given = [message(number, channel=name, to=to, **ads) for number in range(MESSAGES)]
        await topics.put(*given, channel=name)
        spans: list[Span] = []
        for after in (2, 3):
            with running(name, settings) as service:
                address_known: Future[str] = Future()
                begun = len(receiver.posted)

                def seen(begun: int = begun, known: Future[str] = address_known) -> None:
                    upto = len(receiver.posted)
                    spans.append(Span(begun, upto, _repeats(page(known.result(20)))))

                receiver.answers = _killing(service, after, seen, answered=answered)
                address_known.set_result(service.listening())
                await asyncio.to_thread(service.ended)
        receiver.answers = lambda _: 200
        begun = len(receiver.posted)
        with running(name, settings) as service:
            address = service.listening()
            async with asyncio.timeout(60):
                while len(_ids(receiver.posted)) < MESSAGES or not await settled(address):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            spans.append(Span(begun, len(receiver.posted), _repeats(page(address))))
            assert service.stop() == 0
        raw = [_named(one.body) for one in receiver.posted]
        by_key: dict[str, set[bytes]] = {}
        for one in receiver.posted:
            by_key.setdefault(one.headers["idempotency-key"], set()).add(_body(one))
    assert {len(bodies) for bodies in by_key.values()} == {1}
    once = Counter(found for bodies in by_key.values() for body in bodies for found in _named(body))
    assert set(once) == {f"m{number}" for number in range(MESSAGES)}
    assert set(once.values()) == {1}
    # What really came again is what the services say that they repeated, each until it was last looked at.
    for span in spans:
        before = {found for named in raw[: span.begun] for found in named}
        came = Counter(found for named in raw[span.begun : span.end] for found in named)
        assert sum(came.values()) - len(came.keys() - before) <= span.repeats
    # Each death can leave a message in doubt once.
    assert max(Counter(found for named in raw for found in named).values()) <= len(spans)
    assert answered or sum(map(len, raw)) > MESSAGES
    assert await topics.dead(name) == {}


class Span(NamedTuple):
    """What one service posted, from one request to another, and how many messages of it were repeats."""

    begun: int
    end: int
    repeats: int


def _repeats(shown: str) -> int:
    return counted(shown, "retarget_channel_repeats_total")


def _killing(
    service: Service, nth: int, seen: Callable[[], None], *, answered: bool
) -> Callable[[Posted], int]:
    """Kill the service at the nth POST, when it has its answer or before; `seen` looks at it first."""
    posts = [0]

    def answer(_: Posted) -> int:
        posts[0] += 1
        if posts[0] == nth:
            seen()
            service.kill()
            return 200 if answered else 0
        return 200

    return answer


def _body(one: Posted) -> bytes:
    """What is in it, but for how long it is good: that runs."""
    return re.sub(rb'"(ttl|TTL|apns-expiration)":"\d+s?"', b"", one.body)


def _named(body: bytes) -> list[str]:
    return re.findall(r'"message_id":"(m\d+)"', body.decode())


def _ids(posted: list[Posted]) -> set[str]:
    return {found for one in posted for found in _named(one.body)}
