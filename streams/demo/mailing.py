"""The demo's mails: the channel service as it is, with a mailbox in the place of a relay."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from prometheus_client import CollectorRegistry

from streams.channels.email import EmailChannel
from streams.channels.email.links import Seal
from streams.channels.pages import Pages
from streams.channels.rates import Rate
from streams.channels.service import Service
from streams.channels.settlement import terms_of
from streams.collect.delivery import Delivery
from streams.demo.ending import cancelled
from streams.demo.mailbox import Mailbox
from streams.kafka import KafkaAddress
from streams.kafka.sending import producing
from streams.metrics_services import ChannelMetrics
from streams.settings import Settings

# What is told of deliveries is late by the simulated clock, so it would be shown as late events of people.
FEEDBACK: Final = "feedback"
# The embedded broker lets a group begin after half of it.
_SESSION_MS: Final = 1_500


@asynccontextmanager
async def mailing(
    settings: Settings, address: KafkaAddress, now: Callable[[], int]
) -> AsyncIterator[Mailbox]:
    """Hand the shop's mails over until the end of the block; `now` is the time in the shop, epoch ms."""
    registry = CollectorRegistry()
    metrics = ChannelMetrics(registry)
    async with Mailbox() as mailbox, producing(address) as producer:
        delivery = Delivery(producer, terms_of(settings).feedback_topic)
        own = replace(
            settings,
            channel=replace(settings.channel, host="127.0.0.1", port=0, session=_SESSION_MS),
            email=replace(settings.email, host="127.0.0.1", port=mailbox.port, security="none", user=""),
        )
        # The pages must be there before the links that lead to them can be written.
        late = _Seals()
        async with Pages(own, late, delivery, metrics, registry, now=now) as pages:
            late.lead_to(f"http://127.0.0.1:{pages.port}")
            channel = EmailChannel(own, late, now)
            rate = Rate(channel.name, None, None)
            terms = terms_of(own)._replace(feedback_topic=FEEDBACK, now=now)
            async with Service(own, address, channel, rate, metrics, terms=terms) as service:
                tasks = [asyncio.create_task(service.run()), asyncio.create_task(delivery.run())]
                try:
                    yield mailbox
                finally:
                    await cancelled(*tasks)


class _Seals(Seal):
    """A seal with a secret of this demo's, whose address is known later."""

    def __init__(self) -> None:
        super().__init__(secrets.token_hex(16), "")

    def lead_to(self, base: str) -> None:
        """Where the links lead from now on."""
        self._base = base
