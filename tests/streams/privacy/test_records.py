"""`export --topics`: everything of a person that topics hold, readable, and nothing of anybody else."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import pytest

from retarget.decode import encode_touchpoint
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.lane.crossing import Crossing, History, Joins, Leaves, Strayed, pack
from retarget.times import format_time
from retarget.touchpoints import Touchpoint
from streams import topics
from streams.embedded import EmbeddedBroker
from streams.kafka import KafkaAddress, create_or_check
from streams.kafka.sending import Outgoing, producing, send
from streams.privacy.people import Kept, Person
from streams.privacy.records import records_of
from streams.settings import load_settings
from streams.topics import partition_of
from tests.factories import NOON

LANES = 2


def raw(said: object) -> str:
    """As dead letters have it."""
    return base64.b64encode(said if isinstance(said, bytes) else json.dumps(said).encode()).decode()


def viewed(event_id: str, at: int, user: str | None = None) -> Touchpoint:
    """Somebody looked at something with the device a1."""
    return Touchpoint(id=event_id, type="view", time=at, user_id=user, anonymous_id="a1")


CROSSED: list[Crossing] = [
    Joins(0, 1, "a1", "u1", NOON, "e"),
    Joins(0, 2, "a1", "u2", NOON + 100, "f"),
    History(0, 3, "u1", wire.encode(Journey(person="a1", traits={"size": "M"})), at=NOON),
    Strayed(0, 4, "u1", viewed("strayed", NOON + 1, "u1")),
    Strayed(0, 5, "a1", viewed("of another", NOON + 101)),
    Leaves(0, 6, "u1", "a1", NOON + 100, ["token of another"]),
]
RECORDS: list[tuple[str, str, bytes]] = [
    ("touchpoints", "u1", b'{"id":"own","type":"view","user_id":"u1"}'),
    ("touchpoints", "u1", b"\xff no text"),
    ("touchpoints", "u2", b'{"id":"of another","type":"view","user_id":"u2"}'),
    ("touchpoints", "a1", encode_touchpoint(viewed("before", NOON - 1))),
    ("touchpoints", "a1", encode_touchpoint(viewed("handed on", NOON + 101))),
    ("touchpoints", "a1", encode_touchpoint(viewed("signed in", NOON + 102, "u2"))),
    ("touchpoints", "a2", encode_touchpoint(viewed("lost", NOON))),
    ("retarget.email", "a1", b'{"message_id":"m1","person":"a1"}'),
    ("retarget.email", "a1", b'{"message_id":"of another","person":"u2"}'),
    ("retarget.decisions", "a1", json.dumps({"person": "a1", "due": format_time(NOON - 9)}).encode()),
    (topics.DEAD, "a1", json.dumps({"raw": raw({"id": "failed before", "time": NOON - 9})}).encode()),
    (topics.DEAD, "u1", json.dumps({"reason": "rule_failed", "raw": raw({"id": "failed"})}).encode()),
    ("retarget.dead.email", "u1", json.dumps({"reason": "gave_up", "raw": raw({"id": "m2"})}).encode()),
    ("retarget.dead.email", "u1", b'{"message_id":"m3","person":"u1"}'),
    *((topics.MERGE, one.person, pack(one)) for one in CROSSED),
]  # fmt: skip


@pytest.fixture
def told(own_broker: EmbeddedBroker) -> dict[str, list[Any]]:
    """What is told of u1, whose device a1 was u2's after that; and a2, which is somebody else's by now."""
    device = Journey(person="a1", moved=[(NOON, "u1"), (NOON + 100, "u2")])
    return told_of(own_broker, "u1", device)


def told_of(broker: EmbeddedBroker, name: str, device: Journey) -> dict[str, list[Any]]:
    """What is told of one of both who have had the device."""
    address = KafkaAddress(bootstrap=broker.bootstrap)
    given = [f"kafka.bootstrap={broker.bootstrap}", f"kafka.partitions={LANES}"]
    kept = [Kept(0, Journey(person=name, user_id=name), None), Kept(0, device, None)]
    person = Person(name, [name, "a1", "a2"], kept, frozenset({"a2"}))

    async def read() -> dict[str, list[Any]]:
        await create_or_check(address, topics.topic_specs(["touchpoints"], LANES))
        async with producing(address) as producer:
            written = [(topic, key.encode(), value) for topic, key, value in RECORDS]
            sent = [Outgoing(topic, partition_of(key, LANES), key, value) for topic, key, value in written]
            await send(producer, sent)
        return await records_of(load_settings(overrides=given), person)

    return asyncio.run(read())


def test_all_of_a_person_and_nothing_of_others(told: dict[str, list[Any]]) -> None:
    """Touchpoints as they came, of a device as long as it was theirs; letters with what is in them."""
    assert set(told) == {
        "touchpoints", "retarget.email", topics.DECISIONS, topics.DEAD, "retarget.dead.email", topics.MERGE,
    }  # fmt: skip
    events = told["touchpoints"]
    assert {one["id"] for one in events if "id" in one} == {"own", "before"}
    assert {"base64": raw(b"\xff no text")} in events
    assert [one["message_id"] for one in told["retarget.email"]] == ["m1"]
    assert {one["raw"]["id"] for one in told[topics.DEAD]} == {"failed", "failed before"}
    assert {"reason": "gave_up", "raw": {"id": "m2"}} in told["retarget.dead.email"]
    assert {"message_id": "m3", "person": "u1"} in told["retarget.dead.email"]
    assert "of another" not in json.dumps(told)


@pytest.mark.parametrize("is_erased", [False, True])
def test_whoever_has_a_device_now_is_told_nothing_of_who_had_it(
    own_broker: EmbeddedBroker, *, is_erased: bool
) -> None:
    """Neither what was done with it then, nor what was decided; also when only they are left."""
    device = Journey(person="a1", moved=[(NOON, "u1"), (NOON + 100, "u2")])
    if is_erased:
        device = Journey(person="a1", moved=[(NOON + 100, "u2")], erased=True, erased_at=NOON + 99)
    told = told_of(own_broker, "u2", device)
    assert {one["id"] for one in told["touchpoints"]} == {"of another", "handed on", "signed in"}
    assert [one["message_id"] for one in told["retarget.email"]] == ["of another"]
    assert told.keys() == {"touchpoints", "retarget.email", topics.MERGE}


def test_what_lanes_told_each_other(told: dict[str, list[Any]]) -> None:
    """Each by what it is, a history as the stored journey that it is."""
    by_kind = {one["what"]: one for one in told[topics.MERGE]}
    assert (by_kind["joins"]["person"], by_kind["joins"]["to"]) == ("a1", "u1")
    assert by_kind["history"]["journey"]["traits"] == {"size": "M"}
    assert by_kind["strayed"]["event"]["id"] == "strayed"
    assert by_kind["leaves"]["anonymous"] == "a1"
    assert len(told[topics.MERGE]) == 4
