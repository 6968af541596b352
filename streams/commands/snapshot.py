"""`retarget snapshot`: copies of all lanes as files."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from retarget.errors import BadInput, LaneRefused, Unreachable
from streams.ports import UnknownOutcome
from streams.settings import Settings

if TYPE_CHECKING:
    from streams.images import Folder, LaneEntry


def add(parser: argparse.ArgumentParser) -> None:
    """What it copies from."""
    parser.add_argument(
        "--from-store",
        action="store_true",
        help="copy the store, which must be at rest, instead of repeating the journal: for the first "
        "snapshot of an engine whose first inputs Kafka no longer has",
    )
    parser.set_defaults(
        settings=(
            "snapshot.folder",
            "snapshot.every",
            "snapshot.keep",
            "snapshot.merge_kept",
            "app.id",
            "kafka.bootstrap",
            "store.url",
        )
    )


def run(settings: Settings, args: argparse.Namespace) -> int:
    """Write one, or one after the other until SIGTERM or SIGINT.

    Raises BadInput, LaneRefused, UnknownOutcome, Unreachable.
    """
    from streams.images import copies_of

    folder = copies_of(settings)
    if folder is None:
        raise BadInput(["snapshot.folder: is not set; name the folder that workers read from, too"])
    if settings.snapshot.every:
        asyncio.run(_until_stopped(settings, folder, from_store=args.from_store))
    else:
        asyncio.run(_go_on(settings, folder, from_store=args.from_store))
    return 0


async def _until_stopped(settings: Settings, folder: Folder, *, from_store: bool) -> None:
    """One that is being written then does not count, as what is not whole never does."""
    from streams.stopping import asked_to_stop, unless

    with asked_to_stop() as asked:
        await unless(asked, _go_on(settings, folder, from_store=from_store))


async def _go_on(settings: Settings, folder: Folder, *, from_store: bool) -> None:
    from streams.clocks import monotonic_ms

    while True:
        begun = monotonic_ms()
        made = await (_of_store(settings, folder) if from_store else by_journal(settings, folder))
        former = folder.tidy(settings.snapshot.keep)
        print(made, *(f"removed {each}" for each in former), sep="\n", flush=True)
        await cut_merge(settings, folder)
        if not settings.snapshot.every:
            return
        await asyncio.sleep(max(begun + settings.snapshot.every - monotonic_ms(), 0) / 1000)


async def cut_merge(settings: Settings, folder: Folder) -> None:
    """Delete what lanes told each other and nobody needs, if snapshot.merge_kept is set.

    What hinders is said: a snapshot counts without it.
    """
    from streams.clocks import now_ms
    from streams.privacy.cutting import cut
    from streams.stores import open_store
    from streams.topics import MERGE

    if not settings.snapshot.merge_kept:
        return
    try:
        store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
        try:
            found = await cut(settings, store, folder, now_ms())
        finally:
            await store.close()
    except (BadInput, LaneRefused, Unreachable, UnknownOutcome) as error:
        print(f"{MERGE} is not cut: {error}", flush=True)
        return
    for one in found:
        print(f"{MERGE}[{one.lane}]: cut from offset {one.before} to {one.after}", flush=True)


async def by_journal(settings: Settings, folder: Folder) -> Path:
    """Write one from what Kafka has; where it is. Raises what `run` does."""
    from streams.kafka.address import address_of
    from streams.lanes.shelved import own_publication, shelved_bundles
    from streams.snapshotting import snapshot_by_journal

    # Another bundle than the one that decided may come to other journeys: none may stand in.
    exact = replace(settings, rules=replace(settings.rules, unknown="refuse"))
    address = address_of(settings)
    async with shelved_bundles(exact, address, own_publication(exact), shelve=False) as bundles:
        return await snapshot_by_journal(exact, address, bundles, folder, tell)


async def _of_store(settings: Settings, folder: Folder) -> Path:
    from streams.snapshotting import snapshot_of_store
    from streams.stores import open_store

    async with AsyncExitStack() as stack:
        store = await open_store(settings.store.url, settings.app.id, settings.kafka.partitions)
        stack.push_async_callback(store.close)
        return await snapshot_of_store(settings, store, folder, tell)


def tell(entry: LaneEntry) -> None:
    """Say what was written of a lane."""
    print(
        f"lane {entry.lane}: sequence {entry.sequence:,}, {entry.people:,} people, {entry.waits:,} waits, "
        f"{entry.size:,} bytes",
        flush=True,
    )
