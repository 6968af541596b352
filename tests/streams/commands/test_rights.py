"""What docs/security.md says that commands other than `run` need at Kafka suffices, and no less does."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Final

import aiohttp
import pytest

from retarget.journeys import wire
from retarget.journeys.model import Journey
from streams import topics
from streams.embedded import EmbeddedStore
from streams.embedded.processes import free_port
from streams.kafka import KafkaAddress, create_or_check
from streams.kafka.looking import spans
from streams.kafka.sending import Outgoing, producing, send
from streams.ports import Checkpoint
from streams.stores import RedisStore
from streams.topics import TopicSpec, topic_specs
from tests.e2e.harness import WorkerProcess, until
from tests.streams.channels.conftest import message
from tests.streams.commands.conftest import Answer, Retarget
from tests.support.certificates import Certificates, certificates
from tests.support.kafka.jars import KafkaMissing, classpath
from tests.support.kafka.secured import OTHER, PASSWORD, GuardedKafka, Right
from tests.support.mailbox import Mailbox
from tests.support.missing import unavailable
from tests.support.worker import started

pytestmark = pytest.mark.kafka
ROOT: Final = Path(__file__).resolve().parents[3]
WITHIN_S: Final = 30.0
NUMBERS: Final = count()
CHANNEL: Final = "email"
DEAD_MAILS: Final = topics.dead_channel_topic(CHANNEL)
A_WAY_OUT: Final = ("channel.public_url=https://news.shop.example", "channel.secret=a secret of these tests")
_ROW: Final = re.compile(
    r"^\| `([a-z -]+?)(?: CHANNEL)?` \| (topic|group|transactional id) \| ([^|]+) \| ([A-Za-z, ]+) \|$",
    re.MULTILINE,
)


def rights_of(command: str) -> list[Right]:
    """The rows of one command, for an engine with the settings as they are."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    found = [
        Right(kind, name.removesuffix("*"), _words(operation), prefix=name.endswith("*"), user=OTHER)
        for who, kind, names, operations in _ROW.findall(text)
        if who == command
        for written in re.findall(r"`([^`]+)`", names)
        for name in _filled(written, command)
        for operation in operations.split(", ")
    ]
    assert found, f"{command} is not in the table of docs/security.md"
    return found


def _words(operation: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", operation).lower()


def _filled(name: str, command: str) -> list[str]:
    each = topics.CHANNELS if command in ("erase --scan", "export --topics") else [CHANNEL]
    return [name.replace("CHANNEL", one) for one in each] if "CHANNEL" in name else [name]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for the broker."""
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, made: Certificates) -> Iterator[GuardedKafka]:
    """A broker with the topics of an engine, and a user without rights."""
    try:
        broker = GuardedKafka(tmp_path_factory.mktemp("kafka"), classpath(), made)
    except KafkaMissing as missing:
        unavailable(str(missing))
    try:
        broker.start()
        names = (topics.REDRIVEN, topics.ledger_topic(CHANNEL))
        made_when_needed = [TopicSpec(name, 1, exact=True, keep="latest") for name in names]
        specs = [*topic_specs([topics.TOUCHPOINTS], 1, sealed=True), *made_when_needed]
        asyncio.run(create_or_check(_plain(broker), specs))
        yield broker
    finally:
        broker.close()


def _plain(broker: GuardedKafka) -> KafkaAddress:
    return KafkaAddress(bootstrap=broker.bootstrap)


@pytest.fixture
def flags(guarded: GuardedKafka, made: Certificates, store: EmbeddedStore) -> list[str]:
    """The way through the guarded door, and to the store."""
    given = (
        f"kafka.bootstrap={guarded.guarded}",
        "kafka.security=sasl_ssl",
        f"kafka.sasl_user={OTHER}",
        f"kafka.sasl_password={PASSWORD}",
        f"kafka.ca_file={made.authority}",
        "kafka.partitions=1",
        f"store.url={store.url}",
    )
    return [word for one in given for word in ("--set", one)]


@asynccontextmanager
async def allowed(broker: GuardedKafka, rights: list[Right]) -> AsyncIterator[None]:
    """The other user has these rights, and none later."""
    await broker.allow(rights)
    try:
        yield
    finally:
        for right in rights:
            await broker.forbid(right)


@asynccontextmanager
async def without(broker: GuardedKafka, right: Right) -> AsyncIterator[None]:
    """One of them is taken away for a while."""
    await broker.forbid(right)
    try:
        yield
    finally:
        await broker.allow([right])


async def comes_to(ask: Callable[[], Answer], wanted: Callable[[Answer], bool], what: str) -> None:
    """The command says this once the broker goes by the rights that it was given, which may take a moment."""
    answers: list[Answer] = []

    async def said() -> bool:
        answers.append(await asyncio.to_thread(ask))
        return wanted(answers[-1])

    await until(said, what, lambda: str(answers[-1]), WITHIN_S)


async def put(broker: GuardedKafka, topic: str, key: bytes, value: object) -> None:
    """One record, by whoever may do everything."""
    async with producing(_plain(broker)) as producer:
        await send(producer, [Outgoing(topic, 0, key, json.dumps(value).encode())])


async def set_aside(broker: GuardedKafka) -> None:
    """One more of each: an event and a price that could not be read, and a mail that could not be sent."""
    mail = message(next(NUMBERS), person="ann", purpose="transactional")
    for topic, source, value in (
        (topics.DEAD, topics.TOUCHPOINTS, {"type": "nonsense", "user_id": "ann"}),
        (topics.DEAD, topics.CATALOGUE, {"product_id": "tent", "price": 3, "time": 1}),
        (topics.dead_channel_topic(CHANNEL), topics.channel_topic(CHANNEL), mail),
    ):
        told = {
            "reason": "bad_field", "detail": "…", "topic": source, "partition": 0, "offset": next(NUMBERS),
            "time": "2026-03-01T11:00:00.000Z", "raw": base64.b64encode(json.dumps(value).encode()).decode(),
        }  # fmt: skip
        await put(broker, topic, b"ann", told)


async def remember(store: EmbeddedStore) -> None:
    """Somebody is known, so that there is somebody to forget."""
    image = Checkpoint(expected=0, meta=b"", journeys=[("ann", wire.encode(Journey(person="ann")))])
    opened = await RedisStore.connect(store.url, "retarget", 1)
    try:
        await opened.checkpoint(0, image)
    finally:
        await opened.close()


async def held(broker: GuardedKafka, topic: str) -> int:
    """How many records, or ends of transactions, there are."""
    return sum(span.end - span.start for span in (await spans(_plain(broker), topic, [0])).values())


def tells(right: Right, said: str) -> bool:
    """Whether it is said to be missing; of a topic that is not even to be seen Describe is."""
    operation = "".join(word.capitalize() for word in right.operation.split())
    words = rf"the right (Describe|{operation}) on {right.kind} {right.name}\S* is missing"
    return re.search(words, said) is not None


SHORT: Final = {
    "redrive": ("redrive",),
    "redrive --channel": ("redrive", "--channel", CHANNEL),
    "erase": ("erase", "ann", "--no-wait"),
    "erase --scan": ("erase", "ann", "--scan"),
    "export --topics": ("export", "ann", "--topics"),
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", SHORT)
async def test_a_command_does_with_its_rights_and_with_no_fewer(
    command: str, guarded: GuardedKafka, flags: list[str], retarget: Retarget, store: EmbeddedStore
) -> None:
    """Whichever is missing is named."""
    await remember(store)

    def ask() -> Answer:
        asyncio.run(set_aside(guarded))
        return retarget(*SHORT[command], *flags)

    rights = rights_of(command)
    async with allowed(guarded, rights):
        await comes_to(ask, _has_all, "nothing is missing")
        for right in filter(_is_tried, rights):
            async with without(guarded, right):
                await comes_to(ask, partial(_tells, right), f"{right} is missing")
            await comes_to(ask, _has_all, f"{right} is back")


def _is_tried(right: Right) -> bool:
    """Of the channels' topics, which are all alike, those of one."""
    return right.name.rpartition(".")[2] not in {*topics.CHANNELS} - {CHANNEL}


def _tells(right: Right, answer: Answer) -> bool:
    return tells(right, answer.err)


def _has_all(answer: Answer) -> bool:
    return "is missing" not in answer.err


@contextmanager
def mailing(flags: list[str], mailbox: Mailbox, folder: Path) -> Iterator[WorkerProcess]:
    """The service of a channel at work."""
    relay = ("email.host=127.0.0.1", f"email.port={mailbox.port}")
    settings = (*flags[1::2], *relay, *A_WAY_OUT, "channel.port=0", "channel.session=6s")
    service = started(folder, "mails", settings, words=("channel", CHANNEL))
    try:
        yield service
    finally:
        service.kill()


@pytest.mark.timeout(240)
async def test_a_channel_service_does_with_its_rights_and_with_no_fewer(
    guarded: GuardedKafka, flags: list[str], tmp_path: Path
) -> None:
    """A mail, a letter that is set aside, and what became of the mail; else it says what it waits for."""
    rights = rights_of("channel")
    async with allowed(guarded, rights):
        with Mailbox() as mailbox, mailing(flags, mailbox, tmp_path) as service:
            await settles(guarded, service)
        for right in rights:
            async with without(guarded, right):
                with Mailbox() as mailbox, mailing(flags, mailbox, tmp_path) as service:
                    await lacks(guarded, service, right)


async def settles(guarded: GuardedKafka, service: WorkerProcess) -> None:
    """A mail has gone, which is fed back, and another is set aside."""
    before = await held(guarded, topics.TOUCHPOINTS), await held(guarded, DEAD_MAILS)
    await write_mails(guarded)

    async def settled() -> bool:
        after = await held(guarded, topics.TOUCHPOINTS), await held(guarded, DEAD_MAILS)
        return all(more > less for more, less in zip(after, before, strict=True))

    await until(settled, "a mail has gone and another is set aside", lambda: service.said)


async def lacks(guarded: GuardedKafka, service: WorkerProcess, right: Right) -> None:
    """It says which right it waits for, or ends for want of."""
    await write_mails(guarded)

    async def told() -> bool:
        return tells(right, service.said)

    await until(told, str(right), lambda: service.said)


async def write_mails(guarded: GuardedKafka) -> None:
    """One that can be sent, and one that cannot."""
    for to in ("ann@mail.example", "nowhere"):
        mail = message(next(NUMBERS), person="ann", to={"email": to})
        await put(guarded, topics.channel_topic(CHANNEL), b"ann", mail)


@pytest.mark.timeout(120)
async def test_a_collector_does_with_its_right_and_tells_when_it_is_missing(
    guarded: GuardedKafka, flags: list[str], tmp_path: Path
) -> None:
    """An event that comes by HTTP is in its topic."""
    port = free_port()
    (right,) = rights_of("collect")
    settings = (*flags[1::2], f"collect.port={port}")
    before = await held(guarded, topics.TOUCHPOINTS)
    async with allowed(guarded, [right]):
        collector = started(tmp_path, "collector", settings, words=("collect",))
        try:

            async def taken() -> bool:
                return await posted(port) == HTTPStatus.OK

            await until(taken, "an event is taken", lambda: collector.said)
            assert await held(guarded, topics.TOUCHPOINTS) > before
            async with without(guarded, right):

                async def told() -> bool:
                    await posted(port)
                    return tells(right, collector.said)

                await until(told, "the right is missing", lambda: collector.said)
        finally:
            collector.kill()


async def posted(port: int) -> int:
    """The status of one view that is told; 0 while nobody listens."""
    view = {"type": "track", "event": "Product Viewed", "userId": "ann", "properties": {"product_id": "tent"}}
    try:
        async with aiohttp.request("POST", f"http://127.0.0.1:{port}/v1/track", json=view) as answer:
            return answer.status
    except aiohttp.ClientError:
        return 0
