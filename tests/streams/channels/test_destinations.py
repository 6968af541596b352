"""Audiences at several platforms: each has everything once, whatever the other does."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec
import pytest

from retarget.errors import BadInput
from retarget.messages import Message
from streams.channels.batches.ads import member_of
from streams.commands.channel import channels_of
from streams.redriving import Choice, redrive
from streams.settings import Settings
from tests.factories import NOON
from tests.streams.channels.conftest import Engine, Working, message, until, working
from tests.streams.channels.test_killed import running, settled
from tests.support.people import granted, store_people
from tests.support.receiver import Posted, Receiver

PEOPLE = 40
LISTS = "cart-left=7001,store=-"


class Platforms(NamedTuple):
    """Both, on this machine."""

    meta: Receiver
    google: Receiver

    def settings(self, **more: object) -> dict[str, object]:
        """Those of a service that knows both."""
        return {
            "ads.meta_url": f"{self.meta.url}/v21.0", "ads.meta_token": "of-meta", "ads.meta_lists": LISTS,
            "ads.google_url": self.google.url, "ads.google_token": "of-google", "ads.google_lists": LISTS,
            "ads.google_account": "12", "ads.batch": 7, **more,
        }  # fmt: skip

    def of(self, engine: Engine, **more: object) -> Settings:
        """The same for a service in this process."""
        return engine.settings(*(f"{key}={value}" for key, value in self.settings(**more).items()))


@pytest.fixture
def platforms() -> Iterator[Platforms]:
    """Two that take everything."""
    with Receiver() as meta, Receiver() as google:
        yield Platforms(meta, google)


def change(number: int | str, operation: str = "add", **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields
    """A change of an audience."""
    given = {"channel": "ads", "operation": operation, "audience": "cart-left", "template": None}
    return message(
        f"{operation}{number}", **{"person": f"u{number}", "to": {"email": mail(number)}, **given, **more}
    )


def mail(number: int | str) -> str:
    """Somebody's address."""
    return f"p{number}@mail.example"


WHO = {sha256(mail(number).encode()).hexdigest(): number for number in range(PEOPLE + 10)}


def people(posted: Sequence[Posted]) -> list[int]:
    """Who is in these requests, in order; one without an answer, and its repeat, counts once."""
    bodies = {one.headers["idempotency-key"]: one.body for one in posted}
    return [
        WHO[found]
        for body in bodies.values()
        for found in re.findall(r"[0-9a-f]{64}", body.decode())
        if found in WHO
    ]


@asynccontextmanager
async def at_work(engine: Engine, settings: Settings) -> AsyncIterator[Sequence[Working]]:
    """A service with all destinations that are set."""
    channels, _ = channels_of("ads", settings)
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(working(engine, one, settings=settings)) for one in channels]


async def test_each_platform_has_its_own_form(topics: Engine, platforms: Platforms) -> None:
    """Added by POST and taken out again, each by the platform's own id and with its own token."""
    await topics.put(*map(change, range(5)), change(0, "remove", recall_of="madd0"), channel="ads")
    async with at_work(topics, platforms.of(topics)) as (meta, google):
        await until(lambda: meta.count("handed", "ads.meta") == google.count("handed", "ads.google") == 6)
    assert {one.path for one in platforms.meta.posted} == {"/v21.0/7001/users"}
    assert {one.method for one in platforms.meta.posted} == {"POST", "DELETE"}
    assert {one.path for one in platforms.google.posted} == {
        "/v1/audienceMembers:ingest",
        "/v1/audienceMembers:remove",
    }
    assert {
        json.loads(one.body)["destinations"][0]["productDestinationId"] for one in platforms.google.posted
    } == {"7001"}
    for platform, token in ((platforms.meta, "of-meta"), (platforms.google, "of-google")):
        assert {one.headers["authorization"] for one in platform.posted} == {f"Bearer {token}"}
        assert Counter(people(platform.posted)) == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1}


async def test_one_that_is_down_keeps_nothing_from_the_other(topics: Engine, platforms: Platforms) -> None:
    """It is tried again there; the other has had its batch and gets it no second time."""
    down = [3]

    def busy(_: Posted) -> int:
        down[0] -= 1
        return 503 if down[0] >= 0 else 200

    platforms.google.answers = busy
    await topics.put(*map(change, range(5)), channel="ads")
    async with at_work(topics, platforms.of(topics)) as (meta, google):
        await until(lambda: meta.count("handed", "ads.meta") == 5)
        await until(lambda: google.count("handed", "ads.google") == 5)
    assert google.count("later", "ads.google") > 0
    assert meta.count("later", "ads.meta") == 0
    assert sorted(people(platforms.meta.posted)) == [0, 1, 2, 3, 4]
    assert len(platforms.meta.posted) == len({one.body for one in platforms.meta.posted})


async def test_what_one_refuses_is_sent_again_to_that_one(topics: Engine, platforms: Platforms) -> None:
    """Dead letters say whose they are; redriven they go to nobody else, and as often as it takes."""
    settings = platforms.of(topics, **{"store.url": topics.store, "kafka.partitions": 2})
    await store_people(topics.store, 2, *(granted(f"u{number}") for number in range(3)))
    platforms.google.answers = lambda _: 400
    await topics.put(*map(change, range(3)), channel="ads")
    async with at_work(topics, settings) as (meta, google):
        await until(lambda: meta.count("handed", "ads.meta") == google.count("dead", "ads.google") == 3)
        assert {one["destination"] for one in await topics.there("retarget.dead.ads")} == {"google"}
        assert (await redrive(settings, Choice(), channel="ads", now=NOON)).sent == 3
        await until(lambda: google.count("dead", "ads.google") == 6)
        platforms.google.answers = lambda _: 200
        assert (await redrive(settings, Choice(), channel="ads", now=NOON)).sent == 3
        await until(lambda: google.count("handed", "ads.google") == 3)
        await topics.put(*map(change, range(3, 20)), channel="ads")  # behind it, in every partition
        await until(lambda: meta.count("handed", "ads.meta") >= 20)
    assert meta.count("handed", "ads.meta") == 20


async def test_who_is_unknown_to_one_is_known_to_the_other(topics: Engine, platforms: Platforms) -> None:
    """Nothing but dots is left of an address at Google; the others of the batch go all the same."""
    dots = {"email": "..@gmail.com"}
    await topics.put(change(1), change(2, to=dots), change(3, to={"external": "u3"}), channel="ads")
    async with at_work(topics, platforms.of(topics)) as (meta, google):
        await until(lambda: meta.count("handed", "ads.meta") == 2 and meta.count("dead", "ads.meta") == 1)
        await until(
            lambda: google.count("handed", "ads.google") == 1 and google.count("dead", "ads.google") == 2
        )
    reasons = Counter((one["destination"], one["reason"]) for one in await topics.there("retarget.dead.ads"))
    assert reasons == {("meta", "no_address"): 1, ("google", "no_address"): 1, ("google", "bad_address"): 1}


async def test_audiences_that_a_platform_does_not_have(topics: Engine, platforms: Platforms) -> None:
    """On purpose: nothing comes of it. Because nobody thought of it: a dead letter that names the setting."""
    await topics.put(change(1, audience="store"), change(2, audience="new"), channel="ads")
    async with at_work(topics, platforms.of(topics)) as (meta, google):
        for service, name in ((meta, "ads.meta"), (google, "ads.google")):
            await until(lambda service=service, name=name: service.count("unwanted", name) == 1)  # type: ignore[misc]
            await until(lambda service=service, name=name: service.count("dead", name) == 1)  # type: ignore[misc]
    assert platforms.meta.posted == platforms.google.posted == []
    letters = await topics.there("retarget.dead.ads")
    assert {one["detail"] for one in letters} == {
        "ads.meta_lists has no audience 'new'",
        "ads.google_lists has no audience 'new'",
    }


@pytest.mark.timeout(240)
@pytest.mark.parametrize("answered", [True, False])
@pytest.mark.parametrize("place", ["meta", "google"])
async def test_killed_between_the_two(
    topics: Engine,
    platforms: Platforms,
    place: str,
    answered: bool,  # noqa: FBT001
) -> None:
    """When one has taken a batch and the other has not: both have everybody, and nobody in two batches."""
    common = {"kafka.bootstrap": topics.address.bootstrap, "kafka.emit": "idempotent"}
    settings = platforms.settings(**common, **{"store.url": topics.store})
    await topics.put(*map(change, range(PEOPLE)), channel="ads")
    for after in (1, 3):
        with running("ads", settings) as service:
            getattr(platforms, place).answers = _killing(service.kill, after, answered=answered)
            service.listening()
            await asyncio.to_thread(service.ended)
    getattr(platforms, place).answers = lambda _: 200
    with running("ads", settings) as service:
        address = service.listening()
        async with asyncio.timeout(60):
            while (  # noqa: ASYNC110 - nothing signals it
                {*people(platforms.meta.posted)} != {*range(PEOPLE)}
                or {*people(platforms.google.posted)} != {*range(PEOPLE)}
                or not await settled(address)
            ):
                await asyncio.sleep(0.1)
        assert service.stop() == 0
    for platform in platforms:
        by_key: dict[str, set[bytes]] = {}
        for one in platform.posted:
            by_key.setdefault(one.headers["idempotency-key"], set()).add(one.body)
        assert {len(bodies) for bodies in by_key.values()} == {1}
        assert Counter(people(platform.posted)) == dict.fromkeys(range(PEOPLE), 1)
    assert await topics.dead("ads") == {}


def _killing(kill: Callable[[], None], nth: int, *, answered: bool) -> Callable[[Posted], int]:
    seen = [0]

    def answer(_: Posted) -> int:
        seen[0] += 1
        if seen[0] == nth:
            kill()
            return 200 if answered else 0
        return 200

    return answer


def test_a_service_of_the_shop_gets_what_each_platform_could_use() -> None:
    """What one cannot use keeps nothing from the other."""
    given = change(1, to={"email": "..@gmail.com", "phone": None}, audience="a")
    member = member_of(_message(given))
    assert "meta" in member
    assert "google" not in member
    assert member_of(_message(change(1, to={"external": "u1"}))).keys() == {
        "message_id",
        "user_id",
        "expires_at",
    }


def _message(given: dict[str, Any]) -> Message:
    return msgspec.convert(given, Message)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"ads.meta_url": "nowhere"}, "ads.meta_url: found 'nowhere', expected a URL"),
        ({"ads.meta_lists": ""}, "ads.meta_lists: is not set"),
        ({"ads.google_account": ""}, "ads.google_account: is not set"),
    ],
)
def test_settings_that_cannot_be(platforms: Platforms, wrong: dict[str, object], said: str) -> None:
    """One line with the setting."""
    with pytest.raises(BadInput, match=re.escape(said)):
        channels_of("ads", platforms.of(Engine("nowhere.example:9092"), **wrong))
