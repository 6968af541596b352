"""A service that is killed at its ledger's writes, and the next one: everything goes out once."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.embedded import EmbeddedBroker, EmbeddedStore
from tests.streams.channels.conftest import Engine, message
from tests.streams.channels.test_killed import A_WAY_OUT, counted, page, running
from tests.support.kafka.real_kafka import RealKafka
from tests.support.mailbox import Mailbox
from tests.support.receiver import Receiver

MESSAGES = 40
ADDRESS = {"street": "Lane 1", "postal_code": "12345", "city": "Town", "country": "DE"}
CHANNELS: dict[str, dict[str, Any]] = {
    "email": {},
    "push": {"to": {"push_tokens": ["phone"]}},
    "ads": {"operation": "add", "audience": "cart-left", "template": None},
    "direct_mail": {
        "to": {"address": ADDRESS},
        "context": {"salutation": {"text": "Dear Ann Lee", "first_name": "Ann", "last_name": "Lee"}},
    },
}
# Between handing over and the end of the second write a mail may have gone without anybody's knowing.
DOUBTFUL = ("second before", "second within", "second sent", "second committing")
# Between the first write and the end of the second a push may have gone: it does not go again.
UNDER_WAY = ("first within", "first sent", "first committing", "first after", *DOUBTFUL)
STAGES = ("first before", "first within", "first sent", "first after", *DOUBTFUL[:3], "second after")
TRANSACTIONAL = (*STAGES[:3], "first committing", "first after", *DOUBTFUL, "second after")
# Of each stage with transactions: two portions at least.
FEW = {"email": 16, "push": 40, "ads": 16, "direct_mail": 16}


@pytest.fixture
def one_desk(own_broker: EmbeddedBroker, store: EmbeddedStore) -> Engine:
    """One partition: beside what is being written nothing else is under way."""
    engine = Engine(own_broker.bootstrap, 1, store.url)
    asyncio.run(engine.make())
    return engine


class Outside:
    """Where everything goes: what came there, message by message."""

    def __init__(self, engine: Engine, mailbox: Mailbox, receiver: Receiver, folder: Path) -> None:
        self.mailbox, self.receiver, self.folder = mailbox, receiver, folder
        self._engine = engine
        self.settings: dict[str, object] = {
            "kafka.bootstrap": engine.address.bootstrap, "store.url": engine.store,
            "email.host": "127.0.0.1", "email.port": mailbox.port, "push.fcm_url": receiver.url, **A_WAY_OUT,
            "push.fcm_project": "shop", "ads.folder": folder, "ads.batch": 5,
            "direct_mail.folder": folder, "direct_mail.batch": 5,
        }  # fmt: skip

    def came(self, name: str) -> list[str]:
        """The ids of a channel's messages."""
        found: Callable[[], list[str]] = {
            "email": lambda: self.mailbox.ids,
            "push": lambda: [
                json.loads(one.body)["message"]["data"]["message_id"] for one in self.receiver.posted
            ],
            "ads": lambda: added(self.folder),
            "direct_mail": lambda: printed(self.folder),
        }[name]
        return found()

    async def killed_at(self, name: str, stage: str, wanted: set[str], **more: object) -> int:
        """Let a service die at a stage and another finish; how many messages it says it has repeated."""
        settings = self.settings | more
        with running(name, settings, dies=(stage, 2)) as service:
            assert await asyncio.to_thread(service.ended) == -signal.SIGKILL
        with running(name, settings) as service:
            address = await asyncio.to_thread(service.listening)
            async with asyncio.timeout(60):
                while (  # noqa: ASYNC110
                    not wanted <= {*self.came(name), *await self._engine.dead(name)}
                    or not await at_rest(address)
                ):
                    await asyncio.sleep(0.05)
            repeats = counted(await asyncio.to_thread(page, address), "retarget_channel_repeats_total")
            assert service.stop() == 0
        return repeats


@pytest.mark.timeout(120)
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", CHANNELS)
async def test_everything_goes_out_once(
    one_desk: Engine, mailbox: Mailbox, tmp_path: Path, name: str, stage: str
) -> None:
    """Whatever the ledger has of a portion: pushes, audiences, letters, and mails that had not yet gone."""
    with Receiver() as receiver:
        outside = Outside(one_desk, mailbox, receiver, tmp_path)
        given = [message(number, channel=name, **CHANNELS[name]) for number in range(MESSAGES)]
        await one_desk.put(*given, channel=name)
        wanted = {f"m{number}" for number in range(MESSAGES)}
        repeats = await outside.killed_at(name, stage, wanted, **{"kafka.emit": "idempotent"})
    came, dead = Counter(outside.came(name)), await one_desk.dead(name)
    assert came.keys() | dead.keys() == wanted
    assert not dead or (name == "push" and stage in UNDER_WAY)
    again = sum(came.values()) - MESSAGES
    if name == "email":
        assert again <= (repeats if stage in DOUBTFUL else 0)
        assert max(came.values()) <= 2
        told = [one["id"] for one in await one_desk.there("touchpoints")]
        assert len({*told}) == MESSAGES
    else:
        assert max(came.values()) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "name", [name if name == "email" else pytest.param(name, marks=pytest.mark.slow) for name in CHANNELS]
)
async def test_with_transactions_everything_goes_out_once(
    own_kafka: RealKafka, store: EmbeddedStore, mailbox: Mailbox, tmp_path: Path, name: str
) -> None:
    """One service after the other dies, at each moment of a transaction; on one broker."""
    engine = Engine(own_kafka.bootstrap, 1, store.url)
    await engine.make()
    with Receiver() as receiver:
        outside = Outside(engine, mailbox, receiver, tmp_path)
        for nth, stage in enumerate(TRANSACTIONAL):
            before = Counter(outside.came(name))
            numbers = range(nth * FEW[name], (nth + 1) * FEW[name])
            wanted = {f"m{number}" for number in numbers}
            await engine.put(
                *(message(number, channel=name, **CHANNELS[name]) for number in numbers), channel=name
            )
            repeats = await outside.killed_at(name, stage, wanted, **{"kafka.emit": "transactional"})
            came, dead = Counter(outside.came(name)) - before, wanted & (await engine.dead(name)).keys()
            assert came.keys() | dead == wanted, stage
            assert not dead or (name == "push" and stage in UNDER_WAY), stage
            again = sum(came.values()) - len(came)
            assert again <= (repeats if stage in DOUBTFUL and name == "email" else 0), stage
            assert max(came.values()) <= 2, stage
    if name == "email":
        # Feedback is in the transaction of what it is about: each once, without looking at ids.
        told = [one["id"] for one in await engine.there("touchpoints")]
        assert len(told) == len({*told}) == FEW[name] * len(TRANSACTIONAL)


async def at_rest(address: str) -> bool:
    """Whether nothing waits in the partition, which has been taken over."""
    shown = await asyncio.to_thread(page, address)
    return shown.count("\nretarget_channel_waiting{") == 1 and counted(shown, "retarget_channel_waiting") == 0


def added(folder: Path) -> list[str]:
    """Who is added, in every batch."""
    batches = [json.loads(path.read_bytes()) for path in folder.glob("*.json")]
    return [member["message_id"] for batch in batches for member in batch["members"]]


def printed(folder: Path) -> list[str]:
    """Whose letter stands in every list."""
    lists = [path.read_text(encoding="utf-8") for path in folder.glob("*.csv")]
    return [row["message_id"] for text in lists for row in csv.DictReader(text.splitlines())]
