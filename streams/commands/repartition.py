"""`retarget repartition`: more partitions, thus more lanes, while no worker runs."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from retarget.errors import BadInput
from streams.commands.snapshot import tell
from streams.settings import Settings


def add(parser: argparse.ArgumentParser) -> None:
    """How many there will be."""
    parser.add_argument("--to", metavar="N", type=int, required=True, help="partitions of every input topic")
    parser.set_defaults(
        settings=(
            "kafka.partitions",
            "snapshot.folder",
            "app.id",
            "kafka.bootstrap",
            "kafka.emit",
            "store.url",
        )
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Share people out among more lanes. Raises BadInput, LaneRefused, UnknownOutcome, Unreachable."""
    if args.to <= settings.kafka.partitions:
        now = f"--to {args.to}: kafka.partitions is {settings.kafka.partitions}"
        raise BadInput([f"{now}, and the partitions of a topic can only become more"])
    if not settings.snapshot.folder:
        raise BadInput(["snapshot.folder: is not set; the new lanes come from a snapshot in it"])
    whole = asyncio.run(_share_out(settings, args.to))
    print(
        whole,
        f"now set kafka.partitions={args.to} for every worker and command, with this snapshot.folder; start "
        f"the workers, then the producers",
        sep="\n",
    )
    return 0


async def _share_out(settings: Settings, lanes: int) -> Path:
    from streams.images import copies_of
    from streams.kafka.address import address_of
    from streams.repartitioning import Repartition
    from streams.stores import open_store

    then = replace(settings, kafka=replace(settings.kafka, partitions=lanes))
    folder = copies_of(then)
    assert folder is not None, "run looks for it"
    async with AsyncExitStack() as stack:
        store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
        stack.push_async_callback(store.close)
        return await Repartition(settings, address_of(settings), store, folder, lanes).run(tell)
