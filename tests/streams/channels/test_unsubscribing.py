"""One POST unsubscribes; a GET changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, get_args

import aiohttp
import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from prometheus_client import CollectorRegistry

from retarget.messages import Message
from streams.channels.email.links import Seal
from streams.channels.languages import LANGUAGES, words
from streams.channels.pages import Pages
from streams.channels.unsubscribing import State, shown
from streams.collect.delivery import Delivery
from streams.kafka.sending import producing
from streams.metrics_services import ChannelMetrics
from tests.streams.channels.conftest import Engine, message

SEAL = Seal("a secret of this test", "http://nowhere.example")
NOWHERE = "There is no such page"
DONE = "No more mails of this kind will come from us."
STATES: Final[tuple[State, ...]] = get_args(State)
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@asynccontextmanager
async def pages(engine: Engine) -> AsyncIterator[str]:
    """The pages of a service; their address."""
    registry = CollectorRegistry()
    async with producing(engine.address) as producer:
        delivery = Delivery(producer, "touchpoints")
        task = asyncio.create_task(delivery.run())
        async with Pages(engine.settings(), SEAL, delivery, ChannelMetrics(registry), registry) as open_:
            yield f"http://127.0.0.1:{open_.port}"
        task.cancel()


def token(**more: object) -> str:
    """What a mail's link ends with."""
    made = msgspec.convert(message(1, **more), Message)
    return SEAL.link(made).rpartition("/")[2]


async def test_a_post_unsubscribes_without_anything_else(topics: Engine) -> None:
    """No cookie, no login, no redirect; twice changes no more than once; nobody is named in the link."""
    link = token()
    assert "person" not in link
    async with pages(topics) as place, aiohttp.ClientSession() as web:
        for _ in range(2):
            async with web.post(
                f"{place}/unsubscribe/{link}", data=ONE_CLICK, allow_redirects=False
            ) as answer:
                assert (answer.status, answer.history) == (200, ())
                assert "Set-Cookie" not in answer.headers
    told = await topics.there("touchpoints")
    assert {(one["type"], one["user_id"], one["channel"]) for one in told} == {
        ("unsubscribe", "person 1", "email")
    }
    assert not any("id" in one for one in told)  # with one, leaving again after coming back would be a repeat


async def test_a_get_changes_nothing(topics: Engine) -> None:
    """Programs that open every link of a mail see a page with a button."""
    async with pages(topics) as place, aiohttp.ClientSession() as web:
        for _ in range(3):
            async with web.get(f"{place}/unsubscribe/{token()}") as answer:
                assert answer.status == 200
                assert '<form method="post">' in await answer.text()
        async with web.head(f"{place}/unsubscribe/{token()}") as answer:
            assert answer.status == 200
    assert await topics.there("touchpoints") == []


@pytest.mark.parametrize(
    ("asked", "language", "says"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de", "Abmelden"),
        ("sv-SE, nl;q=0.5", "nl", "Afmelden"),
        ("FR", "fr", "Se désabonner"),
        ("it;q=nonsense,,", "it", "Annullare"),
        ("es-419", "es", "Darse de baja"),
        ("sv,*", "en", "Unsubscribe"),
        (None, "en", "Unsubscribe"),
    ],
)
async def test_the_page_is_in_the_readers_language(
    topics: Engine, asked: str | None, language: str, says: str
) -> None:
    """As the browser asks; what there are no words for is English."""
    asking = {} if asked is None else {"Accept-Language": asked}
    async with pages(topics) as place, aiohttp.ClientSession() as web:
        async with web.get(f"{place}/unsubscribe/{token()}", headers=asking) as answer:
            text = await answer.text()
        assert answer.headers["Content-Language"] == language
        assert f'<html lang="{language}">' in text
        assert f"<h1>{says}" in text
        async with web.get(f"{place}/unsubscribe/x", headers=asking) as answer:
            assert f"<h1>{words(language).get(NOWHERE, NOWHERE)}</h1>" in await answer.text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_said_to_be_done_before_it_is(language: str) -> None:
    """Whoever reads that no more mails will come, above a button, leaves without pressing it."""
    request = make_mocked_request("GET", "/", headers={"Accept-Language": language})
    said = {state: shown(request, state).text or "" for state in STATES}
    done = words(language).get(DONE, DONE)
    assert [state for state in STATES if done in said[state]] == ["done"]
    assert said["ask"].count("<p>") == 1


async def test_a_link_that_is_not_ours_is_not_there(topics: Engine) -> None:
    """Forged, cut or of another secret: 404, without a word why."""
    other = Seal("another secret", "http://nowhere.example").link(msgspec.convert(message(1), Message))
    async with pages(topics) as place, aiohttp.ClientSession() as web:
        for wrong in ("x", token()[:-4], token()[:-1] + "!", other.rpartition("/")[2], "a" * 5_000):
            for method in ("GET", "POST"):
                async with web.request(method, f"{place}/unsubscribe/{wrong}") as answer:
                    assert answer.status == 404
    assert await topics.there("touchpoints") == []


async def test_somebody_without_an_account_can_leave(topics: Engine) -> None:
    """A link of an anonymous person's mail names that id."""
    link = token(user_id=None, anonymous_id=None, person="a1")
    async with pages(topics) as place, aiohttp.request("POST", f"{place}/unsubscribe/{link}") as answer:
        assert answer.status == 200
    [told] = await topics.there("touchpoints")
    assert told["anonymous_id"] == "a1"
