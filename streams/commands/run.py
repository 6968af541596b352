"""`retarget run`: a worker."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from retarget.rules.vocabulary import VOCABULARY
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """No options of its own: a worker is told everything by settings."""
    parser.set_defaults(settings=("app.id", "app.worker_id", "kafka.bootstrap", "kafka.emit", "store.url"))


def run(settings: Settings, _: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    import uvloop

    from streams.logs import configure_logs

    configure_logs(settings.log.format, settings.log.level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings))
    return 0


async def work(settings: Settings) -> None:
    """Open the store and work until told to stop.

    Raises BadInput and Unreachable before anything has started.
    """
    from streams.kafka.address import address_of
    from streams.lanes.bundle import bundle_of
    from streams.stores import open_store
    from streams.worker import Worker

    rules = load_rules([rules_dir(settings)], VOCABULARY)
    bundle = bundle_of(settings, rules, settings.kafka.input_topics)
    store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
    try:
        await Worker(settings, bundle, store, address_of(settings)).run()
    finally:
        await store.close()


def rules_dir(settings: Settings) -> Path:
    """Where the rules are: the setting, else those that ship."""
    return Path(settings.rules.dir) if settings.rules.dir else default_rules_dir()
