"""What a service tells the engine is understood, whatever form the shop's own events have."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import get_args

import aiohttp
import msgspec
import pytest

from retarget.decode import encode_touchpoint
from retarget.journeys.model import Journey
from retarget.messages import Message
from retarget.times import DAY
from retarget.touchpoints import TouchpointType
from streams.channels.email.links import Seal
from streams.channels.settlement import terms_of
from streams.channels.telling import touchpoint
from streams.clocks import now_ms
from streams.embedded import EmbeddedStore
from streams.kafka import create_or_check
from streams.reading import decoder_of
from streams.settings import load_settings
from streams.settings_declared import Dialect
from streams.topics import topic_specs
from tests.streams.channels.conftest import Engine, message, until
from tests.streams.channels.test_killed import of_mails, running, settled
from tests.streams.channels.test_links import path
from tests.streams.links.test_click import KEY, LANES, keep
from tests.support.collecting import collecting
from tests.support.mailbox import Mailbox

OWN = ("kafka.input_topics=touchpoints,feedback", "input.dialect_by_topic=feedback=canonical")
OTHERS = sorted({*get_args(Dialect)} - {"auto", "canonical"})
TOLD: tuple[TouchpointType, ...] = (
    "email_delivered", "email_bounce", "email_click", "unsubscribe", "push_bounce", "ad_click",
)  # fmt: skip
SECRET = "a secret of this test"  # noqa: S105 - of this test


@pytest.mark.parametrize("dialect", ["auto", "canonical", *OTHERS])
def test_what_is_told_is_read_as_it_was_meant(dialect: str) -> None:
    """Each kind of feedback, in the topic that is chosen for it."""
    more = OWN if dialect in OTHERS else ()
    settings = load_settings(overrides=[f"input.dialect={dialect}", *more])
    topic = terms_of(settings).feedback_topic
    sent = msgspec.convert(message(1), Message)
    for kind in TOLD:
        told = touchpoint(sent, kind, 1_700_000_000_000)
        read = decoder_of(settings, topic)(encode_touchpoint(told))
        assert (read.type, read.id, read.user_id) == (kind, told.id, told.user_id)
        assert (read.campaign or {}).get("message_id") == "m1"


@pytest.mark.timeout(90)
async def test_a_service_tells_all_of_it_there(
    topics: Engine, store: EmbeddedStore, mailbox: Mailbox
) -> None:
    """Delivered, left by one POST, clicked: none of it in the topic that is read as Segment's."""
    await create_or_check(topics.address, topic_specs(["feedback"], 2)[:1])
    await keep(store.url, "retarget", Journey(person="u1", first=now_ms() - DAY))
    settings = of_mails(topics, mailbox) | {
        "kafka.input_topics": "touchpoints,feedback", "input.dialect": "segment",
        "input.dialect_by_topic": "feedback=canonical", "channel.public_url": "https://shop.example",
        "channel.secret": SECRET, "purl.keys": KEY, "collect.purl_target": "https://shop.example/x",
        "kafka.partitions": LANES,
    }  # fmt: skip
    link = Seal(SECRET, "").link(msgspec.convert(message(1), Message))
    with running("email", settings) as service:
        address = await asyncio.to_thread(service.listening)
        await topics.put(message(1))
        await until(lambda: mailbox.ids == ["m1"])
        async with aiohttp.ClientSession() as web:
            async with web.post(address + link) as answer:
                assert answer.status == 200
            async with web.get(address + path(), allow_redirects=False) as answer:
                assert answer.status == 302
        async with asyncio.timeout(30):
            while not await settled(address):  # noqa: ASYNC110 - nothing signals it
                await asyncio.sleep(0.1)
        assert service.stop() == 0
    assert await topics.there("touchpoints") == []
    told = [one["type"] for one in await topics.there("feedback")]
    assert sorted(told) == ["email_click", "email_delivered", "unsubscribe"]


async def test_a_collector_writes_there_by_itself(topics: Engine, tmp_path: Path) -> None:
    """What it has decoded it writes in our form, so not where Segment's is read."""
    await create_or_check(topics.address, topic_specs(["feedback"], 2)[:1])
    own = ("kafka.input_topics=touchpoints,feedback", "input.dialect=segment", OWN[1])

    def post() -> int:
        with collecting(topics.address.bootstrap, "feedback", tmp_path, *own) as collector:
            return collector.send("/v1/track", {"event": "Product Viewed", "userId": "u1"}).status

    assert await asyncio.to_thread(post) in range(200, 300)
    assert await topics.there("touchpoints") == []
    told = {one["type"] for one in await topics.there("feedback")}
    assert told - {"heartbeat"} == {"view"}
