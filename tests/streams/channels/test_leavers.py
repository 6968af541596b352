"""Whose membership has expired is taken out of the audience at a platform, whatever happened."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from retarget.errors import Damaged
from retarget.messages import Message
from retarget.times import DAY, HOUR, SECOND, format_time
from streams.channels.batches.platforms import MetaChannel
from streams.channels.leavers import Leavers
from streams.channels.queue import Parcel
from streams.channels.rates import Rate
from streams.channels.state import Tries
from streams.clocks import now_ms
from streams.commands.channel import channels_of
from streams.embedded import EmbeddedStore
from tests.factories import NOON
from tests.streams.channels.conftest import Engine, message, until, working
from tests.streams.channels.test_destinations import Platforms, change, people
from tests.streams.channels.test_killed import running, settled
from tests.support.kafka.real_kafka import RealKafka
from tests.support.receiver import Posted, Receiver

PLACE: Final = ("leavers", 1)
SOON, LATE = NOON + HOUR, NOON + DAY


class Clock:
    """The service's, and a change that makes it look."""

    def __init__(self, engine: Engine) -> None:
        self.at, self._engine, self._nth = NOON, engine, 0

    def __call__(self) -> int:
        """Epoch ms."""
        return self.at

    async def go_to(self, at: int) -> None:
        """Somebody else joins in each partition, as the desks are asleep."""
        self.at = at
        people = [change(f"x{self._nth}{n}", person=f"x{n}", to=OTHERS) for n in range(4)]
        self._nth += 1
        await self._engine.put(*people, channel="ads")


OTHERS: Final = {"email": "others@mail.example"}


@pytest.fixture
def platforms() -> Iterator[Platforms]:
    """Two that take everything."""
    with Receiver() as meta, Receiver() as google:
        yield Platforms(meta, google)


@pytest.fixture
def clock(topics: Engine) -> Clock:
    """It stands at noon."""
    return Clock(topics)


def joins(number: int, expires: int | None = SOON, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """An addition that expires."""
    return change(number, expires_at=None if expires is None else format_time(expires), **more)


def gone(receiver: Receiver) -> list[int]:
    """Who was taken out, in order; one whose removal went twice by the same name counts once."""
    return people([one for one in receiver.posted if one.method == "DELETE" or ":remove" in one.path])


@pytest.mark.parametrize(("operation", "end"), [("send", SOON), ("add", LATE)])
def test_a_code_ends_a_message_but_no_membership(operation: str, end: int) -> None:
    """What is promised is worth nothing then; who is in an audience is in it as long as that lasts."""
    offer = {"kind": "percent", "percent": 5.0, "code": "C", "expires_at": format_time(SOON)}
    made = message(1, operation=operation, offer=offer, expires_at=format_time(LATE))
    assert Parcel(0, b"", msgspec.json.encode(made), Tries()).expires == end


def meta_only(platforms: Platforms, engine: Engine) -> MetaChannel:
    """The one of both."""
    return MetaChannel(platforms.of(engine))


async def test_each_platform_is_told_when_a_membership_expires(
    topics: Engine, platforms: Platforms, clock: Clock
) -> None:
    """In its own form, by the same hashes as were added; not before, and once."""
    await topics.put(*map(joins, range(5)), joins(5, LATE), joins(6, None), channel="ads")
    channels, _ = channels_of("ads", platforms.of(topics))
    async with working(topics, channels[0], now=clock) as meta, working(
        topics, channels[1], now=clock
    ) as google:  # fmt: skip
        both = ((meta, "ads.meta"), (google, "ads.google"))
        await until(lambda: all(one.count("handed", name) == 7 for one, name in both))
        await clock.go_to(SOON - 1)
        await until(lambda: all(one.count("handed", name) == 11 for one, name in both))
        assert gone(platforms.meta) == gone(platforms.google) == []
        await clock.go_to(SOON)
        await until(lambda: all(one.count("left", name) == 5 for one, name in both))
    for platform in platforms:
        assert Counter(gone(platform)) == dict.fromkeys(range(5), 1)
    bodies = [json.loads(one.body) for one in platforms.google.posted if ":remove" in one.path]
    assert {*bodies[0]["audienceMembers"][0]} == {"userData"}
    assert {one.path for one in platforms.meta.posted} == {"/v21.0/7001/users"}


async def test_what_happens_meanwhile_counts(topics: Engine, platforms: Platforms, clock: Clock) -> None:
    """Removed before: not once more. Added again: as the later addition says, which may be never."""
    then = [joins(1, LATE, message_id="again1"), joins(2, None, message_id="again2")]
    await topics.put(
        *map(joins, range(4)), change(0, "remove", recall_of="madd0"), *then, channel="ads"
    )  # fmt: skip
    async with working(topics, meta_only(platforms, topics), now=clock) as meta:
        await until(lambda: meta.count("handed", "ads.meta") == 7)
        await clock.go_to(SOON)
        await until(lambda: meta.count("left", "ads.meta") == 1)
        await until(lambda: meta.count("handed", "ads.meta") == 11)
    assert gone(platforms.meta) == [0, 3]


async def test_by_another_address_they_are_another_one(
    topics: Engine, platforms: Platforms, clock: Clock
) -> None:
    """The addition by the new one leaves the old one to its own expiry."""
    again = joins(1, LATE, message_id="again", to={"email": "p2@mail.example"})
    await topics.put(joins(1), again, channel="ads")
    async with working(topics, meta_only(platforms, topics), now=clock) as meta:
        await until(lambda: meta.count("handed", "ads.meta") == 2)
        await clock.go_to(SOON)
        await until(lambda: meta.count("left", "ads.meta") == 1)
    assert gone(platforms.meta) == [1]


async def test_the_next_service_takes_them_out(topics: Engine, platforms: Platforms, clock: Clock) -> None:
    """Also when none was there at the expiry; and nobody is taken out a second time."""
    await one_after_another(topics, platforms, clock, "idempotent")


async def test_they_are_put_down_in_the_same_transaction(
    own_kafka: RealKafka, store: EmbeddedStore, platforms: Platforms
) -> None:
    """On Kafka itself, where what was aborted or is gone lies between those who are left."""
    engine = Engine(own_kafka.bootstrap, store=store.url)
    await engine.make()
    await one_after_another(engine, platforms, Clock(engine), "transactional")


async def one_after_another(topics: Engine, platforms: Platforms, clock: Clock, emit: str) -> None:
    """A service that lets them join, one that finds them expired, and one that finds nobody."""
    await topics.put(*map(joins, range(20)), channel="ads")
    settings = platforms.of(topics, **{"kafka.emit": emit})
    for at, handed, left in ((NOON, 24, 0), (SOON, 4, 20), (LATE, 4, 0)):
        clock.at = at
        async with working(topics, MetaChannel(settings), settings=settings, now=clock) as meta:
            await clock.go_to(at)
            for what, many in (("handed", handed), ("left", left)):
                await until(lambda meta=meta, what=what, many=many: meta.count(what, "ads.meta") == many)  # type: ignore[misc]
    assert Counter(gone(platforms.meta)) == dict.fromkeys(range(20), 1)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("answered", [True, False])
async def test_killed_while_they_leave(
    topics: Engine,
    platforms: Platforms,
    answered: bool,  # noqa: FBT001
) -> None:
    """Nobody stays in it: what has gone without being put down goes once more, which changes nothing."""
    common = {"kafka.bootstrap": topics.address.bootstrap, "kafka.emit": "idempotent"}
    settings = platforms.settings(**common, **{"store.url": topics.store, "ads.google_url": ""})
    with running("ads", settings) as service:

        def dies(posted: Posted) -> int:
            if posted.method != "DELETE":
                return 200
            service.kill()
            return 200 if answered else 0

        platforms.meta.answers = dies
        service.listening()
        await topics.put(*(joins(number, now_ms() + 6 * SECOND) for number in range(20)), channel="ads")
        await asyncio.to_thread(service.ended)
    assert len(people(platforms.meta.posted)) > 20
    platforms.meta.answers = lambda _: 200
    with running("ads", settings) as service:
        address = service.listening()
        async with asyncio.timeout(60):
            while {*gone(platforms.meta)} != {*range(20)} or not await settled(address):  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.1)
        assert service.stop() == 0
    assert await topics.dead("ads") == {}


async def test_what_is_refused_goes_again_and_each_for_itself(
    topics: Engine, platforms: Platforms, clock: Clock
) -> None:
    """One that the platform does not take keeps nobody else in the audience."""
    await topics.put(*(joins(number, person="u") for number in range(3)), channel="ads")
    platforms.meta.answers = lambda one: 400 if one.method == "DELETE" and 1 in people([one]) else 200
    async with working(topics, meta_only(platforms, topics), now=clock) as meta:
        await until(lambda: meta.count("handed", "ads.meta") == 3)
        await clock.go_to(SOON)
        await until(lambda: meta.count("handed", "ads.meta") == 7)
        await clock.go_to(SOON + HOUR)
        await until(lambda: meta.count("left", "ads.meta") == 2)
        platforms.meta.answers = lambda _: 200
        await clock.go_to(SOON + 2 * HOUR)
        await until(lambda: meta.count("left", "ads.meta") == 3)
    assert await topics.dead("ads") == {}


async def test_they_take_part_in_the_rate(topics: Engine, platforms: Platforms, clock: Clock) -> None:
    """It is the platform's patience that counts, whatever for."""
    taken: list[int] = []

    class Counting(Rate):
        async def take(self, wanted: int) -> Any:  # noqa: ANN401 - a lease
            taken.append(wanted)
            return await super().take(min(wanted, 2))

    await topics.put(*(joins(number, person="u") for number in range(5)), channel="ads")
    rate = Counting("ads", None, None)
    async with working(topics, meta_only(platforms, topics), rate, now=clock) as meta:
        await until(lambda: meta.count("handed", "ads.meta") == 5)
        await clock.go_to(SOON)
        await until(lambda: meta.count("left", "ads.meta") == 5)
    removals = [one for one in platforms.meta.posted if one.method == "DELETE"]
    assert [len(people([one])) for one in removals] == [2, 2, 1]


class Platform:
    """One that knows people by their address."""

    def leaver(self, told: Message) -> object:
        """See TakesOut."""
        return told.to["email"]

    async def let_go(self, *_: object) -> Any:  # noqa: ANN401 - never asked
        """See TakesOut."""
        raise NotImplementedError


def told(number: int, operation: str = "add", **more: Any) -> Message:  # noqa: ANN401 - fields
    """A change of an audience."""
    return msgspec.convert(change(number, operation, **more), Message)


def some() -> Leavers:
    """Nobody yet."""
    return Leavers(Platform(), PLACE)


def test_what_stands_in_the_topic_says_who_by_hashes_alone() -> None:
    """Neither key nor record has a person's id; it is the same key for a removal."""
    leavers = some()
    (kept,) = leavers.settled(told(1, person="ann", user_id="ann"), NOON)
    (removed,) = leavers.settled(told(1, "remove", person="ann", to={"email": " P1@mail.example"}), None)
    assert (kept.topic, kept.partition) == PLACE
    assert b"ann" not in (kept.key or b"") + (kept.value or b"")
    assert (removed.key, removed.value) == (kept.key, None)
    assert leavers.settled(told(1, "remove", person="ann"), None) == []


def test_those_of_one_audience_leave_together_in_the_order_of_their_dues() -> None:
    """At most so many; who is put off waits; who comes again has another name."""
    leavers = some()
    for number, (audience, due) in enumerate([("a", 3), ("b", 2), ("a", 1), ("a", 2), ("b", 9)]):
        leavers.settled(told(number, audience=audience), due)
    going = leavers.due(3, 2)
    assert going is not None
    assert (going.audience, [*going.forms.values()]) == ("a", ["p2@mail.example", "p3@mail.example"])
    leavers.put_off(going, 50)
    one = leavers.due(3, 5)
    assert one is not None
    assert (one.audience, [*one.forms.values()]) == ("b", ["p1@mail.example"])
    assert len(leavers.done(one)) == 1
    assert leavers.done(one) == []
    leavers.settled(told(2, audience="a"), 4)
    again = leavers.due(4, 5)
    assert again is not None
    assert [*again.forms.values()] == ["p0@mail.example", "p2@mail.example"]
    assert again.forms.keys().isdisjoint(going.forms)
    assert len(leavers) == 4


def test_whom_the_platform_cannot_know_is_not_kept() -> None:
    """They have never been in."""
    assert some().settled(told(1, to={"external": "u1"}), NOON) == []
    assert some().settled(msgspec.convert(message(1), Message), NOON) == []


def test_what_no_service_wrote_is_refused() -> None:
    """By its place."""
    with pytest.raises(Damaged, match=r"leavers\[1\]"):
        some().restore(b"key", b"\xc1")
