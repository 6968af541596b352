"""The mails of the demo: a page for people, and a link that works."""

from __future__ import annotations

import html
import re

import aiohttp

from retarget.times import parse_time
from streams.demo.mailing import FEEDBACK, mailing
from streams.kafka import create_or_check
from streams.topics import TopicSpec
from tests.streams.channels.conftest import Engine, message, until

MORNING = parse_time("2024-05-06T08:00:00Z")


async def page(web: aiohttp.ClientSession, url: str) -> str:
    """What is shown there."""
    async with web.get(url) as answer:
        assert answer.status == 200
        return await answer.text()


async def test_a_mail_of_the_demo_is_shown_and_can_be_answered(topics: Engine) -> None:
    """By the clock of the shop it has not expired; one click reaches the engine, a look at it does not."""
    await create_or_check(topics.address, [TopicSpec(FEEDBACK, 1, exact=False, keep="broker")])
    await topics.put(
        message(1, expires_at="2024-05-06T09:00:00Z"), message(2, products=[{"product_id": "<b>"}])
    )
    async with (
        mailing(topics.settings(), topics.address, lambda: MORNING) as mailbox,
        aiohttp.ClientSession() as web,
    ):
        await until(lambda: mailbox.count == 2)
        assert (await page(web, mailbox.url)).count("Your cart is still here") == 2
        number = 1 if "p1@mail.example" in await page(web, f"{mailbox.url}mail/1") else 2
        shown = html.unescape(await page(web, f"{mailbox.url}mail/{number}"))
        assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" in shown
        assert "Date: Mon, 06 May 2024 08:00:00" in shown
        async with web.get(f"{mailbox.url}mail/{3 - number}/html") as answer:
            assert "sandbox" in answer.headers["Content-Security-Policy"]
            assert "&lt;b&gt;" in await answer.text()
        link = re.search(r"List-Unsubscribe: <(\S+)>", shown)
        assert link
        await page(web, link[1])
        assert await topics.there("touchpoints") == []
        async with web.post(link[1], data={"List-Unsubscribe": "One-Click"}) as answer:
            assert answer.status == 200
        async with web.get(f"{mailbox.url}mail/9") as answer:
            assert answer.status == 404
    [told] = await topics.there("touchpoints")
    assert (told["type"], told["user_id"], told["time"]) == (
        "unsubscribe",
        "person 1",
        MORNING,
    )
