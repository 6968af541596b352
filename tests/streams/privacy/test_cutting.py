"""How far what lanes told each other may be cut."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from retarget.errors import BadInput
from streams.images import Folder
from streams.lanes.positions import Positions, encode
from streams.ports import Checkpoint
from streams.privacy.cutting import needed_from, still_needed
from streams.settings import load_settings
from streams.snapshotting import snapshot_of_store
from streams.stores import MemoryStore
from streams.topics import MERGE

LANES = 1


def standing(frontier: int, *held: tuple[int, int]) -> Positions:
    """A lane that has read so far, and still holds some of it."""
    return Positions(frontier={MERGE: frontier}, held={MERGE: list(held)} if held else {})


async def a_store(stand: Positions) -> MemoryStore:
    """A store that says so of its lane."""
    store = MemoryStore()
    await store.checkpoint(0, Checkpoint(expected=0, meta=encode(stand)))
    return store


async def snapshot(folder: Folder, stand: Positions) -> Path:
    """A snapshot of a lane that stood here."""
    settings = load_settings(None, {}, ["app.id=engine", f"kafka.partitions={LANES}"])
    return await snapshot_of_store(settings, await a_store(stand), folder, lambda _: None)


@pytest.mark.parametrize(
    ("stand", "wanted"),
    [
        (standing(9), 9),
        (standing(9, (4, 6), (7, 8)), 4),
        (Positions(), 0),
        (Positions(frontier={"touchpoints": 7}), 0),
    ],
)
def test_what_is_held_is_read_again(stand: Positions, wanted: int) -> None:
    """It is in memory only; a lane that has read nothing begins at the beginning."""
    assert needed_from(stand) == wanted


async def test_nothing_is_cut_that_anybody_comes_back_to(tmp_path: Path) -> None:
    """Neither the store, which may be behind, nor any snapshot; without a whole one nothing at all is."""
    folder = Folder(tmp_path, "engine", LANES)
    with pytest.raises(BadInput, match="no whole snapshot of lane 0"):
        await still_needed(await a_store(standing(9)), folder, 0)
    first = await snapshot(folder, standing(5))
    await snapshot(folder, standing(8, (6, 7)))
    assert await still_needed(await a_store(standing(9)), folder, 0) == 5
    assert await still_needed(await a_store(standing(3)), folder, 0) == 3
    assert await still_needed(MemoryStore(), folder, 0) == 5
    shutil.rmtree(first)
    assert await still_needed(MemoryStore(), folder, 0) == 6
    (folder.all()[0] / "lane-0000.part").write_bytes(b"damaged")
    with pytest.raises(BadInput, match="no whole snapshot of lane 0"):
        await still_needed(await a_store(standing(9)), folder, 0)
