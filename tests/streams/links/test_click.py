"""The real parts: a link as the engine makes it, a store that knows the person, a collector, a click."""

from __future__ import annotations

import asyncio
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import redis

from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.personal.links import encode, link_of
from retarget.times import DAY
from streams.cli import main
from streams.clocks import now_ms
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.links import Seal
from streams.ports import Checkpoint
from streams.stores.redis import RedisStore
from streams.topics import lane_of
from tests.support.collecting import Collector, collecting

KEY: Final = "a secret of this test"
ID: Final = "0123456789abcdef" * 2
LANES: Final = 8


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object, **__: object) -> None:
        """Follow nothing: the answer itself is looked at."""


@pytest.fixture(autouse=True)
def _stay() -> Iterator[None]:
    urllib.request.install_opener(urllib.request.build_opener(_Stays))
    yield
    urllib.request.install_opener(urllib.request.build_opener())


async def keep(url: str, app: str, journey: Journey) -> None:
    """Put a journey into the store as a lane would."""
    store = await RedisStore.connect(url, app, LANES)
    lane = lane_of(journey.person, LANES)
    try:
        found = await store.image(lane)
        change = Checkpoint(
            expected=found.sequence, meta=found.meta, journeys=[(journey.person, wire.encode(journey))]
        )
        assert await store.checkpoint(lane, change) == change.after
    finally:
        await store.close()


async def test_a_click_comes_back_as_an_event(
    embedded_broker: EmbeddedBroker, store: EmbeddedStore, unique_name: Callable[[str], str], tmp_path: Path
) -> None:
    """It is in the topic before the browser is led on; once the person is erased the link is none."""
    app, topic, now = unique_name("app"), unique_name("clicks"), now_ms()
    embedded_broker.create_topic(topic, 2)
    link = link_of(ID, "u1", known=True, channel="email", products=["p1"], at=now, lasts=DAY)
    path = f"/p/{Seal(KEY)(encode(link))}"
    await keep(store.url, app, Journey(person="u1", first=now - DAY))
    given = (f"store.url={store.url}", f"app.id={app}", f"purl.keys={KEY}",
             "collect.purl_target=https://shop.example/x")  # fmt: skip
    with collecting(embedded_broker.bootstrap, topic, tmp_path, *given) as collector:
        answer = collector.send(path, headers={"User-Agent": "Mozilla/5.0"})
        assert (answer.status, answer.headers["Location"]) == (302, "https://shop.example/x?product=p1")
        [click] = await _events(collector)
        assert click == ("email_click", "u1", {"message_id": ID})
        await keep(store.url, app, Journey(person="u1", erased=True, erased_at=now_ms()))
        assert collector.send(path).status == 404
        assert len(await _events(collector)) == 1


async def test_a_link_is_taken_back_at_once(
    embedded_broker: EmbeddedBroker,
    store: EmbeddedStore,
    unique_name: Callable[[str], str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By the command, while the collector goes on: 404 as for any other that is none; others lead on."""
    app, topic, now = unique_name("app"), unique_name("clicks"), now_ms()
    embedded_broker.create_topic(topic, 2)
    links = [
        link_of(one, "u1", known=True, channel="email", products=[], at=now, lasts=DAY)
        for one in (ID, "f" * 32, "e" * 32)
    ]
    paths = [f"/p/{Seal(KEY)(encode(one))}" for one in links]
    await keep(store.url, app, Journey(person="u1", first=now - DAY))
    given = (f"store.url={store.url}", f"app.id={app}", f"purl.keys={KEY}",
             "collect.purl_target=https://shop.example/x")  # fmt: skip

    async def revoke(*words: str) -> int:
        flags = [word for one in given for word in ("--set", one)]
        return await asyncio.to_thread(main, ["revoke", *words, *flags])

    with collecting(embedded_broker.bootstrap, topic, tmp_path, *given) as collector:

        def statuses() -> list[int]:
            return [collector.send(path, headers={"User-Agent": "Mozilla/5.0"}).status for path in paths]

        assert statuses() == [302, 302, 302]
        assert await revoke(f"https://go.shop.example{paths[0]}", "f" * 32) == 0
        assert statuses() == [404, 404, 302]
        forged, gone = collector.send("/p/forged"), collector.send(paths[0])
        assert (gone.status, gone.body, {*gone.headers} - {"Date"}) == (
            forged.status, forged.body, {*forged.headers} - {"Date"},
        )  # fmt: skip
        assert await revoke("--undo", paths[0].removeprefix("/p/")) == 0
        assert statuses() == [302, 404, 302]
        assert await revoke("nonsense", "f" * 31) == 1
        assert capsys.readouterr().err.count("expected the 32 hex digits of a message's id") == 2
    with redis.Redis.from_url(store.url) as client:
        [left] = client.keys("*:r:*")
        assert 0 < client.pttl(left) <= 30 * DAY


async def _events(collector: Collector) -> list[tuple[str, str | None, object]]:
    events = await asyncio.to_thread(collector.events)
    return [(one.type, one.user_id, one.campaign) for one in events if not isinstance(one, Exception)]
