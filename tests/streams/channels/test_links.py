"""The link of a message where there is no collector: a channel service answers it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from retarget.journeys.model import Journey
from retarget.personal.links import encode, link_of
from retarget.times import DAY
from streams.channels.pages import Pages
from streams.cli import main
from streams.clocks import now_ms
from streams.collect.delivery import Delivery
from streams.embedded import EmbeddedStore
from streams.kafka.sending import producing
from streams.links import Seal
from streams.metrics_services import ChannelMetrics
from tests.streams.channels.conftest import Engine
from tests.streams.channels.test_killed import counted, of_mails, page, running
from tests.streams.links.test_click import ID, KEY, LANES, keep
from tests.support.mailbox import Mailbox

BROWSER = {"User-Agent": "Mozilla/5.0"}


def path(channel: str = "email") -> str:
    """A link as the engine makes it."""
    link = link_of(ID, "u1", known=True, channel=channel, products=["p1"], at=now_ms(), lasts=DAY)
    return f"/p/{Seal(KEY)(encode(link))}"


async def asked(address: str, headers: Mapping[str, str] = BROWSER) -> tuple[int, str]:
    """The status, and where it leads."""
    async with (
        aiohttp.ClientSession() as web,
        web.get(address, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, answer.headers.get("Location", "")


async def test_a_click_comes_back_as_an_event(topics: Engine, store: EmbeddedStore, mailbox: Mailbox) -> None:
    """In the topic before the browser is led on; programs do not click; once erased the link is none."""
    await keep(store.url, "retarget", Journey(person="u1", first=now_ms() - DAY))
    settings = of_mails(topics, mailbox) | {
        "purl.keys": KEY, "collect.purl_target": "https://shop.example/x", "kafka.partitions": LANES,
    }  # fmt: skip
    with running("email", settings) as service:
        address = service.listening()
        assert await asked(address + path()) == (302, "https://shop.example/x?product=p1")
        told = await topics.there("touchpoints")
        assert [(one["type"], one["user_id"], one["campaign"]) for one in told] == [
            ("email_click", "u1", {"message_id": ID})
        ]
        assert (await asked(address + path(), {"Purpose": "prefetch"}))[0] == 302
        assert await asked(address + "/p/forged") == (404, "")
        revoke = ["revoke", ID, "--set", f"store.url={store.url}"]
        assert await asyncio.to_thread(main, revoke) == 0
        assert await asked(address + path()) == (404, "")
        assert await asyncio.to_thread(main, [*revoke, "--undo"]) == 0
        assert (await asked(address + path(), {"Purpose": "prefetch"}))[0] == 302
        await keep(store.url, "retarget", Journey(person="u1", erased=True, erased_at=now_ms()))
        assert await asked(address + path()) == (404, "")
        assert len(await topics.there("touchpoints")) == 1
        shown = await asyncio.to_thread(page, address)
        assert counted(shown, "retarget_channel_links_total") == 6
        assert service.stop() == 0


@asynccontextmanager
async def pages(engine: Engine, *overrides: str, running: bool = True) -> AsyncIterator[str]:
    """The pages of a service; `running`: whether Kafka is written to."""

    async def revoked(_: object) -> bool:
        return False

    registry = CollectorRegistry()
    settings = engine.settings(f"purl.keys={KEY}", "collect.purl_target=https://shop.example/x", *overrides)
    async with producing(engine.address) as producer:
        delivery = Delivery(producer, "touchpoints")
        task = asyncio.create_task(delivery.run()) if running else None
        metrics = ChannelMetrics(registry)
        async with Pages(settings, None, delivery, metrics, registry, revoked=revoked) as open_:
            yield f"http://127.0.0.1:{open_.port}"
        if task is not None:
            task.cancel()


async def test_no_click_is_lost(topics: Engine) -> None:
    """While Kafka does not answer the browser is asked to come again, and is not led on."""
    async with pages(topics, "collect.patience=200ms", running=False) as place:
        begun = time.monotonic()
        assert await asked(place + path()) == (503, "")
        assert time.monotonic() - begun >= 0.2
    assert await topics.there("touchpoints") == []


@pytest.mark.parametrize(
    ("settings", "headers", "status"),
    [
        ((), {}, 200),
        (("web.token=token-for-metrics-only",), {}, 401),
        (("web.token=token-for-metrics-only",), {"Authorization": "Bearer token-for-metrics-only"}, 200),
        (("channel.host=0.0.0.0",), {}, 401),
        (
            ("channel.host=0.0.0.0", "web.token=token-for-metrics-only"),
            {"Authorization": "Bearer token-for-metrics-only"},
            200,
        ),
    ],
)
async def test_who_may_see_the_metrics(
    topics: Engine, settings: tuple[str, ...], headers: dict[str, str], status: int
) -> None:
    """Whoever is on this machine, or has the token; links are for everybody."""
    async with pages(topics, *settings) as place:
        assert (await asked(f"{place}/metrics", headers))[0] == status
        assert (await asked(place + path("push")))[0] == 302
