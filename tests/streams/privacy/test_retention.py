"""What topics hold of a person is within its documented retention, or it is told; and all is looked at."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from retarget.times import DAY, HOUR
from streams import topics
from streams.cli import main
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress, create_or_check
from streams.kafka.creation import configured, kept_otherwise
from streams.kafka.looking import Seen
from streams.kafka.sending import Outgoing, producing, send
from streams.privacy.limits import by_topic, judge
from streams.privacy.sweeping import sweep
from streams.settings import load_settings
from streams.topics import TopicSpec, partition_of, topic_specs
from tests.support.kafka.real_kafka import RealKafka, create_topic

LANES = 2
NOW = int(time.time() * 1000)
DAYS = dict.fromkeys(map(topics.channel_topic, topics.CHANNELS), 7) | {
    "touchpoints": 30, topics.DECISIONS: 30, topics.DEAD: 30,
    **dict.fromkeys(map(topics.dead_channel_topic, topics.CHANNELS), 30),
}  # fmt: skip


def seen(topic: str, age: int, value: bytes = b"{}") -> Seen:
    """A record of this age, ms."""
    return Seen(topic, 0, 0, NOW - age, b"ann", value, ())


async def wrong(
    topic: str, *found: Seen, broker: int | None = None, given: tuple[str, ...] = ()
) -> list[str]:
    """What is wrong with these, by the settings."""
    limit = by_topic(load_settings(overrides=given))[topic]
    return list((await judge(topic, found, limit, broker, NOW, None)).wrong)


@pytest.mark.parametrize("topic", sorted(DAYS))
async def test_a_record_may_be_there_until_its_retention_ends_and_a_day_more(topic: str) -> None:
    """Kafka deletes whole segments, and not on the minute; whatever is there after that is a find."""
    kept = DAYS[topic] * DAY
    assert not await wrong(topic, seen(topic, kept + DAY - HOUR))
    (line,) = await wrong(topic, seen(topic, 5), seen(topic, kept + DAY + HOUR))
    assert line.startswith("1 are older than topics.")
    assert "retention.ms" in line


async def test_a_broker_that_keeps_longer_is_found_out() -> None:
    """What it says counts, however young the records are."""
    for broker, said in ((-1, "for ever"), (31 * DAY, "31d")):
        (line,) = await wrong("touchpoints", seen("touchpoints", HOUR), broker=broker)
        assert f"keeps this topic {said}, and not topics.inputs_kept=30d" in line
    assert not await wrong("touchpoints", seen("touchpoints", HOUR), broker=30 * DAY)


async def test_words_between_lanes_are_a_find_unless_they_are_cut() -> None:
    """Kept for ever is no retention; with one they are within it until no snapshot needs them."""
    young, old = seen(topics.MERGE, HOUR), seen(topics.MERGE, 3 * DAY)
    folder = "snapshot.folder=here"
    for given, why in (((), "snapshot.folder is not set"), ((folder, "snapshot.merge_kept=0"), "kept=0")):
        (line,) = await wrong(topics.MERGE, young, given=given)
        assert "kept for ever" in line
        assert why in line
    kept = (folder, "snapshot.merge_kept=1d")
    assert not await wrong(topics.MERGE, young, given=kept)
    (line,) = await wrong(topics.MERGE, young, old, given=kept)
    assert "1 are older" in line
    assert not await wrong(topics.MERGE, old, given=(*kept, "snapshot.every=1d", "snapshot.keep=2"))


async def test_a_key_is_to_be_thrown_away_and_then_compacted() -> None:
    """The last word must be that it is gone, and a day later nothing else may be there."""
    key, thrown = seen(topics.KEYS, 2 * HOUR, b"key"), seen(topics.KEYS, HOUR, b"")
    assert not await wrong(topics.KEYS, key, thrown)
    for broker in (-1, 7 * DAY):  # what brokers say of a topic that is compacted
        assert not await wrong(topics.KEYS, key, thrown, broker=broker)
    assert not await wrong(topics.KEYS, thrown)
    (line,) = await wrong(topics.KEYS, key)
    assert "not been thrown away" in line
    (line,) = await wrong(topics.KEYS, seen(topics.KEYS, 2 * DAY, b"key"), thrown)
    assert "compacts" in line


async def test_a_time_to_come_keeps_a_record_too_long() -> None:
    """Retention counts from the record's own time, which a producer may have got wrong."""
    (line,) = await wrong("touchpoints", seen("touchpoints", -40 * DAY))
    assert "have a time to come" in line


async def planted(broker: EmbeddedBroker, *ages: tuple[str, int]) -> KafkaAddress:
    """All topics, with a record of ann of this age in each of these, among others of bob."""
    address = KafkaAddress(bootstrap=broker.bootstrap)
    await create_or_check(address, topic_specs(["touchpoints"], LANES))
    async with producing(address) as producer:
        for topic, age in ages:
            for key in (b"bob", b"ann", b"bob"):
                value = json.dumps({"id": topic, "type": "view", "user_id": key.decode()}).encode()
                place = partition_of(key, LANES)
                record = Outgoing(topic, place, key, value, timestamp=NOW - age)
                await send(producer, [record])
    return address


async def test_every_topic_is_read_at_once_and_to_its_end(own_broker: EmbeddedBroker) -> None:
    """Of all ids, in the partitions of these; nothing of others."""
    places = [(topic, HOUR) for topic in sorted(DAYS)]
    address = await planted(own_broker, *places)
    swept = await sweep(address, [*sorted(DAYS), "not.there"], ["ann", "nobody"], time.monotonic() + 30)
    assert list(swept.unread) == []
    assert sorted(swept.found) == sorted(DAYS)
    assert all([one.key for one in found] == [b"ann"] for found in swept.found.values())


async def test_what_was_not_read_in_time_is_told(own_broker: EmbeddedBroker) -> None:
    """A scan that was too short proves nothing, and does not pretend to."""
    address = await planted(own_broker, ("touchpoints", HOUR), ("retarget.email", HOUR))
    named = ["touchpoints", "retarget.email"]
    whole = await sweep(address, named, ["ann", "bob"], time.monotonic() + 30)
    assert not whole.unread
    short = await sweep(address, named, ["ann", "bob"], time.monotonic() + 0.005)
    assert short.unread


@pytest.fixture
def scanned(
    own_broker: EmbeddedBroker, store: EmbeddedStore, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """Plant records, look for ann, and give the exit code and what was said."""

    def look(*ages: tuple[str, int], words: tuple[str, ...] = ()) -> tuple[int, str]:
        asyncio.run(planted(own_broker, *ages))
        given = (
            f"kafka.bootstrap={own_broker.bootstrap}",
            f"store.url={store.url}",
            f"kafka.partitions={LANES}",
        )
        flags = [word for one in given for word in ("--set", one)]
        code = main(["erase", "--scan", "ann", *words, *flags])
        return code, capsys.readouterr().out

    return look


def test_a_scan_passes_what_is_within_its_retention(scanned: Callable[..., tuple[int, str]]) -> None:
    """It names each topic with until when, and by which setting."""
    code, said = scanned(("touchpoints", HOUR), ("retarget.dead.email", DAY))
    assert code == 0, said
    assert "topics: records in 2, no find" in said
    assert "to be read until " in said
    assert "(topics.inputs_kept=30d)" in said
    assert "(topics.dead_kept=30d)" in said


def test_a_scan_fails_for_what_is_beyond(scanned: Callable[..., tuple[int, str]]) -> None:
    """Exit code 1, and the remedy."""
    code, said = scanned(("retarget.email", 9 * DAY), ("touchpoints", HOUR))
    assert code == 1
    assert "topics: records in 2, 1 finds" in said
    assert "1 are older than topics.messages_kept=7d allows" in said


def test_a_scan_that_had_too_little_time_fails(scanned: Callable[..., tuple[int, str]]) -> None:
    """Whatever it has found: it has not looked at everything."""
    code, said = scanned(("touchpoints", HOUR), words=("--within", "1ms"))
    assert code == 1
    assert "in time" in said


@asynccontextmanager
async def admin_of(address: KafkaAddress) -> Any:  # noqa: ANN401 - a generator
    """An admin client."""
    admin = address.admin()
    await admin.start()
    try:
        yield admin
    finally:
        with suppress(KafkaError):
            await admin.close()


async def test_topics_are_made_with_their_retention_and_another_is_told(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """On a real broker: what is set is there; a topic that keeps more, or less, is named with the remedy."""
    address = KafkaAddress(bootstrap=real_kafka.bootstrap)
    name, other, compacted = unique_name("ours"), unique_name("other"), unique_name("compacted")
    ours = TopicSpec(name, 1, exact=False, keep="limited", most=7 * DAY)
    assert await create_or_check(address, [ours]) == [name]
    async with admin_of(address) as admin:
        said = await configured(admin, [name])
    assert said[name] == {"cleanup.policy": "delete", "retention.ms": str(7 * DAY)}
    assert await create_or_check(address, [ours]) == []
    await create_topic(real_kafka.bootstrap, other, 1)  # this broker keeps what it is not told of for ever
    await create_topic(real_kafka.bootstrap, compacted, 1, {"cleanup.policy": "compact"})
    specs = [ours, ours._replace(name=other), ours._replace(name=compacted)]
    assert await create_or_check(address, specs) == []  # nothing is lost by it: workers go on
    first, second = await kept_otherwise(address, specs)
    assert first.startswith(f"topic {other} has retention.ms=-1, and topics.messages_kept is 7d: set ")
    assert f"retention.ms={7 * DAY}" in first
    assert second.startswith(f"topic {compacted} has cleanup.policy=compact; topics.messages_kept needs")


def test_the_command_refuses_another_retention_only_when_asked_to_check(
    own_kafka: RealKafka, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shop whose topics are there already is not stopped; whoever asks is told, with exit code 1."""
    where = ["--set", f"kafka.bootstrap={own_kafka.bootstrap}"]
    assert main(["topics", *where]) == 0
    other = [*where, "--set", "topics.decisions_kept=9d"]
    assert main(["topics", *other]) == 0
    assert "warning: topic retarget.decisions has retention.ms=" in capsys.readouterr().out
    assert main(["topics", "--check", *other]) == 1
    assert "topics.decisions_kept is 9d: set retention.ms=777600000 there" in capsys.readouterr().err


async def test_what_a_transaction_took_back_lies_there_too(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """Nobody is given it, and it is on the disk until its retention ends: so it is looked at, to the end."""
    address, name = KafkaAddress(bootstrap=real_kafka.bootstrap), unique_name("taken.back")
    await create_topic(real_kafka.bootstrap, name, 1)
    async with producing(address, unique_name("writer")) as producer:
        for value in (b"kept", b"taken back"):
            await producer.begin_transaction()
            await send(producer, [Outgoing(name, 0, b"ann", value)])
            await (producer.commit_transaction() if value == b"kept" else producer.abort_transaction())
    swept = await sweep(address, [name], ["ann"], time.monotonic() + 30)
    assert [one.value for one in swept.found[name]] == [b"kept", b"taken back"]
    assert not swept.unread


async def test_a_topic_that_is_compacted_is_kept_for_ever(
    real_kafka: RealKafka, unique_name: Callable[[str], str]
) -> None:
    """The latest of each key goes by no age; with both policies the age counts."""
    address, ages = KafkaAddress(bootstrap=real_kafka.bootstrap), {"retention.ms": str(7 * DAY)}
    made = {policy: unique_name("kept") for policy in ("compact", "delete", "compact,delete")}
    for policy, name in made.items():
        await create_topic(real_kafka.bootstrap, name, 1, ages | {"cleanup.policy": policy})
    there = [TopicSpec(name, 1, exact=True, keep="broker") for name in made.values()]
    await create_or_check(address, there)  # waits until the broker knows them
    swept = await sweep(address, [*made.values()], ["ann"], time.monotonic() + 30)
    found = {policy: swept.retention[name] for policy, name in made.items()}
    assert found == {"compact": -1, "delete": 7 * DAY, "compact,delete": 7 * DAY}


async def test_a_dead_letter_that_names_them_is_found(own_broker: EmbeddedBroker) -> None:
    """That of a record which could not be read is under no id of anybody: what is in it is looked at."""
    address = await planted(own_broker)
    raws = [
        b'{"user_id": "ann", "time": "never"}',
        b'{"user_id": "anne"}',
        b'{"user_id": "bob", "q": "ann lee"}',
        b'{"user_id": 417, "time": "never"}',
        b'{"user_id": 4170, "time": 417.5, "q": "x417"}',
        b'{"user_id":417.0,"time":"never"}',
        b'{"user_id": "\\u0061n\\u006E", "time": "never"}',
        b'{"user_id": "a\\/\\u00DF", "time": "never"}',
    ]
    async with producing(address) as producer:
        for number, raw in enumerate(raws):
            letter = {"reason": "bad_time", "raw": b64encode(raw).decode()}
            place = f"touchpoints-{number}".encode()
            value = json.dumps(letter).encode()
            await send(producer, [Outgoing(topics.DEAD, partition_of(place, LANES), place, value)])
    swept = await sweep(address, [topics.DEAD], ["ann", "417", "a/ß"], time.monotonic() + 30)
    found = {one.key for one in swept.found[topics.DEAD]}
    assert found == {b"touchpoints-0", b"touchpoints-3", b"touchpoints-5", b"touchpoints-6", b"touchpoints-7"}
    assert not swept.unread
