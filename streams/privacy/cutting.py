"""Cutting what lanes told each other of people, as far as nobody can come back to it any more.

A lane begins to read again where the store says, or a snapshot when the store is lost; what lies before
all of these, and has been there for a while, is read by nobody. Without a whole snapshot nothing is cut.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from retarget.errors import BadInput
from streams.images import Folder, manifest
from streams.kafka.address import address_of
from streams.kafka.cutting import delete_before
from streams.kafka.reader import Reader
from streams.lanes import positions
from streams.lanes.positions import Positions
from streams.settings import Settings
from streams.stores import Store
from streams.topics import MERGE


class Cut(NamedTuple):
    """One lane's partition: from which offset on there was something, and is now."""

    lane: int
    before: int
    after: int


def needed_from(stand: Positions) -> int:
    """The first offset that a lane reads again which stands here."""
    return min([stand.frontier.get(MERGE, 0), *(start for start, _ in stand.held.get(MERGE, ()))])


async def cut(settings: Settings, store: Store, folder: Folder, now: int) -> list[Cut]:
    """Delete what is older than snapshot.merge_kept and needed by nobody; the lanes where there was any.

    `now`: epoch ms.

    Raises BadInput, LaneRefused for a snapshot that cannot be read, UnknownOutcome, Unreachable.
    """
    address = address_of(settings)
    found: list[Cut] = []
    async with _reading(Reader(address)) as reader:
        for lane in range(settings.kafka.partitions):
            begin = await reader.beginning(MERGE, lane)
            old = await reader.since(MERGE, lane, now - settings.snapshot.merge_kept)
            found.append(Cut(lane, begin, min(old, await still_needed(store, folder, lane))))
    found = [one for one in found if one.after > one.before]
    await delete_before(address, MERGE, {one.lane: one.after for one in found})
    return found


async def still_needed(store: Store, folder: Folder, lane: int) -> int:
    """The first offset that the lane may ever read again. Raises BadInput, LaneRefused, UnknownOutcome."""
    if await folder.newest(lane) is None:
        raise BadInput([f"{folder.place} has no whole snapshot of lane {lane}: nothing is cut"])
    stands = [positions.decode(meta) for meta in _metas(folder, lane)]
    image = await store.image(lane)
    if image.sequence > 0:  # else it comes back from a snapshot
        stands.append(positions.decode(image.meta))
    return min(needed_from(stand) for stand in stands)


def _metas(folder: Folder, lane: int) -> Iterator[bytes]:
    for path in folder.all():
        yield from (entry.meta for entry in manifest.read(path).lanes if entry.lane == lane)


@asynccontextmanager
async def _reading(reader: Reader) -> AsyncIterator[Reader]:
    await reader.start()
    try:
        yield reader
    finally:
        await reader.close()
