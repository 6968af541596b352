"""SCRAM over TLS on a real Kafka with access control: the documented rights suffice, and no fewer."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
import redis
from aiokafka.errors import TopicAuthorizationFailedError

from retarget.errors import BadInput
from streams import topics
from streams.commands.run import look_at_kafka
from streams.embedded import EmbeddedStore
from streams.embedded.processes import LOOPBACK
from streams.kafka import KafkaAddress, create_or_check
from streams.kafka.address import address_of
from streams.kafka.connection import discard
from streams.kafka.sending import Outgoing, producing, send
from streams.producing import send_all
from streams.settings import load_settings
from streams.topics import partition_of, topic_specs
from tests.e2e.harness import WITHIN_S, until
from tests.support.certificates import Certificates, certificates
from tests.support.kafka.jars import KafkaMissing, classpath
from tests.support.kafka.secured import PASSWORD, USER, GuardedKafka, Right
from tests.support.missing import unavailable
from tests.support.tls_door import tls_door
from tests.support.worker import comes_to, started

pytestmark = pytest.mark.kafka
ROOT: Final = Path(__file__).resolve().parents[2]
APP: Final = "retarget"
LANES: Final = 2
_ROW: Final = re.compile(
    r"^\| (topic|group|transactional id) \| ([^|]+) \| ([A-Z][a-z]+(?:, [A-Z][a-z]+)*) \|", re.MULTILINE
)


def rights() -> list[Right]:
    """The table of docs/security.md, for an engine with the settings as they are."""
    text = (ROOT / "docs/security.md").read_text(encoding="utf-8")
    each = {"CHANNEL": topics.CHANNELS}
    found: list[Right] = []
    for kind, names, operations in _ROW.findall(text):
        for name in re.findall(r"`([^`]+)`", names):
            for filled in (
                [name.replace("CHANNEL", one) for one in each["CHANNEL"]] if "CHANNEL" in name else [name]
            ):
                plain = filled.removesuffix("*")
                each_of = operations.lower().split(", ")
                found += [Right(kind, plain, operation, prefix=plain != filled) for operation in each_of]
    assert len(found) > 20, "the table is not in docs/security.md"
    assert {Right("topic", topics.KEYS, each) for each in ("read", "write")} <= {*found}
    return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates for both servers."""
    return certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, made: Certificates) -> Iterator[GuardedKafka]:
    """A broker with the topics of an engine and a user with exactly the documented rights."""
    try:
        broker = GuardedKafka(tmp_path_factory.mktemp("kafka"), classpath(), made)
    except KafkaMissing as missing:
        unavailable(str(missing))
    try:
        broker.start()
        plain = KafkaAddress(bootstrap=broker.bootstrap)
        asyncio.run(create_or_check(plain, topic_specs([topics.TOUCHPOINTS], LANES, sealed=True)))
        asyncio.run(broker.allow(rights()))
        yield broker
    finally:
        broker.close()


def settings(guarded: GuardedKafka, made: Certificates, password: str = PASSWORD) -> tuple[str, ...]:
    """The way through the guarded door."""
    return (
        f"kafka.bootstrap={guarded.guarded}",
        "kafka.security=sasl_ssl",
        f"kafka.sasl_user={USER}",
        f"kafka.sasl_password={password}",
        f"kafka.ca_file={made.authority}",
        f"kafka.partitions={LANES}",
        f"app.id={APP}",
        "privacy.keys=a secret that is long enough",
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("emit", ["transactional", "idempotent"])
async def test_a_worker_with_the_documented_rights_works(
    guarded: GuardedKafka, made: Certificates, store: EmbeddedStore, tmp_path: Path, emit: str
) -> None:
    """From a purchase to its message, the catalogue included; the store with a user of its own, over TLS."""
    rule = re.search(
        r"^ACL SETUSER retarget on >PASSWORD (.*)$", (ROOT / "docs/security.md").read_text(), re.MULTILINE
    )
    assert rule is not None
    with redis.Redis.from_url(store.url) as admin:
        words = ["SETUSER", "retarget", "reset", "on", ">store-canary", *rule[1].split()]
        admin.execute_command("ACL", *words)
    with tls_door(store.process.port, made) as port:
        encrypted = f"rediss://retarget:store-canary@{LOOPBACK}:{port}/0?ssl_ca_certs={made.authority}"
        own = (
            "consent.assume=granted",
            "quiet_hours.enabled=false",
            "log.level=debug",
            f"store.url={encrypted}",
            f"kafka.emit={emit}",
        )
        worker = started(tmp_path, "one", (*settings(guarded, made), *own))
        try:
            await comes_to(worker, "/ready", 200, '"1": {')
            await tell(guarded, emit)
            found = await comes_to(worker, "/metrics", 200, 'rule="first_purchase"')
            listed = await comes_to(worker, "/metrics", 200, "retarget_catalogue_records_total 1.0")
            health = await comes_to(worker, "/health", 200)
        finally:
            worker.kill()
    assert "canary" not in worker.said + found.text + listed.text + health.text
    with redis.Redis.from_url(store.url) as admin:
        admin.execute_command("ACL", "DELUSER", "retarget")


async def test_what_a_failed_transaction_is_asked_next_says_why_it_failed(
    guarded: GuardedKafka, made: Certificates
) -> None:
    """The broker may refuse one record before another one is handed over; that one says what was refused."""
    right = Right("topic", topics.channel_topic("sms"), "write")
    sms, journal = (Outgoing(topic, 0, b"k", b"v") for topic in (right.name, topics.JOURNAL))
    producer = address_of(load_settings(None, {}, settings(guarded, made))).producer("retarget-lane-0")
    await producer.start()

    async def refused() -> bool:
        await producer.begin_transaction()
        try:
            await send(producer, [sms], within_s=WITHIN_S)
        except TopicAuthorizationFailedError:
            return True
        await producer.abort_transaction()
        return False

    assert not await refused(), "it knows the topic before it may no more write to it"
    await guarded.forbid(right)
    try:
        await until(refused, "the topic is refused")
        with pytest.raises(TopicAuthorizationFailedError, match=right.name):
            await send(producer, [journal], within_s=WITHIN_S)
    finally:
        await guarded.allow([right])
        await discard(producer)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "right", [Right("topic", topics.JOURNAL, "write"), Right("topic", topics.RULES, "read")], ids=str
)
async def test_of_a_right_that_it_lacks_later_a_worker_says_which(
    guarded: GuardedKafka, made: Certificates, store: EmbeddedStore, tmp_path: Path, right: Right
) -> None:
    """It waits meanwhile, and goes on when it has it."""
    source = "topic" if right.name == topics.RULES else "folder"
    own = (f"store.url={store.url}", f"rules.source={source}")
    said = f"the right {right.operation.capitalize()} on topic {right.name} is missing"
    await guarded.forbid(right)
    worker = started(tmp_path, "lacking", (*settings(guarded, made), *own))
    try:

        async def told() -> bool:
            return said in worker.said

        await until(told, said, lambda: worker.said)
        await guarded.allow([right])
    finally:
        worker.kill()
        await guarded.allow([right])


async def tell(guarded: GuardedKafka, who: str) -> None:
    """A purchase, which decides `first_purchase`, and a record of the catalogue."""
    now = int(time.time() * 1000)
    buys = {"id": f"{who} buys", "type": "purchase", "user_id": who, "order_id": f"{who}-1", "time": now}
    told = [
        Outgoing(
            topics.TOUCHPOINTS, partition_of(who.encode(), LANES), who.encode(), json.dumps(buys).encode()
        ),
        Outgoing(topics.CATALOGUE, 0, b"p1", json.dumps({"price": 3, "stock": 1, "time": now}).encode()),
    ]
    async with producing(KafkaAddress(bootstrap=guarded.bootstrap)) as producer:
        await send_all(producer, told)


async def looked_at(given: tuple[str, ...]) -> list[str]:
    """What a worker says of its rights when it starts."""
    found = load_settings(overrides=given)
    try:
        await look_at_kafka(found, address_of(found))
    except BadInput as bad:
        return list(bad.problems)
    return []


async def looked_until(given: tuple[str, ...], *, any_lines: bool) -> list[str]:
    """The same once the broker goes by the rights that it was given; it may take a moment to hear of them."""
    lines: list[str] = []

    async def there() -> bool:
        lines[:] = await looked_at(given)
        return bool(lines) is any_lines

    await until(there, "the broker goes by the rights", lambda: str(lines))
    return lines


def told_at_start() -> list[Right]:
    """Those whose want is told at once; that of others when they are used, as the test below shows."""
    later = {
        (topics.JOURNAL, "write"),
        (topics.FANNED, "write"),
        (topics.MERGE, "write"),
        (topics.KEYS, "write"),
        (topics.RULES, "write"),
        (topics.RULES, "read"),
    }
    return [right for right in rights() if (right.name, right.operation) not in later]


@pytest.mark.timeout(240)
async def test_of_each_right_that_is_missing_a_worker_is_told_when_it_starts(
    guarded: GuardedKafka, made: Certificates
) -> None:
    """A line with the name of the topic, group or transactional id."""
    given = settings(guarded, made)
    assert await looked_at(given) == []
    for right in told_at_start():
        await guarded.forbid(right)
        try:
            lines = await looked_until(given, any_lines=True)
        finally:
            await guarded.allow([right])
        await looked_until(given, any_lines=False)
        assert len(lines) == 1, (right, lines)
        assert right.name in lines[0]
        assert "docs/security.md" in lines[0]


WRITTEN: Final = sorted(
    {right.name for right in rights() if (right.kind, right.operation) == ("topic", "write")}
)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("topic", WRITTEN)
async def test_a_right_to_write_that_is_taken_away_is_told_by_whoever_writes(
    guarded: GuardedKafka, made: Certificates, topic: str
) -> None:
    """The topic is named, and the right."""
    address = address_of(load_settings(overrides=settings(guarded, made)))
    right = Right("topic", topic, "write")
    await guarded.forbid(right)
    # It can still be seen, as the journal can by who may read it.
    await guarded.allow([Right("topic", topic, "describe")])
    try:
        with pytest.raises(BadInput, match=f"the right Write on topic {topic} is missing"):
            async with producing(address) as producer:
                await send_all(producer, [Outgoing(topic, 0, b"k", b"v")])
    finally:
        await guarded.forbid(Right("topic", topic, "describe"))
        await guarded.allow([right])


async def test_a_wrong_password_is_told_and_not_shown(guarded: GuardedKafka, made: Certificates) -> None:
    """The broker that refuses it is named; so is a broker that is not who it says."""
    with pytest.raises(Exception, match=r"kafka\.bootstrap") as refused:
        await looked_at(settings(guarded, made, password="wrong-canary"))  # noqa: S106 - that it is not the one
    assert "canary" not in str(refused.value)
    with pytest.raises(Exception, match=r"kafka\.bootstrap"):
        await looked_at(tuple(one for one in settings(guarded, made) if "ca_file" not in one))
