"""A mail that the demo wrote, read by a mail library, and its way out."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html import unescape
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest

from streams.kafka import KafkaAddress
from streams.kafka.looking import looking, records, spans
from tests.e2e.test_demo import _COMMAND, _environment, _require_servers

pytestmark = [pytest.mark.embedded, pytest.mark.slow]

TOPIC: Final = "touchpoints"
UNSUBSCRIBE: Final = '"type":"unsubscribe"'


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[tuple[str, str, str]]:
    """A demo of fifteen seconds that goes on without people: its broker's address, its lanes, its mailbox."""
    process = await asyncio.create_subprocess_exec(
        *_COMMAND, "--seconds", "15", "--keep",
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=sys.stderr, env=_environment(folder),
    )  # fmt: skip
    try:
        yield await shown(process, r"KAFKA_BOOTSTRAP=(\S+)", r"KAFKA_PARTITIONS=(\d+)", r"The mails: (\S+)")
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 30) == 0
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def shown(process: asyncio.subprocess.Process, *wanted: str) -> Any:  # noqa: ANN401 - as many texts
    """What the patterns find in the output, once all of them do."""
    assert process.stdout is not None
    output = ""
    async with asyncio.timeout(80):
        while line := await process.stdout.readline():
            output += line.decode()
            found = [re.search(one, output) for one in wanted]
            if all(found):
                return tuple(one[1] for one in found if one)
    pytest.fail(output)


async def told(bootstrap: str, lanes: str, *words: str) -> list[bytes]:
    """What stands in the input topic with all of these words in it."""
    address = KafkaAddress(bootstrap=bootstrap)
    wanted = await spans(address, TOPIC, range(int(lanes)))
    async with looking(address, "read_committed") as consumer:
        values = [seen.value or b"" async for seen in records(consumer, TOPIC, wanted)]
    # Of several partitions now one is read first, now another.
    return sorted(value for value in values if all(word.encode() in value for word in words))


async def any_mail(web: aiohttp.ClientSession, mailbox: str) -> bytes:
    """The newest mail that can be unsubscribed from, as it came."""
    async with web.get(mailbox) as answer:
        numbers = re.findall(r'href="/mail/(\d+)"', await answer.text())
    for number in numbers:
        async with web.get(f"{mailbox}mail/{number}/source") as answer:
            assert answer.status == 200
            source = await answer.read()
        if b"List-Unsubscribe" in source:
            return source
    pytest.fail(f"none of {len(numbers)} mails has a way out")


def words(html: str) -> list[str]:
    """What a person reads."""
    body = re.sub(r"<head>.*?</head>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.findall(r"\w+", unescape(body))


def same_content(mail: EmailMessage) -> None:
    """Both parts are there, and whoever reads the one misses nothing of the other but the words of links."""
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert isinstance(plain, EmailMessage)
    assert isinstance(html, EmailMessage)
    text, page = plain.get_content(), html.get_content()
    assert text.strip()
    assert page.strip()
    links = set(re.findall(r"https?://\S+", text))
    assert links == {unescape(one) for one in re.findall(r'href="([^"]+)"', page)}
    for link in links:
        text = text.replace(link, " ")
    assert words(text) == words(page)


async def test_a_mail_of_the_demo_is_a_mail_and_can_be_left_by_it(tmp_path: Path) -> None:
    """Parts and headers as a library reads them; a look at the link changes nothing, a POST unsubscribes."""
    _require_servers()
    async with kept(tmp_path) as (bootstrap, lanes, mailbox), aiohttp.ClientSession() as web:
        mail = message_from_bytes(await any_mail(web, mailbox), policy=default)
        assert isinstance(mail, EmailMessage)
        assert not [defect for one in mail.walk() for defect in one.defects]
        same_content(mail)
        for name in ("Date", "Message-ID", "From", "To", "Subject", "List-Unsubscribe"):
            assert len(mail.get_all(name, [])) == 1, name
            assert not mail[name].defects, name
        assert isinstance(mail["Date"].datetime, datetime)
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        message_id = re.fullmatch(r"<([0-9a-f]{32})@[\w.-]+>", mail["Message-ID"])
        link = re.fullmatch(r"<(https?://[^>]+)>", mail["List-Unsubscribe"])
        assert message_id is not None
        assert link is not None
        before = await told(bootstrap, lanes, UNSUBSCRIBE)
        async with web.get(link[1]) as answer:
            assert answer.status == 200
        assert await told(bootstrap, lanes, UNSUBSCRIBE) == before
        async with web.post(link[1], data={"List-Unsubscribe": "One-Click"}) as answer:
            assert answer.status == 200
        after = await told(bootstrap, lanes, UNSUBSCRIBE)
        [event] = [json.loads(value) for value in after if value not in before]
        assert event["campaign"]["message_id"] == message_id[1]
        # Whoever has left is the one to whom the mail went.
        address = mail["To"].addresses[0].addr_spec
        assert await told(bootstrap, lanes, address, event["user_id"])
