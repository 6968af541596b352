"""An engine's topics with a channel service on them, and what they hold."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from streams.channels.email.links import Seal
from streams.channels.outcomes import Channel
from streams.channels.rates import Rate
from streams.channels.service import Service
from streams.channels.settlement import terms_of
from streams.clocks import now_ms
from streams.embedded import EmbeddedBroker, EmbeddedStore
from streams.kafka import KafkaAddress, RepeatFilter, create_or_check, encode_headers
from streams.kafka.headers import Stamp
from streams.kafka.looking import looking, records, spans
from streams.kafka.sending import Outgoing, producing, send
from streams.metrics_services import ChannelMetrics
from streams.settings import Settings, load_settings
from streams.topics import partition_of, topic_specs
from tests.support.mailbox import Mailbox

SEAL = Seal("a secret of these tests", "https://news.shop.example/")


def message(number: int | str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of a message
    """A message of the engine's."""
    person = more.pop("person", f"person {number}")
    return {
        "message_id": f"m{number}", "recall_of": None, "decision_id": f"d{number}", "operation": "send",
        "channel": "email", "rule": "abandoned_cart", "rule_version": "1", "step": 1, "person": person,
        "user_id": person, "anonymous_id": None, "subject": {"kind": "cart", "id": ""}, "audience": None,
        "products": [{"product_id": "tent", "name": "Tent", "price": 99.0}],
        "to": {"email": f"p{number}@mail.example"}, "template": "cart-reminder-1",
        "context": {"salutation": {"neutral": True}, "purchases": 0}, "offer": None, "purl": None,
        "purpose": "marketing", "legal_basis": "consent", "due": "2026-03-01T11:00:00.000Z",
        "decided_at": "2026-03-01T11:00:00.000Z", "not_before": None, "expires_at": None, "priority": 50,
        "experiment": None, "locale": "en", "timezone": "UTC", "why": "You left something.", "trace": None,
        "schema": 1, **more,
    }  # fmt: skip


class Engine:
    """The topics of an engine: what is put there, and what is there."""

    def __init__(self, bootstrap: str, partitions: int = 2, store: str = "") -> None:
        """`store`: its address, for services in processes of their own."""
        self._partitions, self.store = partitions, store
        self.address = KafkaAddress(bootstrap=bootstrap)
        self._sequence = 0

    async def make(self) -> None:
        """Create all topics."""
        await create_or_check(self.address, topic_specs(["touchpoints"], self._partitions))

    def settings(self, *overrides: str) -> Settings:
        """Settings of a service."""
        # The embedded broker lets a group begin after half of the session.
        given = ["channel.session=1500ms", "kafka.emit=idempotent", "channel.port=0"]
        given.append(f"kafka.bootstrap={self.address.bootstrap}")
        return load_settings(overrides=[*given, *overrides])

    async def put(
        self,
        *messages: dict[str, Any] | bytes,
        channel: str = "email",
        again: bool = False,
        bare: bool = False,
        under: str = "",
    ) -> None:
        """Emit messages as a lane does; `again`: under the headers of the last ones; `bare`: without any.

        `under`: their key, where that is not their person.
        """
        self._sequence += 0 if again else 1
        outgoing = []
        for index, one in enumerate(messages):
            value = one if isinstance(one, bytes) else json.dumps(one).encode()
            key = b"nobody" if isinstance(one, bytes) else (under or one["person"]).encode()
            headers = None if bare else encode_headers(Stamp(0, 0, self._sequence, index))
            outgoing.append(
                Outgoing(f"retarget.{channel}", partition_of(key, self._partitions), key, value, headers)
            )
        async with producing(self.address) as producer:
            await send(producer, outgoing)

    async def there(self, topic: str) -> list[dict[str, Any]]:
        """What stands in a topic, repeats by headers dropped."""
        repeats = RepeatFilter()
        wanted = await spans(self.address, topic, range(self._partitions))
        async with looking(self.address, "read_committed") as consumer:
            return [
                json.loads(seen.value or b"null")
                async for seen in records(consumer, topic, wanted)
                if repeats.is_new(seen.topic, seen.partition, seen.headers)
            ]

    async def dead(self, channel: str = "email") -> dict[str, tuple[str, str]]:
        """Each dead letter's message id, with reason and detail."""
        return {
            str(json.loads(base64.b64decode(one["raw"])).get("message_id")): (one["reason"], one["detail"])
            for one in await self.there(f"retarget.dead.{channel}")
        }


@pytest.fixture
def topics(own_broker: EmbeddedBroker, store: EmbeddedStore) -> Engine:
    """A broker of this test's own with an engine's topics."""
    engine = Engine(own_broker.bootstrap, store=store.url)
    asyncio.run(engine.make())
    return engine


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    """A relay."""
    with Mailbox() as server:
        yield server


class Working:
    """A service at work, with its metrics."""

    def __init__(self, service: Service, registry: CollectorRegistry) -> None:
        self.service, self._registry = service, registry

    def count(self, outcome: str, channel: str = "email") -> int:
        """How many messages came to this."""
        labels = {"channel": channel, "outcome": outcome}
        return int(self._registry.get_sample_value("retarget_channel_messages_total", labels) or 0)

    def waiting(self, channel: str = "email") -> int:
        """How many have been read and are not settled."""
        return int(self.shown("retarget_channel_waiting", channel) or 0)

    def shown(self, name: str, channel: str, **labels: str) -> float | None:
        """The sum of a metric's series with these labels; None without any."""
        wanted = {"channel": channel, **labels}.items()
        samples = (one for metric in self._registry.collect() for one in metric.samples)
        found = [one.value for one in samples if one.name == name and wanted <= one.labels.items()]
        return sum(found) if found else None

    def repeats(self, channel: str = "email") -> int:
        """How many were handed over once more."""
        found = self._registry.get_sample_value("retarget_channel_repeats_total", {"channel": channel})
        return int(found or 0)


@asynccontextmanager
async def working(
    engine: Engine, channel: Channel, rate: Rate | None = None, settings: Settings | None = None,
    pauses: Callable[[], Mapping[str, int] | None] = dict, now: Callable[[], int] = now_ms,
) -> AsyncIterator[Working]:  # fmt: skip
    """A service of this channel, until the end of the block; what is under way then is settled."""
    registry = CollectorRegistry()
    rate = rate or Rate(channel.name, None, None)
    chosen = settings or engine.settings()
    metrics = ChannelMetrics(registry)
    terms = terms_of(chosen, pauses)._replace(now=now)
    async with Service(chosen, engine.address, channel, rate, metrics, terms=terms) as service:
        task = asyncio.create_task(service.run())
        try:
            yield Working(service, registry)
        finally:
            task.cancel()
            await asyncio.wait([task])


async def until(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until it is so; fails when it is not in time."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - what happens elsewhere signals nothing
            await asyncio.sleep(0.02)
