from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from retarget.errors import BadInput
from retarget.journeys import wire
from retarget.journeys.model import Journey
from retarget.times import DAY, HOUR
from streams.clocks import now_ms
from streams.images import Folder
from streams.images.erased import Entry
from streams.lanes.observer import Observer
from streams.lanes.patience import Insisting
from streams.lanes.positions import Positions, encode
from streams.lanes.returning import Returning
from streams.lanes.wall import RealWall
from streams.ports import NOTHING_FOLLOWS, Checkpoint, JournalRecord, Portion
from streams.settings import load_settings
from streams.snapshotting import snapshot_of_store
from streams.stores import MemoryStore
from tests.streams.test_runner import KeptLog

ANN, BOB = Journey(person="ann", traits={"email": "a@example.org"}), Journey(person="bob")


async def a_snapshot(root: Path, ann: Journey = ANN) -> Folder:
    """One lane with Ann and Bob in it, at sequence 7."""
    store, folder = MemoryStore(), Folder(root, "shop", 1)
    checkpoint = Checkpoint(
        expected=0, then=7, meta=encode(Positions()),
        journeys=[(one.person, wire.encode(one)) for one in (ann, BOB)],
        waits=[("ann", 5), ("bob", 6)], following=[("p", "ann"), ("p", "bob")],
    )  # fmt: skip
    await store.checkpoint(0, checkpoint)
    settings = load_settings(None, {}, ["app.id=shop", "kafka.partitions=1"])
    await snapshot_of_store(settings, store, folder, lambda _: None)
    return folder


async def brought_back(folder: Folder, *journal: JournalRecord) -> Portion:
    """What a lane that has lost everything has in its store before it goes on with this journal."""
    store, log = MemoryStore(), KeptLog([])
    for record in journal:
        await log.commit(record, [])
    way = Returning(folder).of(0, store, log, Insisting(RealWall(), Observer(), bool))
    await way.restore(await store.image(0))
    parts = [part async for part in store.portions(0)]
    return Portion(
        journeys=[pair for part in parts for pair in part.journeys],
        waits=[pair for part in parts for pair in part.waits],
        following=[pair for part in parts for pair in part.following],
    )


async def test_who_was_erased_comes_back_from_no_older_snapshot(tmp_path: Path) -> None:
    """Where nothing that follows the snapshot erases them, they come back as erased; others as ever."""
    folder, at = await a_snapshot(tmp_path), now_ms() + HOUR
    folder.erased().add(["ann"], Entry(at, at), 0)
    late = JournalRecord(sequence=8, now=at + HOUR)
    for journal in ((), (late,)):
        found = await brought_back(folder, *journal)
        journeys = {person: wire.decode(data) for person, data in found.journeys}
        assert journeys == {"ann": Journey(person="ann", erased=True, erased_at=at), "bob": BOB}
        assert (found.waits, found.following) == ([("bob", 6)], [("p", "bob")])


async def test_what_the_journal_erases_is_left_to_it(tmp_path: Path) -> None:
    """Batches that follow the snapshot were decided with the person; a replay needs them until it erases."""
    folder, at = await a_snapshot(tmp_path), now_ms() + HOUR
    folder.erased().add(["ann"], Entry(at, at), 0)
    found = await brought_back(folder, JournalRecord(sequence=8, now=at - 1))
    assert wire.decode(dict(found.journeys)["ann"]) == ANN


async def test_who_came_back_after_their_erasure_stays(tmp_path: Path) -> None:
    """A snapshot that is younger than the erasure holds what they did since."""
    since = Journey(person="ann", erased=True, erased_at=DAY, traits={"email": "a@example.org"})
    folder = await a_snapshot(tmp_path, since)
    folder.erased().add(["ann"], Entry(DAY, DAY + 5), 0)
    copy = await folder.newest(0)
    assert copy is not None
    found = [pair async for portion in copy.portions(NOTHING_FOLLOWS) for pair in portion.journeys]
    assert wire.decode(dict(found)["ann"]) == since


def test_the_list_names_nobody_and_forgets_in_time(tmp_path: Path) -> None:
    """It has keyed hashes; who was erased too long ago is let go; other numbers of lanes have the same."""
    folder = Folder(tmp_path, "a/b", 4)
    folder.erased().add(["ann", "änn@example.org"], Entry(DAY, 5 * DAY), 0)
    folder.erased().add(["bob"], Entry(DAY, 9 * DAY), 5 * DAY)
    (file,) = tmp_path.glob("*.json")
    assert not {b"ann", b"bob"} & {*file.read_bytes().split(b'"')}
    assert "example" not in file.read_text()
    listed = Folder(tmp_path, "a/b", 8).erased()
    assert [listed.of(name) for name in ("ann", "bob", "eve")] == [
        Entry(DAY, 5 * DAY),
        Entry(DAY, 9 * DAY),
        None,
    ]
    folder.erased().add(["eve"], Entry(DAY, 10 * DAY), 6 * DAY)
    assert folder.erased().of("ann") is None
    assert len(msgspec.json.decode(file.read_bytes())["erased"]) == 2


def test_a_damaged_list_is_told(tmp_path: Path) -> None:
    """Nobody is brought back beside it: which file, and what to do."""
    folder = Folder(tmp_path, "shop", 1)
    folder.erased().add(["ann"], Entry(DAY, DAY), 0)
    (file,) = tmp_path.glob("*.json")
    file.write_text("{}")
    with pytest.raises(BadInput, match=r"erased.json: is no list of the erased .* from a backup"):
        folder.erased()


async def test_who_came_back_and_was_erased_again_is_out(tmp_path: Path) -> None:
    """A former erasure is not this one."""
    folder = await a_snapshot(tmp_path, Journey(person="ann", erased=True, erased_at=DAY, first=2 * DAY))
    folder.erased().add(["ann"], Entry(3 * DAY, 3 * DAY), 0)
    found = await brought_back(folder)
    assert wire.decode(dict(found.journeys)["ann"]) == Journey(person="ann", erased=True, erased_at=3 * DAY)
