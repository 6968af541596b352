"""`retarget channel NAME`: a service that hands a channel's messages over."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from retarget.errors import BadInput
from streams.settings import GUESSED, Settings

if TYPE_CHECKING:
    from streams.channels.email.links import Seal
    from streams.channels.outcomes import Channel
    from streams.switches import Switches

BUILT: Final = ("email", "push", "ads", "direct_mail", "sms", "whatsapp", "onsite", "chat")


def add(parser: argparse.ArgumentParser) -> None:
    """Which channel; all else is told by settings."""
    parser.add_argument("name", choices=BUILT, metavar="NAME", help=", ".join(BUILT))
    parser.set_defaults(
        settings=(
            "kafka.bootstrap", "input.dialect_by_topic", "store.url",
            "channel.port", "channel.public_url", "channel.secret",
            "channel.templates", "collect.purl_target", "email.host", "email.port", "email.sender",
            "push.fcm_url", "ads.url", "ads.meta_url", "ads.google_url", "direct_mail.folder",
            "sms.url", "whatsapp.url", "onsite.url", "chat.url",
        )
    )  # fmt: skip


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Hand over until SIGTERM or SIGINT. Raises BadInput, Unreachable."""
    from streams.reading import canonical_topic

    canonical_topic(settings, "feedback")  # what must not be is told before anything is asked of Kafka
    try:
        from streams.channels import service  # noqa: F401 - whether it is there

        channels, seal = channels_of(args.name, settings)
    except ImportError as missing:
        said = f"channel services need a part that is not here ({missing.name})"
        raise BadInput([f"{said}: pip install 'retarget[channels]'"]) from missing
    asyncio.run(work(settings, channels, seal))
    return 0


def channels_of(name: str, settings: Settings) -> tuple[Sequence[Channel], Seal | None]:
    """The channel of this name with each of its destinations, and what seals its links.

    Raises BadInput, ImportError.
    """
    seal = seal_of(settings) if name == "email" or settings.channel.public_url else None
    if seal is not None and name == "email":
        from streams.channels.email import EmailChannel

        return [EmailChannel(settings, seal)], seal
    if name == "push":
        from streams.channels.push import PushChannel

        return [PushChannel(settings)], seal
    if name == "ads":
        return destinations_of_ads(settings), seal
    if name == "direct_mail":
        from streams.channels.batches.letters import LetterChannel

        return [LetterChannel(settings)], seal
    from streams.channels.gateways import GATEWAYS

    return [GATEWAYS[name](settings)], seal


def seal_of(settings: Settings) -> Seal:
    """What seals the unsubscribe links, which must lead to a page that people reach. Raises BadInput."""
    from streams.channels.email.links import Seal

    channel = settings.channel
    if not _is_reached(channel.public_url):
        found = f"found {channel.public_url!r}" if channel.public_url else "is not set"
        why = "without a way to unsubscribe no mail leaves"
        said = f"channel.public_url: {found}, and {why}"
        raise BadInput([f"{said}; set it to the https address that passes /unsubscribe/ on to channel.port"])
    if len(channel.secret) < GUESSED:
        short = (
            f"has {len(channel.secret)} characters, which can be guessed" if channel.secret else "is not set"
        )
        said = f"channel.secret: {short}, and unsubscribe links are sealed with it"
        raise BadInput([f"{said}; set it to at least {GUESSED} random characters, the same in all services"])
    return Seal(channel.secret, channel.public_url)


def _is_reached(url: str) -> bool:
    """Whether mail programs would post to it (RFC 8058: https); on this machine plain http does to try."""
    from yarl import URL

    try:
        parts = URL(url)
        host = parts.host or ""
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and _is_here(host)))


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def destinations_of_ads(settings: Settings) -> Sequence[Channel]:
    """Those that are set; the shop's own, which tells what is missing, when none is. Raises BadInput."""
    from streams.channels.batches.ads import AdsChannel
    from streams.channels.batches.platforms import GoogleChannel, MetaChannel

    ads = settings.ads
    found: list[Channel] = []
    if ads.meta_url:
        found.append(MetaChannel(settings))
    if ads.google_url:
        found.append(GoogleChannel(settings))
    if ads.url or ads.folder or not found:
        found.append(AdsChannel(settings))
    return found


@asynccontextmanager
async def switches_of(settings: Settings, shown: Callable[[int], object]) -> AsyncIterator[Switches]:
    """The kill switches, as the store tells them until the end of the block. Raises Unreachable, BadInput."""
    from streams.stores import open_store
    from streams.switches import Switches

    store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
    switches = Switches(store, shown)
    await switches.read()
    following = asyncio.create_task(switches.follow())
    try:
        yield switches
    finally:
        following.cancel()
        await asyncio.wait([following])
        await store.close()


async def work(settings: Settings, channels: Sequence[Channel], seal: Seal | None) -> None:
    """Hand over until told to stop; what is under way then is settled."""
    from prometheus_client import CollectorRegistry

    from streams.channels.outcomes import known_as
    from streams.channels.pages import Pages
    from streams.channels.rates import Rate
    from streams.channels.service import Service
    from streams.channels.settlement import terms_of
    from streams.collect.delivery import Delivery
    from streams.commands.collect import looking_up
    from streams.kafka.address import address_of
    from streams.kafka.sending import producing
    from streams.logs import configure_logs
    from streams.metrics_services import ChannelMetrics
    from streams.secrecy import hiding
    from streams.stopping import asked_to_stop
    from streams.stores.leases import Leases

    address, registry = address_of(settings), CollectorRegistry()
    metrics = ChannelMetrics(registry)
    name = channels[0].name
    limit = settings.rates.by_channel.get(name)
    async with AsyncExitStack() as stack:
        asked = stack.enter_context(asked_to_stop())
        leases = None
        if limit is not None:
            leases = Leases.at(settings.store.url, settings.app.id)
            stack.push_async_callback(leases.close)
        switches = await stack.enter_async_context(switches_of(settings, metrics.paused.set))
        terms = terms_of(settings, switches.told)
        services = []
        for channel in channels:
            rate = Rate(known_as(channel), limit, leases)
            service = Service(settings, address, channel, rate, metrics, terms=terms)
            services.append(await stack.enter_async_context(service))
        configure_logs(settings.log.format, settings.log.level, hidden=hiding(settings))
        producer = await stack.enter_async_context(producing(address))
        delivery = Delivery(producer, terms.feedback_topic)
        revoked = await stack.enter_async_context(looking_up(settings))
        pages = Pages(settings, seal, delivery, metrics, registry, revoked=revoked)
        await stack.enter_async_context(pages)
        host = settings.channel.host
        print(f"{name}: handing over, pages on http://{host}:{pages.port}", flush=True)
        works = [*(service.run() for service in services), delivery.run(), asked.wait()]
        tasks = [asyncio.create_task(one) for one in works]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in done:
            task.result()
