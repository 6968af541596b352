"""`retarget run`: a worker."""

from __future__ import annotations

import argparse
import asyncio
import logging
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from streams.settings import Settings

if TYPE_CHECKING:
    from streams.kafka import KafkaAddress

log: Final = logging.getLogger("retarget.run")


def add(parser: argparse.ArgumentParser) -> None:
    """No options of its own: a worker is told everything by settings."""
    parser.set_defaults(
        settings=("app.id", "app.worker_id", "rules.source", "kafka.bootstrap", "kafka.emit", "store.url")
    )


def run(settings: Settings, _: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings))
    return 0


async def work(settings: Settings, *, alone: bool = False) -> None:
    """Look whether everything is as it must be, then work until told to stop; `alone` as in Worker.

    Raises BadInput and Unreachable before anything has started.
    """
    from streams.collector import relieve
    from streams.commands.check import makes_offers
    from streams.kafka.address import address_of
    from streams.lanes.shelved import own_publication, shelved_bundles
    from streams.logs import configure_logs
    from streams.secrecy import hiding
    from streams.stores import open_store
    from streams.web import require_token
    from streams.worker import Worker

    require_token(settings.web.host, settings.web.token)
    address, own = address_of(settings), own_publication(settings)
    warnings = await look_at_kafka(settings, address)
    async with AsyncExitStack() as stack:
        bundles = await stack.enter_async_context(shelved_bundles(settings, address, own))
        store = await open_store(
            settings.store.url, settings.app.id, settings.kafka.partitions, compress=settings.store.compress
        )
        stack.push_async_callback(store.close)
        # Only now: what the libraries say of a service that is not there, the refusal says in one line.
        configure_logs(settings.log.format, settings.log.level, hidden=hiding(settings))
        for line in warnings:
            log.warning("%s", line)
        made = [compiled.rule for compiled in bundles.newest().matcher.rules.values()]
        if not settings.offers.secret and makes_offers(made):
            log.warning("offers.secret is not set: whoever knows a person's events can work out their codes")
        worker = Worker(settings, bundles, store, address, alone=alone)
        relieve()
        await worker.run()


async def look_at_kafka(settings: Settings, address: KafkaAddress) -> list[str]:
    """What to warn of, if all topics are there and a worker may use them. Raises BadInput, Unreachable."""
    from streams.kafka.creation import check_topics, kept_otherwise, require_rights, specs_of
    from streams.topics import JOURNAL, KEYS, lane_topics

    kafka = settings.kafka
    specs = specs_of(settings)
    await check_topics(address, specs)
    if "sasl_mechanism" in address.security:
        keys = [KEYS] if settings.privacy.keys else []
        await require_rights(
            address,
            [*lane_topics(kafka.input_topics), kafka.catalogue_topic, JOURNAL, *keys],
            [settings.app.id, f"{settings.app.id}-catalogue"],
            f"{settings.app.id}-lane-0" if kafka.emit == "transactional" else None,
        )
    return await kept_otherwise(address, specs)
