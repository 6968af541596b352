"""What those who run a channel service see: a backlog, a rate that is reached, series from the start."""

from __future__ import annotations

import pytest

from streams.channels.batches.ads import AdsChannel
from streams.channels.email import EmailChannel
from streams.channels.rates import Rate
from streams.embedded import EmbeddedStore
from streams.settings_kinds import Limit
from streams.stores.leases import Leases
from tests.streams.channels.conftest import SEAL, Engine, message, until, working
from tests.streams.channels.test_batches import change
from tests.support.mailbox import Mailbox
from tests.support.receiver import Receiver


async def test_what_has_not_been_read_is_seen(topics: Engine) -> None:
    """A channel that is full reads no further, and says how much there is."""
    with Receiver() as receiver:
        receiver.answers = lambda _: 503
        settings = topics.settings(f"ads.url={receiver.url}", "channel.waiting=1")
        await topics.put(*(change(number, person="one") for number in range(3)), channel="ads")
        async with working(topics, AdsChannel(settings), settings=settings) as service:
            await until(lambda: service.waiting("ads") >= 1)
            await topics.put(*(change(number, person="one") for number in range(3, 10)), channel="ads")
            await until(lambda: (service.shown("retarget_channel_unread_records", "ads") or 0) >= 7)


async def test_a_rate_that_is_reached_is_seen(topics: Engine, store: EmbeddedStore, mailbox: Mailbox) -> None:
    """The time for which what could go has waited for its turn."""
    settings = topics.settings("email.host=127.0.0.1", f"email.port={mailbox.port}")
    leases = Leases.at(store.url, "watched")
    try:
        rate = Rate("email", Limit(4, 1_000), leases)
        async with working(topics, EmailChannel(settings, SEAL), rate, settings) as service:
            assert service.shown("retarget_channel_rate_waited_seconds_total", "email") == 0
            await topics.put(*map(message, range(8)))
            await until(lambda: len(mailbox.ids) == 8)
            waited = service.shown("retarget_channel_rate_waited_seconds_total", "email")
            assert waited is not None
            assert waited > 0.5
    finally:
        await leases.close()


@pytest.mark.parametrize("reason", ["refused", "paused", "no_audience"])
async def test_the_first_failure_is_an_increase(topics: Engine, reason: str) -> None:
    """Every series is there before anything happens."""
    channel = AdsChannel(topics.settings("ads.url=http://127.0.0.1:9"))
    async with working(topics, channel) as service:
        assert service.shown("retarget_channel_dead_letters_total", "ads", reason=reason) == 0
        assert service.shown("retarget_channel_messages_total", "ads", outcome="later") == 0
