"""`retarget collect`: the HTTP entrance for producers."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
from typing import TYPE_CHECKING

from retarget.errors import BadInput
from streams.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.collect import Delivery
    from streams.links.revocation import Revoked


def add(parser: argparse.ArgumentParser) -> None:
    """Where the events go; all else is told by settings."""
    parser.add_argument("--topic", help="where to (default: the first canonical one of kafka.input_topics)")
    parser.set_defaults(
        settings=(
            "kafka.bootstrap",
            "kafka.input_topics",
            "input.dialect_by_topic",
            "collect.host",
            "collect.port",
            "collect.write_keys",
        )
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Listen until SIGTERM or SIGINT. Raises BadInput, Unreachable."""
    import uvloop

    from streams.collect.keys import Keys
    from streams.reading import canonical_topic

    topic = args.topic or canonical_topic(settings, "what the collector takes")
    Keys(settings.collect)  # what must not be is told before anything is asked of Kafka
    require_readable(settings, topic)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(collect(settings, topic))
    return 0


def require_readable(settings: Settings, topic: str) -> None:
    """Raise BadInput when the engine would not understand what the collector writes there."""
    from streams.reading import dialect_of, takes_canonical

    if not takes_canonical(settings, topic):
        dialect = dialect_of(settings, topic)
        said = f"the topic {topic} is read as {dialect}, and the collector writes canonical touchpoints"
        remedy = f"write input.dialect_by_topic={topic}=canonical, or give --topic another topic"
        raise BadInput([f"input.dialect: {said}; {remedy}"])


async def collect(settings: Settings, topic: str) -> None:
    """Take events until told to stop; what has been answered is in Kafka then."""
    from prometheus_client import CollectorRegistry

    from streams.collect import Delivery, Entrance
    from streams.kafka.address import address_of
    from streams.kafka.inventory import partitions_of_topic
    from streams.kafka.sending import producing
    from streams.logs import configure_logs
    from streams.secrecy import hiding
    from streams.stopping import asked_to_stop

    address = address_of(settings)
    await partitions_of_topic(address, topic)
    async with contextlib.AsyncExitStack() as stack:
        asked = stack.enter_context(asked_to_stop())
        producer = await stack.enter_async_context(producing(address))
        configure_logs(settings.log.format, settings.log.level, hidden=hiding(settings))
        delivery = Delivery(producer, topic)
        async with asyncio.TaskGroup() as tasks:
            sending = [tasks.create_task(delivery.run())]
            if settings.collect.heartbeat:
                sending.append(tasks.create_task(beat(delivery, settings.collect.heartbeat)))
            async with (
                looking_up(settings) as revoked,
                Entrance(settings, delivery, CollectorRegistry(), revoked=revoked) as entrance,
            ):
                print(f"listening on http://{settings.collect.host}:{entrance.port} for {topic}", flush=True)
                await asked.wait()
            for task in sending:
                task.cancel()


@contextlib.asynccontextmanager
async def looking_up(settings: Settings) -> AsyncIterator[Revoked | None]:
    """Whether links of messages have been taken back, as the store knows; None where there are no links.

    Raises BadInput, Unreachable.
    """
    from streams.links.revocation import ByStore
    from streams.stores.redis import RedisStore

    if not (settings.purl.keys and settings.collect.purl_target):
        yield None
        return
    lanes = settings.kafka.partitions
    store = await RedisStore.connect(settings.store.url, settings.app.id, lanes)
    try:
        yield ByStore(store, lanes)
    finally:
        await store.close()


async def beat(delivery: Delivery, every_ms: int) -> None:
    """Tell every partition the time, behind the events that came before it, until cancelled."""
    from retarget.touchpoints import Touchpoint
    from streams.clocks import now_ms
    from streams.collect import NotTaken

    while True:
        with contextlib.suppress(NotTaken):
            await delivery.deliver([Touchpoint(type="heartbeat", time=now_ms())])
        await asyncio.sleep(every_ms / 1000)
