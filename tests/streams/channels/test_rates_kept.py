"""Rates of channels: three services together are never over them."""

from __future__ import annotations

import asyncio
import csv
import json
from contextlib import ExitStack
from pathlib import Path

import pytest

from streams.embedded import EmbeddedBroker, EmbeddedStore
from tests.streams.channels.conftest import Engine, message
from tests.streams.channels.test_killed import running
from tests.support.receiver import Receiver

MESSAGES = 90
RATE, WINDOW_S = 20, 1.0
ADDRESS = {"street": "Lane 1", "postal_code": "12345", "city": "Town", "country": "DE"}


TO = {
    "ads": {"email": "a@mail.example"},
    "direct_mail": {"address": ADDRESS},
    "push": {"push_tokens": ["phone"]},
}


def posted(platform: Receiver, name: str) -> list[float]:
    """When each push, or each person's change of an audience, came, s."""
    bodies = [(one.at, json.loads(one.body)) for one in platform.posted]
    return [at for at, body in bodies for _ in (body["members"] if name == "ads" else [body])]


def printed(folder: Path) -> list[float]:
    """When each letter's row was there, s; a list has the time at which it was written."""
    lists = [(path.stat().st_mtime, path.read_text("utf-8")) for path in folder.glob("*.csv")]
    return [at for at, text in lists for _ in csv.DictReader(text.splitlines())]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", TO)
async def test_three_services_keep_the_rate_of_their_channel(
    own_broker: EmbeddedBroker, store: EmbeddedStore, tmp_path: Path, name: str
) -> None:
    """Each member of a batch counts; in no window of the rate's length do more leave than it says."""
    engine = Engine(own_broker.bootstrap, 3, store.url)
    await engine.make()
    with Receiver() as platform, ExitStack() as stack:
        settings = {
            "kafka.bootstrap": engine.address.bootstrap, "kafka.emit": "idempotent",
            "store.url": engine.store,
            f"rates.{name}": f"{RATE}/{round(WINDOW_S)}s", "ads.url": platform.url, "ads.batch": 6,
            "direct_mail.folder": tmp_path, "direct_mail.batch": 6,
            "push.fcm_url": platform.url, "push.fcm_project": "shop",
        }  # fmt: skip
        for _ in range(3):
            stack.enter_context(running(name, settings)).listening()
        ads = {"operation": "add", "audience": "cart-left", "template": None} if name == "ads" else {}
        given = [message(number, channel=name, to=TO[name], **ads) for number in range(MESSAGES)]
        await engine.put(*given, channel=name)
        left: list[float] = []
        async with asyncio.timeout(120):
            while len(left) < MESSAGES:
                await asyncio.sleep(0.1)
                left = sorted(printed(tmp_path) if name == "direct_mail" else posted(platform, name))
    assert len(left) == MESSAGES
    assert max(sum(1 for other in left if at - WINDOW_S < other <= at) for at in left) <= RATE
    # It was the rate that held them back, and three services that shared it.
    assert left[-1] - left[0] > MESSAGES / RATE - 2 * WINDOW_S
