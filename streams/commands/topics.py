"""`retarget topics`: create the engine's topics, or look whether they are as they must be."""

from __future__ import annotations

import argparse
import asyncio

from retarget.errors import BadInput
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
    created, otherwise, total = asyncio.run(_create_or_check(settings, only_check=args.check))
    if args.check and otherwise:
        raise BadInput(otherwise)
    verdict = f"{total} topics, {'which work' if otherwise else 'no problems'}"
    told = [*(f"created {name}" for name in created), *(f"warning: {line}" for line in otherwise)]
    print(*told, verdict, sep="\n")
    return 0


async def _create_or_check(settings: Settings, *, only_check: bool) -> tuple[list[str], list[str], int]:
    """The names created, what is kept otherwise than the settings say, and how many topics there are."""
    from streams.kafka.address import address_of
    from streams.kafka.creation import check_topics, create_or_check, kept_otherwise, specs_of

    address, specs, created = address_of(settings), specs_of(settings), list[str]()
    if only_check:
        await check_topics(address, specs)
    else:
        created = await create_or_check(address, specs, replication=settings.kafka.replication)
    return created, await kept_otherwise(address, specs), len(specs)
