"""`retarget run`: a worker."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from retarget.rules.vocabulary import VOCABULARY
from streams.resources import default_rules_dir
from streams.rulebook import load_rules
from streams.settings import Settings

NAME = "run"
HELP = "a worker: consumes touchpoints, emits messages"


def add(parser: argparse.ArgumentParser) -> None:
    """No options of its own: a worker is told everything by settings."""
    parser.set_defaults(settings=("app.id", "app.worker_id", "kafka.bootstrap", "kafka.emit", "store.url"))


def run(settings: Settings, _: argparse.Namespace) -> int:
    """Work until SIGTERM or SIGINT."""
    import uvloop  # noqa: PLC0415 - the other commands start without it

    from streams.logs import configure_logs  # noqa: PLC0415

    configure_logs(settings.log.format, settings.log.level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings))
    return 0


async def work(settings: Settings) -> None:
    """Open the store and work until told to stop. Raises BadInput and Unreachable before anything has started."""
    from streams.kafka.address import address_of  # noqa: PLC0415
    from streams.lanes.bundle import bundle_of  # noqa: PLC0415
    from streams.stores import open_store  # noqa: PLC0415
    from streams.worker import Worker  # noqa: PLC0415

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
