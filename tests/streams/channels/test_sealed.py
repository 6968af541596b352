"""Sealed messages: handed over as they were, dropped when their person was erased, waiting for the store."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

import pytest

from retarget.journeys import wire
from retarget.journeys.model import Journey
from streams.embedded import EmbeddedStore
from streams.ports import Checkpoint
from streams.sealing import records
from streams.sealing.keys import Wrapping
from streams.settings import Settings
from streams.stores import open_store
from streams.topics import lane_of
from tests.streams.channels.conftest import Engine, message, until, working
from tests.streams.channels.test_email_service import channel
from tests.support.mailbox import Mailbox

SECRET: Final = "a secret that is long enough"  # noqa: S105 - of a test
LANES: Final = 2


class People:
    """Keys of people, and what the store has of them."""

    def __init__(self, topics: Engine, store: EmbeddedStore, app_id: str) -> None:
        self._wrapping, self._kept = Wrapping([SECRET]), dict[str, bytes]()
        self._url, self._app_id = store.url, app_id
        self.settings: Settings = topics.settings(
            f"privacy.keys={SECRET}", f"store.url={store.url}", f"app.id={app_id}",
            f"kafka.partitions={LANES}", "channel.patience=1h",
        )  # fmt: skip

    def sealed(self, one: dict[str, Any], batch: int = 1) -> dict[str, Any]:
        """A message as it leaves the lane of its person."""
        person = one["person"]
        kept = self._kept.setdefault(person, self._wrapping.new(person))
        key = self._wrapping.opened(person, kept)
        said: dict[str, Any] = json.loads(
            records.seal(json.dumps(one).encode(), "message", person, key, batch)
        )
        return said

    async def store(self, *persons: str, batch: int = 1, erased: bool = False) -> None:
        """Let the store come to this batch, in which these people have their keys, or are erased."""
        store = await open_store(self._url, self._app_id, LANES)
        for lane in range(LANES):
            journeys = [
                Journey(person=one, erased=erased, key=b"" if erased else self._kept[one])
                for one in persons
                if lane_of(one, LANES) == lane
            ]
            written = [(one.person, wire.encode(one)) for one in journeys]
            expected = (await store.image(lane)).sequence
            await store.checkpoint(
                lane, Checkpoint(expected=expected, then=batch, meta=b"m", journeys=written)
            )
        await store.close()


@pytest.fixture
def people(topics: Engine, store: EmbeddedStore, unique_name: Any) -> People:  # noqa: ANN401 - a function
    """An engine's people whose messages are sealed."""
    return People(topics, store, unique_name("engine"))


async def test_it_is_handed_over_as_it_was(topics: Engine, mailbox: Mailbox, people: People) -> None:
    """Its address is read by the key of its person; the engine hears of the right one."""
    await topics.put(people.sealed(message(1)), message(2))
    await people.store("person 1")
    async with working(topics, channel(topics, mailbox), settings=people.settings) as service:
        await until(lambda: service.count("handed") == 2)
    assert sorted(mailbox.ids) == ["m1", "m2"]
    assert {one["user_id"] for one in await topics.there("touchpoints")} == {"person 1", "person 2"}


async def test_who_was_erased_gets_nothing(topics: Engine, mailbox: Mailbox, people: People) -> None:
    """No key, no mail, and no dead letter that would hold them either; also if they have a new key by now."""
    await topics.put(people.sealed(message(1)), people.sealed(message(2)), message(3))
    await people.store("person 1", "person 2", erased=True)
    async with working(topics, channel(topics, mailbox), settings=people.settings) as service:
        await until(lambda: service.count("handed") == 1 and service.count("erased") == 2)
    assert mailbox.ids == ["m3"]
    assert await topics.dead() == {}


async def test_a_dead_letter_does_not_say_where_it_was_to_go(
    topics: Engine, mailbox: Mailbox, people: People
) -> None:
    """What the relay answers has the address: of a sealed message it is left out, of another it stays."""
    mailbox.answers = lambda address: f"550 no <{address.upper()}> here, call +49 30 1234567"
    await topics.put(people.sealed(message(1)), message(2))
    await people.store("person 1")
    async with working(topics, channel(topics, mailbox), settings=people.settings) as service:
        await until(lambda: service.count("dead") == 2)
    by_person = {
        json.loads(base64.b64decode(one["raw"]))["person"]: one
        for one in await topics.there("retarget.dead.email")
    }
    said = by_person["person 1"]["detail"]
    assert "550" in said
    assert not [word for word in ("MAIL.EXAMPLE", "mail.example", "1234567") if word in said]
    assert "P2@MAIL.EXAMPLE" in by_person["person 2"]["detail"]


async def test_a_code_that_has_expired_is_seen_when_it_is_opened(
    topics: Engine, mailbox: Mailbox, people: People
) -> None:
    """Offers are sealed with the rest: only then is known until when it was good."""
    offer = {"kind": "percent", "percent": 10.0, "code": "C", "expires_at": "2026-03-02T00:00:00.000Z"}
    odd = offer | {"expires_at": "tomorrow"}
    given = [message(1, offer=offer), message(2, offer=odd), message(3)]
    await topics.put(*map(people.sealed, given))
    await people.store("person 1", "person 2", "person 3")
    async with working(topics, channel(topics, mailbox), settings=people.settings) as service:
        await until(lambda: service.count("handed") + service.count("expired") + service.count("dead") == 3)
    assert mailbox.ids == ["m3"]
    assert {name: why for name, (why, _) in (await topics.dead()).items()} == {"m2": "bad_message"}


async def test_the_store_is_waited_for(topics: Engine, mailbox: Mailbox, people: People) -> None:
    """A message may be there before its lane has told the store of the key: that is no erasure."""
    await topics.put(people.sealed(message(1), batch=5), message(2))
    async with working(topics, channel(topics, mailbox), settings=people.settings) as service:
        await until(lambda: service.count("handed") == 1)
        await people.store(batch=4)
        assert service.count("erased") == 0
        await people.store("person 1", batch=5)
        await until(lambda: service.count("handed") == 2)
    assert mailbox.ids == ["m2", "m1"]


async def test_a_dead_letter_stays_sealed(topics: Engine, mailbox: Mailbox, people: People) -> None:
    """What could not be sent is put aside as it came; without the secrets it is told what is missing."""
    await topics.put(people.sealed(message(1, template="there is none")), people.sealed(message(2)))
    await people.store("person 1", "person 2")
    async with working(topics, channel(topics, mailbox), settings=people.settings) as service:
        await until(lambda: service.count("handed") == 1 and service.count("dead") == 1)
    assert {name: why for name, (why, _) in (await topics.dead()).items()} == {"m1": "no_template"}
    (letter,) = await topics.there("retarget.dead.email")
    assert json.loads(base64.b64decode(letter["raw"]))["to"] == {}
    await topics.put(people.sealed(message(4)))
    async with working(topics, channel(topics, mailbox)) as service:
        await until(lambda: service.count("dead") == 1)
    assert (await topics.dead())["m4"] == ("no_key", "it is sealed, and privacy.keys is not set")
