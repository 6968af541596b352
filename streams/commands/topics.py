"""`retarget topics`: create the engine's topics, or look whether they are as they must be."""

from __future__ import annotations

import argparse
import asyncio

from streams.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """Whether to create."""
    parser.add_argument("--check", action="store_true", help="only look; a missing topic is a problem")
    parser.set_defaults(
        settings=(
            "kafka.bootstrap",
            "kafka.partitions",
            "kafka.replication",
            "kafka.input_topics",
            "kafka.catalogue_topic",
        )
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Create or check them all. Raises BadInput with a line for each topic that is wrong, Unreachable."""
    created, total = asyncio.run(_create_or_check(settings, only_check=args.check))
    print(*(f"created {name}" for name in created), f"{total} topics, no problems", sep="\n")
    return 0


async def _create_or_check(settings: Settings, *, only_check: bool) -> tuple[list[str], int]:
    from streams.kafka.address import address_of
    from streams.kafka.creation import check_topics, create_or_check, specs_of

    address, specs = address_of(settings), specs_of(settings)
    if not only_check:
        return await create_or_check(address, specs, replication=settings.kafka.replication), len(specs)
    await check_topics(address, specs)
    return [], len(specs)
